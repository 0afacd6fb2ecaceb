"""The faults an oracle can show (F51 to F63), each through the whole router: what is held, flagged, followed."""

from dataclasses import replace
from fractions import Fraction

import pytest

from indexer.model import Grade, Quote, Status
from indexer.pricing.guards import GuardSettings
from indexer.reads.plan import Failed
from indexer.testing import Contracts, drive
from tests.unit.pricing.price_worlds import (
    AT,
    DAI,
    DAI_USD,
    ETH,
    ETH_USD,
    NOW,
    PAIR,
    SEQUENCER,
    UNIT,
    USDC,
    USDC_USD,
    VAULT,
    addr,
    chainlink,
    erc20,
    feed,
    pair,
    price,
    router,
    usd,
    vault,
)

ONE_FEED = {ETH: [chainlink(ETH_USD, heartbeat_s=3600, decimals=8)]}
PYTH, POOL = addr(20), addr(21)
PYTH_ROUTE = {"kind": "pyth", "contract": PYTH, "feed_id": "0x" + "ab" * 32, "heartbeat_s": 60}
TWAP_ROUTE = {"kind": "uniswap_v3_twap", "pool": POOL, "in": USDC, "window_s": 1800, "min_depth": "100000"}


def eth(answer: int = 2_000_00000000, guards: GuardSettings | None = None, **more) -> Quote:
    return price(ONE_FEED, {ETH_USD: feed(answer, **more)}, ETH, guards)


def held(quote: Quote, guard: str) -> bool:
    return quote.status is Status.HELD and quote.price is None and f"{guard}: " in quote.reason


def test_f51_a_feed_is_good_until_heartbeat_and_grace_have_passed():
    assert eth(age_s=3600 + 600).status is Status.OK
    assert held(eth(age_s=3600 + 601), "stale")


def test_f51_a_routes_own_grace_goes_before_the_default():
    routes = {ETH: [chainlink(ETH_USD, grace_s=0)]}
    assert held(price(routes, {ETH_USD: feed(2_000_00000000, age_s=3601)}, ETH), "stale")


@pytest.mark.parametrize("answer", [0, -1, -(2**191)])
def test_f52_an_answer_of_zero_or_below_is_held_never_a_price(answer):
    assert held(eth(answer), "positive")


@pytest.mark.parametrize(("answer", "side"), [(10**7, "lower"), (10**7 - 1, "lower"), (10**12, "upper")])
def test_f52_an_answer_at_its_configured_bound_is_held(answer, side):
    routes = {ETH: [chainlink(ETH_USD, min="0.1", max="10000")]}
    quote = price(routes, {ETH_USD: feed(answer)}, ETH)
    assert held(quote, "bounds")
    assert f"its {side} bound" in quote.reason


@pytest.mark.parametrize(("answer", "ok"), [(10**7, False), (10**7 + 1, True), (10**12, False)])
def test_f52_an_answer_at_the_aggregators_own_bound_is_held(answer, ok):
    aggregator = addr(9)
    world = {
        ETH_USD: feed(answer, aggregator=aggregator),
        aggregator: {"minAnswer": 10**7, "maxAnswer": 10**12},
    }
    quote = price({ETH: [chainlink(ETH_USD, read_bounds=True)]}, world, ETH)
    assert quote.status is Status.OK if ok else held(quote, "bounds")


def test_f52_an_aggregator_without_bounds_has_none():
    world = {ETH_USD: feed(2_000_00000000, aggregator=addr(9)), addr(9): {}}
    assert usd(price({ETH: [chainlink(ETH_USD, read_bounds=True)]}, world, ETH)) == 2000


def test_f53_a_round_that_never_completed_is_held():
    quote = eth(age_s=NOW)
    assert held(quote, "timestamp")
    assert "updatedAt is 0" in quote.reason


def test_f53_an_update_after_the_block_is_held_beyond_a_clocks_error():
    assert eth(age_s=-60).status is Status.OK
    assert held(eth(age_s=-61), "timestamp")


