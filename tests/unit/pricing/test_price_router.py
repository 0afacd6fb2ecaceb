from fractions import Fraction

import pytest

from indexer.errors import ConfigError
from indexer.model import Grade, Status
from indexer.reads.plan import Call, Failed
from indexer.testing import Contracts, drive
from tests.unit.pricing.price_worlds import (
    AT,
    DAI,
    DAI_USD,
    ETH,
    ETH_USD,
    NOW,
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
    router,
    usd,
    vault,
    word,
)

FEEDS = {
    ETH_USD: feed(2_000_00000000),
    DAI_USD: feed(99_900_000),
    USDC_USD: feed(1_00010000),
    STETH_ETH: feed(999 * UNIT // 1000, decimals=18),
}
WORLD = {
    **FEEDS,
    DAI: erc20(),
    ETH: erc20(),
    USDC: erc20(6),
    VAULT: vault(DAI, assets=1_100_000 * UNIT, supply=1_000_000 * UNIT),
    PAIR: pair(USDC, ETH, 2_000_000 * 10**6, 1_000 * UNIT, 44_000 * 10**12),
}
ROUTES = {
    ETH: [chainlink(ETH_USD)],
    DAI: [chainlink(DAI_USD)],
    USDC: [chainlink(USDC_USD)],
    STETH: [chainlink(STETH_ETH, **{"in": ETH})],
    VAULT: [{"kind": "erc4626"}],
    PAIR: [{"kind": "uniswap_v2_lp"}],
}


def test_a_dollar_feed_is_the_price_itself_graded_a():
    quote = price(ROUTES, WORLD, ETH)
    assert usd(quote) == 2000
    assert (quote.grade, quote.status, quote.route) == (Grade.A, Status.OK, f"chainlink:{ETH_USD}")
    assert (quote.steps[0].answer, quote.steps[0].decimals, quote.age_s(AT)) == (2_000_00000000, 8, 60)
    assert quote.steps[0].round == (1 << 64) | 7


def test_a_feed_in_ether_is_multiplied_by_ethers_price():
    quote = price(ROUTES, WORLD, STETH)
    assert usd(quote) == Fraction(999, 1000) * 2000
    assert quote.route == f"chainlink:{STETH_ETH} > chainlink:{ETH_USD}"
    assert [step.target for step in quote.steps] == [STETH_ETH, ETH_USD]


def test_tolerances_compose_low_from_lows_and_high_from_highs():
    quote = price(ROUTES, WORLD, STETH)
    assert quote.price is not None
    assert (Fraction(quote.low, quote.price), Fraction(quote.high, quote.price)) == (
        Fraction(995, 1000) ** 2,
        Fraction(1005, 1000) ** 2,
    )


def test_a_vault_share_is_its_assets_worth_graded_b():
    quote = price(ROUTES, WORLD, VAULT)
    assert usd(quote) == Fraction(11, 10) * Fraction(999, 1000)
    assert (quote.grade, quote.route) == (Grade.B, f"erc4626 > chainlink:{DAI_USD}")


def test_a_pool_share_names_both_ways_to_its_value():
    quote = price(ROUTES, WORLD, PAIR)
    assert quote.route == f"uniswap_v2_lp > (chainlink:{USDC_USD} | chainlink:{ETH_USD})"
    assert quote.grade is Grade.B
    expected = Fraction(2_000_000) * Fraction(10001, 10000) * Fraction(1000 * 2000) / Fraction(44, 1000) ** 2 * 4
    assert usd(quote) ** 2 == pytest.approx(expected)
    assert usd(quote) ** 2 <= expected < (usd(quote) + Fraction(1, 10**36)) ** 2


def test_a_token_without_a_route_is_absent_not_zero():
    assert drive(router(ROUTES).plan([addr(999), ETH], AT), Contracts(WORLD)).keys() == {ETH}


def test_no_tokens_ask_nothing():
    contracts = Contracts(WORLD)
    assert drive(router(ROUTES, sequencer=addr(7)).plan([], AT), contracts) == {}
    assert contracts.asked == []


def test_a_chain_of_feeds_is_read_in_one_round():
    plan = router(ROUTES).plan([STETH, DAI], AT)
    asks = next(plan)
    assert {ask.target for ask in asks} == {STETH_ETH, ETH_USD, DAI_USD}
    with pytest.raises(StopIteration):
        plan.send([Contracts(WORLD)(ask) for ask in asks])


def test_a_feed_that_many_tokens_need_is_asked_once():
    contracts = Contracts(WORLD)
    lsts = {addr(n): [chainlink(STETH_ETH, **{"in": ETH})] for n in range(200, 250)}
    quotes = drive(router({**ROUTES, **lsts}).plan([*lsts, ETH, PAIR, VAULT], AT), contracts)
    assert len(quotes) == 53
    keys = [(ask.target, ask.data) for ask in contracts.asked if isinstance(ask, Call)]
    assert len(keys) == len(set(keys))


def test_an_underlying_found_on_chain_is_read_as_soon_as_it_is_known():
    plan = router(ROUTES).plan([PAIR], AT)
    contracts = Contracts(WORLD)
    tokens = plan.send([contracts(ask) for ask in next(plan)])
    assert {ask.target for ask in tokens} == {USDC, ETH}
    feeds = plan.send([contracts(ask) for ask in tokens])
    assert {ask.target for ask in feeds} == {USDC_USD, ETH_USD}
    with pytest.raises(StopIteration):
        plan.send([contracts(ask) for ask in feeds])


def test_the_second_route_answers_before_the_first_feed_existed():
    routes = {ETH: [chainlink(addr(500)), chainlink(ETH_USD)]}
    quote = price(routes, WORLD, ETH)
    assert usd(quote) == 2000
    assert quote.flags == (f"fallback: chainlink:{addr(500)}: no code",)


def test_a_token_whose_routes_all_fail_is_held_with_each_reason():
    routes = {ETH: [chainlink(addr(500)), chainlink(ETH_USD)]}
    quote = price(routes, {ETH_USD: feed(2_000_00000000, age_s=9000)}, ETH)
    assert (quote.status, quote.price, quote.low, quote.high, quote.grade) == (Status.HELD, None, None, None, Grade.U)
    assert "no code" in quote.reason
    assert "stale: last updated 9000 s ago" in quote.reason


def test_a_held_quote_keeps_the_evidence_that_held_it():
    quote = price({ETH: [chainlink(ETH_USD)]}, {ETH_USD: feed(2_000_00000000, age_s=9000)}, ETH)
    assert quote.steps[0].answer == 2_000_00000000
    assert quote.age_s(AT) == 9000


def test_what_counts_in_a_held_token_is_held_too():
    quote = price(ROUTES, {**WORLD, ETH_USD: feed(0)}, STETH)
    assert quote.status is Status.HELD
    assert "positive: answer 0 is no price" in quote.reason


def test_a_pool_with_an_unconfigured_token_is_held_naming_it():
    other = {**WORLD, PAIR: pair(addr(777), ETH, UNIT, UNIT, UNIT), addr(777): erc20()}
    quote = price(ROUTES, other, PAIR)
    assert quote.reason == f"uniswap_v2_lp: needs {addr(777)}: no route"


def test_two_sources_that_agree_widen_the_interval_to_both():
    routes = {ETH: [chainlink(ETH_USD, deviation_bps=0), chainlink(DAI_USD, deviation_bps=0)]}
    quote = price(routes, {ETH_USD: feed(2_000_00000000), DAI_USD: feed(2_010_00000000)}, ETH)
    assert (usd(quote), Fraction(quote.low, 10**36), Fraction(quote.high, 10**36)) == (2000, 2000, 2010)
    assert quote.flags == ()


@pytest.mark.parametrize(("other", "flagged", "held"), [(2030, False, False), (2060, True, False), (2200, False, True)])
def test_two_sources_apart_are_flagged_then_held(other, flagged, held):
    routes = {ETH: [chainlink(ETH_USD), chainlink(DAI_USD)]}
    quote = price(routes, {ETH_USD: feed(2_000_00000000), DAI_USD: feed(other * 10**8)}, ETH)
    assert any(flag.startswith("divergence") for flag in quote.flags) is flagged
    assert (quote.status is Status.HELD) is held


def test_a_third_source_that_agrees_lifts_the_hold_to_a_flag():
    routes = {ETH: [chainlink(ETH_USD), chainlink(DAI_USD), chainlink(USDC_USD)]}
    world = {ETH_USD: feed(2_000_00000000), DAI_USD: feed(200_00000000), USDC_USD: feed(2_001_00000000)}
    quote = price(routes, world, ETH)
    assert usd(quote) == 2000
    assert quote.flags[0].startswith(f"divergence: 900 % apart from chainlink:{DAI_USD}")


def test_a_par_never_answers_while_a_feed_exists_but_is_held():
    routes = {USDC: [chainlink(USDC_USD), {"kind": "fixed", "price": "1"}]}
    assert price(routes, {USDC_USD: feed(87_000_000, age_s=99_999)}, USDC).status is Status.HELD


def test_a_par_answers_where_no_feed_exists_yet_and_says_so():
    routes = {USDC: [chainlink(USDC_USD), {"kind": "fixed", "price": "1"}]}
    quote = price(routes, {}, USDC)
    assert (usd(quote), quote.grade) == (1, Grade.D)
    assert "par: declared, not read" in quote.flags


def test_tokens_that_price_each_other_are_refused_at_load_naming_the_circle():
    with pytest.raises(ConfigError, match=r"in a circle: .* > .* > ") as caught:
        router({ETH: [chainlink(ETH_USD, **{"in": STETH})], STETH: [chainlink(STETH_ETH, **{"in": ETH})]})
    assert ETH in str(caught.value)
    assert STETH in str(caught.value)


def test_a_route_that_counts_in_a_token_without_a_route_is_refused_at_load():
    with pytest.raises(ConfigError, match="which has no route"):
        router({STETH: [chainlink(STETH_ETH, **{"in": ETH})]})


def test_a_circle_that_shows_on_chain_is_held_whichever_token_is_asked_first():
    other = addr(8)
    routes = {**ROUTES, VAULT: [{"kind": "erc4626"}], other: [{"kind": "erc4626"}]}
    world = {**WORLD, VAULT: vault(other, UNIT, UNIT), other: vault(VAULT, UNIT, UNIT)}
    both = drive(router(routes).plan([VAULT, other], AT), Contracts(world))
    assert all("circle" in both[token].reason for token in (VAULT, other))
    for token in (VAULT, other):
        assert price(routes, world, token) == both[token]


def test_what_only_leads_into_a_circle_is_held_for_the_circle_not_as_part_of_it():
    outer, inner = addr(8), addr(9)
    routes = {outer: [{"kind": "erc4626"}], inner: [{"kind": "erc4626"}]}
    world = {outer: vault(inner, UNIT, UNIT), inner: vault(inner, UNIT, UNIT)}
    assert price(routes, world, outer).reason.startswith(f"erc4626: needs {inner}: erc4626: circle")


def test_a_token_has_the_same_quote_alone_and_among_others():
    together = drive(router(ROUTES).plan(list(ROUTES), AT), Contracts(WORLD))
    assert together == {token: price(ROUTES, WORLD, token) for token in ROUTES}
    assert list(drive(router(ROUTES).plan(reversed(ROUTES), AT), Contracts(WORLD))) == list(reversed(ROUTES))


def test_every_route_tried_can_be_explained():
    routes = {ETH: [chainlink(addr(500)), chainlink(ETH_USD)]}
    settled = drive(router(routes).explain([ETH], AT), Contracts(WORLD))[ETH]
    assert [type(c.tried).__name__ for c in settled.candidates] == ["Refused", "Priced"]


def test_a_route_calls_a_feed_by_its_name_else_its_pair_else_its_address():
    world = {ETH_USD: feed(2_000_00000000, description="ETH / USD")}
    names = [{"name": "ETH/USD by the book", "pair": "ETH / USD"}, {"pair": "ETH / USD"}, {}]
    routes = [price({ETH: [chainlink(ETH_USD, **more)]}, world, ETH).route for more in names]
    assert routes == ["chainlink:ETH/USDbythebook", "chainlink:ETH/USD", f"chainlink:{ETH_USD}"]


def rounds(*answers: int, age_s: int = 7_200):
    """A feed's memory: the rounds of one phase, counted from 1, the last one `age_s` old."""

    def round_data(call):
        number = word(call) - (1 << 64)
        if not 1 <= number <= len(answers):
            return Failed(Status.HELD, "No data present")
        updated = NOW - age_s - (len(answers) - number) * 60
        return (word(call), answers[number - 1], updated, updated, word(call))

    last = (1 << 64) | len(answers)
    return {"latestRoundData": (last, answers[-1], NOW - age_s, NOW - age_s, last)} | {
        "decimals": 8,
        "getRoundData": round_data,
    }


def last_good(routes, world):
    ways = router({ETH: routes})
    return drive(ways.last_good(drive(ways.explain([ETH], AT), Contracts(world))[ETH], AT), Contracts(world))


@pytest.mark.parametrize(
    ("answers", "shown"), [((7, 8, 9), 9), ((7, 8, 0), 8), ((7, -1, 0), 7), ((7, 10**11, 10**11), 7), ((0, 0), None)]
)
def test_the_last_good_answer_is_the_newest_that_only_its_age_speaks_against(answers, shown):
    found = last_good([chainlink(ETH_USD, max="1")], {ETH_USD: rounds(*answers)})
    assert (found and usd_of(found)) == (shown and Fraction(shown, 10**8))


def usd_of(found):
    assert found.price == Fraction(found.steps[0].answer, 10**8)
    return found.price


def test_of_two_stale_feeds_the_one_that_spoke_last_is_shown():
    older, newer = rounds(5, age_s=50_000), rounds(6, age_s=40_000)
    found = last_good([chainlink(ETH_USD), chainlink(DAI_USD)], {ETH_USD: older, DAI_USD: newer})
    assert found is not None
    assert (found.steps[0].target, found.price) == (DAI_USD, Fraction(6, 10**8))


def test_a_feed_that_keeps_no_rounds_or_counts_in_another_token_says_nothing_of_the_past():
    assert last_good([chainlink(ETH_USD)], {ETH_USD: feed(0)}) is None
    routes = {ETH: [chainlink(ETH_USD, **{"in": DAI})], DAI: [chainlink(DAI_USD)]}
    world = {ETH_USD: rounds(5, 0), DAI_USD: feed(10**8)}
    ways = router(routes)
    settled = drive(ways.explain([ETH], AT), Contracts(world))[ETH]
    assert drive(ways.last_good(settled, AT), Contracts(world)) is None


def test_rounds_are_never_looked_for_across_a_phase():
    contracts = Contracts({ETH_USD: rounds(0, 0, 0)})
    ways = router({ETH: [chainlink(ETH_USD)]})
    settled = drive(ways.explain([ETH], AT), contracts)[ETH]
    contracts.asked.clear()
    drive(ways.last_good(settled, AT), contracts)
    assert [word(call) - (1 << 64) for call in contracts.asked] == [3, 2, 1]
