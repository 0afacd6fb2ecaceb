"""Writes and reads gross flows, and in which blocks they are all known.

Plain functions on the connection of somebody's transaction. Flows are not in a series' digest: the chain's logs say
them again at any time, and whether they were kept depends on how a series was filled, not on what it says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from indexer.model import Address, BlockRef, Bucket, Flow
from indexer.store import flow_tables as f
from indexer.store import tables as t
from indexer.store.base import Covered, Flows, Place
from indexer.store.deltas import Ids, Memory
from indexer.store.engine import insert, returning_id, upsert
from indexer.store.rows import block_columns, block_of
from indexer.store.snapshots import deployment_id

_B, _C = f.flow_block.c, f.covered.c
_OTHER = (_B.deployment_id == bindparam("of"), _B.number == bindparam("at"), _B.hash != bindparam("by"), _B.live)
_OTHER_DIES = update(f.flow_block).where(*_OTHER).values(live=False)
_AROUND = (_C.deployment_id == bindparam("of"), _C.last >= bindparam("since"), _C.first <= bindparam("upto"))
_TOUCHING = select(f.covered).where(*_AROUND)
_COVER = update(f.covered).where(_C.id == bindparam("row")).values(first=bindparam("since"), last=bindparam("upto"))


class FlowWriter:
    """One deployment's flows, inside one write transaction."""

    def __init__(self, connection: Connection, memory: Memory, deployment: int) -> None:
        self._connection, self._deployment = connection, deployment
        self._ids = memory.places.setdefault(deployment, Ids())
        self._texts = memory.covered

    def put(self, flows: Sequence[Flow]) -> None:
        """Write flows; those that are there are written over. Raises ValueError for an amount below zero."""
        if any(flow.amount_in < 0 or flow.amount_out < 0 for flow in flows):
            raise ValueError("a flow of less than nothing")
        self._learn({place_of(flow) for flow in flows})
        for at, of_block in groupby(sorted(flows, key=lambda flow: flow.at.number), key=lambda flow: flow.at):
            block_id = self._block(at)
            rows = [self._row(block_id, flow) for flow in of_block]
            new = upsert(self._connection, f.flow, ("block_id", "place_id"), ("amount_in", "amount_out"))
            self._connection.execute(new, rows)

    def cover(self, covered: Covered) -> None:
        """Say that all flows of some places are known in some blocks; joined with what touches it."""
        if covered.to_block < covered.from_block or not covered.places:
            return
        first, last, text = covered.from_block, covered.to_block, self._text(covered.places)
        c, around = f.covered.c, {"of": self._deployment, "since": first - 1, "upto": last + 1}
        same = [row for row in self._connection.execute(_TOUCHING, around) if row.places == text]
        first, last = min([first, *(row.first for row in same)]), max([last, *(row.last for row in same)])
        if not same:
            values = {"deployment_id": self._deployment, "first": first, "last": last, "places": text}
            self._connection.execute(insert(self._connection, f.covered).values(values))
            return
        if len(same) > 1:
            self._connection.execute(delete(f.covered).where(c.id.in_([row.id for row in same[1:]])))
        self._connection.execute(_COVER, {"row": same[0].id, "since": first, "upto": last})

    def _row(self, block_id: int, flow: Flow) -> dict[str, Any]:
        ids = self._ids.by_key
        amounts = {"amount_in": flow.amount_in, "amount_out": flow.amount_out}
        return {"block_id": block_id, "place_id": ids[place_of(flow)], **amounts}

    def _block(self, at: BlockRef) -> int:
        """The row of a block, live from now on: another one of its number is no more."""
        place = {"of": self._deployment, "at": at.number, "by": at.hash}
        if self._connection.execute(_OTHER_DIES, place).rowcount:
            self._cut(at.number, at.number, None)
        new = returning_id(upsert(self._connection, f.flow_block, ("deployment_id", "hash"), ("live",)))
        row = {"deployment_id": self._deployment, "live": True, **block_columns(at)}
        block_id: int = self._connection.execute(new, row).scalar_one()
        return block_id

    def uncover(self, uncovered: Covered) -> None:
        """Say that flows of some places in some blocks may be missing or wrong after all."""
        self._learn(uncovered.places)
        self._cut(uncovered.from_block, uncovered.to_block, {self._ids.by_key[place] for place in uncovered.places})

    def _cut(self, first: int, last: int, places: Set[int] | None) -> None:
        """Of these places (None: all) nothing is known in these blocks; of others, and around them, as before."""
        c = f.covered.c
        around = (c.deployment_id == self._deployment, c.first <= last, c.last >= first)
        for row in self._connection.execute(select(f.covered).where(*around)).all():
            self._connection.execute(delete(f.covered).where(c.id == row.id))
            others = _without(row.places, places) if places is not None else "[]"
            parts = [(row.first, first - 1, row.places), (last + 1, row.last, row.places)]
            parts.append((max(row.first, first), min(row.last, last), others))
            rows = [
                {"deployment_id": self._deployment, "first": start, "last": end, "places": text}
                for start, end, text in parts
                if start <= end and text != "[]"
            ]
            if rows:
                self._connection.execute(insert(self._connection, f.covered), rows)

    def _text(self, places: frozenset[Place]) -> str:
        """The runs of ids that stand for places. The same set comes with every block, so it is made once."""
        known = self._texts.get(self._deployment)
        if known is not None and (known[0] is places or known[0] == places):
            return known[1]
        self._learn(places)
        ids = self._ids.by_key
        text = _runs_text(ids[place] for place in places)
        self._texts[self._deployment] = (places, text)
        return text

    def _learn(self, places: Iterable[Place]) -> None:
        """Give every place its id; those that are new are written."""
        ids = self._ids
        if all(map(ids.by_key.__contains__, places)):
            return
        _refresh(self._connection, self._deployment, ids)
        missing = sorted(place for place in places if place not in ids.by_key)
        if missing:
            rows = [
                {"deployment_id": self._deployment, "token": token, "owner": owner, "bucket": bucket.value}
                for token, owner, bucket in missing
            ]
            self._connection.execute(insert(self._connection, f.place), rows)
            _refresh(self._connection, self._deployment, ids)


