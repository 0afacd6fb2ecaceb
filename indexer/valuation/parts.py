"""One position at two times -> why its value changed: flow, price, yield, debt, scope, method, residual, exactly.

Integers only. The exact parts are stacked on the opening value and each is the difference of the floors of the running
sum, so that they add up to the change of the (rounded down) values to the last unit, and a part that is nothing is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import accumulate, pairwise
from operator import add, attrgetter

from indexer.model import Quote

RATE_KINDS = frozenset({"rate", "erc4626"})
"""Oracle kinds whose answer is what one unit of a receipt redeems for: its growth is yield, not price."""


class Part(StrEnum):
    """What a change of units is due to."""

    FLOW = "flow"
    YIELD = "yield"
    DEBT = "debt"
    SCOPE = "scope"
    METHOD = "method"


@dataclass(frozen=True, slots=True)
class Parts:
    """USD, scaled by `units.USD_DECIMALS`. The seven parts add up to `change`; `gross_in - gross_out` is `flow`."""

    flow: int = 0
    price: int = 0
    yielded: int = 0
    debt: int = 0
    scope: int = 0
    method: int = 0
    residual: int = 0
    gross_in: int = 0
    gross_out: int = 0

    @property
    def change(self) -> int:
        """By how much the value changed."""
        return self.flow + self.price + self.yielded + self.debt + self.scope + self.method + self.residual

    def __add__(self, other: Parts) -> Parts:
        return Parts(*map(add, _numbers(self), _numbers(other)))


_numbers: Callable[[Parts], tuple[int, ...]] = attrgetter(*(field.name for field in fields(Parts)))
NOTHING = Parts()


@dataclass(frozen=True, slots=True)
class Worth:
    """`amount` raw units at `price`: `amount * price / scale` USD. `quote` is where the price is from."""

    amount: int
    price: int
    scale: int
    quote: Quote | None = None

    @property
    def usd(self) -> int:
        """The value, rounded down once."""
        return self.amount * self.price // self.scale


@dataclass(frozen=True, slots=True)
class Move:
    """Raw units that came and went in one block; `at_close` where it is the block of the later time."""

    amount_in: int
    amount_out: int
    at_close: bool


def sum_parts(many: Iterable[Parts]) -> Parts:
    """The sum of all."""
    columns = [_numbers(parts) for parts in many]
    return Parts(*map(sum, zip(*columns, strict=True))) if columns else NOTHING


def split(before: Worth, after: Worth, moves: Sequence[Move], rest: Part) -> Parts:
    """The parts of `after.usd - before.usd`, both of one scale.

    Units that `moves` tell are flow, each at the price of its block: the later price in the later block, else the mid
    of both prices. All other units are `rest`, at the mid price. What the price of a receipt grew by its rate is yield,
    and what then remains is price. Mid prices make the split the same read forwards and backwards.
    """
    mid2 = before.price + after.price
    came2, went2 = _moved(moves, mid2, 2 * after.price)
    unmoved = after.amount - before.amount - _net(moves)
    held2 = before.amount + after.amount - _net(move for move in moves if move.at_close)
    grown, common = _rate_growth(before, after, held2)
    two = 2 * before.scale * common
    units = dict.fromkeys(Part, 0)
    units[Part.FLOW] += (came2 - went2) * common
    units[rest] += unmoved * mid2 * common
    units[Part.YIELD] += grown
    opening = 2 * before.amount * before.price * common
    closing = 2 * after.amount * after.price * common
    flow, yielded, debt, scope, method, price = _stacked(opening, [units[part] for part in Part], closing, two)
    came = came2 * common + (max(unmoved, 0) * mid2 * common if rest is Part.FLOW else 0)
    gross_in = max(came // two, flow, 0)
    return Parts(flow, price, yielded, debt, scope, method, gross_in=gross_in, gross_out=gross_in - flow)


def _net(moves: Iterable[Move]) -> int:
    return sum(move.amount_in - move.amount_out for move in moves)


def _moved(moves: Sequence[Move], mid2: int, close2: int) -> tuple[int, int]:
    """What came and what went, each times twice the price of its block."""
    came = sum(move.amount_in * (close2 if move.at_close else mid2) for move in moves)
    went = sum(move.amount_out * (close2 if move.at_close else mid2) for move in moves)
    return came, went


def _stacked(opening: int, parts: Sequence[int], closing: int, denominator: int) -> list[int]:
    """Each part, and what is left to `closing` as the last, as differences of floors of the running sum."""
    levels = [*accumulate(parts, initial=opening), closing]
    floors = [level // denominator for level in levels]
    return [b - a for a, b in pairwise(floors)]


def _rate_growth(before: Worth, after: Worth, held2: int) -> tuple[int, int]:
    """What the growth of a receipt's rate made of `held2` half units, over twice the scale times the second number.

    With a price = rate x underlying, the growth of the rate counts at the mid price of the underlying. Where the
    underlying's own answers did not move, all of the price's change is the rate's.
    """
    rates = _rates(before.quote, after.quote)
    if rates is None:
        return 0, 1
    old, new, underlying_moved = rates
    if not underlying_moved:
        return held2 * (after.price - before.price), 1
    return held2 * (new - old) * (before.price * new + after.price * old), 2 * old * new


def _rates(before: Quote | None, after: Quote | None) -> tuple[int, int, bool] | None:
    """The rates at both times and whether anything else moved; None where the price has no rate that moved."""
    if before is None or after is None or _asked(before) != _asked(after) or "(" in after.route:
        return None
    old, new = _product(before), _product(after)
    if old == new or min(old, new) <= 0:
        return None
    return old, new, _other_answers(before) != _other_answers(after)


def _asked(quote: Quote) -> tuple[object, ...]:
    return quote.route, *((step.source, step.target, step.decimals) for step in quote.steps)


def _product(quote: Quote) -> int:
    product = 1
    for step in quote.steps:
        product *= step.answer if step.source in RATE_KINDS else 1
    return product


def _other_answers(quote: Quote) -> list[int]:
    return [step.answer for step in quote.steps if step.source not in RATE_KINDS]
