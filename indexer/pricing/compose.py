"""Readings -> exact prices -> quotes: the arithmetic of a route, and the choice between the routes of a token.

Rational numbers to the end, then one rounding: price and low down, high up. Pure: the same readings give the same
quotes, whatever else was asked at the block or before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TypeAlias, TypeVar

from indexer.errors import CallFailed, clean
from indexer.model import Address, BlockRef, Grade, Quote, Status, Step
from indexer.pricing.base import Reading
from indexer.pricing.gather import Outcome
from indexer.pricing.guards import Diverging, GuardSettings, judge
from indexer.units import UINT256_MAX, USD_DECIMALS, to_price


@dataclass(frozen=True, slots=True)
class Priced:
    """A route that gives a price: exact USD of one whole token, with its interval and all it was made of."""

    price: Fraction
    low: Fraction
    high: Fraction
    grade: Grade
    route: str
    steps: tuple[Step, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A route that gives none, and why. `absent`: its source does not exist at the block (yet)."""

    route: str
    reason: str
    steps: tuple[Step, ...] = ()
    absent: bool = False

    def __str__(self) -> str:
        return f"{self.route}: {self.reason}"


T = TypeVar("T")
Try: TypeAlias = Priced | Refused


@dataclass(frozen=True, slots=True)
class Candidate:
    """One route of a token, tried. A `last_resort` answers only where every earlier source is absent."""

    tried: Try
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a token: its quote, the exact price behind it (None where held), and every route tried.

    `taken` is the place of the first good route among them, also where its price is then held; None where none is.
    """

    quote: Quote
    exact: Priced | None
    candidates: tuple[Candidate, ...]
    taken: int | None = None


def attempt(label: str, outcome: Outcome[Reading], known: Mapping[Address, Settled]) -> Try:
    """A judged reading as an exact price, from the prices of the tokens it counts in."""
    if isinstance(outcome, CallFailed):
        absent = outcome.context.get("status") in (Status.MISSING, Status.NOT_APPLICABLE)
        return Refused(label, clean(outcome.message), absent=absent)
    if outcome.problems:
        return Refused(outcome.label, "; ".join(outcome.problems), outcome.steps)
    parts = []
    for token in outcome.of:
        settled = known.get(token)
        if settled is None or settled.exact is None:
            reason = settled.quote.reason if settled else "no route"
            return Refused(outcome.label, clean(f"needs {token}: {reason}"), outcome.steps)
        parts.append(settled.exact)
    return _composed(outcome, parts)


def _composed(reading: Reading, parts: Sequence[Priced]) -> Try:
    try:
        price = low = high = reading.combine([part.price for part in parts])
        if parts:
            low = reading.combine([part.low for part in parts])
            high = reading.combine([part.high for part in parts])
    except (ArithmeticError, ValueError) as error:
        return Refused(reading.label, f"cannot be combined: {clean(str(error), 200)}", reading.steps)
    if not 0 < to_price(price) <= UINT256_MAX:
        return Refused(reading.label, "the price is 0, negative or beyond any scale", reading.steps)
    return Priced(
        price=price,
        low=max(low * (1 - reading.tolerance), Fraction(0)),
        high=high * (1 + reading.tolerance),
        grade=max([reading.grade, *(part.grade for part in parts)]),
        route=_route(reading.label, [part.route for part in parts]),
        steps=_once([*reading.steps, *_depth(reading, parts), *(step for part in parts for step in part.steps)]),
        flags=_once([*reading.flags, *(flag for part in parts for flag in part.flags)]),
    )


DEPTH = "depth"
"""Source of the step that says what stood behind a market's price: USD scaled by `USD_DECIMALS`, rounded down."""


def depth_of(quote: Quote) -> Fraction | None:
    """USD behind the thinnest market that a quote's price hangs on; None where it hangs on none."""
    behind = [step for step in quote.steps if step.source.rpartition(":")[2] == DEPTH]
    depths = [Fraction(step.answer, 10**step.decimals) for step in behind]
    return min(depths, default=None)


def _depth(reading: Reading, parts: Sequence[Priced]) -> list[Step]:
    if reading.depth is None:
        return []
    (market, *_), (unit,) = reading.steps, parts
    usd = floor(reading.depth * unit.price * 10**USD_DECIMALS)
    return [Step(DEPTH, market.target, usd, USD_DECIMALS, market.updated_at)]


def _route(label: str, parts: Sequence[str]) -> str:
    if not parts:
        return label
    return f"{label} > {parts[0]}" if len(parts) == 1 else f"{label} > ({' | '.join(parts)})"


def settle(token: Address, candidates: Sequence[Candidate], at: BlockRef, settings: GuardSettings) -> Settled:
    """The quote of a token: its first good route, held against the others; HELD with every reason where none is."""
    first = _first_good(candidates)
    if first is None:
        reason = " | ".join(str(c.tried) for c in candidates if isinstance(c.tried, Refused))
        return Settled(_held(token, candidates[0].tried, reason), None, tuple(candidates))
    taken = candidates[first].tried
    assert isinstance(taken, Priced)
    others = _witnesses(candidates, first)
    diverging = Diverging(taken.price, tuple(o.price for o in others), tuple(o.route for o in others))
    problems, found = judge([diverging], at, settings)
    passed = [f"fallback: {c.tried}" for c in candidates[:first]]
    flags = _once([*taken.flags, *passed, *found])
    if problems:
        reason = "; ".join(problems)
        return Settled(_held(token, taken, reason, flags), None, tuple(candidates), first)
    exact = _widened(taken, others, flags) if others or passed else taken
    return Settled(_quote(token, exact), exact, tuple(candidates), first)


def _first_good(candidates: Sequence[Candidate]) -> int | None:
    for i, candidate in enumerate(candidates):
        if isinstance(candidate.tried, Priced) and (not candidate.last_resort or _all_absent(candidates[:i])):
            return i
    return None


def _all_absent(candidates: Iterable[Candidate]) -> bool:
    return all(isinstance(c.tried, Refused) and c.tried.absent for c in candidates)


def _witnesses(candidates: Sequence[Candidate], taken: int) -> list[Priced]:
    """The other routes that can speak for or against the one taken: a spot price or a par never does."""
    tried = [c.tried for i, c in enumerate(candidates) if i != taken and not c.last_resort]
    return [t for t in tried if isinstance(t, Priced) and t.grade < Grade.D]


def _widened(taken: Priced, others: Sequence[Priced], flags: tuple[str, ...]) -> Priced:
    prices = [other.price for other in others]
    return Priced(
        price=taken.price,
        low=min([taken.low, *prices]),
        high=max([taken.high, *prices]),
        grade=taken.grade,
        route=taken.route,
        steps=taken.steps,
        flags=flags,
    )


def _quote(token: Address, exact: Priced) -> Quote:
    return Quote(
        token=token,
        price=to_price(exact.price),
        low=to_price(exact.low),
        high=-to_price(-exact.high),
        grade=exact.grade,
        route=exact.route,
        steps=exact.steps,
        flags=exact.flags,
    )


def _held(token: Address, tried: Try, reason: str, flags: tuple[str, ...] = ()) -> Quote:
    return Quote(
        token=token,
        price=None,
        low=None,
        high=None,
        grade=Grade.U,
        route=tried.route,
        steps=tried.steps,
        status=Status.HELD,
        reason=reason,
        flags=flags,
    )


def _once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
