"""Queries of what is canonical: neighbours of a block, states, points, whole snapshots.

Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    literal_column,
    select,
)

from indexer.model import Address, BlockRef, Bucket, Hash, Holding, Line, Quote, Snapshot, State, Status, Token, Total
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.base import Point
from indexer.store.rows import Content, block_of, line_of, quote_of, total_of
from indexer.valuation.rollup import Level

CANONICAL: ColumnElement[bool] = t.snapshot.c.state != literal_column("'superseded'")
"""Spelled out, not bound: so the partial index of canonical snapshots serves it."""

_IN_ONE_QUERY = 500
_GAP, _HELD, _NOT_APPLICABLE = Status.GAP.value, Status.HELD.value, Status.NOT_APPLICABLE.value

_DEPLOYMENT: BindParameter[int] = bindparam("deployment")
_NUMBER: BindParameter[int] = bindparam("number")
"""Queries that every block makes are built once, at the end of this module: building takes longer than running."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a canonical snapshot stands in its series."""

    id: int
    number: int
    hash: Hash
    status: Status


def deployment_id(connection: Connection, key: str) -> int | None:
    """The row of a deployment, if it is registered."""
    return connection.execute(select(t.deployment.c.id).where(t.deployment.c.key == key)).scalar()


def neighbours(connection: Connection, deployment: int, number: int) -> tuple[Spot | None, Spot | None, Spot | None]:
    """The canonical snapshots before, at, and after a block."""
    place = {"deployment": deployment, "number": number}
    upto = _spots(connection, _UPTO, place)
    after = _spots(connection, _AFTER, place)
    at = upto.pop(0) if upto and upto[0].number == number else None
    return (upto[0] if upto else None), at, (after[0] if after else None)


def _spots(connection: Connection, query: Select[Any], place: Mapping[str, int]) -> list[Spot]:
    rows = connection.execute(query, place)
    return [Spot(row.id, row.number, Hash(row.hash), Status(row.status)) for row in rows]


def state_at(connection: Connection, deployment: int, number: int) -> deltas.State:
    """What the last canonical snapshot at or before a block says."""
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


def in_range(deployment: int, from_block: int, to_block: int | None, *columns: Any) -> Select[Any]:
    """Canonical snapshots of a range of blocks, oldest first."""
    s = t.snapshot.c
    query = select(*columns).where(s.deployment_id == deployment, CANONICAL, s.number >= from_block)
    return (query if to_block is None else query.where(s.number <= to_block)).order_by(s.number)


def points(connection: Connection, key: str, from_block: int, to_block: int | None) -> list[Point]:
    """See `Store.series`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return []
    rows = connection.execute(in_range(deployment, from_block, to_block, t.snapshot)).all()
    ids = in_range(deployment, from_block, to_block, t.snapshot.c.id).order_by(None)
    totals = totals_of(connection, select(t.total).where(t.total.c.snapshot_id.in_(ids)))
    return [_point(key, row, totals.get(row.id, {})) for row in rows]


def _point(key: str, row: Row[Any], totals: dict[Bucket, Total]) -> Point:
    at = block_of(row)
    assert at is not None
    return Point(key, at, State(row.state), Status(row.status), row.reason, totals)


def last_read(connection: Connection, key: str, block: int | None, time: int | None, is_whole: bool) -> BlockRef | None:
    """See `Store.last_read`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return None
    s = t.snapshot.c
    unwanted = [_GAP, _HELD] if is_whole else [_GAP]
    query = in_range(deployment, 0, block, t.snapshot).where(s.status.not_in(unwanted))
    query = query if time is None else query.where(s.timestamp <= time)
    row = connection.execute(query.order_by(None).order_by(s.number.desc()).limit(1)).first()
    return None if row is None else block_of(row)


def levels(connection: Connection, key: str, from_time: int, to_time: int | None, bucket: Bucket) -> list[Level]:
    """See `Store.levels`. Block times never fall, so the last before a time is the one with the highest number."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return []
    s, worth = t.snapshot.c, t.total.c
    here = (s.deployment_id == deployment, CANONICAL)
    before = select(func.max(s.number)).where(*here, s.timestamp < from_time).scalar_subquery()
    of_bucket = and_(worth.snapshot_id == s.id, worth.bucket == bucket.value)
    query = (
        select(s.timestamp, s.status, worth.usd, worth.low, worth.high, worth.lines, worth.left_out)
        .select_from(t.snapshot.outerjoin(t.total, of_bucket))
        .where(*here, s.number >= func.coalesce(before, 0))
        .order_by(s.number)
    )
    rows = connection.execute(query if to_time is None else query.where(s.timestamp <= to_time))
    return [_level(tuple(row)) for row in rows]


def _level(columns: tuple[Any, ...]) -> Level:
    timestamp, status, usd, low, high, lines, left_out = columns
    if status == _GAP or (left_out and not lines and status != _NOT_APPLICABLE):
        return Level(timestamp, None)
    return Level(timestamp, usd or 0, low or 0, high or 0, status == _HELD)


def totals_of(connection: Connection, query: Select[Any]) -> dict[int, dict[Bucket, Total]]:
    """Totals by snapshot id."""
    totals: dict[int, dict[Bucket, Total]] = {}
    for row in connection.execute(query):
        totals.setdefault(row.snapshot_id, {})[Bucket(row.bucket)] = total_of(row)
    return totals


def snapshot(connection: Connection, key: str, at_or_before: int | None) -> Snapshot | None:
    """See `Store.snapshot`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return None
    newest = in_range(deployment, 0, at_or_before, t.snapshot).order_by(None).order_by(t.snapshot.c.number.desc())
    row = connection.execute(newest.limit(1)).first()
    return None if row is None else _whole(connection, key, row)


def _whole(connection: Connection, key: str, row: Row[Any]) -> Snapshot:
    at = block_of(row)
    assert at is not None
    quotes = _quotes(connection, row.deployment_id, row.number)
    tokens, lines = _lines(connection, row.deployment_id, row.number, quotes)
    return Snapshot(
        deployment=key,
        at=at,
        lines=lines,
        quotes=quotes,
        tokens=tokens,
        totals=totals_of(connection, select(t.total).where(t.total.c.snapshot_id == row.id)).get(row.id, {}),
        status=Status(row.status),
        reason=row.reason,
        methodology=row.methodology,
        adapter=row.adapter,
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


_S, _H, _T, _P = t.snapshot.c, t.holding.c, t.token.c, t.position.c
_SPOTS = select(_S.id, _S.number, _S.hash, _S.status).where(_S.deployment_id == _DEPLOYMENT, CANONICAL)
_UPTO = _SPOTS.where(_S.number <= _NUMBER).order_by(_S.number.desc()).limit(2)
_AFTER = _SPOTS.where(_S.number > _NUMBER).order_by(_S.number).limit(1)
_HOLDINGS = latest_holdings(_H.position_id, _H.amount, _H.status, _H.reason, _H.receipt, _H.verdict)
_QUOTED = latest_quoted(t.quoted.c.token_id, t.quoted.c.quote_id)
_QUOTES = latest_quoted(_T.address, *t.quote.c)
_LINES = latest_holdings(_T.address, _T.symbol, _T.decimals, _T.symbol_raw, _P.owner, _P.bucket, *_H).order_by(
    _T.address, _P.owner, _P.bucket
)
