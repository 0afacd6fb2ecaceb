"""Sets of deployments to the rows that stand for them, and back. Part of a write transaction. Never changes a row."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from indexer.store import tables as t
from indexer.store.deltas import Memory
from indexer.store.engine import insert, returning_id
from indexer.store.runs import ids_in, runs_text

_R = t.roster.c
_BY_TEXT = select(_R.id).where(_R.deployments == bindparam("text"))
_BY_ID = select(_R.deployments).where(_R.id == bindparam("row"))

Members = frozenset[int]
"""Ids of deployments."""


class Rosters:
    """The rosters of a store, inside one write transaction. There are few, so all that were seen are remembered."""

    def __init__(self, connection: Connection, memory: Memory) -> None:
        self._connection = connection
        self._ids = memory.rosters
        self._members = memory.members

    def id_of(self, members: Members) -> int:
        """The row of a set, made if need be."""
        found = self._ids.get(members)
        if found is None:
            text = runs_text(members)
            found = self._connection.execute(_BY_TEXT, {"text": text}).scalar()
            found = self._ids[members] = self._insert(text, members) if found is None else found
        return found

    def members(self, roster_id: int) -> Members:
        """The set that a row stands for."""
        found = self._members.get(roster_id)
        if found is None:
            text = self._connection.execute(_BY_ID, {"row": roster_id}).scalar_one()
            found = self._members[roster_id] = frozenset(ids_in(text))
        return found

    def _insert(self, text: str, members: Members) -> int:
        new = returning_id(insert(self._connection, t.roster))
        roster_id: int = self._connection.execute(new, {"deployments": text}).scalar_one()
        rows = [{"roster_id": roster_id, "deployment_id": deployment} for deployment in sorted(members)]
        self._connection.execute(insert(self._connection, t.member), rows)
        return roster_id
