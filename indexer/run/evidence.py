"""The store -> the evidence by which one of its snapshots is judged, and the verdict. Reads the store alone.

Of a day around the snapshot a few dozen snapshots are looked at, and of the time before that those between which the
whole leapt; what lies between is drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexer.model import Address, Bucket, Snapshot, Status
from indexer.run.books import Shelf, book, points_since, points_until
from indexer.store.base import DeploymentRow, Point, Store
from indexer.valuation.books import Book
from indexer.valuation.claims import Claims
from indexer.valuation.history import Flown, Seen, seen
from indexer.valuation.quality import judge
from indexer.valuation.rollup import Level, median
from indexer.valuation.verdicts import Evidence, QualitySettings, Verdict

AROUND = 16
"""Snapshots looked at on each side of the judged one within a day, next to it and spread over the day."""

LEAPS = 12
"""Leaps of the whole that are looked into before that day, the largest of them."""

LEAP_BPS = 500
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the base over the day before it, of which its median was taken."""

    verdict: Verdict
    base: Sequence[Level]


async def judged(
    store: Store, row: DeploymentRow, snapshot: Snapshot, shelf: Shelf, settings: QualitySettings
) -> Judged:
    """The verdict on a stored snapshot. `shelf` holds everybody's books at its time."""
    at = snapshot.at
    earlier = await points_since(store, row.key, at.number, at.timestamp - settings.lookback_s)
    later = await points_until(store, row.key, at.number + 1, at.timestamp + settings.median_s)
    points = [p for p in (*earlier, *later) if p.status is not Status.GAP]
    points = [p for p in points if -settings.lookback_s <= p.at.timestamp - at.timestamp <= settings.median_s]
    before, after = chosen(points, at.number, settings)
    evidence = Evidence(
        book=book(row, snapshot),
        before=await _look(store, row.key, points, before),
        after=await _look(store, row.key, points, after),
        flown=await _flown(store, row.key, [*before, at.number, *after]),
        claims=Claims(with_book(shelf.books, book(row, snapshot))),
        own=own_tokens(row.protocol, shelf.books, settings),
    )
    base = await store.levels(row.key, at.timestamp - settings.median_s, at.timestamp)
    return Judged(judge(evidence, settings, median(base, at.timestamp, settings.median_s)), base)


def chosen(points: Sequence[Point], number: int, settings: QualitySettings) -> tuple[list[int], list[int]]:
    """The blocks to look at before and after a block: of the day around it, and both sides of earlier leaps."""
    earlier = [point for point in points if point.at.number < number]
    later = [point for point in points if point.at.number > number]
    now = next((p.at.timestamp for p in points if p.at.number == number), None)
    start = (now if now is not None else earlier[-1].at.timestamp if earlier else 0) - settings.median_s
    day = [point.at.number for point in earlier if point.at.timestamp >= start]
    numbers = {*_spread(day[::-1]), *_leaps(earlier), *(p.at.number for p in earlier[:1])}
    return sorted(numbers), sorted(_spread([point.at.number for point in later]))


def own_tokens(protocol: str, books: Iterable[Book], settings: QualitySettings) -> frozenset[Address]:
    """Tokens that a protocol issues for itself: as configured, and what it has staked or in its own bucket."""
    seen_own = {
        line.holding.token
        for one in books
        if one.protocol == protocol
        for line in one.snapshot.lines
        if line.holding.bucket in (Bucket.STAKING, Bucket.OWN)
    }
    return frozenset(seen_own | set(settings.own_tokens.get(protocol, ())))


def with_book(books: Iterable[Book], one: Book) -> list[Book]:
    """Everybody's books, the judged one in place of its deployment's own."""
    return [*(other for other in books if other.key != one.key), one]


async def _look(store: Store, key: str, points: Sequence[Point], numbers: Sequence[int]) -> tuple[Seen, ...]:
    place = {point.at.number: i for i, point in enumerate(points)}
    found = []
    for i, number in enumerate(numbers):
        one = await store.snapshot(key, number)
        follows = i == 0 or place[number] == place[numbers[i - 1]] + 1
        if one is not None and one.at.number == number:
            found.append(seen(one, follows))
    return tuple(found)


async def _flown(store: Store, key: str, numbers: Sequence[int]) -> tuple[Flown, ...]:
    """Flows over all that is looked at, and over each two neighbours: parts may be complete where the whole is not."""
    spans = [(numbers[0], numbers[-1])] if len(numbers) > 1 else []
    spans += list(pairwise(numbers)) if len(numbers) > 2 else []
    flows = [(since + 1, upto, await store.flows(key, since + 1, upto)) for since, upto in spans]
    return tuple(Flown(first, last, one.items, one.complete) for first, last, one in flows if one.items or one.complete)


def _spread(nearest_first: Sequence[int]) -> list[int]:
    """Half of the allowed number next to the judged block, the other half spread over the rest."""
    if len(nearest_first) <= AROUND:
        return list(nearest_first)
    near, rest = nearest_first[: AROUND // 2], nearest_first[AROUND // 2 :]
    step = -(-len(rest) // (AROUND // 2))
    return [*near, *rest[::step]]


def _leaps(points: Sequence[Point]) -> list[int]:
    """Both blocks of the largest leaps of the base."""
    path = [(p.at.number, p.totals.get(Bucket.BASE)) for p in points]
    known = [(number, total.usd) for number, total in path if total]
    leaps = []
    for (a, before), (b, after) in pairwise(known):
        change = abs(after - before)
        if change * BPS >= max(before, after) * LEAP_BPS and change:
            leaps.append((-change * BPS // max(before, after), a, b))
    return [number for _, a, b in sorted(leaps)[:LEAPS] for number in (a, b)]
