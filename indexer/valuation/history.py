"""A deployment's stored snapshots and gross flows -> what it held of a token over time, and means weighted by time.

Amounts and prices as they were stored; nothing is filled in where nothing is known. Pure and exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from indexer.model import Address, BlockRef, Bucket, Flow, Line, Quote, Snapshot, Status

Place = tuple[Address, Address, Bucket]
"""Token, owner and bucket: what a flow is of."""

Path = list[tuple[int, int]]
"""Seconds since 1970 and the amount from then on, oldest first."""


@dataclass(frozen=True, slots=True)
class Sight:
    """All of a deployment's base in one token at a block.

    `amount` is None where any part of it could not be had. `price` (`units.PRICE_DECIMALS`) and `usd` are None where
    there is no value.
    """

    amount: int | None
    price: int | None
    usd: int | None
    places: frozenset[Place] = frozenset()


NOTHING = Sight(0, None, 0)
"""A token that is not there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a snapshot says of the base, token by token. `follows`: no stored snapshot lies between it and the last."""

    at: BlockRef
    base_usd: int
    sights: Mapping[Address, Sight]
    follows: bool = True

    def of(self, token: Address) -> Sight:
        """A token, or nothing of it."""
        return self.sights.get(token, NOTHING)


@dataclass(frozen=True, slots=True)
class Flown:
    """Gross flows in the blocks `from_block` to `to_block`; of the `complete` places none is missing."""

    from_block: int
    to_block: int
    items: tuple[Flow, ...]
    complete: frozenset[Place]


def seen(snapshot: Snapshot, follows: bool = True) -> Seen:
    """A snapshot's base by token. Of a gap nothing is to be said: leave it out."""
    groups: dict[Address, list[Line]] = {}
    for line in snapshot.lines:
        if line.holding.bucket is Bucket.BASE and line.status is not Status.NOT_APPLICABLE:
            groups.setdefault(line.holding.token, []).append(line)
    sights = {token: _sight(lines, snapshot.quotes.get(token)) for token, lines in groups.items()}
    return Seen(snapshot.at, base_usd(snapshot), sights, follows)


def _sight(lines: Sequence[Line], quote: Quote | None) -> Sight:
    had = all(line.holding.amount is not None and line.holding.status is Status.OK for line in lines)
    return Sight(
        amount=sum(line.holding.amount or 0 for line in lines) if had else None,
        price=quote.price if quote else None,
        usd=sum(line.usd or 0 for line in lines) if all(line.status is Status.OK for line in lines) else None,
        places=frozenset((line.holding.token, line.holding.owner, Bucket.BASE) for line in lines),
    )


def base_usd(snapshot: Snapshot) -> int:
    """What a snapshot's base is worth, as far as it has a value."""
    total = snapshot.totals.get(Bucket.BASE)
    return total.usd if total else 0


def net_flow(flown: Iterable[Flown], places: frozenset[Place], after: BlockRef, upto: BlockRef) -> int | None:
    """What came less what left in the blocks after one and up to another; None where some of it may be missing."""
    for span in flown:
        if span.from_block <= after.number + 1 and upto.number <= span.to_block and places <= span.complete:
            moved = [f for f in span.items if after.number < f.at.number <= upto.number and _place(f) in places]
            return sum(flow.amount_in - flow.amount_out for flow in moved)
    return None


def path(window: Sequence[Seen], flown: Iterable[Flown], token: Address) -> Path:
    """The amount of a token over time: at every snapshot, and where flows are complete at every block between.

    Between two snapshots the flows are counted forward from the earlier one. A snapshot without an amount is left out.
    """
    known = [one for one in window if one.of(token).amount is not None]
    steps: dict[int, int] = {}
    for here, there in pairwise(known):
        steps[here.at.timestamp] = here.of(token).amount or 0
        steps |= _between(flown, here.of(token).places | there.of(token).places, here, there.at, token)
    if known:
        steps[known[-1].at.timestamp] = known[-1].of(token).amount or 0
    return sorted(steps.items())


def weighted_mean(steps: Path, start: int, end: int) -> Fraction | None:
    """The mean of a stepwise path over a time, each level by how long it stood; None where nothing is known of it."""
    pieces = _pieces(steps, start, end)
    lasted = sum(seconds for seconds, _ in pieces)
    return Fraction(sum(seconds * level for seconds, level in pieces), lasted) if lasted else None


def weighted_median(steps: Path, start: int, end: int) -> int | None:
    """The level below and above which a path stood equally long; the lower one of two. None as for the mean."""
    pieces = sorted(_pieces(steps, start, end), key=lambda piece: piece[1])
    lasted = sum(seconds for seconds, _ in pieces)
    passed = 0
    for seconds, level in pieces:
        passed += seconds
        if 2 * passed >= lasted:
            return level
    return None


def _pieces(steps: Path, start: int, end: int) -> list[tuple[int, int]]:
    """How long each level stood within a time; a level before the first step is not known."""
    ends = [time for time, _ in steps[1:]] + [end]
    clipped = [(min(until, end) - max(time, start), level) for (time, level), until in zip(steps, ends, strict=False)]
    return [(seconds, level) for seconds, level in clipped if seconds > 0]


def _between(
    flown: Iterable[Flown], places: frozenset[Place], here: Seen, upto: BlockRef, token: Address
) -> dict[int, int]:
    """The amount before and after each block with flows between two snapshots; nothing where some may be missing."""
    for span in flown:
        if span.from_block <= here.at.number + 1 and upto.number <= span.to_block and places <= span.complete:
            amount = here.of(token).amount or 0
            steps: dict[int, int] = {}
            for flow in sorted(span.items, key=lambda flow: flow.at.number):
                if here.at.number < flow.at.number < upto.number and _place(flow) in places:
                    steps.setdefault(flow.at.timestamp - 1, amount)
                    amount += flow.amount_in - flow.amount_out
                    steps[flow.at.timestamp] = amount
            return steps
    return {}


def _place(flow: Flow) -> Place:
    return flow.token, flow.owner, flow.bucket
