"""Values at points of time -> bars of hours and days: open, high, low, close, time-weighted mean and median.

A value holds until the next one, at most `HOLDS_S`; what then is, and what a gap tells, is not known and is counted.
Pure and exact: a mean is kept as its integral over time, so that bars of hours add up to the bars of their day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge as merged
from itertools import groupby

HOLDS_S = 90_000
"""25 hours: as long as a value speaks where nothing newer is stored. A daily series has no holes by it."""

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Level:
    """A value at a time (seconds since 1970), with its bounds. `usd` is None in a gap.

    `is_held`: something that should be in the value could not be had.
    """

    timestamp: int
    usd: int | None
    low: int = 0
    high: int = 0
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A level and the time for which it holds: from `start` up to `end`, which is not in it any more."""

    start: int
    end: int
    level: Level


@dataclass(frozen=True, slots=True)
class Span:
    """The values of a time. `area` is USD times seconds; `least` and `most` are the bounds of low and high."""

    open: int
    high: int
    low: int
    close: int
    least: int
    most: int
    area: int
    seconds: int

    @property
    def mean(self) -> int:
        """The time-weighted mean, rounded down; of values that held no time, the last."""
        return self.area // self.seconds if self.seconds else self.close

    def then(self, later: Span) -> Span:
        """This and a later one together."""
        return Span(
            open=self.open,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            close=later.close,
            least=min(self.least, later.least),
            most=max(self.most, later.most),
            area=self.area + later.area,
            seconds=self.seconds + later.seconds,
        )


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval that begins at `start`. `points` are the values stored in it; `gap_s` is the time nothing is known.

    Whole values and those that lack something are kept apart: a price that fails for an hour is no low of the day.
    """

    start: int
    whole: Span | None
    partial: Span | None
    points: int
    gap_s: int

    @property
    def span(self) -> Span | None:
        """The whole values; the partial ones where there are no others; None where nothing is known."""
        return self.whole or self.partial

    @property
    def held_s(self) -> int:
        """The time in which something was left out that should be there."""
        return self.partial.seconds if self.partial else 0


def bars(levels: Sequence[Level], every_s: int, end: int | None = None, holds_s: int = HOLDS_S) -> list[Bar]:
    """A bar for each interval of the grid since 1970, from the first level to `end` (default: the last level)."""
    made: dict[int, _Gathering] = {}
    for stretch in stretches(levels, end, holds_s):
        for start, seconds in _pieces(stretch.start, stretch.end, every_s):
            slot = start - start % every_s
            if slot not in made:
                made[slot] = _Gathering()
            made[slot].add(stretch.level, seconds, start == stretch.level.timestamp)
    return [made[slot].bar(slot) for slot in sorted(made)]


def merge(many: Sequence[Bar], start: int) -> Bar:
    """Bars that follow each other as one, such as the hours of a day."""
    return Bar(
        start=start,
        whole=_joined([bar.whole for bar in many]),
        partial=_joined([bar.partial for bar in many]),
        points=sum(bar.points for bar in many),
        gap_s=sum(bar.gap_s for bar in many),
    )


def coarser(many: Iterable[Bar], every_s: int) -> list[Bar]:
    """Bars of a finer grid as those of a coarser one, of which its intervals are a multiple."""
    groups: dict[int, list[Bar]] = {}
    for bar in many:
        groups.setdefault(bar.start - bar.start % every_s, []).append(bar)
    return [merge(group, start) for start, group in groups.items()]


def stretches(levels: Sequence[Level], end: int | None = None, holds_s: int = HOLDS_S) -> Iterator[Stretch]:
    """The levels as a step function of time, up to `end`: each holds until the next, then nothing is known."""
    for number, level in enumerate(levels):
        last = number + 1 == len(levels)
        until = levels[number + 1].timestamp if not last else max(level.timestamp, end or 0)
        until = until if end is None else max(level.timestamp, min(until, end))
        if end is not None and level.timestamp > end:
            return
        held = min(until, level.timestamp + holds_s)
        yield Stretch(level.timestamp, held, level)
        if held < until:
            yield Stretch(held, until, Level(held, None))


def together(by_name: Mapping[str, Sequence[Level]], holds_s: int = HOLDS_S) -> list[Level]:
    """The sum of several series, up to the last level of any: a level whenever one of them changes.

    A series counts from its first level on. The sum is a gap while any that has begun is one, and held while any is.
    """
    end = max((levels[-1].timestamp for levels in by_name.values() if levels), default=0)
    events = merged(*(_named(name, levels, end, holds_s) for name, levels in by_name.items()), key=_time)
    current: dict[str, Level] = {}
    running = _Running()
    summed: list[Level] = []
    for timestamp, group in groupby(events, key=_time):
        for _, name, level in group:
            running.replace(current.get(name), level)
            current[name] = level
        summed.append(running.level(timestamp))
    return summed


def level_at(levels: Sequence[Level], timestamp: int, holds_s: int = HOLDS_S) -> Level | None:
    """The level that holds at a time; None before the first, in a gap, and where the last is too old."""
    index = bisect_right(levels, timestamp, key=lambda level: level.timestamp) - 1
    if index < 0 or levels[index].usd is None or timestamp > levels[index].timestamp + holds_s:
        return None
    return levels[index]


def span_of(levels: Sequence[Level], start: int, end: int, holds_s: int = HOLDS_S) -> Bar:
    """One bar of the time from `start` to `end`."""
    gathering = _Gathering()
    for piece in _within(levels, start, end, holds_s):
        gathering.add(piece.level, piece.end - piece.start, piece.start == piece.level.timestamp)
    return gathering.bar(start)


def median(levels: Sequence[Level], end: int, window_s: int = DAY_S, holds_s: int = HOLDS_S) -> int | None:
    """The time-weighted median of the values that held in the window before `end`: the value below which half the time
    was spent. Values that lack something count only where there are no others. None where nothing is known.
    """
    held = [
        (p.level, p.end - p.start) for p in _within(levels, end - window_s, end, holds_s) if p.level.usd is not None
    ]
    timed = [(level, seconds) for level, seconds in held if seconds]
    whole = [pair for pair in timed if not pair[0].is_held] or timed
    half = sum(seconds for _, seconds in whole)
    passed = 0
    for usd, seconds in sorted((level.usd or 0, seconds) for level, seconds in whole):
        passed += seconds
        if 2 * passed >= half:
            return usd
    return held[-1][0].usd if held else None


def _within(levels: Sequence[Level], start: int, end: int, holds_s: int) -> Iterator[Stretch]:
    first, last = (bisect_right(levels, time, key=lambda level: level.timestamp) for time in (start, end))
    for stretch in stretches(levels[max(0, first - 1) : last], end, holds_s):
        if stretch.end > start or stretch.start >= start:
            yield Stretch(max(stretch.start, start), stretch.end, stretch.level)


def _pieces(start: int, end: int, every_s: int) -> Iterator[tuple[int, int]]:
    """A time cut at the grid: where each piece begins, and its seconds."""
    while True:
        upto = min(end, start - start % every_s + every_s)
        yield start, upto - start
        if upto >= end:
            return
        start = upto


class _Gathering:
    """A bar in the making."""

    __slots__ = ("_gap_s", "_partial", "_points", "_whole")

    def __init__(self) -> None:
        self._whole: list[int] = []
        self._partial: list[int] = []
        self._points = self._gap_s = 0

    def add(self, level: Level, seconds: int, is_point: bool) -> None:
        """A level that held for so long; `is_point`: it was stored at the beginning of that time."""
        usd = level.usd
        if usd is None:
            self._gap_s += seconds
            return
        self._points += is_point
        so_far = self._partial if level.is_held else self._whole
        if not so_far:
            so_far += (usd, usd, usd, usd, level.low, level.high, usd * seconds, seconds)
            return
        _, high, low, _, least, most, area, passed = so_far
        so_far[1:] = (
            usd if usd > high else high,
            usd if usd < low else low,
            usd,
            level.low if level.low < least else least,
            level.high if level.high > most else most,
            area + usd * seconds,
            passed + seconds,
        )

    def bar(self, start: int) -> Bar:
        """What was gathered."""
        whole, partial = (Span(*some) if some else None for some in (self._whole, self._partial))
        return Bar(start, whole, partial, self._points, self._gap_s)


def _joined(spans: Iterable[Span | None]) -> Span | None:
    joined: Span | None = None
    for span in spans:
        if span is not None:
            joined = joined.then(span) if joined else span
    return joined


def _named(name: str, levels: Sequence[Level], end: int, holds_s: int) -> Iterator[tuple[int, str, Level]]:
    for stretch in stretches(levels, end, holds_s):
        yield stretch.start, name, stretch.level


def _time(event: tuple[int, str, Level]) -> int:
    return event[0]


@dataclass(slots=True)
class _Running:
    """A sum in which one summand after the other is replaced."""

    usd: int = 0
    low: int = 0
    high: int = 0
    gaps: int = 0
    held: int = 0

    def replace(self, old: Level | None, new: Level) -> None:
        """Take out a level, put in another."""
        if old is not None:
            self._add(old, -1)
        self._add(new, 1)

    def level(self, timestamp: int) -> Level:
        """What the sum is now."""
        return Level(timestamp, None if self.gaps else self.usd, self.low, self.high, self.held > 0)

    def _add(self, level: Level, sign: int) -> None:
        self.usd += sign * (level.usd or 0)
        self.low += sign * level.low
        self.high += sign * level.high
        self.gaps += sign * (level.usd is None)
        self.held += sign * level.is_held
