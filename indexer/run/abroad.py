"""Prices that one chain takes from another: what is wrong with them at load, and who answers for them at run time.

A price is taken at the other chain's last block at or before a time, once that time is final there: then daemon and
backfill take the same one, whenever they ask. Until then the caller waits; nothing is guessed and nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from indexer.errors import ChainUnavailable, EndpointError, Verdict, WrongFork
from indexer.model import Address, BlockRef, Quote, Status
from indexer.pricing.router import Router
from indexer.reads.plan import Elsewhere, Failed, Lent
from indexer.reads.rounds import Failure, rounds

if TYPE_CHECKING:
    from indexer.run.live import LiveChain

Opener = Callable[[str], AbstractAsyncContextManager["LiveChain"]]
Place = tuple[str, Address]
"""A token on a chain."""

WAITING = "Nothing is lost: it goes on by itself. A longer `lag_s` in the route waits less."


def broken_loans(routers: Mapping[str, Router]) -> Iterator[tuple[str, str]]:
    """Each route that takes a price from where there is none, as its chain and a sentence; or the first circle."""
    whole = True
    for chain, router in routers.items():
        for token, ways in router.routes.items():
            for there, wanted in (place for way in ways for place in way.params.abroad):
                if there not in routers or wanted not in routers[there].routes:
                    whole = False
                    missing = f"{wanted} has no route on {there}" if there in routers else f"no [chains.{there}]"
                    yield chain, f"{token} is priced on another chain, but there is {missing}"
    if whole:
        yield from _circle(routers)


def _circle(routers: Mapping[str, Router]) -> Iterator[tuple[str, str]]:
    needs = {(chain, token): _needs(chain, r, token) for chain, r in routers.items() for token in r.routes}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        places: list[Place] = error.args[1]
        told = " > ".join(f"{token} on {chain}" for chain, token in reversed(places))
        yield places[0][0], f"tokens price each other in a circle: {told}"


def _needs(chain: str, router: Router, token: Address) -> set[Place]:
    ways = [way.params for way in router.routes[token]]
    return {(chain, needed) for way in ways for needed in way.of} | {place for way in ways for place in way.abroad}


class Abroad:
    """Answers for the prices of other chains. A chain is opened when it is first asked, and closed with `stack`."""

    def __init__(self, open_chain: Opener, stack: AsyncExitStack) -> None:
        self._open, self._stack = open_chain, stack
        self._lenders: dict[str, LiveChain] = {}
        self._final: dict[str, BlockRef] = {}
        self._turn = asyncio.Lock()

    async def lend(self, asks: Sequence[Elsewhere]) -> Sequence[Lent | Failed]:
        """One answer an ask, in order. Raises ChainUnavailable while the time asked for is not final there."""
        answers: dict[Elsewhere, Lent | Failed] = {}
        for chain, timestamp in dict.fromkeys((ask.chain, ask.timestamp) for ask in asks):
            some = [ask for ask in asks if (ask.chain, ask.timestamp) == (chain, timestamp)]
            found = await self._of(await self._lender(chain), timestamp, [ask.token for ask in some])
            answers.update(zip(some, found, strict=True))
        return [answers[ask] for ask in asks]

    async def _lender(self, chain: str) -> LiveChain:
        async with self._turn:
            if chain not in self._lenders:
                self._lenders[chain] = await self._stack.enter_async_context(self._open(chain))
            return self._lenders[chain]

    async def _of(self, lender: LiveChain, timestamp: int, tokens: Sequence[Address]) -> list[Lent | Failed]:
        await self._until_final(lender, timestamp)
        at = await lender.clock.last_at_or_before(timestamp)
        if at is None:
            nothing = Failed(Status.NOT_APPLICABLE, f"{lender.program.name} had no block yet")
            return [nothing for _ in tokens]
        try:
            quotes = await _quotes(lender, tokens, at)
        except EndpointError as error:
            if error.verdict is not Verdict.PRUNED:
                raise
            lost = Failed(Status.HELD, f"no endpoint of {lender.program.name} has the state of its block {at.number}")
            return [lost for _ in tokens]
        return [Lent(quotes[token], at) for token in tokens]

    async def _until_final(self, lender: LiveChain, timestamp: int) -> None:
        """Whether no block at or before the time can still come or go. Raises ChainUnavailable where one can."""
        name = lender.program.name
        if name not in self._final or self._final[name].timestamp <= timestamp:
            self._final[name] = await lender.final()
        if self._final[name].timestamp <= timestamp:
            waited = f"{name} lends a price: its block at the time {timestamp} is not final yet"
            raise ChainUnavailable(waited, hint=WAITING, final=self._final[name].number)


async def _quotes(lender: LiveChain, tokens: Sequence[Address], at: BlockRef) -> Mapping[Address, Quote]:
    try:
        outcome = (await rounds(lender.reader, {"lent": lender.program.router.plan(tokens, at)}, at))["lent"]
    except WrongFork as error:
        raise ChainUnavailable(f"endpoints do not agree on a final block: {error}", block=at.number) from error
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome
