"""Holdings are valued exactly, and what cannot be had is told, never counted as nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Address, Bucket, Grade, Holding, Line, Quote, Status, Token
from indexer.units import PRICE_DECIMALS, UINT256_MAX, USD_DECIMALS
from indexer.valuation.value import Summed, Valued, judge, totals, totals_again, value, value_again

TOKEN = Address("0x" + "aa" * 20)
VAULT = Address("0x" + "bb" * 20)
AMOUNTS = st.integers(0, UINT256_MAX)
PRICES = st.integers(0, 10**60)


def quote(price: int | None, **changes: object) -> Quote:
    fields: dict[str, object] = {"grade": Grade.A, "route": "chainlink:X/USD", "low": price, "high": price}
    return Quote(TOKEN, price, **(fields | changes))  # type: ignore[arg-type]


def valued(holding: Holding, with_quote: Quote | None, decimals: int | None = 18):  # type: ignore[no-untyped-def]
    quotes = {TOKEN: with_quote} if with_quote else {}
    return value([holding], quotes, {TOKEN: Token(TOKEN, "X", decimals)})


@given(AMOUNTS, PRICES, st.integers(0, 36))
def test_a_line_is_the_exact_product_rounded_down_once(amount: int, price: int, decimals: int) -> None:
    (line,) = valued(Holding(TOKEN, amount, VAULT), quote(price), decimals)
    exact = Fraction(amount, 10**decimals) * Fraction(price, 10**PRICE_DECIMALS)
    assert line.usd == floor(exact * 10**USD_DECIMALS)
    assert line.status is Status.OK


@given(st.lists(st.tuples(AMOUNTS, st.sampled_from(list(Bucket))), max_size=20), PRICES)
def test_totals_are_the_sums_of_their_lines(parts: list[tuple[int, Bucket]], price: int) -> None:
    lines = value(
        [Holding(TOKEN, amount, VAULT, bucket) for amount, bucket in parts],
        {TOKEN: quote(price)},
        {TOKEN: Token(TOKEN, "X", 6)},
    )
    summed = totals(lines)
    assert sum(total.usd for total in summed.values()) == sum(line.usd or 0 for line in lines)
    assert sum(total.lines for total in summed.values()) == len(parts)
    assert all(total.low <= total.usd <= total.high for total in summed.values())


def test_a_token_without_a_route_is_left_out_and_counted_but_holds_nothing_back() -> None:
    lines = valued(Holding(TOKEN, 5, VAULT), None)
    assert lines[0].status is Status.UNPRICED
    assert lines[0].usd is None
    assert totals(lines)[Bucket.BASE].left_out == 1
    assert judge(lines) == (Status.OK, "")


def test_a_held_price_holds_the_line_and_the_snapshot_with_its_reason() -> None:
    lines = valued(Holding(TOKEN, 5, VAULT), quote(None, status=Status.HELD, reason="stale for 7200 s"))
    assert lines[0].status is Status.HELD
    status, reason = judge(lines)
    assert status is Status.HELD
    assert reason == "1 of 1 holdings have no value: stale for 7200 s"


def test_a_token_without_decimals_is_held() -> None:
    lines = valued(Holding(TOKEN, 5, VAULT), quote(10**36), decimals=None)
    assert lines[0].status is Status.HELD
    assert "decimals" in lines[0].reason


def test_a_balance_that_could_not_be_read_is_never_zero() -> None:
    lines = valued(Holding(TOKEN, None, VAULT, status=Status.MISSING, reason="no code at the token"), quote(10**36))
    assert lines[0].usd is None
    assert totals(lines)[Bucket.BASE].usd == 0
    assert totals(lines)[Bucket.BASE].left_out == 1
    assert judge(lines)[0] is Status.HELD


def test_a_protocol_of_which_nothing_is_deployed_yet_is_not_applicable() -> None:
    lines = valued(Holding(TOKEN, None, VAULT, status=Status.NOT_APPLICABLE, reason="before its block"), None)
    assert judge(lines)[0] is Status.NOT_APPLICABLE
    assert judge([]) == (Status.OK, "")


def test_a_token_that_answers_to_nobody_and_has_no_route_holds_no_snapshot_back() -> None:
    lines = valued(Holding(TOKEN, None, VAULT, status=Status.HELD, reason="reverted"), None)
    assert (lines[0].usd, lines[0].status) == (None, Status.UNPRICED)
    assert "reverted" in lines[0].reason
    assert judge(lines) == (Status.OK, "")
    assert totals(lines)[Bucket.BASE].left_out == 1


def test_a_contract_whose_token_cannot_be_had_holds_its_snapshot_though_no_route_is_known() -> None:
    lines = valued(Holding(TOKEN, None, TOKEN, status=Status.HELD, reason="reverted"), None)
    assert judge(lines)[0] is Status.HELD


POOL = [
    Holding(TOKEN, 7, VAULT),
    Holding(VAULT, 9, VAULT),
    Holding(TOKEN, None, VAULT, status=Status.HELD, reason="x"),
    Holding(TOKEN, 7, VAULT),
]


@given(st.lists(st.tuples(st.lists(st.sampled_from(POOL)), st.none() | st.integers(0, 3), st.sampled_from([6, None]))))
def test_lines_made_before_are_taken_only_where_they_would_come_out_the_same(
    blocks: list[tuple[list[Holding], int | None, int | None]],
) -> None:
    before = Valued()
    for holdings, price, decimals in blocks:
        quotes = {} if price is None else {TOKEN: quote(price)}
        tokens = {TOKEN: Token(TOKEN, "X", decimals)}
        before = value_again(before, holdings, quotes, tokens)
        assert before.lines == value(holdings, quotes, tokens)


def test_an_untouched_holding_at_the_same_price_keeps_its_line() -> None:
    quotes, tokens = {TOKEN: quote(10**36)}, {TOKEN: Token(TOKEN, "X", 18)}
    first = value_again(Valued(), POOL[:2], quotes, tokens)
    again = value_again(first, POOL[:2], quotes, tokens)
    assert all(one is other for one, other in zip(first.lines, again.lines, strict=True))


BUCKETS = [replace(one, bucket=bucket) for one in POOL for bucket in (Bucket.BASE, Bucket.BORROWED)]
LINES = value(BUCKETS, {TOKEN: quote(10**36 // 3)}, {TOKEN: Token(TOKEN, "X", 0)})


@given(st.lists(st.lists(st.sampled_from(LINES), min_size=3, max_size=4)))
def test_totals_made_of_earlier_ones_are_those_of_the_lines(blocks: list[list[Line]]) -> None:
    before = Summed()
    for lines in blocks:
        before = totals_again(before, tuple(lines))
        assert before.totals == totals(lines)
        assert list(before.totals) == sorted(before.totals)
