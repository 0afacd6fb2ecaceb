"""Quotes of real contracts on a local chain, against rational arithmetic done here from raw eth_calls."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isqrt

import pytest

from devnet import Addresses, Devnet, NotInstalledError, deploy_protocols
from devnet.protocols import chainlink, erc4626, uniswap_v2, uniswap_v3
from indexer.model import Address, BlockRef, Grade, Quote, Status
from indexer.pricing.router import Route, Router
from indexer.testing import drive
from tests.chain.pricing_support import ONE, floored, head, node

pytestmark = pytest.mark.anvil


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[Devnet, Addresses]]:
    try:
        net = Devnet.start()
    except NotInstalledError as error:
        pytest.skip(str(error))
    with net:
        yield net, deploy_protocols(net)


@pytest.fixture
def net(chain) -> Iterator[Devnet]:
    """The chain, put back as it was after the test."""
    snapshot = chain[0].snapshot()
    yield chain[0]
    chain[0].revert(snapshot)


@pytest.fixture
def on(chain) -> Addresses:
    return chain[1]


def feed(on: Addresses, pair: str, **more) -> dict:
    return {"kind": "chainlink", "feed": on.feeds[pair].proxy, "heartbeat_s": 3600, "deviation_bps": 50} | more


def quotes(net: Devnet, on: Addresses, routes: dict[str, list[dict]], at: BlockRef | None = None) -> dict[str, Quote]:
    symbols = {"WETH": "ETH/USD", "WBTC": "BTC/USD", "USDC": "USDC/USD", "USDT": "USDT/USD", "DAI": "DAI/USD"}
    feeds = {on.token(symbol): [feed(on, pair)] for symbol, pair in symbols.items()}
    parsed = {Address(t): [Route.parse(way) for way in ways] for t, ways in (feeds | routes).items()}
    at = at or head(net)
    return drive(Router(parsed).plan(parsed, at), node(net, at))


def answer_of(net: Devnet, on: Addresses, pair: str) -> Fraction:
    raw = net.call(on.feeds[pair].proxy, "latestRoundData()(uint80,int256,uint256,uint256,uint80)")[1]
    return Fraction(raw, 10**8)


def test_a_feed_behind_its_real_proxy_is_priced_with_its_round_and_age(net, on):
    chainlink.set_price(net, on.feeds["ETH/USD"], 1_987_65432100)
    net.mine()
    quote = quotes(net, on, {})[on.token("WETH")]
    round_id, *_, updated_at, _ = net.call(
        on.feeds["ETH/USD"].proxy, "latestRoundData()(uint80,int256,uint256,uint256,uint80)"
    )
    assert quote.price == floored(Fraction(1_987_65432100, 10**8))
    assert (quote.steps[0].round, quote.updated_at, quote.grade) == (round_id, updated_at, Grade.A)
    assert round_id >> 64 == 1
    assert quote.age_s(head(net)) == 0


def test_a_new_aggregator_behind_the_proxy_is_followed_as_a_new_phase(net, on):
    chainlink.replace_aggregator(net, on.feeds["ETH/USD"], 2_222_00000000)
    net.mine()
    quote = quotes(net, on, {})[on.token("WETH")]
    assert (quote.price, quote.steps[0].round >> 64) == (2_222 * ONE, 2)
    assert quote.flags == ("phase: the aggregator of phase 2 is new, this is its round 1",)


def test_a_feed_left_alone_goes_stale_by_block_time(net, on):
    net.mine(dt=3600)
    assert quotes(net, on, {})[on.token("WETH")].status is Status.OK
    net.mine(dt=601)
    assert "stale" in quotes(net, on, {})[on.token("WETH")].reason


def test_an_older_block_is_priced_as_it_was(net, on):
    then = head(net)
    before = quotes(net, on, {})
    chainlink.set_price(net, on.feeds["ETH/USD"], 1_000_00000000)
    net.mine()
    assert quotes(net, on, {}, at=then) == before
    assert quotes(net, on, {})[on.token("WETH")].price == 1_000 * ONE


def test_before_a_feed_existed_the_next_route_answers(net, on):
    chainlink_of_nothing = feed(on, "ETH/USD", feed="0x" + "de" * 20)
    quote = quotes(net, on, {on.token("WETH"): [chainlink_of_nothing, feed(on, "ETH/USD")]})[on.token("WETH")]
    assert quote.price == 2_000 * ONE
    assert "no code" in quote.flags[0]


@pytest.mark.parametrize("name", ["vUSDC", "vDAI", "vWETH"])
def test_a_vault_share_is_worth_what_the_vault_converts_it_to(net, on, name):
    vault = on.vaults[name]
    erc4626.donate(net, vault, 12_345_678, sender=on.users[0])
    net.mine()
    quote = quotes(net, on, {vault.address: [{"kind": "erc4626"}]})[vault.address]
    one = 10**vault.decimals
    assets = net.call(vault.address, "convertToAssets(uint256)(uint256)", one)
    pair = {"USDC": "USDC/USD", "DAI": "DAI/USD", "WETH": "ETH/USD"}[vault.asset]
    assert quote.price == floored(Fraction(assets, 10 ** on.tokens[vault.asset].decimals) * answer_of(net, on, pair))
    assert (quote.status, quote.grade) == (Status.OK, Grade.B)


def test_a_vault_of_vault_shares_is_looked_through_twice(net, on):
    outer, inner = on.vaults["vvUSDC"], on.vaults["vUSDC"]
    erc4626.donate(net, inner, 7 * 10**6, sender=on.users[0])
    net.mine()
    found = quotes(net, on, {v.address: [{"kind": "erc4626"}] for v in (outer, inner)})
    rates = [
        Fraction(net.call(v.address, "convertToAssets(uint256)(uint256)", 10**v.decimals), 10**6)
        for v in (outer, inner)
    ]
    quote = found[outer.address]
    assert quote.price == floored(rates[0] * rates[1] * answer_of(net, on, "USDC/USD"))
    assert quote.route == f"erc4626 > erc4626 > chainlink:{on.feeds['USDC/USD'].proxy}"


def fair_value(net: Devnet, on: Addresses, pair: str) -> int:
    prices = {on.token("USDC"): "USDC/USD", on.token("DAI"): "DAI/USD", on.token("WETH"): "ETH/USD"}
    tokens = [net.call(pair, f"token{i}()(address)") for i in (0, 1)]
    *reserves, _ = net.call(pair, "getReserves()(uint112,uint112,uint32)")
    supply = net.call(pair, "totalSupply()(uint256)")
    value = Fraction(4 * 10**36, supply**2)
    for token, reserve in zip(tokens, reserves, strict=True):
        decimals = net.call(token, "decimals()(uint8)")
        value *= Fraction(reserve, 10**decimals) * answer_of(net, on, prices[token])
    return isqrt(value.numerator * ONE * ONE // value.denominator)


@pytest.mark.parametrize("symbols", [("WETH", "USDC"), ("WETH", "DAI")])
def test_a_pair_share_has_its_fair_value_to_the_last_digit(net, on, symbols):
    pair = next(a for name, a in on.uniswap_v2.pairs.items() if set(name.split("/")) == set(symbols))
    quote = quotes(net, on, {pair: [{"kind": "uniswap_v2_lp"}]})[pair]
    assert quote.price == fair_value(net, on, pair)


def test_a_huge_swap_moves_a_pairs_reserves_a_hundredfold_and_its_fair_value_under_a_percent(net, on):
    weth, usdc = on.token("WETH"), on.token("USDC")
    pair = next(a for name, a in on.uniswap_v2.pairs.items() if set(name.split("/")) == {"WETH", "USDC"})
    before = quotes(net, on, {pair: [{"kind": "uniswap_v2_lp"}]})[pair].price
    net.send(usdc, "mint(address,uint256)", on.users[0], 100_000_000 * 10**6)
    uniswap_v2.swap(net, on.uniswap_v2.router, usdc, weth, 92_000_000 * 10**6, sender=on.users[0])
    net.mine()
    reserves = net.call(pair, "getReserves()(uint112,uint112,uint32)")[:2]
    order = 0 if net.call(pair, "token0()(address)") == usdc else 1
    skew = Fraction(reserves[order] * 10**12, reserves[1 - order]) / 2000
    assert skew > 100
    after = quotes(net, on, {pair: [{"kind": "uniswap_v2_lp"}]})[pair].price
    assert abs(Fraction(after, before) - 1) < Fraction(1, 100)


def pool_of(on: Addresses, *symbols: str) -> str:
    return next(a for name, a in on.uniswap_v3.pools.items() if set(name.split("/")[:2]) == set(symbols))


def twap_route(on: Addresses, pool: str, other: str, **more) -> dict:
    return {"kind": "uniswap_v3_twap", "pool": pool, "in": on.token(other), "window_s": 600, "min_depth": "1"} | more


@pytest.mark.parametrize(("symbol", "other", "pair"), [("WETH", "USDC", "USDC/USD"), ("WBTC", "WETH", "ETH/USD")])
def test_a_pools_mean_price_equals_the_geometric_mean_of_its_ticks(net, on, symbol, other, pair):
    pool, token = pool_of(on, symbol, other), on.token(symbol)
    net.transact(pool, "increaseObservationCardinalityNext(uint16)", 50)
    fee = net.call(pool, "fee()(uint24)")
    for whole in (100, 30, 60):
        route = (on.token(other), token, fee)
        uniswap_v3.swap(net, on.uniswap_v3.swap_router, route, on.amount(other, whole), sender=on.users[0])
        net.mine(dt=240)
    quote = quotes(net, on, {token: [twap_route(on, pool, other)]})[token]
    counters, _ = net.call(pool, "observe(uint32[])(int56[],uint160[])", [600, 0])
    tick = (counters[1] - counters[0]) // 600
    signed = tick if net.call(pool, "token0()(address)") == token else -tick
    scale = Fraction(10 ** on.tokens[symbol].decimals, 10 ** on.tokens[other].decimals)
    expected = Fraction(10_001, 10_000) ** signed * scale * answer_of(net, on, pair)
    assert abs(Fraction(quote.price, ONE) / expected - 1) < Fraction(1, 10**15)  # the contract's own rounding
    assert quote.grade is Grade.C


def test_a_pool_that_keeps_one_observation_is_held(net, on):
    pool = pool_of(on, "WETH", "USDC")
    net.mine(dt=700)
    quote = quotes(net, on, {on.token("WETH"): [twap_route(on, pool, "USDC")]})[on.token("WETH")]
    assert "window: the pool keeps 1 observations" in quote.reason


def test_a_window_older_than_the_pool_is_held_with_the_pools_own_word(net, on):
    pool = pool_of(on, "WETH", "USDC")
    route = twap_route(on, pool, "USDC", window_s=86_400)
    quote = quotes(net, on, {on.token("WETH"): [route]})[on.token("WETH")]
    assert "OLD" in quote.reason


def test_a_markets_oracle_agrees_with_the_feed_it_reads(net, on):
    routes = [feed(on, "ETH/USD"), {"kind": "aave_oracle", "oracle": on.aave.oracle}]
    quote = quotes(net, on, {on.token("WETH"): routes})[on.token("WETH")]
    assert (quote.price, quote.flags) == (2_000 * ONE, ())
    assert quote.low <= quote.price <= quote.high


def test_an_atoken_is_worth_what_its_contract_says_it_wraps(net, on):
    a_token = on.aave.reserves["USDC"].a_token
    wrapped = {"kind": "wrapped", "in": on.token("USDC"), "call": "UNDERLYING_ASSET_ADDRESS()(address)"}
    assert quotes(net, on, {a_token: [wrapped]})[a_token].price == ONE
    other = wrapped | {"in": on.token("DAI")}
    assert "it wraps" in quotes(net, on, {a_token: [other]})[a_token].reason
