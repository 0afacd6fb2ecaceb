"""Points at which nothing is new: they cost no row, count as points, and leave the same rows in whatever order written.

Random lives of several deployments, written by two stores in turn on one database, against a dictionary that does the
same and against the same series written in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from indexer.model import BlockRef, Bucket, Found, Hash, Snapshot, State, Status
from indexer.store import tables as t
from indexer.store.base import Commit, Store
from indexer.store.runs import ids_in
from indexer.store.sql import SqlStore
from indexer.store.walk import positions, walk
from indexer.valuation.rollup import Level
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import block, deployment, gap, held, plain
from tests.contract.test_store_properties import fresh, relaxed

LAST = 9
NAMES = ("dex", "vault", "lender")
KEY = "dex@chain"


@pytest.fixture(params=engines())
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two on one database: each writes behind the other's back. Whatever they wrote, nothing is amiss at the end."""
    make: Make = request.param
    async with new_store(make, tmp_path) as one, new_store(make, tmp_path) as other:
        await one.register([deployment(KEY), deployment("vault@chain")])
        yield one, other
        assert await one.verify() == []


@pytest.fixture
def store(stores: tuple[Store, Store]) -> Store:
    return stores[0]


def still(key: str, at: BlockRef, amounts: Sequence[int] = (5, 6)) -> Snapshot:
    """The same at whatever block."""
    return replace(plain(key, block(0), amounts), at=at)


async def read(store: Store, query: Any) -> list[Any]:
    """The rows of a query."""
    assert isinstance(store, SqlStore)
    return await store._engine.read(lambda connection: list(connection.execute(query).all()))


async def snapshot_rows(store: Store) -> list[tuple[int, bool, str]]:
    s = t.snapshot.c
    return [tuple(row) for row in await read(store, select(s.number, s.live, s.status).order_by(s.number, s.live))]


async def test_a_snapshot_that_says_nothing_new_is_a_point_without_a_row(store: Store) -> None:
    for number in range(1, 6):
        await store.commit(Commit("chain", [still(KEY, block(number)), still("vault@chain", block(number))]))
    assert [point.at for point in await store.series(KEY)] == [block(n) for n in range(1, 6)]
    assert await store.snapshot(KEY) == still(KEY, block(5))
    assert await store.snapshot(KEY, 3) == still(KEY, block(3))
    assert await snapshot_rows(store) == [(1, True, "ok"), (1, True, "ok")]
    assert len(await read(store, select(t.point))) == 5
    assert len(await read(store, select(t.roster))) == 1


@pytest.mark.parametrize("change", ["status", "reason", "methodology", "adapter", "totals", "quotes", "lines"])
async def test_whatever_else_a_snapshot_says_makes_it_a_row(store: Store, change: str) -> None:
    first = still(KEY, block(1))
    said: dict[str, Any] = {
        "status": Status.HELD,
        "totals": {bucket: replace(total, left_out=1) for bucket, total in first.totals.items()},
        "quotes": {token: replace(quote, route="another") for token, quote in first.quotes.items()},
        "lines": tuple(replace(one, reason="seen") for one in first.lines),
    }
    second = replace(first, at=block(2), **{change: said.get(change, "2")})
    await store.commit(Commit("chain", [first]))
    await store.commit(Commit("chain", [second]))
    assert await store.snapshot(KEY) == second
    assert [number for number, _, _ in await snapshot_rows(store)] == [1, 2]


async def test_a_still_point_that_something_new_is_put_before_says_what_it_said(store: Store) -> None:
    for number in (1, 3, 4):
        await store.commit(Commit("chain", [still(KEY, block(number))]))
    await store.commit(Commit("chain", [still(KEY, block(2), (9,))]))
    assert [number for number, _, _ in await snapshot_rows(store)] == [1, 2, 3]
    assert [await store.snapshot(KEY, n) for n in (1, 2, 3, 4)] == [
        still(KEY, block(n), (9,) if n == 2 else (5, 6)) for n in (1, 2, 3, 4)
    ]


async def test_a_row_that_says_nothing_new_any_more_goes(store: Store) -> None:
    for number, amounts in ((1, (5,)), (3, (9,)), (4, (9,))):
        await store.commit(Commit("chain", [still(KEY, block(number), amounts)]))
    await store.commit(Commit("chain", [still(KEY, block(2), (9,))]))
    assert [number for number, _, _ in await snapshot_rows(store)] == [1, 2]
    assert await store.snapshot(KEY, 3) == still(KEY, block(3), (9,))


