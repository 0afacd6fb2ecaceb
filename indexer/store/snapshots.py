"""Queries of what is canonical: the snapshots that hold at a block, their states, whole snapshots.

Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
)

from indexer.model import Address, Bucket, Holding, Line, Quote, Snapshot, Status, Token, Total
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.deltas import Spot
from indexer.store.points import ENDLESS, block_at, last_point
from indexer.store.rows import Content, line_of, quote_of, total_of

_IN_ONE_QUERY = 500

_S = t.snapshot.c
_DEPLOYMENT: BindParameter[int] = bindparam("deployment")
_NUMBER: BindParameter[int] = bindparam("number")
"""Queries that every block makes are built once, at the end of this module: building takes longer than running."""


def deployment_id(connection: Connection, key: str) -> int | None:
    """The row of a deployment, if it is registered."""
    return connection.execute(select(t.deployment.c.id).where(t.deployment.c.key == key)).scalar()


def spots(connection: Connection, deployments: Iterable[int], number: int) -> dict[int, Spot]:
    """The snapshot that holds at a block, of each deployment that has one."""
    asked = {"deployments": list(deployments), "number": number}
    return {row.deployment_id: _spot(row) for row in connection.execute(_SPOTS, asked)}


def _spot(row: Row[Any]) -> Spot:
    return Spot(row.id, row.number, (row.status, row.reason, row.methodology, row.adapter))


def state_of(connection: Connection, deployment: int, spot: Spot) -> deltas.State:
    """All that a snapshot says."""
    state = state_at(connection, deployment, spot.number)
    totals = totals_of(connection, select(t.total).where(t.total.c.snapshot_id == spot.id))
    return replace(state, totals=totals.get(spot.id, {}), said=spot.said)


def state_at(connection: Connection, deployment: int, number: int) -> deltas.State:
    """Holdings and quotes as they stand at a block."""
    place = {"deployment": deployment, "number": number}
    holdings: dict[int, Content] = {row[0]: tuple(row[1:]) for row in connection.execute(_HOLDINGS, place)}
    return deltas.State(holdings, {row[0]: row[1] for row in connection.execute(_QUOTED, place)})


def latest_holdings(*columns: ColumnElement[Any]) -> Select[Any]:
    """Rows of holding (and position, token) as they stand in a `deployment` at a `number`: both are parameters."""
    later = t.holding.alias("later")
    last = (
        select(func.max(later.c.number))
        .where(later.c.position_id == t.position.c.id, later.c.live, later.c.number <= _NUMBER)
        .scalar_subquery()
    )
    return (
        select(*columns)
        .select_from(t.position.join(t.token).join(t.holding, t.holding.c.position_id == t.position.c.id))
        .where(t.position.c.deployment_id == _DEPLOYMENT, t.holding.c.live, t.holding.c.number == last)
        .where(t.holding.c.status.is_not(None))
    )


def latest_quoted(*columns: ColumnElement[Any]) -> Select[Any]:
    """Rows of quoted (and quote, token) as they stand in a `deployment` at a `number`: both are parameters."""
    later = t.quoted.alias("later")
    held = select(t.position.c.token_id).where(t.position.c.deployment_id == _DEPLOYMENT).distinct().subquery("held")
    last = (
        select(func.max(later.c.number))
        .where(later.c.deployment_id == _DEPLOYMENT, later.c.token_id == held.c.token_id)
        .where(later.c.live, later.c.number <= _NUMBER)
        .scalar_subquery()
    )
    return (
        select(*columns)
        .select_from(held.join(t.quoted, t.quoted.c.token_id == held.c.token_id))
        .join(t.quote, t.quote.c.id == t.quoted.c.quote_id)
        .join(t.token, t.token.c.id == t.quoted.c.token_id)
        .where(t.quoted.c.deployment_id == _DEPLOYMENT, t.quoted.c.live, t.quoted.c.number == last)
    )


def in_range(deployment: int, from_block: int, to_block: int | None) -> Select[Any]:
    """Live snapshots that begin in a range of blocks."""
    query = select(t.snapshot).where(_S.deployment_id == deployment, _S.live, _S.number >= from_block)
    return query if to_block is None else query.where(_S.number <= to_block)


def held(connection: Connection, deployment: int, from_block: int, to_block: int | None) -> list[Row[Any]]:
    """Live snapshots that hold somewhere in a range of blocks, oldest first: those in it, and the last one before."""
    return list(connection.execute(HELD, range_of(deployment, from_block, to_block)).all())


def range_of(deployment: int, from_block: int, to_block: int | None) -> dict[str, int]:
    """The parameters of `HELD`."""
    return {"deployment": deployment, "first": from_block, "last": ENDLESS if to_block is None else to_block}


def totals_of(
    connection: Connection, query: Select[Any], place: Mapping[str, int] | None = None
) -> dict[int, dict[Bucket, Total]]:
    """Totals by snapshot id."""
    totals: dict[int, dict[Bucket, Total]] = {}
    for row in connection.execute(query, place):
        totals.setdefault(row.snapshot_id, {})[Bucket(row.bucket)] = total_of(row)
    return totals


def snapshot(connection: Connection, key: str, at_or_before: int | None) -> Snapshot | None:
    """See `Store.snapshot`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return None
    point = last_point(connection, deployment, at_or_before)
    if point is None:
        return None
    quotes = _quotes(connection, deployment, point.number)
    tokens, lines = _lines(connection, deployment, point.number, quotes)
    spot = spots(connection, [deployment], point.number)[deployment]
    status, reason, methodology, adapter = spot.said
    return Snapshot(
        deployment=key,
        at=block_at(point),
        lines=lines,
        quotes=quotes,
        tokens=tokens,
        totals=totals_of(connection, select(t.total).where(t.total.c.snapshot_id == spot.id)).get(spot.id, {}),
        status=Status(status),
        reason=reason,
        methodology=methodology,
        adapter=adapter,
    )


