"""A difference holds what changed and nothing else, and applying it gives the later state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.store import deltas
from indexer.store.deltas import Made, Memory, State, apply, difference
from indexer.store.rows import Content

states = st.dictionaries(st.integers(0, 5), st.integers(0, 2))
contents = st.dictionaries(st.integers(0, 5), st.builds(lambda n: (n, "ok", "", None, None), st.integers(0, 2)))


@given(before=states, after=states)
def test_applying_a_difference_gives_the_later_state(before: dict[int, int], after: dict[int, int]) -> None:
    changes = difference(before, after)
    assert all(before.get(key) != value for key, value in changes.items())
    apply(before, changes)
    assert before == after


def test_only_the_last_states_of_a_deployment_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "_ENTRIES_KEPT", 3)
    memory = Memory()
    for snapshot_id in range(10):
        memory.keep_state(1, snapshot_id, State({snapshot_id: (1, "ok", "", None, None)}, {}))
    assert memory.state(1, 0) is None
    assert memory.state(1, 9) == State({9: (1, "ok", "", None, None)}, {})
    assert memory.state(2, 9) is None


def content(amount: int) -> Content:
    return amount, "ok", "", None, None


@given(before=contents, after=contents, anew=st.sets(st.integers(0, 5)))
def test_holdings_made_of_others_differ_from_them_only_where_they_were_made_anew(
    before: dict[int, Content], after: dict[int, Content], anew: set[int]
) -> None:
    there = {position: after[position] for position in anew & before.keys() & after.keys()}
    now = State({**before, **there}, {}, made=Made(before, there.keys()))
    assert now.holdings_since(State(before, {})) == difference(before, now.holdings)


def test_what_holdings_were_made_of_says_nothing_of_other_holdings() -> None:
    first, second, third = {1: content(1)}, {1: content(2)}, {1: content(3)}
    now = State(third, {}, made=Made(second, ()))
    assert now.holdings_since(State(first, {})) == {1: content(3)}
    assert now.holdings_since(State(dict(second), {})) == {1: content(3)}
