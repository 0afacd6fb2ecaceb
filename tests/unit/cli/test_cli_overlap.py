"""`tvl overlap` and `tvl show --profile` over a real store: a lender, a pool of its receipt, and a farm of the pool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from indexer.model import Address, BlockRef
from indexer.store.base import Commit, DeploymentRow
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import block, gap, store_in, write_config
from tests.unit.valuation.stocks import Held, address, snapshot

NAMES = ("lender", "pool", "farm", "escrow")
PARAMS = {"lender": {"pool": "0x" + "1" * 40}}


def held(number: int) -> dict[str, list[Held]]:
    """More is lent out and put in again at each block; the escrow says that it holds what the lender holds."""
    return {
        "lender": [("dai", 1000, "a>aDAI"), ("dai", 100 * number, "debt", "borrowed")],
        "pool": [("aDAI", 300, "p>LP"), ("eth", 100, "p>LP")],
        "farm": [("LP", 200, "f")],
        "escrow": [("dai", 7, "a")],
    }


@pytest.fixture
def filled(folder: Path) -> Path:
    write_config(folder)
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    async with store_in(folder) as store:
        await store.register([_row(name) for name in NAMES])
        await store.register([DeploymentRow("old@base", "old", "base", "erc4626", "yield", "{}", 0)])
        for number in (1, 2):
            await store.commit(Commit("ethereum", _snapshots(block(number)), heads=[block(number)]))


def _row(name: str) -> DeploymentRow:
    category = {"lender": "lending", "pool": "dex", "farm": "yield"}.get(name, "other")
    return DeploymentRow(
        f"{name}@ethereum", name, "ethereum", "token_balances", category, json.dumps(PARAMS.get(name, {})), 0
    )


def _snapshots(at: BlockRef) -> list[Any]:
    price = {"eth": 3 * at.number}
    return [snapshot(f"{name}@ethereum", lines, price, at) for name, lines in held(at.number).items()]


def measures(tvl: Tvl, *args: str) -> dict[tuple[str, str], dict[str, Any]]:
    document = json.loads(tvl("overlap", *args, "--json").stdout)
    return {(one["scope"], one["name"]): one for one in document["measures"]}


def test_everything_is_measured_by_protocol_category_chain_and_in_all(tvl: Tvl, filled: Path) -> None:
    told = measures(tvl)
    whole = told["total", "all"]
    # block 2: ether is 6; lender 1000 and 200 lent, pool 300 + 600, farm 200, escrow 7 of what the lender holds
    assert (whole["gross"], whole["base"], whole["net"], whole["redeemable"]) == ("2307", "2107", "1600", "1600")
    assert whole["multiplier"] == ["2307", "1600"]
    assert told["category", "yield"]["net"] == "0"
    assert told["chain", "ethereum"] == whole | {"scope": "chain", "name": "ethereum"}
    assert told["protocol", "farm"]["exposure"] == [
        {"chain": "ethereum", "token": _checksum(address("eth")), "usd": "133.333333333333333334"},
        {"chain": "ethereum", "token": _checksum(address("dai")), "usd": "66.666666666666666666"},
    ]


def test_a_protocol_is_told_with_whom_it_overlaps(tvl: Tvl, filled: Path) -> None:
    out = tvl("overlap", "pool").stdout
    assert "of pool's $900.00, $300.00 (33.3 %) is already in lender" in out
    assert "of farm's $200.00, $200.00 (100.0 %) is already in pool" in out
    assert "behind" not in out.partition("farm")[0]
    assert "of farm's $200.00, $66.67 (33.3 %) is already in lender, behind 1 other claim" in tvl("overlap").stdout


def test_a_balance_of_two_deployments_and_a_silent_one_are_named(tvl: Tvl, filled: Path) -> None:
    out = tvl("overlap").stdout
    assert "is counted by escrow@ethereum, lender@ethereum: $7.00 more than once" in out
    assert "not in it: old@base: nothing stored by then" in out


def test_an_earlier_moment_is_what_was_stored_then(tvl: Tvl, filled: Path) -> None:
    assert measures(tvl, "--at", "2026-01-01T00:15:00Z")["total", "all"]["gross"] == "1907"
    assert measures(tvl, "lender", "--at", "1")["protocol", "lender"]["gross"] == "1100"
    assert measures(tvl, "lender", "--at", "-10m")["protocol", "lender"]["gross"] == "1100"


def test_a_gap_is_lacking_not_zero(tvl: Tvl, filled: Path) -> None:
    async def add() -> None:
        async with store_in(filled) as store:
            await store.commit(Commit("ethereum", [gap("farm@ethereum", block(3))], heads=[block(3)]))

    asyncio.run(add())
    told = json.loads(tvl("overlap", "--json").stdout)
    assert told["lacking"]["farm@ethereum"] == "a gap at block 3: nothing answers"
    assert ("protocol", "farm") not in {(one["scope"], one["name"]) for one in told["measures"]}


def test_a_profile_is_shown_with_what_it_leaves_out(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "pool", "--profile", "net").stdout
    assert "total $600.00" in out
    assert "claim on lender@ethereum" in out
    told = json.loads(tvl("show", "pool", "--profile", "net", "--json").stdout)
    assert told["usd"] == "600"
    assert told["left_out"] == [{"reason": "claim on lender@ethereum", "usd": "300", "holdings": 1}]


def test_the_difference_of_two_profiles_adds_up(tvl: Tvl, filled: Path) -> None:
    told = json.loads(tvl("show", "all", "--profile", "net", "--against", "gross", "--json").stdout)
    assert (told["usd"], told["against"]["usd"]) == ("1600", "2307")
    assert sum(float(part["usd"]) for part in told["against"]["parts"]) == -707
    assert "together" in tvl("show", "lender", "--profile", "net", "--against", "gross").stdout


def test_constant_prices_take_the_base_date(tvl: Tvl, filled: Path) -> None:
    told = json.loads(tvl("show", "pool", "--profile", "constant-price", "--prices-at", "1", "--json").stdout)
    assert told["usd"] == "600"


def test_yield_is_left_out_of_llamas_sums_unless_switched_on(tvl: Tvl, filled: Path) -> None:
    def usd(*args: str) -> str:
        return str(json.loads(tvl("show", *args, "--profile", "llama", "--json").stdout)["usd"])

    assert (usd("farm"), usd("all"), usd("all", "--toggle", "doublecounted")) == ("200", "1907", "2107")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "nett"), "there is no profile 'nett'; there are: base, gross, net"),
        (("--profile", "llama", "--toggle", "x"), "there is no toggle 'x'"),
        (("--profile", "net", "--toggle", "staking"), "--toggle is for --profile llama"),
        (("--profile", "constant-price"), "--prices-at need each other"),
        (("--profile", "net", "--from", "1"), "--profile shows one moment"),
        (("--against", "net"), "need --profile"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(
    tvl: Tvl, filled: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = tvl("show", "pool", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_unknown_protocol_is_told_which_there_are(tvl: Tvl, filled: Path) -> None:
    for arguments in (("overlap", "pol"), ("show", "pol", "--profile", "net")):
        result = tvl(*arguments)
        assert result.exit_code == 2
        assert "it has:" in result.stderr


def _checksum(token: Address) -> str:
    from indexer.config.types import checksum

    return checksum(token)
