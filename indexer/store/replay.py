"""A deployment's canonical snapshots of a range, one after the other, each made from the one before and what changed.

What did not change is the same object in the next snapshot. Plain functions on a connection, inside somebody's
transaction. Never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row

from indexer.model import Address, Bucket, Holding, Line, Quote, Snapshot, Status
from indexer.store import tables as t
from indexer.store.deltas import apply
from indexer.store.rows import Content, line_of, quote_of
from indexer.store.snapshots import deployment_id, rows_by_id, state_at
from indexer.store.walk import Position, Visit, positions, walk

_AT_ONCE = 256


def replay(connection: Connection, key: str, from_block: int, to_block: int | None) -> Iterator[Snapshot]:
    """See `Store.replay`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return
    scene = _Scene(connection, positions(connection, deployment))
    visits = walk(connection, deployment, from_block, to_block)
    if first := next(visits, None):
        opening = state_at(connection, deployment, first.at.number)
        scene.learn([opening.quotes])
        last = scene.after(key, first, opening.holdings, opening.quotes)
        yield last
    while some := list(islice(visits, _AT_ONCE)):
        scene.learn([visit.quotes for visit in some])
        for visit in some:
            still = None if visit.is_new else replace(last, at=visit.at)
            last = still or scene.after(key, visit, visit.holdings, visit.quotes)
            yield last


class _Scene:
    """All that holds at a snapshot, by the ids of rows."""

    def __init__(self, connection: Connection, held: Mapping[int, Position]) -> None:
        self._connection = connection
        self._positions = held
        self._order = sorted(held, key=lambda row_id: _place(held[row_id]))
        self._of_token: dict[int, list[int]] = defaultdict(list)
        for row_id, position in held.items():
            self._of_token[position.token_id].append(row_id)
        self._contents: dict[int, Content] = {}
        self._quoted: dict[int, int] = {}
        self._quotes: dict[int, Quote] = {}
        self._rows: dict[int, Row[Any]] = {}
        self._lines: dict[int, Line] = {}

    def learn(self, quoted: Iterable[Mapping[int, int | None]]) -> None:
        """Fetch the quotes that the next snapshots name; of the others, keep those that still hold."""
        kept = {quote_id: self._rows[quote_id] for quote_id in self._quoted.values()}
        wanted = {quote_id for changes in quoted for quote_id in changes.values() if quote_id is not None}
        found = rows_by_id(self._connection, t.quote, wanted - kept.keys())
        self._rows = kept | {row.id: row for row in found}

    def after(
        self, key: str, visit: Visit, holdings: Mapping[int, Content | None], quoted: Mapping[int, int | None]
    ) -> Snapshot:
        """The next snapshot: what changed, and with it every line that it touches."""
        apply(self._contents, holdings)
        apply(self._quoted, quoted)
        for token_id, quote_id in quoted.items():
            self._requote(token_id, quote_id)
        for row_id in set(holdings).union(*(self._of_token[token_id] for token_id in quoted)):
            if row_id in self._contents:
                self._lines[row_id] = self._line(row_id)
            else:
                self._lines.pop(row_id, None)
        return self._snapshot(key, visit)

    def _requote(self, token_id: int, quote_id: int | None) -> None:
        self._quotes.pop(token_id, None)
        if quote_id is not None and self._of_token[token_id]:
            token = self._positions[self._of_token[token_id][0]].token
            self._quotes[token_id] = quote_of(token.address, self._rows[quote_id])

    def _snapshot(self, key: str, visit: Visit) -> Snapshot:
        row = visit.row
        shown = [row_id for row_id in self._order if row_id in self._lines]
        held = {self._positions[row_id].token_id: self._positions[row_id].token for row_id in shown}
        quoted = {token.address: self._quotes[i] for i, token in held.items() if i in self._quotes}
        return Snapshot(
            deployment=key,
            at=visit.at,
            lines=tuple([self._lines[row_id] for row_id in shown]),
            quotes=quoted,
            tokens={token.address: token for token in held.values()},
            totals=visit.totals,
            status=Status(row.status),
            reason=row.reason,
            methodology=row.methodology,
            adapter=row.adapter,
        )

    def _line(self, row_id: int) -> Line:
        position = self._positions[row_id]
        amount, status, reason, receipt, verdict = self._contents[row_id]
        token, owner = position.token, Address(position.owner)
        claim = None if receipt is None else Address(receipt)
        holding = Holding(token.address, amount, owner, position.bucket, Status(status), reason, claim)
        return line_of(holding, verdict, self._quotes.get(position.token_id), token)


def _place(position: Position) -> tuple[Address, str, Bucket]:
    return position.token.address, position.owner, position.bucket
