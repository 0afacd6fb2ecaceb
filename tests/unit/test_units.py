"""The only arithmetic of the house rounds once, downwards, and never meets a float."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from indexer.units import PRICE_DECIMALS, UINT256_MAX, USD_DECIMALS, decimal_text, from_price, to_price, usd_text

WIDE = st.integers(-UINT256_MAX, UINT256_MAX)


@given(st.fractions(min_value=0, max_value=10**12))
def test_a_price_loses_less_than_one_unit_of_its_scale(price: Fraction) -> None:
    assert 0 <= price - from_price(to_price(price)) < Fraction(1, 10**PRICE_DECIMALS)


@given(WIDE, st.integers(0, 77))
def test_decimal_text_is_the_number_and_nothing_but_the_number(raw: int, decimals: int) -> None:
    text = decimal_text(raw, decimals)
    with localcontext(prec=200):
        assert Decimal(text) == Decimal(raw).scaleb(-decimals)
    assert "e" not in text.lower()


def test_usd_is_shown_rounded_half_up_with_thousands() -> None:
    one = 10**USD_DECIMALS
    assert usd_text(1_234_567 * one + 891 * one // 1000) == "$1,234,567.89"
    assert usd_text(one // 200) == "$0.01"
    assert usd_text(-5 * one) == "-$5.00"
    assert usd_text(-1) == "$0.00"
    assert usd_text(1_999_999 * one, places=0) == "$1,999,999"
