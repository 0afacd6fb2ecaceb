"""A backfill by logs: ranges of past blocks, each read whole at both ends and folded from logs in between.

What logs say at the far end must be what the node says there; only then is it believed, at every block of the range.
What is not is read at each point. Each range begins at the block with which the one before it ends, so that flows have
no seam, and holds no more than its own blocks. Gives the same rows as `take` does by reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from indexer.chain.blocks import headers
from indexer.errors import ChainUnavailable, WrongFork
from indexer.model import BlockRef, Flow
from indexer.reads.batch import Counted
from indexer.reads.ledger.audit import prove
from indexer.reads.ledger.book import Moves
from indexer.reads.ledger.ledger import Ledger
from indexer.run.bookkeeping import FOLDED_AT_ONCE
from indexer.run.flows import Flowing
from indexer.run.live import LiveChain
from indexer.run.program import Deployment
from indexer.run.snapshot import Taken
from indexer.store.base import Commit, Store

T = TypeVar("T")

RANGE_BLOCKS = 512
HEADERS_A_REQUEST = 128
LOG_REQUESTS = 4
POINTS_A_COMMIT = 16
"""Few enough to keep in memory, enough for one transaction to be worth it."""


class Filling(Protocol):
    """What a backfill knows of its work."""

    @property
    def live(self) -> LiveChain: ...

    @property
    def store(self) -> Store: ...

    def due(self, number: int) -> Sequence[Deployment]:
        """The deployments that lack this block."""

    def finished(self, taken: Taken) -> None:
        """What is committed need not be read again."""

    async def take(self, source: Counted, at: BlockRef, due: Sequence[Deployment]) -> Taken:
        """Read these deployments at a final block."""

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, waiting for endpoints that are away."""


