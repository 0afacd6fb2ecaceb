"""The store on a SQL database: each verb is one transaction, on whatever engine it is given.

Never builds SQL itself: `commit` writes, `reading` reads, `digest` and `audit` walk through series.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from indexer.model import Address, BlockRef, Bucket, Found, Hash, Quote, Snapshot, Status, Token
from indexer.store import commit as writing
from indexer.store import flows, migrate, reading, snapshots, timeline
from indexer.store.audit import audit
from indexer.store.base import ChainState, Commit, DeploymentRow, Flows, Point, Store
from indexer.store.deltas import Memory
from indexer.store.digest import digest
from indexer.store.engine import Engine
from indexer.store.flow_steps import ledger
from indexer.store.replay import replay
from indexer.valuation.attribution import Ledger
from indexer.valuation.rollup import Level

T = TypeVar("T")


class SqlStore(Store):
    """See `Store`. Safe to share between the tasks of one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._memory = Memory()
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        await self._engine.open()
        try:
            if await self._engine.is_empty() or await self._engine.read(migrate.revision) != migrate.HEAD:
                await self._engine.reshape(migrate.migrate)
        except BaseException:
            await self._engine.close()
            raise

    async def close(self) -> None:
        await self._engine.close()

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        return self._engine.lease(name)

    async def register(self, deployments: Sequence[DeploymentRow]) -> None:
        await self._engine.write(partial(writing.register, deployments=deployments))

    async def commit(self, commit: Commit) -> None:
        """What is remembered is true only if the transaction succeeds: after a failure, the next starts afresh.

        One at a time, so that the next one finds what this one learned.
        """
        async with self._turn:
            memory, self._memory = self._memory, Memory()
            await self._engine.write(partial(writing.write, commit=commit, memory=memory))
            self._memory = memory

    async def deployments(self) -> list[DeploymentRow]:
        return await self._engine.read(reading.deployments)

    async def chain_state(self, chain: str) -> ChainState:
        return await self._engine.read(partial(reading.chain_state, name=chain))

    async def heads(self, chain: str, limit: int = 512) -> list[BlockRef]:
        return await self._engine.read(partial(reading.heads, name=chain, limit=limit))

    async def found(self, deployment: str) -> tuple[list[Found], int | None]:
        return await self._engine.read(partial(reading.found, key=deployment))

    async def tokens(self, chain: str) -> dict[Address, Token]:
        return await self._engine.read(partial(reading.tokens, chain=chain))

    async def present(self, deployment: str, from_block: int, to_block: int) -> dict[int, tuple[Hash, Status]]:
        return await self._engine.read(
            partial(timeline.present, key=deployment, from_block=from_block, to_block=to_block)
        )

    async def series(self, deployment: str, from_block: int = 0, to_block: int | None = None) -> list[Point]:
        return await self._engine.read(
            partial(timeline.points, key=deployment, from_block=from_block, to_block=to_block)
        )

    async def snapshot(self, deployment: str, at_or_before: int | None = None) -> Snapshot | None:
        return await self._engine.read(partial(snapshots.snapshot, key=deployment, at_or_before=at_or_before))

    async def last_read(
        self, deployment: str, *, block: int | None = None, time: int | None = None, is_whole: bool = False
    ) -> BlockRef | None:
        asked = partial(timeline.last_read, key=deployment, block=block, time=time, is_whole=is_whole)
        return await self._engine.read(asked)

    async def replay(
        self, deployment: str, from_block: int, to_block: int | None, use: Callable[[Iterator[Snapshot], Ledger], T]
    ) -> T:
        def work(connection: Connection) -> T:
            of_range = (connection, deployment, from_block, to_block)
            return use(replay(*of_range), ledger(*of_range))

        return await self._engine.read(work)

    async def levels(
        self, deployment: str, from_time: int = 0, to_time: int | None = None, bucket: Bucket = Bucket.BASE
    ) -> list[Level]:
        return await self._engine.read(
            partial(timeline.levels, key=deployment, from_time=from_time, to_time=to_time, bucket=bucket)
        )

    async def flows(self, deployment: str, from_block: int, to_block: int) -> Flows:
        return await self._engine.read(partial(flows.flows, key=deployment, from_block=from_block, to_block=to_block))

    async def last_priced(self, chain: str, token: Address, before: int) -> tuple[Quote, BlockRef] | None:
        return await self._engine.read(partial(reading.last_priced, chain=chain, token=token, before=before))

    async def digest(self, deployment: str, from_block: int = 0, to_block: int | None = None) -> str:
        return await self._engine.read(partial(digest, key=deployment, from_block=from_block, to_block=to_block))

    async def verify(self) -> list[str]:
        return await self._engine.read(audit)
