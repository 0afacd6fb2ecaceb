"""Scenes of the lending kinds on a local chain: what stands, the parameters that read it, and what the contracts say.

Aave V2 and Morpho Blue are their authors' own code. Compound V3, Euler V2 and Fraxlend are small contracts with the
same getters (devnet/contracts/Lending.sol), because nobody publishes them as a package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devnet import Devnet
from devnet.addresses import Token
from devnet.artifacts import own
from devnet.protocols import aave_v2, morpho_blue
from devnet.protocols import tokens as erc20
from indexer.adapters.registry import adapter, parse_params
from indexer.model import Found, Holding
from indexer.testing import drive
from tests.chain.plain_calls import Asker, PlainAnswers, block

Amounts = dict[tuple[str, str, str], int]


@dataclass(frozen=True)
class Scene:
    """A kind, its parameters, and the holdings that the contracts' own getters or exact arithmetic give."""

    kind: str
    params: Mapping[str, Any]
    expected: Amounts


@dataclass(frozen=True)
class Place:
    """A chain with tokens and users who own them."""

    net: Devnet
    tokens: Mapping[str, Token]
    users: tuple[str, ...]

    def __getitem__(self, symbol: str) -> str:
        return self.tokens[symbol].address

    def at(self) -> Asker:
        return Asker(self.net.url, self.net.block_number())

    def find(self, kind: str, params: Mapping[str, Any], known: list[Found]) -> list[Found]:
        at = block(self.net.url, self.net.block_number())
        plan = adapter(kind).discover(parse_params(kind, params), known, 0, at)
        return [*known, *drive(plan, PlainAnswers(self.net.url, at))]

    def read(self, kind: str, params: Mapping[str, Any], found: list[Found] | None = None) -> list[Holding]:
        """At the head; found afresh unless given."""
        at = block(self.net.url, self.net.block_number())
        known = self.find(kind, params, []) if found is None else found
        return drive(adapter(kind).read(parse_params(kind, params), known, at), PlainAnswers(self.net.url, at))


def settle(net: Devnet) -> Place:
    """Tokens, and three users who own them."""
    tokens, users = erc20.deploy_tokens(net), tuple(net.accounts[1:4])
    net.mine()
    erc20.fund(net, tokens, users)
    net.mine()
    return Place(net, tokens, users)


def aave_market(place: Place) -> Scene:
    """Alice and Bob supply, Bob borrows, interest accrues: base is balances, borrowed the debt tokens' supply."""
    net, (alice, bob, _) = place.net, place.users
    market = aave_v2.deploy_aave_v2(net, place.tokens, ["DAI", "USDC"])
    aave_v2.deposit(net, market, place["DAI"], 1_000 * 10**18, sender=alice)
    aave_v2.deposit(net, market, place["USDC"], 700 * 10**6, sender=bob)
    net.mine()
    aave_v2.borrow(net, market, place["DAI"], 300 * 10**18, sender=bob)
    net.mine(5, dt=1_000)
    ask, expected = place.at(), Amounts()
    for symbol in ("DAI", "USDC"):
        names = "getReserveTokensAddresses(address)(address,address,address)"
        a_token, stable, variable = ask(market.data_provider, names, place[symbol])
        expected[place[symbol], a_token, "base"] = ask.balance(place[symbol], a_token)
        for debt in (stable, variable):
            expected[place[symbol], debt, "borrowed"] = ask(debt, "totalSupply()(uint256)")
    return Scene("aave_v2", {"pool": market.pool}, expected)


