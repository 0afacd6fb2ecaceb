"""Laws that hold for every number, tried with many."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.pricing import guards
from indexer.pricing.guards import Check, GuardSettings
from indexer.pricing.numbers import root_down
from indexer.testing import Contracts, drive
from indexer.units import from_price, to_price
from tests.unit.pricing.price_worlds import (
    AT,
    DAI,
    DAI_USD,
    ETH,
    ETH_USD,
    NOW,
    PAIR,
    UNIT,
    USDC,
    USDC_USD,
    addr,
    chainlink,
    erc20,
    feed,
    pair,
    price,
    router,
    usd,
)

answers = st.integers(1, 10**14)
ages = st.integers(0, 10**6)
rates = st.fractions(min_value=Fraction(1, 10**18), max_value=10**6, max_denominator=10**18)
bps = st.integers(0, 9_999)


@given(eth=answers, one=answers, two=answers, three=answers)
def test_a_chain_of_rates_is_worth_its_product_however_it_is_cut(eth, one, two, three):
    a, b, c, whole = (addr(n) for n in range(30, 34))
    world = {ETH_USD: feed(eth), **{t: {"rate": r} for t, r in ((a, one), (b, two), (c, three))}}
    world[whole] = {"rate": one * two * three}

    def rate(decimals, of):
        return [{"kind": "rate", "call": "rate()(uint256)", "decimals": decimals, "in": of}]

    routes = {ETH: [chainlink(ETH_USD)], a: rate(8, ETH), b: rate(8, a), c: rate(8, b), whole: rate(24, ETH)}
    step_by_step, at_once = price(routes, world, c), price(routes, world, whole)
    assert step_by_step.price == at_once.price == to_price(Fraction(eth * one * two * three, 10**32))


@given(values=st.lists(rates, min_size=3, max_size=6))
def test_rounding_once_at_the_end_loses_less_than_rounding_every_step(values):
    exact = Fraction(1)
    for value in values:
        exact *= value
    assert 0 <= exact - from_price(to_price(exact)) < Fraction(1, 10**36)


@given(eth=answers, deviations=st.tuples(bps, bps), rate=st.integers(1, 10**24))
def test_the_interval_always_holds_the_price(eth, deviations, rate):
    routes = {
        ETH: [chainlink(ETH_USD, deviation_bps=deviations[0])],
        DAI: [chainlink(DAI_USD, deviation_bps=deviations[1], **{"in": ETH})],
    }
    quote = price(routes, {ETH_USD: feed(eth), DAI_USD: feed(rate, decimals=18)}, DAI)
    assert 0 <= quote.low <= quote.price <= quote.high


@given(
    reserves=st.tuples(st.integers(10**9, 10**30), st.integers(10**9, 10**30)),
    prices=st.tuples(answers, answers),
    skew=st.integers(1, 100),
    supply=st.integers(10**9, 10**30),
)
@settings(max_examples=200)
def test_trading_along_the_curve_never_moves_a_pairs_fair_price_by_a_percent(reserves, prices, skew, supply):
    routes = {USDC: [chainlink(USDC_USD)], ETH: [chainlink(ETH_USD)], PAIR: [{"kind": "uniswap_v2_lp"}]}
    world = {USDC_USD: feed(prices[0]), ETH_USD: feed(prices[1]), USDC: erc20(6), ETH: erc20()}
    bought, sold = reserves[0] * skew, -(-reserves[1] // skew)  # the pool keeps the odd unit
    before, after = (
        usd(price(routes, {**world, PAIR: pair(USDC, ETH, r0, r1, supply)}, PAIR))
        for r0, r1 in (reserves, (bought, sold))
    )
    assert abs(after / before - 1) < Fraction(1, 100)


@given(value=st.fractions(min_value=0, max_value=10**30, max_denominator=10**40), degree=st.integers(2, 30))
def test_a_root_is_the_largest_number_of_its_scale_whose_power_fits(value, degree):
    root = root_down(value, degree)
    assert root**degree <= value < (root + Fraction(1, 10**54)) ** degree


def verdict(check: Check, limits: GuardSettings | None = None, at=AT) -> int:
    """0 fine, 1 flagged, 2 held."""
    finding = check.judge(at, limits or GuardSettings())
    return 0 if finding is None else 2 if finding.hold else 1


@given(age=ages, more=ages, heartbeat=st.integers(1, 10**5))
def test_the_staler_is_never_trusted_more(age, more, heartbeat):
    younger, older = (guards.Fresh(NOW - a, heartbeat) for a in (age, age + more))
    assert verdict(younger) <= verdict(older)


@given(ahead=st.integers(-(10**6), 10**6), more=ages)
def test_the_further_ahead_of_the_block_is_never_trusted_more(ahead, more):
    assert verdict(guards.Timestamped(NOW + ahead)) <= verdict(guards.Timestamped(NOW + ahead + more))


@given(up_s=ages, more=ages)
def test_the_longer_a_sequencer_is_up_the_more_it_is_trusted(up_s, more):
    check = guards.SequencerUp(0, NOW - up_s)
    assert verdict(check) >= verdict(check, at=replace(AT, timestamp=NOW + more))


@given(one=rates, other=rates, factor=st.fractions(1, 100))
def test_sources_further_apart_are_never_trusted_more(one, other, factor):
    near, far = max(one, other), max(one, other) * factor
    low = min(one, other)
    assert verdict(guards.Diverging(low, (near,), ("x",))) <= verdict(guards.Diverging(low, (far,), ("x",)))


@given(rate=rates, factor=st.fractions(1, 100), yearly=st.integers(1, 10_000))
def test_a_rate_further_above_its_growth_is_never_trusted_more(rate, factor, yearly):
    def grown(value: Fraction) -> int:
        return verdict(guards.Growing(value, Fraction(1), NOW - guards.YEAR_S, yearly))

    assert grown(rate) <= grown(rate * factor)


@given(width=st.integers(0, 10**12), more=st.integers(0, 10**12), quote=answers)
def test_a_wider_confidence_is_never_trusted_more(width, more, quote):
    assert verdict(guards.Confident(width, quote)) <= verdict(guards.Confident(width + more, quote))


@given(supply=st.integers(0, 10**24), more=st.integers(0, 10**24))
def test_a_smaller_supply_is_never_trusted_more(supply, more):
    assert verdict(guards.Supplied(supply, 18)) >= verdict(guards.Supplied(supply + more, 18))


@given(depth=rates, more=rates, least=rates)
def test_a_shallower_pool_is_never_trusted_more(depth, more, least):
    assert verdict(guards.Deep(depth, least)) >= verdict(guards.Deep(depth + more, least))


@given(grace=st.integers(0, 10**6), more=ages, age=ages)
def test_a_longer_grace_never_holds_more(grace, more, age):
    check = guards.Fresh(NOW - age, 60)
    assert verdict(check, GuardSettings(grace_s=grace)) >= verdict(check, GuardSettings(grace_s=grace + more))


@pytest.mark.parametrize("answer", [1, UNIT, 2**255 - 1])
def test_a_price_no_scale_can_hold_is_held(answer):
    quote = price({ETH: [chainlink(ETH_USD)]}, {ETH_USD: feed(answer, decimals=0 if answer > UNIT else 18)}, ETH)
    assert (quote.price is None) == (answer > UNIT)


EVERY_ROUTE = {
    ETH: [chainlink(ETH_USD), chainlink(addr(40))],
    DAI: [chainlink(DAI_USD, **{"in": ETH})],
    USDC: [chainlink(USDC_USD), {"kind": "fixed", "price": "1"}],
}
feeds = st.sampled_from([feed(answer, age_s) for answer in (2_000, 2_050, 9_000) for age_s in (60, 4_000)])
worlds = st.dictionaries(st.sampled_from([ETH_USD, DAI_USD, USDC_USD, addr(40)]), feeds)


@given(blocks=st.lists(st.tuples(worlds, st.sampled_from([0, 0, 3_000])), max_size=5))
def test_a_router_that_has_seen_other_blocks_prices_as_a_new_one(blocks):
    seasoned = router(EVERY_ROUTE)
    for world, later_s in blocks:
        at = replace(AT, timestamp=AT.timestamp + later_s)
        again = drive(seasoned.explain(EVERY_ROUTE, at), Contracts(world))
        assert again == drive(router(EVERY_ROUTE).explain(EVERY_ROUTE, at), Contracts(world))


def test_a_quote_made_of_the_same_answers_is_the_same_object_and_any_other_price_it_counts_in_makes_it_anew():
    routes = {token: ways[:1] for token, ways in EVERY_ROUTE.items()}
    seasoned, world = router(routes), {ETH_USD: feed(2_000), DAI_USD: feed(5), USDC_USD: feed(1)}
    first, same = (drive(seasoned.plan(routes, AT), Contracts(world)) for _ in range(2))
    moved = drive(seasoned.plan(routes, AT), Contracts({**world, ETH_USD: feed(2_001)}))
    assert all(first[token] is same[token] for token in routes)
    assert moved[USDC] is first[USDC]
    assert moved[DAI].price > first[DAI].price