@dataclass(frozen=True, slots=True)
class Costs:
    """HTTP requests of one whole reading, and of one in which only what must be timed is read."""

    read: int
    timed: int

    def by_reads(self, grid: range) -> int:
        """Of all points of a grid of blocks, each with its header."""
        return len(grid) * (self.read + 1)

    def by_logs(self, live: LiveChain, grid: range) -> int:
        """Of the same points, with all blocks between them."""
        blocks = len(grid) * grid.step
        count = -(-blocks // range_blocks(live))
        return count * (2 * self.read + LOG_REQUESTS) + -(-blocks // HEADERS_A_REQUEST) + len(grid) * self.timed


def range_blocks(live: LiveChain) -> int:
    """Blocks of a range: enough for interest to show between its ends."""
    settings = live.program.settings
    return max(RANGE_BLOCKS, int(settings.ledger_proof_s / settings.block_time_s) + 2)


def timed_requests(ledger: Ledger, read: int) -> int:
    """Requests that a point costs though all is proven, after everything was asked once."""
    return min(read, 1 if len(ledger.book.tracks) < sum(ledger.ways.values()) else 0)


def ranges(grid: range, length: int) -> Iterator[range]:
    """The points of a grid of blocks, those of so many blocks at a time; the last blocks first."""
    points = max(length // grid.step, 1)
    for start in range((len(grid) - 1) // points * points, -1, -points):
        yield grid[start : start + points]


async def fill_ranges(
    work: Filling, order: Iterator[range], told: int, workers: int
) -> AsyncGenerator[Taken | None, None]:
    """Several ranges at a time, each point as soon as it is committed, but for the one that is `told` already.

    None is left running when one fails.
    """
    done: asyncio.Queue[Taken | BaseException | None] = asyncio.Queue(maxsize=2 * POINTS_A_COMMIT)
    end = StopAsyncIteration()

    async def one_after_another() -> None:
        for numbers in order:
            async with aclosing(_Range(work, numbers, told).fill()) as filled:
                async for taken in filled:
                    await done.put(taken)

    async def all_of_them() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(one_after_another())
        except BaseExceptionGroup as failures:
            await done.put(failures.exceptions[0])
        else:
            await done.put(end)

    task = asyncio.create_task(all_of_them())
    try:
        while (item := await done.get()) is not end:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(slots=True)
class _Range:
    """The points `numbers`, in ascending order, and all blocks between them."""

    work: Filling
    numbers: range
    told: int
    flowing: Flowing = field(default_factory=Flowing)
    blocks: dict[int, BlockRef] = field(default_factory=dict)

    async def fill(self) -> AsyncGenerator[Taken | None, None]:
        """Each point once: what was taken, or None where all was there already."""
        missing = [number for number in self.numbers if self.work.due(number)]
        for _ in set(self.numbers) - {*missing, self.told}:
            yield None
        if not missing:
            return
        ledger, flows = await self._folded(max(self.numbers[0] - self.numbers.step, 0), self.numbers[-1])
        waiting: list[Taken] = []
        for number in missing:
            waiting.append(await self._take(ledger, number))
            end = self.numbers[-1] if number == missing[-1] else number
            if len(waiting) == POINTS_A_COMMIT or end == self.numbers[-1]:
                covered = self.flowing.covered(ledger) if end == self.numbers[-1] else {}
                upto = {key: [flow for flow in some if flow.at.number <= end] for key, some in flows.items()}
                await self._commit(waiting, replace(self._progress(), flows=upto, covered=covered))
                flows = {key: some[len(upto[key]) :] for key, some in flows.items()}
                for taken in waiting:
                    yield taken
                waiting = []

    async def _folded(self, first: int, last: int) -> tuple[Ledger, Mapping[str, list[Flow]]]:
        """A ledger that knows every block of the range, believed where both ends bear it out."""
        live = self.work.live
        ledger = live.ledger()
        assert ledger is not None, "a backfill by logs needs a ledger"
        await self._read_headers(first, last)
        seed, *rest = self.blocks.values()
        ledger.kept = len(self.blocks)
        here = [d for d in live.program.deployments if d.first_block <= seed.number and d in self._wanted()]
        taken = await self.work.patiently(lambda: self.work.take(ledger, seed, here))
        self.flowing.learn(taken.snapshots, ledger)
        moved = [await self.work.patiently(partial(_follow, ledger, part)) for part in _parts(rest)]
        await self.work.patiently(lambda: _final(prove(ledger, self.blocks[last])))
        return ledger, self.flowing.flows(chain.from_iterable(moved))

    def _wanted(self) -> list[Deployment]:
        return list(dict.fromkeys(d for number in self.numbers for d in self.work.due(number)))

    async def _read_headers(self, first: int, last: int) -> None:
        for start in range(first, last + 1, HEADERS_A_REQUEST):
            numbers = range(start, min(start + HEADERS_A_REQUEST, last + 1))
            found = await self.work.patiently(lambda numbers=numbers: headers(self.work.live.pool, numbers))  # type: ignore[misc]
            self.blocks.update((block.number, block) for block in found)

    async def _take(self, ledger: Ledger, number: int) -> Taken:
        work, at = self.work, self.blocks[number]
        return await work.patiently(lambda: work.take(ledger, at, work.due(number)))

    async def _commit(self, some: Sequence[Taken], commit: Commit) -> None:
        """Several points in one transaction."""
        found = {key: [*new] for taken in some for key, new in taken.found.items()}
        searched = {key: number for taken in some for key, number in taken.searched.items()}
        snapshots = [snapshot for taken in some for snapshot in taken.snapshots]
        await self.work.store.commit(replace(commit, snapshots=snapshots, found=found, searched=searched))
        for taken in some:
            self.work.finished(taken)

    def _progress(self) -> Commit:
        return Commit(self.work.live.program.name, final=True)


def _parts(blocks: Sequence[BlockRef]) -> Iterator[Sequence[BlockRef]]:
    return (blocks[start : start + FOLDED_AT_ONCE] for start in range(0, len(blocks), FOLDED_AT_ONCE))


async def _follow(ledger: Ledger, blocks: Sequence[BlockRef]) -> list[tuple[BlockRef, Moves]]:
    return await _final(ledger.follow(blocks))


async def _final(act: Awaitable[T]) -> T:
    """Of final blocks there are no forks: endpoints that see one do not agree."""
    try:
        return await act
    except WrongFork as error:
        raise ChainUnavailable(f"endpoints do not agree on a final block: {error}") from error
