"""Walks a deployment's canonical series, oldest first, with what changed at each point: bounded memory, few queries.

Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select

from indexer.model import BlockRef, Bucket, Token, Total
from indexer.store import tables as t
from indexer.store.points import between, block_at
from indexer.store.rows import Content
from indexer.store.snapshots import held, token_of, totals_of
from indexer.store.timeline import spread

_AT_ONCE = 256
_STILL: tuple[dict[int, Content | None], dict[int, int | None]] = ({}, {})


@dataclass(frozen=True, slots=True)
class Position:
    """What a holding is of; `token_id` is the token's row."""

    token_id: int
    token: Token
    owner: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class Visit:
    """One canonical point: the snapshot that holds there, its totals, and changed contents and quote ids (None: gone).

    `is_new` where that snapshot begins there; at any other point nothing changed.
    """

    at: BlockRef
    row: Row[Any]
    totals: Mapping[Bucket, Total]
    is_new: bool
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
    """Every canonical point of a range. Raises ValueError where an integer is not one, or where nothing is said."""
    points = between(connection, deployment, from_block, to_block)
    while some := list(islice(points, _AT_ONCE)):
        yield from _visits(connection, deployment, some)


def _visits(connection: Connection, deployment: int, points: Sequence[Row[Any]]) -> Iterator[Visit]:
    first = points[0].number
    rows = held(connection, deployment, first, points[-1].number)
    totals = totals_of(connection, select(t.total).where(t.total.c.snapshot_id.in_([row.id for row in rows])))
    new = [row.id for row in rows if row.number >= first]
    holdings, quotes = _changed_holdings(connection, new), _changed_quotes(connection, new)
    for point, row in spread(points, rows):
        said, is_new = totals.get(row.id, {}), row.number == point.number
        changes = (holdings.get(row.id, {}), quotes.get(row.id, {})) if is_new else _STILL
        yield Visit(block_at(point), row, said, is_new, *changes)


def _changed_holdings(connection: Connection, ids: Sequence[int]) -> dict[int, dict[int, Content | None]]:
    h = t.holding.c
    changed = select(h.snapshot_id, h.position_id, h.amount, h.status, h.reason, h.receipt, h.verdict)
    holdings: dict[int, dict[int, Content | None]] = defaultdict(dict)
    for snapshot_id, position_id, *content in connection.execute(changed.where(h.snapshot_id.in_(ids))):
        holdings[snapshot_id][position_id] = None if content[1] is None else _content(content)
    return holdings


def _changed_quotes(connection: Connection, ids: Sequence[int]) -> dict[int, dict[int, int | None]]:
    q = t.quoted.c
    quotes: dict[int, dict[int, int | None]] = defaultdict(dict)
    quoted = select(q.snapshot_id, q.token_id, q.quote_id).where(q.snapshot_id.in_(ids))
    for snapshot_id, token_id, quote_id in connection.execute(quoted):
        quotes[snapshot_id][token_id] = quote_id
    return quotes


def _content(columns: list[Any]) -> Content:
    amount, status, reason, receipt, verdict = columns
    return amount, status, reason, receipt, verdict
