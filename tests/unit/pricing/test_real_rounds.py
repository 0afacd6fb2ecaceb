"""Real rounds of four mainnet feeds: how many would the default grace hold, a second before the next update?"""

import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from indexer.model import BlockRef, Hash
from indexer.pricing.guards import Fresh, GuardSettings

ROUNDS = Path(__file__).parents[2] / "data" / "chainlink" / "rounds.csv"
HEARTBEATS = {"ETH / USD": 3_600, "BTC / USD": 3_600, "ETH / BTC": 3_600, "STETH / ETH": 86_400}


def updates() -> dict[str, list[int]]:
    found = defaultdict(list)
    with ROUNDS.open() as file:
        for row in csv.DictReader(file):
            found[row["pair"]].append(int(row["updated_at"]))
    return found


def held(pair: str, settings: GuardSettings) -> list[int]:
    """Ages that are held, of the oldest moment of every round."""
    times = updates()[pair]
    moments = [(then, now - 1) for then, now in pairwise(times)]
    return [
        last - then
        for then, last in moments
        if Fresh(then, HEARTBEATS[pair]).judge(BlockRef(1, Hash("0x"), Hash("0x"), last), settings)
    ]


@pytest.mark.parametrize("pair", HEARTBEATS)
def test_no_real_round_is_held_by_the_default_grace(pair):
    assert len(updates()[pair]) == 50
    assert held(pair, GuardSettings()) == []


@pytest.mark.parametrize("pair", HEARTBEATS)
def test_without_a_grace_feeds_that_are_well_would_be_held(pair):
    late = held(pair, GuardSettings(grace_s=0))
    assert late
    assert max(late) - HEARTBEATS[pair] <= 208
