"""Queries of what is known beside snapshots: deployments, chains, heads, discoveries, tokens.

Plain functions on a connection, inside somebody's transaction. Never writes.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, select

from indexer.model import Address, BlockRef, Found, Quote, Token
from indexer.store import tables as t
from indexer.store.base import ChainState, DeploymentRow
from indexer.store.rows import block_of, found_of, quote_of
from indexer.store.snapshots import token_of


def deployments(connection: Connection) -> list[DeploymentRow]:
    """See `Store.deployments`."""
    query = select(t.deployment, t.chain.c.name.label("chain")).join(t.chain).order_by(t.deployment.c.key)
    return [
        DeploymentRow(row.key, row.protocol, row.chain, row.kind, row.category, row.params_json, row.first_block)
        for row in connection.execute(query)
    ]


def chain_state(connection: Connection, name: str) -> ChainState:
    """See `Store.chain_state`."""
    row = connection.execute(select(t.chain).where(t.chain.c.name == name)).first()
    if row is None:
        return ChainState(name)
    last = heads(connection, name, 1)
    return ChainState(
        chain=name,
        head=last[0] if last else None,
        finalized=block_of(row, "final_"),
        requests=row.requests,
        calls=row.calls,
        traffic=json.loads(row.traffic or "{}"),
        ways=json.loads(row.ways or "{}"),
        audited=row.audited or 0,
        corrected=row.corrected or 0,
    )


def heads(connection: Connection, name: str, limit: int) -> list[BlockRef]:
    """See `Store.heads`."""
    query = select(t.head).join(t.chain).where(t.chain.c.name == name).order_by(t.head.c.number.desc()).limit(limit)
    blocks = [block_of(row) for row in connection.execute(query)]
    return [at for at in reversed(blocks) if at is not None]


def found(connection: Connection, key: str) -> tuple[list[Found], int | None]:
    """See `Store.found`."""
    row = _deployment(connection, key)
    if row is None:
        return [], None
    query = select(t.found).where(t.found.c.deployment_id == row.id).order_by(t.found.c.id)
    return [found_of(item) for item in connection.execute(query)], row.searched


def tokens(connection: Connection, chain: str) -> dict[Address, Token]:
    """See `Store.tokens`. Of several descriptions of a token, the one that was new last."""
    query = select(t.token).join(t.chain).where(t.chain.c.name == chain).order_by(t.token.c.id)
    return {Address(row.address): token_of(row) for row in connection.execute(query)}


def last_priced(connection: Connection, chain: str, token: Address, before: int) -> tuple[Quote, BlockRef] | None:
    """See `Store.last_priced`. Deployments share a token's quote at a block, so that any of them will do."""
    s, d, p = t.snapshot.c, t.deployment.c, t.point.c
    columns: list[Any] = [*t.quote.c, p.number, p.hash, p.parent_hash, p.timestamp]
    query = (
        select(*columns)
        .select_from(t.quoted.join(t.quote, t.quote.c.id == t.quoted.c.quote_id))
        .join(t.snapshot, s.id == t.quoted.c.snapshot_id)
        .join(t.point, p.id == s.point_id)
        .join(t.deployment, d.id == t.quoted.c.deployment_id)
        .join(t.chain, t.chain.c.id == d.chain_id)
        .join(t.token, t.token.c.id == t.quoted.c.token_id)
        .where(t.chain.c.name == chain, t.token.c.address == token, t.quoted.c.live, t.quoted.c.number < before)
        .where(t.quote.c.price.is_not(None))
        .order_by(t.quoted.c.number.desc(), t.quoted.c.snapshot_id.desc())
    )
    row = connection.execute(query.limit(1)).first()
    at = None if row is None else block_of(row)
    return None if row is None or at is None else (quote_of(token, row), at)


def _deployment(connection: Connection, key: str) -> Row[Any] | None:
    return connection.execute(select(t.deployment).where(t.deployment.c.key == key)).first()
