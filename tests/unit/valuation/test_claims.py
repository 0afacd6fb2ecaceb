"""What is counted twice is known position by position, and every sum that is split is given back whole."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.valuation.books import Book, worth
from indexer.valuation.claims import Claims, split
from tests.unit.valuation.stocks import USD, Held, address, block, book, quote

TOKENS = "abcdef"
RECEIPTS = "RSTU"


def exposure(claims: Claims, protocol: str) -> dict[str, int]:
    found = claims.measure(lambda one: one.protocol == protocol).exposure
    return {bytes.fromhex(token[2:]).decode().lstrip("\0"): usd // USD for (_, token), usd in found.items()}


def test_a_receipt_of_a_tracked_deployment_is_in_gross_and_base_but_not_in_net() -> None:
    bank = book("bank", [("d", 100, "b>R")])
    farm = book("farm", [("R", 60), ("d", 5)])
    claims = Claims([bank, farm])
    whole = claims.measure()
    assert (whole.gross, whole.base, whole.net) == (165 * USD, 165 * USD, 105 * USD)
    alone = claims.measure(lambda one: one.protocol == "farm")
    assert (alone.base, alone.inner, alone.net) == (65 * USD, 0, 5 * USD)
    assert whole.multiplier == Fraction(165, 105)


def test_a_lending_loop_raises_gross_and_not_net() -> None:
    before = Claims([book("bank", [("d", 100, "b>R")])]).measure()
    after = Claims([book("bank", [("d", 100, "b>R"), ("d", 80, "debt", "borrowed")])]).measure()
    assert (before.gross, after.gross) == (100 * USD, 180 * USD)
    assert before.net == after.net == 100 * USD


def test_exposure_looks_through_shares_of_pools_of_receipts_to_the_plain_tokens() -> None:
    bank = book("bank", [("d", 1000, "b>R")])
    dex = book("dex", [("R", 300, "p>L"), ("e", 300, "p>L")])
    farm = book("farm", [("L", 200)])
    claims = Claims([bank, dex, farm])
    assert exposure(claims, "farm") == {"d": 100, "e": 100}
    assert exposure(claims, "dex") == {"d": 300, "e": 300}
    rows = {(row.holder, row.issuer, row.layer): row.usd // USD for row in claims.overlaps(lambda one: one.protocol)}
    assert rows == {("dex", "bank", 1): 300, ("farm", "dex", 1): 200, ("farm", "bank", 2): 100}


def test_what_a_scope_counts_twice_in_itself_is_told_apart() -> None:
    vaults = book("vaults", [("d", 100, "v>R"), ("R", 40, "w>S")])
    measured = Claims([vaults]).measure()
    assert (measured.base, measured.inner, measured.net) == (140 * USD, 40 * USD, 100 * USD)
    assert measured.exposure == {("ethereum", address("d")): 100 * USD}


def test_receipts_that_claim_each_other_are_cut_and_no_dollar_is_lost() -> None:
    one = book("one", [("S", 50, "o>R"), ("d", 10, "o>R")])
    two = book("two", [("R", 40, "p>S"), ("e", 30, "p>S")])
    user = book("user", [("R", 60)])
    claims = Claims([one, two, user])
    assert exposure(claims, "user") == {"d": 60}
    assert claims.measure().net == 40 * USD


def test_a_vault_of_its_own_shares_alone_stays_what_it_is() -> None:
    circle = Claims([book("self", [("R", 50, "o>R")]), book("user", [("R", 7)])])
    assert exposure(circle, "user") == {"R": 7}
    assert circle.measure().net == 0


def test_a_lent_out_reserve_still_says_what_its_receipt_stands_for() -> None:
    bank = book("bank", [("d", 0, "b>R"), ("d", 90, "debt", "borrowed")])
    assert exposure(Claims([bank, book("farm", [("R", 60)])]), "farm") == {"d": 60}


def test_a_receipt_with_nothing_of_value_behind_it_stays_itself() -> None:
    dex = book("dex", [("d", None, "p>L"), ("e", None, "p>L")])
    assert exposure(Claims([dex, book("farm", [("L", 60)])]), "farm") == {"L": 60}


def test_a_share_of_something_untracked_is_net_but_not_redeemable() -> None:
    priced = quote("s", 1, block(100), route="rate > chainlink:ETH/USD")
    staked = book("bank", [("s", 100), ("d", 50)], {"s": priced})
    measured = Claims([staked]).measure()
    assert (measured.net, measured.redeemable) == (150 * USD, 50 * USD)


def test_one_balance_counted_by_two_deployments_is_named_and_counted_once() -> None:
    first = book("a-vault", [("d", 100, "v>R")])
    second = book("b-escrow", [("d", 90, "v")])
    claims = Claims([second, first])
    assert claims.measure().net == 100 * USD
    assert claims.measure(lambda one: one.protocol == "b-escrow").net == 0
    (shared,) = claims.shared()
    assert shared.deployments == ("a-vault@ethereum", "b-escrow@ethereum")
    assert shared.usd == 90 * USD


def test_a_balance_that_the_first_could_not_value_counts_for_the_second() -> None:
    claims = Claims([book("a", [("d", None, "v")]), book("b", [("d", 90, "v")])])
    assert claims.measure().net == 90 * USD
    assert claims.measure().left_out == 1


def test_the_same_address_on_another_chain_is_another_token() -> None:
    claims = Claims([book("bank", [("d", 100, "b>R")]), book("farm", [("R", 60)], chain="base")])
    assert claims.measure().net == 160 * USD
    assert claims.shared() == []


def test_an_issuer_that_cannot_be_valued_still_makes_its_receipt_a_claim() -> None:
    claims = Claims([book("bank", [("d", None, "b>R")]), book("farm", [("R", 60)])])
    assert claims.measure().net == 0


@given(st.integers(0, 10**40), st.lists(st.integers(0, 10**30), min_size=1, max_size=9).filter(any))
def test_a_split_gives_back_its_sum(usd: int, weights: list[int]) -> None:
    parts = split(usd, weights)
    assert sum(parts) == usd
    assert all(part >= 0 for part in parts)
    assert all(
        abs(part * sum(weights) - usd * weight) <= len(weights) * sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


@st.composite
def books(draw: st.DrawFn) -> list[Book]:
    """Protocols that hold plain tokens and each other's receipts, in circles too, some without a value."""
    made = []
    for name in draw(st.lists(st.sampled_from(["p", "q", "r", "s"]), min_size=1, max_size=4, unique=True)):
        held: list[Held] = []
        for owner in draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)):
            receipt = draw(st.sampled_from(["", *RECEIPTS]))
            for token in draw(st.lists(st.sampled_from(TOKENS + RECEIPTS), max_size=4, unique=True)):
                amount = draw(st.one_of(st.none(), st.integers(0, 10**9)))
                bucket = draw(st.sampled_from(["base", "base", "base", "borrowed", "staking", "treasury"]))
                held.append((token, amount, f"{owner}>{receipt}", bucket))
        prices = {token: Fraction(draw(st.integers(1, 997)), 7) for token in TOKENS + RECEIPTS}
        made.append(book(name, held, prices, category=draw(st.sampled_from(["dex", "lending"]))))
    return made


