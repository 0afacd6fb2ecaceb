"""The lending kinds over real contracts of a local chain (see `lending_scenes`) and over mainnet's own state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Devnet
from devnet.anvil import Anvil
from devnet.artifacts import own
from devnet.protocols import aave_v2, morpho_blue
from indexer.adapters.registry import adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Holding, Status
from indexer.testing import drive
from tests.chain.lending_scenes import SCENES, Amounts, Place, aave_market, comet, euler_vaults, settle
from tests.chain.plain_calls import Asker, PlainAnswers, block

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("lending_kinds")]

CETH = "0x4ddc2d193948926d02f9b1fe9e1daa0718270ed5"
RECORDED = Path(__file__).parents[1] / "data" / "mainnet" / "12243999_ceth_post.json.gz"


@pytest.fixture(scope="module")
def chain() -> Iterator[Place]:
    with Devnet.start() as net:
        yield settle(net)


@pytest.fixture
def place(chain: Place) -> Iterator[Place]:
    snapshot = chain.net.snapshot()
    yield chain
    chain.net.revert(snapshot)


def amounts(holdings: list[Holding]) -> Amounts:
    assert {h.status for h in holdings} == {Status.OK}
    return {(h.token, h.owner, h.bucket): h.amount or 0 for h in holdings}


@pytest.mark.parametrize("name", SCENES)
def test_holdings_are_what_the_contracts_say(place: Place, name: str) -> None:
    scene = SCENES[name](place)
    assert amounts(place.read(scene.kind, scene.params)) == scene.expected


def test_an_aave_v2_market_reads_the_same_by_its_data_provider(place: Place) -> None:
    market = aave_v2.deploy_aave_v2(place.net, place.tokens, ["DAI"])
    by_pool = amounts(place.read("aave_v2", {"pool": market.pool}))
    assert amounts(place.read("aave_v2", {"data_provider": market.data_provider})) == by_pool


def test_interest_makes_debts_grow(place: Place) -> None:
    scene = aave_market(place)
    before = amounts(place.read("aave_v2", scene.params))
    place.net.mine(1, dt=86_400)
    after = amounts(place.read("aave_v2", scene.params))
    assert all(after[key] == before[key] for key in before if key[2] == "base")
    assert sum(after.values()) > sum(before.values())


def test_an_asset_can_be_left_out_of_a_market(place: Place) -> None:
    market = aave_v2.deploy_aave_v2(place.net, place.tokens, ["DAI", "USDC"])
    holdings = place.read("aave_v2", {"pool": market.pool, "exclude": [place["USDC"]]})
    assert {h.token for h in holdings} == {place["DAI"]}


def test_a_morpho_market_that_is_created_later_is_found_by_its_log(place: Place) -> None:
    blue = morpho_blue.Morpho(place.net)
    params = {"morpho": blue.address}
    assert place.read("morpho_blue", params) == []
    blue.create(place["DAI"], place["WETH"])
    place.net.mine()
    found = place.find("morpho_blue", params, [])
    blue.create(place["USDC"], NATIVE)
    place.net.mine()
    found = place.find("morpho_blue", params, found)
    assert {h.token for h in place.read("morpho_blue", params, found)} == {place["DAI"], place["WETH"], place["USDC"]}


def test_a_wrong_address_is_no_morpho_without_markets(place: Place) -> None:
    with pytest.raises(CallFailed):
        place.read("morpho_blue", {"morpho": place.net.accounts[9]})


def test_only_the_base_token_of_a_comet_is_claimed_by_its_shares(place: Place) -> None:
    scene = comet(place)
    holdings = place.read(scene.kind, scene.params)
    assert {h.token for h in holdings if h.receipt} == {place["USDC"]}


def test_a_collateral_that_a_comet_lists_or_replaces_later_is_never_missed_in_silence(place: Place) -> None:
    net = place.net
    there = net.deploy(own("MinimalComet"), place["USDC"], [place["WETH"]])
    net.mine()
    params = {"comets": [there]}
    found = place.find("compound_v3", params, [])
    net.transact(there, "list(address)", place["LINK"])
    assert Status.HELD in {h.status for h in place.read("compound_v3", params, found)}
    found = place.find("compound_v3", params, found)
    assert {h.token for h in place.read("compound_v3", params, found)} == {place[s] for s in ("USDC", "WETH", "LINK")}
    net.transact(there, "replace(uint8,address)", 0, place["WBTC"])
    assert Status.HELD in {h.status for h in place.read("compound_v3", params, found)}
    found = place.find("compound_v3", params, found)
    assert {h.token for h in place.read("compound_v3", params, found)} == {place[s] for s in ("USDC", "WBTC", "LINK")}


def test_euler_vaults_can_be_listed_or_left_out(place: Place) -> None:
    scene = euler_vaults(place)
    dai, usdc = dict.fromkeys(owner for _, owner, _ in scene.expected)
    assert amounts(place.read("euler_v2", {"vaults": [dai, usdc]})) == scene.expected
    assert {h.owner for h in place.read("euler_v2", {**scene.params, "exclude": [dai]})} == {usdc}


def test_compound_market_of_mainnet_holds_its_cash_and_owes_its_borrows() -> None:
    """cETH at block 12243999: mainnet's code and storage, asked through the kind and by its own getters."""
    with Anvil.from_fixture(RECORDED) as anvil:
        at = block(anvil.url, anvil.block_number())
        params = parse_params("compound_v2", {"markets": [CETH], "native": [CETH]})
        holdings = drive(adapter("compound_v2").read(params, [], at), PlainAnswers(anvil.url, at))
        ask = Asker(anvil.url, at.number)
        assert amounts(holdings) == {
            (NATIVE, CETH, "base"): ask(CETH, "getCash()(uint256)"),
            (NATIVE, CETH, "borrowed"): ask(CETH, "totalBorrows()(uint256)"),
        }
        assert holdings[0].amount == 2371325689628332861461076


def test_a_market_of_the_native_coin_that_is_not_declared_is_seen_and_not_guessed() -> None:
    with Anvil.from_fixture(RECORDED) as anvil:
        at = block(anvil.url, anvil.block_number())
        params = parse_params("compound_v2", {"markets": [CETH]})
        (holding,) = drive(adapter("compound_v2").read(params, [], at), PlainAnswers(anvil.url, at))
        assert (holding.token, holding.amount, holding.owner) == (CETH, None, CETH)