def supersede(connection: Connection, chain_id: int, ancestor: BlockRef) -> None:
    """Take back what a chain's blocks above the ancestor said, and that anything is known of them."""
    ours = select(t.deployment.c.id).where(t.deployment.c.chain_id == chain_id)
    b, c = f.flow_block.c, f.covered.c
    above = (b.deployment_id.in_(ours), b.live, b.number > ancestor.number)
    connection.execute(update(f.flow_block).where(*above).values(live=False))
    connection.execute(delete(f.covered).where(c.deployment_id.in_(ours), c.first > ancestor.number))
    beyond = (c.deployment_id.in_(ours), c.last > ancestor.number)
    connection.execute(update(f.covered).where(*beyond).values(last=ancestor.number))


def flows(connection: Connection, key: str, from_block: int, to_block: int) -> Flows:
    """See `Store.flows`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return Flows((), frozenset())
    p, b = f.place.c, f.flow_block.c
    named = select(f.place).where(p.deployment_id == deployment)
    places = {row.id: place_in(row) for row in connection.execute(named)}
    columns = (b.number, b.hash, b.parent_hash, b.timestamp, *f.flow.c)
    query = select(*columns).select_from(f.flow.join(f.flow_block)).where(b.deployment_id == deployment, b.live)
    found = connection.execute(query.where(b.number >= from_block, b.number <= to_block)).all()
    items = sorted((_flow(row, places[row.place_id]) for row in found), key=_in_order)
    complete = _complete(connection, deployment, from_block, to_block)
    return Flows(tuple(items), frozenset(places[place_id] for place_id in complete))


def place_of(flow: Flow) -> Place:
    """What a flow is of."""
    return flow.token, flow.owner, flow.bucket


def _refresh(connection: Connection, deployment: int, ids: Ids) -> None:
    p = f.place.c
    for row in connection.execute(select(f.place).where(p.deployment_id == deployment, p.id > ids.mark).order_by(p.id)):
        ids.by_key[place_in(row)] = ids.mark = row.id


def _complete(connection: Connection, deployment: int, from_block: int, to_block: int) -> list[int]:
    """Ids of the places whose covered blocks, put together, leave nothing of the range out."""
    c = f.covered.c
    query = select(c.first, c.last, c.places).where(c.deployment_id == deployment, c.last >= from_block)
    reached: dict[int, int] = {}
    for row in connection.execute(query.where(c.first <= to_block).order_by(c.first)):
        for start, end in json.loads(row.places):
            for place_id in range(start, end + 1):
                upto = reached.get(place_id, from_block - 1)
                if row.first <= upto + 1:
                    reached[place_id] = max(upto, row.last)
    return [place_id for place_id, upto in reached.items() if upto >= to_block]


def _without(text: str, places: Set[int]) -> str:
    """The runs of ids that are left of some."""
    return _runs_text(n for start, end in json.loads(text) for n in range(start, end + 1) if n not in places)


def _runs_text(ids: Iterable[int]) -> str:
    """1, 2, 3, 7 -> [[1,3],[7,7]]."""
    runs: list[list[int]] = []
    for one in sorted(ids):
        if runs and runs[-1][1] == one - 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return json.dumps(runs, separators=(",", ":"))


def place_in(row: Row[Any]) -> Place:
    """The place in a row of its table."""
    return Address(row.token), Address(row.owner), Bucket(row.bucket)


def _flow(row: Row[Any], place: Place) -> Flow:
    at = block_of(row)
    assert at is not None
    return Flow(at, *place, row.amount_in, row.amount_out)


def _in_order(flow: Flow) -> tuple[int, Place]:
    return flow.at.number, place_of(flow)
