"""What the verbs that read the store share: a name -> its deployments, and moments -> the points they mean."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.cli.when import Moment
from indexer.errors import UnknownName, clean
from indexer.store.base import DeploymentRow, Point, Store


async def deployments_of(store: Store, name: str) -> list[DeploymentRow]:
    """The deployments of a protocol, or the one of that key. Raises UnknownName."""
    rows = await store.deployments()
    chosen = [row for row in rows if name in (row.protocol, row.key)]
    if not chosen:
        there = ", ".join(sorted({row.protocol for row in rows})) or "nothing yet"
        raise UnknownName(
            f"the store has no protocol {clean(name, 64)!r}; it has: {there}",
            hint="`tvl run` and `tvl backfill` fill the store; `tvl check PROTOCOL` reads without it.",
        )
    return chosen


async def points_of(store: Store, deployment: str, start: Moment | None, end: Moment | None) -> list[Point]:
    """The stored points from `start` to `end`, both included. `-90d` counts from the last stored point."""
    first = start.block if start and start.block is not None else 0
    last = end.block if end else None
    points = await store.series(deployment, first, last)
    if not points:
        return []
    newest = await _newest(store, deployment, points, last)
    since = start.time(newest) if start else None
    until = end.time(newest) if end else None
    return [p for p in points if _within(p.at.timestamp, since, until)]


async def block_before(store: Store, deployment: str, moment: Moment) -> int | None:
    """The last stored block at or before a moment; None where there is none."""
    points = await points_of(store, deployment, None, moment)
    return points[-1].at.number if points else None


async def _newest(store: Store, deployment: str, points: Sequence[Point], last: int | None) -> int:
    """The time of the last stored point, also where the range ends before it."""
    if last is None:
        return points[-1].at.timestamp
    snapshot = await store.snapshot(deployment)
    return snapshot.at.timestamp if snapshot else points[-1].at.timestamp


def _within(timestamp: int, since: int | None, until: int | None) -> bool:
    return (since is None or timestamp >= since) and (until is None or timestamp <= until)


async def time_at(store: Store, rows: Sequence[DeploymentRow], moment: Moment) -> int | None:
    """A moment as seconds since 1970; None for the latest. A block is one of these deployments'. Raises UnknownName."""
    if moment.timestamp is not None:
        return moment.timestamp
    if moment.block is None and moment.ago_s is None:
        return None
    found = [one.at.timestamp for row in rows if (one := await store.snapshot(row.key, moment.block))]
    if not found:
        raise UnknownName(f"nothing is stored at or before {moment.text}", hint="`tvl status` tells what is stored.")
    return max(found) - (moment.ago_s or 0)
