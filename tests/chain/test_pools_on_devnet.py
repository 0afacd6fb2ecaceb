"""Kinds of pools over their authors' contracts, against the contracts' own views and the sums of what was put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devnet import Anvil, Devnet
from devnet.artifacts import own
from devnet.chain import contract_address
from devnet.protocols import algebra, balancer_v2, uniswap_v4
from devnet.protocols.tokens import deploy_hostile, deploy_tokens
from indexer.adapters.curve import ETHER
from indexer.adapters.registry import adapter, parse_params
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from indexer.errors import CallFailed
from indexer.model import NATIVE, Found, Holding, Status
from indexer.reads.batch import Reader
from indexer.reads.rounds import rounds
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


def test_the_vaults_books_are_counted_without_own_shares_gifts_and_what_users_keep_there(chain: Chain) -> None:
    net, user = chain.net, chain.net.accounts[1]
    there = balancer_v2.deploy_balancer_v2(net, chain.tokens["WETH"])
    tokens = sorted(chain.tokens[name] for name in ("DAI", "USDC", "LINK"))
    for token in tokens:
        net.send(token, "mint(address,uint256)", user, 10**30)
    weighted = balancer_v2.create_weighted(net, there, tokens, (5 * 10**17, 3 * 10**17, 2 * 10**17))
    before = net.block_number()
    stable = balancer_v2.create_stable(net, there, tokens[:2])
    balancer_v2.join(net, there, weighted, (10**21, 10**22, 10**23), sender=user)
    stable_tokens = net.call(there.vault, BOOKS, bytes.fromhex(stable[2:]))[0]
    assert stable[:42] in stable_tokens
    balancer_v2.join(net, there, stable, [10**20] * 3, sender=user)
    net.send(tokens[0], "transfer(address,uint256)", there.vault, 777, sender=user)
    net.transact(there.vault, KEEP, [(0, tokens[1], 555, user, user)], sender=user)
    deposited = {(token, weighted[:42]): 10**n for token, n in zip(tokens, (21, 22, 23), strict=True)}
    deposited |= {(token, stable[:42]): 10**20 for token in tokens[:2]}
    holdings = chain.read("balancer_v2", {"vault": there.vault})
    assert amounts(holdings) == deposited == from_books(net, there.vault, (weighted, stable))
    assert {(h.owner, h.receipt) for h in holdings} == {(pool[:42], pool[:42]) for pool in (weighted, stable)}
    listed = chain.read("balancer_v2", {"vault": there.vault, "pools": [weighted]})
    assert amounts(listed) == {key: amount for key, amount in deposited.items() if key[1] == weighted[:42]}
    early = amounts(chain.read("balancer_v2", {"vault": there.vault}, before))
    assert early == {(token, weighted[:42]): 0 for token in tokens}


BOOKS = "getPoolTokens(bytes32)(address[],uint256[],uint256)"
KEEP = "manageUserBalance((uint8,address,uint256,address,address)[])"


def from_books(net: Devnet, vault: str, pools: tuple[str, ...]) -> Amounts:
    """What the Vault says of each pool, without the pool's own share."""
    said = {pool: net.call(vault, BOOKS, bytes.fromhex(pool[2:])) for pool in pools}
    return {
        (token, pool[:42]): amount
        for pool, (tokens, balances, _) in said.items()
        for token, amount in zip(tokens, balances, strict=True)
        if token != pool[:42]
    }


def test_a_vault_that_is_none_is_an_error(chain: Chain) -> None:
    with pytest.raises(CallFailed, match="no Balancer V2 contract"):
        chain.read("balancer_v2", {"vault": chain.tokens["DAI"]})
    with pytest.raises(CallFailed, match="no Uniswap V4 contract"):
        chain.read("uniswap_v4", {"pool_manager": chain.net.accounts[3]})


