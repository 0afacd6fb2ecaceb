"""What it costs to fill points of the past by reads and by logs, found by doing a little of either.

What logs cannot say is not known before they were folded: so one range is, and two of its points are taken from it.
Whoever goes on by logs goes on with that range. Stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter, process_time

from indexer.chain.pool import Pool
from indexer.reads.ledger.ledger import Ledger
from indexer.run.by_logs import Folded, Reading, fold, range_blocks, ranges, take_from

FEWEST_POINTS = 8
"""For fewer, nothing is gained by logs."""


@dataclass(frozen=True, slots=True)
class Effort:
    """HTTP requests, and seconds of the clock and of the processor when one thing is done after the other."""

    requests: int
    wall_s: float
    cpu_s: float

    def __add__(self, other: Effort) -> Effort:
        return Effort(self.requests + other.requests, self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def part(self, times: int, of: int = 1) -> Effort:
        """So many times a share of it; requests are rounded up."""
        return Effort(-(-self.requests * times // of), self.wall_s * times / of, self.cpu_s * times / of)

    def seconds(self, workers: int) -> float:
        """About how long it takes when so many work at a time: they wait together, and share one processor."""
        return max(self.cpu_s, self.wall_s / workers)


NOTHING = Effort(0, 0.0, 0.0)


class Meter:
    """Tells what was spent since it was made."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._start = self._now()

    def read(self) -> Effort:
        """Since it was made."""
        start, now = self._start, self._now()
        return Effort(now.requests - start.requests, now.wall_s - start.wall_s, now.cpu_s - start.cpu_s)

    def _now(self) -> Effort:
        return Effort(self._pool.stats.http, perf_counter(), process_time())


@dataclass(slots=True)
class Trial:
    """Which way takes fewer requests for a whole grid, and what logs take for the points that it lacks.

    The grid decides, not what is left of it, so that what was stopped goes on the way it began: only logs give flows.
    `by_logs` is None where it is known without a trial that they do not pay; `folded` are the ranges that it took.
    """

    pays: bool = False
    by_logs: Effort | None = None
    folded: dict[range, Folded] = field(default_factory=dict)


async def attempt(work: Reading, grid: range) -> Trial | None:
    """Try both ways on a grid of block numbers; None where logs cannot be used. Raises as reading does."""
    ledger, lacking = work.live.ledger(), [number for number in grid if work.due(number)]
    if ledger is None or not lacking or len(grid) < FEWEST_POINTS:
        return None
    parts = list(ranges(grid, range_blocks(work.live)))
    whole = await _whole(work, ledger, lacking[0])
    if 2 * len(parts) >= len(grid):
        return Trial()
    to_do = [part for part in parts if any(work.due(number) for number in part)]
    meter = Meter(work.live.pool)
    folded = await fold(work, to_do[0])
    a_range = meter.read()
    samples, timed = await _timed(work, folded, to_do[0])
    all_of_it = a_range.part(len(parts)) + timed.part(len(grid), samples)
    return Trial(
        pays=all_of_it.requests < whole.requests * len(grid),
        by_logs=whole + timed + a_range.part(len(to_do)) + timed.part(len(lacking), samples),
        folded={to_do[0]: folded},
    )


async def _whole(work: Reading, ledger: Ledger, number: int) -> Effort:
    """One point by reads, with its header."""
    meter = Meter(work.live.pool)
    at = await work.patiently(lambda: work.live.clock.block(number))
    if at is not None:
        await work.patiently(lambda: work.take(ledger, at, work.due(number)))
    return meter.read()


async def _timed(work: Reading, folded: Folded, part: range) -> tuple[int, Effort]:
    """Two points within the range, one where it has no two, and what is spent on what logs do not say of them."""
    lacking = [number for number in part if work.due(number)]
    samples = {lacking[len(lacking) // 3], lacking[2 * len(lacking) // 3]}
    meter = Meter(work.live.pool)
    for number in sorted(samples):
        await take_from(work, folded, number)
    return len(samples), meter.read()
