"""Published cases with their published numbers: true ones are stored and explained, false ones held or suspect.

Amounts are in millions of dollars unless a test says otherwise; what was not published is chosen, and said so.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from indexer.model import Grade, Status
from indexer.pricing.compose import Candidate, Priced, settle
from indexer.pricing.guards import GuardSettings
from indexer.valuation.claims import Claims
from indexer.valuation.profiles import PROFILES, apply, difference
from tests.unit.valuation.stocks import USD, address, block, book, quote
from tests.unit.valuation.worlds import evidence, flow, found, logs, moment, of, verdict


def test_saber_and_sunny_count_a_dollar_six_times() -> None:
    """CoinDesk, 2022-08: one dollar became six by protocols stacked on Saber; 7.5 of 10.5 billion at the peak."""
    stack = [book("saber", [("d", 1250, "s>R0")])]
    stack += [book(f"layer{i}", [(f"R{i}", 1250, f"o{i}>R{i + 1}")]) for i in range(5)]
    elsewhere = book("elsewhere", [("e", 3000)])
    stacked, chain = Claims(stack).measure(), Claims([*stack, elsewhere]).measure()
    assert stacked.multiplier == 6
    assert (stacked.gross, stacked.net, stacked.redeemable) == (7500 * USD, 1250 * USD, 1250 * USD)
    assert (chain.gross, chain.net) == (10_500 * USD, 4_250 * USD)
    parts = difference(*(apply(PROFILES[name], Claims(stack)) for name in ("gross", "net")))
    assert [part.usd for part in parts] == [-1250 * USD] * 5


def test_streams_claims_of_520_stand_on_160() -> None:
    """November 2025: 160 million of deposits carried 520 million of claims, by looping xUSD through lenders."""
    stream = book("stream", [("d", 160, "vault>xUSD")])
    others = [stream, book("lender2", [("xUSD", 300)])]
    lender = verdict(evidence(moment([("xUSD", 220), ("d", 40)]), others=others))
    assert of(lender, "unbacked").reason == "$520.00 of it is held by stored protocols, $160.00 is behind it"
    assert (lender.status, lender.headline.usd) == (Status.SUSPECT, 40 * USD)
    claims = Claims([stream, book("lender", [("xUSD", 220), ("d", 40)]), others[1]])
    assert claims.measure().base == 720 * USD
    assert claims.measure().net == 200 * USD


def test_streams_own_account_of_520_is_not_there() -> None:
    """The same from the issuer's side: its vault accounts for what whoever looks into it does not find."""
    eyes = book("eyes", [("d", 160, "vault")])
    about = {"adapter": "erc4626@1", "params": {"amount": "accounting"}}
    one = verdict(evidence(moment([("d", 520, "vault>xUSD")]), others=[eyes], **about))
    assert of(one, "unheld").usd == 360 * USD
    assert one.headline.usd == 0


def test_sushis_800_million_from_one_token_stay_out() -> None:
    """messari/subgraphs #2211: a token called XRP took Sushi to 800 million; the rest is chosen."""
    good = [("e", 100, "p>L"), ("d", 100, "p>L")]
    before, after = moment(good), moment([*good, ("xrp", 599, "q>M"), ("f", 1, "q>M")])
    one = verdict(evidence(before, after, category="dex", adapter="uniswap_v2@1"))
    assert found(one) == {"lopsided": Status.SUSPECT, "newcomer": Status.SUSPECT}
    assert one.headline.usd == 201 * USD
    assert one.headline.left_out[0].usd == 599 * USD


@pytest.mark.parametrize("first", [0, 1], ids=["the high one first", "the low one first"])
def test_two_sources_250_million_times_apart_hold_5_600_million(first: int) -> None:
    """DefiLlama-Adapters #20659: 5.6 billion on BSC from a token whose two price sources were 2.5e8 apart."""
    low = Fraction(1)
    sources = [_priced("high", low * 250_000_000), _priced("low", low)]
    candidates = [sources[first], sources[1 - first]]
    settled = settle(address("x"), candidates, block(0), GuardSettings()).quote
    assert settled.status is Status.HELD
    assert "divergence" in settled.reason
    one = verdict(evidence(moment([("d", 900), ("x", 5600)], x=settled)))
    assert (one.status, one.headline.usd) == (Status.HELD, 900 * USD)
    assert one.headline.left_out[0].usd is None


def test_portals_real_2_900_million_are_stored_and_explained() -> None:
    """messari/subgraphs #2087: the spike of Portal on Fantom was a real transfer of SFI; the rest is chosen."""
    before, after = moment([("d", 300)]), moment([("d", 300), ("sfi", 2900)])
    seen = logs(50, flow(30, "sfi", 2900, 0), tokens=["sfi"])
    one = verdict(evidence(before, after, flown=[seen]))
    assert (one.status, one.headline.usd) == (Status.OK, 3200 * USD)
    assert "units changed by 2900, as the transfer logs say" in of(one, "newcomer").reason
    assert verdict(evidence(before, after)).status is Status.SUSPECT


def test_a_lie_that_lasts_longer_than_fifteen_hours_is_not_believed() -> None:
    """DefiLlama-server storeNewTvl2.ts accepts after 15 hours what it refused before."""
    lie = moment([("d", 500), ("e", 100)])
    hours = [moment([("d", 100), ("e", 100)]), *[lie] * 100]
    assert verdict(evidence(*hours)).status is Status.SUSPECT


def test_990_million_parked_by_an_issuer_are_worth_what_the_pool_holds() -> None:
    """DefiLlama-Adapters #11343: a supply of a billion, a pool of 100 against 100 USDC, and "990 million" locked.

    In dollars and tokens, not in millions.
    """
    thin = quote("x", 1, block(0), Grade.C, "pool")
    pool = book("dex", [("x", 100, "p>L"), ("d", 100, "p>L")], {"x": thin}, category="dex", adapter="uniswap_v2@1")
    one = verdict(evidence(moment([("x", 990_000_000)], x=thin), others=[pool]))
    assert of(one, "depth").reason == "$990,000,000.00 by a market's price, and $100.00 stands against it there"
    assert one.headline.usd == 0


def _priced(name: str, usd: Fraction) -> Candidate:
    return Candidate(Priced(usd, usd, usd, Grade.A, f"chainlink:{name}", (), ()))
