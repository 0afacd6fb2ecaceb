"""Queries of points: the blocks at which a deployment was read, whether or not anything was new there.

A deployment's points are those of every roster that it is in: each roster is looked up by itself, in the order of its
index. Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
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

_AT_ONCE = 1024

_P, _M = t.point.c, t.member.c
_DEPLOYMENT: BindParameter[int] = bindparam("deployment")
_ROSTER: BindParameter[int] = bindparam("roster")
_FIRST: BindParameter[int] = bindparam("first")
_LAST: BindParameter[int] = bindparam("last")


def between(connection: Connection, deployment: int, first: int, last: int | None) -> Iterator[Row[Any]]:
    """Canonical points of a range of blocks, oldest first; few are in memory at a time."""
    upto = ENDLESS if last is None else last
    rosters = connection.execute(_ROSTERS, {"deployment": deployment}).scalars().all()
    paged = [_of_roster(connection, roster, first, upto) for roster in rosters]
    return paged[0] if len(paged) == 1 else heapq.merge(*paged, key=attrgetter("number"))


def last_point(connection: Connection, deployment: int, number: int | None, time: int | None = None) -> Row[Any] | None:
    """The last canonical point at or before a block and a time, where given."""
    upto = {"last": ENDLESS if number is None else number, "time": ENDLESS if time is None else time}
    return _best(connection, _LAST_OF_EACH, {"deployment": deployment, **upto}, max)


def next_point(connection: Connection, deployment: int, number: int) -> Row[Any] | None:
    """The first canonical point after a block."""
    return _best(connection, _NEXT_OF_EACH, {"deployment": deployment, "first": number + 1}, min)


def block_at(point: Row[Any]) -> BlockRef:
    """The block of a point."""
    return BlockRef(point.number, Hash(point.hash), Hash(point.parent_hash), point.timestamp)


def _of_roster(connection: Connection, roster: int, first: int, last: int) -> Iterator[Row[Any]]:
    while True:
        rows = connection.execute(_PAGE, {"roster": roster, "first": first, "last": last}).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        first = rows[-1].number + 1


def _best(connection: Connection, query: Any, place: dict[str, int], choose: Any) -> Row[Any] | None:
    found = [(row.number, row.roster_id) for row in connection.execute(query, place) if row.number is not None]
    if not found:
        return None
    number, roster = choose(found)
    return connection.execute(_PAGE, {"roster": roster, "first": number, "last": number}).first()


def _in_roster(edge: Any, *where: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(edge(_P.number)).where(_P.roster_id == _M.roster_id, CANONICAL, *where).scalar_subquery()


_ROSTERS = select(_M.roster_id).where(_M.deployment_id == _DEPLOYMENT)
_PAGE = (
    select(t.point)
    .where(_P.roster_id == _ROSTER, CANONICAL, _P.number >= _FIRST, _P.number <= _LAST)
    .order_by(_P.number)
    .limit(_AT_ONCE)
)
_BEFORE = _in_roster(func.max, _P.number <= _LAST, _P.timestamp <= bindparam("time"))
_LAST_OF_EACH = select(_M.roster_id, _BEFORE.label("number")).where(_M.deployment_id == _DEPLOYMENT)
_AFTER = _in_roster(func.min, _P.number >= _FIRST)
_NEXT_OF_EACH = select(_M.roster_id, _AFTER.label("number")).where(_M.deployment_id == _DEPLOYMENT)
