"""Lines at the price of a pool, held against what stands behind that price: a token must not price itself.

Pure, and a judgement of one deployment at one block: what others hold of the token is not asked, since which of them
are read at the same block must change no row. A value is never cut and never dropped: it is marked, or not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from indexer.model import Address, BlockRef, Bucket, Line, Quote, Status
from indexer.pricing.compose import depth_of
from indexer.pricing.guards import Backed, GuardSettings, judge
from indexer.units import USD_DECIMALS


def depths_of(quotes: Mapping[Address, Quote]) -> dict[Address, Fraction]:
    """USD behind the thinnest market of each quote that hangs on one."""
    told = {token: depth_of(quote) for token, quote in quotes.items()}
    return {token: depth for token, depth in told.items() if depth is not None}


def backed(
    lines: Sequence[Line],
    quotes: Mapping[Address, Quote],
    depths: Mapping[Address, Fraction],
    at: BlockRef,
    guards: GuardSettings,
) -> tuple[tuple[Line, ...], Mapping[Address, Quote]]:
    """The lines, SUSPECT with the reason where the guard holds, and the quotes, flagged where it only looks.

    `depths` are those of the quotes: see `depths_of`.
    """
    if not depths:
        return tuple(lines), quotes
    checks = {token: Backed(held_usd(lines, token), depth) for token, depth in depths.items()}
    found = {token: judge([check], at, guards) for token, check in checks.items()}
    reasons = {token: problems[0] for token, (problems, _) in found.items() if problems}
    flagged = {
        token: replace(quotes[token], flags=(*quotes[token].flags, *flags)) for token, (_, flags) in found.items()
    }
    return tuple(_suspected(line, reasons.get(line.holding.token)) for line in lines), {**quotes, **flagged}


def held_usd(lines: Iterable[Line], token: Address) -> Fraction:
    """What is held of a token in all buckets; what is owed is no holding of it."""
    held = (line.usd or 0 for line in lines if line.holding.token == token and line.holding.bucket != Bucket.BORROWED)
    return Fraction(sum(held), 10**USD_DECIMALS)


def _suspected(line: Line, reason: str | None) -> Line:
    if reason is None or line.status is not Status.OK:
        return line
    return replace(line, status=Status.SUSPECT, reason=reason)
