"""Kinds over the real contracts of the local chain's scenario, against plain calls that know nothing of adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from devnet import Addresses, Devnet, deploy_protocols
from devnet.scenario import scenario
from indexer.adapters.metadata import token_metadata
from indexer.adapters.registry import adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, Bucket, Found, Holding, Status, Token
from indexer.testing import drive
from tests.chain.plain_calls import Asker, PlainAnswers, block

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("kinds_on_devnet")]

Amounts = dict[tuple[str, str, str], int]

KINDS = ("aave_v3", "erc4626", "token_balances", "uniswap_v2", "uniswap_v3")
"""Those of the scenario; the others have chains of their own."""

SCENES = (
    "vaults earn",
    "lending and borrowing",
    "a day without blocks",
    "a vault is nearly emptied",
    "a new pair",
    "the escrow releases",
    "positions are closed",
)


@dataclass(frozen=True)
class Story:
    """A played scenario, the blocks to look at (oldest first), and where all stands."""

    url: str
    addresses: Addresses
    blocks: Mapping[str, int]

    def params(self, kind: str) -> dict[str, Any]:
        there = self.addresses
        tokens = [NATIVE, *(token.address for token in there.tokens.values())]
        return {
            "token_balances": {"owners": [there.escrow, there.custodian], "tokens": tokens},
            "uniswap_v2": {"factory": there.uniswap_v2.factory},
            "uniswap_v3": {"factory": there.uniswap_v3.factory},
            "erc4626": {"vaults": [vault.address for vault in there.vaults.values()]},
            "aave_v3": {"pool": there.aave.pool},
        }[kind]

    def find(self, kind: str, number: int, params: Mapping[str, Any], known: list[Found], start: int) -> list[Found]:
        at = block(self.url, number)
        plan = adapter(kind).discover(parse_params(kind, params), known, start, at)
        return drive(plan, PlainAnswers(self.url, at))

    def read(self, kind: str, number: int, params: Mapping[str, Any], found: list[Found]) -> list[Holding]:
        at = block(self.url, number)
        return drive(adapter(kind).read(parse_params(kind, params), found, at), PlainAnswers(self.url, at))

    def holdings(self, kind: str, number: int, params: Mapping[str, Any] | None = None) -> list[Holding]:
        """Found and read afresh."""
        given = params or self.params(kind)
        return self.read(kind, number, given, self.find(kind, number, given, [], 0))


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        played = {step.name: step.block for step in scenario(net, addresses, 11)}
        yield Story(net.url, addresses, {"ready": addresses.ready_block, **{name: played[name] for name in SCENES}})


def amounts(holdings: list[Holding]) -> Amounts:
    assert {h.status for h in holdings} == {Status.OK}
    return {(h.token, h.owner, h.bucket): h.amount or 0 for h in holdings}


def plainly(kind: str, there: Addresses, ask: Asker) -> Amounts:
    """The same holdings, by one call after the other."""
    return {
        "token_balances": plain_balances,
        "uniswap_v2": plain_pairs,
        "uniswap_v3": plain_pools,
        "erc4626": plain_vaults,
        "aave_v3": plain_market,
    }[kind](there, ask)


def plain_balances(there: Addresses, ask: Asker) -> Amounts:
    owners = (there.escrow, there.custodian)
    ether = {(NATIVE, owner, "base"): ask.ether(owner) for owner in owners}
    tokens = [token.address for token in there.tokens.values()]
    return {**ether, **{(token, owner, "base"): ask.balance(token, owner) for token in tokens for owner in owners}}


def plain_pairs(there: Addresses, ask: Asker) -> Amounts:
    got: Amounts = {}
    for i in range(ask(there.uniswap_v2.factory, "allPairsLength()(uint256)")):
        pair = ask(there.uniswap_v2.factory, "allPairs(uint256)(address)", i)
        reserves = ask(pair, "getReserves()(uint112,uint112,uint32)")
        for name, reserve in zip(("token0", "token1"), reserves, strict=False):
            got[ask(pair, f"{name}()(address)"), pair, "base"] = reserve
    return got


def plain_pools(there: Addresses, ask: Asker) -> Amounts:
    """The scenario creates no pool: those that were deployed are all."""
    got: Amounts = {}
    for pool in there.uniswap_v3.pools.values():
        for token in (ask(pool, "token0()(address)"), ask(pool, "token1()(address)")):
            got[token, pool, "base"] = ask.balance(token, pool)
    return got


def plain_vaults(there: Addresses, ask: Asker) -> Amounts:
    return {
        (ask(vault.address, "asset()(address)"), vault.address, "base"): ask(vault.address, "totalAssets()(uint256)")
        for vault in there.vaults.values()
    }


def plain_market(there: Addresses, ask: Asker) -> Amounts:
    """From the addresses that the deployment noted down, and not from the market's own getters."""
    got: Amounts = {}
    for reserve in there.aave.reserves.values():
        asset = reserve.underlying
        got[asset, reserve.a_token, "base"] = ask.balance(asset, reserve.a_token)
        for debt in (reserve.stable_debt_token, reserve.variable_debt_token):
            got[asset, debt, "borrowed"] = ask(debt, "totalSupply()(uint256)")
    return got


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scene", ["ready", *SCENES])
def test_holdings_are_what_plain_calls_say(story: Story, kind: str, scene: str) -> None:
    number = story.blocks[scene]
    expected = plainly(kind, story.addresses, Asker(story.url, number))
    assert expected
    assert amounts(story.holdings(kind, number)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_along_the_way_reads_the_same_as_what_is_found_at_the_end(story: Story, kind: str) -> None:
    """As a daemon finds, block by block, and as a backfill reads with all that is known."""
    params, found, searched = story.params(kind), [], -1
    read: dict[int, list[Holding]] = {}
    for number in story.blocks.values():
        found += story.find(kind, number, params, found, searched + 1)
        searched = number
        read[number] = story.read(kind, number, params, found)
    for number, holdings in read.items():
        assert story.read(kind, number, params, found) == holdings


def test_a_pair_of_the_story_is_there_from_its_block_on(story: Story) -> None:
    number = story.blocks["a new pair"]
    before, after = (amounts(story.holdings("uniswap_v2", n)) for n in (number - 1, number))
    assert len(after) == len(before) + 2


def test_pairs_and_pools_can_be_listed_in_place_of_a_factory(story: Story) -> None:
    there, number = story.addresses, story.blocks["ready"]
    pairs = {"pairs": list(there.uniswap_v2.pairs.values())}
    pools = {"pools": list(there.uniswap_v3.pools.values())}
    assert amounts(story.holdings("uniswap_v2", number, pairs)) == amounts(story.holdings("uniswap_v2", number))
    assert amounts(story.holdings("uniswap_v3", number, pools)) == amounts(story.holdings("uniswap_v3", number))


def test_an_aave_market_reads_the_same_by_its_pool_and_by_its_data_provider(story: Story) -> None:
    number = story.blocks["lending and borrowing"]
    by_provider = story.holdings("aave_v3", number, {"data_provider": story.addresses.aave.data_provider})
    assert set(by_provider) == set(story.holdings("aave_v3", number))


def test_what_is_there_and_what_is_borrowed_is_what_was_supplied(story: Story) -> None:
    """Supplied is the aToken's own supply; interest of a second may be rounded by a few raw units."""
    number = story.blocks["lending and borrowing"]
    ask, got = Asker(story.url, number), amounts(story.holdings("aave_v3", number))
    for reserve in story.addresses.aave.reserves.values():
        debts = sum(
            got[reserve.underlying, d, "borrowed"] for d in (reserve.stable_debt_token, reserve.variable_debt_token)
        )
        supplied = ask(reserve.a_token, "totalSupply()(uint256)")
        accrued = supplied // 1_000
        assert abs(got[reserve.underlying, reserve.a_token, "base"] + debts - supplied) <= accrued


def test_the_tokens_that_lie_in_plain_vaults_are_their_assets(story: Story) -> None:
    number, params = story.blocks["vaults earn"], story.params("erc4626")
    held = amounts(story.holdings("erc4626", number, {**params, "amount": "held"}))
    assert held == amounts(story.holdings("erc4626", number))


def test_balances_of_pairs_are_their_reserves_when_nobody_donated(story: Story) -> None:
    number, params = story.blocks["ready"], story.params("uniswap_v2")
    balances = amounts(story.holdings("uniswap_v2", number, {**params, "amounts": "balances"}))
    assert balances == amounts(story.holdings("uniswap_v2", number))


@pytest.mark.parametrize("kind", ["uniswap_v2", "uniswap_v3", "aave_v3"])
def test_before_the_contracts_stand_a_reading_says_so(story: Story, kind: str) -> None:
    with pytest.raises(CallFailed, match="no code"):
        story.read(kind, 0, story.params(kind), [])


def test_tokens_and_vaults_that_do_not_stand_yet_are_missing(story: Story) -> None:
    vaults = story.read("erc4626", 0, story.params("erc4626"), [])
    assert {h.status for h in vaults} == {Status.MISSING}
    tokens = [h for h in story.read("token_balances", 0, story.params("token_balances"), []) if h.token != NATIVE]
    assert {(h.status, h.amount) for h in tokens} == {(Status.MISSING, None)}


def test_hostile_tokens_are_held_and_leave_the_honest_one_alone(story: Story) -> None:
    hostile = story.addresses.hostile_tokens
    honest = story.addresses.token("DAI")
    params = {"owners": [story.addresses.escrow], "tokens": [*hostile.values(), honest]}
    holdings = story.holdings("token_balances", story.blocks["ready"], params)
    status = {name: next(h.status for h in holdings if h.token == token) for name, token in hostile.items()}
    assert status == {
        "Bytes32Token": Status.OK,
        "RevertingDecimalsToken": Status.OK,
        "HugeDecimalsToken": Status.OK,
        "UglyNameToken": Status.OK,
        "EndlessToken": Status.HELD,
        "ShortAnswerToken": Status.MALFORMED,
        "LongAnswerToken": Status.OK,
        "RevertBombToken": Status.HELD,
        "GasBurnerToken": Status.HELD,
        "FeeOnTransferToken": Status.OK,
    }
    ask = Asker(story.url, story.blocks["ready"])
    assert holdings[-1] == Holding(Address(honest), ask.balance(honest, story.addresses.escrow), params["owners"][0])


def test_tokens_say_what_they_are_called_and_nothing_that_harms(story: Story) -> None:
    there, at = story.addresses, block(story.url, story.blocks["ready"])
    names = {**{symbol: token.address for symbol, token in there.tokens.items()}, **there.hostile_tokens}
    plan = token_metadata([Address(address) for address in names.values()], Token(NATIVE, "ETH", 18))
    got = drive(plan, PlainAnswers(story.url, at))
    said = {name: (got[Address(address)].symbol, got[Address(address)].decimals) for name, address in names.items()}
    assert {name: said[name] for name in there.tokens} == {n: (n, t.decimals) for n, t in there.tokens.items()}
    assert said["Bytes32Token"] == ("MKR", 18)
    assert said["RevertingDecimalsToken"] == ("NODEC", None)
    assert said["HugeDecimalsToken"] == ("HUGE", None)
    assert said["UglyNameToken"] == ("[31mUSDC <script>alert(1)</script>"[:32], 18)


def test_what_is_borrowed_is_its_own_bucket(story: Story) -> None:
    holdings = story.holdings("aave_v3", story.blocks["ready"])
    assert {h.bucket for h in holdings} == {Bucket.BASE, Bucket.BORROWED}
    assert all((h.receipt == h.owner) == (h.bucket is Bucket.BASE) for h in holdings)
