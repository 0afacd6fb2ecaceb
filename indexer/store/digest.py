"""A hash of what a series says: the same for two stores exactly if they say the same, however they were filled.

What changed from point to point depends on the series alone (see `deltas`), so hashing the changes by their natural
names hashes the series; at a point where nothing is new there are none. Ids, states and superseded rows are not in it.
Never writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from indexer.model import Bucket, Total
from indexer.store import tables as t
from indexer.store.rows import Content
from indexer.store.snapshots import deployment_id, rows_by_id, state_at
from indexer.store.walk import Position, Visit, positions, walk


def digest(connection: Connection, key: str, from_block: int, to_block: int | None) -> str:
    """See `Store.digest`. 64 hex digits."""
    hasher = hashlib.sha256()
    deployment = deployment_id(connection, key)
    if deployment is not None:
        names = _Names(connection, positions(connection, deployment))
        for index, visit in enumerate(walk(connection, deployment, from_block, to_block)):
            opening = visit if index else _whole(connection, deployment, visit)
            hasher.update(json.dumps(_said(opening, names), separators=(",", ":")).encode() + b"\n")
    return hasher.hexdigest()


def _whole(connection: Connection, deployment: int, visit: Visit) -> Visit:
    """The first of a range, with all that it says instead of what changed."""
    state = state_at(connection, deployment, visit.at.number)
    return replace(visit, holdings=state.holdings, quotes=state.quotes)


class _Names:
    """Natural names of rows: nothing that depends on when they were written."""

    def __init__(self, connection: Connection, held: Mapping[int, Position]) -> None:
        self._connection = connection
        self._positions = {row_id: _position_name(position) for row_id, position in held.items()}
        self._tokens = {p.token_id: _token_name(p) for p in held.values()}
        self._quotes: dict[int, str] = {}

    def holdings(self, changes: Mapping[int, Content | None]) -> list[Any]:
        return sorted([self._positions[row_id], _text(content)] for row_id, content in changes.items())

    def quotes(self, changes: Mapping[int, int | None]) -> list[Any]:
        wanted = {quote_id for quote_id in changes.values() if quote_id is not None}
        for row in rows_by_id(self._connection, t.quote, wanted - self._quotes.keys()):
            self._quotes[row.id] = row.content.hex()
        return sorted(
            [self._tokens[token_id], "" if quote_id is None else self._quotes[quote_id]]
            for token_id, quote_id in changes.items()
        )


def _token_name(position: Position) -> str:
    token = position.token
    return json.dumps([token.address, token.symbol, token.decimals, token.symbol_raw])


def _position_name(position: Position) -> str:
    return json.dumps([_token_name(position), position.owner, position.bucket.value])


def _text(content: Content | None) -> list[str]:
    """Exact, and sortable whatever is missing."""
    return [] if content is None else [json.dumps(content)]


def _said(visit: Visit, names: _Names) -> list[Any]:
    at, row = visit.at, visit.row
    return [
        *(at.number, at.hash, at.parent_hash, at.timestamp),
        *(row.status, row.reason, row.methodology, row.adapter),
        sorted(_total_said(bucket, total) for bucket, total in visit.totals.items()),
        names.holdings(visit.holdings),
        names.quotes(visit.quotes),
    ]


def _total_said(bucket: Bucket, total: Total) -> list[Any]:
    return [bucket.value, total.usd, total.low, total.high, total.lines, total.left_out]