def _quotes(connection: Connection, deployment: int, number: int) -> dict[Address, Quote]:
    rows = connection.execute(_QUOTES, {"deployment": deployment, "number": number})
    return {Address(row.address): quote_of(Address(row.address), row) for row in rows}


def _lines(
    connection: Connection, deployment: int, number: int, quotes: dict[Address, Quote]
) -> tuple[dict[Address, Token], tuple[Line, ...]]:
    tokens: dict[Address, Token] = {}
    lines: list[Line] = []
    for row in connection.execute(_LINES, {"deployment": deployment, "number": number}):
        token = tokens.setdefault(Address(row.address), token_of(row))
        lines.append(line_of(holding_of(row), row.verdict, quotes.get(token.address), token))
    return tokens, tuple(lines)


def token_of(row: Row[Any]) -> Token:
    """The token in a row that has the token table's columns."""
    return Token(Address(row.address), row.symbol, row.decimals, row.symbol_raw)


def holding_of(row: Row[Any]) -> Holding:
    """The holding in a joined row of token, position and holding."""
    return Holding(
        token=Address(row.address),
        amount=row.amount,
        owner=Address(row.owner),
        bucket=Bucket(row.bucket),
        status=Status(row.status),
        reason=row.reason,
        receipt=None if row.receipt is None else Address(row.receipt),
    )


def rows_by_id(connection: Connection, table: Table, ids: Iterable[int]) -> list[Row[Any]]:
    """Rows of a table by their ids, asked for in parts."""
    wanted: Sequence[int] = sorted(set(ids))
    rows: list[Row[Any]] = []
    for start in range(0, len(wanted), _IN_ONE_QUERY):
        part = wanted[start : start + _IN_ONE_QUERY]
        rows += connection.execute(select(table).where(table.c.id.in_(part))).all()
    return rows


_H, _T, _P = t.holding.c, t.token.c, t.position.c
_EARLIER = t.snapshot.alias("earlier").c
_OPENING = (
    select(func.max(_EARLIER.number))
    .where(_EARLIER.deployment_id == t.deployment.c.id, _EARLIER.live, _EARLIER.number <= _NUMBER)
    .scalar_subquery()
)
_BEFORE = (
    select(func.max(_EARLIER.number))
    .where(_EARLIER.deployment_id == _DEPLOYMENT, _EARLIER.live, _EARLIER.number <= bindparam("first"))
    .scalar_subquery()
)
HELD = (
    select(t.snapshot)
    .where(_S.deployment_id == _DEPLOYMENT, _S.live, _S.number >= func.coalesce(_BEFORE, 0))
    .where(_S.number <= bindparam("last"))
    .order_by(_S.number)
)
_SPOTS = (
    select(t.snapshot)
    .select_from(t.deployment.join(t.snapshot, and_(_S.deployment_id == t.deployment.c.id, _S.live)))
    .where(t.deployment.c.id.in_(bindparam("deployments", expanding=True)), _S.number == _OPENING)
)
_HOLDINGS = latest_holdings(_H.position_id, _H.amount, _H.status, _H.reason, _H.receipt, _H.verdict)
_QUOTED = latest_quoted(t.quoted.c.token_id, t.quoted.c.quote_id)
_QUOTES = latest_quoted(_T.address, *t.quote.c)
_LINES = latest_holdings(_T.address, _T.symbol, _T.decimals, _T.symbol_raw, _P.owner, _P.bucket, *_H).order_by(
    _T.address, _P.owner, _P.bucket
)
