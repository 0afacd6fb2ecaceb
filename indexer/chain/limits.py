"""How much one endpoint may be asked: a pace that it teaches us, and a batch size that it teaches us.

Both shrink at once when the endpoint objects and grow back slowly. They decide how long to wait and how many to send;
they send nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from indexer.chain.base import Request

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

SLOWEST_UNITS_PER_S = 0.5
DEFAULT_WAIT_S = 1.0
TICK_S = 0.001


@dataclass(slots=True)
class Pace:
    """A token bucket in units a second (one unit a request, or the provider's compute units by method).

    Without a configured rate it lets everything through until the endpoint first objects; from then on it keeps to a
    rate learned from what was sent. A wait the endpoint asks for is kept to the full.
    """

    clock: Clock
    units_per_s: float | None = None
    cost_by_method: Mapping[str, int] = field(default_factory=dict)
    _limit: float | None = field(init=False)
    _level: float = field(init=False)
    _then: float = field(init=False)
    _open_at: float = field(init=False, default=0.0)
    _spent: float = field(init=False, default=0.0)
    _spent_since: float = field(init=False)

    def __post_init__(self) -> None:
        self._limit = self.units_per_s
        self._level = self.units_per_s or 0.0
        self._then = self._spent_since = self.clock()

    @property
    def limit(self) -> float | None:
        """Units a second that are let through now. None: no limit is known."""
        return self._limit

    def cost(self, requests: Sequence[Request]) -> int:
        """Units of these requests."""
        if not self.cost_by_method:
            return len(requests)
        return sum(self.cost_by_method.get(request.method, 1) for request in requests)

    def wait_s(self, cost: int) -> float:
        """Seconds until `cost` units may be sent; a request dearer than a second's worth goes when that is full."""
        now = self._refill()
        pause = max(0.0, self._open_at - now)
        if self._limit is None:
            return pause
        lacking = min(cost, self._limit) - self._level
        wait_s = max(pause, lacking / self._limit)
        return wait_s if wait_s > TICK_S else 0.0

    def spend(self, cost: int) -> None:
        """Count units as sent."""
        now = self._refill()
        if now - self._spent_since > 10.0:
            self._spent, self._spent_since = self._spent / 2, now - 5.0
        self._spent += cost
        self._level -= cost

    def objected(self, retry_after_s: float | None) -> None:
        """The endpoint said "too fast": wait as long as it says, and be slower afterwards."""
        now = self._refill()
        pace = self._limit if self._limit is not None else self._spent / max(now - self._spent_since, 1.0)
        self._limit = max(SLOWEST_UNITS_PER_S, pace * 0.7)
        self._level = min(self._level, 0.0)
        self._open_at = max(self._open_at, now + (DEFAULT_WAIT_S if retry_after_s is None else retry_after_s))

    def accepted(self) -> None:
        """An answer came: a little faster again, up to the configured rate."""
        if self._limit is not None and self.clock() > self._open_at:
            faster = self._limit + max(0.05, self._limit * 0.01)
            self._limit = faster if self.units_per_s is None else min(faster, self.units_per_s)

    def _refill(self) -> float:
        now = self.clock()
        if self._limit is not None:
            self._level = min(self._limit, self._level + (now - self._then) * self._limit)
        self._then = now
        return now


@dataclass(slots=True)
class BatchSize:
    """How many requests, and how many bytes of them, one endpoint takes in one HTTP request."""

    most_items: int = 100
    most_bytes: int = 4 * 2**20
    _items: int = field(init=False)
    _bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self._items, self._bytes = self.most_items, self.most_bytes

    @property
    def items(self) -> int:
        """Requests that one HTTP request may carry now."""
        return self._items

    def pack(self, bodies: Sequence[bytes]) -> Iterator[slice]:
        """Cut a batch into slices that the endpoint takes; one request is never cut."""
        start = size = 0
        for place, body in enumerate(bodies):
            full = place - start >= self._items or size + len(body) > self._bytes
            if full and place > start:
                yield slice(start, place)
                start, size = place, 0
            size += len(body)
        yield slice(start, len(bodies))

    def refused(self, items: int, size: int) -> None:
        """A batch of so many requests and bytes was too large: whichever was the more out of the common gives way."""
        if size / self.most_bytes > items / self.most_items:
            self._bytes = max(1_024, min(self._bytes, size // 2))
        else:
            self._items = max(1, min(self._items, items // 2))

    def accepted(self, items: int, size: int) -> None:
        """A batch went through: where it was as large as allowed, allow a little more."""
        if items >= self._items:
            self._items = min(self.most_items, self._items + max(1, self._items // 20))
        if size * 2 >= self._bytes:
            self._bytes = min(self.most_bytes, self._bytes + self._bytes // 20)
