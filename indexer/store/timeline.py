"""A deployment's points with what held at each: the verbs that tell a series without its lines.

A snapshot holds from its own point on, until the next one. Plain functions on a connection, inside somebody's
transaction. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from indexer.model import BlockRef, Bucket, Hash, State, Status
from indexer.store import tables as t
from indexer.store.base import Point
from indexer.store.points import between, block_at, last_point
from indexer.store.snapshots import deployment_id, holding_in, in_range, totals_of
from indexer.valuation.rollup import Level

_S = t.snapshot.c
_GAP, _HELD, _NOT_APPLICABLE = Status.GAP.value, Status.HELD.value, Status.NOT_APPLICABLE.value


def spread(points: Iterable[Row[Any]], rows: Sequence[Row[Any]]) -> Iterator[tuple[Row[Any], Row[Any]]]:
    """Each point with the snapshot that holds there; both are in the order of blocks.

    Raises ValueError where none does.
    """
    count = 0
    for point in points:
        while count < len(rows) and rows[count].number <= point.number:
            count += 1
        if not count:
            raise ValueError(f"nothing is said at block {point.number}, nor before it")
        yield point, rows[count - 1]


def points(connection: Connection, key: str, from_block: int, to_block: int | None) -> list[Point]:
    """See `Store.series`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return []
    held = holding_in(deployment, from_block, to_block)
    totals = totals_of(connection, select(t.total).where(t.total.c.snapshot_id.in_(held.with_only_columns(_S.id))))
    rows = connection.execute(held.order_by(_S.number)).all()
    return [
        Point(key, block_at(point), State(point.state), Status(row.status), row.reason, totals.get(row.id, {}))
        for point, row in spread(between(connection, deployment, from_block, to_block), rows)
    ]


def present(connection: Connection, key: str, from_block: int, to_block: int) -> dict[int, tuple[Hash, Status]]:
    """See `Store.present`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return {}
    rows = connection.execute(holding_in(deployment, from_block, to_block).order_by(_S.number)).all()
    told = spread(between(connection, deployment, from_block, to_block), rows)
    return {point.number: (Hash(point.hash), Status(row.status)) for point, row in told}


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
    after = None if to_time is None else last_point(connection, deployment, None, to_time)
    if to_time is not None and after is None:
        return []
    first, last = before.number if before else 0, after.number if after else None
    rows = connection.execute(_worth(deployment, first, last, bucket)).all()
    told = spread(between(connection, deployment, first, last), rows)
    return [_level(point.timestamp, row) for point, row in told]


def _worth(deployment: int, first: int, last: int | None, bucket: Bucket) -> Select[Any]:
    """What a bucket was worth at each snapshot that holds in a range of blocks."""
    worth = t.total.c
    of_bucket = and_(worth.snapshot_id == _S.id, worth.bucket == bucket.value)
    held = holding_in(deployment, first, last).with_only_columns(
        _S.number, _S.status, worth.usd, worth.low, worth.high, worth.lines, worth.left_out
    )
    return held.select_from(t.snapshot.outerjoin(t.total, of_bucket)).order_by(_S.number)


def _level(timestamp: int, row: Row[Any]) -> Level:
    _, status, usd, low, high, lines, left_out = tuple(row)
    if status == _GAP or (left_out and not lines and status != _NOT_APPLICABLE):
        return Level(timestamp, None)
    return Level(timestamp, usd or 0, low or 0, high or 0, status == _HELD)
