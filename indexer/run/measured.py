"""Explained deployments and their stored levels -> the measures of the span, and a bar for each interval of time.

Reads the store alone. The formulas are in `valuation.measures` and `valuation.rollup`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.config.types import Cadence
from indexer.run.changes import WHOLE_SPAN, Explained
from indexer.store.base import Store
from indexer.valuation.measures import (
    PERIODS,
    Drawdown,
    Movement,
    Revalued,
    at_prices,
    drawdown,
    movements,
)
from indexer.valuation.rollup import Bar, Level, bars, level_at, span_of, together


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of the sum of all, from `start` to `end`. What cannot be had is None.

    `constant` is the closing amounts at the opening prices. `bars` are by the start of their interval, and empty
    where the intervals are not of time.
    """

    start: int
    end: int
    mean: int | None
    fall: Drawdown | None
    moved: Mapping[str, Movement | None]
    constant: Revalued | None
    bars: Mapping[int, Bar]


async def measure(store: Store, many: Sequence[Explained], every: Cadence = WHOLE_SPAN) -> Measured:
    """All measures. `many` must not be empty."""
    start, end = min(map(_start, many)), max(one.closing.at.timestamp for one in many)
    levels = together({one.row.key: await store.levels(one.row.key, start, end) for one in many})
    span = span_of(levels, start, end).span
    by_time = every.seconds if every is not WHOLE_SPAN else 0
    return Measured(
        start=start,
        end=end,
        mean=span.mean if span else None,
        fall=drawdown(level for level in levels if start <= level.timestamp <= end),
        moved=movements([*await _before(store, many, end), *levels[-1:]], end),
        constant=_constant(many),
        bars={bar.start: bar for bar in bars(levels, by_time, end)} if by_time else {},
    )


async def _before(store: Store, many: Sequence[Explained], end: int) -> list[Level]:
    """What the sum was at the times that changes are measured from, oldest first."""
    found = []
    for time in sorted(end - seconds for seconds in PERIODS.values()):
        then = together({one.row.key: await store.levels(one.row.key, time, time) for one in many})
        if level := level_at(then, time):
            found.append(Level(time, level.usd, level.low, level.high, level.is_held))
    return found


def _start(one: Explained) -> int:
    return (one.opening or one.closing).at.timestamp


def _constant(many: Sequence[Explained]) -> Revalued | None:
    made = [at_prices(one.closing, one.opening.quotes) for one in many if one.opening]
    if len(made) < len(many):
        return None
    return Revalued(sum(one.usd for one in made), sum(one.left_out for one in made))
