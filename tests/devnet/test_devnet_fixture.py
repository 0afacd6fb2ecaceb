"""A recorded state of mainnet answers as mainnet did."""

from __future__ import annotations

from pathlib import Path

import pytest

from devnet import Anvil
from devnet.fixture import Fixture

pytestmark = pytest.mark.anvil

RECORDED = Path(__file__).parents[1] / "data" / "mainnet" / "15538827_post.json.gz"


def test_every_recorded_call_answers_byte_for_byte() -> None:
    fixture = Fixture.load(RECORDED)
    with Anvil.from_fixture(RECORDED) as net:
        requests = [("eth_call", [{"to": each.to, "data": each.data}, "latest"]) for each in fixture.expected]
        answers = net.batch(requests)
    assert len(fixture.expected) > 300
    assert answers == [each.answer for each in fixture.expected]


def test_the_chain_stands_at_the_recorded_block_and_time() -> None:
    fixture = Fixture.load(RECORDED)
    with Anvil.from_fixture(RECORDED) as net:
        head = net.block()
        assert (net.rpc("eth_chainId"), int(head["number"], 16)) == ("0x1", fixture.block)
        assert int(head["timestamp"], 16) == fixture.timestamp
