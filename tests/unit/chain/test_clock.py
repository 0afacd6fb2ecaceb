"""Time to block over chains of every rhythm: always what a look at every block would find, in few round trips."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chain.base import Replies, Request
from indexer.chain.clock import Clock


class PlainChain:
    """A transport over blocks with these timestamps. Counts round trips."""

    name, chain_id = "plain", 1

    def __init__(self, times: Sequence[int]) -> None:
        self.times, self.trips = times, 0

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.trips += 1
        return Replies([self._header(request.params[0]) for request in requests], "plain")

    def distrust(self, endpoint: str, reason: str) -> None:
        raise AssertionError(reason)

    def _header(self, at: str) -> dict[str, str] | None:
        number = len(self.times) - 1 if at == "latest" else int(at, 16)
        if number >= len(self.times):
            return None
        names = {"number": number, "timestamp": self.times[number]}
        hashes = {"hash": f"0x{number + 1:064x}", "parentHash": f"0x{number:064x}"}
        return {name: hex(value) for name, value in names.items()} | hashes


def last_at_or_before(times: Sequence[int], timestamp: int) -> int | None:
    place = bisect_right(times, timestamp) - 1
    return place if place >= 0 else None


def first_at_or_after(times: Sequence[int], timestamp: int) -> int | None:
    place = bisect_left(times, timestamp)
    return place if place < len(times) else None


async def check(clock: Clock, times: Sequence[int], timestamp: int) -> None:
    last, first = await clock.last_at_or_before(timestamp), await clock.first_at_or_after(timestamp)
    assert (last.number if last else None) == last_at_or_before(times, timestamp)
    assert (first.number if first else None) == first_at_or_after(times, timestamp)


@given(
    steps=st.lists(st.sampled_from([0, 0, 1, 12, 13, 500_000]), max_size=400),
    wanted=st.lists(st.integers(min_value=-5, max_value=10**6), min_size=1, max_size=6),
    genesis=st.sampled_from([0, 1_000]),
)
@settings(max_examples=150, deadline=None)
async def test_any_chain_and_any_time_give_what_a_look_at_every_block_finds(
    steps: list[int], wanted: list[int], genesis: int
) -> None:
    times = [genesis]
    for step in steps:
        times.append(times[-1] + step)
    clock = Clock(PlainChain(times), settled_depth=16)
    for timestamp in wanted:
        await check(clock, times, genesis + timestamp)
    for timestamp in times[:: max(1, len(times) // 7)]:
        await check(clock, times, timestamp)


MAINNET_LIKE = range(1_606_824_023, 1_606_824_023 + 12 * 20_000_000, 12)


def _jumpy() -> list[int]:
    """Sixty thousand blocks of four rhythms, as a chain that changed its rules three times."""
    times = [0]
    for block_time, count in ((600, 5_000), (13, 20_000), (1, 25_000), (0, 100), (12, 10_000)):
        times += [times[-1] + block_time * (i + 1) for i in range(count)]
    return times


JUMPY = _jumpy()
SUBSECOND = [1_700_000_000 + i // 4 for i in range(1_000_000)]


@pytest.mark.parametrize(
    ("times", "most"), [(MAINNET_LIKE, 5), (SUBSECOND, 6), (JUMPY, 10)], ids=["even", "sub-second", "jumpy"]
)
async def test_a_block_is_found_in_few_round_trips(times: Sequence[int], most: int) -> None:
    for part in (0.001, 0.1, 0.37, 0.62, 0.98):
        chain = PlainChain(times)
        timestamp = int(times[0] + (times[-1] - times[0]) * part)
        block = await Clock(chain).last_at_or_before(timestamp)
        assert block is not None
        assert block.number == last_at_or_before(times, timestamp)
        assert chain.trips <= most


async def test_the_next_point_of_a_grid_costs_less_than_the_first() -> None:
    chain = PlainChain(MAINNET_LIKE)
    clock = Clock(chain)
    start = MAINNET_LIKE[10_000_000]
    await clock.first_at_or_after(start)
    before = chain.trips
    for i in range(1, 101):
        await clock.first_at_or_after(start - 300 * i)
    assert chain.trips - before <= 250


async def test_before_the_first_block_there_is_none_and_the_first_is_the_next() -> None:
    clock = Clock(PlainChain([100, 112, 124]))
    assert await clock.last_at_or_before(99) is None
    block = await clock.first_at_or_after(0)
    assert block is not None
    assert block.number == 0


async def test_in_the_future_the_last_is_the_head_and_the_first_is_not_there_yet() -> None:
    clock = Clock(PlainChain([100, 112, 124]))
    block = await clock.last_at_or_before(10**10)
    assert block is not None
    assert block.number == 2
    assert await clock.first_at_or_after(125) is None


async def test_of_blocks_with_one_timestamp_the_last_and_the_first_are_told_apart() -> None:
    clock = Clock(PlainChain([10, 20, 20, 20, 20, 30]))
    last, first = await clock.last_at_or_before(20), await clock.first_at_or_after(20)
    assert last is not None
    assert first is not None
    assert (first.number, last.number) == (1, 4)


async def test_a_block_near_the_head_is_not_kept_for_a_reorg_may_replace_it() -> None:
    chain = PlainChain([100 + 12 * i for i in range(50)])
    clock = Clock(chain, settled_depth=40)
    await clock.last_at_or_before(500)
    chain.times = [100] * 9 + [200 + 13 * i for i in range(41)]
    await check(clock, chain.times, 500)
