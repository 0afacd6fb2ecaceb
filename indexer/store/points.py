"""Queries of points: the blocks at which a deployment was read, whether or not anything was new there.

A deployment's points are those of every roster that it is in: each roster is looked up by itself, in the order of its
index. Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
)

from indexer.model import BlockRef, Hash
from indexer.store import tables as t

CANONICAL: ColumnElement[bool] = t.point.c.state != literal_column("'superseded'")
"""Spelled out, not bound: so the partial index of canonical points serves it."""

ENDLESS = 2**62
"""Above every block's number and time."""

PointRow: TypeAlias = "Row[*tuple[Any, ...]]"
"""A row that begins with a point's number."""

_AT_ONCE = 1024

_P, _M = t.point.c, t.member.c
_DEPLOYMENT: BindParameter[int] = bindparam("deployment")
_ROSTER: BindParameter[int] = bindparam("roster")
_FIRST: BindParameter[int] = bindparam("first")
_LAST: BindParameter[int] = bindparam("last")


def between(
    connection: Connection, deployment: int, first: int, last: int | None, page: Select[Any] | None = None
) -> Iterator[PointRow]:
    """Canonical points of a range of blocks, oldest first; few are in memory at a time. `page`: by `page_of`."""
    upto = ENDLESS if last is None else last
    query = _WHOLE if page is None else page
    rosters = connection.execute(_ROSTERS, {"deployment": deployment}).scalars().all()
    paged = [_of_roster(connection, query, roster, first, upto) for roster in rosters]
    return paged[0] if len(paged) == 1 else heapq.merge(*paged, key=itemgetter(0))


def last_point(connection: Connection, deployment: int, number: int | None, time: int | None = None) -> Row[Any] | None:
    """The last canonical point at or before a block and a time, where given."""
    upto = {"last": ENDLESS if number is None else number, "time": ENDLESS if time is None else time}
    return connection.execute(_LATEST, {"deployment": deployment, **upto}).first()


def next_point(connection: Connection, deployment: int, number: int) -> Row[Any] | None:
    """The first canonical point after a block."""
    return connection.execute(_NEXT, {"deployment": deployment, "first": number + 1}).first()


def block_at(point: Row[Any]) -> BlockRef:
    """The block of a point."""
    return BlockRef(point.number, Hash(point.hash), Hash(point.parent_hash), point.timestamp)


def page_of(*columns: Any) -> Select[Any]:
    """The number of points and these columns: for `between`, where a whole row is more than is needed."""
    of_roster = (_P.roster_id == _ROSTER, CANONICAL, _P.number >= _FIRST, _P.number <= _LAST)
    return select(_P.number, *columns).where(*of_roster).order_by(_P.number).limit(_AT_ONCE)


def _of_roster(connection: Connection, page: Select[Any], roster: int, first: int, last: int) -> Iterator[PointRow]:
    while True:
        rows = connection.execute(page, {"roster": roster, "first": first, "last": last}).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        first = rows[-1][0] + 1


def _in_each_roster(edge: Any, *where: Callable[[Any], ColumnElement[bool]]) -> Select[Any]:
    """The first or last point of each roster that a deployment is in."""
    q = t.point.alias("other").c
    canonical = q.state != literal_column("'superseded'")
    of_roster = select(edge(q.number)).where(q.roster_id == _M.roster_id, canonical, *(one(q) for one in where))
    here = (_P.roster_id == _M.roster_id, CANONICAL, _P.number == of_roster.scalar_subquery())
    return select(t.point).select_from(t.member.join(t.point, and_(*here))).where(_M.deployment_id == _DEPLOYMENT)


_ROSTERS = select(_M.roster_id).where(_M.deployment_id == _DEPLOYMENT)
_WHOLE = page_of(*(column for column in _P if column is not _P.number))
_BEFORE = (lambda q: q.number <= _LAST, lambda q: q.timestamp <= bindparam("time"))
_LATEST = _in_each_roster(func.max, *_BEFORE).order_by(_P.number.desc()).limit(1)
_NEXT = _in_each_roster(func.min, lambda q: q.number >= _FIRST).order_by(_P.number).limit(1)
