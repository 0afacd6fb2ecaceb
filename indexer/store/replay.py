"""A deployment's canonical snapshots of a range, one after the other, each made from the one before and what changed.

What did not change is the same object in the next snapshot. Plain functions on a connection, inside somebody's
transaction. Never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from indexer.model import Address, Bucket, Holding, Line, Quote, Snapshot, Status
from indexer.store import tables as t
from indexer.store.deltas import apply
from indexer.store.rows import Content, block_of, line_of, quote_of
from indexer.store.snapshots import deployment_id, rows_by_id, state_at
from indexer.store.walk import Position, Visit, positions, walk


def replay(connection: Connection, key: str, from_block: int, to_block: int | None) -> Iterator[Snapshot]:
    """See `Store.replay`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return
    scene = _Scene(connection, positions(connection, deployment))
    for index, visit in enumerate(walk(connection, deployment, from_block, to_block)):
        if index:
            scene.change(visit.holdings, visit.quotes)
        else:
            opening = state_at(connection, deployment, visit.row.number)
            scene.change(opening.holdings, opening.quotes)
        yield scene.snapshot(key, visit)


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
        self._lines: dict[int, Line] = {}

    def change(self, holdings: Mapping[int, Content | None], quoted: Mapping[int, int | None]) -> None:
        """Go on to the next snapshot: what changed, and with it every line that it touches."""
        apply(self._contents, holdings)
        apply(self._quoted, quoted)
        self._learn({token_id: quote_id for token_id, quote_id in quoted.items() if quote_id is not None})
        touched = set(holdings).union(*(self._of_token[token_id] for token_id in quoted))
        for row_id in touched:
            if row_id in self._contents:
                self._lines[row_id] = self._line(row_id)
            else:
                self._lines.pop(row_id, None)

    def snapshot(self, key: str, visit: Visit) -> Snapshot:
        """What holds now, as the store's `snapshot` tells it."""
        row, at = visit.row, block_of(visit.row)
        assert at is not None
        shown = [row_id for row_id in self._order if row_id in self._lines]
        held = {self._positions[row_id].token_id: self._positions[row_id].token for row_id in shown}
        quoted = {token.address: self._quotes[i] for i, token in held.items() if i in self._quotes}
        return Snapshot(
            deployment=key,
            at=at,
            lines=tuple([self._lines[row_id] for row_id in shown]),
            quotes=quoted,
            tokens={token.address: token for token in held.values()},
            totals=visit.totals,
            status=Status(row.status),
            reason=row.reason,
            methodology=row.methodology,
            adapter=row.adapter,
        )

    def _learn(self, quoted: Mapping[int, int]) -> None:
        rows = {row.id: row for row in rows_by_id(self._connection, t.quote, quoted.values())}
        for token_id, quote_id in quoted.items():
            address = self._positions[self._of_token[token_id][0]].token.address
            self._quotes[token_id] = quote_of(Address(address), rows[quote_id])
        for token_id in self._quotes.keys() - self._quoted.keys():
            del self._quotes[token_id]

    def _line(self, row_id: int) -> Line:
        position = self._positions[row_id]
        amount, status, reason, receipt, verdict = self._contents[row_id]
        token, owner = position.token, Address(position.owner)
        claim = None if receipt is None else Address(receipt)
        holding = Holding(token.address, amount, owner, position.bucket, Status(status), reason, claim)
        return line_of(holding, verdict, self._quotes.get(position.token_id), token)


def _place(position: Position) -> tuple[Address, str, Bucket]:
    return position.token.address, position.owner, position.bucket
