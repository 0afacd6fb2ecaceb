"""What a store keeps beside snapshots for whoever runs it: costs, traffic, audits, and what an audit put right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indexer.model import Snapshot, Status
from indexer.store.base import ChainState, Commit, Store
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import block, deployment, gap, plain

KEY = "dex@chain"


@pytest.fixture(params=engines())
def make(request: pytest.FixtureRequest) -> Make:
    chosen: Make = request.param
    return chosen


@pytest.fixture
async def store(make: Make, tmp_path: Path) -> AsyncIterator[Store]:
    async with new_store(make, tmp_path) as opened:
        await opened.register([deployment(KEY), deployment("vault@chain")])
        yield opened


def three(middle: Snapshot) -> Commit:
    return Commit("chain", [plain(KEY, block(1), [5, 6]), middle, plain(KEY, block(3), [5, 8])])


async def test_what_an_audit_put_right_takes_the_place_of_what_was_there(store: Store) -> None:
    await store.commit(three(plain(KEY, block(2), [4, 7])))
    right = plain(KEY, block(2), [5, 7])
    await store.commit(Commit("chain", [right], replace=True, finalized=block(2), audited=2))
    assert await store.snapshot(KEY, 2) == right
    assert await store.verify() == []
    found = await store.digest(KEY)
    await store.commit(Commit("chain", supersede_above=block(2)))
    await store.commit(Commit("chain", [plain(KEY, block(3), [5, 8])]))
    assert await store.digest(KEY) == found


async def test_the_neighbours_of_what_was_replaced_say_what_they_said(store: Store) -> None:
    await store.commit(three(plain(KEY, block(2), [4, 7])))
    await store.commit(Commit("chain", [plain(KEY, block(2), [5])], replace=True))
    assert await store.snapshot(KEY, 1) == plain(KEY, block(1), [5, 6])
    assert await store.snapshot(KEY, 3) == plain(KEY, block(3), [5, 8])
    assert await store.verify() == []


async def test_a_snapshot_in_doubt_becomes_a_gap_only_by_a_replacing_commit(store: Store) -> None:
    await store.commit(Commit("chain", [plain(KEY, block(2), [5])]))
    doubt = gap(KEY, block(2), "endpoints do not agree")
    await store.commit(Commit("chain", [doubt]))
    assert await store.snapshot(KEY, 2) == plain(KEY, block(2), [5])
    await store.commit(Commit("chain", [doubt], replace=True))
    assert await store.snapshot(KEY, 2) == doubt
    (point,) = await store.series(KEY)
    assert (point.status, point.reason) == (Status.GAP, "endpoints do not agree")
    assert await store.verify() == []


async def test_audits_are_added_up_and_what_they_put_right_is_counted(store: Store) -> None:
    await store.commit(Commit("chain", [plain(KEY, block(2), [5])], audited=3))
    await store.commit(Commit("chain", [plain(KEY, block(2), [6])], audited=4, replace=True))
    assert await store.chain_state("chain") == ChainState("chain", audited=7, corrected=1)


async def test_costs_and_traffic_are_those_told_last(store: Store) -> None:
    await store.commit(Commit("chain", requests=4, calls=90, traffic={"eth_call": 8, "eth_getBlockByNumber": 3}))
    await store.commit(Commit("chain", audited=1))
    state = await store.chain_state("chain")
    assert (state.requests, state.calls) == (4, 90)
    assert state.traffic == {"eth_call": 8, "eth_getBlockByNumber": 3}
    await store.commit(Commit("chain", traffic={"eth_call": 1}))
    assert (await store.chain_state("chain")).traffic == {"eth_call": 1}


async def test_ways_are_those_told_last(store: Store) -> None:
    assert (await store.chain_state("chain")).ways == {}
    await store.commit(Commit("chain", ways={"folded": 7, "timed": 2}))
    await store.commit(Commit("chain", requests=1))
    assert (await store.chain_state("chain")).ways == {"folded": 7, "timed": 2}
    await store.commit(Commit("chain", ways={}))
    assert (await store.chain_state("chain")).ways == {}
