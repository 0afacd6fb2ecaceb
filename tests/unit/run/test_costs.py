"""What was spent is told in requests and seconds, and grows with what is to be done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.run.costs import NOTHING, Effort

efforts = st.builds(Effort, st.integers(0, 1000), st.floats(0, 1000), st.floats(0, 1000))


def test_workers_wait_together_and_share_one_processor() -> None:
    assert Effort(10, wall_s=8.0, cpu_s=1.0).seconds(4) == 2.0
    assert Effort(10, wall_s=8.0, cpu_s=6.0).seconds(4) == 6.0
    assert Effort(10, wall_s=8.0, cpu_s=6.0).seconds(1) == 8.0


def test_a_share_of_some_requests_is_rounded_up() -> None:
    assert Effort(7, 3.0, 3.0).part(1, 3).requests == 3
    assert Effort(7, 3.0, 3.0).part(2, 3).requests == 5


@given(effort=efforts, times=st.integers(0, 50))
def test_doing_it_several_times_is_the_sum(effort: Effort, times: int) -> None:
    assert sum([effort] * times, NOTHING).requests == effort.part(times).requests
