"""Which endpoint of a pool is asked for what, and what its answer teaches about it.

Ranks the endpoints for one batch, asks one (and, where that is slow, a second one), books the outcome. What follows
from an unanswered batch is decided in `pool`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from indexer.chain.base import Replies, Request
from indexer.chain.health import AUTH_BENCH_S, TLS_BENCH_S, Member, Trouble
from indexer.chain.limits import Clock
from indexer.chain.need import Need, may_stay, own_failure
from indexer.chain.verdicts import CORE_METHODS
from indexer.errors import EndpointError, Verdict

DAY_S = 86_400
TOLERATED_LAG_BLOCKS = 3
HEDGE_LEAST_S, HEDGE_MOST_S = 0.1, 2.0
HEDGE_SHARE = 0.1
_KNOWN_HASHES = 2_048
_GUESS_S = 0.15


class Asking:
    """The endpoints of one chain, ranked for every batch anew."""

    def __init__(
        self,
        chain_id: int,
        members: list[Member],
        *,
        block_time_s: float,
        hedge: bool,
        on_trouble: Callable[[Trouble], None],
        clock: Clock,
        wall: Clock,
    ) -> None:
        self.members = members
        self.numbers: OrderedDict[str, int] = OrderedDict()
        self.hedges = 0
        self.last_failure = self.last_hint = ""
        self._chain_id, self._block_time_s, self._hedge = chain_id, block_time_s, hedge
        self._tell, self._clock, self._wall = on_trouble, clock, wall
        self._favourite: Member | None = None
        self._asked = 0

    @property
    def head(self) -> int | None:
        """The highest block that an endpoint in use, and not distrusted, has shown."""
        heads = (m.head for m in self.members if m.head is not None and m.shut_s == 0 and not m.distrusted)
        return max(heads, default=None)

    def pick(self, need: Need, out: set[str], patience_s: float = 0.0) -> Member | None:
        """The endpoint to ask next. None: none may be asked within `patience_s`."""
        usable = [m for m in self.members if m.label not in out and m.shut_s == 0 and _wait_s(m, need) <= patience_s]
        return usable[0] if len(usable) == 1 else min(usable, key=lambda m: self._rank(m, need), default=None)

    def _rank(self, member: Member, need: Need) -> tuple[int, float]:
        """Less is better: first whether it can answer truly, then how soon."""
        missing = need.highest is not None and member.head is not None and member.head < need.highest
        unfit = 8 * (member.label == need.avoid) + 4 * member.distrusted
        unfit += 2 * (self._pruned(member, need.lowest) + member.lacks(need.method)) + missing + member.lags
        known = member.latency(need.method)
        seconds = known.mean_s if known else _GUESS_S + 0.01 * member.place
        seconds *= (1.0 + 10.0 * member.error_share) * (0.8 if member is self._favourite else 1.0)
        return unfit, seconds + max(0.0, _wait_s(member, need))

    def _pruned(self, member: Member, number: int | None) -> bool:
        """Whether it has shown that it forgets blocks of that depth."""
        head, depth = self.head, member.archive_depth
        return head is not None and depth is not None and number is not None and head - number >= depth

    async def ask(self, member: Member, need: Need, out: set[str]) -> Replies | None:
        """The member's answers, or a second one's where the first is slow. None: who failed was added to `out`."""
        self._asked += 1
        delay_s = self._hedge_delay_s(member, need)
        if delay_s is None:
            return await self._exchange(member, need, out)
        first = asyncio.create_task(self._exchange(member, need, out))
        tasks = {first}
        try:
            done, _ = await asyncio.wait(tasks, timeout=delay_s)
            second = None if done or self._hedged_enough() else self.pick(need, out | {member.label})
            if second is not None and second.label != need.avoid:
                self.hedges += 1
                member.took(need.method, delay_s)
                tasks.add(asyncio.create_task(self._exchange(second, need, out)))
            return await _first_answer(tasks, need)
        finally:
            for task in tasks:
                task.cancel()

    def _hedge_delay_s(self, member: Member, need: Need) -> float | None:
        """Seconds after which a second endpoint is asked as well; None: not at all (alone, unknown, or too often)."""
        known = member.latency(need.method)
        if not self._hedge or len(self.members) < 2 or known is None:
            return None
        return None if self._hedged_enough() else min(max(known.slow_s, HEDGE_LEAST_S), HEDGE_MOST_S)

    def _hedged_enough(self) -> bool:
        return self.hedges > 5 + HEDGE_SHARE * self._asked

    async def _exchange(self, member: Member, need: Need, out: set[str]) -> Replies | None:
        start: float | None = None
        try:
            if not member.verified:
                await self._verify(member)
            start = self._clock()
            items = await self._mend(member, need, await member.endpoint.send(need.requests))
        except EndpointError as error:
            out.add(member.label)
            self._failed(member, error)
            if start is None or error.verdict is not Verdict.TIMEOUT:
                return None
            member.timed_out(need.method, self._clock() - start)
            return Replies([error] * len(need.requests), member.label) if need.heavy else None
        if member.answered(need.method, self._clock() - start):
            self._tell(Trouble(member.label, "recovered", "answers again"))
        self._favourite = member
        self._learn(member, need, items)
        return Replies(items, member.label)

    async def _mend(self, member: Member, need: Need, items: list[Any]) -> list[Any]:
        """Ask the same endpoint once more for what it failed of its own accord. Raises where it fails again."""
        bad = [i for i, item in enumerate(items) if own_failure(need.requests[i], item)]
        if bad and len(bad) < len(items):
            again = await member.endpoint.send([need.requests[i] for i in bad])
            for i, item in zip(bad, again, strict=True):
                items[i] = item
        for request, item in zip(need.requests, items, strict=True):
            if own_failure(request, item) and not may_stay(item):
                raise item
        return items

    async def _verify(self, member: Member) -> None:
        """Let the endpoint prove its chain. Raises EndpointError where it does not answer or serves another."""
        async with member.checking:
            if member.verified:
                return
            if member.shut_s > 0:
                raise EndpointError("not in use", verdict=Verdict.SERVER, endpoint=member.label, shut=True)
            (answer,) = await member.endpoint.send([Request("eth_chainId")])
            if isinstance(answer, EndpointError):
                raise answer
            found = _quantity(answer)
            if found is None:
                raise EndpointError("a chain id that is no number", verdict=Verdict.MALFORMED, endpoint=member.label)
            if found != self._chain_id:
                member.other_chain = found
                self._tell(Trouble(member.label, "wrong chain", f"serves {found}, not {self._chain_id}: never used"))
                raise EndpointError("another chain", verdict=Verdict.UNSUPPORTED, endpoint=member.label, shut=True)
            member.verified = True

    async def probe(self, member: Member) -> None:
        """Ask one endpoint for chain id and head, whatever is known of it."""
        need = Need.of([Request("eth_blockNumber")], {}, None, None)
        await self._exchange(member, need, set())

    def _failed(self, member: Member, error: EndpointError) -> None:
        """Book a failure of the endpoint as a whole."""
        if "shut" in error.context:
            return
        self.last_failure, self.last_hint = f"{member.label}: {error.verdict} {error.message}", error.next_step
        if error.verdict is Verdict.QUOTA:
            member.shut(DAY_S - self._wall() % DAY_S, "its quota is used up until 00:00 UTC")
            self._tell(Trouble(member.label, "quota", error.message))
        elif "tls" in error.context:
            member.shut(TLS_BENCH_S, error.message)
            self._tell(Trouble(member.label, "tls", f"{error.message}. {error.next_step}"))
        elif error.verdict is Verdict.AUTH and member.proven and "http" not in error.context:
            member.lacking(str(error.context.get("method")))
        elif error.verdict is Verdict.AUTH:
            member.shut(AUTH_BENCH_S, "it does not let us in")
            self._tell(Trouble(member.label, "auth", error.message))
        elif member.failed(error.verdict):
            self._tell(Trouble(member.label, "failing", f"{error.verdict} {error.message}"))

    def distrust(self, endpoint: str, reason: str) -> None:
        """Book an untrue answer."""
        for member in self.members:
            if member.label == endpoint:
                member.distrust()
                self._tell(Trouble(endpoint, "distrusted", reason))

    def _learn(self, member: Member, need: Need, items: list[Any]) -> None:
        """Heads, archive depth and missing methods, from what was asked anyway."""
        for request, pin, item in zip(need.requests, need.pins, items, strict=True):
            if request.method.startswith("eth_getBlockBy") or request.method == "eth_blockNumber":
                self._learn_head(member, request, item)
            if isinstance(item, EndpointError) and not request.optional:
                self._learn_limits(member, request, pin, item)

    def _learn_limits(self, member: Member, request: Request, pin: int | str | None, error: EndpointError) -> None:
        if error.verdict is Verdict.UNSUPPORTED and request.method not in CORE_METHODS:
            member.lacking(request.method)
        number = self.numbers.get(pin) if isinstance(pin, str) else pin
        if error.verdict is Verdict.PRUNED and number is not None and self.head is not None:
            depth = max(0, self.head - number)
            member.archive_depth = depth if member.archive_depth is None else min(depth, member.archive_depth)

    def _learn_head(self, member: Member, request: Request, item: Any) -> None:
        fields = item if isinstance(item, dict) else {}
        number = _quantity(item if request.method == "eth_blockNumber" else fields.get("number"))
        if number is None:
            return
        if isinstance(hash_ := fields.get("hash"), str):
            self.numbers[hash_] = number
            if len(self.numbers) > _KNOWN_HASHES:
                self.numbers.popitem(last=False)
        if request.method == "eth_blockNumber" or request.params[:1] == ("latest",):
            best = self.head
            if best is not None and number < best - TOLERATED_LAG_BLOCKS:
                member.behind()
            member.head = number
        elif member.head is None or number > member.head:
            member.head = number

    def wait_s(self, need: Need, best: Replies | None) -> float | None:
        """What to wait before the next round: a block's time, an endpoint's pause, or None for a plain backoff."""
        if best is not None and need.waits_for_block(best):
            return self._block_time_s
        waits = [max(m.shut_s, _wait_s(m, need)) for m in self.members]
        return min(waits, default=0.0) or None

    def settle(self, need: Need, replies: Replies) -> Replies:
        """The replies to hand out: a hash that no endpoint knows after all waiting is on no chain."""
        items = list(replies.items)
        for place, item in enumerate(items):
            pin = need.pins[place]
            if isinstance(item, EndpointError) and item.verdict is Verdict.MISSING_TIP and isinstance(pin, str):
                items[place] = EndpointError(
                    "no endpoint knows the block", verdict=Verdict.WRONG_FORK, endpoint=replies.endpoint, block=pin[:10]
                )
            elif item is None and isinstance(pin, str):
                self.numbers.pop(pin, None)
        return Replies(items, replies.endpoint)


def _wait_s(member: Member, need: Need) -> float:
    """Seconds until the endpoint's pace allows the batch."""
    pace = member.endpoint.pace
    return pace.wait_s(pace.cost(need.requests))


async def _first_answer(tasks: set[asyncio.Task[Replies | None]], need: Need) -> Replies | None:
    """The first whole answer; where there is none, the last one that is not; None when all have failed."""
    pending, best = set(tasks), None
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            replies = task.result()
            if replies is not None and need.whole(replies):
                return replies
            best = replies or best
    return best


def _quantity(value: Any) -> int | None:
    """A JSON-RPC quantity, or None. https://ethereum.github.io/execution-apis/"""
    if not isinstance(value, str) or not value.startswith("0x") or not 2 < len(value) <= 18:
        return None
    try:
        return int(value, 16)
    except ValueError:
        return None
