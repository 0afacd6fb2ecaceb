"""Bars over time: what held how long, what is not known, and that hours add up to days."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from indexer.valuation.rollup import (
    DAY_S,
    HOLDS_S,
    Bar,
    Level,
    bars,
    coarser,
    level_at,
    median,
    span_of,
    together,
)

HOUR_S = 3600
MIDNIGHT = 19_000 * DAY_S


def level(seconds: int, usd: int | None, *, is_held: bool = False) -> Level:
    value = usd or 0
    return Level(MIDNIGHT + seconds, usd, value - value // 10, value + value // 10, is_held)


@st.composite
def series(draw: st.DrawFn) -> list[Level]:
    """Values, gaps and held ones at irregular times, with pauses longer than a value holds."""
    times = sorted(draw(st.sets(st.integers(0, 4 * DAY_S), min_size=1, max_size=25)))
    usd = st.none() | st.integers(0, 10**30)
    return [level(seconds, draw(usd), is_held=draw(st.booleans())) for seconds in times]


def every_second(levels: Sequence[Level], start: int, end: int, step: int) -> list[int | None]:
    """The step function looked up at single seconds."""
    found = [level_at(levels, second) for second in range(start, end, step)]
    return [one.usd if one else None for one in found]


def test_a_value_holds_until_the_next_and_its_mean_is_weighted_by_time() -> None:
    (bar,) = bars([level(0, 100), level(900, 200), level(2700, 40)], HOUR_S, MIDNIGHT + HOUR_S)
    assert bar.whole is not None
    assert (bar.whole.open, bar.whole.high, bar.whole.low, bar.whole.close) == (100, 200, 40, 40)
    assert bar.whole.mean == (100 * 900 + 200 * 1800 + 40 * 900) // 3600
    assert (bar.points, bar.gap_s, bar.held_s) == (3, 0, 0)


def test_an_interval_opens_with_what_held_before_it() -> None:
    _, second = bars([level(0, 100), level(HOUR_S + 1800, 300)], HOUR_S, MIDNIGHT + 2 * HOUR_S)
    assert second.whole is not None
    assert (second.whole.open, second.whole.close, second.whole.mean, second.points) == (100, 300, 200, 1)


def test_a_gap_has_no_value_and_is_counted() -> None:
    (bar,) = bars([level(0, 100), level(600, None), level(1800, 50)], HOUR_S, MIDNIGHT + HOUR_S)
    assert bar.gap_s == 1200
    assert bar.whole is not None
    assert bar.whole.low == 50
    assert bar.whole.seconds == 2400


def test_what_is_too_old_is_not_known() -> None:
    made = bars([level(0, 100), level(3 * DAY_S, 100)], DAY_S)
    assert sum(bar.gap_s for bar in made) == 3 * DAY_S - HOLDS_S
    assert made[2].span is None


def test_an_hour_without_a_price_is_no_low_of_the_day() -> None:
    (day,) = bars([level(0, 100), level(600, 1, is_held=True), level(4200, 100)], DAY_S, MIDNIGHT + DAY_S)
    assert day.span == day.whole
    assert day.whole is not None
    assert day.whole.low == 100
    assert day.held_s == 3600
    (only,) = bars([level(0, 1, is_held=True)], DAY_S, MIDNIGHT + 60)
    assert only.span is not None
    assert only.span.close == 1


def test_a_locker_in_at_23_59_and_out_at_00_01_moves_the_snapshot_but_not_the_median() -> None:
    before, inside = 100 * 10**18, 1000 * 10**18
    levels = [level(-DAY_S, before), level(-60, inside), level(60, before)]
    midnight = level_at(levels, MIDNIGHT)
    assert midnight is not None
    assert midnight.usd == inside
    assert median(levels, MIDNIGHT) == before
    mean = span_of(levels, MIDNIGHT - DAY_S, MIDNIGHT).span
    assert mean is not None
    assert mean.mean == before + (inside - before) * 60 // DAY_S


def test_a_value_that_holds_no_time_moves_no_mean() -> None:
    (bar,) = bars([level(0, 100), level(600, 10**9), level(600, 100)], HOUR_S, MIDNIGHT + HOUR_S)
    assert bar.whole is not None
    assert (bar.whole.mean, bar.whole.high) == (100, 10**9)


def test_a_sum_is_a_gap_while_any_part_is_and_counts_a_part_from_its_first_value() -> None:
    summed = together({"a": [level(0, 5), level(30, None), level(50, 6)], "b": [level(10, 7, is_held=True)]})
    told = [(one.timestamp - MIDNIGHT, one.usd, one.is_held) for one in summed]
    assert told == [(0, 5, False), (10, 12, True), (30, None, True), (50, 13, True)]


@given(series(), series())
def test_a_sum_is_the_sum_at_every_time(a: list[Level], b: list[Level]) -> None:
    summed = together({"a": a, "b": b})
    start, end = max(a[0].timestamp, b[0].timestamp), max(a[-1].timestamp, b[-1].timestamp)
    pairs = zip(every_second(a, start, end, 997), every_second(b, start, end, 997), strict=True)
    expected = [None if x is None or y is None else x + y for x, y in pairs]
    assert every_second(summed, start, end, 997) == expected


@given(series())
def test_the_mean_lies_between_low_and_high(levels: list[Level]) -> None:
    for bar in bars(levels, HOUR_S):
        for span in filter(None, (bar.whole, bar.partial)):
            assert span.low <= span.mean <= span.high
            assert span.low <= min(span.open, span.close)
            assert max(span.open, span.close) <= span.high


@given(series())
def test_hours_add_up_to_days(levels: list[Level]) -> None:
    assert coarser(bars(levels, HOUR_S), DAY_S) == bars(levels, DAY_S)


@given(series())
def test_every_second_is_known_held_or_a_gap(levels: list[Level]) -> None:
    covered = sum(_seconds(bar) for bar in bars(levels, HOUR_S))
    assert covered == levels[-1].timestamp - levels[0].timestamp


def _seconds(bar: Bar) -> int:
    return bar.gap_s + sum(span.seconds for span in (bar.whole, bar.partial) if span)


@given(series(), st.data())
def test_a_late_value_corrects_the_intervals_it_touches_and_no_other(levels: list[Level], data: st.DataObject) -> None:
    """Bars are made from the stored values alone: one put in between changes its time, up to the next value."""
    late = data.draw(st.integers(levels[0].timestamp, levels[-1].timestamp))
    with_late = sorted([*(one for one in levels if one.timestamp != late), Level(late, 7)], key=lambda x: x.timestamp)
    following = min([one.timestamp for one in levels if one.timestamp > late], default=levels[-1].timestamp)
    end = levels[-1].timestamp
    before = {bar.start: bar for bar in bars(levels, HOUR_S, end)}
    for bar in bars(with_late, HOUR_S, end):
        if bar.start + HOUR_S <= late or bar.start > following:
            assert bar == before[bar.start]


@given(series())
def test_half_of_the_time_was_spent_at_or_below_the_median(levels: list[Level]) -> None:
    certain = [Level(one.timestamp, one.usd or 0) for one in levels]
    end = certain[-1].timestamp
    found = median(certain, end, DAY_S, holds_s=10 * DAY_S)
    times = [second for second in range(max(certain[0].timestamp, end - DAY_S), end)][::61]
    below = [level_at(certain, second, 10 * DAY_S).usd <= found for second in times]  # type: ignore[union-attr, operator]
    if times:
        assert Fraction(sum(below), len(below)) >= Fraction(49, 100)
