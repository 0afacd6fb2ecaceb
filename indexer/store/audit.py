"""Checks a store against its own promises, and says each broken one in a sentence. Never writes.

Follows every series from its first point: a snapshot must say something new, changes must be changes, and totals must
be the sums of the lines, valued again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from indexer.model import Address, Bucket, Holding, Line, Status
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.checks import checks
from indexer.store.rows import Content, line_of, quote_of
from indexer.store.snapshots import rows_by_id
from indexer.store.walk import Position, Visit, positions, walk


def audit(connection: Connection) -> list[str]:
    """See `Store.verify`."""
    problems = list(checks(connection))
    for row in connection.execute(select(t.deployment.c.id, t.deployment.c.key).order_by(t.deployment.c.key)).all():
        try:
            problems += _Follower(connection, row.id, row.key).problems()
        except (ValueError, ArithmeticError) as error:
            problems.append(f"{row.key}: what is stored makes no sense: {error}")
    return problems


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
        before: Visit | None = None
        for visit in walk(self._connection, self._deployment, 0, None):
            where = f"{self._key} at {visit.at.number}"
            if before is not None and visit.at.number == before.at.number:
                yield f"{where}: two canonical points"
            if before is not None and _says_nothing(before, visit):
                yield f"{where}: a snapshot that says nothing new"
            before = visit
            if not visit.is_new:
                continue
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


def _says_nothing(before: Visit, visit: Visit) -> bool:
    """Whether a snapshot is there for nothing."""
    if not visit.is_new or visit.holdings or visit.quotes or visit.totals != before.totals:
        return False
    old, new = before.row, visit.row
    return (old.status, old.reason, old.methodology, old.adapter) == (
        new.status,
        new.reason,
        new.methodology,
        new.adapter,
    )


def _idle_changes(where: str, what: str, before: Mapping[int, object], changes: Mapping[int, object]) -> Iterator[str]:
    idle = [row_id for row_id, value in changes.items() if before.get(row_id) == value]
    if idle:
        yield f"{where}: {len(idle)} rows of a {what} say what was there before"
