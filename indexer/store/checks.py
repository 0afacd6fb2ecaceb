"""The store's promises that a query can check: heads, states, rosters, and what rows refer to. Never writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, exists, func, not_, or_, select

from indexer.model import State
from indexer.store import tables as t
from indexer.store.points import CANONICAL
from indexer.store.runs import ids_in


def checks(connection: Connection) -> Iterator[str]:
    """Each broken promise as a sentence."""
    yield from _broken_heads(connection)
    yield from _wrong_states(connection)
    yield from _stray_rows(connection, t.holding)
    yield from _stray_rows(connection, t.quoted)
    yield from _broken_rosters(connection)
    yield from _strangers(connection)
    yield from _pointless(connection)


def _broken_heads(connection: Connection) -> Iterator[str]:
    query = (
        select(t.chain.c.name, t.head).select_from(t.head.join(t.chain)).order_by(t.head.c.chain_id, t.head.c.number)
    )
    last: Row[Any] | None = None
    for row in connection.execute(query).all():
        follows = last is not None and last.name == row.name and last.number + 1 == row.number
        if follows and last is not None and last.hash != row.parent_hash:
            yield f"{row.name}: block {row.number} does not follow block {last.number}: its parent is another block"
        last = row


def _wrong_states(connection: Connection) -> Iterator[str]:
    p, final = t.point.c, func.coalesce(t.chain.c.final_number, -1)
    late = (p.state == State.PROVISIONAL.value, p.number <= final)
    query = select(t.chain.c.name, p.number, p.state).select_from(t.point.join(t.chain)).where(*late)
    for row in connection.execute(query):
        yield f"{row.name} at {row.number}: {row.state}, which the chain's finalized block contradicts"


def _stray_rows(connection: Connection, table: Table) -> Iterator[str]:
    """Rows whose snapshot says another block, or another side of a fork."""
    stray = or_(table.c.number != t.snapshot.c.number, table.c.live != t.snapshot.c.live)
    query = select(func.count()).select_from(table.join(t.snapshot)).where(stray)
    if count := connection.execute(query).scalar_one():
        yield f"{count} rows of {table.name} are not of the block or fork of their snapshot"


def _broken_rosters(connection: Connection) -> Iterator[str]:
    """Rosters of nobody, and those whose members are others than they say."""
    m = t.member.c
    for roster in connection.execute(select(t.roster)).all():
        members = connection.execute(select(m.deployment_id).where(m.roster_id == roster.id)).scalars()
        if not set(members) == set(ids_in(roster.deployments)) != set():
            yield f"roster {roster.id} says {roster.deployments}, which its members are not"


def _strangers(connection: Connection) -> Iterator[str]:
    """Points at which a deployment is said to have been read that is not of the chain."""
    p, m, d = t.point.c, t.member.c, t.deployment.c
    ours = exists().where(d.id == m.deployment_id, d.chain_id == p.chain_id)
    joined = t.point.join(t.chain).join(t.member, m.roster_id == p.roster_id)
    query = select(t.chain.c.name, p.number).select_from(joined).where(not_(ours)).distinct()
    for row in connection.execute(query):
        yield f"{row.name} at {row.number}: the point's roster names a deployment that is not on the chain"


def _pointless(connection: Connection) -> Iterator[str]:
    """Snapshots whose point is another block, and live ones whose deployment was not read there."""
    s, p, m, d = t.snapshot.c, t.point.c, t.member.c, t.deployment.c
    read = exists().where(m.roster_id == p.roster_id, m.deployment_id == s.deployment_id)
    strays = or_(p.number != s.number, p.chain_id != d.chain_id, and_(s.live, or_(not_(CANONICAL), not_(read))))
    joined = t.snapshot.join(t.deployment).join(t.point, p.id == s.point_id)
    query = select(d.key, s.number).select_from(joined).where(strays)
    for row in connection.execute(query):
        yield f"{row.key} at {row.number}: a snapshot without a point of its deployment and block"
