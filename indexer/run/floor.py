"""What must be known before a block can be read: all that was ever deployed, and which of it is above the floor.

A large factory is discovered part by part, each part kept before the next is asked for. A floor is judged at the first
block of the block's day, from contracts and prices at that block alone: whoever judges it comes to the same verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from indexer.adapters.base import PART
from indexer.adapters.floor import DAY_S, FloorAdapter, FloorParams, Verdict, verdict_at
from indexer.adapters.metadata import token_metadata
from indexer.adapters.pools import Pool, Tokens, pool_of
from indexer.chain.clock import Clock
from indexer.errors import CallFailed, EndpointError
from indexer.errors import Verdict as Reply
from indexer.model import Address, BlockRef, Found, Line, Quote, Status, Token
from indexer.reads.batch import Counted
from indexer.reads.plan import Failed, Plan
from indexer.reads.rounds import Failure, Session, Stats
from indexer.run.program import ChainProgram, Deployment
from indexer.units import USD_DECIMALS
from indexer.valuation.value import value

Keep = Callable[[Mapping[str, Sequence[Found]]], Awaitable[None]]
"""Stores discoveries, by deployment."""

AT_ONCE = 5_000
"""Pools whose amounts are asked for and judged together: what bounds the memory of a verdict."""

T = TypeVar("T")


async def keep_nothing(_: Mapping[str, Sequence[Found]]) -> None:
    """For those who only look."""


def floor_of(deployment: Deployment) -> tuple[FloorAdapter[Any], FloorParams] | None:
    """Adapter and parameters of a deployment that leaves out pools below a floor."""
    adapter, params = deployment.adapter, deployment.params
    if isinstance(adapter, FloorAdapter) and isinstance(params, FloorParams) and params.floor_usd:
        return adapter, params
    return None


def left_out(deployment: Deployment, found: Sequence[Found], at: BlockRef) -> str:
    """What the floor leaves out at a block, in a sentence; empty where there is none, or nothing below it."""
    floored, verdict = floor_of(deployment), verdict_at(found, at)
    return verdict.told(floored[1].floor_usd) if floored and verdict else ""


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Finds and judges on one chain. What it finds goes into `found`, by deployment, and is kept at once."""

    chain: ChainProgram
    reader: Counted
    clock: Clock | None
    found: dict[str, list[Found]]
    keep: Keep
    lock: asyncio.Lock
    stats: Stats

    async def finish(self, deployment: Deployment, part: Sequence[Found], from_block: int, at: BlockRef) -> str:
        """Discover what there is beyond a first part. Answers why it could not be; empty where all is well."""
        async with self.lock:
            try:
                await self._add(deployment, part)
                await self._find(deployment, from_block, at)
            except CallFailed as error:
                return error.message
        return ""

    async def judge(self, deployment: Deployment, from_block: int, at: BlockRef) -> str:
        """Make sure that the day of a block is judged. Answers why it could not be; empty where all is well."""
        async with self.lock:
            if verdict_at(self.found.get(deployment.key, ()), at):
                return ""
            try:
                if at.number >= from_block:
                    await self._find(deployment, from_block, at)
                verdict = await self._verdict(deployment, await self._first_of_day(at))
            except CallFailed as error:
                return f"the pools cannot be judged: {error.message}"
            except EndpointError as error:
                if error.verdict is not Reply.PRUNED:
                    raise
                return f"no endpoint has the state of the day's first block, by which pools are judged: {error.message}"
            await self._add(deployment, [verdict.found()])
        return ""

    async def _find(self, deployment: Deployment, from_block: int, at: BlockRef) -> None:
        """Discover all that is there at a block. Raises CallFailed where the contracts do not say."""
        while True:
            known = self.found.get(deployment.key, [])
            plan = deployment.adapter.discover(deployment.params, known, from_block, at)
            new: list[Found] = await self._run(plan, at)
            await self._add(deployment, new)
            if len(new) < PART:
                return

    async def _add(self, deployment: Deployment, new: Sequence[Found]) -> None:
        """Know and keep discoveries."""
        if new:
            await self.keep({deployment.key: new})
            self.found.setdefault(deployment.key, []).extend(new)

    async def _first_of_day(self, at: BlockRef) -> BlockRef:
        day = at.timestamp // DAY_S * DAY_S
        first = await self.clock.first_at_or_after(day) if self.clock else None
        if first is None or first.number > at.number:
            raise CallFailed("the first block of the day is not known")
        return first

    async def _verdict(self, deployment: Deployment, first: BlockRef) -> Verdict:
        """The pools that stood at the first block of the day, each against the floor."""
        floored = floor_of(deployment)
        assert floored, "only a deployment with a floor is judged"
        adapter, params = floored
        standing = await self._standing(deployment, adapter, first)
        pools = _each_once(standing)
        quotes, tokens = await self._prices({token for pool in pools for token in _tokens(pool)}, first)
        priced = {pool: item for pool, item in pools.items() if not quotes.keys().isdisjoint(_tokens(pool))}
        worth: dict[Address, int | None] = dict.fromkeys((pool.address for pool in priced), 0)
        for some in _batches(priced, AT_ONCE):
            items = [pools[pool] for pool in some]
            holdings = await self._run(adapter.read(params.only(items), items, first), first)
            for line in value(holdings, quotes, tokens):
                if line.holding.token in quotes:
                    _add_worth(worth, adapter.judged_as(line.holding), line)
        floor = params.floor_usd * 10**USD_DECIMALS
        below = {address: usd for address, usd in worth.items() if usd is not None and usd < floor}
        return Verdict(
            day=first.timestamp // DAY_S,
            block=first.number,
            judged=len(standing),
            kept=frozenset(item.key for pool, item in priced.items() if pool.address not in below),
            left_out=len(below),
            left_out_usd=sum(below.values()),
            unpriced=len(pools) - len(priced),
        )

    async def _standing(self, deployment: Deployment, adapter: FloorAdapter[Any], first: BlockRef) -> Sequence[Found]:
        """The discovered pools that stood at a block: none before the factory did."""
        if first.number < deployment.first_block:
            return []
        found = self.found.get(deployment.key, [])
        try:
            return await self._run(adapter.standing(deployment.params, found, first), first)
        except CallFailed as error:
            if error.context.get("status") is not Status.MISSING:
                raise
            return []

    async def _prices(
        self, held: set[Address], at: BlockRef
    ) -> tuple[Mapping[Address, Quote], Mapping[Address, Token]]:
        """Quotes of those tokens that have a route, and what these say of themselves."""
        quotes: Mapping[Address, Quote] = await self._run(self.chain.router.plan(sorted(held), at), at)
        return quotes, await self._run(token_metadata(quotes, self.chain.native), at)

    async def _run(self, plan: Plan[T], at: BlockRef) -> T:
        """A plan by itself; its answers are forgotten at once. Raises what the plan raised."""
        outcome = (await Session(self.reader, at, self.stats).run({"plan": plan}))["plan"]
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome


def _each_once(standing: Iterable[Found]) -> dict[Pool, Found]:
    """The pools of discoveries; of one that a factory lists twice, the first."""
    first: dict[Address, Found] = {}
    for item in standing:
        first.setdefault(Address(str(item.data["pool"])), item)
    return {pool_of(item): item for item in first.values()}


def _add_worth(worth: dict[Address, int | None], pool: Address, line: Line) -> None:
    """Add what a pool's line is worth. A pool with a line without a value has none, and is never below a floor."""
    so_far = worth[pool]
    worth[pool] = None if so_far is None or line.usd is None else so_far + line.usd


def _tokens(pool: Pool) -> Tokens:
    return () if isinstance(pool.tokens, Failed) else pool.tokens


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
