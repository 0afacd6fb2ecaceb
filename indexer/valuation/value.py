"""Holdings x quotes -> valued lines, totals by bucket, and how far the whole can be trusted.

Pure and exact: the same holdings and quotes give the same lines for ever. Nothing that cannot be had becomes 0: it
stays a line without a value, and is counted as left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from indexer.model import Address, Bucket, Holding, Line, Quote, Status, Token, Total
from indexer.units import usd_scale

METHODOLOGY = "1"
"""Version of the rules in docs/reference/methodology.md. It is part of every snapshot."""

Worth = tuple[int | None, int | None, int | None, Status, str]
"""What a line says beyond its holding: USD, low, high, status, reason."""

Rate = tuple[int, int, int, int]
"""Price, low and high of a token, and what their products with raw amounts are divided by."""

NoRate = tuple[Status, str]

_TROUBLE = (Status.HELD, Status.MALFORMED, Status.MISSING, Status.SUSPECT)


@dataclass(frozen=True, slots=True)
class Valued:
    """Lines, and the rates they were made at. The same holding at the same rate is the same line, at any block."""

    lines: tuple[Line, ...] = ()
    rates: Mapping[Address, Rate | NoRate] = field(default_factory=dict)


def value(
    holdings: Collection[Holding], quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]
) -> tuple[Line, ...]:
    """Each holding with its USD value, in the order of the holdings."""
    return value_again(Valued(), holdings, quotes, tokens).lines


def value_again(
    before: Valued, holdings: Collection[Holding], quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]
) -> Valued:
    """As `value`: a line that was made `before`, of the same holding at the same rate, is taken as it is."""
    rates: dict[Address, Rate | NoRate] = {}
    for token in {holding.token for holding in holdings}:
        rates[token] = rate(quotes.get(token), tokens.get(token))
    same = {token for token, found in rates.items() if found == before.rates.get(token)}
    lines = [
        line if line and line.holding is holding and holding.token in same else _line(holding, rates[holding.token])
        for holding, line in zip(holdings, chain(before.lines, repeat(None)), strict=False)
    ]
    return Valued(tuple(lines), rates)


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


def judge(lines: Sequence[Line]) -> tuple[Status, str]:
    """The status of a whole snapshot from its lines, and the reason if it is not OK.

    HELD if any line that should have a value has none; unpriced tokens and contracts not deployed yet do not hold a
    snapshot back. A snapshot in which nothing is deployed yet is NOT_APPLICABLE.
    """
    trouble = [line for line in lines if line.status is not Status.OK and line.status in _TROUBLE]
    if trouble:
        reasons = Counter(line.reason for line in trouble)
        told = "; ".join(reason for reason, _ in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:3])
        return Status.HELD, f"{len(trouble)} of {len(lines)} holdings have no value: {told}"[:500]
    if lines and all(line.status is Status.NOT_APPLICABLE for line in lines):
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
