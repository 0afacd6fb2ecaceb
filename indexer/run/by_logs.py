"""A backfill by logs: ranges of past blocks, each read whole at both ends and folded from logs in between.

What logs say at the far end must be what the node says there; only then is it believed, at every block of the range.
What is not is read at each point. Each range begins at the block with which the one before it ends, so that flows have
no seam, and holds no more than its own blocks. Gives the same rows as `take` does by reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from indexer.chain.blocks import headers
from indexer.errors import ChainUnavailable, WrongFork
from indexer.model import BlockRef
from indexer.reads.batch import Counted
from indexer.reads.ledger.audit import prove
from indexer.reads.ledger.book import Moves, Track
from indexer.reads.ledger.ledger import Ledger
from indexer.run.bookkeeping import FOLDED_AT_ONCE
from indexer.run.flows import BlockFlows, Flowing
from indexer.run.known import Taken
from indexer.run.live import LiveChain
from indexer.run.program import Deployment
from indexer.run.standing import Standing
from indexer.store.base import Commit, Store

T = TypeVar("T")

RANGE_BLOCKS = 512
HEADERS_A_REQUEST = 128
POINTS_A_COMMIT = 16
"""Few enough to keep in memory, enough for one transaction to be worth it."""


MISSING = "a log is missing, or says something else: it is read at each point of this range"


class Reading(Protocol):
    """What reads a chain's past, and knows which of it is wanted."""

    @property
    def live(self) -> LiveChain: ...

    def due(self, number: int) -> Sequence[Deployment]:
        """The deployments that lack this block."""

    async def take(
        self, source: Counted, at: BlockRef, due: Sequence[Deployment], standing: Standing | None = None
    ) -> Taken:
        """Read these deployments at a final block, but for what is `standing`."""

    async def patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, waiting for endpoints that are away where that is wanted."""


class Filling(Reading, Protocol):
    """What also stores it."""

    @property
    def store(self) -> Store: ...

    def finished(self, taken: Taken) -> None:
        """What is committed need not be read again."""


@dataclass(frozen=True, slots=True)
class Folded:
    """All blocks of a range, a ledger that is believed where both ends bear it out, and what moved between them."""

    ledger: Ledger
    standing: Standing
    blocks: Mapping[int, BlockRef]
    flowing: Flowing
    flows: BlockFlows


def range_blocks(live: LiveChain) -> int:
    """Blocks of a range: enough for interest to show between its ends."""
    settings = live.program.settings
    return max(RANGE_BLOCKS, int(settings.ledger_proof_s / settings.block_time_s) + 2)


def ranges(grid: range, length: int) -> Iterator[range]:
    """The points of a grid of blocks, those of so many blocks at a time; the last blocks first."""
    points = max(length // grid.step, 1)
    for start in range((len(grid) - 1) // points * points, -1, -points):
        yield grid[start : start + points]


async def fill_ranges(
    work: Filling, order: Iterator[range], told: int, workers: int, folded: dict[range, Folded]
) -> AsyncGenerator[Taken | None, None]:
    """Several ranges at a time, each point as soon as it is committed, but for the one that is `told` already.

    Ranges that were `folded` before are gone on with. None is left running when one fails.
    """
    done: asyncio.Queue[Taken | BaseException | None] = asyncio.Queue(maxsize=2 * POINTS_A_COMMIT)
    end = StopAsyncIteration()

    async def one_after_another() -> None:
        for numbers in order:
            async with aclosing(_Range(work, numbers, told, folded.pop(numbers, None)).fill()) as filled:
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
    folded: Folded | None = None

    async def fill(self) -> AsyncGenerator[Taken | None, None]:
        """Each point once: what was taken, or None where all was there already."""
        missing = [number for number in self.numbers if self.work.due(number)]
        for _ in set(self.numbers) - {*missing, self.told}:
            yield None
        if not missing:
            return
        folded = self.folded or await fold(self.work, self.numbers)
        flows, waiting = folded.flows, list[Taken]()
        for number in missing:
            waiting.append(await take_from(self.work, folded, number))
            end = self.numbers[-1] if number == missing[-1] else number
            if len(waiting) == POINTS_A_COMMIT or end == self.numbers[-1]:
                covered, _ = folded.flowing.covered(folded.ledger) if end == self.numbers[-1] else ({}, {})
                upto = {key: [(at, gross) for at, gross in some if at.number <= end] for key, some in flows.items()}
                await self._commit(waiting, replace(self._progress(), flows=upto, covered=covered))
                flows = {key: some[len(upto[key]) :] for key, some in flows.items()}
                for taken in waiting:
                    yield taken
                waiting = []

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


async def fold(work: Reading, numbers: range) -> Folded:
    """Read a range's ends and the logs between them, from the point before it on."""
    ledger, flowing = work.live.ledger(), Flowing()
    assert ledger is not None, "a backfill by logs needs a ledger"
    blocks = await _read_headers(work, max(numbers[0] - numbers.step, 0), numbers[-1])
    seed, *rest = blocks.values()
    ledger.kept = len(blocks)
    wanted = dict.fromkeys(d for number in numbers for d in work.due(number))
    here = [d for d in work.live.program.deployments if d.first_block <= seed.number and d in wanted]
    taken = await work.patiently(lambda: work.take(ledger, seed, here))
    flowing.learn(taken.snapshots, ledger)
    moved = [await work.patiently(partial(_follow, ledger, part)) for part in _parts(rest)]
    wrong = await work.patiently(lambda: _final(prove(ledger, blocks[numbers[-1]])))
    _tell(work.live.log, wrong, seed)
    return Folded(ledger, Standing(ledger), blocks, flowing, flowing.flows(chain.from_iterable(moved)))


def _tell(log: FilteringBoundLogger, wrong: Sequence[Track], since: BlockRef) -> None:
    """Of which contracts a log must be missing; what may also change in silence, as debts do, is not worth telling."""
    for track in wrong:
        if track.moved and not track.rule.may_accrue:
            log.warning("logs and answers differ", contract=track.key[0], since=since.number, reason=MISSING)


async def take_from(work: Reading, folded: Folded, number: int) -> Taken:
    """What lacks a point, from logs where they are believed."""
    return await work.patiently(
        lambda: work.take(folded.ledger, folded.blocks[number], work.due(number), folded.standing)
    )


async def _read_headers(work: Reading, first: int, last: int) -> dict[int, BlockRef]:
    blocks: dict[int, BlockRef] = {}
    for start in range(first, last + 1, HEADERS_A_REQUEST):
        numbers = range(start, min(start + HEADERS_A_REQUEST, last + 1))
        found = await work.patiently(partial(headers, work.live.pool, numbers))
        blocks.update((block.number, block) for block in found)
    return blocks


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
