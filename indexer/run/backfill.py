"""Fills a span of past blocks with snapshots: coarse first, then finer, skipping what is there.

Resumable because it keeps no place of its own: what the store has is what is done. It reads through `take` like the
daemon, so that both give the same rows, and may run beside it on the same store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from indexer.config.types import Cadence
from indexer.errors import ChainUnavailable, WrongFork
from indexer.model import BlockRef, Found, Status
from indexer.reads.batch import Counted
from indexer.run.by_logs import Costs, fill_ranges, range_blocks, ranges, timed_requests
from indexer.run.grid import Span, block_at, coarse_first, points
from indexer.run.live import LiveChain
from indexer.run.patience import patiently
from indexer.run.program import Deployment
from indexer.run.report import log_snapshots
from indexer.run.snapshot import Known, Taken, take
from indexer.store.base import Commit, Store

T = TypeVar("T")

FEWEST_POINTS = 8
"""For fewer, nothing is gained by logs."""

GIVE_UP_AFTER_S = 600
"""How long one point is tried before the backfill stops with an error; what was done stays done."""


@dataclass(frozen=True, slots=True)
class Job:
    """One chain's part of a backfill. The span ends at a final block at the latest."""

    live: LiveChain
    deployments: tuple[Deployment, ...]
    span: Span
    cadence: Cadence

    @property
    def grid(self) -> range:
        """The points that the span asks for."""
        return points(self.cadence, self.span)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would cost: `points` blocks to read at most, each about `calls` calls in `requests` requests.

    `by_logs` is what all of it costs in requests where it is filled by logs; None where it cannot be.
    """

    points: int
    calls: int
    requests: int
    by_logs: int | None = None

    @property
    def mode(self) -> str:
        """The way that takes fewer requests, which a backfill goes."""
        return "reads" if self.by_logs is None or self.by_logs >= self.points * self.requests else "logs"

    @property
    def total_requests(self) -> int:
        """Of the way that is gone."""
        reads = self.points * self.requests
        return reads if self.by_logs is None else min(self.by_logs, reads)


async def estimate(job: Job, store: Store | None) -> Estimate:
    """Read three points, store nothing, and say what the whole would cost; look-ups of blocks are counted too.

    The last point is read first, for what has to be found but once; the cost is that of the first and the middle one.
    Blocks already stored are left out of the count where the grid is of block numbers.
    """
    known = await Known.load(store, job.live.program) if store else Known()
    costs = [await _cost(job, point, known) for point in _samples(job.grid)] or [(0, 0)]
    typical = costs[1:] or costs
    calls, requests = (-(-sum(cost) // len(typical)) for cost in zip(*typical, strict=True))
    measure = await measured(job, known)
    by_logs = measure.by_logs(job.live, job.grid) if measure else None
    return Estimate(await _count_missing(job, store), calls, requests, by_logs)


async def measured(job: Job, known: Known) -> Costs | None:
    """What a point costs by reads, and what is left of it when logs are believed; None where logs cannot be used.

    Reads the first point once, and stores nothing.
    """
    ledger = job.live.ledger()
    if ledger is None or not job.cadence.blocks or len(job.grid) < FEWEST_POINTS:
        return None
    at, before = await job.live.clock.block(job.grid[0]), job.live.pool.stats.http
    if at is None:
        return None
    due = [d for d in job.deployments if d.first_block <= at.number]
    await take(job.live.program, ledger, at, due, known, clock=job.live.clock)
    read = job.live.pool.stats.http - before
    return Costs(read, timed_requests(ledger, read))


def _samples(grid: range) -> list[int]:
    """The last point, the first and the middle one, each once."""
    return list(dict.fromkeys([grid[-1], grid[0], grid[len(grid) // 2]])) if grid else []


async def _cost(job: Job, point: int, known: Known) -> tuple[int, int]:
    """Calls and HTTP requests of one point, from its look-up on. What it teaches is known from then on."""
    before = job.live.pool.stats.http
    at = await block_at(point, job.cadence, job.live.clock)
    if at is None:
        return 0, job.live.pool.stats.http - before
    taken = await take(job.live.program, job.live.reader, at, job.deployments, known, clock=job.live.clock)
    known.learn(taken)
    return taken.calls, job.live.pool.stats.http - before


async def _count_missing(job: Job, store: Store | None) -> int:
    if store is None or not job.cadence.blocks:
        return len(job.grid)
    present = [await _done(store, d, job.span) for d in job.deployments]
    return sum(any(number not in done for done in present) for number in job.grid)


async def backfill(job: Job, store: Store, log: FilteringBoundLogger, workers: int = 4) -> AsyncIterator[Taken | None]:
    """Fill the job's span. Yields once a point: what was taken, or None where all was there already.

    By logs, the last blocks first, where that takes fewer requests; else by reads, coarse first. Raises the last error
    where a point could not be had for ten minutes. Stop it at any time; call it again to go on.
    """
    await store.register([deployment.row() for deployment in job.deployments])
    known = await Known.load(store, job.live.program)
    filler = _Filler(job, store, log, known, {d.key: await _done(store, d, job.span) for d in job.deployments})
    order = coarse_first(job.grid)
    for point in order:
        yield await filler.fill(point)
        break
    costs = await filler.patiently(lambda: measured(job, known))
    if costs and costs.by_logs(job.live, job.grid) < costs.by_reads(job.grid):
        filled = fill_ranges(filler, ranges(job.grid, range_blocks(job.live)), job.grid[-1], workers)
    else:
        filled = _in_parallel(filler, order, workers)
    async with aclosing(filled) as points:
        async for taken in points:
            yield taken


async def _done(store: Store, deployment: Deployment, span: Span) -> set[int]:
    """Blocks of the span that need no reading: all that are there, but for gaps."""
    present = await store.present(deployment.key, span.first.number, span.last.number)
    return {number for number, (_, status) in present.items() if status is not Status.GAP}


async def _in_parallel(filler: _Filler, order: Iterator[int], workers: int) -> AsyncGenerator[Taken | None, None]:
    """Several points at a time, in the order they are ready; none is left running when one fails."""
    running: set[asyncio.Task[Taken | None]] = set()
    try:
        while True:
            while len(running) < workers and (point := next(order, None)) is not None:
                running.add(asyncio.create_task(filler.fill(point)))
            if not running:
                return
            ready, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ready:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@dataclass(slots=True)
class _Filler:
    """Reads and commits single points."""

    job: Job
    store: Store
    log: FilteringBoundLogger
    known: Known
    done: dict[str, set[int]]

    @property
    def live(self) -> LiveChain:
        """The chain that is read."""
        return self.job.live

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, for ten minutes at most."""
        return await patiently(act, self.log, give_up_after_s=GIVE_UP_AFTER_S)

    def due(self, number: int) -> list[Deployment]:
        """The deployments that lack this block."""
        return [d for d in self.job.deployments if number >= d.first_block and number not in self.done[d.key]]

    def finished(self, taken: Taken) -> None:
        """What is committed need not be read again."""
        self.known.learn(taken)
        for snapshot in taken.snapshots:
            self.done[snapshot.deployment].add(taken.at.number)

    async def fill(self, point: int) -> Taken | None:
        """The point's block, read for every deployment that lacks it, and committed."""
        return await self.patiently(lambda: self._fill(point))

    async def _fill(self, point: int) -> Taken | None:
        at = await block_at(point, self.job.cadence, self.job.live.clock)
        if at is None or at not in self.job.span:
            return None
        due = self.due(at.number)
        if not due:
            return None
        started = perf_counter()
        taken = await self.take(self.live.reader, at, due)
        await self.store.commit(taken.commit(Commit(self.job.live.program.name, final=True)))
        self.finished(taken)
        log_snapshots(self.log, taken, perf_counter() - started)
        return taken

    async def take(self, source: Counted, at: BlockRef, due: Sequence[Deployment]) -> Taken:
        """Read these deployments at a final block. Endpoints that see it on a fork do not agree: ChainUnavailable."""
        live = self.live
        try:
            return await take(live.program, source, at, due, self.known, clock=live.clock, keep=self._keep_found)
        except WrongFork as error:
            raise ChainUnavailable(f"endpoints do not agree on a final block: {error}", block=at.number) from error

    async def _keep_found(self, found: Mapping[str, Sequence[Found]]) -> None:
        await self.store.commit(Commit(self.job.live.program.name, found=found))
