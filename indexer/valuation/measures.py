"""Values and flows -> the measures by which funds are compared: growth, drawdown, shares, concentration.

Exact: ratios are `Fraction`s, USD are scaled integers. A ratio to nothing is None, never 0 and never infinite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from indexer.model import Address, Bucket, Line, Quote, Snapshot, Status, Token
from indexer.units import usd_scale
from indexer.valuation.parts import Parts
from indexer.valuation.rollup import DAY_S, HOLDS_S, Level, level_at, span_of

PERIODS: Mapping[str, int] = {"1d": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S, "1y": 365 * DAY_S}


@dataclass(frozen=True, slots=True)
class Drawdown:
    """How far a series stands below its peak, and the deepest it ever fell below the peak of its time: 0 to 1."""

    peak: int
    peak_at: int
    now: Fraction
    deepest: Fraction


@dataclass(frozen=True, slots=True)
class Movement:
    """A change over a period: USD, and relative to the value at its beginning."""

    usd: int
    relative: Fraction | None


@dataclass(frozen=True, slots=True)
class Revalued:
    """A value at other prices; `left_out` holdings have no such price."""

    usd: int
    left_out: int


def ratio(part: int, whole: int) -> Fraction | None:
    """`part / whole`, None where there is no whole."""
    return Fraction(part, whole) if whole > 0 else None


def organic_growth(parts: Parts, opening: int) -> Fraction | None:
    """Net flow relative to the opening AUM: what grew because money came, not because prices rose."""
    return ratio(parts.flow, opening)


def time_weighted(levels: Sequence[Level], start: int, end: int, holds_s: int = HOLDS_S) -> int | None:
    """The mean AUM over a time, each value weighted by how long it held. None where nothing is known."""
    span = span_of(levels, start, end, holds_s).span
    return span.mean if span else None


def movements(levels: Sequence[Level], now: int) -> dict[str, Movement | None]:
    """The change over 1, 7, 30 and 365 days up to `now`; None where the series does not reach back."""
    return {name: _movement(levels, now - seconds, now) for name, seconds in PERIODS.items()}


def drawdown(levels: Iterable[Level]) -> Drawdown | None:
    """From the highest value so far. Values that lack something are left out: they are no fall."""
    peak = peak_at = usd = 0
    deepest = Fraction(0)
    for level in levels:
        if level.usd is None or level.is_held:
            continue
        usd = level.usd
        if usd > peak:
            peak, peak_at = usd, level.timestamp
        if peak and (peak - usd) * deepest.denominator > deepest.numerator * peak:
            deepest = Fraction(peak - usd, peak)
    return Drawdown(peak, peak_at, Fraction(peak - usd, peak), deepest) if peak else None


def at_prices(snapshot: Snapshot, quotes: Mapping[Address, Quote], bucket: Bucket = Bucket.BASE) -> Revalued:
    """Price-constant AUM: the amounts of a snapshot at the quotes of a base date."""
    usd = left_out = 0
    for line in snapshot.lines:
        if line.holding.bucket is bucket:
            worth = _worth(line, quotes.get(line.holding.token), snapshot.tokens.get(line.holding.token))
            usd += worth or 0
            left_out += worth is None
    return Revalued(usd, left_out)


def shares(values: Mapping[str, int]) -> dict[str, Fraction]:
    """Each one's part of the sum of all. Empty where the sum is nothing."""
    whole = sum(values.values())
    return {name: Fraction(usd, whole) for name, usd in values.items()} if whole > 0 else {}


def flow_adjusted_shares(openings: Mapping[str, int], flows: Mapping[str, int]) -> dict[str, Fraction]:
    """The shares that the flows alone would have made of the opening ones: what each won or lost without price moves.

    One whose outflow is more than it opened with has nothing left, not less.
    """
    return shares({name: max(0, openings[name] + flows.get(name, 0)) for name in openings})


def concentration(parts: Iterable[Fraction]) -> Fraction:
    """Herfindahl-Hirschman index of shares: the sum of their squares, 1/n (n equal ones) to 1 (one alone)."""
    return sum((part * part for part in parts), Fraction(0))


def share_of(lines: Iterable[Line], tokens: Collection[Address], bucket: Bucket = Bucket.BASE) -> Fraction | None:
    """What part of a bucket's value is in the given tokens, such as stablecoins, own tokens or receipts."""
    counted = [line for line in lines if line.holding.bucket is bucket and line.status is Status.OK]
    within = sum(line.usd or 0 for line in counted if line.holding.token in tokens)
    return ratio(within, sum(line.usd or 0 for line in counted))


def _movement(levels: Sequence[Level], then: int, now: int) -> Movement | None:
    before, after = level_at(levels, then), level_at(levels, now)
    if before is None or after is None or before.usd is None or after.usd is None:
        return None
    return Movement(after.usd - before.usd, ratio(after.usd - before.usd, before.usd))


def _worth(line: Line, quote: Quote | None, token: Token | None) -> int | None:
    if line.holding.amount is None or line.status is not Status.OK:
        return None
    if quote is None or quote.price is None or token is None or token.decimals is None:
        return None
    return line.holding.amount * quote.price // usd_scale(token.decimals)
