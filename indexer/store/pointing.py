"""Writes all that is said at one block: the point, who was read there, and a snapshot where something is new.

Where nothing is new for a deployment it only joins the roster, and where the roster is that of the block before, that
is one row for all. Part of a write transaction; never commits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from indexer.model import BlockRef, Snapshot, State, Status
from indexer.store import tables as t
from indexer.store.deltas import Memory, Recent, Spot
from indexer.store.engine import insert, returning_id
from indexer.store.prepared import put_returning
from indexer.store.rosters import Members, Rosters
from indexer.store.rows import block_columns
from indexer.store.series import Old, Place, Series
from indexer.store.snapshots import spots

_P = t.point.c
_HERE = select(t.point).where(_P.chain_id == bindparam("chain"), _P.number == bindparam("at"))
_CHANGE = update(t.point).where(_P.id == bindparam("row"))
_NEW_ROSTER = _CHANGE.values(roster_id=bindparam("roster"))
_DEAD = _CHANGE.values(state=State.SUPERSEDED.value)

_FAILURES = {Status.HELD.value: 1, Status.GAP.value: 2}
"""A snapshot that failed gives way to one that failed no worse."""

Group = tuple[BlockRef, dict[str, Snapshot]]


def by_block(snapshots: Iterable[Snapshot]) -> Iterator[Group]:
    """Snapshots of the same block together, oldest first, one of each deployment."""
    at, group = None, dict[str, Snapshot]()
    for snapshot in sorted(snapshots, key=lambda one: one.at.number):
        if at is not None and (snapshot.at != at or snapshot.deployment in group):
            yield at, group
            group = {}
        at = snapshot.at
        group[snapshot.deployment] = snapshot
    if at is not None:
        yield at, group


class PointWriter:
    """Writes the points of one chain. `recent` must be true of the chain as it is in this transaction."""

    def __init__(self, connection: Connection, memory: Memory, chain_id: int, recent: Recent) -> None:
        self._connection = connection
        self._memory = memory
        self._chain_id = chain_id
        self._recent = recent
        self._rosters = Rosters(connection, memory)

    def put(self, at: BlockRef, some: Mapping[int, Snapshot], *, is_final: bool, replace: bool) -> None:
        """Write snapshots, by their deployments' rows, where the block has none, or one that gives way.

        With `replace`, any gives way. Raises ValueError where a snapshot is malformed.
        """
        is_last = at.number > self._recent.tip
        here = [] if is_last else self._connection.execute(_HERE, {"chain": self._chain_id, "at": at.number}).all()
        held = self._held(some, at.number, is_last)
        olds = self._olds(here, at, some.keys(), replace)
        still = {d for d, s in some.items() if d not in olds and self._memory.is_still(d, held.get(d), s)}
        new = {d: s for d, s in some.items() if d not in still}
        taken = {d: s for d, s in new.items() if d not in olds or olds[d].is_kept or _gives_way(held[d], s)}
        if not taken and not still:
            return
        self._leave(here, at, taken)
        place = Place(self._point(here, at, still | taken.keys(), is_final), at.number)
        for d, snapshot in taken.items():
            series = Series(self._connection, self._memory, d, self._chain_id)
            spot = series.put(snapshot, place, held.get(d), olds.get(d), is_last=is_last)
            self._memory.keep_told(d, spot, snapshot)
            self._learn(d, spot, is_last)
        self._recent.tip = max(self._recent.tip, at.number)

    def _olds(self, here: Iterable[Row[Any]], at: BlockRef, wanted: Collection[int], replace: bool) -> dict[int, Old]:
        """What was read at this number already, by deployment."""
        canonical = [point for point in here if point.state != State.SUPERSEDED.value]
        readers = {d: point for point in canonical for d in self._rosters.members(point.roster_id) if d in wanted}
        return {d: Old(p.id, p.hash != at.hash, replace or p.hash != at.hash) for d, p in readers.items()}

    def _held(self, wanted: Collection[int], number: int, is_last: bool) -> Mapping[int, Spot]:
        """What holds at a block so far; of the last block that is remembered."""
        if not is_last:
            return spots(self._connection, wanted, number)
        last = self._recent.last
        if unknown := [d for d in wanted if d not in last]:
            found = spots(self._connection, unknown, number)
            last.update((d, found.get(d)) for d in unknown)
        return {d: spot for d in wanted if (spot := last[d]) is not None}

    def _learn(self, deployment: int, spot: Spot, is_last: bool) -> None:
        if is_last:
            self._recent.last[deployment] = spot
        else:
            self._recent.last.pop(deployment, None)

    def _leave(self, here: Iterable[Row[Any]], at: BlockRef, members: Collection[int]) -> None:
        """Who is read at this block is no more read at another one of its number."""
        for point in here:
            if point.hash == at.hash or point.state == State.SUPERSEDED.value:
                continue
            rest = self._rosters.members(point.roster_id).difference(members)
            if not rest:
                self._connection.execute(_DEAD, {"row": point.id})
            else:
                self._connection.execute(_NEW_ROSTER, {"row": point.id, "roster": self._rosters.id_of(rest)})

    def _point(self, here: Iterable[Row[Any]], at: BlockRef, members: Collection[int], is_final: bool) -> int:
        """The row of a block, canonical from now on, with these deployments in its roster."""
        old = next((point for point in here if point.hash == at.hash), None)
        state = (State.FINAL if is_final else State.PROVISIONAL).value
        all_of_them: Members = frozenset(members)
        if old is not None and old.state != State.SUPERSEDED.value:
            all_of_them |= self._rosters.members(old.roster_id)
            state = State.FINAL.value if old.state == State.FINAL.value else state
        columns = {"state": state, "roster_id": self._rosters.id_of(all_of_them)}
        if old is None:
            row = {"chain_id": self._chain_id, **block_columns(at), **columns}
            ((point_id,),) = put_returning(self._connection, returning_id(insert(self._connection, t.point)), [row])
            return int(point_id)
        if (old.state, old.roster_id) != (state, columns["roster_id"]):
            self._connection.execute(update(t.point).where(_P.id == old.id).values(**block_columns(at), **columns))
        return int(old.id)


def _gives_way(held: Spot, new: Snapshot) -> bool:
    """Whether a snapshot takes the place of the one at its block: after a failure that is no better."""
    return _FAILURES.get(held.said[0], 0) >= max(1, _FAILURES.get(new.status.value, 0))
