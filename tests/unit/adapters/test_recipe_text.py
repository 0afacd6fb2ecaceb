"""The small languages of a recipe: signatures, places in answers, and rows that are joined."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters.recipes.join import joined
from indexer.adapters.recipes.signature import find, parse_event, parse_function


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a()(uint)", "a()(uint256)"),
        ("function a(uint256 _pid, address) external view returns (address lp, uint16[2] x)", None),
        (
            "a((address x, (uint8, bool)[] y)[3] z)(tuple(address a)[] items)",
            "a((address,(uint8,bool)[])[3])((address)[])",
        ),
    ],
)
def test_a_signature_is_read_in_short_and_as_solidity_writes_it(text: str, canonical: str | None) -> None:
    assert parse_function(text).text == (canonical or "a(uint256,address)(address,uint16[2])")


@pytest.mark.parametrize("text", ["", "a", "a(", "a()()", "a()(b)", "a()(address x y)", "1()(bool)", "a()(bool) more"])
def test_text_that_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"signature|type|parameter"):
        parse_function(text)


def test_a_signature_of_any_length_is_not_read() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_function("a(" * 5_000)


def test_a_value_is_found_by_names_and_places() -> None:
    fields = parse_event("E(((string key, address value)[] items, bool b) data, address[2] pair)").outputs
    assert find(fields, ["data", "items", "2", "value"])[0] == (0, 0, 2, 1)
    assert find(fields, ["pair", "1"])[1].type == "address"
    assert find(fields, ["0", "1"])[1].type == "bool"
    with pytest.raises(ValueError, match="has no 'x'"):
        find(fields, ["data", "x"])


@given(st.text(alphabet="ab()[],0 uint256address", max_size=60))
def test_no_text_breaks_the_reading_of_signatures(text: str) -> None:
    with suppress(ValueError):
        assert parse_function(text).outputs


rows = st.lists(st.fixed_dictionaries({"k": st.integers(0, 3)}, optional={"a": st.integers(0, 2)}), max_size=6)
others = st.lists(st.fixed_dictionaries({"k": st.integers(0, 3), "b": st.integers(0, 9)}), max_size=6)


@given(rows, others)
def test_rows_are_joined_where_what_they_share_agrees(left: list[dict[str, int]], right: list[dict[str, int]]) -> None:
    plain = [{**one, **other} for one in left for other in right if one["k"] == other["k"]]
    got = joined([left, right], 1_000)
    assert sorted(map(repr, map(sorted, map(dict.items, got)))) == sorted(
        map(repr, map(sorted, map(dict.items, plain)))
    )
