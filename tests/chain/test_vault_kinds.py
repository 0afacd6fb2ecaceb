"""`recipe` and the shipped recipes over contracts of a local chain (see `vault_scenes`) and mainnet's own state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Devnet
from devnet.anvil import Anvil
from devnet.artifacts import own
from devnet.protocols import trader_joe
from indexer.adapters.recipes.shipped import shipped_kinds
from indexer.adapters.registry import adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Holding, Status
from indexer.testing import drive
from tests.chain.lending_scenes import Place, give, settle
from tests.chain.plain_calls import Asker, PlainAnswers, block
from tests.chain.vault_scenes import ETHER, SCENES, chef, curator, perpetual_markets, rocket_pool

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("vault_kinds")]

STETH = "0xae7ab96520de3a18e5e111b5eaab095312d7fe84"
RECORDED = Path(__file__).parents[1] / "data" / "mainnet" / "15538827_post.json.gz"


@pytest.fixture(scope="module")
def chain() -> Iterator[Place]:
    with Devnet.start() as net:
        yield settle(net)


@pytest.fixture
def place(chain: Place) -> Iterator[Place]:
    snapshot = chain.net.snapshot()
    yield chain
    chain.net.revert(snapshot)


def amounts(holdings: list[Holding]) -> dict[tuple[str, str, str], int]:
    assert {h.status for h in holdings} == {Status.OK}
    return {(h.token, h.owner, h.bucket): h.amount or 0 for h in holdings}


def test_every_shipped_recipe_has_a_scene() -> None:
    assert {*shipped_kinds(), "recipe"} <= set(SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_holdings_are_what_the_contracts_say(place: Place, name: str) -> None:
    scene = SCENES[name](place)
    assert amounts(place.read(scene.kind, scene.params)) == scene.expected


ANNOUNCED = ("eigenlayer", "erc4626_factory", "gmx_v2", "pendle", "yearn_v3")
"""Kinds whose contracts are found by logs alone."""


@pytest.mark.parametrize("name", [name for name in SCENES if name not in (*ANNOUNCED, "curator", "recipe")])
def test_a_reading_without_discoveries_asks_more_and_is_the_same(place: Place, name: str) -> None:
    scene = SCENES[name](place)
    assert amounts(place.read(scene.kind, scene.params, [])) == scene.expected


@pytest.mark.parametrize("name", [*ANNOUNCED, "curator", "recipe"])
def test_what_logs_announce_is_no_total_before_it_was_searched_for(place: Place, name: str) -> None:
    scene = SCENES[name](place)
    with pytest.raises(CallFailed, match="no log gave"):
        place.read(scene.kind, scene.params, [])


def test_pools_of_a_chef_that_come_later_are_found_and_the_others_not_asked_again(place: Place) -> None:
    scene = chef(place)
    found = place.find("masterchef", scene.params, [])
    trader_joe.add_pool(place.net, scene.params["chef"], place["LINK"])
    later = place.find("masterchef", scene.params, found)
    assert {h.token for h in place.read("masterchef", scene.params, later)} >= {place["LINK"]}
    assert len(place.find("masterchef", scene.params, later)) == len(later)


def test_without_own_tokens_all_that_is_staked_is_base(place: Place) -> None:
    scene = chef(place)
    holdings = place.read("masterchef", {"chef": scene.params["chef"]})
    assert {h.bucket for h in holdings} == {"base"}
    assert {h.token: h.amount for h in holdings} == {token: amount for (token, *_), amount in scene.expected.items()}


def test_a_token_can_be_left_out(place: Place) -> None:
    scene = chef(place)
    holdings = place.read("masterchef", {**scene.params, "exclude": [place["DAI"]]})
    assert {h.token for h in holdings} == {token for token, *_ in scene.expected} - {place["DAI"]}


def test_only_markets_of_the_emitter_are_asked_of_the_node(place: Place) -> None:
    """The other events of the emitter are so many that no node would give them."""
    scene, asked = perpetual_markets(place), []
    at = block(place.net.url, place.net.block_number())
    answers = PlainAnswers(place.net.url, at)
    params = parse_params("gmx_v2", scene.params)
    found = drive(adapter("gmx_v2").discover(params, [], 0, at), lambda ask: asked.append(ask) or answers(ask))
    assert len(found) == 2
    assert [len(query.topics) for query in asked] == [2]


def test_a_curator_with_nothing_but_vaults_needs_no_logs(place: Place) -> None:
    scene = curator(place)
    (holding,) = place.read("curator", {"vaults": scene.params["vaults"]})
    assert (holding.token, holding.receipt) == (place["WETH"], scene.params["vaults"][0])


def test_a_vault_that_is_listed_and_announced_is_counted_once(place: Place) -> None:
    scene = curator(place)
    listed = sorted({owner for _, owner, _ in scene.expected})
    assert amounts(place.read("curator", {**scene.params, "vaults": listed})) == scene.expected


def test_an_upgrade_of_a_contract_that_is_looked_up_is_followed(place: Place) -> None:
    scene = rocket_pool(place)
    balances = place.net.deploy(own("MinimalRocketBalances"))
    place.net.send(scene.params["storage"], "set(string,address)", "rocketNetworkBalances", balances)
    place.net.send(balances, "report(uint256)", 11 * ETHER)
    place.net.mine()
    (holding,) = place.read("rocket_pool", scene.params)
    assert holding.amount == 11 * ETHER


def test_no_log_yet_is_no_total_and_not_zero(place: Place) -> None:
    factory = place.net.deploy(own("MinimalVaultFactory"))
    place.net.mine()
    with pytest.raises(CallFailed, match="no log gave a 'created' yet"):
        place.read("yearn_v3", {"factories": [factory]})


def test_hostile_tokens_in_a_farm_are_held_and_leave_the_others_alone(place: Place) -> None:
    net = place.net
    vault, bomb = net.deploy(own("MinimalPerpetualVault")), net.deploy(own("RevertBombToken"))
    endless, nothing = net.deploy(own("EndlessToken")), net.accounts[9]
    for token in (place["DAI"], bomb, endless, nothing, NATIVE):
        net.send(vault, "whitelist(address)", token)
    net.mine()
    give(place, "DAI", vault, 3)
    holdings = {h.token: h for h in place.read("gmx_v1", {"vault": vault})}
    assert holdings[place["DAI"]].amount == 3 * ETHER
    assert {token: holdings[token].status for token in (bomb, endless, nothing, vault)} == {
        bomb: Status.HELD,
        endless: Status.HELD,
        nothing: Status.MISSING,
        vault: Status.MALFORMED,
    }


def test_stake_of_mainnet_is_the_ether_that_lido_accounts_for() -> None:
    """stETH at block 15538827: mainnet's code and storage; every share is backed by what is pooled."""
    with Anvil.from_fixture(RECORDED) as anvil:
        at = block(anvil.url, anvil.block_number())
        params = parse_params("lido", {"steth": STETH})
        (holding,) = drive(adapter("lido").read(params, [], at), PlainAnswers(anvil.url, at))
        assert (holding.token, holding.owner, holding.receipt) == (NATIVE, STETH, STETH)
        assert holding.amount == Asker(anvil.url, at.number)(STETH, "totalSupply()(uint256)")
        assert holding.amount == 4308892643369345515677412
