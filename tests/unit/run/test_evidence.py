"""What a verdict is judged by is found in the store: near the snapshot and around leaps long past, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from indexer.model import Status
from indexer.run.books import points_since, points_until, shelf, snapshot_before
from indexer.run.evidence import AROUND, LEAPS, chosen, judged
from indexer.store import open_store
from indexer.store.base import Commit, DeploymentRow, Store
from indexer.valuation.verdicts import QualitySettings, Verdict
from tests.unit.valuation.stocks import DAY, Held, block, snapshot

KEY = "vault@ethereum"
ROW = DeploymentRow(KEY, "vault", "ethereum", "token_balances", "yield", "{}", 0)
HOUR = 3600
SETTINGS = QualitySettings()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("sqlite:///tvl.db", tmp_path)


async def fill(store: Store, hours: Iterable[int], dai: Callable[[int], int]) -> None:
    """A snapshot an hour; block numbers are a hundred apart."""
    await store.register([ROW])
    for hour in hours:
        at = block(hour * 100, DAY + hour * HOUR)
        held: list[Held] = [("dai", dai(hour)), ("eth", 50)]
        await store.commit(Commit("ethereum", [snapshot(KEY, held, {}, at)], heads=[at]))


async def verdict(store: Store, hour: int, settings: QualitySettings = SETTINGS) -> Verdict:
    one = await snapshot_before(store, KEY, DAY + hour * HOUR)
    assert one is not None
    return (await judged(store, ROW, one, await shelf(store, DAY + hour * HOUR), settings)).verdict


async def test_a_leap_of_ten_days_ago_is_still_seen_and_one_of_two_months_is_taken_as_it_stands(store: Store) -> None:
    async with store:
        await fill(store, range(0, 245, 5), lambda hour: 100 if hour < 10 else 900)
        assert (await verdict(store, 240)).status is Status.SUSPECT
        assert (await verdict(store, 5)).status is Status.OK
        short = QualitySettings(lookback_s=9 * 24 * HOUR)
        assert (await verdict(store, 240, short)).status is Status.OK


async def test_slow_growth_over_a_month_is_no_leap_though_few_snapshots_are_looked_at(store: Store) -> None:
    async with store:
        await fill(store, range(120), lambda hour: 1000 + hour * 40)
        one = await verdict(store, 119)
    assert (one.status, one.findings) == (Status.OK, ())


async def test_a_leap_within_a_long_quiet_day_is_found_between_those_looked_at(store: Store) -> None:
    async with store:
        await fill(store, range(100), lambda hour: 100 if hour < 81 else 900)
        assert (await verdict(store, 99)).status is Status.SUSPECT
        assert (await verdict(store, 80)).status is Status.OK


async def test_what_is_known_of_the_time_after_changes_the_verdict_on_a_visit(store: Store) -> None:
    def dai(hour: int) -> int:
        return 250 if hour == 30 else 100

    async with store:
        await fill(store, range(31), dai)
        assert (await verdict(store, 30)).status is Status.OK
        await fill(store, range(31, 34), dai)
        later = await verdict(store, 30)
    assert {finding.rule for finding in later.findings} == {"in_and_out"}
    assert later.headline.usd == 50 * 10**18
    assert later.headline.median_usd == 150 * 10**18


async def test_no_more_is_looked_at_than_is_allowed(store: Store) -> None:
    async with store:
        await fill(store, range(200), lambda hour: 100 if hour % 2 else 300)
        points = await store.series(KEY)
    before, after = chosen(points, 15_000, SETTINGS)
    assert len(before) <= AROUND + 2 * LEAPS + 1
    assert len(after) <= AROUND
    assert max(before) < 15_000 < min(after)
    assert before[0] == 0


@pytest.mark.parametrize("hour", [0, 1, 57, 199])
async def test_stretches_find_what_the_whole_series_has(store: Store, hour: int) -> None:
    async with store:
        await fill(store, range(0, 200), lambda _: 100)
        time = DAY + hour * HOUR
        found = await snapshot_before(store, KEY, time)
        earlier = await points_since(store, KEY, 19_900, time)
        later = await points_until(store, KEY, hour * 100, time + HOUR)
    assert found is not None
    assert found.at.number == hour * 100
    assert earlier[0].at.timestamp <= time
    assert hour == 199 or later[-1].at.timestamp >= time + HOUR


async def test_before_the_first_snapshot_there_is_nothing(store: Store) -> None:
    async with store:
        await fill(store, range(3), lambda _: 100)
        assert await snapshot_before(store, KEY, DAY - 1) is None
        assert (await shelf(store, DAY - 1)).lacking == {KEY: "nothing stored by then"}


async def test_a_deployment_that_fell_silent_is_named(store: Store) -> None:
    async with store:
        await fill(store, range(3), lambda _: 100)
        silent = await shelf(store, DAY + 30 * HOUR)
    assert silent.books == ()
    assert silent.lacking == {KEY: "its last snapshot, block 200, is 28 h older"}
