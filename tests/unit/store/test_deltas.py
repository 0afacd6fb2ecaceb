"""A difference holds what changed and nothing else, and applying it gives the later state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.store import deltas
from indexer.store.deltas import Memory, State, apply, difference

states = st.dictionaries(st.integers(0, 5), st.integers(0, 2))


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
