"""What it costs to fill points of the past by reads and by logs, found by doing a little of either.

What logs cannot say is not known before they were folded: so one range is, and two of its points are taken from it.
Whoever goes on by logs goes on with that range. Stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.reads.ledger.ledger import Ledger
from indexer.run.by_logs import Folded, Reading, fold, range_blocks, ranges, take_from

FEWEST_POINTS = 8
"""For fewer, nothing is gained by logs."""


@dataclass(slots=True)
class Trial:
    """Which way takes fewer requests for a whole grid, and what logs take for the points that it lacks.

    The grid decides, not what is left of it, so that what was stopped goes on the way it began: only logs give flows.
    `by_logs` is None where it is known without a trial that they do not pay; `folded` are the ranges that it took.
    """

    pays: bool = False
    by_logs: int | None = None
    folded: dict[range, Folded] = field(default_factory=dict)


async def attempt(work: Reading, grid: range) -> Trial | None:
    """Try both ways on a grid of block numbers; None where logs cannot be used. Raises as reading does."""
    ledger, lacking = work.live.ledger(), [number for number in grid if work.due(number)]
    if ledger is None or not lacking or len(grid) < FEWEST_POINTS:
        return None
    parts = list(ranges(grid, range_blocks(work.live)))
    whole = await _whole(work, ledger, lacking[0])
    if 2 * whole * len(parts) >= whole * len(grid):
        return Trial()
    to_do = [part for part in parts if any(work.due(number) for number in part)]
    before = work.live.pool.stats.http
    folded = await fold(work, to_do[0])
    a_range = work.live.pool.stats.http - before
    samples, timed = await _timed(work, folded, to_do[0])
    return Trial(
        pays=a_range * len(parts) + timed * len(grid) // samples < whole * len(grid),
        by_logs=whole + timed + a_range * len(to_do) - (-timed * len(lacking) // samples),
        folded={to_do[0]: folded},
    )


async def _whole(work: Reading, ledger: Ledger, number: int) -> int:
    """Requests of one point by reads, with its header."""
    before = work.live.pool.stats.http
    at = await work.patiently(lambda: work.live.clock.block(number))
    if at is not None:
        await work.patiently(lambda: work.take(ledger, at, work.due(number)))
    return max(work.live.pool.stats.http - before, 1)


async def _timed(work: Reading, folded: Folded, part: range) -> tuple[int, int]:
    """Two points within the range, one where it has no two, and the requests for what logs do not say of them."""
    lacking = [number for number in part if work.due(number)]
    samples = {lacking[len(lacking) // 3], lacking[2 * len(lacking) // 3]}
    before = work.live.pool.stats.http
    for number in sorted(samples):
        await take_from(work, folded, number)
    return len(samples), work.live.pool.stats.http - before
