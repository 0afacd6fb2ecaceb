"""Kinds of pools over their authors' contracts, against the contracts' own views and the sums of what was put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from devnet import Devnet
from devnet.protocols import algebra
from devnet.protocols.tokens import deploy_tokens
from indexer.adapters.registry import adapter, parse_params
from indexer.model import Found, Holding, Status
from indexer.testing import drive
from tests.chain.plain_calls import PlainAnswers, block

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("pools_on_devnet")]

Amounts = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Chain:
    """A local chain with tokens on it."""

    net: Devnet
    tokens: Mapping[str, str]

    def find(self, kind: str, params: Mapping[str, Any], known: list[Found] | None = None) -> list[Found]:
        at = block(self.net.url, self.net.block_number())
        plan = adapter(kind).discover(parse_params(kind, params), known or [], 0, at)
        return drive(plan, PlainAnswers(self.net.url, at))

    def read(self, kind: str, params: Mapping[str, Any], number: int | None = None) -> list[Holding]:
        """Found at the head, and read there or at an earlier block."""
        found = self.find(kind, params)
        at = block(self.net.url, self.net.block_number() if number is None else number)
        return drive(adapter(kind).read(parse_params(kind, params), found, at), PlainAnswers(self.net.url, at))


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Devnet.start() as net:
        tokens = {symbol: token.address for symbol, token in deploy_tokens(net).items()}
        net.mine()
        yield Chain(net, tokens)


def amounts(holdings: list[Holding]) -> Amounts:
    assert {h.status for h in holdings} <= {Status.OK}
    return {(h.token, h.owner): h.amount or 0 for h in holdings}


def test_algebra_announces_its_pools_in_its_own_way(chain: Chain) -> None:
    net, dai, usdc, link = chain.net, *(chain.tokens[name] for name in ("DAI", "USDC", "LINK"))
    factory = algebra.deploy_algebra(net)
    first = algebra.create_pool(net, factory, (dai, usdc), (10**18, 2 * 10**6))
    before = net.block_number()
    second = algebra.create_pool(net, factory, (link, usdc), (5, 7))
    params = {"factory": factory, "events": "algebra"}
    expected = {(dai, first): 10**18, (usdc, first): 2 * 10**6}
    assert amounts(chain.read("uniswap_v3", params, before)) == expected
    assert amounts(chain.read("uniswap_v3", params)) == {**expected, (link, second): 5, (usdc, second): 7}