def test_f54_a_new_phase_is_followed_when_all_else_is_the_same():
    world = {ETH_USD: {"latestRoundData": ((6 << 64) | 1, 2_100_00000000, NOW, NOW, (6 << 64) | 1), "decimals": 8}}
    quote = price(ONE_FEED, world, ETH)
    assert usd(quote) == 2100
    assert quote.steps[0].round >> 64 == 6


@pytest.mark.parametrize(
    ("phase", "own", "flag"),
    [
        (6, 1, "phase: the aggregator of phase 6 is new, this is its round 1"),
        (6, 24, "phase: the aggregator of phase 6 is new, this is its round 24"),
        (6, 25, None),
        (1, 1, None),  # the first one replaced nobody
        (0, 1, None),  # no proxy
    ],
)
def test_f54_the_first_rounds_behind_a_replaced_aggregator_are_flagged_and_followed(phase, own, flag):
    round_id = (phase << 64) | own
    world = {ETH_USD: {"latestRoundData": (round_id, 2_100_00000000, NOW, NOW, round_id), "decimals": 8}}
    quote = price(ONE_FEED, world, ETH)
    assert (usd(quote), quote.flags) == (2100, (flag,) if flag else ())


def test_f54_a_new_aggregator_with_other_decimals_is_held():
    round_id = (6 << 64) | 1
    world = {ETH_USD: {"latestRoundData": (round_id, 2_100 * UNIT, NOW, NOW, round_id), "decimals": 18}}
    assert held(price({ETH: [chainlink(ETH_USD, decimals=8)]}, world, ETH), "decimals")


def test_f54_a_proxy_that_now_prices_another_pair_is_held():
    routes = {ETH: [chainlink(ETH_USD, pair="ETH / USD")]}
    good = price(routes, {ETH_USD: feed(2_000_00000000, description="ETH / USD")}, ETH)
    assert (usd(good), good.route) == (2000, "chainlink:ETH/USD")
    bad = price(routes, {ETH_USD: feed(2_000_00000000, description="BTC / USD\x1b[31m")}, ETH)
    assert held(bad, "pair")
    assert "\x1b" not in bad.reason


def test_f55_decimals_other_than_configured_are_held():
    quote = eth(2_000 * UNIT, decimals=18)
    assert held(quote, "decimals")
    assert "18 decimals, 8 configured" in quote.reason


@pytest.mark.parametrize("decimals", [37, 78, 255])
def test_f55_decimals_no_price_can_have_are_held(decimals):
    quote = price({ETH: [chainlink(ETH_USD)]}, {ETH_USD: feed(1, decimals=decimals)}, ETH)
    assert quote.status is Status.HELD
    assert f"{decimals}" in quote.reason


def uptime(answer: int, since_s: int) -> dict:
    return {"latestRoundData": (1, answer, NOW - since_s, NOW - since_s, 1)}


@pytest.mark.parametrize(
    ("state", "ok"),
    [(uptime(0, 3601), True), (uptime(0, 3600), False), (uptime(1, 9999), False), (uptime(0, NOW), False)],
)
def test_f56_feeds_are_held_while_the_sequencer_is_down_and_in_its_grace(state, ok):
    world = {ETH_USD: feed(2_000_00000000), SEQUENCER: state}
    quote = price(ONE_FEED, world, ETH, sequencer=SEQUENCER)
    assert quote.status is Status.OK if ok else held(quote, "sequencer")


def test_f56_everything_that_stands_on_a_feed_is_held_with_it_and_the_uptime_feed_asked_once():
    routes = {DAI: [chainlink(DAI_USD)], VAULT: [{"kind": "erc4626"}], ETH: [chainlink(ETH_USD)]}
    world = {DAI_USD: feed(10**8), ETH_USD: feed(10**8), DAI: erc20(), VAULT: vault(DAI, UNIT, UNIT)}
    contracts = Contracts({**world, SEQUENCER: uptime(1, 10)})
    quotes = drive(router(routes, sequencer=SEQUENCER).plan(routes, AT), contracts)
    assert all("sequencer: the sequencer is down" in quote.reason for quote in quotes.values())
    assert sum(ask.target == SEQUENCER for ask in contracts.asked) == 1


