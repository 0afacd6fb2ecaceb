"""Why a value changed, from a real store: whatever the order of writing and the forks, the canonical series says it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.config.types import Cadence
from indexer.model import BlockRef, Bucket, Snapshot, Status
from indexer.run.changes import Explained, Stretch, by_interval, explain, whole, worth_of
from indexer.store.base import Commit, Covered, Store
from indexer.valuation.attribution import attribute
from indexer.valuation.parts import Parts, sum_parts
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import deployment, gross
from tests.contract.test_store_properties import fresh, relaxed
from tests.unit.valuation.histories import History, at, histories

ALL = (Bucket.BASE, Bucket.BORROWED)


@pytest.fixture(params=engines())
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    chosen: Make = request.param
    async with new_store(chosen, tmp_path) as opened:
        yield opened


def renamed(history: History, key: str) -> list[Snapshot]:
    return [replace(one, deployment=key) for one in history.snapshots]


def seen(snapshots: list[Snapshot]) -> list[Snapshot]:
    return [one for one in snapshots if one.status is not Status.GAP]


async def fill(store: Store, chain: str, key: str, history: History, order: list[Snapshot]) -> None:
    """Snapshots in some order; the flows of the logged places, all of them known in every block."""
    for one in order:
        await store.commit(Commit(chain, [one]))
    kept = [flow for flow in history.flows if (flow.token, flow.owner, flow.bucket) in history.logged]
    covered = [Covered(0, len(history.snapshots), history.logged)]
    await store.commit(Commit(chain, flows={key: gross(kept)}, covered={key: covered}))


async def explained(store: Store, key: str, stretch: Stretch, every: Cadence | None = None) -> Explained:
    row = deployment(key, key.partition("@")[2])
    made = await (explain(store, row, stretch, every) if every else explain(store, row, stretch))
    assert made is not None
    return made


@given(histories(blocks=5), st.data())
@relaxed
async def test_what_is_stored_explains_as_the_snapshots_themselves_do(
    store: Store, history: History, data: st.DataObject
) -> None:
    chain, key, _ = await fresh(store)
    snapshots = renamed(history, key)
    await fill(store, chain, key, history, data.draw(st.permutations(snapshots)))
    if seen(snapshots):
        made = await explained(store, key, Stretch(None, snapshots[-1].at))
        for bucket in ALL:
            total = whole([made], bucket)
            assert total.parts == attribute(key, snapshots, history.ledger).total(bucket)
            assert total.closing - total.opening == total.parts.change


@given(histories(blocks=5), histories(blocks=5), st.data())
@relaxed
async def test_what_a_reorg_took_back_explains_nothing(
    store: Store, history: History, abandoned: History, data: st.DataObject
) -> None:
    chain, key, _ = await fresh(store)
    snapshots, fork = renamed(history, key), [forked(one) for one in renamed(abandoned, key)]
    depth = data.draw(st.integers(0, len(snapshots) - 1))
    await store.commit(Commit(chain, [*snapshots[:depth], *fork[depth:]]))
    ancestor = snapshots[depth - 1].at if depth else at(0)
    await store.commit(Commit(chain, snapshots[depth:], supersede_above=ancestor))
    if seen(snapshots):
        made = await explained(store, key, Stretch(None, snapshots[-1].at))
        assert whole([made]).parts == attribute(key, snapshots).total()


def forked(one: Snapshot) -> Snapshot:
    """The same on another branch."""
    return replace(one, at=at(one.at.number, fork=7))


@given(histories(), st.integers(1, 4))
@relaxed
async def test_intervals_add_up_to_the_whole_and_each_begins_where_the_last_one_ended(
    store: Store, history: History, blocks: int
) -> None:
    chain, key, _ = await fresh(store)
    snapshots = renamed(history, key)
    await fill(store, chain, key, history, snapshots)
    if seen(snapshots):
        made = await explained(store, key, Stretch(None, snapshots[-1].at, True), Cadence(blocks=blocks))
        rows = list(by_interval([made]).values())
        assert sum_parts(row.parts for row in rows) == whole([made]).parts
        assert rows[0].opening == 0
        assert all(a.closing == b.opening for a, b in pairwise(rows))
        assert rows[-1].closing == worth_of(made.closing)


@given(histories(), st.data())
@relaxed
async def test_adjoining_stretches_add_up_whatever_is_held_at_their_ends(
    store: Store, history: History, data: st.DataObject
) -> None:
    chain, key, _ = await fresh(store)
    snapshots = renamed(history, key)
    await fill(store, chain, key, history, snapshots)
    some = seen(snapshots)
    if some and some[0].status is not Status.HELD:
        middle, last = data.draw(st.sampled_from(some)).at, some[-1].at
        halves = [await parts(store, key, some[0].at, middle), await parts(store, key, middle, last)]
        assert sum(halves, Parts()) == await parts(store, key, some[0].at, last)


async def parts(store: Store, key: str, opened: BlockRef, closed: BlockRef) -> Parts:
    return whole([await explained(store, key, Stretch(opened, closed))]).parts