async def test_a_first_point_put_before_all_others_takes_their_row(store: Store) -> None:
    await store.commit(Commit("chain", [still(KEY, block(5))]))
    await store.commit(Commit("chain", [still(KEY, block(2))]))
    assert await snapshot_rows(store) == [(2, True, "ok")]
    assert await store.snapshot(KEY) == still(KEY, block(5))


async def test_what_an_audit_puts_right_at_a_still_point_leaves_what_was_wrong_as_superseded(store: Store) -> None:
    for number in (1, 2, 3):
        await store.commit(Commit("chain", [still(KEY, block(number))]))
    right = still(KEY, block(2), (4,))
    await store.commit(Commit("chain", [right], replace=True))
    assert await snapshot_rows(store) == [(1, True, "ok"), (2, False, "ok"), (2, True, "ok"), (3, True, "ok")]
    assert [await store.snapshot(KEY, n) for n in (2, 3)] == [right, still(KEY, block(3))]


async def test_a_still_gap_gives_way_and_what_follows_says_what_it_said(store: Store) -> None:
    await store.commit(Commit("chain", [gap(KEY, block(n)) for n in (1, 2, 3)]))
    await store.commit(Commit("chain", [still(KEY, block(2))]))
    assert [point.status for point in await store.series(KEY)] == [Status.GAP, Status.OK, Status.GAP]
    await store.commit(Commit("chain", [still(KEY, block(3)), still(KEY, block(1))]))
    assert await snapshot_rows(store) == [(1, True, "ok")]


async def test_one_deployment_of_a_still_point_moves_to_another_block_and_the_other_stays(store: Store) -> None:
    for number in (1, 2, 3):
        await store.commit(Commit("chain", [still(KEY, block(number)), still("vault@chain", block(number))]))
    await store.commit(Commit("chain", [still(KEY, block(2, 1))]))
    assert [point.at for point in await store.series(KEY)] == [block(1), block(2, 1), block(3)]
    assert [point.at for point in await store.series("vault@chain")] == [block(1), block(2), block(3)]
    assert await store.present(KEY, 2, 2) == {2: (block(2, 1).hash, Status.OK)}


async def test_a_reorg_of_still_points_supersedes_them_and_the_first_fork_may_come_back(store: Store) -> None:
    for number in (1, 2, 3):
        await store.commit(Commit("chain", [still(KEY, block(number))]))
    await store.commit(Commit("chain", [still(KEY, block(2, 1))], supersede_above=block(1)))
    assert [point.at for point in await store.series(KEY)] == [block(1), block(2, 1)]
    await store.commit(Commit("chain", [still(KEY, block(2)), still(KEY, block(3), (1,))], supersede_above=block(1)))
    assert [point.at for point in await store.series(KEY)] == [block(1), block(2), block(3)]
    assert await snapshot_rows(store) == [(1, True, "ok"), (3, True, "ok")]


async def test_a_search_that_found_nothing_is_noted_now_and_then_and_one_that_found_something_at_once(
    store: Store,
) -> None:
    await store.commit(Commit("chain", searched={KEY: 100}))
    for number in (101, 500, 1_123):
        await store.commit(Commit("chain", searched={KEY: number}))
    assert await store.found(KEY) == ([], 100)
    await store.commit(Commit("chain", searched={KEY: 1_124}))
    assert await store.found(KEY) == ([], 1_124)
    pair = Found("pair", 1_125)
    await store.commit(Commit("chain", searched={KEY: 1_125}, found={KEY: [pair]}))
    assert await store.found(KEY) == ([pair], 1_125)
    await store.commit(Commit("chain", supersede_above=block(1_120)))
    await store.commit(Commit("chain", searched={KEY: 1_121}))
    assert await store.found(KEY) == ([], 1_120)


async def test_a_deployment_that_is_described_anew_is_searched_from_the_start(store: Store) -> None:
    await store.commit(Commit("chain", searched={KEY: 100}))
    await store.register([replace(deployment(KEY), params_json='{"factory":"0x1"}')])
    assert await store.found(KEY) == ([], None)
    await store.commit(Commit("chain", searched={KEY: 101}))
    assert await store.found(KEY) == ([], 101)


