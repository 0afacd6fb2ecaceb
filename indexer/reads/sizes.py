"""How much fits into one multicall: a start that every known node takes, then what each endpoint teaches.

geth runs an `eth_call` with 50 million gas and 5 seconds by default
(https://geth.ethereum.org/docs/fundamentals/command-line-options: `--rpc.gascap`, `--rpc.evmtimeout`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

START_GAS = 40_000_000
START_BYTES = 400_000
"""Calldata; hex and JSON make twice of it, which stays below the 1 MB that the strictest providers take."""

GROW_AFTER = 32
GROW_BY = 1.25
FULL = 0.8
LARGEST, SMALLEST = 8.0, 1 / 256


@dataclass(slots=True)
class Scale:
    """One endpoint's share of the start sizes: smaller once too much was asked, and slowly larger up to that.

    A batch's `fill` is its own share of the start sizes, in the same unit.
    """

    value: float = 1.0
    ceiling: float = LARGEST
    proven: float = 0.0
    full: int = 0

    def too_big(self, fill: float) -> None:
        """A batch failed where both its halves did not. (One of several sent at once says it for all.)"""
        if fill > self.value:
            return
        self.ceiling = fill
        self.value = self.proven if 0 < self.proven < fill else max(fill / 2, SMALLEST)
        self.proven, self.full = 0.0, 0

    def succeeded(self, fill: float) -> None:
        """A batch went through in one piece."""
        self.proven = max(self.proven, fill)
        self.full += fill > FULL * self.value
        if self.full >= GROW_AFTER and self.value * GROW_BY < self.ceiling:
            self.value *= GROW_BY
            self.full = 0


@dataclass(slots=True)
class Sizes:
    """The scales of a chain's endpoints, by label."""

    scales: dict[str, Scale] = field(default_factory=dict)

    def of(self, endpoint: str) -> Scale:
        return self.scales.setdefault(endpoint, Scale())


def pack(weights: Iterable[tuple[int, int]], scale: float) -> Iterator[tuple[slice, float]]:
    """Consecutive slices of calls, each with its fill, from each call's (bytes, gas): within the scale, or one call."""
    start = total_bytes = total_gas = end = 0
    for end, (size, gas) in enumerate(weights, 1):
        if end - start > 1 and _fill(total_bytes + size, total_gas + gas) > scale:
            yield slice(start, end - 1), _fill(total_bytes, total_gas)
            start, total_bytes, total_gas = end - 1, 0, 0
        total_bytes += size
        total_gas += gas
    if end > start:
        yield slice(start, end), _fill(total_bytes, total_gas)


def _fill(total_bytes: int, total_gas: int) -> float:
    return max(total_bytes / START_BYTES, total_gas / START_GAS)
