"""Judges what the daemon committed, beside it: a warning in the log when something turns suspect, once.

No commit waits for it, and whatever goes wrong here is told and stays here. What it remembers is of this run alone:
`tvl quality` judges by all that is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from indexer.model import Address, BlockRef, Snapshot, Status
from indexer.run.books import book
from indexer.run.evidence import own_tokens
from indexer.store.base import DeploymentRow, Store
from indexer.units import usd_text
from indexer.valuation.books import Book
from indexer.valuation.claims import Claims
from indexer.valuation.history import Flown, Seen, seen
from indexer.valuation.quality import judge
from indexer.valuation.verdicts import Evidence, Finding, QualitySettings, Verdict

REMEMBERED = 32
"""Snapshots of each deployment that the next one is judged by."""

WAITING = 64
"""Blocks that may wait to be judged; where more come, the oldest are let go."""

Suspicion = tuple[str, Address | None]
"""A rule and a token."""


@dataclass(slots=True)
class Watch:
    """One chain's watch. `see` never waits; `judging` runs the judge in the background."""

    rows: dict[str, DeploymentRow]
    store: Store
    log: FilteringBoundLogger
    settings: QualitySettings
    _past: dict[str, deque[Seen]] = field(default_factory=dict)
    _books: dict[str, Book] = field(default_factory=dict)
    _told: dict[str, frozenset[Suspicion]] = field(default_factory=dict)
    _waiting: asyncio.Queue[Sequence[Snapshot]] = field(default_factory=asyncio.Queue)

    def see(self, snapshots: Sequence[Snapshot]) -> None:
        """Snapshots of a block, just committed."""
        self._waiting.put_nowait(snapshots)
        while self._waiting.qsize() > WAITING:
            self._take()

    def forget_above(self, ancestor: BlockRef) -> None:
        """Take back what abandoned blocks showed."""
        for past in self._past.values():
            while past and past[-1].at.number > ancestor.number:
                past.pop()
        for group in [self._take() for _ in range(self._waiting.qsize())]:
            if all(one.at.number <= ancestor.number for one in group):
                self._waiting.put_nowait(group)

    async def caught_up(self) -> None:
        """Wait until all that was seen is judged."""
        await self._waiting.join()

    @asynccontextmanager
    async def judging(self) -> AsyncIterator[None]:
        """Judge in the background for as long as this is held."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _take(self) -> Sequence[Snapshot]:
        self._waiting.task_done()
        return self._waiting.get_nowait()

    async def _run(self) -> None:
        while True:
            snapshots = await self._waiting.get()
            try:
                await self._judge_all(snapshots)
            except Exception as error:  # a judgement may fail, the daemon must not
                self.log.error("could not be judged", block=snapshots[0].at.number, error=repr(error))
            finally:
                self._waiting.task_done()

    async def _judge_all(self, snapshots: Sequence[Snapshot]) -> None:
        """Every deployment of a block, beside the newest books of all."""
        looks = {one.deployment: seen(one) for one in snapshots if one.status is not Status.GAP}
        self._books |= {one.deployment: book(self.rows[one.deployment], one) for one in snapshots}
        claims = Claims(self._books.values())
        for one in snapshots:
            self._tell(await self._judge(one, claims))
            if one.deployment in looks:
                self._past.setdefault(one.deployment, deque(maxlen=REMEMBERED)).append(looks[one.deployment])

    async def _judge(self, one: Snapshot, claims: Claims) -> Verdict:
        past = tuple(self._past.get(one.deployment, ()))
        row = self.rows[one.deployment]
        evidence = Evidence(
            book=self._books[one.deployment],
            before=past,
            flown=await self._flown(one, past),
            claims=claims,
            own=own_tokens(row.protocol, self._books.values(), self.settings),
        )
        return await asyncio.to_thread(judge, evidence, self.settings)

    async def _flown(self, one: Snapshot, past: tuple[Seen, ...]) -> tuple[Flown, ...]:
        """Flows since the first remembered snapshot and since the last: a part may be complete, the whole not."""
        starts = sorted({look.at.number + 1 for look in (past[:1] + past[-1:])})
        flows = [(first, await self.store.flows(one.deployment, first, one.at.number)) for first in starts]
        return tuple(Flown(first, one.at.number, each.items, each.complete) for first, each in flows)

    def _tell(self, verdict: Verdict) -> None:
        """A line for each suspicion that was not there before; one that is gone may be told again."""
        suspects = [finding for finding in verdict.findings if finding.status is Status.SUSPECT]
        known = self._told.get(verdict.deployment, frozenset())
        for finding in suspects:
            if (finding.rule, finding.token) not in known:
                self._warn(verdict, finding)
        self._told[verdict.deployment] = frozenset((finding.rule, finding.token) for finding in suspects)

    def _warn(self, verdict: Verdict, finding: Finding) -> None:
        self.log.warning(
            "suspect",
            deployment=verdict.deployment,
            block=verdict.at.number,
            rule=finding.rule,
            token=finding.token,
            usd=usd_text(finding.usd),
            reason=finding.reason,
        )


def watch(rows: Iterable[DeploymentRow], store: Store, log: FilteringBoundLogger, settings: QualitySettings) -> Watch:
    """A watch over some deployments that remembers nothing yet."""
    return Watch({row.key: row for row in rows}, store, log, settings)