@dataclass
class Model:
    """A chain as a dictionary: what each deployment says at each block, and which blocks are final."""

    kept: dict[str, dict[int, Snapshot]] = field(default_factory=lambda: {name: {} for name in NAMES})
    finals: set[Hash] = field(default_factory=set)
    final: int = -1

    def commit(self, name: str, snapshot: Snapshot, *, is_final: bool, is_right: bool) -> None:
        series, number = self.kept[name], snapshot.at.number
        old = series.get(number)
        if old is None or is_right or old.at.hash != snapshot.at.hash or _rank(old) >= max(1, _rank(snapshot)):
            series[number] = snapshot
            if is_final:
                self.finals.add(snapshot.at.hash)
        self.finals &= {one.at.hash for some in self.kept.values() for one in some.values()}

    def supersede(self, ancestor: BlockRef) -> None:
        for name, series in self.kept.items():
            self.kept[name] = {number: one for number, one in series.items() if number <= ancestor.number}
        self.finals &= {one.at.hash for some in self.kept.values() for one in some.values()}

    def state(self, at: BlockRef) -> State:
        return State.FINAL if at.number <= self.final or at.hash in self.finals else State.PROVISIONAL


def _rank(snapshot: Snapshot) -> int:
    return {Status.HELD: 1, Status.GAP: 2}.get(snapshot.status, 0)


CONTENTS = ("5 6", "5 6", "5 6", "5 7", "", "held", "gap", "methodology")
Reading = tuple[int, int, str]
"""A deployment's place among the names, a block and a content."""


@dataclass(frozen=True)
class Act:
    """One commit by one of two writers: readings of a fork, perhaps after taking back what stands above a block."""

    writer: int
    above: int | None
    fork: int
    readings: tuple[Reading, ...]
    final: int | None
    is_final: bool
    is_right: bool
    is_broken: bool


def reading(key: str, content: str) -> Snapshot:
    """What a deployment says, whenever it says so."""
    if content == "gap":
        return gap(key, block(0))
    if content == "held":
        return held(key, block(0), [5, 6])
    made = plain(key, block(0), [5, 6] if content == "methodology" else [int(n) for n in content.split()])
    return replace(made, methodology="2") if content == "methodology" else made


acts = st.builds(
    Act,
    writer=st.integers(0, 1),
    above=st.sampled_from([None, None, None, *range(LAST)]),
    fork=st.sampled_from([0, 0, 0, 1]),
    readings=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, LAST), st.sampled_from(CONTENTS)),
        max_size=5,
        unique_by=lambda one: one[:2],
    ).map(tuple),
    final=st.sampled_from([None, None, None, 1, 2, 4]),
    is_final=st.sampled_from([False, False, True]),
    is_right=st.sampled_from([False, False, False, True]),
    is_broken=st.sampled_from([False] * 5 + [True]),
)


@given(steps=st.lists(acts, max_size=12))
@relaxed
async def test_any_order_of_writing_leaves_the_rows_of_a_series_that_was_written_in_order(
    stores: tuple[Store, Store], steps: Iterable[Act]
) -> None:
    chain, _, _ = await fresh(stores[0])
    twin, _, _ = await fresh(stores[0])
    await stores[0].register([deployment(f"{name}@{one}", one) for name in NAMES for one in (chain, twin)])
    said = {name: {content: reading(f"{name}@{chain}", content) for content in CONTENTS} for name in NAMES}
    model = Model()
    for step in steps:
        await _perform(stores, model, step, chain, said)
    await _in_order(stores[0], model, twin)
    for name in NAMES:
        key = f"{name}@{chain}"
        await _says(stores[1], key, model, name)
        assert await stores[0].digest(key) == await stores[1].digest(f"{name}@{twin}")
    assert await _rows(stores[0], chain) == await _rows(stores[0], twin)


