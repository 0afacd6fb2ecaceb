"""Follows the head of every configured chain at once and commits a snapshot of each deployment when it is due.

One task a chain: trouble on one never touches another. A block's data and its header are one transaction,
so that whatever ends the process, the next start goes on behind the last block that is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from indexer.chain.follower import Advanced, Finalized, Reorged
from indexer.errors import Permanent, Transient, WrongFork
from indexer.model import BlockRef, Found
from indexer.reads.ledger.audit import Difference
from indexer.run.audit import Auditor
from indexer.run.bookkeeping import Bookkeeper
from indexer.run.floor import Keep
from indexer.run.known import Known, Taken
from indexer.run.live import LiveChain, open_chain
from indexer.run.patience import patiently
from indexer.run.program import ChainProgram, Deployment, Program
from indexer.run.report import log_snapshots
from indexer.run.snapshot import take
from indexer.run.standing import Standing
from indexer.run.watch import watch
from indexer.store.base import Commit, Store
from indexer.valuation.rules import NAMES
from indexer.valuation.verdicts import QualitySettings

T = TypeVar("T")

PAUSE_S = 0.5
"""Before following again from the store: a node that wavers between two forks is not asked without pause."""


async def run(program: Program, store: Store, log: FilteringBoundLogger) -> bool:
    """Follow until cancelled. Returns False once every chain has halted (each said why). Raises StoreInUse at once."""
    async with store.lease("daemon"):
        await store.register([deployment.row() for deployment in program.deployments])
        quality = QualitySettings.parse(program.settings.quality, NAMES)
        outcomes = await asyncio.gather(*(_guard(chain, store, log, quality) for chain in program.chains.values()))
    return any(outcomes)


async def _guard(chain: ChainProgram, store: Store, log: FilteringBoundLogger, quality: QualitySettings) -> bool:
    """Follow one chain; what will not get better by itself halts this chain only, and says so."""
    log = log.bind(chain=chain.name)
    try:
        async with open_chain(chain, log) as live:
            await ChainDaemon(live, store, log, quality).run()
    except Permanent as error:
        log.critical("chain halted", error=str(error), hint=error.next_step)
    return False


class ChainDaemon:
    """One chain's part of the daemon. `run` ends only by cancellation or by an error that will not get better."""

    def __init__(self, live: LiveChain, store: Store, log: FilteringBoundLogger, quality: QualitySettings) -> None:
        self.live = live
        self.chain = live.program
        self.store = store
        self.log = log
        self.known = Known()
        self.last: BlockRef | None = None
        self.logs = live.block_logs()
        self.books: Bookkeeper | None = None
        self.auditor = Auditor(live, store, log, live.program.settings.audit_one_in)
        self.watch = watch((d.row() for d in live.program.deployments), store, log, quality)

    async def run(self) -> None:
        """Go on where the store stands. A block that left the chain while it was read sends us back to the store."""
        async with self.watch.judging():
            while True:
                try:
                    await self._follow()
                except WrongFork as error:
                    self.log.info("the block left the chain while it was read", error=str(error))
                    await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        self.known = await Known.load(self.store, self.chain)
        state = await self.store.chain_state(self.chain.name)
        heads = await self.store.heads(self.chain.name)
        self.last = heads[-1] if heads else None
        self.books = self._books_upto(self.last)
        self.log.info(
            "following", since=self.last.number if self.last else None, deployments=len(self.chain.deployments)
        )
        if self.last is None:
            await self._patiently(self._first_points)
        async with self.live.wake() as wake:
            follower = self.live.follower(heads, state.finalized, wake, self.logs if self.books else None)
            async with aclosing(follower.events()) as events:
                async for event in events:
                    await self._handle(event)

    def _books_upto(self, head: BlockRef | None) -> Bookkeeper | None:
        """Those that were kept, from the store's head on: what was not audited yet still will be. Else new ones."""
        if self.books and head and self.books.know(head):
            self.books.rewind(head)
            return self.books
        ledger = self.live.ledger(self.logs)
        return Bookkeeper(ledger, Standing(ledger)) if ledger else None

    async def _handle(self, event: Advanced | Reorged | Finalized) -> None:
        match event:
            case Advanced(blocks):
                await self._advance(blocks)
            case Reorged(old=old, new=new, ancestor=ancestor):
                self.log.warning("reorg", depth=len(old), ancestor=ancestor.number, head=str(new[-1]) if new else "")
                self.known.forget_above(ancestor)
                self.watch.forget_above(ancestor)
                if self.books:
                    self.books.rewind(ancestor)
                self.last = ancestor
                await self._advance(new, ancestor)
            case Finalized(block):
                await self._finalize(block)
                await self._audit(block)

    async def _advance(self, blocks: Sequence[BlockRef], ancestor: BlockRef | None = None) -> None:
        """Commit new blocks, each due one with its snapshots. The first commit also takes back what a reorg undid."""
        waiting: list[BlockRef] = []
        for block in blocks:
            due = await self._due(block)
            self.last = block
            waiting.append(block)
            if self.books:
                self.books.note(block)
            if due:
                await self._snapshot(block, due, waiting, ancestor)
                waiting, ancestor = [], None
        if waiting or ancestor:
            await self._commit(self._progress(waiting, ancestor))

    async def _finalize(self, block: BlockRef) -> None:
        """Commit finality, together with what an audit of the blocks that it passed put right."""
        audit = await self.auditor.audit(block, self.known)
        progress = Commit(self.chain.name, finalized=block, audited=audit.compared)
        await self._commit(replace(progress, snapshots=audit.corrected, replace=bool(audit.corrected)))

    async def _due(self, block: BlockRef) -> list[Deployment]:
        parent = self.last
        if parent is None:
            parent = await self._patiently(partial(self.live.parent, block))
        return [
            d
            for d in self.chain.deployments
            if block.number >= d.first_block and d.every.due(block.number, block.timestamp, parent.timestamp)
        ]

    async def _snapshot(
        self, at: BlockRef, due: Sequence[Deployment], heads: Sequence[BlockRef], ancestor: BlockRef | None
    ) -> None:
        started, http, later = perf_counter(), self.live.pool.stats.http, dict[str, list[Found]]()
        if self.books:
            await self._patiently(self.books.catch_up)
        for_logs = self.live.pool.stats.http - http
        keep = partial(_collect, later) if ancestor else self._keep_found
        taken = await self._patiently(lambda: self._take(at, due, keep))
        self.auditor.note(at)
        commit = replace(taken.commit(self._progress(heads, ancestor), later), ways={})
        if self.books:
            commit = self.books.commit(commit, taken)
        requests, traffic = for_logs + taken.requests, dict(self.live.pool.stats.requests)
        await self._commit(replace(commit, requests=requests, calls=taken.calls, traffic=traffic))
        self.known.learn(taken)
        log_snapshots(self.log, taken, perf_counter() - started, requests)
        self.watch.see(taken.changed)
        await self._audit()

    async def _audit(self, final: BlockRef | None = None) -> None:
        """Compare the ledger with the chain, where that is due; what was stored from a wrong answer is read again."""
        if self.books is None:
            return
        try:
            differences = await self.books.audit(final)
        except Transient as error:
            self.log.info("the ledger could not be compared with the chain", error=str(error))
            return
        for one in differences:
            self.log.warning("logs and answers differ", contract=one.key[0], since=one.first, reason=one.reason)
        if differences:
            await self._correct(self.books, differences)

    async def _correct(self, books: Bookkeeper, differences: Sequence[Difference]) -> None:
        """Read again, from the chain, every snapshot since the first wrong block."""
        first, tip = min(one.first for one in differences), books.ledger.book.tip
        present = [(d, await self.store.present(d.key, first, tip)) for d in self.chain.deployments]
        await self._commit(Commit(self.chain.name, uncovered=books.uncovered(differences)))
        for number in sorted({number for _, blocks in present for number in blocks}):
            at = books.ledger.blocks.get(number)
            due = [d for d, blocks in present if at is not None and blocks.get(number, (None,))[0] == at.hash]
            if at is not None and due:
                with suppress(WrongFork):  # its snapshots end with its fork
                    taken = await self._patiently(partial(self._take, at, due, self._keep_found))
                    await self._commit(taken.commit(Commit(self.chain.name, replace=True)))

    def _progress(self, heads: Sequence[BlockRef], ancestor: BlockRef | None) -> Commit:
        """The part of a commit that says how far we are."""
        return Commit(self.chain.name, heads=heads, supersede_above=ancestor)

    async def _first_points(self) -> None:
        """On an empty store, the last points that were due, so that there is something to see at once."""
        for at, due in await self.live.last_due(self.chain.deployments):
            taken = await self._take(at, due, self._keep_found)
            self.auditor.note(at)
            await self._commit(taken.commit(Commit(self.chain.name)))
            self.known.learn(taken)

    async def _take(self, at: BlockRef, due: Sequence[Deployment], keep: Keep) -> Taken:
        source, standing = (self.books.ledger, self.books.standing) if self.books else (self.live.reader, None)
        clock = self.live.clock
        return await take(self.chain, source, at, due, self.known, clock=clock, keep=keep, standing=standing)

    async def _keep_found(self, found: Mapping[str, Sequence[Found]]) -> None:
        """What a large discovery found so far: a later start goes on from there."""
        await self._commit(Commit(self.chain.name, found=found))
        for deployment, items in found.items():
            self.log.info("discovered", deployment=deployment, found=len(items), last=items[-1].key)

    async def _commit(self, commit: Commit) -> None:
        await self._patiently(lambda: self.store.commit(commit))

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        return await patiently(act, self.log)


async def _collect(later: dict[str, list[Found]], found: Mapping[str, Sequence[Found]]) -> None:
    """Set aside what is found while a reorg is to be taken back: it is stored after that, in the same transaction."""
    for deployment, items in found.items():
        later.setdefault(deployment, []).extend(items)
