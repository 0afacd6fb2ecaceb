"""Stored points of deployments -> rows of a series: thinned to a grid, and summed over a protocol's deployments.

Pure. A sum exists only where every deployment has a number: a row is never a part that looks like the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexer.config.types import Cadence
from indexer.model import Bucket, State, Status, Total
from indexer.store.base import Point

_WORST_FIRST = (Status.GAP, Status.HELD, Status.MALFORMED, Status.MISSING, Status.SUSPECT, Status.UNPRICED)
_LEAST_FINAL_FIRST = (State.SUPERSEDED, State.PROVISIONAL, State.SAFE, State.FINAL)


@dataclass(frozen=True, slots=True)
class Row:
    """One time of a series: the point of each deployment, and what they are worth together.

    `timestamp` is the latest block's. `totals` is empty where any deployment is a gap: there is no sum then.
    """

    timestamp: int
    points: tuple[Point, ...]
    totals: Mapping[Bucket, Total]
    status: Status
    reason: str
    state: State


@dataclass(frozen=True, slots=True)
class Series:
    """Rows, oldest first, and for each deployment how many grid points had to be left out because it has none there."""

    rows: tuple[Row, ...]
    lacking: Mapping[str, int]


def thin(points: Iterable[Point], every: Cadence) -> list[Point]:
    """The first point of each interval of the grid: all of them where they are sparser than it."""
    return list(_by_interval(points, every).values())


def combine(by_deployment: Mapping[str, Sequence[Point]], every: Cadence) -> Series:
    """The sum over deployments at each interval of the grid in which all of them have a point.

    The intervals are of time where the deployments are on several chains; numbers of blocks only mean the same on one.
    """
    placed = {key: _by_interval(points, every) for key, points in by_deployment.items()}
    intervals = sorted(set().union(*placed.values())) if placed else []
    complete = [i for i in intervals if all(i in points for points in placed.values())]
    lacking = {key: sum(i not in points for i in intervals) for key, points in placed.items()}
    rows = tuple(row([points[i] for points in placed.values()]) for i in complete)
    return Series(rows, {key: count for key, count in lacking.items() if count})


def row(points: Sequence[Point]) -> Row:
    """Points of one time as one row: totals added, the worst status, the least final state."""
    gap = any(point.status is Status.GAP for point in points)
    return Row(
        timestamp=max(point.at.timestamp for point in points),
        points=tuple(points),
        totals={} if gap else sum_totals(point.totals for point in points),
        status=_status(points),
        reason="; ".join(_reasons(points)),
        state=min((point.state for point in points), key=_LEAST_FINAL_FIRST.index),
    )


def sum_totals(many: Iterable[Mapping[Bucket, Total]]) -> dict[Bucket, Total]:
    """Totals of several snapshots, bucket by bucket."""
    summed: dict[Bucket, Total] = {}
    for totals in many:
        for bucket, total in totals.items():
            summed[bucket] = _plus(summed[bucket], total) if bucket in summed else total
    return {bucket: summed[bucket] for bucket in Bucket if bucket in summed}


def _by_interval(points: Iterable[Point], every: Cadence) -> dict[int, Point]:
    first: dict[int, Point] = {}
    for point in points:
        interval = point.at.number // every.blocks if every.blocks else point.at.timestamp // every.seconds
        first.setdefault(interval, point)
    return first


def _status(points: Sequence[Point]) -> Status:
    statuses = {point.status for point in points}
    for status in _WORST_FIRST:
        if status in statuses:
            return status
    return Status.NOT_APPLICABLE if statuses == {Status.NOT_APPLICABLE} else Status.OK


def _reasons(points: Sequence[Point]) -> list[str]:
    if len(points) == 1:
        return [points[0].reason] if points[0].reason else []
    return [f"{point.deployment}: {point.reason}" for point in points if point.reason]


def _plus(a: Total, b: Total) -> Total:
    return Total(a.usd + b.usd, a.low + b.low, a.high + b.high, a.lines + b.lines, a.left_out + b.left_out)