def test_the_pool_manager_holds_the_currencies_of_all_pools_and_ether(chain: Chain) -> None:
    net = chain.net
    first, second, third = sorted(chain.tokens[name] for name in ("DAI", "USDC", "LINK"))
    manager = uniswap_v4.deploy_uniswap_v4(net)
    net.mine()
    uniswap_v4.initialize(net, manager, NATIVE, first)
    net.mine()
    before = net.block_number()
    uniswap_v4.initialize(net, manager, first, second)
    uniswap_v4.initialize(net, manager, first, second, fee=500)
    for token, amount in ((first, 11), (second, 22), (third, 33)):
        net.send(token, "mint(address,uint256)", manager, amount)
    net.mine()
    net.rpc("anvil_setBalance", manager, hex(44))
    net.mine()
    params = {"pool_manager": manager}
    assert amounts(chain.read("uniswap_v4", params)) == {
        (NATIVE, manager): 44,
        (first, manager): 11,
        (second, manager): 22,
    }
    assert amounts(chain.read("uniswap_v4", params, before)) == {(NATIVE, manager): 0, (first, manager): 0}


# What follows runs on small contracts with the protocols' getters: their own are not published as packages.


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_liquidity_book_pairs_are_read_by_the_names_of_their_version(chain: Chain, version: str) -> None:
    net, dai, usdc, link = chain.net, *(chain.tokens[name] for name in ("DAI", "USDC", "LINK"))
    factory = net.deploy(own("LiquidityBookFactory"))
    pairs = [net.deploy(own("LiquidityBookPair"), x, y) for x, y in ((dai, usdc), (link, dai))]
    for i, pair in enumerate(pairs):
        net.send(pair, "setReserves(uint128,uint128)", 10 + i, 20 + i)
        net.send(factory, "add(address)", pair)
    net.mine()
    holdings = chain.read("trader_joe_lb", {"factory": factory, "version": version})
    expected = {(dai, pairs[0]): 10, (usdc, pairs[0]): 20, (link, pairs[1]): 11, (dai, pairs[1]): 21}
    assert amounts(holdings) == expected
    assert {h.receipt for h in holdings} == {None}
    listed = chain.read("trader_joe_lb", {"pairs": pairs[:1], "version": version})
    assert amounts(listed) == {key: amount for key, amount in expected.items() if key[1] == pairs[0]}


def test_curve_pools_are_read_through_a_registry_a_factory_and_by_themselves(chain: Chain) -> None:
    net, tokens = chain.net, [chain.tokens[name] for name in ("DAI", "USDC", "LINK", "WETH")]
    coins = [(ETHER, tokens[0]), tuple(tokens[:3]), tuple(tokens)]
    pools = [net.deploy(own("CurveLikePool"), list(c), [100 + i for i, _ in enumerate(c)]) for c in coins]
    registry, factory = net.deploy(own("CurveLikeRegistry")), net.deploy(own("CurveLikeFactory"))
    for pool in pools:
        net.send(registry, "add(address,address)", pool, tokens[3])
        net.send(factory, "add(address)", pool)
    net.mine()
    expected = {
        (NATIVE if coin == ETHER else coin, pool): 100 + i
        for pool, named in zip(pools, coins, strict=True)
        for i, coin in enumerate(named)
    }
    by = {
        "registry": chain.read("curve", {"factory": registry}),
        "factory": chain.read("curve", {"factory": factory}),
        "themselves": chain.read("curve", {"pools": pools}),
    }
    assert [amounts(holdings) for holdings in by.values()] == [expected] * 3
    assert {h.receipt for h in by["registry"]} == {tokens[3]}
    assert all(h.receipt == h.owner for h in by["factory"])


def test_izi_pools_are_counted_up_to_the_first_number_that_was_not_given(chain: Chain) -> None:
    net, dai, usdc = chain.net, chain.tokens["DAI"], chain.tokens["USDC"]
    manager, pools = net.deploy(own("IziLikeManager")), [f"0x{0xDEAD00 + i:040x}" for i in range(40)]
    for i, pool in enumerate(pools):
        if i == 1:
            net.mine()
            before = net.block_number()
        net.send(manager, "add(address,address,uint24,address)", dai, usdc, 100 + i, pool)
        net.send(dai, "mint(address,uint256)", pool, 10 + i)
        net.send(usdc, "mint(address,uint256)", pool, 1_000 + i)
    net.mine()
    params = {"liquidity_manager": manager}
    expected = {(dai, pool): 10 + i for i, pool in enumerate(pools)}
    expected |= {(usdc, pool): 1_000 + i for i, pool in enumerate(pools)}
    assert amounts(chain.read("iziswap", params)) == expected
    assert amounts(chain.read("iziswap", params, before)) == {(dai, pools[0]): 10, (usdc, pools[0]): 1_000}


