"""Points of several deployments as one series."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.config.types import Cadence
from indexer.model import BlockRef, Bucket, Hash, State, Status, Total
from indexer.run.series import combine, row, thin
from indexer.store.base import Point

HOURLY = Cadence(seconds=3600)


def point(
    timestamp: int,
    usd: int | None = 10,
    key: str = "a@x",
    *,
    status: Status = Status.OK,
    state: State = State.FINAL,
    bucket: Bucket = Bucket.BASE,
) -> Point:
    at = BlockRef(timestamp // 12, Hash("0x" + "0" * 64), Hash("0x" + "0" * 64), timestamp)
    totals = {} if usd is None else {bucket: Total(usd, usd - 1, usd + 1, 2, 1)}
    return Point(key, at, state, status, "" if status is Status.OK else "because", totals)


def test_the_first_point_of_each_interval_is_kept() -> None:
    points = [point(t) for t in (0, 1800, 3600, 3700, 9000)]
    assert [p.at.timestamp for p in thin(points, HOURLY)] == [0, 3600, 9000]


def test_blocks_make_a_grid_too() -> None:
    points = [point(12 * n) for n in (0, 1, 2, 3, 5)]
    assert [p.at.number for p in thin(points, Cadence(blocks=2))] == [0, 2, 5]


def test_deployments_are_added_where_all_have_a_point() -> None:
    series = combine({"a": [point(0, 10), point(3600, 20)], "b": [point(60, 1), point(3660, 2)]}, HOURLY)
    assert [(r.timestamp, r.totals[Bucket.BASE].usd) for r in series.rows] == [(60, 11), (3660, 22)]
    assert series.lacking == {}


def test_a_sum_without_one_of_them_is_left_out_and_told() -> None:
    series = combine({"a": [point(0, 10), point(3600, 20)], "b": [point(3660, 2)]}, HOURLY)
    assert [r.totals[Bucket.BASE].usd for r in series.rows] == [22]
    assert series.lacking == {"b": 1}


def test_nothing_stored_is_an_empty_series() -> None:
    assert combine({}, HOURLY).rows == ()
    assert combine({"a": []}, HOURLY).rows == ()


def test_a_gap_leaves_no_number_in_a_sum() -> None:
    both = row([point(0, 10), point(0, None, "b@y", status=Status.GAP)])
    assert both.status is Status.GAP
    assert both.totals == {}
    assert both.reason == "b@y: because"


def test_a_held_part_keeps_its_status_over_the_whole() -> None:
    both = row([point(0, 10), point(0, 5, "b@y", status=Status.HELD)])
    assert both.status is Status.HELD
    assert both.totals[Bucket.BASE].usd == 15


def test_a_row_is_as_final_as_its_least_final_point() -> None:
    assert row([point(0), point(0, state=State.PROVISIONAL)]).state is State.PROVISIONAL


def test_what_is_not_deployed_yet_does_not_hide_the_rest() -> None:
    early = point(0, None, "b@y", status=Status.NOT_APPLICABLE)
    assert row([point(0, 10), early]).status is Status.OK
    assert row([early]).status is Status.NOT_APPLICABLE


@given(st.lists(st.tuples(st.sampled_from(list(Bucket)), st.integers(-(10**40), 10**40)), min_size=1, max_size=8))
def test_nothing_is_lost_in_a_sum(parts: list[tuple[Bucket, int]]) -> None:
    summed = row([point(0, usd, f"{i}@x", bucket=bucket) for i, (bucket, usd) in enumerate(parts)]).totals
    assert sum(total.usd for total in summed.values()) == sum(usd for _, usd in parts)
    assert sum(total.left_out for total in summed.values()) == len(parts)
    assert list(summed) == [bucket for bucket in Bucket if bucket in summed]
