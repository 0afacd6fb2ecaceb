import pytest

from indexer.errors import ConfigError
from indexer.pricing.guards import Check, GuardSettings, guard_names


def test_what_a_table_leaves_out_has_its_default():
    settings = GuardSettings.parse({"grace_s": 60, "observe": ["growth"]})
    assert settings == GuardSettings(grace_s=60, observe=frozenset({"growth"}))
    assert GuardSettings.parse({}) == GuardSettings()


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        GuardSettings.parse({"grace": 1, "future_s": -1, "min_cardinality": True, "observe": ["stale", "stael"]})
    for word in ("grace: no such setting", "future_s: expected", "min_cardinality: expected", "no guard 'stael'"):
        assert word in str(caught.value)


def test_a_list_of_guards_is_not_one_word():
    with pytest.raises(ConfigError, match="expected a list"):
        GuardSettings.parse({"observe": "stale"})


def test_guards_have_names_of_their_own():
    made = {check.__name__: check.guard for check in Check.__subclasses__()}
    assert sorted(made.values()) == list(guard_names())
