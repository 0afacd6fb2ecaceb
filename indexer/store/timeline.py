"""A deployment's points with what held at each: the verbs that tell a series without its lines.

A snapshot holds from its own point on, until the next one. Plain functions on a connection, inside somebody's
transaction. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select

from indexer.model import BlockRef, Bucket, Hash, State, Status
from indexer.store import tables as t
from indexer.store.base import Point
from indexer.store.points import ENDLESS, PointRow, between, block_at, last_point, page_of
from indexer.store.snapshots import HELD, deployment_id, held, in_range, range_of, totals_of
from indexer.valuation.rollup import Level

_S = t.snapshot.c
_HASHES, _TIMES = page_of(t.point.c.hash), page_of(t.point.c.timestamp)
_GAP, _HELD, _NOT_APPLICABLE = Status.GAP.value, Status.HELD.value, Status.NOT_APPLICABLE.value


def spread(points: Iterable[PointRow], rows: Sequence[Any]) -> Iterator[tuple[PointRow, Any]]:
    """Each point with the snapshot that holds there; both are in the order of blocks.

    A point's row begins with its number. Raises ValueError where nothing holds.
    """
    starts = [row.number for row in rows]
    count, begins = 0, starts[0] if starts else ENDLESS
    for point in points:
        number = point[0]
        while begins <= number:
            count += 1
            begins = starts[count] if count < len(starts) else ENDLESS
        if not count:
            raise ValueError(f"nothing is said at block {number}, nor before it")
        yield point, rows[count - 1]


def points(connection: Connection, key: str, from_block: int, to_block: int | None) -> list[Point]:
    """See `Store.series`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return []
    rows = held(connection, deployment, from_block, to_block)
    totals = totals_of(connection, _TOTALS, range_of(deployment, from_block, to_block))
    return [
        Point(key, block_at(point), State(point.state), Status(row.status), row.reason, totals.get(row.id, {}))
        for point, row in spread(between(connection, deployment, from_block, to_block), rows)
    ]


def present(connection: Connection, key: str, from_block: int, to_block: int) -> dict[int, tuple[Hash, Status]]:
    """See `Store.present`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return {}
    rows = held(connection, deployment, from_block, to_block)
    statuses = {row.id: Status(row.status) for row in rows}
    told = spread(between(connection, deployment, from_block, to_block, _HASHES), rows)
    return {point[0]: (Hash(point[1]), statuses[row.id]) for point, row in told}


def last_read(connection: Connection, key: str, block: int | None, time: int | None, is_whole: bool) -> BlockRef | None:
    """See `Store.last_read`: the last point of the last snapshot that is wanted."""
    deployment = deployment_id(connection, key)
    latest = None if deployment is None else last_point(connection, deployment, block, time)
    if deployment is None or latest is None:
        return None
    unwanted = [_GAP, _HELD] if is_whole else [_GAP]
    wanted = in_range(deployment, 0, latest.number).where(_S.status.not_in(unwanted))
    row = connection.execute(wanted.order_by(_S.number.desc()).limit(1)).first()
    if row is None:
        return None
    after = connection.execute(in_range(deployment, row.number + 1, latest.number).order_by(_S.number).limit(1)).first()
    point = latest if after is None else last_point(connection, deployment, after.number - 1)
    return None if point is None else block_at(point)


def levels(connection: Connection, key: str, from_time: int, to_time: int | None, bucket: Bucket) -> list[Level]:
    """See `Store.levels`. Block times never fall, so the last before a time is the one with the highest number."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return []
    before = last_point(connection, deployment, None, from_time - 1)
    first = before.number if before else 0
    upto = ENDLESS if to_time is None else to_time
    points = takewhile(lambda point: point[1] <= upto, between(connection, deployment, first, None, _TIMES))
    rows = connection.execute(_WORTH, {**range_of(deployment, first, None), "bucket": bucket.value}).all()
    return [_level(point[1], row) for point, row in spread(points, rows)]


def _level(timestamp: int, row: Row[Any]) -> Level:
    _, status, usd, low, high, lines, left_out = tuple(row)
    if status == _GAP or (left_out and not lines and status != _NOT_APPLICABLE):
        return Level(timestamp, None)
    return Level(timestamp, usd or 0, low or 0, high or 0, status == _HELD)


_W = t.total.c
_TOTALS = select(t.total).where(_W.snapshot_id.in_(HELD.with_only_columns(_S.id).order_by(None)))
_OF_BUCKET = and_(_W.snapshot_id == _S.id, _W.bucket == bindparam("bucket"))
_WORTH = HELD.with_only_columns(_S.number, _S.status, _W.usd, _W.low, _W.high, _W.lines, _W.left_out).select_from(
    t.snapshot.outerjoin(t.total, _OF_BUCKET)
)
