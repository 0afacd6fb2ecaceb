"""Pyth, Solidly's and Balancer's pools and Curve's 3pool: contracts that run, against arithmetic done here."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isqrt, prod
from pathlib import Path

import pytest

from devnet import Addresses, Anvil, Devnet, deploy_protocols
from devnet.protocols import balancer_v2, pyth, solidly
from devnet.protocols.pyth import PythPrice
from indexer.model import Grade, Status
from tests.chain.pricing_support import ONE, floored, head, quoted

pytestmark = pytest.mark.anvil
FEED_ID = "0x" + "c9" * 32
LATEST = "latestRoundData()(uint80,int256,uint256,uint256,uint80)"
THREE_POOL = Path(__file__).parents[1] / "data" / "mainnet" / "16257471_3pool_post.json.gz"
POOL, SHARE = "0xbEbc44782C7dB0a1A60Cb6fe97d0b483032FF1C7", "0x6c3F90f043a72FA612cbac8115EE7e52BDe6E490"
DAI, USDC, USDT = (
    "0x6B175474E89094C44Da98b954EedeAC495271d0F",
    "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    "0xdAC17F958D2ee523a2206206994597C13D831ec7",
)


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[Devnet, Addresses]]:
    with Devnet.start() as net:
        yield net, deploy_protocols(net)


@pytest.fixture
def net(chain: tuple[Devnet, Addresses]) -> Iterator[Devnet]:
    snapshot = chain[0].snapshot()
    yield chain[0]
    chain[0].revert(snapshot)


@pytest.fixture
def on(chain: tuple[Devnet, Addresses]) -> Addresses:
    return chain[1]


@pytest.fixture(scope="module")
def three_pool() -> Iterator[Anvil]:
    with Anvil.from_fixture(THREE_POOL) as anvil:
        yield anvil


def pythed(net: Devnet, contract: str, heartbeat_s: int = 3_600) -> dict:
    token = net.accounts[9]
    route = {"kind": "pyth", "contract": contract, "feed_id": FEED_ID, "heartbeat_s": heartbeat_s}
    return {"routes": {token: [route]}, "token": token}


@pytest.mark.parametrize("expo", [-8, -5, -12])
def test_a_pyth_price_has_its_exponent_its_confidence_and_its_publishers_time(net: Devnet, expo: int) -> None:
    contract, time = pyth.deploy_pyth(net), net.timestamp()
    net.mine()
    pyth.push(net, contract, FEED_ID, PythPrice(price=41_000_12345, conf=4_100_001, expo=expo, time=time))
    net.mine()
    quote = quoted(net, **pythed(net, contract))
    price, width = Fraction(41_000_12345, 10**-expo), Fraction(4_100_001, 10**-expo)
    assert (quote.price, quote.low, quote.grade) == (floored(price), floored(price - width), Grade.A)
    assert (quote.updated_at, quote.age_s(head(net))) == (time, 24)


def test_an_older_pyth_price_is_there_at_its_block_and_held_when_nobody_brings_a_new_one(net: Devnet) -> None:
    contract = pyth.deploy_pyth(net)
    net.mine()
    pyth.push(net, contract, FEED_ID, PythPrice(2_000_00000000, 1, -8, net.timestamp()))
    net.mine()
    then = head(net)
    pyth.push(net, contract, FEED_ID, PythPrice(1_000_00000000, 1, -8, net.timestamp()))
    net.mine()
    assert quoted(net, **pythed(net, contract)).price == 1_000 * ONE
    assert quoted(net, **pythed(net, contract), at=then).price == 2_000 * ONE
    net.mine(dt=3_600 + 600)
    assert "stale" in quoted(net, **pythed(net, contract)).reason


def test_a_pyth_price_that_publishers_do_not_agree_on_is_held_and_an_unknown_id_says_so(net: Devnet) -> None:
    contract = pyth.deploy_pyth(net)
    net.mine()
    unknown = quoted(net, **pythed(net, contract))
    assert (unknown.status, unknown.price) == (Status.HELD, None)
    pyth.push(net, contract, FEED_ID, PythPrice(5_402_00000000, 3_000_00000000, -8, net.timestamp()))
    net.mine()
    assert "confidence" in quoted(net, **pythed(net, contract)).reason


def solidly_pool(net: Devnet, on: Addresses, symbols: tuple[str, str], wholes: tuple[int, int], stable: bool) -> str:
    """A pool filled by the first user; `wholes` are whole tokens."""
    tokens = (on.token(symbols[0]), on.token(symbols[1]))
    pool = solidly.create_pool(net, tokens, stable=stable)
    net.mine()
    amounts = (on.amount(symbols[0], wholes[0]), on.amount(symbols[1], wholes[1]))
    for token, amount in zip(tokens, amounts, strict=True):
        net.send(token, "mint(address,uint256)", on.users[0], 1_000 * amount)
    solidly.add_liquidity(net, pool, tokens, amounts, sender=on.users[0])
    net.mine()
    return pool


def solidly_routes(on: Addresses, pool: str) -> dict:
    feeds = {"WBTC": "BTC/USD", "USDC": "USDC/USD", "DAI": "DAI/USD"}
    routes = {
        on.token(symbol): [
            {"kind": "chainlink", "feed": on.feeds[pair].proxy, "heartbeat_s": 86_400, "deviation_bps": 50}
        ]
        for symbol, pair in feeds.items()
    }
    return routes | {pool: [{"kind": "solidly_lp"}]}


def state(net: Devnet, pool: str) -> tuple[list[Fraction], Fraction]:
    """Reserves in whole tokens, and shares."""
    raw = net.call(pool, "getReserves()(uint256,uint256,uint256)")[:2]
    tokens = [net.call(pool, f"token{i}()(address)") for i in (0, 1)]
    whole = [Fraction(r, 10 ** net.call(t, "decimals()(uint8)")) for r, t in zip(raw, tokens, strict=True)]
    return whole, Fraction(net.call(pool, "totalSupply()(uint256)"), 10**18)


def test_a_volatile_pool_has_the_fair_value_of_its_product(net: Devnet, on: Addresses) -> None:
    pool = solidly_pool(net, on, ("WBTC", "DAI"), (10, 300_000), stable=False)
    quote = quoted(net, solidly_routes(on, pool), pool)
    (x, y), supply = state(net, pool)
    bitcoin = Fraction(net.call(on.feeds["BTC/USD"].proxy, LATEST)[1], 10**8)
    squared = 4 * x * y * bitcoin / supply**2
    assert quote.price == isqrt(squared.numerator * ONE**2 // squared.denominator)
    assert (quote.grade, quote.status) == (Grade.B, Status.OK)


def test_a_stable_pool_at_par_is_worth_what_it_holds_and_a_hundredfold_swap_does_not_move_it(
    net: Devnet, on: Addresses
) -> None:
    pool = solidly_pool(net, on, ("USDC", "DAI"), (1_000_000, 1_000_000), stable=True)
    before = quoted(net, solidly_routes(on, pool), pool)
    reserves, supply = state(net, pool)
    assert abs(Fraction(before.price, ONE) / (sum(reserves) / supply) - 1) < Fraction(1, 10**15)
    paid = 5_000_000
    _swap_into(net, on, pool, paid)
    (x, y), _ = state(net, pool)
    assert max(x, y) / min(x, y) > 100
    after = quoted(net, solidly_routes(on, pool), pool)
    assert abs(Fraction(after.price, before.price) - 1) < Fraction(1, 10**5)


def _swap_into(net: Devnet, on: Addresses, pool: str, dai: int) -> None:
    """Pay whole DAI, take as many USDC as the stable curve gives, less one unit for its rounding."""
    dai_first = net.call(pool, "token0()(address)").lower() == on.token("DAI").lower()
    (first, second), _ = state(net, pool)
    x, y = (first, second) if dai_first else (second, first)
    kept, paid = x**3 * y + x * y**3, x + dai
    low, high = Fraction(0), y
    for _ in range(120):  # the y at which paid**3 * y + paid * y**3 is kept
        middle = (low + high) / 2
        low, high = (low, middle) if paid**3 * middle + paid * middle**3 > kept else (middle, high)
        low, high = (Fraction(int(part * 10**20), 10**20) for part in (low, high))
    out = int((y - high) * 10**6) - 1
    outs = (0, out) if dai_first else (out, 0)
    solidly.swap(net, pool, (on.token("DAI"), dai * 10**18), outs, sender=on.users[0])
    net.mine()


SWAP = "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"


@pytest.mark.parametrize(
    ("symbols", "wholes", "tenths"),
    [
        (("WBTC", "DAI"), (8, 80_000), (8, 2)),
        (("WBTC", "DAI"), (5, 200_000), (5, 5)),
        (("USDC", "DAI"), (9, 1), (9, 1)),
    ],
)
def test_a_balancer_share_has_its_fair_value_before_and_after_swaps(
    net: Devnet, on: Addresses, symbols: tuple[str, str], wholes: tuple[int, int], tenths: tuple[int, int]
) -> None:
    weight, whole = dict(zip(symbols, tenths, strict=True)), dict(zip(symbols, wholes, strict=True))
    order = sorted(symbols, key=lambda symbol: int(on.token(symbol), 16))
    there = balancer_v2.deploy_balancer_v2(net, on.token("WETH"))
    tokens = [on.token(symbol) for symbol in order]
    pool_id = balancer_v2.create_weighted(net, there, tokens, [weight[symbol] * 10**17 for symbol in order])
    for symbol in order:
        net.send(on.token(symbol), "mint(address,uint256)", on.users[0], on.amount(symbol, 100 * whole[symbol]))
    balancer_v2.join(net, there, pool_id, [on.amount(s, whole[s]) for s in order], sender=on.users[0])
    routes = solidly_routes(on, pool_id[:42]) | {pool_id[:42]: [{"kind": "balancer_weighted"}]}
    for _ in range(4):
        quote = quoted(net, routes, pool_id[:42])
        value = _power_of_fair_value(net, on, there.vault, pool_id, [(s, weight[s]) for s in order])
        assert (quote.status, quote.grade) == (Status.OK, Grade.B)
        assert Fraction(quote.price, ONE) ** 10 <= value < Fraction(quote.price + 1, ONE) ** 10
        paid = on.amount(order[0], whole[order[0]]) // 4
        single = (bytes.fromhex(pool_id[2:]), 0, tokens[0], tokens[1], paid, b"")
        funds = (on.users[0], False, on.users[0], False)
        net.send(there.vault, SWAP, single, funds, 0, 2**63, sender=on.users[0])
        net.mine()


def _power_of_fair_value(
    net: Devnet, on: Addresses, vault: str, pool_id: str, weighted: list[tuple[str, int]]
) -> Fraction:
    """A share's fair value to the tenth: the product of (balance * price / weight)**(10 * weight), over shares."""
    key = bytes.fromhex(pool_id[2:])
    _, balances, _ = net.call(vault, "getPoolTokens(bytes32)(address[],uint256[],uint256)", key)
    supply = Fraction(net.call(pool_id[:42], "totalSupply()(uint256)"), 10**18)
    prices = {"WBTC": net.call(on.feeds["BTC/USD"].proxy, LATEST)[1], "DAI": 10**8, "USDC": 10**8}
    parts = [
        (Fraction(raw, 10 ** on.tokens[symbol].decimals) * prices[symbol] / 10**8 / Fraction(tenth, 10)) ** tenth
        for raw, (symbol, tenth) in zip(balances, weighted, strict=True)
    ]
    return prod(parts, start=Fraction(1)) / supply**10


