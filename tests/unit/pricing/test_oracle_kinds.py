"""What is particular to one kind of oracle."""

from fractions import Fraction

import pytest

from indexer.model import NATIVE, Grade, Quote, Status
from indexer.reads.plan import Failed
from tests.unit.pricing.price_worlds import (
    DAI,
    DAI_USD,
    ETH,
    ETH_USD,
    PAIR,
    STETH,
    STETH_ETH,
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
    usd,
    vault,
    word,
)

POOL = addr(50)
FEEDS = {ETH: [chainlink(ETH_USD)], USDC: [chainlink(USDC_USD)], DAI: [chainlink(DAI_USD)]}
WORLD = {
    ETH_USD: feed(2_000_00000000),
    USDC_USD: feed(99_000_000),
    DAI_USD: feed(10**8),
    ETH: erc20(),
    USDC: erc20(6),
    DAI: erc20(),
}


def quote(token, route: dict, world: dict) -> Quote:
    return price({**FEEDS, token: [route]}, {**WORLD, **world}, token)


def test_prices_and_lows_are_rounded_down_and_highs_up():
    third = {"kind": "rate", "call": "rate()(uint256)", "decimals": 37, "in": "USD"}
    found = quote(POOL, third, {POOL: {"rate": 15}})  # 1.5 units of the price's last decimal, give or take a tenth
    assert (found.low, found.price, found.high) == (1, 1, 2)


def test_a_source_that_ends_in_a_par_bears_no_witness():
    par = addr(60)
    routes = {
        par: [{"kind": "fixed", "price": "1"}],
        ETH: [chainlink(ETH_USD), chainlink(STETH_ETH, **{"in": par})],
    }
    found = price(routes, {**WORLD, STETH_ETH: feed(UNIT, decimals=18)}, ETH)
    assert (usd(found), found.flags, found.grade) == (2000, (), Grade.A)


