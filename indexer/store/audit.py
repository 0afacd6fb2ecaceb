"""Checks a store against its own promises, and says each broken one in a sentence. Never writes.

The long part follows every series from its first snapshot: changes must be changes, and totals must be the sums of the
lines, valued again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, func, or_, select

from indexer.model import Address, Bucket, Holding, Line, State, Status
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.rows import Content, line_of, quote_of
from indexer.store.snapshots import CANONICAL, rows_by_id
from indexer.store.walk import Position, Visit, positions, walk


def audit(connection: Connection) -> list[str]:
    """See `Store.verify`."""
    problems = [*_broken_heads(connection), *_cursors_ahead(connection), *_wrong_states(connection)]
    problems += [*_stray_rows(connection, t.holding), *_stray_rows(connection, t.quoted)]
    for row in connection.execute(select(t.deployment.c.id, t.deployment.c.key).order_by(t.deployment.c.key)).all():
        try:
            problems += _Follower(connection, row.id, row.key).problems()
        except (ValueError, ArithmeticError) as error:
            problems.append(f"{row.key}: something that should be an exact integer is not: {error}")
    return problems


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


def _cursors_ahead(connection: Connection) -> Iterator[str]:
    d, h = t.deployment.c, t.head.c
    head = select(func.max(h.number)).where(h.chain_id == d.chain_id).scalar_subquery()
    for row in connection.execute(select(d.key, d.cursor_number, head.label("head")).where(d.cursor_number > head)):
        yield f"{row.key}: the cursor {row.cursor_number} is beyond the chain's head {row.head}"


def _wrong_states(connection: Connection) -> Iterator[str]:
    s, final = t.snapshot.c, func.coalesce(t.chain.c.final_number, -1)
    joined = t.snapshot.join(t.deployment).join(t.chain)
    late = (s.state == State.PROVISIONAL.value, s.number <= final)
    query = select(t.deployment.c.key, s.number, s.state).select_from(joined).where(CANONICAL, *late)
    for row in connection.execute(query):
        yield f"{row.key} at {row.number}: {row.state}, which the chain's finalized block contradicts"


def _stray_rows(connection: Connection, table: Table) -> Iterator[str]:
    """Rows whose snapshot says another block, or another side of a fork."""
    canonical = t.snapshot.c.state != State.SUPERSEDED.value
    stray = or_(table.c.number != t.snapshot.c.number, table.c.live != canonical)
    query = select(func.count()).select_from(table.join(t.snapshot)).where(stray)
    if count := connection.execute(query).scalar_one():
        yield f"{count} rows of {table.name} are not of the block or fork of their snapshot"


class _Follower:
    """Follows one series: keeps its state, and the worth of every line, up to date by the changes alone."""

    def __init__(self, connection: Connection, deployment: int, key: str) -> None:
        self._connection = connection
        self._deployment = deployment
        self._key = key
        self._positions = positions(connection, deployment)
        self._of_token: dict[int, list[int]] = defaultdict(list)
        for row_id, position in self._positions.items():
            self._of_token[position.token_id].append(row_id)
        self._holdings: dict[int, Content] = {}
        self._quotes: dict[int, int] = {}
        self._quote_rows: dict[int, Row[Any]] = {}
        self._lines: dict[int, Line] = {}
        self._sums: dict[Bucket, list[int]] = defaultdict(lambda: [0, 0, 0])

    def problems(self) -> Iterator[str]:
        for visit in walk(self._connection, self._deployment, 0, None):
            where = f"{self._key} at {visit.row.number}"
            yield from _idle_changes(where, "holding", self._holdings, visit.holdings)
            yield from _idle_changes(where, "quote", self._quotes, visit.quotes)
            self._advance(visit)
            yield from self._wrong_totals(where, visit)

    def _advance(self, visit: Visit) -> None:
        deltas.apply(self._holdings, visit.holdings)
        deltas.apply(self._quotes, visit.quotes)
        new = {quote_id for quote_id in visit.quotes.values() if quote_id is not None} - self._quote_rows.keys()
        self._quote_rows.update((row.id, row) for row in rows_by_id(self._connection, t.quote, new))
        moved = set(visit.holdings)
        for token_id in visit.quotes:
            moved.update(self._of_token[token_id])
        for row_id in moved:
            self._revalue(row_id)

    def _revalue(self, row_id: int) -> None:
        position, content = self._positions[row_id], self._holdings.get(row_id)
        self._add(position.bucket, self._lines.pop(row_id, None), -1)
        if content is None:
            return
        quote_id = self._quotes.get(position.token_id)
        quote = None if quote_id is None else quote_of(position.token.address, self._quote_rows[quote_id])
        self._lines[row_id] = line_of(_holding(position, content), content[4], quote, position.token)
        self._add(position.bucket, self._lines[row_id], 1)

    def _add(self, bucket: Bucket, line: Line | None, sign: int) -> None:
        if line is not None and line.status is Status.OK:
            for index, amount in enumerate((line.usd, line.low, line.high)):
                self._sums[bucket][index] += sign * (amount or 0)

    def _wrong_totals(self, where: str, visit: Visit) -> Iterator[str]:
        for bucket in Bucket:
            total = visit.totals.get(bucket)
            said = [0, 0, 0] if total is None else [total.usd, total.low, total.high]
            if said != self._sums[bucket]:
                yield f"{where}: the total of {bucket.value} is {said[0]}, its lines sum up to {self._sums[bucket][0]}"


def _holding(position: Position, content: Content) -> Holding:
    amount, status, reason, receipt, _ = content
    return Holding(
        token=position.token.address,
        amount=amount,
        owner=Address(position.owner),
        bucket=position.bucket,
        status=Status(status),
        reason=reason,
        receipt=None if receipt is None else Address(receipt),
    )


def _idle_changes(where: str, what: str, before: Mapping[int, object], changes: Mapping[int, object]) -> Iterator[str]:
    idle = [row_id for row_id, value in changes.items() if before.get(row_id) == value]
    if idle:
        yield f"{where}: {len(idle)} rows of a {what} say what was there before"