def test_the_real_3pool_at_a_real_block_holds_what_it_says() -> None:
    """Mainnet's own code over its recorded storage; it reverts beyond its third coin."""
    with Anvil.from_fixture(THREE_POOL) as node:
        at = block(node.url, 16257471)
        params = parse_params("curve", {"pools": ["0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7"]})
        found = drive(adapter("curve").discover(params, [], 0, at), PlainAnswers(node.url, at))
        holdings = drive(adapter("curve").read(params, found, at), PlainAnswers(node.url, at))
    assert [(h.token, h.amount) for h in holdings] == [
        ("0x6b175474e89094c44da98b954eedeac495271d0f", 205700851982576042369065991),
        ("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 213221897984114),
        ("0xdac17f958d2ee523a2206206994597c13d831ec7", 193051001800522),
    ]


def test_pools_of_balancer_v3_are_found_behind_their_tree_of_settings(chain: Chain) -> None:
    net, dai, usdc = chain.net, chain.tokens["DAI"], chain.tokens["USDC"]
    vault, pool = net.deploy(own("BalancerV3LikeVault")), net.accounts[8]
    net.send(vault, "register(address,address[],uint256[])", pool, [dai, usdc], [7, 9])
    net.mine()
    assert amounts(chain.read("balancer_v3", {"vault": vault})) == {(dai, pool): 7, (usdc, pool): 9}
    assert amounts(chain.read("balancer_v3", {"vault": vault, "pools": [pool]})) == {(dai, pool): 7, (usdc, pool): 9}


def test_a_pool_of_balancer_v1_is_read_with_what_is_bound_at_the_block(chain: Chain) -> None:
    net, dai, usdc = chain.net, chain.tokens["DAI"], chain.tokens["USDC"]
    factory = net.deploy(own("BalancerV1LikeFactory"))
    pool = contract_address(factory, 1)
    net.send(factory, "newBPool()")
    net.send(pool, "bind(address,uint256)", dai, 5)
    net.mine()
    before = net.block_number()
    net.transact(pool, "bind(address,uint256)", usdc, 6)
    params = {"factory": factory}
    assert amounts(chain.read("balancer_v1", params, before)) == {(dai, pool): 5}
    assert amounts(chain.read("balancer_v1", params)) == {(dai, pool): 5, (usdc, pool): 6}


THREE_POOL = Path(__file__).parents[1] / "data" / "mainnet" / "16257471_post.json.gz"


async def test_pools_of_hostile_tokens_stop_nothing_and_are_never_zero_in_silence(chain: Chain) -> None:
    """Through the real reader: what a token does to a batch must not reach its neighbours."""
    net, dai, holder = chain.net, chain.tokens["DAI"], chain.net.accounts[2]
    hostile = deploy_hostile(net, holder)
    net.mine()
    factory = algebra.deploy_algebra(net)
    pools = {name: algebra.create_pool(net, factory, (dai, token), (1_000, 5)) for name, token in hostile.items()}
    net.rpc("anvil_setCode", hostile["UglyNameToken"], "0x")
    net.mine()
    params = {"factory": factory, "events": "algebra"}
    found = chain.find("uniswap_v3", params)
    at = block(net.url, net.block_number())
    async with Pool("devnet", int(net.rpc("eth_chainId"), 16), [Secret(net.url)]) as pool:
        plan = adapter("uniswap_v3").read(parse_params("uniswap_v3", params), found, at)
        holdings = (await rounds(Reader(pool, None), {"pools": plan}, at))["pools"]
    assert isinstance(holdings, list)
    assert {h.amount for h in holdings if h.token == dai} == {1_000}
    status = {name: next(h for h in holdings if h.token == token).status for name, token in hostile.items()}
    assert status == {
        **dict.fromkeys(pools, Status.OK),
        "EndlessToken": Status.HELD,
        "LongAnswerToken": Status.MALFORMED,
        "ShortAnswerToken": Status.MALFORMED,
        "RevertBombToken": Status.HELD,
        "GasBurnerToken": Status.HELD,
        "UglyNameToken": Status.MISSING,
    }
    assert {h.amount for h in holdings if h.status is not Status.OK} == {None}