def test_f56_an_uptime_feed_that_does_not_answer_holds_and_one_not_yet_there_flags():
    world = {ETH_USD: feed(2_000_00000000)}
    assert held(price(ONE_FEED, {**world, SEQUENCER: {}}, ETH, sequencer=SEQUENCER), "sequencer")
    before = price(ONE_FEED, world, ETH, sequencer=SEQUENCER)
    assert (before.status, before.flags) == (Status.OK, ("sequencer: no uptime feed at this block",))


def test_f57_two_sources_ten_times_apart_are_held_naming_both():
    routes = {ETH: [chainlink(ETH_USD), chainlink(DAI_USD)]}
    quote = price(routes, {ETH_USD: feed(2_000_00000000), DAI_USD: feed(20_000_00000000)}, ETH)
    assert held(quote, "divergence")
    assert f"900 % apart from chainlink:{DAI_USD} (20000 USD)" in quote.reason


def pool(tick: int = 200_000, liquidity: int = 10**20, window: int = 1800, cardinality: int = 100, **more) -> dict:
    """USDC (token0, 6 decimals) and ETH; the mean tick and the liquidity of the window."""
    counters = ((-5, -5 + tick * window), (7, (7 + (window << 128) // liquidity) % 2**160))
    return {"token0": USDC, "token1": ETH, "slot0": (1, 1, 0, cardinality), "observe": counters, **more}


def twap(state: dict, guards: GuardSettings | None = None, **route) -> Quote:
    routes = {ETH: [{**TWAP_ROUTE, **route}], USDC: [chainlink(USDC_USD, deviation_bps=0)]}
    world = {POOL: state, USDC: erc20(6), ETH: erc20(18), USDC_USD: feed(10**8)}
    return price(routes, world, ETH, guards)


def test_f58_a_pool_with_one_observation_is_held():
    assert twap(pool()).grade is Grade.C
    assert held(twap(pool(cardinality=1)), "window")


def test_f58_a_pool_too_young_for_the_window_is_held_with_its_own_word():
    quote = twap(pool(observe=Failed(Status.HELD, "execution reverted: OLD")))
    assert quote.status is Status.HELD
    assert "OLD" in quote.reason


def test_f58_a_pool_without_depth_is_held():
    assert held(twap(pool(liquidity=10**12)), "depth")


def pyth(price_raw: int, half_width: int, exponent: int = -8, age_s: int = 5) -> Quote:
    world = {PYTH: {"getPriceUnsafe": (price_raw, half_width, exponent, NOW - age_s)}}
    return price({ETH: [PYTH_ROUTE]}, world, ETH)


def test_f59_pyths_confidence_is_the_interval_and_past_two_percent_holds():
    quote = pyth(2_000_00000000, 40_00000000)
    assert (usd(quote), quote.low, quote.high) == (2000, 1960 * 10**36, 2040 * 10**36)
    assert held(pyth(2_000_00000000, 40_00000001), "confidence")


@pytest.mark.parametrize("exponent", [0, 2, 2**31 - 1, -37, -(2**31)])
def test_f59_an_exponent_no_price_has_is_held(exponent):
    quote = pyth(2_000, 0, exponent)
    assert quote.status is Status.HELD
    assert f"exponent {exponent}" in quote.reason


def test_f59_pyths_old_price_is_held_though_the_contract_gives_it():
    assert held(pyth(2_000_00000000, 0, age_s=60 + 601), "stale")


@pytest.mark.parametrize("reason", ["execution reverted", "execution reverted: No access"])
def test_f60_a_feed_that_reverts_or_refuses_to_be_read_is_held_with_its_reason(reason):
    quote = price(ONE_FEED, {ETH_USD: {"latestRoundData": Failed(Status.HELD, reason), "decimals": 8}}, ETH)
    assert (quote.status, quote.price) == (Status.HELD, None)
    assert quote.reason == f"chainlink:{ETH_USD}: {reason}"


GROWTH = {"growth_rate": "1.06", "growth_since": "2023-11-01T00:00:00Z", "growth_yearly_bps": 1000}


def share(rate_bps: int, **route) -> Quote:
    routes = {DAI: [chainlink(DAI_USD)], VAULT: [{"kind": "erc4626", **route}]}
    world = {DAI_USD: feed(10**8), DAI: erc20(), VAULT: vault(DAI, rate_bps * 100 * UNIT, 1_000_000 * UNIT)}
    return price(routes, world, VAULT)


def test_f61_a_vault_rate_sixty_percent_above_what_it_can_have_earned_is_held():
    assert usd(share(10_600, **GROWTH)) == Fraction(106, 100)
    assert held(share(17_000, **GROWTH), "growth")


def test_f61_a_vault_rate_a_little_above_its_declared_growth_is_flagged_and_followed():
    quote = share(10_900, **GROWTH)
    assert usd(quote) == Fraction(109, 100)
    assert quote.flags[0].startswith("growth: rate 1.09 is 2.")


def test_f61_a_loss_of_a_vault_is_followed():
    assert usd(share(4_000, **GROWTH)) == Fraction(4, 10)


def test_f62_reserves_skewed_a_hundredfold_along_the_curve_move_the_fair_price_less_than_a_percent():
    routes = {USDC: [chainlink(USDC_USD)], ETH: [chainlink(ETH_USD)], PAIR: [{"kind": "uniswap_v2_lp"}]}
    world = {USDC_USD: feed(10**8), ETH_USD: feed(2_000_00000000), USDC: erc20(6), ETH: erc20()}
    fair = pair(USDC, ETH, 2_000_000 * 10**6, 1_000 * UNIT, 44 * 10**15)
    skewed = pair(USDC, ETH, 200_000_000 * 10**6, 10 * UNIT, 44 * 10**15)
    before, after = (usd(price(routes, {**world, PAIR: p}, PAIR)) for p in (fair, skewed))
    assert abs(after / before - 1) < Fraction(1, 100)


def test_f63_a_depeg_from_par_to_87_cents_is_followed_step_by_step():
    routes = {USDC: [chainlink(USDC_USD, heartbeat_s=86_400), {"kind": "fixed", "price": "1"}]}
    for cents in (100, 99, 97, 94, 90, 88, 87, 91, 96, 100):
        quote = price(routes, {USDC_USD: feed(cents * 10**6)}, USDC)
        assert (usd(quote), quote.grade, quote.flags) == (Fraction(cents, 100), Grade.A, ())


@pytest.mark.parametrize("guard", ["stale", "positive", "decimals", "timestamp", "bounds"])
def test_an_observed_guard_flags_what_it_would_have_held(guard):
    fault = {
        "stale": {"age_s": 9_999},
        "positive": {"answer": -5},
        "decimals": {"decimals": 9},
        "timestamp": {"age_s": -1000},
        "bounds": {"answer": 10**7},
    }[guard]
    routes = {ETH: [chainlink(ETH_USD, decimals=8, min="0.1")]}
    world = {ETH_USD: feed(**{"answer": 2_000_00000000, **fault})}
    observing = GuardSettings(observe=frozenset({guard, "bounds"}))
    assert held(price(routes, world, ETH), guard)
    quote = price(routes, world, ETH, observing)
    if guard == "positive":  # there is no price to let pass
        assert quote.status is Status.HELD
    else:
        assert (quote.status, quote.flags[0].split(":")[0]) == (Status.OK, guard)


def test_a_held_price_does_not_depend_on_what_was_quoted_before():
    shared = router(ONE_FEED)
    stale, fresh = feed(2_000_00000000, age_s=9_999), feed(2_000_00000000)
    first = drive(shared.plan([ETH], AT), Contracts({ETH_USD: fresh}))
    drive(shared.plan([ETH], replace(AT, number=AT.number + 1)), Contracts({ETH_USD: stale}))
    assert drive(shared.plan([ETH], AT), Contracts({ETH_USD: fresh})) == first
