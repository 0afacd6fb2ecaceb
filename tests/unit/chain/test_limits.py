"""The pace and the batch size that an endpoint teaches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.base import Request
from indexer.chain.limits import SLOWEST_UNITS_PER_S, BatchSize, Pace


class Hand:
    """A clock that is moved by hand."""

    now = 500.0

    def __call__(self) -> float:
        return self.now


def sent_in(pace: Pace, clock: Hand, seconds: float) -> int:
    """Requests that get through in so much time, each as soon as it may."""
    count, end = 0, clock.now + seconds
    while clock.now + (wait := pace.wait_s(1)) <= end:
        clock.now += wait
        pace.spend(1)
        pace.accepted()
        count += 1
        if wait == 0 and pace.limit is None and count > 10_000:
            break
    clock.now = end
    return count


def test_without_a_limit_nothing_waits_until_the_endpoint_objects() -> None:
    clock = Hand()
    pace = Pace(clock)
    for _ in range(500):
        assert pace.wait_s(1) == 0
        pace.spend(1)
    pace.objected(None)
    assert pace.wait_s(1) >= 1.0
    assert pace.limit is not None


def test_a_configured_rate_is_kept() -> None:
    clock = Hand()
    assert 95 <= sent_in(Pace(clock, 10.0), clock, 9.0) <= 101


def test_compute_units_count_by_method() -> None:
    pace = Pace(Hand(), 500.0, {"eth_getLogs": 75, "eth_call": 26})
    assert pace.cost([Request("eth_getLogs"), Request("eth_call"), Request("eth_chainId")]) == 102


def test_a_request_dearer_than_a_second_goes_when_the_bucket_is_full_and_the_next_waits_for_it() -> None:
    clock = Hand()
    pace = Pace(clock, 100.0)
    assert pace.wait_s(1_000) == 0
    pace.spend(1_000)
    assert pace.wait_s(1) > 9.0


def test_a_wait_that_was_asked_for_is_kept_to_the_full() -> None:
    clock = Hand()
    pace = Pace(clock, 100.0)
    pace.objected(7.0)
    assert pace.wait_s(1) >= 7.0
    pace.objected(2.0)
    assert pace.wait_s(1) >= 7.0
    clock.now += 7.5
    assert pace.wait_s(1) == 0


def test_each_objection_slows_down_and_answers_speed_up_again_to_the_configured_rate() -> None:
    clock = Hand()
    pace = Pace(clock, 100.0)
    for _ in range(3):
        pace.objected(0.0)
    assert pace.limit is not None
    assert pace.limit < 50
    clock.now += 1
    for _ in range(1_000):
        pace.accepted()
    assert pace.limit == 100.0


def test_a_provider_that_takes_twenty_a_second_is_neither_flooded_nor_left_idle() -> None:
    clock = Hand()
    pace, window, refused, taken = Pace(clock), list[float](), 0, 0
    while clock.now < 620.0:
        clock.now += pace.wait_s(1)
        pace.spend(1)
        window = [then for then in window if clock.now - then < 1.0]
        if len(window) >= 20:
            refused += 1
            pace.objected(None)
        else:
            window.append(clock.now)
            taken += 1
            pace.accepted()
        clock.now += 0.001
    assert taken > 0.5 * 20 * 120
    assert refused < 0.05 * taken


def test_the_pace_never_stops_altogether() -> None:
    pace = Pace(Hand(), 1.0)
    for _ in range(200):
        pace.objected(0.0)
    assert pace.limit == SLOWEST_UNITS_PER_S


@given(st.lists(st.integers(min_value=1, max_value=5_000), min_size=1, max_size=80), st.integers(1, 10))
def test_slices_are_the_batch_in_order_and_within_the_limits(sizes: list[int], most_items: int) -> None:
    bodies = [b"x" * size for size in sizes]
    limits = BatchSize(most_items=most_items, most_bytes=6_000)
    parts = [bodies[part] for part in limits.pack(bodies)]
    assert [body for part in parts for body in part] == bodies
    assert all(part for part in parts)
    assert all(len(part) <= most_items for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= 6_000 for part in parts)


def test_many_small_requests_refused_are_sent_fewer_at_a_time() -> None:
    size = BatchSize(most_items=100)
    size.refused(100, 10_000)
    assert size.items == 50


def test_a_few_large_requests_refused_do_not_shrink_batches_of_small_ones() -> None:
    size = BatchSize(most_items=100, most_bytes=1_000_000)
    size.refused(4, 800_000)
    assert size.items == 100
    large, small = [b"x" * 200_000] * 4, [b"x" * 100] * 100
    assert [part.stop - part.start for part in size.pack(large)] == [2, 2]
    assert len(list(size.pack(small))) == 1


def test_a_batch_size_grows_back() -> None:
    size = BatchSize(most_items=100)
    size.refused(100, 100)
    for _ in range(100):
        size.accepted(size.items, 100)
    assert size.items == 100
