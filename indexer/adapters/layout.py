"""Pools -> one round of questions, and the answers given back to each pool: worked out once for pools that recur.

The same pools, asked in the same way, have the same layout, and the same answers of a pool mean the same holdings.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any

from indexer.adapters.parts import KEPT_HOLDINGS, kept_by_set
from indexer.adapters.pools import Pool
from indexer.model import Holding
from indexer.reads.plan import Answer, Ask, Plan
from indexer.reads.source import Questions

AsksOf = Callable[[Pool, Any], Sequence[Ask]]
HoldingsOf = Callable[[Pool, Sequence[Answer]], Sequence[Holding]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is asked of pools, one after the other. Each one's answers stand between two `edges`."""

    asks: Questions
    edges: Sequence[int]

    def asked(self, first: Sequence[Ask] = ()) -> Plan[tuple[Sequence[Answer], list[tuple[Answer, ...]]]]:
        """One round of these questions, after a few others: the answers to those, and the answers of each pool."""
        asks = (*first, *self.asks) if first else self.asks
        answers = tuple((yield asks) if asks else ())
        rest = answers[len(first) :] if first else answers
        return answers[: len(first)], [rest[start:end] for start, end in pairwise(self.edges)]


@kept_by_set
def laid_out(asks_of: AsksOf, params: Any, pools: tuple[Pool, ...]) -> Layout:
    """The layout of pools of which each is asked what `asks_of` says, given the pool and the parameters."""
    groups = [asks_of(pool, params) for pool in pools]
    return Layout(Questions(chain.from_iterable(groups)), array("L", accumulate(map(len, groups), initial=0)))


@lru_cache(KEPT_HOLDINGS)
def held_by(holdings_of: HoldingsOf, pool: Pool, answers: tuple[Answer, ...]) -> Sequence[Holding]:
    """What `holdings_of` makes of a pool and its answers."""
    return tuple(holdings_of(pool, answers))
