"""Bars of hours or days as a table for people and as JSON without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from indexer.cli import exact
from indexer.cli.table import FIRST_ROWS, Cell, echo_table, numbers, words
from indexer.cli.text import duration, iso, usd
from indexer.store.base import Store
from indexer.valuation.rollup import DAY_S, Bar, bars, median, together


@dataclass(frozen=True, slots=True)
class TimedBar:
    """A bar, and the median of the day before its end (or before the end of what is stored)."""

    bar: Bar
    median: int | None


Bars = Mapping[str, Sequence[TimedBar]]
"""Bars by the name of what they are of."""


Spans = Mapping[str, tuple[int, int]]
"""The time of the first and the last point of each deployment."""


async def bars_of(store: Store, named: Mapping[str, Spans], every_s: int) -> Bars:
    """Bars of the sum of the deployments under each name, from the interval of the first point to the last.

    What held before its first point opens a bar.
    """
    return {name: await _bars(store, spans, every_s) for name, spans in named.items()}


def echo_bars(many: Bars, everything: bool) -> None:
    """A row a bar, the newest last."""
    for name, some in many.items():
        click.secho(name, bold=True)
        if not some:
            click.echo("no stored points in this range")
            continue
        shown = some if everything else some[-FIRST_ROWS:]
        if len(shown) < len(some):
            click.echo(f"… {len(some) - len(shown)} earlier bars (--all)")
        titles = numbers("open", "high", "low", "close", "mean", "24h median", "points", "held", "unknown")
        echo_table([*words("from"), *titles], [_row(one) for one in shown])


def bars_json(some: Sequence[TimedBar]) -> list[exact.Json]:
    """Every digit. `area` is the value's integral over time in USD seconds: the mean is `area / seconds`."""
    return [bar_json(one.bar) | {"median_24h": exact.usd(one.median)} for one in some]


async def _bars(store: Store, spans: Spans, every_s: int) -> Sequence[TimedBar]:
    if not spans:
        return []
    first = min(start for start, _ in spans.values())
    first -= first % every_s
    end = max(end for _, end in spans.values())
    levels = together({key: await store.levels(key, first - DAY_S, end) for key in sorted(spans)})
    made = [bar for bar in bars(levels, every_s, end) if bar.start >= first]
    return [TimedBar(bar, median(levels, min(bar.start + every_s, end))) for bar in made]


def _row(one: TimedBar) -> list[Cell]:
    span, bar = one.bar.span, one.bar
    values = [usd(v) for v in (span.open, span.high, span.low, span.close, span.mean)] if span else ["?"] * 5
    times = [duration(seconds) if seconds else "-" for seconds in (bar.held_s, bar.gap_s)]
    return [iso(bar.start), *values, usd(one.median), str(bar.points), *times]


def bar_json(bar: Bar) -> exact.Json:
    """One bar, every digit."""
    span = bar.span
    said = ("open", "high", "low", "close", "mean", "least", "most", "area")
    values = {name: exact.usd(getattr(span, name)) if span else None for name in said}
    return {
        "start": bar.start,
        "time": iso(bar.start),
        **values,
        "seconds": span.seconds if span else 0,
        "points": bar.points,
        "held_s": bar.held_s,
        "unknown_s": bar.gap_s,
    }
