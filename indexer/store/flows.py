"""Writes and reads gross flows, and in which blocks they are all known.

Plain functions on the connection of somebody's transaction. Flows are not in a series' digest: the chain's logs say
them again at any time, and whether they were kept depends on how a series was filled, not on what it says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from indexer.model import Address, BlockRef, Bucket, Flow
from indexer.store import coverage
from indexer.store import flow_tables as f
from indexer.store import tables as t
from indexer.store.base import Covered, Flows, Place
from indexer.store.coverage import Coverage, Span
from indexer.store.deltas import Ids, Memory
from indexer.store.engine import insert, returning_id, upsert
from indexer.store.prepared import put_columns, put_returning
from indexer.store.rows import block_columns, block_of
from indexer.store.runs import runs_text
from indexer.store.snapshots import deployment_id

_B = f.flow_block.c
_OTHER = (_B.deployment_id == bindparam("of"), _B.number == bindparam("at"), _B.hash != bindparam("by"), _B.live)
_HIGHEST = select(func.max(_B.number)).where(_B.deployment_id == bindparam("of"), _B.live)
_OTHER_DIES = update(f.flow_block).where(*_OTHER).values(live=False)


@dataclass(frozen=True, slots=True)
class _Block:
    """A deployment's flows of a block, and the ids of their places."""

    writer: FlowWriter
    at: BlockRef
    flows: Sequence[Flow]
    places: Sequence[int]

    def row(self) -> dict[str, Any]:
        return {"deployment_id": self.writer.deployment, "live": True, **block_columns(self.at)}


def put_flows(
    connection: Connection, flows: Sequence[tuple[FlowWriter, Sequence[Flow]]], highest: dict[int, int]
) -> None:
    """Write flows of one fork; those that are there are written over, and other blocks of their numbers are no more.

    `highest` remembers each deployment's highest live block. Raises ValueError for an amount below zero.
    """
    blocks = [block for writer, some in flows for block in writer.by_block(some)]
    for block in blocks:
        deployment, number = block.writer.deployment, block.at.number
        known = highest[deployment] if deployment in highest else block.writer.highest()
        if number <= known:
            block.writer.bury(block.at)
        highest[deployment] = max(number, known)
    new = returning_id(upsert(connection, f.flow_block, ("deployment_id", "hash"), ("live",)))
    made = put_returning(connection, new, [block.row() for block in blocks])
    columns = {
        "block_id": [block_id for (block_id,), block in zip(made, blocks, strict=True) for _ in block.flows],
        "place_id": [place_id for block in blocks for place_id in block.places],
        "amount_in": [flow.amount_in for block in blocks for flow in block.flows],
        "amount_out": [flow.amount_out for block in blocks for flow in block.flows],
    }
    put_columns(connection, upsert(connection, f.flow, ("block_id", "place_id"), ("amount_in", "amount_out")), columns)


class FlowWriter:
    """One deployment's flows, inside one write transaction."""

    def __init__(self, connection: Connection, memory: Memory, deployment: int, folded: int | None) -> None:
        self._connection, self.deployment = connection, deployment
        self._coverage = Coverage(connection, deployment, folded)
        self._ids = memory.places.setdefault(deployment, Ids())
        self._texts = memory.covered

    def by_block(self, flows: Sequence[Flow]) -> list[_Block]:
        """Flows of one block each. Raises ValueError for an amount below zero."""
        if any(flow.amount_in < 0 or flow.amount_out < 0 for flow in flows):
            raise ValueError("a flow of less than nothing")
        places = iter(self._placed([place_of(flow) for flow in flows]))
        grouped = [(at, list(some)) for at, some in groupby(flows, key=attrgetter("at"))]
        return [_Block(self, at, some, list(islice(places, len(some)))) for at, some in grouped]

    def cover(self, covered: Covered) -> None:
        """Say that all flows of some places are known in some blocks."""
        self._coverage.add(Span(covered.from_block, covered.to_block, self._text(covered.places)))

    def uncover(self, uncovered: Covered) -> None:
        """Say that flows of some places in some blocks may be missing or wrong after all."""
        self._coverage.cut(uncovered.from_block, uncovered.to_block, set(self._placed(uncovered.places)))

    def go_on(self, first: int, places: frozenset[Place]) -> None:
        """Say that all flows of just these places are known from a block on, as far as the ledger folds."""
        self._coverage.go_on(first, self._text(places))

    def highest(self) -> int:
        """The highest block with flows that is not of an abandoned fork; -1 where there is none."""
        found = self._connection.execute(_HIGHEST, {"of": self.deployment}).scalar()
        return -1 if found is None else int(found)

    def bury(self, at: BlockRef) -> None:
        """Another block of this one's number is no more."""
        place = {"of": self.deployment, "at": at.number, "by": at.hash}
        if self._connection.execute(_OTHER_DIES, place).rowcount:
            self._coverage.cut(at.number, at.number, None)

    def _text(self, places: frozenset[Place]) -> str:
        """The runs of ids that stand for places. The same set comes with every block, so it is made once."""
        known = self._texts.get(self.deployment)
        if known is not None and known[0] == places:
            return known[1]
        text = runs_text(self._placed(places))
        self._texts[self.deployment] = (places, text)
        return text

    def _placed(self, places: Collection[Place]) -> list[int]:
        """The id of every place; those that are new are written."""
        by_key = self._ids.by_key
        try:
            return [by_key[place] for place in places]
        except KeyError:
            self._learn(places)
            return [by_key[place] for place in places]

    def _learn(self, places: Collection[Place]) -> None:
        ids = self._ids
        _refresh(self._connection, self.deployment, ids)
        missing = sorted({place for place in places if place not in ids.by_key})
        if missing:
            rows = [
                {"deployment_id": self.deployment, "token": token, "owner": owner, "bucket": bucket.value}
                for token, owner, bucket in missing
            ]
            self._connection.execute(insert(self._connection, f.place), rows)
            _refresh(self._connection, self.deployment, ids)


def supersede(connection: Connection, chain_id: int, ancestor: BlockRef) -> None:
    """Take back what a chain's blocks above the ancestor said, and that anything is known of them."""
    ours = select(t.deployment.c.id).where(t.deployment.c.chain_id == chain_id)
    above = (_B.deployment_id.in_(ours), _B.live, _B.number > ancestor.number)
    connection.execute(update(f.flow_block).where(*above).values(live=False))
    coverage.supersede(connection, chain_id, ancestor)


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
    complete = coverage.complete(connection, deployment, from_block, to_block)
    return Flows(tuple(items), frozenset(places[place_id] for place_id in complete))


def place_of(flow: Flow) -> Place:
    """What a flow is of: token, owner and bucket."""
    return flow[1:4]


def _refresh(connection: Connection, deployment: int, ids: Ids) -> None:
    p = f.place.c
    for row in connection.execute(select(f.place).where(p.deployment_id == deployment, p.id > ids.mark).order_by(p.id)):
        ids.by_key[place_in(row)] = ids.mark = row.id


def place_in(row: Row[Any]) -> Place:
    """The place in a row of its table."""
    return Address(row.token), Address(row.owner), Bucket(row.bucket)


def _flow(row: Row[Any], place: Place) -> Flow:
    at = block_of(row)
    assert at is not None
    return Flow(at, *place, row.amount_in, row.amount_out)


def _in_order(flow: Flow) -> tuple[int, Place]:
    return flow.at.number, place_of(flow)