@given(books())
def test_each_way_of_counting_is_within_the_one_before(made: list[Book]) -> None:
    claims = Claims(made)
    for protocol in [None, *(one.protocol for one in made)]:
        m = claims.measure(lambda one, p=protocol: p in (None, one.protocol))
        assert m.gross >= m.base >= m.base - m.inner >= m.net >= m.redeemable >= 0


@given(books())
def test_exposure_sums_to_what_was_looked_through(made: list[Book]) -> None:
    claims = Claims(made)
    for protocol in [None, *(one.protocol for one in made)]:
        m = claims.measure(lambda one, p=protocol: p in (None, one.protocol))
        assert sum(m.exposure.values()) == m.base - m.inner
    assert sum(claims.measure().exposure.values()) == claims.measure().net
    assert sum(claims.exposure(claims.entries).values()) == worth(claims.entries)


@given(books())
def test_net_of_protocols_adds_up_to_net_of_all(made: list[Book]) -> None:
    claims = Claims(made)
    parts = [claims.measure(lambda one, p=protocol: one.protocol == p) for protocol in {one.protocol for one in made}]
    assert sum(part.net for part in parts) == claims.measure().net
    assert sum(part.redeemable for part in parts) == claims.measure().redeemable


@given(books(), st.randoms())
def test_the_order_of_books_changes_nothing(made: list[Book], random: object) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Claims(shuffled).measure() == Claims(made).measure()
    assert Claims(shuffled).overlaps(lambda one: one.protocol) == Claims(made).overlaps(lambda one: one.protocol)


@given(books())
def test_no_layer_of_claims_is_more_than_the_holder_has(made: list[Book]) -> None:
    claims = Claims(made)
    layers: dict[tuple[str, int], int] = {}
    for row in claims.overlaps(lambda one: one.protocol):
        layers[row.holder, row.layer] = layers.get((row.holder, row.layer), 0) + row.usd
    for (holder, _), usd in layers.items():
        assert usd <= claims.measure(lambda one, h=holder: one.protocol == h).base


@pytest.mark.parametrize("depth", [200])
def test_a_long_chain_of_claims_is_followed_to_its_end(depth: int) -> None:
    chain: list[Held] = [("d", 1000, "o0>R0")]
    chain += [(f"R{i}", 1000, f"o{i + 1}>R{i + 1}") for i in range(depth)]
    claims = Claims([book("tower", chain), book("user", [(f"R{depth}", 77)])])
    assert exposure(claims, "user") == {"d": 77}