def morpho(place: Place) -> Scene:
    """Two markets that lend the same token against two collaterals."""
    net, (alice, bob, _) = place.net, place.users
    blue = morpho_blue.Morpho(net)
    first, second = blue.create(place["DAI"], place["WETH"]), blue.create(place["DAI"], place["LINK"])
    net.mine()
    for market, lent in ((first, 900), (second, 500)):
        blue.supply(market, lent * 10**18, sender=alice)
        blue.supply_collateral(market, 2_000 * 10**18, sender=bob)
    net.mine()
    blue.borrow(first, 400 * 10**18, sender=bob)
    blue.borrow(second, 100 * 10**18, sender=bob)
    net.mine()
    expected = {
        (place["DAI"], blue.address, "base"): 900 * 10**18,
        (place["WETH"], blue.address, "base"): 2_000 * 10**18,
        (place["LINK"], blue.address, "base"): 2_000 * 10**18,
        (place["DAI"], blue.address, "borrowed"): 500 * 10**18,
    }
    return Scene("morpho_blue", {"morpho": blue.address}, expected)


def comet(place: Place) -> Scene:
    """A comet that lends USDC against two collaterals."""
    there = place.net.deploy(own("MinimalComet"), place["USDC"], [place["WETH"], place["LINK"]])
    place.net.mine()
    for symbol, whole in (("USDC", 800), ("WETH", 3), ("LINK", 50)):
        give(place, symbol, there, whole)
    lend(place, there, "USDC", 250 * 10**6)
    expected = {
        (place["USDC"], there, "base"): 550 * 10**6,
        (place["WETH"], there, "base"): 3 * 10**18,
        (place["LINK"], there, "base"): 50 * 10**18,
        (place["USDC"], there, "borrowed"): place.at()(there, "totalBorrow()(uint256)"),
    }
    return Scene("compound_v3", {"comets": [there]}, expected)


def euler_vaults(place: Place) -> Scene:
    """A factory with two vaults, of which one lends."""
    factory = place.net.deploy(own("MinimalEVaultFactory"))
    place.net.mine()
    for symbol in ("DAI", "USDC"):
        place.net.transact(factory, "create(address)", place[symbol])
    words = place.at()(factory, "getProxyListSlice(uint256,uint256)(uint256,uint256,uint256,uint256)", 0, 2**256 - 1)
    dai, usdc = (f"0x{word:040x}" for word in words[2:])
    give(place, "DAI", dai, 40)
    give(place, "USDC", usdc, 90)
    lend(place, usdc, "USDC", 30 * 10**6)
    ask = place.at()
    expected = {
        (place["DAI"], dai, "base"): ask(dai, "cash()(uint256)"),
        (place["USDC"], usdc, "base"): ask(usdc, "cash()(uint256)"),
        (place["DAI"], dai, "borrowed"): 0,
        (place["USDC"], usdc, "borrowed"): ask(usdc, "totalBorrows()(uint256)"),
    }
    return Scene("euler_v2", {"factory": factory}, expected)


def fraxlend_pair(place: Place) -> Scene:
    """A registry with one pair that lends DAI against WETH."""
    registry = place.net.deploy(own("MinimalFraxlendRegistry"))
    pair = place.net.deploy(own("MinimalFraxlendPair"), place["DAI"], place["WETH"])
    place.net.send(registry, "addPair(address)", pair)
    place.net.mine()
    give(place, "DAI", pair, 40)
    give(place, "WETH", pair, 2)
    lend(place, pair, "DAI", 15 * 10**18)
    owed, _ = place.at()(pair, "totalBorrow()(uint128,uint128)")
    expected = {
        (place["DAI"], pair, "base"): 25 * 10**18,
        (place["WETH"], pair, "base"): 2 * 10**18,
        (place["DAI"], pair, "borrowed"): owed,
    }
    return Scene("fraxlend", {"registry": registry}, expected)


SCENES: dict[str, Callable[[Place], Scene]] = {
    "aave_v2": aave_market,
    "compound_v3": comet,
    "euler_v2": euler_vaults,
    "fraxlend": fraxlend_pair,
    "morpho_blue": morpho,
}


def give(place: Place, symbol: str, to: str, whole: int) -> None:
    amount = whole * 10 ** place.tokens[symbol].decimals
    place.net.transact(place[symbol], "transfer(address,uint256)", to, amount, sender=place.users[0])


def lend(place: Place, market: str, symbol: str, amount: int) -> None:
    place.net.transact(market, "lend(address,uint256)", place[symbol], amount, sender=place.users[0])
