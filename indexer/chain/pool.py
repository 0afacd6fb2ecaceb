"""Several endpoints of one chain as one transport: who is asked, who is asked next, and when it is no use.

A batch is answered by one endpoint whole, or by another whole; never by two. An endpoint proves its chain id before it
is first used and after every failure. Never judges the content of an answer: whoever finds one untrue says `distrust`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from indexer.chain.asking import Asking
from indexer.chain.base import Replies, Request
from indexer.chain.health import Health, Member, Trouble
from indexer.chain.limits import Clock, Sleep
from indexer.chain.need import Need
from indexer.chain.rpc import Endpoint, Traffic
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, WrongChain

ROUNDS = 4
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.25, 3.0


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """A round over all endpoints without a whole answer. `best` is the least bad one, `wait_s` what was asked for."""

    best: Replies | None
    wait_s: float | None


class Pool:
    """A Transport over one or more endpoints.

    `units_per_s` and `cost_by_method` hold for each endpoint alike, `patience_s` is the longest wait for an endpoint
    that is pausing. `on_trouble` is told what an operator may want to know; it must not raise.
    """

    def __init__(
        self,
        name: str,
        chain_id: int,
        urls: Sequence[Secret],
        *,
        timeout_s: float = 30.0,
        units_per_s: float | None = None,
        cost_by_method: Mapping[str, int] | None = None,
        most_items: int = 100,
        block_time_s: float = 12.0,
        patience_s: float = 30.0,
        hedge: bool = True,
        on_trouble: Callable[[Trouble], None] = lambda trouble: None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name, self.chain_id = name, chain_id
        self._patience_s, self._sleep = patience_s, sleep
        endpoints = [
            Endpoint(
                url,
                timeout_s=timeout_s,
                units_per_s=units_per_s,
                cost_by_method=cost_by_method,
                most_items=most_items,
                clock=clock,
                sleep=sleep,
            )
            for url in dict.fromkeys(urls)
        ]
        members = [Member(endpoint, place, clock) for place, endpoint in enumerate(endpoints)]
        self._asking = Asking(
            chain_id, members, block_time_s=block_time_s, hedge=hedge, on_trouble=on_trouble, clock=clock, wall=wall
        )

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(member.endpoint.close() for member in self._asking.members))

    @property
    def stats(self) -> Traffic:
        """What went over the wire since the start, over all endpoints."""
        return sum((member.endpoint.traffic for member in self._asking.members), Traffic())

    @property
    def hedges(self) -> int:
        """Requests sent a second time because the first answer was slow."""
        return self._asking.hedges

    def health(self) -> list[Health]:
        """What is known of each endpoint, in the order of the configuration."""
        return [member.health() for member in self._asking.members]

    def distrust(self, endpoint: str, reason: str) -> None:
        """Tell that an endpoint answered with something untrue: others are asked first, for a while."""
        self._asking.distrust(endpoint, reason)

    async def check(self) -> list[Health]:
        """Ask every endpoint for its chain id and its head, for whoever wants to see them all before the start."""
        await asyncio.gather(*(self._asking.probe(member) for member in self._asking.members))
        return self.health()

    async def request(self, method: str, *params: Any) -> Any:
        """One answer. Raises EndpointError where the request itself failed, and what `send` raises."""
        answer = (await self.send([Request(method, params)])).items[0]
        if isinstance(answer, EndpointError):
            raise answer
        return answer

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        """Answer a batch whole, from one endpoint. Raises ChainUnavailable, or WrongChain if that is what all serve."""
        if not requests:
            return Replies([], "")
        need = Need.of(requests, self._asking.numbers, self._asking.head, avoid)
        outcome = await self._round(need)
        return outcome if isinstance(outcome, Replies) else await self._again(need, outcome)

    async def _round(self, need: Need) -> Replies | _Unanswered:
        """Ask one endpoint after the other until one answers all."""
        out: set[str] = set()
        best: Replies | None = None
        while (member := self._asking.pick(need, out, self._patience_s)) is not None:
            if out:
                member.verified = False
            replies = await self._asking.ask(member, need, out)
            if replies is None:
                continue
            if need.whole(replies):
                return replies
            out.add(replies.endpoint)
            best = best or replies
        if best is not None and need.final(best):
            return self._asking.settle(need, best)
        return _Unanswered(best, self._asking.wait_s(need, best))

    async def _again(self, need: Need, first: _Unanswered) -> Replies:
        """More rounds, each after a wait; what is left after the last is about the request, or the chain is down."""
        rounds = AsyncRetrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, _Unanswered)),
            stop=stop_after_attempt(ROUNDS - 1),
            wait=lambda state: self._pause_s(_result(state), state.attempt_number),
            sleep=self._sleep,
            retry_error_callback=_result,
        )
        await self._sleep(self._pause_s(first, 0))
        outcome: Replies | _Unanswered = await rounds(self._round, need)
        if isinstance(outcome, Replies):
            return outcome
        if outcome.best is None or not need.final(outcome.best, last=True):
            raise self._unavailable()
        return self._asking.settle(need, outcome.best)

    def _pause_s(self, outcome: _Unanswered, rounds: int) -> float:
        """What the endpoints ask for, or a growing, jittered wait. Raises where that is beyond all patience."""
        if outcome.wait_s is None:
            return random.uniform(0.5, 1.0) * float(min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2**rounds))
        if outcome.wait_s > self._patience_s:
            raise self._unavailable()
        return outcome.wait_s

    def _unavailable(self) -> ChainUnavailable | WrongChain:
        members = self._asking.members
        if members and all(member.other_chain is not None for member in members):
            found = ", ".join(f"{member.label}: {member.other_chain}" for member in members)
            return WrongChain(f"every endpoint serves another chain than {self.chain_id}", chain=self.name, found=found)
        return ChainUnavailable(
            f"none of {len(members)} endpoints answers",
            hint=self._asking.last_hint,
            chain=self.name,
            last=self._asking.last_failure or None,
        )


class Elsewhere:
    """A pool whose endpoint `avoid` is asked last: for a second opinion on what it said."""

    def __init__(self, pool: Pool, avoid: str) -> None:
        self.name, self.chain_id = pool.name, pool.chain_id
        self._pool, self._avoid = pool, avoid

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        """As the pool; another endpoint to avoid goes before ours."""
        return await self._pool.send(requests, avoid=avoid or self._avoid)

    def distrust(self, endpoint: str, reason: str) -> None:
        """As the pool."""
        self._pool.distrust(endpoint, reason)


def _result(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None
