"""What a recipe may say, and what is told of a wrong one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters.registry import ParamErrors, parse_params
from tests.unit.adapters.recipe_values import CHEF, HELD, KEPT, POOL, A, B, problems, recipe, step


def test_all_problems_of_a_recipe_are_told_at_once_and_where_they_stand() -> None:
    steps = [
        {**POOL, "item": "info(uint256)(adress)"},
        step("a", get="x(uint256)(address)"),
        step("b", get="y()(uint256)", on="cheff"),
        step("c", list="z()(uint256)"),
    ]
    told = problems(recipe(steps, [{"token": "nothing", "owner": "chef"}]))
    assert told == {
        ("steps", 0, "item"): "not an ABI type: 'adress'; such as uint256, address, bytes32, string, (…), …[]",
        ("steps", 1, "get"): "takes 1 arguments (uint256) and is given 0",
        ("steps", 2, "on"): "no 'cheff' before this; there is: native, chef, pool, a",
        ("steps", 3, "list"): "answers no list: expected such as z()(address[])",
        ("holdings", 0, "token"): "no 'nothing' before this; there is: native, chef, pool, a, b, c",
    }


@pytest.mark.parametrize(
    ("changed", "where", "sentence"),
    [
        ({"holdings": [{"token": "pool.sum", "owner": "chef"}]}, ("holdings", 0, "token"), "is uint256, where address"),
        ({"holdings": [{"token": "pool", "owner": "chef"}]}, ("holdings", 0, "token"), "has several values"),
        ({"holdings": [{"token": "pool.x", "owner": "chef"}]}, ("holdings", 0, "token"), "has no 'x'; there is: token"),
        ({"holdings": [{"token": "chef", "amount": "pool.token"}]}, ("holdings", 0, "amount"), "where an integer"),
        ({"holdings": [{"token": "chef"}]}, ("holdings", 0), "give owner"),
        ({"holdings": [{**HELD, "bucket": "borrowed"}]}, ("holdings", 0), "held, not owed"),
        ({"holdings": [{**HELD, "own": "nobody"}]}, ("holdings", 0, "own"), "no contracts 'nobody'"),
        ({"holdings": []}, ("holdings",), "at least one"),
        ({"contracts": {"chef": CHEF, "unused": A}}, ("contracts", "unused"), "is used nowhere"),
        ({"contracts": {"chef": "0x12"}}, ("contracts", "chef"), "not an address"),
        ({"contracts": {"chef": [{"a": A}, {"b": B}]}}, ("contracts", "chef"), "same keys"),
        ({"contracts": {"chef": [A, A]}}, ("contracts", "chef"), "listed twice"),
        ({"contracts": {"chef": [{}]}}, ("contracts", "chef"), "expected tables"),
        ({"max_items": 0}, ("max_items",), "greater than or equal to 1"),
        ({"surprise": 1}, ("surprise",), "unknown key"),
    ],
)
def test_a_wrong_recipe_is_told_what_would_be_right(changed: Any, where: Any, sentence: str) -> None:
    assert sentence in problems({**recipe(), **changed})[where]


@pytest.mark.parametrize(
    ("wrong", "where", "sentence"),
    [
        (step("x"), (), "exactly one of: get, list, count"),
        (step("x", count="n()(uint256)"), (), "count and item go together"),
        (step("x", get="a()(address)", event="B(address b)"), (), "exactly one"),
        (step("x", event="B(address b)", keep=True), (), "always kept"),
        (step("x", get="a()"), ("get",), "not a signature"),
        (step("x", count="n()(address)", item="i(uint256)(address)"), ("count",), "answers address for a count"),
        (step("x", count="n()(uint256)", item="i()(address)"), ("item",), "takes 0 arguments"),
        (step("x", get="a(address)(address)", args=[5]), ("get",), "takes address where it is given uint256"),
        (step("x", get="a(uint8)(address)", args=["0x12"]), ("args", 0), "not an address"),
        (step("x", event="B(address indexed a, bool indexed b, bool indexed c, bool indexed d)"), ("event",), "three"),
        (step("x", get="a()(address)", where={"": "pool.token"}), ("where", ""), "expected contracts, or a literal"),
        (step("x", get="a()(bool)", where={"": 1}), ("where", ""), "of type bool"),
        (step("x", get="a()(address)", given=["y"]), ("given", 0), "no 'y' before this"),
        (step("chef", get="a()(address)"), ("name",), "stands for something else"),
        (step("x", event="B(address b)", on="pool.token"), ("on",), "searched for once"),
        (step("x", list="l()(address[])", keep=True), ("keep",), "can be kept"),
        (step("X", get="a()(address)"), ("name",), "pattern"),
    ],
)
def test_a_wrong_step_is_told_what_would_be_right(wrong: Any, where: Any, sentence: str) -> None:
    used = {"token": wrong["name"], "owner": "chef"}
    assert sentence in problems(recipe([POOL, wrong], [HELD, used]))["steps", 1, *where]


def test_a_step_that_leads_to_no_holding_is_a_problem() -> None:
    assert problems(recipe([POOL, step("x", get="a()(address)")])) == {("steps", 1): "'x' leads to no holding"}


def test_an_amount_is_never_a_kept_answer() -> None:
    values = recipe([KEPT], [{"token": "pool.token", "amount": "pool.sum"}])
    assert "not read at its block" in problems(values)["holdings", 0, "amount"]


def test_an_amount_of_an_event_is_no_amount_at_a_block() -> None:
    made = step("made", event="Made(address token, uint256 sum)")
    told = problems(recipe([made], [{"token": "made.token", "amount": "made.sum"}]))
    assert "no amount at a block" in told["holdings", 0, "amount"]


def test_names_with_sources_of_different_kinds_cannot_be_combined() -> None:
    """Which asset belongs to which total could not be told."""
    steps = [
        step("one", list="one()(address[])"),
        step("two", list="two()(address[])"),
        step("asset", get="asset()(address)", on="one"),
        step("asset", get="asset()(address)", on="two"),
        step("total", get="total()(uint256)", on="one"),
        step("total", get="total()(uint256)", on="two"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "amount": "total", "owner": "chef"}]))
    assert "build both on one name" in told["holdings", 0]


def test_a_value_that_only_some_sources_have_cannot_be_used_beside_all() -> None:
    steps = [
        step("one", list="one()(address[])"),
        step("two", list="two()(address[])"),
        {"name": "vault", "same_as": "one"},
        {"name": "vault", "same_as": "two"},
        step("asset", get="asset()(address)", on="vault"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "owner": "one"}]))
    assert "'asset' and 'one' have sources of different kinds" in told["holdings", 0]


def test_a_source_that_comes_after_the_use_of_its_name_is_a_problem() -> None:
    steps = [
        step("vault", list="one()(address[])"),
        step("asset", get="asset()(address)", on="vault"),
        step("vault", list="two()(address[])"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "owner": "vault"}]))
    assert told == {("steps", 2, "name"): "'vault' is used already: all its sources stand before that"}


def test_sources_of_sources_are_bounded() -> None:
    steps = [step("a0", list="l()(address[])")]
    for i in range(8):
        steps += [step(f"{way}{i}", get="g()(address)") for way in ("one", "two")]
        steps += [step(f"a{i + 1}", get="h()(address)", on=f"a{i}", given=[f"{way}{i}"]) for way in ("one", "two")]
    told = problems(recipe(steps, [{"token": "a8", "owner": "chef"}]))
    assert all("in more than 64 ways" in sentence for sentence in told.values())


# how answers become holdings


WORDS = [
    "chef",
    "pool",
    "pool.token",
    "pool.0.0",
    "native",
    "",
    ".",
    "a b",
    "0x12",
    "²",
    CHEF,
    True,
    -1,
    2**300,
    None,
    [],
]
SIGNATURES = [
    "length()(uint256)",
    "info(uint256)(address token)",
    "l()((address a)[])",
    "E(address indexed a)",
    "f(",
    5,
]
steps_of_words = st.fixed_dictionaries(
    {"name": st.sampled_from(WORDS)},
    optional={
        **dict.fromkeys(("on", "same_as", "keep"), st.sampled_from(WORDS)),
        **dict.fromkeys(("get", "list", "count", "item", "event"), st.sampled_from(SIGNATURES)),
        "args": st.lists(st.sampled_from(WORDS), max_size=2),
        "where": st.dictionaries(st.sampled_from(["", "token", "x"]), st.sampled_from(WORDS), max_size=1),
        "given": st.lists(st.sampled_from(WORDS), max_size=1),
    },
)
holdings_of_words = st.dictionaries(
    st.sampled_from(["token", "owner", "amount", "receipt", "own", "bucket"]), st.sampled_from(WORDS), max_size=4
)


@given(st.lists(steps_of_words, max_size=3), st.lists(holdings_of_words, max_size=2))
def test_no_recipe_of_any_words_breaks_its_check(steps: list[Any], holdings: list[Any]) -> None:
    with suppress(ParamErrors):
        assert parse_params("recipe", recipe([POOL, *steps], [HELD, *holdings]))
