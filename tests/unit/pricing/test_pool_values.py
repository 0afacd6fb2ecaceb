"""Fair values of pool shares, against what the pools' own curves say."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.pricing.balancer_weighted import weighted_value
from indexer.pricing.solidly_lp import stable_value
from indexer.pricing.uniswap_v2_lp import fair_value

whole = st.integers(1, 10**12).map(Fraction)
prices = st.fractions(Fraction(1, 1000), 1000, max_denominator=10**6)
ONE = Fraction(1)
DUST = Fraction(1, 10**40)


def v2(x: Fraction, y: Fraction, px: Fraction, py: Fraction) -> Fraction:
    return fair_value(int(x * y), 0, 10**18)([px, py])


def stable(x: Fraction, y: Fraction, px: Fraction, py: Fraction) -> Fraction:
    return stable_value((x, y), ONE)([px, py])


def eighty_twenty(x: Fraction, y: Fraction, px: Fraction, py: Fraction) -> Fraction:
    return weighted_value([x, y], [Fraction(4, 5), Fraction(1, 5)], ONE)([px, py])


POOLS = pytest.mark.parametrize("value", [v2, stable, eighty_twenty])


@POOLS
@given(x=whole, y=whole, px=prices, py=prices)
def test_a_share_is_never_worth_more_than_what_the_pool_holds(value, x, y, px, py):
    assert value(x, y, px, py) <= (x * px + y * py) * (1 + DUST)


@POOLS
@given(held=st.tuples(whole, whole), px=prices, py=prices, factor=st.fractions(1, 100, max_denominator=1000))
def test_a_share_is_not_worth_less_when_a_price_rises(value, held, px, py, factor):
    assert value(*held, px, py) <= value(*held, px * factor, py) * (1 + DUST)


@POOLS
@given(held=st.tuples(whole, whole), px=prices, py=prices, factor=st.integers(1, 1000))
def test_prices_in_another_unit_give_the_same_value_in_that_unit(value, held, px, py, factor):
    assert abs(value(*held, px * factor, py * factor) / (value(*held, px, py) * factor) - 1) < Fraction(1, 10**30)


@given(x=whole, ratio=st.fractions(Fraction(1, 20), 20, max_denominator=10**6), py=prices)
@settings(deadline=None)
def test_a_stable_pool_at_its_own_price_is_worth_what_it_holds(x, ratio, py):
    y = x * ratio
    own_price = (3 * x**2 * y + y**3) / (x**3 + 3 * x * y**2)
    held = x * own_price * py + y * py
    assert abs(stable(x, y, own_price * py, py) / held - 1) < Fraction(1, 10**30)


@given(x=whole, y=whole, px=prices)
def test_an_eighty_twenty_pool_at_its_own_price_is_worth_what_it_holds(x, y, px):
    py = px * x / y / 4
    assert abs(eighty_twenty(x, y, px, py) / (x * px + y * py) - 1) < Fraction(1, 10**30)


def y_on_curve(x: Fraction, kept: Fraction) -> Fraction:
    """The other reserve of a stable pool, by bisection."""
    low, high = Fraction(0), Fraction(10**12)
    for _ in range(160):
        middle = Fraction(int((low + high) / 2 * 10**30), 10**30)
        low, high = (middle, high) if x**3 * middle + x * middle**3 < kept else (low, middle)
    return low


@given(skew=st.integers(2, 100), px=st.fractions(Fraction(9, 10), Fraction(11, 10), max_denominator=1000))
@settings(max_examples=30, deadline=None)
def test_trading_along_a_stable_curve_a_hundredfold_does_not_move_its_fair_value(skew, px):
    x = y = Fraction(1_000_000)
    kept = 2 * x**4
    skewed = x * skew
    before, after = stable(x, y, px, ONE), stable(skewed, y_on_curve(skewed, kept), px, ONE)
    assert abs(after / before - 1) < Fraction(1, 10**9)


def test_a_pool_of_three_is_valued_by_its_weights():
    value = weighted_value(
        [Fraction(50), Fraction(300), Fraction(20)], [Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)], ONE
    )
    assert value([Fraction(10), ONE, Fraction(10)]) == 1000


@given(skew=st.integers(1, 100), px=prices, py=prices)
@settings(deadline=None)
def test_trading_a_weighted_pool_a_hundredfold_does_not_move_its_fair_value(skew, px, py):
    x, y = Fraction(10**6), Fraction(10**6)
    before, after = eighty_twenty(x, y, px, py), eighty_twenty(x / skew, y * skew**4, px, py)  # x**0.8 * y**0.2 is kept
    assert abs(after / before - 1) < Fraction(1, 10**30)