def test_mainnets_three_pool_is_worth_its_virtual_price_times_its_worst_coin(three_pool: Anvil) -> None:
    par = {DAI: "0.9985", USDC: "1", USDT: "1.001"}
    routes = {coin: [{"kind": "fixed", "price": price}] for coin, price in par.items()}
    routes[SHARE] = [{"kind": "curve_lp", "pool": POOL, "coins": 3}]
    quote = quoted(three_pool, routes, SHARE)
    assert quote.price == floored(Fraction(1_023033688360577131, 10**18) * Fraction(9985, 10_000))
    assert [step.answer for step in quote.steps if step.source == "curve_lp"] == [1_023033688360577131]
    assert head(three_pool).number == 16_257_471


def test_mainnets_three_pool_is_held_above_what_it_can_have_earned(three_pool: Anvil) -> None:
    routes = {coin: [{"kind": "fixed", "price": "1"}] for coin in (DAI, USDC, USDT)}
    growth = {"growth_rate": "0.9", "growth_since": "2022-12-01T00:00:00Z", "growth_yearly_bps": 300}
    routes[SHARE] = [{"kind": "curve_lp", "pool": POOL, "coins": 3, **growth}]
    assert "growth: rate 1.0230" in quoted(three_pool, routes, SHARE).reason
