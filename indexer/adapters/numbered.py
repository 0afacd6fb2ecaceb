"""Factories that number their pools: a count and an index -> discoveries, in parts of bounded size.

Each discovery keeps its index, so that a search goes on where the last one stopped, and a reading knows which pools
stood at its block. Never finds more than a part at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.adapters.base import PART
from indexer.adapters.pools import TokensOf, pool_data
from indexer.errors import CallFailed
from indexer.model import Address, Found
from indexer.reads.abi import Function
from indexer.reads.plan import Answer, Ask, Plan, address, uint

POOLS_A_ROUND = 2_000

POOLS_LIMIT = 10_000_000
"""More pools than any chain's factory has: a larger number is a broken answer."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A factory's own list: `count` says how many pools it has, `item` which one stands at an index.

    `tokens_of` asks pools for their tokens.
    """

    factory: Address
    count: Function
    item: Function
    tokens_of: TokensOf

    def find(self, known: Sequence[Found], block: int) -> Plan[list[Found]]:
        """The pools behind those known, with their tokens: a part of them where there are more than a part."""
        (counted,) = yield [self.length()]
        start = _next_index(known)
        stop = min(_checked(counted), start + PART)
        new: list[Found] = []
        for first in range(start, stop, POOLS_A_ROUND):
            new += yield from self._find_round(range(first, min(first + POOLS_A_ROUND, stop)), block)
        return new

    def _find_round(self, indexes: range, block: int) -> Plan[list[Found]]:
        """The pools at these indexes, in two rounds."""
        answers = yield [self.item(self.factory, i) for i in indexes]
        pools = [address(answer) for answer in answers]
        tokens = yield from self.tokens_of(pools)
        return [Found(str(i), block, pool_data(p, tokens[p], index=i)) for i, p in zip(indexes, pools, strict=True)]

    def length(self) -> Ask:
        """What asks the factory for its number of pools."""
        return self.count(self.factory)


def stood(counted: Answer, found: Sequence[Found]) -> int:
    """How many pools the factory has, of which all were found. Raises CallFailed where discovery is behind."""
    count = _checked(counted)
    if count > _next_index(found):
        raise CallFailed(f"the factory has {count} pools, of which {_next_index(found)} were found: discover first")
    return count


def _checked(answer: Answer) -> int:
    """How many pools a factory says it has. Raises CallFailed for none and for nonsense."""
    if uint(answer) > POOLS_LIMIT:
        raise CallFailed(f"the factory says it has {answer} pools")
    return uint(answer)


def _next_index(found: Sequence[Found]) -> int:
    return 1 + max((int(item.data["index"]) for item in found if "index" in item.data), default=-1)