def observed(tick_before: int, tick_after: int, spent: int = 0) -> Quote:
    counters = ((tick_before, tick_after), (spent, (spent + (1800 << 128) // 10**24) % 2**160))
    state = {"token0": STETH, "token1": ETH, "slot0": (1, 0, 0, 9), "observe": counters}
    route = {"kind": "uniswap_v3_twap", "pool": POOL, "in": ETH, "min_depth": "1"}
    return quote(STETH, route, {POOL: state, STETH: erc20()})


def test_a_mean_price_is_right_when_the_pools_counters_wrap_around():
    plain = observed(0, 1800 * 100)
    wrapped = observed(2**55 - 900 * 100, -(2**55) + 900 * 100, spent=2**160 - 5)
    assert plain.price == wrapped.price
    assert usd(plain) / 2000 == pytest.approx(Fraction(10_001, 10_000) ** 100)


def test_a_mean_tick_is_rounded_down_below_zero_too():
    assert observed(0, -1).price == observed(0, -1800).price


def test_a_pool_of_other_tokens_is_held():
    state = {"token0": DAI, "token1": ETH, "slot0": (1, 0, 0, 9), "observe": ((0, 0), (0, 1))}
    route = {"kind": "uniswap_v3_twap", "pool": POOL, "in": ETH, "min_depth": "1"}
    assert "the pool holds" in quote(STETH, route, {POOL: state, STETH: erc20()}).reason


def test_f50_a_vault_that_now_holds_another_asset_is_held():
    declared = {"kind": "erc4626", "asset": DAI}
    assert quote(VAULT, declared, {VAULT: vault(DAI, 2 * UNIT, UNIT)}).status is Status.OK
    changed = quote(VAULT, declared, {VAULT: vault(USDC, 2 * UNIT, UNIT)})
    assert changed.reason == f"erc4626: asset() is {USDC}, configured is {DAI}"


def test_a_vault_whose_shares_convert_at_two_rates_is_held():
    uneven = vault(DAI, 2 * UNIT, 2 * UNIT) | {"convertToAssets": UNIT}
    assert (
        "agreement: one share is worth 1, of all shares each 0.5"
        in quote(VAULT, {"kind": "erc4626"}, {VAULT: uneven}).reason
    )


def curve(**more) -> dict:
    return {"get_virtual_price": 11 * UNIT // 10, "totalSupply": 9 * UNIT, **more}


def test_a_curve_share_is_worth_its_worst_coin():
    state = curve(coins=lambda call: (USDC, DAI)[word(call)])
    found = quote(POOL, {"kind": "curve_lp", "pool": POOL, "coins": 2}, {POOL: state})
    assert usd(found) == Fraction(11, 10) * Fraction(99, 100)


def test_a_curve_pool_of_the_first_generation_is_asked_for_its_coins_in_its_own_way():
    def coins(call):
        old = call.function.inputs == ("int128",)
        return (DAI, USDC)[word(call)] if old else Failed(Status.HELD, "execution reverted")

    found = quote(POOL, {"kind": "curve_lp", "pool": POOL, "coins": 2}, {POOL: curve(coins=coins)})
    assert usd(found) == Fraction(11, 10) * Fraction(99, 100)


def test_ether_in_a_curve_pool_is_the_chains_own_coin():
    state = curve(coins=lambda call: ("0x" + "ee" * 20, STETH)[word(call)])
    routes = {
        NATIVE: [chainlink(ETH_USD)],
        STETH: [chainlink(ETH_USD)],
        POOL: [{"kind": "curve_lp", "pool": POOL, "coins": 2}],
    }
    assert usd(price(routes, {**WORLD, POOL: state}, POOL)) == 2200


@pytest.mark.parametrize(("unit", "ok"), [(10**8, True), (10**18, False), (Failed(Status.HELD, "reverted"), True)])
def test_a_markets_prices_in_another_unit_are_held(unit, ok):
    state = {"getAssetPrice": 2_000_00000000, "BASE_CURRENCY_UNIT": unit}
    found = quote(STETH, {"kind": "aave_oracle", "oracle": POOL}, {POOL: state})
    assert (found.status is Status.OK) is ok
    assert ok == any(flag.startswith("age: not known") for flag in found.flags)


@pytest.mark.parametrize("stable", [True, False])
def test_a_solidly_pool_is_valued_by_the_curve_it_keeps(stable):
    state = pair(DAI, ETH, 8_000 * UNIT, UNIT, UNIT) | {"stable": stable, "getReserves": (8_000 * UNIT, UNIT)}
    found = quote(PAIR, {"kind": "solidly_lp"}, {PAIR: state})
    volatile = 2 * Fraction(8_000 * 2_000) ** Fraction(1, 2)
    assert (float(usd(found)) == pytest.approx(float(volatile))) is not stable


@pytest.mark.parametrize("weights", [(3334, 6666), (5000, 4000), (10_000, 0), (2**256 - 1, 1)])
def test_a_weighted_pool_of_unusual_weights_is_held(weights):
    state = {"getPoolId": bytes(32), "getVault": POOL, "getNormalizedWeights": tuple(w * 10**14 for w in weights)}
    world = {PAIR: state | {"totalSupply": UNIT}, POOL: {"getPoolTokens": ((DAI, ETH), (UNIT, UNIT), 0)}}
    assert "weights that are no fractions" in quote(PAIR, {"kind": "balancer_weighted"}, world).reason


def test_a_first_weighted_pool_without_an_actual_supply_is_divided_by_its_total_one():
    state = {"getPoolId": bytes(32), "getVault": POOL, "getNormalizedWeights": (UNIT // 2, UNIT // 2)}
    world = {PAIR: state | {"totalSupply": 4 * UNIT}, POOL: {"getPoolTokens": ((DAI, ETH), (8_000 * UNIT, UNIT), 0)}}
    assert usd(quote(PAIR, {"kind": "balancer_weighted"}, world)) == 2000
