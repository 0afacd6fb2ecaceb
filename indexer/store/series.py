"""Writes snapshots of one deployment so that its rows stay canonical: each says what changed since the one before.

A snapshot put between two others makes the later one's rows anew, in the same transaction. Never commits.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, update

from indexer.errors import clean
from indexer.model import Snapshot, State, Status
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.deltas import NOTHING, Memory, difference
from indexer.store.engine import insert, returning_id
from indexer.store.intern import intern
from indexer.store.rows import REASON_BYTES, Columns, Content, block_columns, total_columns
from indexer.store.snapshots import Spot, neighbours, state_at

_CONTENT = ("amount", "status", "reason", "receipt", "verdict")
_GONE = (None,) * len(_CONTENT)
_FAILURES = {Status.HELD: 1, Status.GAP: 2}
"""A snapshot that failed gives way to one that failed no worse."""


class Series:
    """One deployment's snapshots, inside one write transaction. `final_number`: blocks up to it are final."""

    def __init__(
        self, connection: Connection, memory: Memory, deployment_id: int, chain_id: int, final_number: int
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._deployment_id = deployment_id
        self._chain_id = chain_id
        self._final_number = final_number

    def put(self, snapshot: Snapshot, *, replace: bool = False) -> None:
        """Write a snapshot where its block has none, or one that gives way (with `replace`, any does).

        Raises ValueError where it is malformed.
        """
        before, old, after = neighbours(self._connection, self._deployment_id, snapshot.at.number)
        if old is not None and not (replace or gives_way(old, snapshot)):
            return
        earlier = self._state(before)
        later = self._state(after)
        if old is not None:
            self._retire(old, keep=replace or old.hash != snapshot.at.hash)
        snapshot_id = self._insert(snapshot)
        state = intern(self._connection, self._memory, self._deployment_id, self._chain_id, snapshot)
        self._write_changes(snapshot_id, snapshot.at.number, earlier, state)
        if after is not None:
            self._erase_changes(after.id)
            self._write_changes(after.id, after.number, state, later)
        self._memory.keep_state(self._deployment_id, snapshot_id, state)

    def _state(self, spot: Spot | None) -> deltas.State:
        if spot is None:
            return NOTHING
        state = self._memory.state(self._deployment_id, spot.id)
        if state is None:
            state = state_at(self._connection, self._deployment_id, spot.number)
            self._memory.keep_state(self._deployment_id, spot.id, state)
        return state

    def _retire(self, old: Spot, *, keep: bool) -> None:
        """A failure of the same block is forgotten; what another block said, or this one wrongly, stays superseded."""
        if not keep:
            self._erase_changes(old.id)
            self._connection.execute(delete(t.total).where(t.total.c.snapshot_id == old.id))
            self._connection.execute(delete(t.snapshot).where(t.snapshot.c.id == old.id))
            return
        for table in (t.holding, t.quoted):
            self._connection.execute(update(table).where(table.c.snapshot_id == old.id).values(live=False))
        gone = update(t.snapshot).where(t.snapshot.c.id == old.id).values(state=State.SUPERSEDED.value)
        self._connection.execute(gone)

    def _insert(self, snapshot: Snapshot) -> int:
        final = snapshot.at.number <= self._final_number
        row = {
            "deployment_id": self._deployment_id,
            **block_columns(snapshot.at),
            "state": (State.FINAL if final else State.PROVISIONAL).value,
            "status": snapshot.status.value,
            "reason": clean(snapshot.reason, REASON_BYTES),
            "methodology": snapshot.methodology,
            "adapter": snapshot.adapter,
        }
        new = returning_id(insert(self._connection, t.snapshot))
        snapshot_id: int = self._connection.execute(new, row).scalar_one()
        totals = [
            {"snapshot_id": snapshot_id, **total_columns(bucket, total)} for bucket, total in snapshot.totals.items()
        ]
        if totals:
            self._connection.execute(insert(self._connection, t.total), totals)
        return snapshot_id

    def _write_changes(self, snapshot_id: int, number: int, before: deltas.State, after: deltas.State) -> None:
        place: Columns = {"snapshot_id": snapshot_id, "number": number, "live": True}
        holdings = _holding_rows(place, difference(before.holdings, after.holdings))
        if holdings:
            self._connection.execute(insert(self._connection, t.holding), holdings)
        place["deployment_id"] = self._deployment_id
        quotes = difference(before.quotes, after.quotes)
        if quotes:
            rows = [{**place, "token_id": token_id, "quote_id": quote_id} for token_id, quote_id in quotes.items()]
            self._connection.execute(insert(self._connection, t.quoted), rows)

    def _erase_changes(self, snapshot_id: int) -> None:
        for table in (t.holding, t.quoted):
            self._connection.execute(delete(table).where(table.c.snapshot_id == snapshot_id))


def gives_way(old: Spot, new: Snapshot) -> bool:
    """Whether a snapshot takes the place of the one at its block: on another fork, or after a failure no better."""
    if old.hash != new.at.hash:
        return True
    return _FAILURES.get(old.status, 0) >= max(1, _FAILURES.get(new.status, 0))


def _holding_rows(place: Columns, changes: Mapping[int, Content | None]) -> list[Columns]:
    rows = []
    for position_id, content in changes.items():
        row = {**place, "position_id": position_id}
        row.update(zip(_CONTENT, content or _GONE, strict=True))
        rows.append(row)
    return rows
