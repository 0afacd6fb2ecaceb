"""What came and went, block by block, as every store must keep it; and of what it says that nothing is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import UnknownName
from indexer.model import BlockRef, Bucket, Flow, Snapshot
from indexer.store.base import Commit, Covered, Flows, Gross, Place, Store
from indexer.valuation.attribution import Ledger, Moves
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import OWNERS, TOKENS, block, deployment, gross, plain
from tests.contract.test_store_properties import fresh, relaxed

KEY = "dex@chain"
POOL: Place = (TOKENS[0], OWNERS[0], Bucket.BASE)
DEBT: Place = (TOKENS[0], OWNERS[0], Bucket.BORROWED)
OTHER: Place = (TOKENS[1], OWNERS[1], Bucket.BASE)


@pytest.fixture(params=engines())
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    chosen: Make = request.param
    async with new_store(chosen, tmp_path) as opened:
        await opened.register([deployment(KEY), deployment("vault@chain"), deployment("dex@other", "other")])
        yield opened


def flow(at: BlockRef, place: Place = POOL, came: int = 1, went: int = 0) -> Flow:
    return Flow(at, *place, came, went)


def covered(first: int, last: int, *places: Place) -> dict[str, list[Covered]]:
    return {KEY: [Covered(first, last, frozenset(places))]}


async def put(store: Store, *flows: Flow, **rest: object) -> None:
    await store.commit(Commit("chain", flows={KEY: gross(flows)}, **rest))  # type: ignore[arg-type]


async def test_flows_come_back_by_block_and_place_to_the_last_unit(store: Store) -> None:
    made = [flow(block(4), POOL, 2**256 - 1, 5), flow(block(4), DEBT, 0, 1), flow(block(7), OTHER, 3, 3)]
    await put(store, *reversed(made))
    assert (await store.flows(KEY, 4, 7)).items == tuple(made)
    assert (await store.flows(KEY, 5, 7)).items == (made[2],)
    assert (await store.flows(KEY, 5, 6)).items == ()


async def test_a_store_without_flows_says_that_nothing_is_known(store: Store) -> None:
    await store.commit(Commit("chain", [plain(KEY, block(4), [1])]))
    assert await store.flows(KEY, 0, 10) == Flows((), frozenset())
    assert await store.flows("nobody@chain", 0, 10) == Flows((), frozenset())


async def test_a_block_without_a_flow_is_known_to_have_none(store: Store) -> None:
    await put(store, covered=covered(3, 9, POOL, DEBT))
    assert await store.flows(KEY, 3, 9) == Flows((), frozenset({POOL, DEBT}))
    assert (await store.flows(KEY, 2, 9)).complete == frozenset()
    assert (await store.flows(KEY, 3, 10)).complete == frozenset()


async def test_spans_that_touch_are_one_whatever_order_they_come_in(store: Store) -> None:
    for first, last in [(1, 3), (7, 9), (4, 6)]:
        await put(store, covered=covered(first, last, POOL))
    assert (await store.flows(KEY, 1, 9)).complete == {POOL}


async def test_a_hole_of_one_block_is_a_hole(store: Store) -> None:
    await put(store, covered=covered(1, 3, POOL))
    await put(store, covered=covered(5, 9, POOL))
    assert (await store.flows(KEY, 1, 9)).complete == frozenset()
    assert (await store.flows(KEY, 5, 9)).complete == {POOL}


async def test_a_place_that_is_tracked_later_is_complete_from_there_and_leaves_the_others_as_they_are(
    store: Store,
) -> None:
    await put(store, covered=covered(1, 4, POOL))
    await put(store, covered=covered(5, 8, POOL, OTHER))
    await put(store, covered=covered(9, 9, OTHER))
    assert (await store.flows(KEY, 1, 8)).complete == {POOL}
    assert (await store.flows(KEY, 5, 8)).complete == {POOL, OTHER}
    assert (await store.flows(KEY, 5, 9)).complete == {OTHER}


async def test_the_same_commit_twice_says_the_same(store: Store) -> None:
    for _ in range(2):
        await put(store, flow(block(4), came=5, went=2), covered=covered(4, 4, POOL))
    assert await store.flows(KEY, 4, 4) == Flows((flow(block(4), came=5, went=2),), frozenset({POOL}))


async def test_a_flow_that_was_corrected_is_written_over(store: Store) -> None:
    await put(store, flow(block(4), came=5), flow(block(4), OTHER))
    await put(store, flow(block(4), came=6))
    assert (await store.flows(KEY, 4, 4)).items == (flow(block(4), came=6), flow(block(4), OTHER))


async def test_one_commit_keeps_the_flows_of_several_deployments_apart(store: Store) -> None:
    for number in (4, 5):
        ours, theirs = flow(block(number), came=number), flow(block(number), OTHER, went=number)
        both = {KEY: gross([ours]), "vault@chain": gross([theirs])}
        await store.commit(Commit("chain", flows=both))
    assert (await store.flows(KEY, 4, 5)).items == (flow(block(4), came=4), flow(block(5), came=5))
    assert [one.amount_out for one in (await store.flows("vault@chain", 4, 5)).items] == [4, 5]


@pytest.mark.parametrize("engine", engines())
async def test_a_block_that_somebody_else_wrote_gives_way_to_another_of_its_number(
    engine: Make, tmp_path: Path
) -> None:
    async with new_store(engine, tmp_path) as ours, new_store(engine, tmp_path) as theirs:
        await ours.register([deployment(KEY)])
        await put(ours, flow(block(4), came=4))
        await put(theirs, flow(block(6, 1), came=66), covered=covered(5, 6, POOL))
        await put(ours, flow(block(6), came=6))
        assert (await ours.flows(KEY, 4, 6)).items == (flow(block(4), came=4), flow(block(6), came=6))
        assert (await ours.flows(KEY, 5, 6)).complete == frozenset()
        await put(ours, flow(block(5, 1), came=55))
        await put(theirs, flow(block(5), came=5))
        assert [one.amount_in for one in (await ours.flows(KEY, 4, 6)).items] == [4, 5, 6]


async def test_a_reorg_takes_back_flows_and_what_was_known_above_it_on_its_chain_only(store: Store) -> None:
    await put(store, *(flow(block(n), came=n) for n in range(1, 6)), covered=covered(1, 5, POOL))
    elsewhere = {"dex@other": gross([flow(block(5))])}
    await store.commit(Commit("other", flows=elsewhere, covered={"dex@other": covered(1, 5, POOL)[KEY]}))
    await put(store, supersede_above=block(3))
    assert await store.flows(KEY, 1, 3) == Flows(tuple(flow(block(n), came=n) for n in (1, 2, 3)), frozenset({POOL}))
    assert await store.flows(KEY, 4, 5) == Flows((), frozenset())
    assert (await store.flows("dex@other", 1, 5)).complete == {POOL}
    await put(store, flow(block(4, 1, 0), came=8), covered=covered(4, 6, POOL))
    found = await store.flows(KEY, 3, 6)
    assert (found.items, found.complete) == ((flow(block(3), came=3), flow(block(4, 1, 0), came=8)), {POOL})


async def test_a_chain_that_comes_back_to_its_first_fork_has_the_flows_of_that_fork(store: Store) -> None:
    await put(store, flow(block(4), came=1), flow(block(4), OTHER, 7))
    await put(store, flow(block(4, 1), came=2), supersede_above=block(3))
    await put(store, flow(block(4), came=1), supersede_above=block(3))
    assert (await store.flows(KEY, 4, 4)).items == (flow(block(4), came=1), flow(block(4), OTHER, 7))


async def test_another_block_of_the_same_number_takes_the_place_of_the_old_and_its_coverage(store: Store) -> None:
    await put(store, flow(block(4), OTHER), covered=covered(1, 9, OTHER))
    await put(store, flow(block(4, 1), came=2))
    assert (await store.flows(KEY, 1, 9)) == Flows((flow(block(4, 1), came=2),), frozenset())
    assert (await store.flows(KEY, 1, 3)).complete == (await store.flows(KEY, 5, 9)).complete == {OTHER}


async def test_flows_do_not_change_what_a_series_says(store: Store) -> None:
    await store.commit(Commit("chain", [plain(KEY, block(4), [1])]))
    before = await store.digest(KEY)
    await put(store, flow(block(4)), covered=covered(1, 9, POOL))
    assert await store.digest(KEY) == before
    assert await store.verify() == []


async def test_flows_that_cannot_be_are_refused_and_change_nothing(store: Store) -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        await put(store, flow(block(1)), flow(block(2), went=-1))
    with pytest.raises(UnknownName, match="dex@other"):
        await store.commit(Commit("chain", flows={"dex@other": gross([flow(block(1))])}))
    with pytest.raises(TypeError, match="exact integer"):
        await put(store, flow(block(1), came=1.5))  # type: ignore[arg-type]
    assert await store.flows(KEY, 0, 9) == Flows((), frozenset())


spans = st.tuples(st.integers(0, 12), st.integers(0, 5), st.frozensets(st.sampled_from([POOL, DEBT, OTHER])))


def said(spans: Iterable[tuple[int, int, frozenset[Place]]], place: Place) -> set[int]:
    return {n for first, length, places in spans if place in places for n in range(first, first + length + 1)}


@given(made=st.lists(spans, max_size=8), first=st.integers(0, 12), length=st.integers(0, 6), cut=st.integers(0, 18))
@relaxed
async def test_complete_is_what_a_set_of_blocks_would_say(
    store: Store, made: list[tuple[int, int, frozenset[Place]]], first: int, length: int, cut: int
) -> None:
    chain, key, _ = await fresh(store)
    for start, more, places in made:
        await store.commit(Commit(chain, covered={key: [Covered(start, start + more, places)]}))
    asked = set(range(first, first + length + 1))
    found = await store.flows(key, first, first + length)
    assert found.complete == {place for place in (POOL, DEBT, OTHER) if asked <= said(made, place)}
    await store.commit(Commit(chain, supersede_above=block(cut)))
    left = (await store.flows(key, first, first + length)).complete
    assert left == (found.complete if first + length <= cut else frozenset())


amounts = st.tuples(st.integers(0, 2**256 - 1), st.integers(0, 9))
of_a_block = st.dictionaries(st.sampled_from([POOL, DEBT, OTHER]), amounts, min_size=1)


@given(commits=st.lists(st.dictionaries(st.integers(0, 12), of_a_block, max_size=6), max_size=5))
@relaxed
async def test_of_blocks_written_again_and_in_any_order_each_place_has_the_last_word_on_it(
    store: Store, commits: list[dict[int, Gross]]
) -> None:
    chain, key, _ = await fresh(store)
    said: dict[tuple[int, Place], tuple[int, int]] = {}
    for blocks in commits:
        await store.commit(Commit(chain, flows={key: [(block(n), gross) for n, gross in blocks.items()]}))
        said |= {(n, place): amounts for n, gross in blocks.items() for place, amounts in gross.items()}
    found = (await store.flows(key, 0, 12)).items
    assert {(one.at.number, one[1:4]): one[4:6] for one in found} == said


async def test_a_ledger_tells_the_flows_of_each_step_and_what_the_step_has_all_of(store: Store) -> None:
    await put(store, flow(block(3)), flow(block(5), came=2), flow(block(6), OTHER, 3), covered=covered(3, 4, POOL))
    await put(store, covered=covered(5, 8, POOL, OTHER))

    def steps(_: Iterator[Snapshot], ledger: Ledger) -> list[Moves]:
        return [ledger(2, 4), ledger(2, 5), ledger(4, 8), ledger(4, 9)]

    told = await store.replay(KEY, 2, 9, steps)
    assert [([m.amount_in for m in step.items], set(step.complete)) for step in told] == [
        ([1], {POOL}),
        ([1, 2], {POOL}),
        ([2, 3], {POOL, OTHER}),
        ([2, 3], set()),
    ]
