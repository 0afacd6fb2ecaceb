"""Which blocks of a span are due: the grid that daemon and backfill share, and the order that shows a chart soonest.

A grid point is a block number, or a time whose block is the first at or after it: the same blocks at which
`Cadence.due` is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.chain.clock import Clock
from indexer.config.types import Cadence
from indexer.model import BlockRef


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks from `first` to `last`, both included."""

    first: BlockRef
    last: BlockRef

    def __contains__(self, block: BlockRef) -> bool:
        return self.first.number <= block.number <= self.last.number


def points(cadence: Cadence, span: Span) -> range:
    """The grid points of a span: block numbers, or seconds since 1970.

    Time points may share a block, and the first one's may lie before the span: the first block of the span is due if
    that point is later than its parent.
    """
    if cadence.blocks:
        return range(-(-span.first.number // cadence.blocks) * cadence.blocks, span.last.number + 1, cadence.blocks)
    step = cadence.seconds
    return range(span.first.timestamp // step * step, span.last.timestamp + 1, step)


async def block_at(point: int, cadence: Cadence, clock: Clock) -> BlockRef | None:
    """The block of a grid point; None where the chain has not come so far."""
    if cadence.blocks:
        return await clock.block(point)
    return await clock.first_at_or_after(point)


async def last_due(cadence: Cadence, head: BlockRef, clock: Clock) -> BlockRef | None:
    """The last block up to `head` at which the cadence was due."""
    step, position = (cadence.blocks, head.number) if cadence.blocks else (cadence.seconds, head.timestamp)
    return await block_at(position - position % step, cadence, clock)


def coarse_first(grid: range) -> Iterator[int]:
    """Every point once: the last, then the grid at a coarse step over its whole length, then finer and finer."""
    if not grid:
        return
    last = len(grid) - 1
    yield grid[last]
    step = 1 << max(last.bit_length() - 1, 0)
    seen_step = 0
    while step:
        for i in range(0, last, step):
            if not seen_step or i % seen_step:
                yield grid[i]
        seen_step, step = step, step // 2
