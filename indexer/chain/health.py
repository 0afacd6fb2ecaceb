"""What a pool knows of each of its endpoints: how fast, how reliable, how far, and whether it may be used now.

Bookkeeping only: it is told what happened and answers what that means. It sends nothing and waits for nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from indexer.chain.limits import Clock
from indexer.chain.rpc import Endpoint
from indexer.errors import Verdict

FAILURES_TO_OPEN = 5
OPEN_FIRST_S, OPEN_MOST_S = 2.0, 300.0
DISTRUST_FIRST_S, DISTRUST_MOST_S = 60.0, 3_600.0
AUTH_BENCH_S = 3_600.0
METHOD_BENCH_S = 600.0
TIMEOUT_BENCH_S = 60.0
TLS_BENCH_S = 300.0
BEHIND_S = 30.0
LATENCY_KEPT_S = 300.0
COUNTED = frozenset({Verdict.SERVER, Verdict.TIMEOUT, Verdict.MALFORMED})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that an operator may want to know of one endpoint (by label), told once when it begins or ends."""

    endpoint: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """One endpoint as `tvl status` shows it. `usable` is False while benched, broken, or on another chain."""

    endpoint: str
    usable: bool
    reason: str
    latency_ms: int | None
    error_share: float
    head: int | None
    archive_depth: int | None
    units_per_s: float | None


@dataclass(slots=True)
class Latency:
    """Smoothed seconds of one kind of request, with their spread (as TCP estimates its timer, RFC 6298)."""

    mean_s: float
    spread_s: float
    at: float

    def add(self, seconds: float, now: float) -> None:
        """Take in one more measurement."""
        self.spread_s += (abs(seconds - self.mean_s) - self.spread_s) / 4
        self.mean_s += (seconds - self.mean_s) / 8
        self.at = now

    @property
    def slow_s(self) -> float:
        """A wait that few answers exceed."""
        return self.mean_s + 4 * self.spread_s


@dataclass(slots=True)
class Member:
    """One endpoint of a pool and what is known of it. `place` is its position in the configuration."""

    endpoint: Endpoint
    place: int
    clock: Clock
    verified: bool = False
    other_chain: int | None = None
    head: int | None = None
    archive_depth: int | None = None
    error_share: float = 0.0
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _latency: dict[str, Latency] = field(default_factory=dict)
    _lacks_until: dict[str, float] = field(default_factory=dict)
    _in_a_row: int = 0
    _opened: int = 0
    _shut_until: float = 0.0
    _shut_reason: str = ""
    _distrusts: int = 0
    _distrusted_until: float = 0.0
    _behind_until: float = 0.0

    @property
    def label(self) -> str:
        """The endpoint's name in every text."""
        return self.endpoint.label

    @property
    def shut_s(self) -> float:
        """Seconds until it may be used again; infinite on another chain."""
        return float("inf") if self.other_chain is not None else max(0.0, self._shut_until - self.clock())

    @property
    def distrusted(self) -> bool:
        """Whether it lately said something untrue."""
        return self._distrusted_until > self.clock()

    @property
    def lags(self) -> bool:
        """Whether its head was lately lower than another's by more than a moment's."""
        return self._behind_until > self.clock()

    @property
    def proven(self) -> bool:
        """Whether it has answered anything yet, beyond its chain id."""
        return bool(self._latency)

    def lacks(self, method: str) -> bool:
        """Whether it lately refused the method, or never answered it. Not for ever: it may have been once only."""
        return self._lacks_until.get(method, 0.0) > self.clock()

    def latency(self, method: str) -> Latency | None:
        """What is known of its speed, unless that is long ago."""
        known = self._latency.get(method)
        return known if known and self.clock() - known.at < LATENCY_KEPT_S else None

    def answered(self, method: str, seconds: float) -> bool:
        """Count an answer. True where it ends a time of failures."""
        self.took(method, seconds)
        self.error_share *= 0.9
        recovered = self._opened > 0
        self._in_a_row = self._opened = 0
        return recovered

    def took(self, method: str, seconds: float) -> None:
        """Count a duration, of an answer or of a wait given up."""
        known = self._latency.get(method)
        if known is None:
            self._latency[method] = Latency(seconds, seconds / 2, self.clock())
        else:
            known.add(seconds, self.clock())

    def timed_out(self, method: str, seconds: float) -> None:
        """It did not answer in time: others are asked first, so that not every request waits as long."""
        self.took(method, seconds)
        self._lacks_until[method] = max(self._lacks_until.get(method, 0.0), self.clock() + TIMEOUT_BENCH_S)

    def failed(self, verdict: Verdict) -> bool:
        """Count a failure of the endpoint as a whole; it must prove its chain anew. True where the breaker opens."""
        if verdict not in COUNTED:
            return False
        self.error_share += (1.0 - self.error_share) * 0.1
        self.verified = False
        self._in_a_row += 1
        if self._in_a_row < FAILURES_TO_OPEN:
            return False
        self._in_a_row = FAILURES_TO_OPEN - 1
        self.shut(min(OPEN_MOST_S, OPEN_FIRST_S * 2**self._opened), f"{FAILURES_TO_OPEN} failures in a row")
        self._opened += 1
        return self._opened == 1

    def shut(self, seconds: float, reason: str) -> None:
        """Do not use it for so long; afterwards it proves its chain anew."""
        self._shut_until = max(self._shut_until, self.clock() + seconds)
        self._shut_reason, self.verified = reason, False

    def distrust(self) -> None:
        """It said something untrue: ask others first, each time for longer."""
        seconds = min(DISTRUST_MOST_S, DISTRUST_FIRST_S * 2**self._distrusts)
        self._distrusts += 1
        self._distrusted_until = self.clock() + seconds
        self.verified = False

    def behind(self) -> None:
        """Its head is too low: ask others first, for a while."""
        self._behind_until = self.clock() + BEHIND_S

    def lacking(self, method: str) -> None:
        """It refused the method as not offered."""
        self._lacks_until[method] = self.clock() + METHOD_BENCH_S

    def health(self) -> Health:
        """What to show of it."""
        shut = self.shut_s > 0
        known = [latency.mean_s for latency in self._latency.values()]
        reason = f"serves chain {self.other_chain}" if self.other_chain is not None else self._shut_reason
        return Health(
            endpoint=self.label,
            usable=not shut,
            reason=reason if shut else "",
            latency_ms=round(1_000 * sum(known) / len(known)) if known else None,
            error_share=round(self.error_share, 3),
            head=self.head,
            archive_depth=self.archive_depth,
            units_per_s=self.endpoint.pace.limit,
        )
