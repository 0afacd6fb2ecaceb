"""A node of the made-up chain, and a ledger that is asked at each of its blocks and must answer as it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from indexer.model import Address, BlockRef, Log, LogQuery, Status
from indexer.reads.abi import function
from indexer.reads.batch import Sent
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.plan import Ask, Call, Failed
from indexer.reads.source import Key, Raw
from tests.unit.reads.ledger_worlds import (
    AGGREGATOR,
    AROUND,
    ERC20,
    FEED,
    HOLDERS,
    ITEMS,
    PROXY,
    REGISTRY,
    TOKENS,
    World,
    key_of,
    padded,
    word,
)

ANY = function("any()")
BALANCE, OTHER, SUPPLY = (
    key_of(ERC20.balanceOf, TOKENS[1], HOLDERS[0]),
    key_of(ERC20.balanceOf, TOKENS[1], HOLDERS[1]),
    key_of(ERC20.totalSupply, TOKENS[1]),
)
ROUND, COUNT = key_of(FEED.latestRoundData, PROXY), key_of(ITEMS, REGISTRY)


@dataclass
class Node:
    """A node of the made-up chain: every block's answers and logs, what was asked, and what it leaves out."""

    world: World = field(default_factory=lambda: World(5))
    worlds: dict[int, World] = field(default_factory=dict)
    asked: list[tuple[int, Key]] = field(default_factory=list)
    hidden: set[tuple[int, int]] = field(default_factory=set)
    pruned: int = -1
    sent: Sent = field(default_factory=lambda: Sent(0, 0, 0, 0, 0, 0))

    def __post_init__(self) -> None:
        self.worlds[0] = deepcopy(self.world)

    def block(self, number: int) -> BlockRef:
        return BlockRef(number, padded(number), padded(number - 1), 2**32 - 40 + 12 * number)

    def mine(self, *, play: bool = True) -> BlockRef:
        if play:
            self.world.block()
        else:
            self.world.number, self.world.logs = self.world.number + 1, []
        return self.keep()

    def keep(self) -> BlockRef:
        self.worlds[self.world.number] = deepcopy(self.world)
        return self.block(self.world.number)

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        self.asked += [(at.number, key) for key in questions]
        answers = self.worlds[at.number].answers()
        named = {key_of(FEED.aggregator, PROXY): word(AGGREGATOR)}
        return [(answers | named).get(key, Failed(Status.MISSING, "no code")) for key in questions]

    async def logs(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        found = [log for block in blocks for log in self.worlds[block.number].logs]
        return [log for log in found if (log.block_number, log.log_index) not in self.hidden]


def asks(*keys: tuple[Address, bytes]) -> dict[Key, Ask]:
    return {key: Call(*key, ANY) for key in keys}


def ledger_of(node: Node, proof_s: int = 0) -> Ledger:
    return Ledger(node, node.logs, AROUND, proof_s)


async def follow(node: Node, ledger: Ledger, blocks: int, *keys: tuple[Address, bytes], play: bool = True) -> None:
    """Mine so many blocks; at each one the ledger is asked, and must answer as the node does."""
    for _ in range(blocks):
        at = node.mine(play=play)
        await ledger.follow([at])
        await agree(node, ledger, at, *keys)


async def agree(node: Node, ledger: Ledger, at: BlockRef, *keys: tuple[Address, bytes]) -> None:
    answers = node.worlds[at.number].answers()
    assert await ledger.fetch(asks(*keys), at) == [answers[key] for key in keys]


async def proven(node: Node, *keys: tuple[Address, bytes], proof_s: int = 0) -> Ledger:
    """A ledger that folds these questions, after a while in which all of them moved."""
    ledger = ledger_of(node, proof_s)
    await agree(node, ledger, node.block(node.world.number), *keys)
    await follow(node, ledger, 60, *keys)
    return ledger
