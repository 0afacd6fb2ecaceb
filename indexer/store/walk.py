"""Walks a deployment's canonical series, oldest first, with what changed at each snapshot: bounded memory, few queries.

Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from indexer.model import Bucket, Token, Total
from indexer.store import tables as t
from indexer.store.rows import Content
from indexer.store.snapshots import in_range, token_of, totals_of

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Position:
    """What a holding is of; `token_id` is the token's row."""

    token_id: int
    token: Token
    owner: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class Visit:
    """One canonical snapshot: its row, totals, and changed contents and quote ids (None: gone)."""

    row: Row[Any]
    totals: Mapping[Bucket, Total]
    holdings: Mapping[int, Content | None]
    quotes: Mapping[int, int | None]


def positions(connection: Connection, deployment: int) -> dict[int, Position]:
    """Every position a deployment ever had, by row id."""
    p, k = t.position.c, t.token.c
    columns: list[Any] = [p.id, p.token_id, p.owner, p.bucket, k.address, k.symbol, k.decimals, k.symbol_raw]
    joined = t.position.join(t.token)
    rows = connection.execute(select(*columns).select_from(joined).where(p.deployment_id == deployment))
    return {row.id: Position(row.token_id, token_of(row), row.owner, Bucket(row.bucket)) for row in rows}


def walk(connection: Connection, deployment: int, from_block: int, to_block: int | None) -> Iterator[Visit]:
    """Every canonical snapshot of a range. Raises ValueError where an integer is not one."""
    start = from_block
    while True:
        rows = connection.execute(in_range(deployment, start, to_block, t.snapshot).limit(_AT_ONCE)).all()
        yield from _visits(connection, rows)
        if len(rows) < _AT_ONCE:
            return
        start = rows[-1].number + 1


def _visits(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Visit]:
    ids = [row.id for row in rows]
    totals = totals_of(connection, select(t.total).where(t.total.c.snapshot_id.in_(ids)))
    holdings: dict[int, dict[int, Content | None]] = {row_id: {} for row_id in ids}
    h = t.holding.c
    changed = select(h.snapshot_id, h.position_id, h.amount, h.status, h.reason, h.receipt, h.verdict)
    for snapshot_id, position_id, *content in connection.execute(changed.where(h.snapshot_id.in_(ids))):
        holdings[snapshot_id][position_id] = None if content[1] is None else _content(content)
    quotes: dict[int, dict[int, int | None]] = {row_id: {} for row_id in ids}
    q = t.quoted.c
    quoted = select(q.snapshot_id, q.token_id, q.quote_id).where(q.snapshot_id.in_(ids))
    for snapshot_id, token_id, quote_id in connection.execute(quoted):
        quotes[snapshot_id][token_id] = quote_id
    for row in rows:
        yield Visit(row, totals.get(row.id, {}), holdings[row.id], quotes[row.id])


def _content(columns: list[Any]) -> Content:
    amount, status, reason, receipt, verdict = columns
    return amount, status, reason, receipt, verdict
