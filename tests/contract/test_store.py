"""What every store must do, whatever the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import FinalityBroken, StoreInUse, UnknownName
from indexer.model import Address, Found, Grade, Holding, Line, Quote, Snapshot, State, Status, Token
from indexer.store.base import ChainState, Commit, Store
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import OWNERS, block, deployment, gap, held, plain

KEY = "dex@chain"


@pytest.fixture(params=engines())
def make(request: pytest.FixtureRequest) -> Make:
    chosen: Make = request.param
    return chosen


@pytest.fixture
async def store(make: Make, tmp_path: Path) -> AsyncIterator[Store]:
    async with new_store(make, tmp_path) as opened:
        await opened.register([deployment(KEY), deployment("vault@chain"), deployment("dex@other", "other")])
        yield opened


async def put(store: Store, *snapshots: Snapshot, **rest: object) -> None:
    await store.commit(Commit("chain", snapshots, **rest))  # type: ignore[arg-type]


async def amounts(store: Store, number: int) -> list[int | None]:
    snapshot = await store.snapshot(KEY, number)
    assert snapshot is not None
    return [line.holding.amount for line in snapshot.lines]


async def test_an_empty_store_knows_nothing_and_says_so(store: Store) -> None:
    assert await store.snapshot(KEY) is None
    assert await store.snapshot("nobody@chain") is None
    assert await store.series("nobody@chain") == []
    assert await store.present(KEY, 0, 10**9) == {}
    assert await store.found(KEY) == ([], None)
    assert await store.heads("chain") == []
    assert await store.chain_state("nowhere") == ChainState("nowhere")
    assert await store.verify() == []


async def test_registering_again_updates_the_description(store: Store) -> None:
    await store.register([replace(deployment(KEY), category="lending")])
    assert [(row.key, row.category) for row in await store.deployments()] == [
        ("dex@chain", "lending"),
        ("dex@other", "dex"),
        ("vault@chain", "dex"),
    ]


async def test_a_snapshot_comes_back_equal(store: Store) -> None:
    snapshot = plain(KEY, block(7), [5, 2**256 - 1, 3])
    await put(store, snapshot)
    assert await store.snapshot(KEY) == snapshot
    assert await store.snapshot(KEY, 6) is None
    assert await store.snapshot(KEY, 99) == snapshot


async def test_the_last_price_of_a_held_token_is_found_on_its_own_chain_below_a_block(store: Store) -> None:
    good, better = plain(KEY, block(1), [5], price=7), plain("vault@chain", block(2), [5], price=8)
    token = next(iter(good.quotes))
    quote = replace(good.quotes[token], price=None, low=None, high=None, status=Status.HELD, reason="stale")
    line = Line(good.lines[0].holding, None, None, None, Status.HELD, "stale")
    bad = replace(good, at=block(3), lines=(line,), quotes={token: quote}, totals={})
    await put(store, good, better, bad)
    assert await store.last_priced("chain", token, 4) == (better.quotes[token], block(2))
    assert await store.last_priced("chain", token, 2) == (good.quotes[token], block(1))
    assert await store.last_priced("chain", token, 1) is None
    assert await store.last_priced("other", token, 4) is None
    await put(store, supersede_above=block(1), heads=[block(1)])
    assert await store.last_priced("chain", token, 4) == (good.quotes[token], block(1))


async def test_lines_come_back_in_the_order_of_token_owner_and_bucket(store: Store) -> None:
    snapshot = plain(KEY, block(7), [5, 6, 7])
    await put(store, replace(snapshot, lines=snapshot.lines[::-1]))
    assert await store.snapshot(KEY) == snapshot


async def test_a_vanished_position_is_gone_and_may_come_back(store: Store) -> None:
    await put(store, plain(KEY, block(1), [5, 6]), plain(KEY, block(2), [5]), plain(KEY, block(3), [5, 6]))
    assert [await amounts(store, n) for n in (1, 2, 3)] == [[5, 6], [5], [5, 6]]
    assert await store.verify() == []


async def test_a_snapshot_put_between_two_others_changes_neither(store: Store) -> None:
    first, middle, last = (plain(KEY, block(n), values) for n, values in ((1, [1, 2]), (5, [1, 9, 4]), (9, [1, 2])))
    await put(store, first)
    await put(store, last)
    await put(store, middle)
    for snapshot in (first, middle, last):
        assert await store.snapshot(KEY, snapshot.at.number) == snapshot
    assert await store.verify() == []


async def test_a_snapshot_that_is_there_is_left_alone(store: Store) -> None:
    await put(store, plain(KEY, block(4), [1]))
    before = await store.digest(KEY)
    await put(store, plain(KEY, block(4), [2]))
    await put(store, gap(KEY, block(4)))
    assert await store.digest(KEY) == before


async def test_a_gap_is_replaced_by_a_reading_and_a_reading_never_by_a_gap(store: Store) -> None:
    await put(store, plain(KEY, block(3), [1]), gap(KEY, block(4)), plain(KEY, block(5), [1]))
    await put(store, held(KEY, block(4), [2]))
    assert (await store.present(KEY, 4, 4))[4][1] is Status.HELD
    await put(store, gap(KEY, block(4)))
    assert (await store.present(KEY, 4, 4))[4][1] is Status.HELD
    await put(store, plain(KEY, block(4), [3]))
    assert [await amounts(store, n) for n in (3, 4, 5)] == [[1], [3], [1]]
    assert await store.verify() == []


async def test_another_block_at_the_same_height_supersedes(store: Store) -> None:
    await put(store, plain(KEY, block(3), [1]), plain(KEY, block(4), [2]), plain(KEY, block(5), [2]))
    await put(store, plain(KEY, block(4, fork=1), [7]))
    assert (await store.present(KEY, 4, 4))[4][0] == block(4, fork=1).hash
    assert [await amounts(store, n) for n in (3, 4, 5)] == [[1], [7], [2]]
    assert await store.verify() == []


@pytest.mark.parametrize("depth", [1, 3, 7])
async def test_after_a_reorg_the_rows_are_those_of_a_fresh_index(make: Make, store: Store, depth: int) -> None:
    old = [plain(KEY, block(n), [n, 5]) for n in range(1, 11)]
    for snapshot in old:
        await put(store, snapshot, heads=[snapshot.at])
    ancestor = block(10 - depth)
    new = [block(n, 1, 0 if n == ancestor.number + 1 else 1) for n in range(ancestor.number + 1, 12)]
    snapshots = [plain(KEY, at, [at.number, 6]) for at in new]
    await put(store, *snapshots, heads=new, supersede_above=ancestor)
    await store.register([deployment("fresh@chain")])
    for snapshot in [*old[: 10 - depth], *snapshots]:
        await put(store, replace(snapshot, deployment="fresh@chain"))
    assert await store.digest(KEY) == await store.digest("fresh@chain")
    assert [at.hash for at in await store.heads("chain", 11)] == [s.at.hash for s in old[: 10 - depth]] + [
        at.hash for at in new
    ]
    assert await store.verify() == []


async def test_a_reorg_takes_back_discoveries_above_it_on_its_chain_only(store: Store) -> None:
    pairs = [Found("pair/1", 5, {"token": "0x1", "index": 2**200, "stable": True}), Found("pair/2", 8)]
    await put(store, found={KEY: pairs}, searched={KEY: 9}, heads=[block(8), block(9)])
    elsewhere = Commit("other", found={"dex@other": pairs}, searched={"dex@other": 9})
    await store.commit(elsewhere)
    assert await store.found(KEY) == (pairs, 9)
    await put(store, supersede_above=block(7))
    assert await store.found(KEY) == (pairs[:1], 7)
    assert (await store.chain_state("chain")).head == block(7)
    assert await store.found("dex@other") == (pairs, 9)


async def test_discoveries_stay_in_the_order_they_were_found(store: Store) -> None:
    await put(store, found={KEY: [Found("b", 7), Found("a", 9)]}, searched={KEY: 9})
    await put(store, found={KEY: [Found("a", 4), Found("c", 3)]}, searched={KEY: 8})
    assert await store.found(KEY) == ([Found("b", 7), Found("a", 4), Found("c", 3)], 9)


async def test_blocks_become_final_with_their_chain_and_never_back(store: Store) -> None:
    await put(store, plain(KEY, block(1), [1]), plain(KEY, block(5), [1]), finalized=block(3))
    await put(store, plain(KEY, block(2), [1]), finalized=block(2))
    states = {point.at.number: point.state for point in await store.series(KEY)}
    assert states == {1: State.FINAL, 2: State.FINAL, 5: State.PROVISIONAL}
    assert (await store.chain_state("chain")).finalized == block(3)
    await put(store, finalized=block(5))
    assert {point.state for point in await store.series(KEY)} == {State.FINAL}


async def test_a_reorg_below_the_finalized_block_is_refused_and_changes_nothing(store: Store) -> None:
    await put(store, plain(KEY, block(4), [1]), heads=[block(4)], finalized=block(4))
    with pytest.raises(FinalityBroken):
        await put(store, plain(KEY, block(4, 1), [2]), supersede_above=block(3))
    assert await amounts(store, 4) == [1]


async def test_the_last_512_heads_are_kept_and_old_ones_are_not(store: Store) -> None:
    for start in range(1, 3001, 300):
        await put(store, heads=[block(n) for n in range(start, start + 300)])
    kept = await store.heads("chain", 10_000)
    assert 512 <= len(kept) < 3000
    assert kept[-512:] == [block(n) for n in range(2489, 3001)]
    assert await store.heads("chain", 2) == [block(2999), block(3000)]
    assert await store.verify() == []


async def test_what_a_block_cost_is_kept_until_the_next_says_it(store: Store) -> None:
    await put(store, heads=[block(1)], requests=7)
    await put(store, plain(KEY, block(1), [1]))
    assert await store.chain_state("chain") == ChainState("chain", block(1), None, 7)


async def test_a_failing_commit_changes_nothing_and_the_next_one_works(store: Store) -> None:
    await put(store, plain(KEY, block(1), [1]), heads=[block(1)])
    bad = plain("vault@chain", block(2), [4])
    with pytest.raises(ValueError, match="no token"):
        await put(store, plain(KEY, block(2), [2, 3, 4]), replace(bad, tokens={}, quotes={}), heads=[block(2)])
    assert (await store.chain_state("chain")).head == block(1)
    assert await store.present(KEY, 0, 9) == {1: (block(1).hash, Status.OK)}
    await put(store, plain(KEY, block(2), [2, 3, 4]), heads=[block(2)])
    assert await amounts(store, 2) == [2, 3, 4]
    assert await store.verify() == []


async def test_a_snapshot_of_an_unknown_deployment_is_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="dex@other"):
        await put(store, plain("dex@other", block(1), [1]))


async def test_two_lines_for_one_position_are_refused(store: Store) -> None:
    snapshot = plain(KEY, block(1), [1])
    with pytest.raises(ValueError, match="two lines"):
        await put(store, replace(snapshot, lines=snapshot.lines * 2))


async def test_hostile_text_is_kept_without_what_no_engine_takes(store: Store) -> None:
    token = Address("0x" + "9" * 40)
    line = Line(
        Holding(token, None, OWNERS[0], status=Status.HELD, reason="a\x00b"), None, None, None, Status.HELD, "c\n"
    )
    named = Token(token, "<script>\u202e\ud800", None, "0x00")
    quote = Quote(token, None, None, None, Grade.U, "r", status=Status.HELD, reason="\x1b[2J")
    snapshot = plain(KEY, block(1), [])
    await put(store, replace(snapshot, lines=(line,), tokens={token: named}, quotes={token: quote}, reason="x\x00"))
    kept = await store.snapshot(KEY)
    assert kept is not None
    assert (kept.lines[0].holding.reason, kept.lines[0].reason, kept.reason) == ("a b", "c", "x")
    assert kept.tokens[token].symbol == "<script>"
    assert kept.quotes[token].reason == "[2J"


async def test_a_token_that_describes_itself_anew_does_not_change_the_past(store: Store) -> None:
    early, late = plain(KEY, block(1), [1]), plain(KEY, block(2), [1])
    renamed = {address: replace(token, symbol="NEW") for address, token in late.tokens.items()}
    late = replace(late, tokens=renamed)
    await put(store, early)
    await put(store, late)
    assert await store.snapshot(KEY, 1) == early
    assert await store.snapshot(KEY, 2) == late
    assert [token.symbol for token in (await store.tokens("chain")).values()] == ["NEW"]


async def test_a_series_is_points_with_their_totals_and_ends_where_asked(store: Store) -> None:
    made = [plain(KEY, block(n), [n]) for n in (2, 4, 6)]
    await put(store, *made)
    points = await store.series(KEY, 3, 5)
    assert [(point.at, point.totals) for point in points] == [(made[1].at, made[1].totals)]


async def test_a_digest_of_a_range_says_nothing_of_what_is_before_it(store: Store) -> None:
    await store.register([deployment("late@chain")])
    for n in range(1, 6):
        await put(store, plain(KEY, block(n), [n, 7]))
    for n in (5, 3, 4):
        await put(store, plain("late@chain", block(n), [n, 7]))
    assert await store.digest(KEY, 3) == await store.digest("late@chain")
    assert await store.digest(KEY, 3, 4) == await store.digest("late@chain", 0, 4) != await store.digest(KEY, 3)


async def test_a_second_lease_is_refused_by_name_until_the_first_ends(make: Make, tmp_path: Path, store: Store) -> None:
    async with new_store(make, tmp_path) as other:
        async with store.lease("daemon"):
            with pytest.raises(StoreInUse, match="pid"):
                async with other.lease("daemon"):
                    pass
            async with other.lease("backfill"):
                pass
        async with other.lease("daemon"):
            pass


async def test_two_stores_on_one_database_see_each_others_writes(make: Make, tmp_path: Path, store: Store) -> None:
    async with new_store(make, tmp_path) as other:
        for n in range(1, 20):
            await put((store, other)[n % 2], plain(KEY, block(n * 7 % 19 + 1), [n, n // 3 + 1]))
        assert len(await store.present(KEY, 0, 100)) == 19
        assert await store.digest(KEY) == await other.digest(KEY)
    assert await store.verify() == []


async def test_the_last_read_is_the_last_that_is_no_gap_and_at_wish_lacks_nothing(store: Store) -> None:
    await put(store, plain(KEY, block(1), [1]), held(KEY, block(2), [1]), plain(KEY, block(4), [1]), gap(KEY, block(5)))
    assert await store.last_read(KEY) == block(4)
    assert await store.last_read(KEY, block=3) == block(2)
    assert await store.last_read(KEY, block=3, is_whole=True) == block(1)
    assert await store.last_read(KEY, time=block(4).timestamp - 1) == block(2)
    assert await store.last_read(KEY, time=block(4).timestamp) == block(4)
    assert await store.last_read(KEY, block=0) is None
    assert await store.last_read("nobody@chain") is None
