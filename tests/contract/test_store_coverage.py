"""What goes on to be covered reaches as far as the ledger folds, in every store, and no block further."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Bucket, Hash
from indexer.store.base import Commit, Covered, Folded, Place, Store
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import OWNERS, TOKENS, block, deployment, gross
from tests.contract.test_store_flows import flow
from tests.contract.test_store_properties import fresh, relaxed

KEY, ELSEWHERE = "dex@chain", "vault@chain"
POOL: Place = (TOKENS[0], OWNERS[0], Bucket.BASE)
OTHER: Place = (TOKENS[1], OWNERS[1], Bucket.BASE)
PLACES = (POOL, OTHER)
ONE, ANOTHER = Hash("0x" + "1" * 64), Hash("0x" + "2" * 64)


@pytest.fixture(params=engines())
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    chosen: Make = request.param
    async with new_store(chosen, tmp_path) as opened:
        await opened.register([deployment(KEY), deployment(ELSEWHERE)])
        yield opened


def folded(upto: int, *places: Place, since: Hash = ONE, key: str = KEY) -> Commit:
    """The ledger has folded up to a block; with places, those that go on from there."""
    return Commit("chain", folded=Folded(since, upto, {key: frozenset(places)} if places else {}))


async def complete(store: Store, first: int, last: int, key: str = KEY) -> set[Place]:
    return set((await store.flows(key, first, last)).complete)


async def test_what_goes_on_is_covered_as_far_as_the_ledger_folds_without_a_word_on_it(store: Store) -> None:
    await store.commit(folded(4, POOL))
    assert await complete(store, 5, 5) == set()
    await store.commit(folded(7))
    assert await complete(store, 5, 7) == {POOL}
    assert await complete(store, 4, 7) == await complete(store, 5, 8) == set()
    assert await complete(store, 5, 7, ELSEWHERE) == set()


async def test_other_places_go_on_from_where_they_are_told_and_those_before_stay_covered_up_to_there(
    store: Store,
) -> None:
    await store.commit(folded(4, POOL))
    await store.commit(folded(6))
    await store.commit(folded(8, OTHER))
    await store.commit(folded(9))
    assert await complete(store, 5, 6) == {POOL}
    assert await complete(store, 7, 8) == set(), "what was told with the others says it for itself"
    assert await complete(store, 9, 9) == {OTHER}


async def test_another_ledger_ends_what_went_on(store: Store) -> None:
    await store.commit(folded(4, POOL))
    await store.commit(folded(6))
    await store.commit(folded(9, since=ANOTHER))
    assert await complete(store, 5, 6) == {POOL}
    assert await complete(store, 5, 7) == await complete(store, 7, 9) == set()


async def test_a_reorg_takes_back_what_was_folded_and_it_goes_on_from_the_ancestor(store: Store) -> None:
    await store.commit(folded(4, POOL))
    await store.commit(folded(9))
    await store.commit(Commit("chain", supersede_above=block(6)))
    assert await complete(store, 5, 6) == {POOL}
    assert await complete(store, 5, 7) == set()
    await store.commit(folded(8))
    assert await complete(store, 5, 8) == {POOL}


async def test_what_an_audit_takes_back_in_the_middle_is_not_covered_there_and_around_it_is(store: Store) -> None:
    await store.commit(folded(4, POOL, OTHER))
    await store.commit(folded(9))
    await store.commit(Commit("chain", uncovered={KEY: [Covered(6, 7, frozenset({POOL}))]}))
    await store.commit(folded(10))
    assert await complete(store, 5, 10) == {OTHER}
    assert await complete(store, 5, 5) == await complete(store, 8, 10) == {POOL, OTHER}


async def test_another_block_of_a_number_takes_its_coverage_and_leaves_what_goes_on(store: Store) -> None:
    await store.commit(folded(4, POOL))
    await store.commit(Commit("chain", flows={KEY: gross([flow(block(6))])}, folded=Folded(ONE, 7)))
    await store.commit(Commit("chain", flows={KEY: gross([flow(block(6, 1))])}))
    await store.commit(folded(9))
    assert await complete(store, 5, 5) == await complete(store, 7, 9) == {POOL}
    assert await complete(store, 6, 6) == set()


@dataclass
class Model:
    """Which places are covered in each block, one by one."""

    upto: int = 0
    goes_on: frozenset[Place] = frozenset()
    blocks: dict[int, frozenset[Place]] = field(default_factory=dict)

    def fold(self, more: int, places: frozenset[Place] | None) -> None:
        carried = self.goes_on if places is None else frozenset()
        self.blocks |= {n: carried for n in range(self.upto + 1, self.upto + more + 1)}
        self.upto, self.goes_on = self.upto + more, self.goes_on if places is None else places

    def cut(self, number: int) -> None:
        self.blocks = {n: places for n, places in self.blocks.items() if n <= number}
        self.upto = min(self.upto, number)

    def uncover(self, first: int, place: Place) -> None:
        self.blocks = {n: places - {place} if n >= first else places for n, places in self.blocks.items()}

    def complete(self, first: int, last: int) -> set[Place]:
        return {p for p in PLACES if all(p in self.blocks.get(n, ()) for n in range(first, last + 1))}


some_places = st.none() | st.frozensets(st.sampled_from(PLACES))
steps = st.one_of(
    st.tuples(st.just("fold"), st.integers(1, 4), some_places),
    st.tuples(st.just("ledger"), st.integers(1, 4), st.none()),
    st.tuples(st.just("reorg"), st.integers(0, 5), st.none()),
    st.tuples(st.just("audit"), st.integers(0, 5), st.frozensets(st.sampled_from(PLACES), min_size=1, max_size=1)),
)


@given(history=st.lists(steps, max_size=12), first=st.integers(1, 20), length=st.integers(0, 6))
@relaxed
async def test_after_any_history_it_is_what_block_after_block_would_say(
    store: Store, history: list[tuple[str, int, frozenset[Place] | None]], first: int, length: int
) -> None:
    chain, key, _ = await fresh(store)
    model, ledgers = Model(), 1
    for what, n, places in history:
        if what == "fold":
            model.fold(n, places)
            told = {} if places is None else {key: places}
            await store.commit(Commit(chain, folded=Folded(Hash(f"0x{ledgers:064x}"), model.upto, told)))
        elif what == "ledger":
            ledgers += 1
            model.goes_on = frozenset()
            model.fold(n, None)
            await store.commit(Commit(chain, folded=Folded(Hash(f"0x{ledgers:064x}"), model.upto)))
        elif what == "reorg":
            model.cut(max(model.upto - n, 0))
            await store.commit(Commit(chain, supersede_above=block(model.upto)))
        elif model.upto and places:
            since = max(model.upto - n, 1)
            model.uncover(since, *places)
            await store.commit(Commit(chain, uncovered={key: [Covered(since, model.upto, places)]}))
    assert await complete(store, first, first + length, key) == model.complete(first, first + length)
    assert await store.verify() == []
