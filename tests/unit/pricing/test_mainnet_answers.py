"""Recorded answers of mainnet feeds and of wstETH, through the router: the values, ages and phases of their day."""

import csv
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest

from indexer.model import Address, BlockRef, Grade, Hash, Quote
from indexer.testing import Contracts, drive
from indexer.units import from_price
from tests.unit.pricing.price_worlds import chainlink, router

ANSWERS = Path(__file__).parents[2] / "data" / "pricing" / "mainnet.csv"
ETH, BTC, USDP, WSTETH = (Address(f"0x{n:040x}") for n in range(1, 5))
WSTETH_CONTRACT = Address("0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0")
FEEDS = {
    Address("0x5f4ec3df9cbd43714fe2740f5e3616155c5b8419"): (ETH, 3_600),
    Address("0xf4030086522a5beea4988f8ca5b36dbc97bee88c"): (BTC, 3_600),
    Address("0xaed0c38402a5d19df6e4c03f4e2dced6e29c1ee9"): (USDP, 86_400),
}
RATE = {
    "kind": "rate",
    "call": "stEthPerToken()(uint256)",
    "target": WSTETH_CONTRACT,
    "in": ETH,
    "growth_rate": "1.138754654719778928",
    "growth_since": "2023-09-07T16:52:59Z",
    "growth_yearly_bps": 500,
}
ROUTES = {
    **{token: [chainlink(feed, heartbeat_s=beat, decimals=8)] for feed, (token, beat) in FEEDS.items()},
    WSTETH: [RATE],
}


def recorded() -> dict[BlockRef, dict[Address, dict]]:
    """Contracts and what they answered, by block."""
    found: dict[BlockRef, dict[Address, dict]] = defaultdict(dict)
    with ANSWERS.open() as file:
        for row in csv.DictReader(file):
            at = BlockRef(int(row["block"]), Hash("0x"), Hash("0x"), int(row["timestamp"]))
            found[at][Address(row["contract"])] = answers(row)
    return found


def answers(row: dict[str, str]) -> dict:
    answer = int(row["answer"])
    if row["function"] == "stEthPerToken":
        return {"stEthPerToken": answer}
    updated_at, round_id = int(row["updated_at"]), int(row["round_id"])
    return {"latestRoundData": (round_id, answer, updated_at, updated_at, round_id), "decimals": 8}


BLOCKS = recorded()


def quotes(at: BlockRef) -> dict[Address, Quote]:
    return drive(router(ROUTES).plan(ROUTES, at), Contracts(BLOCKS[at]))


@pytest.mark.parametrize("at", BLOCKS, ids=str)
def test_every_recorded_feed_is_priced_at_its_own_answer_and_none_is_held(at):
    found = quotes(at)
    for feed, (token, _) in FEEDS.items():
        if feed in BLOCKS[at]:
            answer = BLOCKS[at][feed]["latestRoundData"]
            assert from_price(found[token].price) == Fraction(answer[1], 10**8)
            assert (found[token].grade, found[token].updated_at, found[token].flags) == (Grade.A, answer[3], ())


def test_phases_five_six_and_seven_of_the_ether_feed_are_one_series():
    phases = [quote.steps[0].round >> 64 for at in BLOCKS if (quote := quotes(at)[ETH]).price]
    assert sorted(set(phases)) == [5, 6, 7]


@pytest.mark.parametrize(
    ("number", "rate", "ether"),
    [
        (19444336, 1_160427465465391160, 3763_40630000),
        (19638736, 1_163261138292932841, 3523_18790000),
        (19716144, 1_164454276599657236, 3177_72243572),
    ],
)
def test_wsteth_is_its_rate_times_ether_and_grows_within_what_was_declared(number, rate, ether):
    at = next(at for at in BLOCKS if at.number == number)
    quote = quotes(at)[WSTETH]
    assert from_price(quote.price) == Fraction(rate * ether, 10**26)
    assert (quote.grade, quote.flags) == (Grade.B, ())
