"""Writes and reads gross flows, and in which blocks they are all known.

Plain functions on the connection of somebody's transaction. Flows are not in a series' digest: the chain's logs say
them again at any time, and whether they were kept depends on how a series was filled, not on what it says.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, delete, func, not_, select, update

from indexer.model import Address, BlockRef, Bucket, Flow
from indexer.store import coverage
from indexer.store import flow_tables as f
from indexer.store import tables as t
from indexer.store.base import Covered, Flows, Gross, Place
from indexer.store.coverage import Coverage, Span
from indexer.store.deltas import Ids, Memory
from indexer.store.engine import insert
from indexer.store.exact import exact
from indexer.store.prepared import put
from indexer.store.rows import block_columns, block_of
from indexer.store.runs import runs_text
from indexer.store.snapshots import deployment_id

_B = f.block_flows.c
_FORKS = (_B.live, not_(_B.live))
"""Each has an index of its own."""

_OF = _B.deployment_id == bindparam("of")
_HIGHEST = [select(func.max(_B.number)).where(_OF, fork) for fork in _FORKS]
_IN_RANGE = _B.number.between(bindparam("first"), bindparam("last"))
_STORED = [select(f.block_flows).where(_OF, _IN_RANGE, fork) for fork in _FORKS]
_ONE = _B.id == bindparam("row")
_DIES, _GOES = update(f.block_flows).where(_ONE).values(live=False), delete(f.block_flows).where(_ONE)

Amounts: TypeAlias = dict[int, tuple[int, int]]
"""What came and what went, by the id of its place."""


def put_flows(
    connection: Connection,
    flows: Sequence[tuple[FlowWriter, Sequence[tuple[BlockRef, Gross]]]],
    highest: dict[int, int],
) -> None:
    """Write flows of one fork; those that are there are written over, and other blocks of their numbers are no more.

    `highest` remembers each deployment's highest block. Raises ValueError for an amount below zero, TypeError for one
    that is no integer.
    """
    rows: list[dict[str, Any]] = []
    for writer, some in flows:
        blocks, of = writer.by_block(some), {"deployment_id": writer.deployment, "live": True}
        known = highest[writer.deployment] if writer.deployment in highest else writer.highest()
        writer.take_out(blocks, known)
        rows += [{**of, **block_columns(at), "flows": flows_text(amounts)} for at, amounts in blocks.items()]
        highest[writer.deployment] = max([known, *(at.number for at in blocks)])
    put(connection, insert(connection, f.block_flows), rows)


def flows_text(amounts: Amounts) -> str:
    """As JSON: of each place its id, what came and what went, as decimal text."""
    return "[" + ",".join([f'[{place_id},"{came}","{went}"]' for place_id, (came, went) in amounts.items()]) + "]"


def amounts_in(text: str) -> Amounts:
    """`flows_text` read back."""
    return {place_id: (int(came), int(went)) for place_id, came, went in json.loads(text)}


class FlowWriter:
    """One deployment's flows, inside one write transaction."""

    def __init__(self, connection: Connection, memory: Memory, deployment: int, folded: int | None) -> None:
        self._connection, self.deployment = connection, deployment
        self._coverage = Coverage(connection, deployment, folded)
        self._ids = memory.places.setdefault(deployment, Ids())
        self._texts = memory.covered

    def by_block(self, flows: Sequence[tuple[BlockRef, Gross]]) -> dict[BlockRef, Amounts]:
        """Flows of each block, checked. Raises as `put_flows`."""
        blocks: dict[BlockRef, Amounts] = {}
        for at, gross in flows:
            if min(map(exact, chain.from_iterable(gross.values())), default=0) < 0:
                raise ValueError("a flow of less than nothing")
            blocks.setdefault(at, {}).update(zip(self._placed(gross), gross.values(), strict=True))
        return blocks

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
        """The highest block with flows, of whatever fork; -1 where there is none."""
        found = [self._connection.execute(query, {"of": self.deployment}).scalar() for query in _HIGHEST]
        return max(-1 if number is None else int(number) for number in found)

    def take_out(self, blocks: dict[BlockRef, Amounts], highest: int) -> None:
        """Make room for blocks: what is stored of them comes to them, and goes; others of their numbers are no more."""
        below = {at.number: at for at in blocks if at.number <= highest}
        if not below:
            return
        stored = {"of": self.deployment, "first": min(below), "last": max(below)}
        for row in [row for query in _STORED for row in self._connection.execute(query, stored)]:
            at = below.get(row.number)
            if at is not None and row.hash == at.hash:
                blocks[at] = {**amounts_in(row.flows), **blocks[at]}
                self._connection.execute(_GOES, {"row": row.id})
            elif at is not None and row.live:
                self._connection.execute(_DIES, {"row": row.id})
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
    connection.execute(update(f.block_flows).where(*above).values(live=False))
    coverage.supersede(connection, chain_id, ancestor)


def flows(connection: Connection, key: str, from_block: int, to_block: int) -> Flows:
    """See `Store.flows`."""
    deployment = deployment_id(connection, key)
    if deployment is None:
        return Flows((), frozenset())
    p, b = f.place.c, f.block_flows.c
    named = select(f.place).where(p.deployment_id == deployment)
    places = {row.id: place_in(row) for row in connection.execute(named)}
    blocks = select(f.block_flows).where(b.deployment_id == deployment, b.live)
    found = connection.execute(blocks.where(b.number >= from_block, b.number <= to_block)).all()
    items = sorted((flow for row in found for flow in _flows(row, places)), key=_in_order)
    complete = coverage.complete(connection, deployment, from_block, to_block)
    return Flows(tuple(items), frozenset(places[place_id] for place_id in complete))


def _refresh(connection: Connection, deployment: int, ids: Ids) -> None:
    p = f.place.c
    for row in connection.execute(select(f.place).where(p.deployment_id == deployment, p.id > ids.mark).order_by(p.id)):
        ids.by_key[place_in(row)] = ids.mark = row.id


def place_in(row: Row[Any]) -> Place:
    """The place in a row of its table."""
    return Address(row.token), Address(row.owner), Bucket(row.bucket)


def _flows(row: Row[Any], places: Mapping[int, Place]) -> Iterator[Flow]:
    at = block_of(row)
    assert at is not None
    return (Flow(at, *places[place_id], *amounts) for place_id, amounts in amounts_in(row.flows).items())


def _in_order(flow: Flow) -> tuple[int, Place]:
    return flow.at.number, flow[1:4]
