"""Recorded answers, of mainnet where there are any -> the holdings that were worked out without the adapters.

Each file of `tests/data/golden` holds the raw answers, the parameters and the holdings, with the source of all three.
An answer of null is a revert.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from indexer.adapters.registry import adapter, kinds, parse_params
from indexer.model import BlockRef, Bucket, Found, Holding, Status
from indexer.reads.plan import Answer, Ask, Failed, Log, LogQuery, NativeBalance
from indexer.testing import drive

FILES = sorted((Path(__file__).parents[1] / "data" / "golden").glob("*.json"))


class Recorded:
    """Answers only what was recorded: any other question is a KeyError, and fails the test."""

    def __init__(self, golden: dict[str, Any]) -> None:
        self.native = {owner: int(amount) for owner, amount in golden["native"].items()}
        self.logs = [log_of(log) for log in golden.get("logs", [])]
        self.raw = {
            (target, calldata(call)): None if raw is None else bytes.fromhex(raw[2:])
            for target, calls in golden["answers"].items()
            for call, raw in calls.items()
        }

    def __call__(self, ask: Ask) -> Answer:
        if isinstance(ask, NativeBalance):
            return self.native[ask.owner]
        if isinstance(ask, LogQuery):
            return [log for log in self.logs if answers(log, ask)]
        raw = self.raw[ask.target, ask.data]
        return Failed(Status.HELD, "execution reverted") if raw is None else ask.function.decode(raw)


def answers(log: Log, ask: LogQuery) -> bool:
    """Whether a node would give the log for this query."""
    wanted = all(one is None or topic in one for one, topic in zip(ask.topics, log.topics, strict=False))
    return wanted and log.address in ask.addresses and ask.from_block <= log.block_number <= ask.to_block


def log_of(row: dict[str, Any]) -> Log:
    return Log(**{**row, "topics": tuple(row["topics"]), "data": bytes.fromhex(row["data"][2:])})


def calldata(call: str) -> bytes:
    """`balanceOf(0xabc…)`, where values stand in place of types; or the calldata itself, in hex."""
    if call.startswith("0x"):
        return bytes.fromhex(call[2:])
    name, _, rest = call.rstrip(")").partition("(")
    values = [value for value in rest.split(",") if value]
    signature = f"{name}({','.join('address' for _ in values)})"
    return keccak(signature.encode())[:4] + encode(["address"] * len(values), values)


def load(path: Path) -> tuple[dict[str, Any], BlockRef]:
    golden = json.loads(path.read_text("utf-8"))
    return golden, BlockRef(**golden["block"])


def read(golden: dict[str, Any], at: BlockRef, *, with_discovery: bool) -> list[Holding]:
    kind, answers = adapter(golden["kind"]), Recorded(golden)
    params = parse_params(golden["kind"], golden["params"])
    found: list[Found] = []
    if with_discovery:
        found = drive(kind.discover(params, found, 0, at), answers)
    return drive(kind.read(params, found, at), answers)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_block_reads_into_the_holdings_worked_out_by_hand(path: Path) -> None:
    golden, at = load(path)
    holdings = read(golden, at, with_discovery=True)
    expected = {(token, owner, Bucket(bucket)): int(amount) for token, owner, bucket, amount in golden["holdings"]}
    assert {(h.token, h.owner, h.bucket): h.amount for h in holdings} == expected
    assert len(holdings) == len(expected)


LISTED = [path for path in FILES if {"pairs", "pools"} & load(path)[0]["params"].keys()]


@pytest.mark.parametrize("path", LISTED, ids=lambda path: path.stem)
def test_listed_pools_read_the_same_without_discovery(path: Path) -> None:
    golden, at = load(path)
    assert read(golden, at, with_discovery=False) == read(golden, at, with_discovery=True)


def test_every_kind_has_a_golden_reading() -> None:
    assert {load(path)[0]["kind"] for path in FILES} == set(kinds())


def test_at_a_real_block_some_pairs_hold_more_than_their_reserves() -> None:
    """Why `amounts` is a choice: a token that takes a fee or is donated leaves balances above reserves."""
    reserves, balances = (
        {(token, owner): int(amount) for token, owner, _, amount in load(path)[0]["holdings"]}
        for path in (p for name in ("reserves", "balances") for p in FILES if p.stem == f"uniswap_v2_{name}_14396881")
    )
    assert {key for key in reserves if reserves[key] < balances[key]}
    assert not {key for key in reserves if reserves[key] > balances[key]}
