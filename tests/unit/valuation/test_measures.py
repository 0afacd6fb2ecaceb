"""The measures of funds, each by an example worked out by hand."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Bucket
from indexer.valuation.measures import (
    Movement,
    Revalued,
    at_prices,
    concentration,
    drawdown,
    flow_adjusted_shares,
    movements,
    organic_growth,
    share_of,
    shares,
    time_weighted,
)
from indexer.valuation.parts import Parts
from indexer.valuation.rollup import DAY_S, Level
from tests.unit.valuation.histories import DOLLAR, GOLD, ONE, SILVER, USD, place, quote, snapshot, suspect

NOW = 20_000 * DAY_S


def test_organic_growth_is_net_flow_over_the_opening_value() -> None:
    assert organic_growth(Parts(flow=-5 * USD, price=80 * USD), 100 * USD) == Fraction(-1, 20)
    assert organic_growth(Parts(flow=5), 0) is None


def test_the_mean_over_time_weighs_values_by_how_long_they_held() -> None:
    levels = [Level(NOW, 100), Level(NOW + 30, 400)]
    assert time_weighted(levels, NOW, NOW + 40) == (100 * 30 + 400 * 10) // 40
    assert time_weighted(levels, NOW - 50, NOW - 10) is None


def test_changes_over_the_usual_periods_or_none_where_the_series_does_not_reach_back() -> None:
    levels = [Level(NOW - 7 * DAY_S, 100), Level(NOW - DAY_S, 80), Level(NOW, 120)]
    assert movements(levels, NOW) == {
        "1d": Movement(40, Fraction(1, 2)),
        "7d": Movement(20, Fraction(1, 5)),
        "30d": None,
        "1y": None,
    }


def test_drawdown_is_measured_from_the_peak_and_a_failed_price_is_no_fall() -> None:
    values = [50, 200, 120, 160]
    found = drawdown([*(Level(NOW + i, usd) for i, usd in enumerate(values)), Level(NOW + 9, 1, is_held=True)])
    assert found is not None
    assert (found.peak, found.peak_at) == (200, NOW + 1)
    assert (found.now, found.deepest) == (Fraction(1, 5), Fraction(2, 5))
    assert drawdown([Level(NOW, None)]) is None


def test_price_constant_value_has_todays_amounts_at_the_prices_of_a_base_date() -> None:
    today = snapshot(9, {place(GOLD): 3 * ONE[GOLD], place(SILVER): 4 * ONE[SILVER]}, {GOLD: 99 * DOLLAR, SILVER: 1})
    assert at_prices(today, {GOLD: quote(GOLD, 10 * DOLLAR)}) == Revalued(30 * USD, 1)
    assert at_prices(today, {}, Bucket.BORROWED) == Revalued(0, 0)


def test_shares_add_up_to_one() -> None:
    assert shares({"a": 1, "b": 3}) == {"a": Fraction(1, 4), "b": Fraction(3, 4)}
    assert shares({"a": 0}) == {}


def test_a_flow_adjusted_share_leaves_prices_out() -> None:
    """b's price doubled, but 100 went from b to a."""
    assert flow_adjusted_shares({"a": 300, "b": 100}, {"a": 100, "b": -100}) == {"a": 1, "b": 0}
    assert flow_adjusted_shares({"a": 300, "b": 100}, {"b": -150}) == {"a": 1, "b": 0}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**40), min_size=1, max_size=20))
def test_concentration_lies_between_equal_shares_and_one_alone(values: dict[str, int]) -> None:
    parts = shares(values)
    if parts:
        assert sum(parts.values()) == 1
        assert Fraction(1, len(parts)) <= concentration(parts.values()) <= 1


def test_a_share_of_tokens_is_of_what_the_totals_count() -> None:
    held = {place(GOLD): ONE[GOLD], place(SILVER): 3 * ONE[SILVER], place(SILVER, Bucket.OWN): 9 * ONE[SILVER]}
    one = snapshot(1, held, {GOLD: DOLLAR, SILVER: DOLLAR})
    assert share_of(one.lines, {SILVER}) == Fraction(3, 4)
    assert share_of(suspect(one, SILVER).lines, {SILVER}) == 0
    assert share_of((), {SILVER}) is None
