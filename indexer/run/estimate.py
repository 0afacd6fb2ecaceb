"""What a backfill would cost, found by doing a little of it: calls, requests and time, by reads and by logs.

Stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from indexer.run.backfill import Job, PointReader, all_done
from indexer.run.costs import NOTHING, Effort, Meter, attempt
from indexer.run.grid import block_at
from indexer.run.known import Known
from indexer.run.snapshot import take
from indexer.store.base import Store


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would cost: `points` blocks to read at most, each about `calls` calls; all of it `by_reads`.

    `by_logs` is what all of it costs where it is filled by logs; None where it cannot be, or cannot pay. `mode` is the
    way that a backfill goes: "reads" or "logs".
    """

    points: int
    calls: int
    by_reads: Effort
    by_logs: Effort | None = None
    mode: str = "reads"

    @property
    def effort(self) -> Effort:
        """Of the way that is gone."""
        return self.by_logs if self.mode == "logs" and self.by_logs is not None else self.by_reads


async def estimate(job: Job, store: Store | None) -> Estimate:
    """Read three points, and a range by logs where that may pay; store nothing, and say what the whole would cost.

    The last point is read first, for what has to be found but once; the cost is that of the first and the middle one,
    with the look-ups of their blocks. Blocks already stored are left out where the grid is of block numbers.
    """
    known = await Known.load(store, job.live.program) if store else Known()
    costs = [await _cost(job, point, known) for point in _samples(job.grid)] or [(0, NOTHING)]
    typical = costs[1:] or costs
    calls = -(-sum(calls for calls, _ in typical) // len(typical))
    a_point = sum((effort for _, effort in typical), NOTHING).part(1, len(typical))
    reader = PointReader(job, known, await all_done(job, store) if store else {})
    trial = await attempt(reader, job.grid) if job.by_blocks else None
    missing = sum(bool(reader.due(number)) for number in job.grid) if job.by_blocks else len(job.grid)
    by_logs = a_point + trial.by_logs if trial and trial.by_logs else None
    return Estimate(missing, calls, a_point.part(missing), by_logs, "logs" if trial and trial.pays else "reads")


def _samples(grid: range) -> list[int]:
    """The last point, the first and the middle one, each once."""
    return list(dict.fromkeys([grid[-1], grid[0], grid[len(grid) // 2]])) if grid else []


async def _cost(job: Job, point: int, known: Known) -> tuple[int, Effort]:
    """Calls and effort of one point, from its look-up on. What it teaches is known from then on."""
    meter = Meter(job.live.pool)
    at = await block_at(point, job.cadence, job.live.clock)
    if at is None:
        return 0, meter.read()
    taken = await take(job.live.program, job.live.reader, at, job.deployments, known, clock=job.live.clock)
    known.learn(taken)
    return taken.calls, meter.read()
