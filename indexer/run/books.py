"""The store at a moment -> the books of every deployment: what claims, profiles and verdicts are worked out from.

Reads the store alone. A deployment that has nothing recent at the moment is named, not silently missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from indexer.model import BlockRef, Snapshot, Status
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.books import Book

RECENT_S = 86_400
"""Snapshots older than this at the moment are not of the moment: a deployment that is read once a day is."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The books at a moment, and the deployments that have none there, each with why. `time` is the latest block's."""

    time: int
    books: tuple[Book, ...]
    lacking: dict[str, str]


async def shelf(store: Store, time: int | None = None, recent_s: int = RECENT_S) -> Shelf:
    """The last snapshot of every deployment at or before a time (default: the newest of all)."""
    rows = await store.deployments()
    found = {row.key: await snapshot_before(store, row.key, time) for row in rows}
    latest = time if time is not None else max((one.at.timestamp for one in found.values() if one), default=0)
    lacking = {row.key: why for row in rows if (why := _lacks(found[row.key], latest, recent_s))}
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
    number = last_at((point.at for point in await store.series(deployment, 0, newest.at.number)), time)
    return None if number is None else await store.snapshot(deployment, number)


def last_at(blocks: Iterable[BlockRef], time: int) -> int | None:
    """The number of the last block that is not later than a time."""
    return max((block.number for block in blocks if block.timestamp <= time), default=None)


def _lacks(snapshot: Snapshot | None, latest: int, recent_s: int) -> str:
    if snapshot is None:
        return "nothing stored by then"
    if snapshot.at.timestamp < latest - recent_s:
        return f"its last snapshot, block {snapshot.at.number}, is {(latest - snapshot.at.timestamp) // 3600} h older"
    if snapshot.status is Status.GAP:
        return f"a gap at block {snapshot.at.number}: {snapshot.reason}"
    return ""
