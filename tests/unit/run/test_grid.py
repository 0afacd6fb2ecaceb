"""Daemon and backfill agree on which blocks are due, and a backfill shows the whole span before its details."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from indexer.config.types import Cadence
from indexer.model import BlockRef, Hash
from indexer.run.grid import Span, block_at, coarse_first, points

GAPS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


class FakeClock:
    """A chain in memory, asked as the real clock is."""

    def __init__(self, gaps: list[int]) -> None:
        times = [1_000]
        for gap in gaps:
            times.append(times[-1] + gap)
        self.blocks = [BlockRef(i, Hash(f"0x{i:064x}"), Hash(f"0x{i - 1 & 0xFF:064x}"), t) for i, t in enumerate(times)]

    async def block(self, number: int) -> BlockRef | None:
        return self.blocks[number] if number < len(self.blocks) else None

    async def first_at_or_after(self, timestamp: int) -> BlockRef | None:
        return next((block for block in self.blocks if block.timestamp >= timestamp), None)


CADENCES = st.one_of(
    st.integers(1, 7).map(lambda n: Cadence(blocks=n)), st.integers(1, 50).map(lambda s: Cadence(seconds=s))
)


@given(GAPS, CADENCES)
async def test_the_grid_of_a_backfill_is_where_the_daemon_is_due(gaps: list[int], cadence: Cadence) -> None:
    clock = FakeClock(gaps)
    span = Span(clock.blocks[1], clock.blocks[-1])
    due = {
        block.number
        for parent, block in zip(clock.blocks, clock.blocks[1:], strict=False)
        if cadence.due(block.number, block.timestamp, parent.timestamp)
    }
    ats = [await block_at(point, cadence, clock) for point in points(cadence, span)]  # type: ignore[arg-type]
    assert {at.number for at in ats if at is not None and at in span} == due


@given(st.integers(0, 300), st.integers(1, 50))
def test_every_point_comes_once_and_the_last_comes_first(count: int, step: int) -> None:
    grid = range(10, 10 + count * step, step)
    order = list(coarse_first(grid))
    assert sorted(order) == list(grid)
    assert order[:1] == list(grid[-1:])


@given(st.integers(16, 400))
def test_an_eighth_of_the_points_shows_the_whole_span(count: int) -> None:
    early = sorted(list(coarse_first(range(count)))[: count // 8 + 2])
    widest = max(b - a for a, b in pairwise(early))
    assert widest <= 32
