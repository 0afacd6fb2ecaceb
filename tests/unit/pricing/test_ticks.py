from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.pricing.ticks import MAX_TICK, Q96, sqrt_price_x96

# values published in the tests and the constants of https://github.com/Uniswap/v3-core/tree/v1.0.0
PUBLISHED = {
    -MAX_TICK: 4295128739,
    -MAX_TICK + 1: 4295343490,
    0: 2**96,
    MAX_TICK - 1: 1461373636630004318706518188784493106690254656249,
    MAX_TICK: 1461446703485210103287273052203988822378723970342,
}


@pytest.mark.parametrize("tick", PUBLISHED)
def test_a_tick_has_the_square_root_price_that_the_contract_gives(tick):
    assert sqrt_price_x96(tick) == PUBLISHED[tick]


@given(st.integers(-5_000, 5_000))
def test_a_square_root_price_squared_is_a_ten_thousandth_a_tick(tick):
    squared = Fraction(sqrt_price_x96(tick), Q96) ** 2
    assert abs(squared / Fraction(10_001, 10_000) ** tick - 1) < Fraction(1, 2**90)


@given(st.integers(-MAX_TICK, MAX_TICK - 1))
def test_a_higher_tick_has_a_higher_price(tick):
    assert sqrt_price_x96(tick) < sqrt_price_x96(tick + 1)


@pytest.mark.parametrize("tick", [MAX_TICK + 1, -MAX_TICK - 1, 2**55])
def test_a_tick_beyond_the_last_is_refused(tick):
    with pytest.raises(ValueError, match="beyond"):
        sqrt_price_x96(tick)
