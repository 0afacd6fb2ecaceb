"""The logs of real mainnet blocks, folded over the state before, give the state after; what they do not give is known.

1,152 answers around 22 blocks of 2021 to 2024. An audit finds exactly those that the logs of their contracts do not
explain, and says of each why.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from indexer.model import Address, BlockRef, Hash, Log, LogQuery, Status
from indexer.reads.abi import function, interface
from indexer.reads.batch import Sent
from indexer.reads.ledger.audit import audit
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.rules import Surroundings, rule_of
from indexer.reads.plan import Ask, Failed
from indexer.reads.source import CallKey, Key, Raw

FIXTURE = Path(__file__).parents[2] / "data" / "mainnet" / "ledger_blocks.json.gz"
WETH = Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
NOT_RECORDED = Failed(Status.MISSING, "not recorded")
AGGREGATOR = function("aggregator()").selector
RESERVES = interface("uniswap_v2_pair").getReserves.selector

SILENT = "changed without a log"
OTHERWISE = "not what the logs say"
REBASES = "it rebases"

NFT = "an NFT collection: its Transfer names a token's id where an ERC-20 says an amount"
SHARES = "shares rounded down: a deposit mints a unit more than its Transfer says"
FEE = "a fee on transfer: the receiver gets less than the Transfer says, or holders share in it"
TWO_DOORS = "two contracts answer for one state: the Transfer comes from the other one"
OWN_EVENTS = "minted and burnt without a Transfer from or to the zero address"

UNEXPLAINED: Mapping[str, str] = {
    "0xae7ab96520de3a18e5e111b5eaab095312d7fe84": SHARES,  # stETH
    "0x85f0e02cb992aa1f9f47112f815f519ef1a59e2d": NFT,
    "0x3b3ee1931dc30c1957379fac9aba94d1c48a5405": NFT,
    "0x4700325ff1075bd657237b6650db53a076b92c23": NFT,
    "0xd396706543979149f7510839e9eb0b0608e8bc23": NFT,
    "0x1c8a88caa915693dbd9cb677f3c8142406c4c919": NFT,
    "0x76cb55c3a5a71404f8f3564413624525bdfd9fd4": NFT,
    "0x7bc25283a29a3888cab4555ea86ff1a8c18cc90a": NFT,
    "0x8d58c070394265d733094b8841b0453bc6e510f1": NFT,
    "0xfc1726c4ead2393fa14407ff54b336e2c8bb4aca": NFT,
    "0x5bf5bcc5362f88721167c1068b58c60cad075aac": NFT,
    "0x932261f9fc8da46c4a22e31b45c4de60623848bf": NFT,
    "0x2a46f2ffd99e19a89476e2f62270e0a35bbf0756": OWN_EVENTS,
    "0x76458b78566cbcf6daf7a4ad02d2d92825c6b0a5": OWN_EVENTS,
    "0x4ddc2d193948926d02f9b1fe9e1daa0718270ed5": OWN_EVENTS,  # cETH: minted from its own address
    "0xd60b06b457bff7fc38ac5e7ece2b5ad16b288326": OWN_EVENTS,
    "0x5407381b6c251cfd498ccd4a1d877739cb7960b8": OWN_EVENTS,
    "0xdeaa009ebe90ce34cfd866eaa56a63204c3e1545": OWN_EVENTS,
    "0x72e2f4830b9e45d52f80ac08cb2bec0fef72ed9c": OWN_EVENTS,
    "0x83fedbc0b85c6e29b589aa6bdefb1cc581935ecd": OWN_EVENTS,
    "0x48be867b240d2ffaff69e0746130f2c027d8d3d2": FEE,
    "0xfad45e47083e4607302aa43c65fb3106f1cd7607": FEE,
    "0x1426cc6d52d1b14e2b3b1cb04d57ea42b39c4c7c": FEE,
    "0xa2b4c0af19cc16a6cfacce81f192b024d625817d": FEE,
    "0xa3e059c0b01f07f211c85bf7b4f1d907afb011df": FEE,
    "0xda23d301761e4e2bf474951f978f6dfb6f3c9f14": FEE,
    "0x8b3192f5eebd8579568a2ed41e6feb402f93f73f": FEE,
    "0xb12494c8824fc069757f47d177e666c571cd49ae": FEE,
    "0x952193fcf398550b6caa0ecf5e706a6ad0ab8d8a": FEE,
    "0x1e3f899a191a44665dc213f0c01891d56c970392": FEE,
    "0xd2c869382c7ac9f87ff73548d029d67c0f9dee31": FEE,
    "0x9b0e1c344141fb361b842d397df07174e1cdb988": FEE,
    "0xa7e9da4851992b424bab4c8ae97689af69c654fa": TWO_DOORS,
    "0xf1a16d778fe004c495df8d3c46d2abe71ecf6cfe": TWO_DOORS,
    "0x34a5ef81d18f3a305ae9c2d7df42beef4c79031c": TWO_DOORS,
    "0x87641989057242bff28d0d6108d007c79774d06f": TWO_DOORS,
    "0x74b303dd79bbf44d23d60891bdd0f31df87bc7b8": TWO_DOORS,
    "0xe6a51bd48f93abcd6c1d532112094044971d8d4e": TWO_DOORS,
    "0x78d4b52f7ff7cd4a45a8d56fd8a8e4eb85f96ee3": TWO_DOORS,
}
"""Contracts whose balances or supply do not follow from their logs, and what is seen to be the reason."""

SAID = {
    NFT: (SILENT, OTHERWISE),
    SHARES: (OTHERWISE,),
    FEE: (OTHERWISE, SILENT, REBASES),
    TWO_DOORS: (SILENT, REBASES),
    OWN_EVENTS: (SILENT, OTHERWISE),
}
"""What an audit says of them, which sees logs and answers only."""


@cache
def recorded() -> dict[int, dict[str, Any]]:
    return {block["number"]: block for block in json.loads(gzip.decompress(FIXTURE.read_bytes()))["blocks"]}


NUMBERS = sorted(recorded())


@dataclass
class Recording:
    """A node that knows two blocks: the one before, and the one whose logs are recorded."""

    block: dict[str, Any]
    sent: Sent

    def at(self, number: int) -> BlockRef:
        names = [Hash(f"0x{n:064x}") for n in (number, number - 1)]
        return BlockRef(number, *names, self.block["timestamp"] - 12 * (self.block["number"] - number))

    def answers(self, number: int) -> dict[CallKey, bytes]:
        place = 3 if number == self.block["number"] else 2
        return {(Address(row[0]), unhex(row[1])): unhex(row[place]) for row in self.block["answers"]}

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        answers = self.answers(at.number)
        return [answers.get(key, NOT_RECORDED) for key in questions if isinstance(key, tuple)]

    async def logs(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        (at,) = blocks
        rows = self.block["logs"]
        return [Log(Address(a), tuple(t), unhex(d), at.number, at.hash, at.hash, i) for a, t, d, i in rows]


def unhex(text: str) -> bytes:
    return bytes.fromhex(text[2:])


async def folded(number: int) -> tuple[Recording, Ledger]:
    """A ledger that believed everything at the block before, and has folded this block's logs."""
    node = Recording(recorded()[number], Sent(0, 0, 0, 0, 0, 0))
    before = node.answers(number - 1)
    aggregators = {key[0]: Address("0x" + raw[12:].hex()) for key, raw in before.items() if key[1] == AGGREGATOR}
    ledger = Ledger(node, node.logs, Surroundings(WETH, aggregators))
    at = node.at(number - 1)
    ledger.start(at)
    for key, raw in before.items():
        rule = rule_of(key, ledger.around)
        state = rule.read(raw) if rule else None
        if rule is not None and state is not None:
            ledger.book.open(key, rule, state, at.number, at.timestamp)
    await ledger.follow([node.at(number)])
    return node, ledger


