"""Factories that number their pools: a count and an index -> discoveries, in parts of bounded size.

Each discovery keeps its index, so that a search goes on where the last one stopped, and a reading knows which pools
stood at its block. Never finds more than a part at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, repeat
from typing import TypeVar

from indexer.adapters.base import PART
from indexer.adapters.floor import FactoryParams, FloorAdapter
from indexer.adapters.layout import held_by, laid_out
from indexer.adapters.pools import Pool, TokensOf, find_listed, pool_data, pool_holdings, pools_of, spread
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import Function
from indexer.reads.plan import Answer, Ask, Plan, address, uint

POOLS_A_ROUND = 2_000

POOLS_LIMIT = 10_000_000
"""More pools than any chain's factory has: a larger number is a broken answer."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A factory's own list: `count` says how many pools it has, `item` which one stands at an index.

    `tokens_of` asks pools for their tokens, `receipts_of` for those of their claims that are not the pools themselves.
    The factory is the zero address where pools are listed one by one.
    """

    factory: Address
    count: Function
    item: Function
    tokens_of: TokensOf
    receipts_of: Callable[[Sequence[Address]], Plan[dict[Address, Address]]] | None = None

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
        receipts = (yield from self.receipts_of(pools)) if self.receipts_of else {}
        return [
            Found(str(i), block, pool_data(p, tokens[p], receipts.get(p), index=i))
            for i, p in zip(indexes, pools, strict=True)
        ]

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


P = TypeVar("P", bound=FactoryParams)


class NumberedPools(FloorAdapter[P]):
    """A kind whose factories number their pools: left to say is how, and what a pool is asked for its amounts.

    What `asks`, `amounts` and `receipt` give must follow from what they are given alone, for it is kept.
    """

    @abstractmethod
    def factory(self, params: P) -> Numbered:
        """How the factory, or the listed pools, are asked."""

    @abstractmethod
    def asks(self, pool: Pool, params: P) -> Sequence[Ask]:
        """What asks for a pool's amounts: one answer with all of them, or one of each token."""

    def discover(self, params: P, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
        factory = self.factory(params)
        if params.factory is None:
            return (yield from find_listed(params.pools_listed, known, at.number, factory.tokens_of))
        return (yield from factory.find(known, at.number))

    def touched_by(self, params: P) -> Mapping[Address, tuple[Address, ...]]:
        """A factory logs what it creates."""
        return {params.factory: (params.factory,)} if params.factory else {}

    def standing(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Found]]:
        (counted,) = yield [self.factory(params).length()]
        count = stood(counted, found)
        return [item for item in found if "index" in item.data and int(item.data["index"]) < count]

    def read(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        factory = self.factory(params)
        chosen = (yield from self.above_floor(params, found, at)) if params.floor_usd else found
        pools = yield from pools_of(chosen, params.pools_listed, factory.tokens_of)
        length = [factory.length()] if params.factory and not params.floor_usd else []
        counted, groups = yield from laid_out(self.asks, params, pools).asked(length)
        count = stood(counted[0], found) if counted else POOLS_LIMIT
        held = map(held_by, repeat(self._holdings), pools, groups)
        standing = compress(held, [pool.index < count for pool in pools])
        return params.counted(chain.from_iterable(standing))

    def _holdings(self, pool: Pool, answers: Sequence[Answer]) -> list[Holding]:
        return pool_holdings(pool, self.amounts(pool, answers), self.receipt(pool))

    def amounts(self, pool: Pool, answers: Sequence[Answer]) -> Sequence[Answer]:
        """The amount of each of the pool's tokens, from what it was asked."""
        return spread(pool, answers[0]) if len(answers) == 1 else answers

    def receipt(self, pool: Pool) -> Address | None:
        """The token that the pool issues as a claim on its tokens."""
        return pool.address