async def _perform(
    stores: tuple[Store, Store], model: Model, step: Act, chain: str, said: dict[str, dict[str, Snapshot]]
) -> None:
    above = None if step.above is None or step.above < model.final else block(step.above)
    named = [(NAMES[place], block(number, step.fork), content) for place, number, content in step.readings]
    made = [(name, replace(said[name][content], at=at)) for name, at, content in named]
    commit = Commit(chain, [one for _, one in made], supersede_above=above, final=step.is_final, replace=step.is_right)
    finalized = None if step.final is None else block(step.final)
    if step.is_broken:
        broken = replace(plain(f"dex@{chain}", block(LAST + 1), [1]), tokens={})
        with pytest.raises(ValueError, match="token"):
            await stores[step.writer].commit(replace(commit, snapshots=[*commit.snapshots, broken]))
    await stores[step.writer].commit(replace(commit, finalized=finalized))
    if above:
        model.supersede(above)
    model.final = max(model.final, -1 if finalized is None else finalized.number)
    for name, one in sorted(made, key=lambda pair: pair[1].at.number):
        model.commit(name, one, is_final=step.is_final, is_right=step.is_right)


async def _in_order(store: Store, model: Model, chain: str) -> None:
    blocks = {one.at for series in model.kept.values() for one in series.values()}
    for at in sorted(blocks, key=lambda at: (at.number, at.hash)):
        here = [(name, series[at.number]) for name, series in model.kept.items() if at.number in series]
        snapshots = [replace(one, deployment=f"{name}@{chain}") for name, one in here if one.at == at]
        await store.commit(Commit(chain, snapshots, final=model.state(at) is State.FINAL))


async def _says(store: Store, key: str, model: Model, name: str) -> None:
    """Every verb tells what the dictionary holds."""
    series = model.kept[name]
    told = [series[number] for number in sorted(series)]
    assert [(p.at, p.state, p.status, p.totals) for p in await store.series(key)] == [
        (one.at, model.state(one.at), one.status, one.totals) for one in told
    ]
    assert await store.replay(key, 0, None, lambda snapshots, _: list(snapshots)) == told
    assert await store.replay(key, 3, 6, lambda snapshots, _: list(snapshots)) == [
        one for one in told if 3 <= one.at.number <= 6
    ]
    assert await store.levels(key) == [_level(one) for one in told]
    for number in range(LAST + 1):
        upto = [one for one in told if one.at.number <= number]
        assert await store.snapshot(key, number) == (upto[-1] if upto else None)
        reads = [one.at for one in upto if one.status is not Status.GAP]
        assert await store.last_read(key, block=number) == (reads[-1] if reads else None)
        whole = [one.at for one in upto if one.status not in (Status.GAP, Status.HELD)]
        assert await store.last_read(key, block=number, is_whole=True) == (whole[-1] if whole else None)


def _level(snapshot: Snapshot) -> Level:
    if snapshot.status is Status.GAP:
        return Level(snapshot.at.timestamp, None)
    total = snapshot.totals.get(Bucket.BASE)
    sums = (total.usd, total.low, total.high) if total else (0, 0, 0)
    return Level(snapshot.at.timestamp, *sums, snapshot.status is Status.HELD)


async def _rows(store: Store, chain: str) -> tuple[list[Any], list[Any]]:
    """All canonical rows of a chain by natural names: points with their rosters, and snapshots with what changed."""
    assert isinstance(store, SqlStore)
    return await store._engine.read(partial(_natural_rows, chain=chain))


def _natural_rows(connection: Connection, chain: str) -> tuple[list[Any], list[Any]]:
    d, p = t.deployment.c, t.point.c
    deployments = connection.execute(select(d.id, d.key).join(t.chain).where(t.chain.c.name == chain)).all()
    names = {row.id: row.key.partition("@")[0] for row in deployments}
    joined = t.point.join(t.chain).join(t.roster)
    query = select(p.number, p.hash, p.state, t.roster.c.deployments).select_from(joined)
    found = connection.execute(query.where(t.chain.c.name == chain, p.state != State.SUPERSEDED.value))
    points = sorted((row[0], row[1], row[2], sorted(names[one] for one in ids_in(row[3]))) for row in found)
    snapshots = []
    for row_id, name in sorted(names.items(), key=lambda item: item[1]):
        held = positions(connection, row_id)
        for visit in walk(connection, row_id, 0, None):
            if visit.is_new:
                changes = sorted((held[one].token.address, content) for one, content in visit.holdings.items())
                snapshots.append((name, visit.at, visit.row.status, dict(visit.totals), changes, len(visit.quotes)))
    live = select(t.snapshot.c.id).where(t.snapshot.c.deployment_id.in_(names), t.snapshot.c.live)
    assert len(connection.execute(live).all()) == len(snapshots), "a live snapshot that is at no point"
    return points, snapshots