@pytest.mark.parametrize("number", NUMBERS)
async def test_the_logs_of_a_block_give_the_state_after_it_to_the_last_unit(number: int) -> None:
    node, ledger = await folded(number)
    after = node.answers(number)
    wrong = {
        key
        for key, track in ledger.book.tracks.items()
        if isinstance(key, tuple) and (track.state is None or track.rule.write(track.state) != after[key])
    }
    assert {key[0] for key in wrong} <= UNEXPLAINED.keys()
    assert all(key[1] != RESERVES for key in wrong), "a pair's Sync says its reserves"


@pytest.mark.parametrize("number", NUMBERS)
async def test_an_audit_finds_what_logs_do_not_explain_and_nothing_else(number: int) -> None:
    node, ledger = await folded(number)
    after = node.answers(number)
    keys = [track.key for track in ledger.book.tracks.values()]
    wrong = {
        t.key for t in ledger.book.tracks.values() if t.state is not None and t.rule.write(t.state) != after[t.key]
    }
    found = await audit(ledger, keys, node.at(number))
    assert {one.key for one in found} == wrong
    for one in found:
        assert any(text in one.reason for text in SAID[UNEXPLAINED[one.key[0]]]), (one.key[0], one.reason)
        assert (one.first, one.exact) == (number, True)
        assert one.key in ledger.belief.flaws


async def test_most_of_a_real_block_is_explained() -> None:
    counted = {True: 0, False: 0}
    for number in NUMBERS:
        node, ledger = await folded(number)
        after = node.answers(number)
        for track in ledger.book.tracks.values():
            counted[track.state is not None and track.rule.write(track.state) == after[track.key]] += 1
    assert counted == {True: 1105, False: 47}
