"""One set of readings under several definitions, and every difference between two of them in parts that add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Grade
from indexer.valuation.books import Book
from indexer.valuation.claims import Claims
from indexer.valuation.profiles import PROFILES, Part, apply, difference, reasons, total, with_toggles
from tests.unit.valuation.stocks import USD, address, block, book, quote
from tests.unit.valuation.test_claims import books


def sums(made: list[Book], name: str) -> int:
    return total(apply(PROFILES[name], Claims(made))) // USD


@pytest.fixture
def market() -> list[Book]:
    """A lender, a pool, an aggregator on the lender, a staking contract and an escrow."""
    at = block(100)
    lender = book(
        "lender", [("d", 600, "a>R"), ("d", 400, "debt", "borrowed")], adapter="aave_v3@1", category="lending"
    )
    pool = book(
        "pool",
        [("d", 50, "p>L"), ("e", 50, "p>L"), ("g", 9, "s", "staking")],
        adapter="uniswap_v2@1",
        params={"amounts": "reserves"},
        category="dex",
    )
    farm = book(
        "farm",
        [("R", 300, "v>S")],
        {"R": quote("R", 1, at, Grade.B, "erc4626 > chainlink:D/USD")},
        adapter="erc4626@1",
        params={"amount": "accounting"},
        category="yield",
    )
    staked = book(
        "staked", [("s", 20)], {"s": quote("s", 1, at, Grade.B, "rate > chainlink:E/USD")}, category="liquid-staking"
    )
    return [lender, pool, farm, staked]


def test_each_profile_counts_what_it_says(market: list[Book]) -> None:
    assert {name: sums(market, name) for name in PROFILES if name != "constant-price"} == {
        "base": 600 + 100 + 300 + 20,
        "gross": 600 + 400 + 100 + 9 + 300 + 20,
        "net": 600 + 100 + 20,
        "redeemable": 600 + 100,
        "llama": 600 + 100,
        "verifiable": 600 + 20,
    }


def test_the_profiles_of_the_claims_are_the_measures_of_the_claims(market: list[Book]) -> None:
    measured = Claims(market).measure()
    told = [measured.gross, measured.base, measured.net, measured.redeemable]
    assert told == [total(apply(PROFILES[n], Claims(market))) for n in ("gross", "base", "net", "redeemable")]


def test_what_is_left_out_of_sums_counts_alone(market: list[Book]) -> None:
    alone = apply(PROFILES["llama"], Claims(market), lambda entry: entry.book.protocol == "farm")
    assert total(alone) == 300 * USD


def test_switches_add_buckets_and_take_categories_back_in(market: list[Book]) -> None:
    switched = with_toggles(PROFILES["llama"], ["doublecounted", "borrowed", "staking"])
    assert total(apply(switched, Claims(market))) // USD == 600 + 400 + 100 + 9 + 300
    assert switched.name == "llama, borrowed, doublecounted, staking"
    with pytest.raises(KeyError):
        with_toggles(PROFILES["llama"], ["nonsense"])


def test_a_price_of_no_grade_or_older_than_a_day_is_not_in_llama() -> None:
    old, none = quote("o", 1, block(100, timestamp=0)), quote("u", 1, block(100), Grade.U)
    made = [book("p", [("d", 1), ("o", 10), ("u", 100)], {"o": old, "u": none})]
    assert (sums(made, "base"), sums(made, "llama")) == (111, 1)
    left = {part.reason: part.usd // USD for part in reasons(apply(PROFILES["llama"], Claims(made)))}
    assert left == {"price older than 24 h": 10, "price of grade U": 100}


def test_a_difference_is_told_by_reason(market: list[Book]) -> None:
    claims = Claims(market)
    parts = difference(apply(PROFILES["gross"], claims), apply(PROFILES["net"], claims))
    assert parts == [
        Part("left out: bucket borrowed", -400 * USD, 1),
        Part("left out: claim on lender@ethereum", -300 * USD, 1),
        Part("left out: bucket staking", -9 * USD, 1),
    ]


def test_constant_prices_are_those_of_the_base_date() -> None:
    then = {("ethereum", address("e")): quote("e", 1500, block(1)), ("ethereum", address("d")): quote("d", 1, block(1))}
    claims = Claims([book("p", [("e", 2), ("d", 100), ("x", 3)], {"e": 2000, "x": 7})])
    counted = apply(PROFILES["constant-price"], claims, base_prices=then)
    assert total(counted) == 3100 * USD
    assert [one.left_out for one in counted if one.left_out] == ["no price at the base date"]
    parts = difference(apply(PROFILES["base"], claims), counted)
    assert {part.reason: part.usd // USD for part in parts} == {
        "price of the base date": -1000,
        "left out: no price at the base date": -21,
    }


def test_a_constant_price_gives_a_value_to_an_amount_whose_price_is_held_today() -> None:
    then = {("ethereum", address("d")): quote("d", 1, block(1))}
    claims = Claims([book("p", [("d", 100)], {"d": None})])
    assert total(apply(PROFILES["base"], claims)) == 0
    assert total(apply(PROFILES["constant-price"], claims, base_prices=then)) == 100 * USD


def test_a_balance_query_needs_the_parameters_that_make_it_one() -> None:
    for kind, params, expected in [
        ("erc4626@1", {"amount": "held"}, 1),
        ("erc4626@1", {"amount": "accounting"}, 0),
        ("uniswap_v2@1", {"amounts": "balances"}, 1),
        ("unheard_of@3", {}, 0),
    ]:
        assert sums([book("p", [("d", 1)], adapter=kind, params=params)], "verifiable") == expected


@given(books(), st.sampled_from(list(PROFILES)), st.sampled_from(list(PROFILES)))
def test_parts_of_a_difference_add_up_to_it(made: list[Book], first: str, second: str) -> None:
    claims = Claims(made)
    then = {("ethereum", address(name)): quote(name, Fraction(3, 7), block(1)) for name in "abcR"}
    a, b = (apply(PROFILES[name], claims, base_prices=then) for name in (first, second))
    assert sum(part.usd for part in difference(a, b)) == total(b) - total(a)


@given(books())
def test_what_is_counted_and_what_is_left_out_is_all_that_has_a_value(made: list[Book]) -> None:
    claims = Claims(made)
    everything = sum(entry.usd for entry in claims.entries if entry.counts)
    for name in PROFILES.keys() - {"constant-price"}:
        counted = apply(PROFILES[name], claims)
        assert total(counted) + sum(part.usd for part in reasons(counted)) == everything


@given(books())
def test_narrower_profiles_never_say_more(made: list[Book]) -> None:
    gross, base, net, redeemable = (
        total(apply(PROFILES[name], Claims(made))) for name in ("gross", "base", "net", "redeemable")
    )
    assert gross >= base >= net >= redeemable
