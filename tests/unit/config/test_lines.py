"""An error in a configuration names the line it stands on."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.config.lines import line_numbers, line_of

TEXT = '''\
# a comment with [brackets] and key = "value"
top = 1

[chains.ethereum]
endpoints = [
    "https://one.example",  # not = a key
    "https://two.example",
]
note = """
[not.a.table]
not_a_key = 1
"""
every = "5m"

[tokens.ethereum."USD Coin"]
address = "0x00"

[[protocols]]
name = "first"

[[protocols]]
name = "second"
pairs = [ { a = 1 },
  { a = 2 } ]
pool.fee = 3
[protocols.inner]
deep = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("chains", "ethereum"), 4),
        (("chains", "ethereum", "endpoints"), 5),
        (("chains", "ethereum", "note"), 9),
        (("chains", "ethereum", "every"), 13),
        (("tokens", "ethereum", "USD Coin", "address"), 16),
        (("protocols", 0, "name"), 19),
        (("protocols", 1), 21),
        (("protocols", 1, "pool", "fee"), 25),
        (("protocols", 1, "inner", "deep"), 27),
    ],
)
def test_every_key_is_found_on_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert line_numbers(TEXT)[path] == line


def test_text_inside_values_is_never_taken_for_a_key() -> None:
    assert {"not_a_key", "not"}.isdisjoint({part for path in line_numbers(TEXT) for part in path})


def test_a_missing_key_is_placed_at_the_table_around_it() -> None:
    assert line_of(("protocols", 1, "factory"), line_numbers(TEXT)) == 21
    assert line_of(("nothing", "like", "it"), line_numbers(TEXT)) is None


KEYS = st.text("abcxyz_-", min_size=1, max_size=5)
VALUES = st.one_of(
    st.integers().map(str),
    st.text("abc =[]#{}\"'", max_size=12).map(lambda t: '"' + t.replace("\\", "").replace('"', '\\"') + '"'),
    st.text("abc =[]#\n", max_size=12).map(lambda t: f'"""\n{t}"""'),
    st.lists(st.integers().map(str), max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "\n]"),
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_the_scanner_sees_exactly_the_keys_that_toml_has(tables: dict[str, dict[str, Any]]) -> None:
    text = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) for name, keys in tables.items())
    parsed = tomllib.loads(text)
    paths = {(table,) for table in parsed} | {(table, key) for table, keys in parsed.items() for key in keys}
    found = line_numbers(text)
    assert set(found) == paths
    rows = text.splitlines()
    assert all(rows[found[path] - 1].lstrip().startswith((f"[{path[-1]}]", f"{path[-1]} =")) for path in paths)
