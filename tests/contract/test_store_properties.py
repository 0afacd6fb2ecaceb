"""Any commits in any order against a dictionary that does the same: equal answers, and equal digests for equal series.

One store serves all examples; each example has a chain and deployments of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.model import BlockRef, Bucket, Line, Snapshot, State, Status, Total
from indexer.store.base import Commit, Store
from indexer.valuation.rollup import Level
from tests.contract.store_engines import Make, engines, new_store
from tests.contract.store_series import block, deployment, gap, held, plain, snapshots

_serial = count()
relaxed = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(params=engines())
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    chosen: Make = request.param
    async with new_store(chosen, tmp_path) as opened:
        yield opened


async def fresh(store: Store) -> tuple[str, str, str]:
    """A chain of its own, a deployment on it, and a twin to compare with."""
    chain = f"chain{next(_serial)}"
    keys = (f"dex@{chain}", f"twin@{chain}")
    await store.register([deployment(key, chain) for key in keys])
    return chain, *keys


@given(data=st.data())
@relaxed
async def test_whatever_is_committed_comes_back_equal(store: Store, data: st.DataObject) -> None:
    chain, key, _ = await fresh(store)
    numbers = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=5, unique=True))
    made = {number: data.draw(snapshots(key, block(number))) for number in numbers}
    for number in numbers:
        await store.commit(Commit(chain, [made[number]]))
    for number, snapshot in made.items():
        assert await store.snapshot(key, number) == snapshot


@given(data=st.data())
@relaxed
async def test_the_same_lines_under_other_prices_and_among_other_lines_come_back_equal(
    store: Store, data: st.DataObject
) -> None:
    chain, key, _ = await fresh(store)
    first = data.draw(snapshots(key, block(0)))
    made = [first]
    for number in range(1, 4):
        other = data.draw(snapshots(key, block(number)))
        quotes = {a: data.draw(st.sampled_from([q, first.quotes.get(a, q)])) for a, q in other.quotes.items()}
        same = replace(first, at=block(number), quotes={a: q for a, q in quotes.items() if a in first.tokens})
        made.append(data.draw(st.sampled_from([other, same, replace(first, at=block(number))])))
    for snapshot in made:
        await store.commit(Commit(chain, [snapshot]))
    for snapshot in made:
        assert await store.snapshot(key, snapshot.at.number) == snapshot


@given(data=st.data())
@relaxed
async def test_a_few_other_lines_among_the_same_ones_come_back_equal(store: Store, data: st.DataObject) -> None:
    chain, key, _ = await fresh(store)
    made = [data.draw(snapshots(key, block(0)))]
    for number in range(1, 5):
        before = made[-1]
        places = data.draw(st.sets(st.integers(0, max(len(before.lines) - 1, 0))))
        lines = tuple(_another(line) if i in places else line for i, line in enumerate(before.lines))
        made.append(replace(before, at=block(number), lines=lines))
    for snapshot in made:
        await store.commit(Commit(chain, [snapshot]))
    for snapshot in made:
        assert await store.snapshot(key, snapshot.at.number) == snapshot


def _another(line: Line) -> Line:
    """A line of the same position that holds a little less or, where that is not known, says so otherwise."""
    held = line.holding
    if held.amount is None:
        return replace(line, holding=replace(held, reason=f"still{held.reason}"))
    return replace(line, holding=replace(held, amount=max(held.amount - 1, 0)))


@given(data=st.data())
@relaxed
async def test_a_replay_of_any_range_tells_each_snapshot_as_it_was_committed(store: Store, data: st.DataObject) -> None:
    chain, key, _ = await fresh(store)
    numbers = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True))
    made = {number: data.draw(snapshots(key, block(number))) for number in numbers}
    for number in numbers:
        await store.commit(Commit(chain, [made[number]]))
    first, last = data.draw(st.integers(0, 20)), data.draw(st.none() | st.integers(0, 20))
    expected = [made[n] for n in sorted(numbers) if first <= n <= (20 if last is None else last)]
    assert await store.replay(key, first, last, lambda snapshots, _: list(snapshots)) == expected


@given(data=st.data())
@relaxed
async def test_levels_are_the_totals_of_the_range_and_the_last_before_it(store: Store, data: st.DataObject) -> None:
    chain, key, _ = await fresh(store)
    numbers = data.draw(st.sets(st.integers(0, 20), min_size=1, max_size=6))
    made = {number: data.draw(snapshots(key, block(number))) for number in numbers}
    await store.commit(Commit(chain, [made[n] for n in sorted(numbers)]))
    first, last = data.draw(st.integers(0, 21)), data.draw(st.none() | st.integers(0, 20))
    wanted = [n for n in sorted(numbers) if n >= max((m for m in numbers if m < first), default=0)]
    expected = [_level(made[n]) for n in wanted if last is None or n <= last]
    times = (block(first).timestamp, None if last is None else block(last).timestamp)
    assert await store.levels(key, *times) == expected


def _level(snapshot: Snapshot) -> Level:
    if snapshot.status is Status.GAP:
        return Level(snapshot.at.timestamp, None)
    total = snapshot.totals.get(Bucket.BASE, Total(0, 0, 0, 0, 0))
    if total.left_out and not total.lines and snapshot.status is not Status.NOT_APPLICABLE:
        return Level(snapshot.at.timestamp, None)
    return Level(snapshot.at.timestamp, total.usd, total.low, total.high, snapshot.status is Status.HELD)


@given(data=st.data())
@relaxed
async def test_the_digest_does_not_tell_the_order_of_writing_but_tells_any_change(
    store: Store, data: st.DataObject
) -> None:
    chain, key, twin = await fresh(store)
    numbers = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=5, unique=True))
    made = [data.draw(snapshots(key, block(number))) for number in numbers]
    changed = data.draw(st.sampled_from(made))
    other = data.draw(snapshots(key, changed.at))
    for snapshot in made:
        await store.commit(Commit(chain, [snapshot]))
    await store.commit(Commit(chain, [replace(s, deployment=twin) for s in sorted(made, key=lambda s: s.at.number)]))
    assert await store.digest(key) == await store.digest(twin)
    third = f"third@{chain}"
    await store.register([deployment(third, chain)])
    await store.commit(Commit(chain, [replace(other if s is changed else s, deployment=third) for s in made]))
    assert (await store.digest(third) == await store.digest(key)) == (other == changed)


@dataclass
class Model:
    """The store as a dictionary: what a few lines of code say that it must do."""

    kept: dict[int, Snapshot] = field(default_factory=dict)
    final: int = -1

    def commit(self, snapshot: Snapshot) -> None:
        old = self.kept.get(snapshot.at.number)
        if old is None or old.at.hash != snapshot.at.hash or _rank(old) >= max(1, _rank(snapshot)):
            self.kept[snapshot.at.number] = snapshot

    def supersede(self, ancestor: BlockRef) -> None:
        self.kept = {number: s for number, s in self.kept.items() if number <= ancestor.number}


def _rank(snapshot: Snapshot) -> int:
    return {Status.HELD: 1, Status.GAP: 2}.get(snapshot.status, 0)


@dataclass(frozen=True)
class Act:
    """One commit: snapshots at some blocks of a fork, perhaps after taking back what stands above one."""

    above: int | None
    fork: int
    readings: tuple[tuple[int, str, tuple[int, ...]], ...]
    finalized: int | None

    def snapshots(self, key: str) -> list[Snapshot]:
        return [_reading(key, block(number, self.fork), kind, held) for number, kind, held in self.readings]


def _reading(key: str, at: BlockRef, kind: str, amounts: tuple[int, ...]) -> Snapshot:
    if kind == "gap":
        return gap(key, at)
    return held(key, at, amounts) if kind == "held" else plain(key, at, amounts)


amounts = st.tuples(*[st.sampled_from([0, 0, 1, 2, 2**256 - 1])] * 4)
readings = st.tuples(st.integers(1, 12), st.sampled_from(["plain", "plain", "gap", "held"]), amounts)
acts = st.builds(
    Act,
    above=st.none() | st.none() | st.integers(0, 12),
    fork=st.integers(0, 2),
    readings=st.lists(readings, max_size=4, unique_by=lambda r: r[0]).map(tuple),
    finalized=st.none() | st.none() | st.integers(0, 6),
)


@given(steps=st.lists(acts, max_size=10))
@relaxed
async def test_any_commits_reorgs_and_replacements_leave_what_a_dictionary_would_hold(
    store: Store, steps: Iterable[Act]
) -> None:
    chain, key, twin = await fresh(store)
    model = Model()
    for step in steps:
        await _perform(store, model, step, chain, key)
    assert {point.at.number: (point.at.hash, point.status) for point in await store.series(key)} == {
        number: (s.at.hash, s.status) for number, s in model.kept.items()
    }
    for number, snapshot in model.kept.items():
        assert await store.snapshot(key, number) == snapshot
    for point in await store.series(key):
        assert point.state is (State.FINAL if point.at.number <= model.final else State.PROVISIONAL)
    ordered = [replace(model.kept[number], deployment=twin) for number in sorted(model.kept)]
    await store.commit(Commit(chain, ordered))
    assert await store.digest(key) == await store.digest(twin)
    assert [problem for problem in await store.verify() if f"{key} at" in problem or "rows of" in problem] == []


async def _perform(store: Store, model: Model, step: Act, chain: str, key: str) -> None:
    above = None if step.above is None or step.above < model.final else block(step.above)
    made = step.snapshots(key)
    finalized = None if step.finalized is None else block(step.finalized)
    if above:
        model.supersede(above)
    for snapshot in made:
        model.commit(snapshot)
    model.final = max(model.final, -1 if finalized is None else finalized.number)
    await store.commit(Commit(chain, made, supersede_above=above, finalized=finalized))
