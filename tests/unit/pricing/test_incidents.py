"""What happened, replayed through the router: the numbers of the day, and what would have been said of them.

Amounts are those reported at the time; where a report gives no number (a confidence, a depth) the test says so.
"""

from fractions import Fraction

from indexer.model import NATIVE, Address, Bucket, Grade, Holding, Line, Quote, Status, Token
from indexer.pricing.compose import depth_of
from indexer.pricing.guards import GuardSettings
from indexer.valuation.backing import backed, depths_of
from indexer.valuation.value import judge, totals, value
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
    VAULT,
    addr,
    chainlink,
    erc20,
    feed,
    pair,
    price,
    usd,
    vault,
)

TOKEN, TOKEN_FEED, POOL, PYTH = addr(40), addr(41), addr(42), addr(43)
USD_FEEDS = {ETH: [chainlink(ETH_USD)], USDC: [chainlink(USDC_USD)], DAI: [chainlink(DAI_USD)]}
ETH_AT_3000 = {ETH_USD: feed(3_000_00000000), USDC_USD: feed(10**8), DAI_USD: feed(10**8)}


def market(tick: int, depth: int = 10_000) -> dict:
    """A pool of `TOKEN` (token0) and ether: its mean price by tick, and `depth` ether around it."""
    root_bps = Fraction(10_001, 10_000) ** (tick // 2)
    liquidity = int(depth * UNIT / root_bps)
    return {
        "token0": TOKEN,
        "token1": ETH,
        "slot0": (1, tick, 0, 100),
        "observe": ((0, tick * 1800), (0, (1800 << 128) // liquidity)),
    }


def twap(min_depth: str = "1000") -> dict:
    return {"kind": "uniswap_v3_twap", "pool": POOL, "in": ETH, "min_depth": min_depth}


def replay(routes: list[dict], world: dict) -> Quote:
    contracts = {TOKEN: erc20(), ETH: erc20(), USDC: erc20(6), DAI: erc20(), **ETH_AT_3000, **world}
    return price({**USD_FEEDS, TOKEN: routes}, contracts, TOKEN)


def held_by(deployment: str, quote: Quote, amount: int) -> tuple[Line, Status]:
    """A holding of `TOKEN` valued as a snapshot values it, and the snapshot's status."""
    quotes, tokens = {TOKEN: quote}, {TOKEN: Token(TOKEN, "T", 18)}
    worth = value([Holding(TOKEN, amount, Address(deployment))], quotes, tokens)
    lines, _ = backed(worth, quotes, depths_of(quotes), AT, GuardSettings())
    return lines[0], judge(lines)[0]


def test_2020_12_warp_finances_pool_share_is_not_moved_by_the_swap_that_doubled_its_naive_worth():
    """7.8 million USD were lent on shares of Uniswap's DAI/WETH pair while a swap stood in its reserves. What they were
    is not on record: round numbers stand for them."""
    routes = {**USD_FEEDS, PAIR: [{"kind": "uniswap_v2_lp"}]}
    supply = 2 * 10**6 * UNIT
    fair = {**ETH_AT_3000, ETH_USD: feed(600_00000000), DAI: erc20(), ETH: erc20()}
    before = fair | {PAIR: pair(DAI, ETH, 60 * 10**6 * UNIT, 10**5 * UNIT, supply)}
    skewed = fair | {PAIR: pair(DAI, ETH, 600 * 10**6 * UNIT, 10**4 * UNIT, supply)}
    quotes = [price(routes, world, PAIR) for world in (before, skewed)]
    assert usd(quotes[0]) == usd(quotes[1]) == 60
    naive = Fraction(600 * 10**6 + 10**4 * 600, 2 * 10**6)
    assert naive / usd(quotes[1]) > 5


def test_2023_02_10_dforces_curve_share_has_the_price_of_a_whole_block_and_a_raise_that_stays_is_held():
    """3.65 million USD went by a virtual price that was wrong inside one transaction; no block's state has it."""
    growth = {"growth_rate": "1.04", "growth_since": "2023-02-01T00:00:00Z", "growth_yearly_bps": 500}
    curve = {"kind": "curve_lp", "pool": POOL, "coins": 2, **growth}
    coins = [NATIVE, ETH]
    routes = {**USD_FEEDS, NATIVE: [chainlink(ETH_USD)], TOKEN: [curve]}

    def world(virtual: int) -> dict:
        pool = {"get_virtual_price": virtual, "coins": lambda call: coins[call.data[-1]]}
        return {**ETH_AT_3000, POOL: pool, TOKEN: {"totalSupply": 10**6 * UNIT}}

    assert usd(price(routes, world(104 * UNIT // 100), TOKEN)) == Fraction(104, 100) * 3000
    quote = price(routes, world(3 * UNIT), TOKEN)
    assert quote.status is Status.HELD
    assert "growth: rate 3 is" in quote.reason


def test_2023_06_03_a_token_named_xrp_in_a_pool_of_its_own_is_suspect_and_adds_no_800_million():
    """The pool's depth is not on record: 2,000 USD of ether stand for it."""
    quote = replay([twap(min_depth="0.5")], {POOL: market(tick=0, depth=Fraction(2, 3))})
    line, status = held_by(POOL, quote, 266_667 * UNIT)
    assert round(depth_of(quote)) == 2_000
    assert (line.status, status) == (Status.SUSPECT, Status.HELD)
    assert line.usd > 800 * 10**6 * 10**18, "shown, and never cut"
    assert totals([line])[Bucket.BASE].usd == 0


def test_2023_07_a_token_whose_own_pool_makes_it_worth_trillions_is_suspect():
    quote = replay([twap(min_depth="1")], {POOL: market(tick=0, depth=100)})
    line, status = held_by(POOL, quote, 10**9 * UNIT)
    assert line.usd == 3 * 10**12 * 10**18
    assert (line.status, status, line.reason[:8]) == (Status.SUSPECT, Status.HELD, "backing:")


def test_2025_11_04_deusd_at_10_cents_is_10_cents_though_it_was_made_to_be_a_dollar():
    quote = replay([chainlink(TOKEN_FEED), {"kind": "fixed", "price": "1"}], {TOKEN_FEED: feed(10_000_000)})
    assert (usd(quote), quote.grade) == (Fraction(1, 10), Grade.A)


def test_2022_05_luna_stuck_at_its_floor_of_0_107_while_it_traded_at_0_01_is_held():
    quote = replay([chainlink(TOKEN_FEED, min="0.107")], {TOKEN_FEED: feed(10_700_000)})
    assert "bounds: answer 0.107 is at or below its lower bound 0.107" in quote.reason
    witness = {TOKEN_FEED: feed(10_700_000), POOL: market(tick=-126_118)}  # 0.01 USD at 3,000 USD an ether
    unbounded = replay([chainlink(TOKEN_FEED), twap()], witness)
    assert unbounded.status is Status.HELD
    assert "apart from uniswap_v3_twap" in unbounded.reason


def test_2024_04_24_ezeth_redeemable_for_one_ether_and_traded_at_0_22_is_held_naming_the_market():
    redemption = {"kind": "rate", "call": "rate()(uint256)", "in": ETH}
    contract = {**erc20(), "rate": 1_008 * UNIT // 1000}
    quote = replay([redemption, twap()], {TOKEN: contract, POOL: market(tick=-15_142)})
    assert (quote.status, quote.price) == (Status.HELD, None)
    assert "divergence" in quote.reason
    alone = replay([redemption], {TOKEN: contract})
    assert (usd(alone), alone.grade) == (Fraction(1008, 1000) * 3000, Grade.B)


def test_2023_03_11_usdc_at_87_cents_is_87_cents_and_a_par_says_nothing():
    routes = {USDC: [chainlink(USDC_USD, heartbeat_s=86_400), {"kind": "fixed", "price": "1"}]}
    quote = price(routes, {USDC_USD: feed(87_000_000)}, USDC)
    assert (usd(quote), quote.grade, quote.flags) == (Fraction(87, 100), Grade.A, ())


def test_2025_02_27_wusdm_lifted_from_1_06_to_1_7_by_a_gift_is_held():
    growth = {"growth_rate": "1.06", "growth_since": "2023-11-01T00:00:00Z", "growth_yearly_bps": 1_000}
    routes = {**USD_FEEDS, VAULT: [{"kind": "erc4626", **growth}]}
    before = {**ETH_AT_3000, DAI: erc20(), VAULT: vault(DAI, 106 * UNIT, 100 * UNIT)}
    after = before | {VAULT: vault(DAI, 170 * UNIT, 100 * UNIT)}
    assert usd(price(routes, before, VAULT)) == Fraction(106, 100)
    quote = price(routes, after, VAULT)
    assert quote.status is Status.HELD
    assert "growth: rate 1.7 is 59." in quote.reason


def test_2025_06_26_a_vault_with_one_wei_of_shares_and_a_gift_of_2000_crvusd_is_held():
    routes = {**USD_FEEDS, VAULT: [{"kind": "erc4626"}]}
    quote = price(routes, {**ETH_AT_3000, DAI: erc20(), VAULT: vault(DAI, 2_000 * UNIT + 1, 1)}, VAULT)
    assert quote.status is Status.HELD
    assert "supply: only 0.000000000000000001 in issue, at least 1 needed" in quote.reason


def test_2025_11_04_wrseth_at_1_65_million_ether_is_held_by_its_bound_or_by_its_rate():
    wild = {TOKEN_FEED: feed(1_650_000 * UNIT, decimals=18)}
    bounded = replay([chainlink(TOKEN_FEED, max="2", **{"in": ETH})], wild)
    assert "upper bound 2" in bounded.reason
    rate = {"kind": "rate", "call": "rate()(uint256)", "in": ETH}
    contract = {**erc20(), "rate": 1_057 * UNIT // 1000}
    compared = replay([chainlink(TOKEN_FEED, **{"in": ETH}), rate], {**wild, TOKEN: contract})
    assert "divergence" in compared.reason


def test_2022_04_02_a_mean_price_pushed_fiftyfold_in_a_thin_pool_is_held_by_its_depth():
    pushed = market(tick=-20_000 + 39_120, depth=300)  # fifty times; 300 ETH was what the push cost at first
    quote = replay([twap(min_depth="1000")], {POOL: pushed})
    assert quote.status is Status.HELD
    assert "depth: depth 299." in quote.reason


def test_2026_03_10_wsteth_2_85_percent_above_a_cap_that_was_wrong_is_priced_at_its_true_rate_and_flagged():
    capped = {"growth_rate": "1.1939", "growth_since": "2023-11-14T22:13:20Z", "growth_yearly_bps": 1}
    true_rate = 11_939 * 10**14 * 10_000 // 9_715  # the cap sat 2.85 % under it
    rate = {"kind": "rate", "call": "stEthPerToken()(uint256)", "in": ETH, **capped}
    quote = replay([rate], {TOKEN: {**erc20(), "stEthPerToken": true_rate}})
    assert usd(quote) == Fraction(true_rate, UNIT) * 3000
    assert quote.flags[0].startswith("growth: rate 1.2289")


def test_2021_09_20_pyths_bitcoin_at_5402_with_a_wide_confidence_is_held():
    route = {"kind": "pyth", "contract": PYTH, "feed_id": "0x" + "ab" * 32, "heartbeat_s": 60}
    wide = {PYTH: {"getPriceUnsafe": (5_402_00000000, 3_000_00000000, -8, NOW)}}  # how wide is not on record
    assert "confidence" in replay([route], wide).reason
    narrow = {PYTH: {"getPriceUnsafe": (5_402_00000000, 0, -8, NOW)}, TOKEN_FEED: feed(41_000_00000000)}
    compared = replay([route, chainlink(TOKEN_FEED)], narrow)
    assert "divergence: 658.97 % apart" in compared.reason


def test_2020_11_26_dai_at_1_30_on_one_venue_is_held_while_another_says_1():
    quote = replay([chainlink(TOKEN_FEED), chainlink(DAI_USD)], {TOKEN_FEED: feed(130_000_000)})
    assert "divergence: 30 % apart" in quote.reason


def test_2025_11_04_xusd_from_1_26_to_0_26_with_a_rate_that_still_says_1_26_is_held():
    rate = {"kind": "rate", "call": "rate()(uint256)", "decimals": 6, "in": USDC}
    quote = replay([rate, chainlink(TOKEN_FEED)], {TOKEN: {**erc20(), "rate": 1_260_000}, TOKEN_FEED: feed(26_000_000)})
    assert "divergence" in quote.reason
    followed = replay([chainlink(TOKEN_FEED)], {TOKEN_FEED: feed(26_000_000)})
    assert usd(followed) == Fraction(26, 100)


def test_2026_08_two_prices_of_one_token_250_million_times_apart_are_held():
    world = {TOKEN_FEED: feed(25 * 10**15), DAI_USD: feed(10**8)}
    assert "divergence" in replay([chainlink(TOKEN_FEED), chainlink(DAI_USD)], world).reason
