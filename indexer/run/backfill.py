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
from indexer.run.by_logs import fill_ranges, range_blocks, ranges
from indexer.run.costs import attempt
from indexer.run.grid import Span, block_at, coarse_first, points
from indexer.run.known import Known, Taken
from indexer.run.live import LiveChain
from indexer.run.patience import patiently
from indexer.run.program import Deployment
from indexer.run.report import log_snapshots
from indexer.run.snapshot import take
from indexer.run.standing import Standing
from indexer.store.base import Commit, Store

T = TypeVar("T")

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

    @property
    def by_blocks(self) -> bool:
        """Whether the points are numbers of blocks, and there are any."""
        return bool(self.cadence.blocks and self.grid)


async def backfill(job: Job, store: Store, log: FilteringBoundLogger, workers: int = 4) -> AsyncIterator[Taken | None]:
    """Fill the job's span. Yields once a point: what was taken, or None where all was there already.

    By logs, the last blocks first, where that takes fewer requests; else by reads, coarse first. Raises the last error
    where a point could not be had for ten minutes. Stop it at any time; call it again to go on.
    """
    await store.register([deployment.row() for deployment in job.deployments])
    known = await Known.load(store, job.live.program)
    filler = _Filler(job, known, await all_done(job, store), store, log)
    order = coarse_first(job.grid)
    for point in order:
        yield await filler.fill(point)
        break
    trial = await attempt(filler, job.grid) if job.by_blocks else None
    if trial and trial.pays:
        order_by_logs = ranges(job.grid, range_blocks(job.live))
        filled = fill_ranges(filler, order_by_logs, job.grid[-1], workers, trial.folded)
    else:
        filled = _in_parallel(filler, order, workers)
    async with aclosing(filled) as points:
        async for taken in points:
            yield taken


async def all_done(job: Job, store: Store) -> dict[str, set[int]]:
    """Of each deployment the blocks of the span that need no reading."""
    return {deployment.key: await _done(store, deployment, job.span) for deployment in job.deployments}


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
class PointReader:
    """Reads single points, and stores nothing. `done`: the blocks that each deployment does not lack."""

    job: Job
    known: Known
    done: Mapping[str, set[int]]

    @property
    def live(self) -> LiveChain:
        """The chain that is read."""
        return self.job.live

    def due(self, number: int) -> list[Deployment]:
        """The deployments that lack this block."""
        return [d for d in self.job.deployments if number >= d.first_block and number not in self.done.get(d.key, ())]

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it once."""
        return await act()

    async def take(
        self, source: Counted, at: BlockRef, due: Sequence[Deployment], standing: Standing | None = None
    ) -> Taken:
        """Read these deployments at a final block. Endpoints that see it on a fork do not agree: ChainUnavailable."""
        program, clock = self.live.program, self.live.clock
        try:
            return await take(
                program, source, at, due, self.known, clock=clock, keep=self._keep_found, standing=standing
            )
        except WrongFork as error:
            raise ChainUnavailable(f"endpoints do not agree on a final block: {error}", block=at.number) from error

    async def _keep_found(self, found: Mapping[str, Sequence[Found]]) -> None:
        """Nothing is stored of a discovery that is not finished."""


@dataclass(slots=True)
class _Filler(PointReader):
    """Reads and commits single points."""

    store: Store
    log: FilteringBoundLogger

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, for ten minutes at most."""
        return await patiently(act, self.log, give_up_after_s=GIVE_UP_AFTER_S)

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

    async def _keep_found(self, found: Mapping[str, Sequence[Found]]) -> None:
        await self.store.commit(Commit(self.job.live.program.name, found=found))
