"""Writes what one deployment says at a point so that its rows stay canonical: one exists where something is new.

A point put between two others may make the later one's row needed, other, or idle; that is done in the same
transaction. Never writes points, and never commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, update

from indexer.model import Snapshot
from indexer.store import deltas
from indexer.store import tables as t
from indexer.store.deltas import NOTHING, Memory, Spot, difference
from indexer.store.engine import insert, returning_id
from indexer.store.intern import intern
from indexer.store.points import next_point
from indexer.store.prepared import put, put_returning
from indexer.store.rows import Columns, Content, total_columns
from indexer.store.snapshots import spots, state_of

_CONTENT = ("amount", "status", "reason", "receipt", "verdict")
_GONE = (None,) * len(_CONTENT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said: a point's row, and its block's number."""

    point_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Old:
    """What was read of the same number before. `is_kept`: it stays as superseded, instead of being forgotten."""

    point_id: int
    is_other_block: bool
    is_kept: bool


class Series:
    """One deployment's snapshots, inside one write transaction."""

    def __init__(self, connection: Connection, memory: Memory, deployment_id: int, chain_id: int) -> None:
        self._connection = connection
        self._memory = memory
        self._deployment_id = deployment_id
        self._chain_id = chain_id

    def put(self, snapshot: Snapshot, place: Place, held: Spot | None, old: Old | None, *, is_last: bool) -> Spot:
        """Say at a place what a snapshot says, where so far `held` did; returns what holds there now.

        `old` where the deployment was read at that number already, `is_last` where it has no point after it. Raises
        ValueError where the snapshot is malformed.
        """
        now = intern(self._connection, self._memory, self._deployment_id, self._chain_id, snapshot)
        was = self._state(held)
        is_same = held is not None and now.says(was)
        if held is not None and is_same and not (old and old.is_other_block):
            return held
        own = held if held is not None and held.number == place.number else None
        opening = self._spot(place.number - 1) if own else held
        after = None if is_last or is_same else next_point(self._connection, self._deployment_id, place.number)
        later = None if after is None else self._spot(after.number)
        then = self._state(later)
        if old is not None:
            self._retire(old, own, was, place.number)
        made = self._say(place, self._state(opening), now) or opening
        assert made is not None, "the first of all says something new"
        if after is not None:
            self._mend(after, later, now, then)
        return made

    def _spot(self, number: int) -> Spot | None:
        return spots(self._connection, [self._deployment_id], number).get(self._deployment_id)

    def _state(self, spot: Spot | None) -> deltas.State:
        if spot is None:
            return NOTHING
        state = self._memory.state(self._deployment_id, spot.id)
        if state is None:
            state = state_of(self._connection, self._deployment_id, spot)
            self._memory.keep_state(self._deployment_id, spot.id, state)
        return state

    def _retire(self, old: Old, own: Spot | None, was: deltas.State, number: int) -> None:
        """A failure of the same block is forgotten; what another block said, or this one wrongly, stays superseded."""
        if not old.is_kept:
            if own is not None:
                self._forget(own.id)
        elif own is None:
            self._insert(Place(old.point_id, number), was, live=False)
        else:
            for table in (t.holding, t.quoted):
                self._connection.execute(update(table).where(table.c.snapshot_id == own.id).values(live=False))
            self._connection.execute(update(t.snapshot).where(t.snapshot.c.id == own.id).values(live=False))

    def _mend(self, after: Row[Any], later: Spot | None, now: deltas.State, then: deltas.State) -> None:
        """Make the next point say the same as before (`then`), now that something else (`now`) goes before it."""
        own = later if later is not None and later.number == after.number else None
        if own is None:
            self._say(Place(after.id, after.number), now, then)
        elif now.says(then):
            self._forget(own.id)
        else:
            self._erase_changes(own.id)
            self._write_changes(own.id, own.number, now, then)

    def _say(self, place: Place, before: deltas.State, now: deltas.State) -> Spot | None:
        """A snapshot where it is another than the one before."""
        if now.says(before):
            return None
        snapshot_id = self._insert(place, now, live=True)
        self._write_changes(snapshot_id, place.number, before, now)
        self._memory.keep_state(self._deployment_id, snapshot_id, now)
        assert now.said, "nothing is not said"
        return Spot(snapshot_id, place.number, now.said)

    def _insert(self, place: Place, state: deltas.State, *, live: bool) -> int:
        assert state.said, "nothing is not said"
        status, reason, methodology, adapter = state.said
        row = {
            "deployment_id": self._deployment_id,
            "point_id": place.point_id,
            "number": place.number,
            "live": live,
            "status": status,
            "reason": reason,
            "methodology": methodology,
            "adapter": adapter,
        }
        new = returning_id(insert(self._connection, t.snapshot))
        ((snapshot_id,),) = put_returning(self._connection, new, [row])
        totals = [{"snapshot_id": snapshot_id, **total_columns(bucket, one)} for bucket, one in state.totals.items()]
        put(self._connection, insert(self._connection, t.total), totals)
        return int(snapshot_id)

    def _write_changes(self, snapshot_id: int, number: int, before: deltas.State, after: deltas.State) -> None:
        place: Columns = {"snapshot_id": snapshot_id, "number": number, "live": True}
        holdings = _holding_rows(place, after.holdings_since(before))
        put(self._connection, insert(self._connection, t.holding), holdings)
        place["deployment_id"] = self._deployment_id
        quotes = difference(before.quotes, after.quotes)
        rows = [{**place, "token_id": token_id, "quote_id": quote_id} for token_id, quote_id in quotes.items()]
        put(self._connection, insert(self._connection, t.quoted), rows)

    def _forget(self, snapshot_id: int) -> None:
        self._erase_changes(snapshot_id)
        self._connection.execute(delete(t.total).where(t.total.c.snapshot_id == snapshot_id))
        self._connection.execute(delete(t.snapshot).where(t.snapshot.c.id == snapshot_id))

    def _erase_changes(self, snapshot_id: int) -> None:
        for table in (t.holding, t.quoted):
            self._connection.execute(delete(table).where(table.c.snapshot_id == snapshot_id))


def _holding_rows(place: Columns, changes: Mapping[int, Content | None]) -> list[Columns]:
    rows = []
    for position_id, content in changes.items():
        row = {**place, "position_id": position_id}
        row.update(zip(_CONTENT, content or _GONE, strict=True))
        rows.append(row)
    return rows
