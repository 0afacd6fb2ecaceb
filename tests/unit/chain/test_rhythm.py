"""On a steady chain most looks find a block, soon after it is there; on any other they are no more than by polling."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from indexer.chain.rhythm import Rhythm
from indexer.model import BlockRef
from tests.unit.chain.log_nodes import block


@dataclass
class Watched:
    """Blocks that are there from a time on, and how they were seen. The chain's clock is an hour ahead of ours."""

    arrivals: Sequence[tuple[float, BlockRef]]
    looks: int = 0
    delays_s: list[float] = field(default_factory=list)

    def by(self, poll_s: float, block_time_s: float | None) -> Watched:
        """Look until the last block was seen."""
        now, seen = 0.0, 0
        rhythm = Rhythm(poll_s, block_time_s, lambda: now)
        while seen < len(self.arrivals):
            self.looks += 1
            there = sum(at <= now for at, _ in self.arrivals)
            if there > seen:
                self.delays_s += [now - at for at, _ in self.arrivals[seen:there]]
                rhythm.found(self.arrivals[there - 1][1])
            else:
                rhythm.looked_in_vain()
            seen = there
            wait_s = rhythm.wait_s()
            assert wait_s > 0
            now += wait_s
        return self

    @property
    def looks_a_block(self) -> float:
        return self.looks / len(self.arrivals)

    @property
    def mean_delay_s(self) -> float:
        return sum(self.delays_s) / len(self.delays_s)


def chain(apart_s: float, blocks: int = 600, jitter_s: float = 0.0, missed: float = 0.0) -> Watched:
    """Blocks so far apart, each there up to the jitter after its time; of some slots there is none."""
    dice = random.Random(7)
    slots = [slot for slot in range(blocks) if dice.random() >= missed]
    stamped = [(slot * apart_s, stamped_block(n, int(slot * apart_s))) for n, slot in enumerate(slots)]
    return Watched([(at + 0.5 + dice.random() * jitter_s, one) for at, one in stamped])


def stamped_block(number: int, time_s: int) -> BlockRef:
    return replace(block(number), timestamp=3_600 + time_s)


@pytest.mark.parametrize("apart_s", [1, 2, 12])
def test_a_chain_of_a_steady_pace_takes_about_one_look_a_block(apart_s: int) -> None:
    watched = chain(apart_s).by(min(max(apart_s / 3, 0.25), 4), apart_s)
    assert watched.looks_a_block < 1.2
    assert watched.mean_delay_s < 0.1 * apart_s


def test_late_blocks_cost_a_look_more_now_and_then() -> None:
    watched = chain(12, jitter_s=3, missed=0.02).by(4, 12)
    assert watched.looks_a_block < 1.5
    assert watched.mean_delay_s < 2


def test_blocks_that_come_faster_than_was_said_are_seen_in_time() -> None:
    watched = chain(2).by(4, 12)
    assert watched.mean_delay_s < 1
    assert watched.looks_a_block < 1.3


def test_blocks_that_come_slower_than_was_said_cost_no_more_looks_than_polling() -> None:
    asked, polled = chain(15).by(4, 12), chain(15).by(4, None)
    assert asked.looks_a_block <= polled.looks_a_block


def test_a_chain_without_pace_is_looked_at_at_most_a_little_more_often_than_by_polling() -> None:
    dice, now, arrivals = random.Random(3), 0.0, []
    for number in range(1, 300):
        now += dice.expovariate(1 / 12)
        arrivals.append((now, stamped_block(number, int(now))))
    assert Watched(arrivals).by(4, 12).looks <= 1.2 * Watched(arrivals).by(4, None).looks


def test_blocks_of_a_quick_chain_come_several_at_a_look() -> None:
    assert chain(0.25).by(1.0, 0.25).looks_a_block < 0.3


def test_a_clock_that_jumps_is_got_used_to() -> None:
    first, then = chain(12, 100), chain(12, 100)
    late = [(at + 1_200, stamped_block(b.number + 100, b.timestamp + 100_000)) for at, b in then.arrivals]
    watched = Watched([*first.arrivals, *late]).by(4, 12)
    assert watched.looks_a_block < 1.5


def test_where_blocks_are_announced_the_next_look_leaves_time_for_that() -> None:
    now = 0.0
    rhythm = Rhythm(4, 12, lambda: now)
    for number in range(1, 20):
        now = 12.0 * number
        rhythm.found(block(number))
    assert rhythm.wait_s() < 12
    assert 12 < rhythm.wait_s(is_announced=True) < 17
