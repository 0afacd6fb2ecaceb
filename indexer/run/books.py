"""The store at a moment -> the books of every deployment: what claims, profiles and verdicts are worked out from.

Reads the store alone. A deployment that has nothing recent at the moment is named, not silently missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from indexer.model import Snapshot, Status
from indexer.store.base import DeploymentRow, Point, Store
from indexer.valuation.books import Book

STRETCH, FARTHEST = 4_096, 1 << 40
"""Blocks that are looked through at first, and more than any chain has."""

RECENT_S = 86_400
"""Snapshots older than this at the moment are not of the moment: a deployment that is read once a day is."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The books at a moment, and the deployments that have none there, each with why. `time` is the latest block's."""

    time: int
    books: tuple[Book, ...]
    lacking: dict[str, str]


async def shelf(store: Store, time: int | None = None, *, chain: str = "") -> Shelf:
    """The last snapshot of every deployment (of a chain) at or before a time (default: the newest of all)."""
    rows = [row for row in await store.deployments() if chain in ("", row.chain)]
    found = {row.key: await snapshot_before(store, row.key, time) for row in rows}
    latest = time if time is not None else max((one.at.timestamp for one in found.values() if one), default=0)
    lacking = {row.key: why for row in rows if (why := _lacks(found[row.key], latest))}
    books = tuple(book(row, one) for row in rows if (one := found[row.key]) and row.key not in lacking)
    return Shelf(latest, books, lacking)


def book(row: DeploymentRow, snapshot: Snapshot) -> Book:
    """A deployment's snapshot as a book."""
    return Book(row.protocol, row.chain, row.category, snapshot, json.loads(row.params_json))


async def snapshot_before(store: Store, deployment: str, time: int | None) -> Snapshot | None:
    """The last canonical snapshot whose block is not later than a time."""
    newest = await store.snapshot(deployment)
    if newest is None or time is None or newest.at.timestamp <= time:
        return newest
    points = await points_since(store, deployment, newest.at.number, time)
    number = max((point.at.number for point in points if point.at.timestamp <= time), default=None)
    return None if number is None else await store.snapshot(deployment, number)


async def points_since(store: Store, deployment: str, last_block: int, time: int) -> list[Point]:
    """The points up to a block, from one that is not later than a time on (or from the first): not all that is stored.

    Asked for in stretches that grow, because how many blocks a time is differs from chain to chain.
    """
    reach = STRETCH
    while True:
        points = await store.series(deployment, max(0, last_block - reach), last_block)
        if reach >= last_block or (points and points[0].at.timestamp <= time):
            return points
        reach *= 8


async def points_until(store: Store, deployment: str, first_block: int, time: int) -> list[Point]:
    """The points from a block on, at least up to a time, where there are so many."""
    reach = STRETCH
    while True:
        points = await store.series(deployment, first_block, first_block + reach)
        if reach >= FARTHEST or (points and points[-1].at.timestamp >= time):
            return points
        reach *= 8


def _lacks(snapshot: Snapshot | None, latest: int) -> str:
    if snapshot is None:
        return "nothing stored by then"
    if snapshot.at.timestamp < latest - RECENT_S:
        return f"its last snapshot, block {snapshot.at.number}, is {(latest - snapshot.at.timestamp) // 3600} h older"
    if snapshot.status is Status.GAP:
        return f"a gap at block {snapshot.at.number}: {snapshot.reason}"
    return ""
