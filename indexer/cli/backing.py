"""What all deployments of a chain hold of a token together, against what stands behind its price in a pool.

A judgement of the last snapshots, made when they are shown: no row depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from indexer.model import Address, BlockRef, Snapshot
from indexer.pricing.compose import depth_of
from indexer.pricing.guards import Backed, Finding, GuardSettings
from indexer.valuation.backing import held_usd


@dataclass(slots=True)
class Heap:
    """A token of a chain whose price hangs on a pool: USD held by so many deployments, USD of depth at the thinnest."""

    symbol: str
    at: BlockRef
    depth: Fraction
    held: Fraction = Fraction(0)
    deployments: int = 0

    def finding(self, guards: GuardSettings) -> Finding | None:
        """What the guard of backing says of all of it."""
        return Backed(self.held, self.depth).judge(self.at, guards)


def heaps(snapshots: Iterable[Snapshot]) -> dict[Address, Heap]:
    """The heaps of one chain, from the last snapshot of each of its deployments."""
    found: dict[Address, Heap] = {}
    for one in snapshots:
        for token, quote in one.quotes.items():
            if (depth := depth_of(quote)) is not None:
                heap = found.setdefault(token, Heap(one.tokens[token].symbol, one.at, depth))
                heap.depth = min(heap.depth, depth)
                heap.held += held_usd(one.lines, token)
                heap.deployments += 1
    return found
