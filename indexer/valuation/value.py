"""Holdings x quotes -> valued lines, totals by bucket, and how far the whole can be trusted.

Pure and exact: the same holdings and quotes give the same lines for ever. Nothing that cannot be had becomes 0: it
stays a line without a value, and is counted as left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from operator import attrgetter, is_not

from indexer.model import Address, Bucket, Holding, Line, Quote, Status, Token, Total
from indexer.units import usd_scale

METHODOLOGY = "1"
"""Version of the rules in docs/reference/methodology.md. It is part of every snapshot."""

_HOLDING = attrgetter("holding")

Worth = tuple[int | None, int | None, int | None, Status, str]
"""What a line says beyond its holding: USD, low, high, status, reason."""

Rate = tuple[int, int, int, int]
"""Price, low and high of a token, and what their products with raw amounts are divided by."""

NoRate = tuple[Status, str]

_TROUBLE = (Status.HELD, Status.MALFORMED, Status.MISSING, Status.SUSPECT)


@dataclass(frozen=True, slots=True)
class Valued:
    """Lines, and their tokens' rates in order. The same holding at the same rate is the same line, at any block."""

    lines: tuple[Line, ...] = ()
    rates: Mapping[Address, Rate | NoRate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summed:
    """Lines, and their totals."""

    lines: tuple[Line, ...] = ()
    totals: Mapping[Bucket, Total] = field(default_factory=dict)


def value(
    holdings: Sequence[Holding], quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]
) -> tuple[Line, ...]:
    """Each holding with its USD value, in the order of the holdings."""
    return _valued(holdings, quotes, tokens).lines


def value_again(
    before: Valued, holdings: Sequence[Holding], quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]
) -> Valued:
    """As `value`: a line that was made `before`, of the same holding at the same rate, is taken as it is."""
    lines = list(before.lines)
    anew = other_places(map(_HOLDING, lines), holdings) if len(lines) == len(holdings) else None
    if anew is None or any(lines[i].holding.token != holdings[i].token for i in anew):
        return _valued(holdings, quotes, tokens)
    rates = {token: rate(quotes.get(token), tokens.get(token)) for token in before.rates}
    if rates != before.rates:
        moved = {token for token, found in rates.items() if found != before.rates[token]}
        anew = [i for i, line in enumerate(lines) if line.holding is not holdings[i] or line.holding.token in moved]
    for i in anew:
        lines[i] = _line(holdings[i], rates[holdings[i].token])
    return Valued(tuple(lines), rates)


def other_places(before: Iterable[object], now: Iterable[object]) -> list[int]:
    """The places at which not the very same thing stands."""
    return list(compress(count(), map(is_not, before, now)))


def _valued(holdings: Sequence[Holding], quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]) -> Valued:
    held = sorted({holding.token for holding in holdings})
    rates = {token: rate(quotes.get(token), tokens.get(token)) for token in held}
    return Valued(tuple([_line(holding, rates[holding.token]) for holding in holdings]), rates)


def _line(holding: Holding, rate: Rate | NoRate) -> Line:
    return Line(holding, *worth(holding, rate))


def rate(quote: Quote | None, token: Token | None) -> Rate | NoRate:
    """What amounts of a token are multiplied by to be USD, or why they cannot be."""
    if quote is None:
        return Status.UNPRICED, "no route to USD is configured for this token"
    if quote.price is None or quote.low is None or quote.high is None:
        return quote.status, quote.reason
    if token is None or token.decimals is None:
        return Status.HELD, "the token tells no usable decimals"
    return quote.price, quote.low, quote.high, usd_scale(token.decimals)


def worth(holding: Holding, rate: Rate | NoRate) -> Worth:
    """A holding valued, or why it is not.

    What cannot be read of a token without a route would have no value if it could: it is unpriced, so that a token
    that answers to nobody holds no snapshot back. A contract that stands in for its unknown token is no such case.
    """
    amount = holding.amount
    if amount is None:
        if holding.status in _TROUBLE and rate[0] is Status.UNPRICED and holding.token != holding.owner:
            return None, None, None, Status.UNPRICED, f"{rate[1]}; and {holding.reason}"
        return None, None, None, holding.status, holding.reason
    if len(rate) == 2:
        return None, None, None, *rate
    price, low, high, scale = rate
    return amount * price // scale, amount * low // scale, amount * high // scale, holding.status, holding.reason


def totals(lines: Iterable[Line]) -> dict[Bucket, Total]:
    """The sum of each bucket's valued lines. A bucket in which no line has a value still tells what is left out."""
    all_lines = list(lines)
    buckets = sorted({line.holding.bucket for line in all_lines})
    if len(buckets) == 1:
        return {buckets[0]: _total(all_lines)}
    return {bucket: _total([line for line in all_lines if line.holding.bucket is bucket]) for bucket in buckets}


def totals_again(before: Summed, lines: tuple[Line, ...]) -> Summed:
    """As `totals`: of lines that were added up `before`, only those that others stand in place of count anew."""
    if len(lines) != len(before.lines):
        return Summed(lines, totals(lines))
    pairs = [(before.lines[i], lines[i]) for i in other_places(before.lines, lines)]
    if any(old.holding.bucket is not new.holding.bucket for old, new in pairs):
        return Summed(lines, totals(lines))
    gone, come = totals(old for old, _ in pairs), totals(new for _, new in pairs)
    changed = {bucket: _exchanged(before.totals[bucket], gone[bucket], come[bucket]) for bucket in come}
    return Summed(lines, {**before.totals, **changed})


def judge(lines: Sequence[Line]) -> tuple[Status, str]:
    """The status of a whole snapshot from its lines, and the reason if it is not OK.

    HELD if any line that should have a value has none; unpriced tokens and contracts not deployed yet do not hold a
    snapshot back. A snapshot in which nothing is deployed yet is NOT_APPLICABLE.
    """
    said = set(map(attrgetter("status"), lines))
    if not said.isdisjoint(_TROUBLE):
        trouble = [line for line in lines if line.status in _TROUBLE]
        reasons = Counter(line.reason for line in trouble)
        told = "; ".join(reason for reason, _ in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:3])
        return Status.HELD, f"{len(trouble)} of {len(lines)} holdings have no value: {told}"[:500]
    if said == {Status.NOT_APPLICABLE}:
        return Status.NOT_APPLICABLE, "not deployed yet at this block"
    return Status.OK, ""


def _total(lines: Sequence[Line]) -> Total:
    valued = [line for line in lines if line.status is Status.OK]
    return Total(
        usd=sum([line.usd or 0 for line in valued]),
        low=sum([line.low or 0 for line in valued]),
        high=sum([line.high or 0 for line in valued]),
        lines=len(valued),
        left_out=len(lines) - len(valued),
    )


def _exchanged(total: Total, gone: Total, come: Total) -> Total:
    """A total, some lines of which went and as many came."""
    return Total(
        usd=total.usd - gone.usd + come.usd,
        low=total.low - gone.low + come.low,
        high=total.high - gone.high + come.high,
        lines=total.lines - gone.lines + come.lines,
        left_out=total.left_out - gone.left_out + come.left_out,
    )
