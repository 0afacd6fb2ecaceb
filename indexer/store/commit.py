"""Writes one `Commit`: the fork that ended, the snapshots, then heads, discoveries and finality.

Plain functions on the connection of one write transaction. Never commits, never asks a node.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, func, not_, select, update

from indexer.errors import FinalityBroken, UnknownName
from indexer.model import BlockRef, Found, State
from indexer.store import coverage
from indexer.store import tables as t
from indexer.store.base import Commit, DeploymentRow
from indexer.store.deltas import Memory, Recent
from indexer.store.engine import insert, upsert
from indexer.store.flows import FlowWriter, put_flows, supersede
from indexer.store.pointing import PointWriter, by_block
from indexer.store.points import CANONICAL
from indexer.store.prepared import first, put
from indexer.store.rows import block_columns, block_of, found_columns

HEADS_KEPT = 1024
FORGET_EVERY = 64
"""Blocks after which older heads are forgotten."""

SEARCHED_EVERY = 1024
"""Blocks after which a search that found nothing is noted: a start after a crash may search so many again."""

_ONE_DEPLOYMENT = update(t.deployment).where(t.deployment.c.id == bindparam("row"))
_SEARCHED = _ONE_DEPLOYMENT.where(func.coalesce(t.deployment.c.searched, -1) < bindparam("upto")).values(
    searched=bindparam("upto")
)
_OF_CHAIN: BindParameter[int] = bindparam("chain")
_WROTE = update(t.chain).where(t.chain.c.id == _OF_CHAIN).values(writes=func.coalesce(t.chain.c.writes, 0) + 1)
_SPENT = update(t.chain).where(t.chain.c.id == _OF_CHAIN)
_CHAIN = select(t.chain).where(t.chain.c.name == bindparam("name"))
_DEPLOYMENTS = select(t.deployment).where(t.deployment.c.chain_id == _OF_CHAIN)
_TIP = select(func.max(t.point.c.number)).where(t.point.c.chain_id == _OF_CHAIN)
_HEADS = select(t.head.c.number).where(t.head.c.chain_id == _OF_CHAIN)
_OLDEST_HEAD = _HEADS.order_by(t.head.c.number.desc()).offset(HEADS_KEPT - 1).limit(1).scalar_subquery()
_FORGET_HEADS = delete(t.head).where(t.head.c.chain_id == _OF_CHAIN, t.head.c.number < _OLDEST_HEAD)


def register(connection: Connection, deployments: Sequence[DeploymentRow]) -> None:
    """See `Store.register`."""
    for row in deployments:
        chain_id = chain_row(connection, row.chain).id
        described = {
            "chain_id": chain_id,
            "protocol": row.protocol,
            "kind": row.kind,
            "category": row.category,
            "params_json": row.params_json,
            "first_block": row.first_block,
        }
        _forget_if_changed(connection, row)
        connection.execute(_WROTE, {"chain": chain_id})
        new = insert(connection, t.deployment).values(key=row.key, **described)
        connection.execute(new.on_conflict_do_update(index_elements=["key"], set_=described))


def _forget_if_changed(connection: Connection, row: DeploymentRow) -> None:
    """What was found by other parameters is not what these would find: it is searched for again."""
    d = t.deployment.c
    same = (d.kind == row.kind, d.params_json == row.params_json, d.first_block == row.first_block)
    changed = select(d.id).where(d.key == row.key, not_(and_(*same)))
    connection.execute(delete(t.found).where(t.found.c.deployment_id.in_(changed)))
    connection.execute(update(t.deployment).where(d.id.in_(changed)).values(searched=None))


def chain_row(connection: Connection, name: str) -> Any:
    """The row of a chain, made if need be."""
    found = first(connection, _CHAIN, {"name": name})
    if found is None:
        connection.execute(insert(connection, t.chain).values(name=name))
        found = first(connection, _CHAIN, {"name": name})
    return found


def write(connection: Connection, commit: Commit, memory: Memory) -> None:
    """See `Commit`. Raises UnknownName for a deployment that is not registered, FinalityBroken for a reorg too deep."""
    chain = chain_row(connection, commit.chain)
    deployments = _deployments(_recent(connection, chain, memory), commit)
    if commit.supersede_above is not None:
        _supersede(connection, chain, commit.supersede_above)
        del memory.recent[chain.id]
    recent = _recent(connection, chain, memory)
    finalized = _later(block_of(chain, "final_"), commit.finalized)
    final_number = -1 if finalized is None else finalized.number
    writer = PointWriter(connection, memory, chain.id, recent)
    for at, group in by_block(commit.snapshots):
        some = {deployments[key]: snapshot for key, snapshot in group.items()}
        writer.put(at, some, is_final=commit.final or at.number <= final_number, replace=commit.replace)
    _write_flows(connection, memory, deployments, chain, commit)
    _write_heads(connection, chain.id, commit)
    for key, found in commit.found.items():
        _write_found(connection, deployments[key], found)
        recent.searched.pop(deployments[key], None)
    _write_searched(connection, {deployments[key]: n for key, n in commit.searched.items()}, recent)
    _finalize(connection, chain, finalized)
    recent.writes += 1
    _keep_books(connection, chain, commit, recent.writes)


def _recent(connection: Connection, chain: Any, memory: Memory) -> Recent:
    """What is remembered of a chain, or asked for anew where somebody else wrote since."""
    known = memory.recent.get(chain.id)
    if known is None or known.writes != (chain.writes or 0):
        of_chain = {"chain": chain.id}
        rows = connection.execute(_DEPLOYMENTS, of_chain).all()
        tip = connection.execute(_TIP, of_chain).scalar()
        searched = {row.id: row.searched for row in rows if row.searched is not None}
        known = Recent(chain.writes or 0, {row.key: row.id for row in rows}, searched, -1 if tip is None else tip)
        memory.recent[chain.id] = known
    return known


def _deployments(recent: Recent, commit: Commit) -> dict[str, int]:
    named = {*commit.flows, *commit.covered, *commit.uncovered, *commit.found, *commit.searched}
    named.update(commit.folded.covering if commit.folded else ())
    named |= {s.deployment for s in commit.snapshots}
    if missing := named - recent.deployments.keys():
        raise UnknownName("a deployment is not registered on this chain", deployment=min(missing), chain=commit.chain)
    return recent.deployments


def _later(a: BlockRef | None, b: BlockRef | None) -> BlockRef | None:
    if a is None or b is None:
        return a or b
    return b if b.number > a.number else a


def _supersede(connection: Connection, chain: Any, ancestor: BlockRef) -> None:
    """Take back all that stands above the block where the forks part."""
    if chain.final_number is not None and ancestor.number < chain.final_number:
        raise FinalityBroken(ancestor=ancestor, finalized=chain.final_number, chain=chain.name)
    ours = select(t.deployment.c.id).where(t.deployment.c.chain_id == chain.id)
    s, p = t.snapshot.c, t.point.c
    above = (s.deployment_id.in_(ours), s.live, s.number > ancestor.number)
    ids = select(s.id).where(*above)
    for table in (t.holding, t.quoted):
        connection.execute(update(table).where(table.c.snapshot_id.in_(ids)).values(live=False))
    connection.execute(update(t.snapshot).where(*above).values(live=False))
    undone = update(t.point).where(p.chain_id == chain.id, p.number > ancestor.number, CANONICAL)
    connection.execute(undone.values(state=State.SUPERSEDED.value))
    connection.execute(delete(t.found).where(t.found.c.deployment_id.in_(ours), t.found.c.block > ancestor.number))
    supersede(connection, chain.id, ancestor)
    d = t.deployment.c
    beyond = (d.chain_id == chain.id, d.searched > ancestor.number)
    connection.execute(update(t.deployment).where(*beyond).values(searched=ancestor.number))


def _write_flows(
    connection: Connection, memory: Memory, deployments: Mapping[str, int], chain: Any, commit: Commit
) -> None:
    """What came and went, and in which blocks that is all: up to a block, and as far as the ledger folds from there."""
    folded, reached = commit.folded, _reached(chain, commit.supersede_above)
    if folded and folded.since != chain.folded_since:
        coverage.end_all(connection, chain.id, reached)
    going_on = folded.covering if folded else {}
    named = commit.flows.keys() | commit.covered.keys() | commit.uncovered.keys() | going_on.keys()
    writers = {key: FlowWriter(connection, memory, deployments[key], reached) for key in named}
    flowed = memory.recent[chain.id].flowed
    put_flows(connection, [(writers[key], flows) for key, flows in commit.flows.items()], flowed)
    for key, writer in writers.items():
        for uncovered in commit.uncovered.get(key, ()):
            writer.uncover(uncovered)
        for covered in commit.covered.get(key, ()):
            writer.cover(covered)
        if folded and key in going_on:
            writer.go_on(folded.upto + 1, going_on[key])


def _reached(chain: Any, ancestor: BlockRef | None) -> int | None:
    """The last folded block, when what a reorg undid is taken back."""
    folded: int | None = chain.folded
    return folded if ancestor is None or folded is None else min(folded, ancestor.number)


def _write_heads(connection: Connection, chain_id: int, commit: Commit) -> None:
    h = t.head.c
    heads = list(commit.heads)
    if commit.supersede_above is not None:
        ancestor = commit.supersede_above
        connection.execute(delete(t.head).where(h.chain_id == chain_id, h.number > ancestor.number))
        heads.insert(0, ancestor)
    new = upsert(connection, t.head, ("chain_id", "number"), ("hash", "parent_hash", "timestamp"))
    put(connection, new, [{"chain_id": chain_id, **block_columns(at)} for at in heads])
    if len(heads) > FORGET_EVERY or any(at.number % FORGET_EVERY == 0 for at in heads):
        connection.execute(_FORGET_HEADS, {"chain": chain_id})


def _write_found(connection: Connection, deployment_id: int, found: Sequence[Found]) -> None:
    """A thing found again by another way keeps its place; its block is the lower of the two."""
    if not found:
        return
    new = insert(connection, t.found)
    earlier = {"block": new.excluded.block}
    earliest = new.on_conflict_do_update(
        index_elements=["deployment_id", "key"], set_=earlier, where=t.found.c.block > new.excluded.block
    )
    connection.execute(earliest, [{"deployment_id": deployment_id, **found_columns(item)} for item in found])


def _write_searched(connection: Connection, searched: Mapping[int, int], recent: Recent) -> None:
    """What is noted is never more than what was searched; it is less by so many blocks at most."""
    due = {row: n for row, n in searched.items() if n >= recent.searched.get(row, -SEARCHED_EVERY) + SEARCHED_EVERY}
    if due:
        connection.execute(_SEARCHED, [{"row": row, "upto": n} for row, n in due.items()])
        recent.searched.update(due)


def _finalize(connection: Connection, chain: Any, finalized: BlockRef | None) -> None:
    """Move finality, and with it the states of the blocks it passed."""
    if finalized is None or finalized.number == chain.final_number:
        return
    connection.execute(update(t.chain).where(t.chain.c.id == chain.id).values(block_columns(finalized, "final_")))
    p = t.point.c
    passed = (p.chain_id == chain.id, CANONICAL, p.number > _number(chain), p.number <= finalized.number)
    connection.execute(update(t.point).where(*passed).values(state=State.FINAL.value))


def _keep_books(connection: Connection, chain: Any, commit: Commit, writes: int) -> None:
    """What was spent, what audits found, and that somebody wrote."""
    values: dict[str, Any] = {"requests": commit.requests, "calls": commit.calls, "writes": writes}
    values = {name: value for name, value in values.items() if value is not None}
    counted = {"traffic": commit.traffic, "ways": commit.ways}
    values |= {name: json.dumps(counts, sort_keys=True) for name, counts in counted.items() if counts is not None}
    if commit.folded:
        values |= {"folded_since": commit.folded.since, "folded": commit.folded.upto}
    if commit.audited:
        values["audited"] = (chain.audited or 0) + commit.audited
    if commit.replace:
        values["corrected"] = (chain.corrected or 0) + len(commit.snapshots)
    put(connection, _SPENT, [{"chain": chain.id, **values}])


def _number(chain: Any) -> int:
    return -1 if chain.final_number is None else int(chain.final_number)
