"""Scenes of `recipe` and the shipped recipes on a local chain: what stands, what reads it, what the contracts say.

Trader Joe's MasterChef, Uniswap's pairs and OpenZeppelin's vaults are their authors' own code. The others are small
contracts with the same getters and events (devnet/contracts/Recipes.sol), because nobody publishes them as a package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_hash.auto import keccak

from devnet.artifacts import own
from devnet.protocols import tokens as erc20
from devnet.protocols import trader_joe, uniswap_v2
from indexer.model import NATIVE
from tests.chain.lending_scenes import Place, Scene, give
from tests.chain.plain_calls import rpc

ETHER = 10**18


def chef(place: Place) -> Scene:
    """Staked in the pools: a plain token, a pair of plain tokens, a pair with the farm's own token, and that token."""
    net, alice = place.net, place.users[0]
    there, joe = trader_joe.deploy_chef(net)
    plain, paired = lp_token(place, place["WETH"], place["DAI"]), lp_token(place, place["WETH"], joe)
    staked = {place["DAI"]: 100 * ETHER, plain: 2 * ETHER, paired: 3 * ETHER, joe: 50 * ETHER}
    for pool, (token, amount) in enumerate(staked.items()):
        trader_joe.add_pool(net, there, token)
        trader_joe.stake(net, there, pool, token, amount, sender=alice)
    buckets = {joe: "staking", paired: "pool2"}
    expected = {(token, there, buckets.get(token, "base")): amount for token, amount in staked.items()}
    expected[joe, there, "staking"] = place.at().balance(joe, there)
    return Scene("masterchef", {"chef": there, "own": [joe]}, expected)


def farm(place: Place) -> Scene:
    """Two strategies, of which one keeps part of its tokens elsewhere."""
    net, elsewhere = place.net, place.net.accounts[8]
    there = net.deploy(own("MinimalFarm"))
    strategies = [net.deploy(own("MinimalStrategy"), place[s], elsewhere) for s in ("DAI", "LINK")]
    for symbol, strategy in zip(("DAI", "LINK"), strategies, strict=True):
        net.send(there, "add(address,address)", place[symbol], strategy)
    net.mine()
    give(place, "DAI", strategies[0], 70)
    give(place, "DAI", elsewhere, 30)
    give(place, "LINK", strategies[1], 5)
    expected = {
        (place["DAI"], strategies[0], "base"): 100 * ETHER,
        (place["LINK"], strategies[1], "base"): 5 * ETHER,
    }
    return Scene("masterchef_vaults", {"chef": there}, expected)


def perpetual_vault(place: Place) -> Scene:
    """A token that was taken off the whitelist and put on it again stands in the list twice."""
    there = place.net.deploy(own("MinimalPerpetualVault"))
    for symbol in ("WETH", "USDC", "WETH"):
        place.net.send(there, "whitelist(address)", place[symbol])
    place.net.mine()
    give(place, "WETH", there, 4)
    give(place, "USDC", there, 900)
    expected = {(place["WETH"], there, "base"): 4 * ETHER, (place["USDC"], there, "base"): 900 * 10**6}
    return Scene("gmx_v1", {"vault": there}, expected)


def perpetual_markets(place: Place) -> Scene:
    """Two markets, one of a single token; the emitter tells of other things too."""
    net, (first, second) = place.net, place.net.accounts[6:8]
    emitter = net.deploy(own("MinimalEventEmitter"))
    emit = "emitMarket(string,address,address,address,address)"
    net.send(emitter, emit, "MarketCreated", first, place["WETH"], place["WETH"], place["USDC"])
    net.send(emitter, emit, "OrderCreated", net.accounts[5], place["LINK"], place["LINK"], place["LINK"])
    net.send(emitter, emit, "MarketCreated", second, place["WBTC"], place["WBTC"], place["WBTC"])
    net.mine()
    give(place, "WETH", first, 3)
    give(place, "USDC", first, 5_000)
    give(place, "WBTC", second, 2)
    expected = {
        (place["WETH"], first, "base"): 3 * ETHER,
        (place["USDC"], first, "base"): 5_000 * 10**6,
        (place["WBTC"], second, "base"): 2 * 10**8,
    }
    return Scene("gmx_v2", {"event_emitter": emitter}, expected)


def getter_amounts(place: Place) -> Scene:
    """Two contracts that answer for a balance here and elsewhere, counted as another token each."""
    first, second = old_vaults(place)
    pairs = [{"contract": first, "token": place["USDT"]}, {"contract": second, "token": NATIVE}]
    ask = place.at()
    expected = {
        (place["USDT"], first, "borrowed"): ask(first, "totalAssets()(uint256)"),
        (NATIVE, second, "borrowed"): ask(second, "totalAssets()(uint256)"),
    }
    params = {"amounts": pairs, "call": "totalAssets()(uint256)", "bucket": "borrowed"}
    return Scene("getter_amounts", params, expected)


def getter_vaults(place: Place) -> Scene:
    vaults = old_vaults(place)
    return Scene("getter_vaults", {"vaults": vaults}, in_old_vaults(place, vaults))


def beefy(place: Place) -> Scene:
    vaults = old_vaults(place)
    return Scene("beefy", {"vaults": vaults}, in_old_vaults(place, vaults))


def yearn_registry(place: Place) -> Scene:
    """Two vaults of one token and one of another."""
    net = place.net
    registry = net.deploy(own("MinimalVaultRegistry"))
    vaults = [*old_vaults(place), net.deploy(own("MinimalOldVault"), place["DAI"], net.accounts[7])]
    for vault, symbol in zip(vaults, ("DAI", "LINK", "DAI"), strict=True):
        net.send(registry, "add(address,address)", place[symbol], vault)
    net.mine()
    give(place, "DAI", vaults[2], 1)
    expected = {**in_old_vaults(place, vaults[:2]), (place["DAI"], vaults[2], "base"): ETHER}
    return Scene("yearn_v2", {"registry": registry}, expected)


def factory_vaults(place: Place, kind: str = "erc4626_factory") -> Scene:
    """Two vaults of a factory, with deposits and a gift."""
    factory = place.net.deploy(own("MinimalVaultFactory"))
    for symbol in ("DAI", "USDC"):
        place.net.send(factory, "yearn(address)", place[symbol])
    place.net.mine()
    vaults = told_of(place, factory, "NewVault(address,address)", 1)
    expected = filled(place, dict(zip(vaults, ("DAI", "USDC"), strict=True)))
    event = {"event": "NewVault(address indexed vault, address indexed asset)"} if kind == "erc4626_factory" else {}
    return Scene(kind, {"factories": [factory], **event}, expected)


def yearn_v3(place: Place) -> Scene:
    return factory_vaults(place, "yearn_v3")


def curator(place: Place) -> Scene:
    """One vault by address, and of each factory one of the curator and one of somebody else."""
    net, (curator_, other) = place.net, place.net.accounts[6:8]
    factory = net.deploy(own("MinimalVaultFactory"))
    for way in ("morpho", "morphoV2", "euler"):
        net.send(factory, f"{way}(address,address)", place["DAI"], curator_)
        net.send(factory, f"{way}(address,address)", place["USDC"], other)
    listed = net.deploy(own("Vault"), place["WETH"], "listed", "l")
    net.mine()
    event = "CreateMetaMorpho(address,address,address,uint256,address,string,string,bytes32)"
    first = told_of(place, factory, event, 1)[0]
    second = told_of(place, factory, "CreateVaultV2(address,address,bytes32,address)", 3)[0]
    third = place.at()(factory, "proxyList(uint256)(address)", 0)
    expected = filled(place, {listed: "WETH", first: "DAI", second: "DAI", third: "DAI"})
    factories = {f"{name}_factories": [factory] for name in ("morpho", "morpho_v2", "euler")}
    owners = {f"{name}_owners": [curator_] for name in ("morpho", "morpho_v2", "euler")}
    return Scene("curator", {"vaults": [listed], **factories, **owners}, expected)


def boring_vault(place: Place) -> Scene:
    """A share of 18 decimals at 1.25 base assets of 6."""
    net = place.net
    share = net.deploy(own("TestToken"), "share", "bvUSDC", 18)
    accountant, lens = net.deploy(own("MinimalAccountant"), place["USDC"]), net.deploy(own("MinimalLens"))
    net.send(share, "mint(address,uint256)", place.users[0], 1_000 * ETHER)
    net.send(accountant, "report(uint256)", 1_250_000)
    net.mine()
    vaults = [{"vault": share, "accountant": accountant, "lens": lens}]
    return Scene("boring_vault", {"vaults": vaults}, {(place["USDC"], share, "base"): 1_250 * 10**6})


def pendle(place: Place) -> Scene:
    """Two markets of one SY, and one of another."""
    net = place.net
    factory = net.deploy(own("MinimalMarketFactory"))
    yields = [net.deploy(own("MinimalYieldToken"), place[s]) for s in ("DAI", "LINK")]
    for sy in (yields[0], yields[0], yields[1]):
        net.send(factory, "create(address)", sy)
    net.mine()
    give(place, "DAI", yields[0], 12)
    give(place, "LINK", yields[1], 7)
    expected = {(place["DAI"], yields[0], "base"): 12 * ETHER, (place["LINK"], yields[1], "base"): 7 * ETHER}
    return Scene("pendle", {"factories": [factory]}, expected)


def token_supply(place: Place) -> Scene:
    tokens = [place["USDC"], place["LINK"]]
    expected = {(token, token, "base"): place.at()(token, "totalSupply()(uint256)") for token in tokens}
    return Scene("token_supply", {"tokens": tokens}, expected)


def token_supply_as(place: Place) -> Scene:
    """Two wrappers of one token."""
    net = place.net
    wrappers = [net.deploy(own("TestToken"), "wrapper", f"w{i}", 6) for i in range(2)]
    for i, wrapper in enumerate(wrappers, 1):
        net.send(wrapper, "mint(address,uint256)", place.users[0], i * 10**6)
    net.mine()
    pairs = [{"supply_of": wrapper, "token": place["USDC"]} for wrapper in wrappers]
    expected = {(place["USDC"], wrapper, "base"): i * 10**6 for i, wrapper in enumerate(wrappers, 1)}
    return Scene("token_supply_as", {"tokens": pairs}, expected)


def lido(place: Place) -> Scene:
    """Lido's own contract is tested at mainnet's state; here it is the ether that was submitted."""
    there = place.net.deploy(own("MinimalPooledEther"))
    place.net.mine()
    place.net.transact(there, "submit()", value=9 * ETHER)
    return Scene("lido", {"steth": there}, {(NATIVE, there, "base"): 9 * ETHER})


def rocket_pool(place: Place) -> Scene:
    """The contract of the balances is replaced, as an upgrade of the network does."""
    net, reth = place.net, place["LINK"]
    storage = net.deploy(own("MinimalRocketStorage"))
    for total in (5, 7):
        balances = net.deploy(own("MinimalRocketBalances"))
        net.send(balances, "report(uint256)", total * ETHER)
        net.send(storage, "set(string,address)", "rocketNetworkBalances", balances)
    net.mine()
    return Scene("rocket_pool", {"storage": storage, "reth": reth}, {(NATIVE, reth, "base"): 7 * ETHER})


def eigenlayer(place: Place) -> Scene:
    manager = place.net.deploy(own("MinimalStrategyManager"))
    for symbol in ("WETH", "LINK"):
        place.net.send(manager, "add(address)", place[symbol])
    place.net.mine()
    raw = logs_of(place, manager, "StrategyAddedToDepositWhitelist(address)")
    weth, link = ("0x" + log["data"][-40:] for log in raw)
    give(place, "WETH", weth, 8)
    expected = {(place["WETH"], weth, "base"): 8 * ETHER, (place["LINK"], link, "base"): 0}
    return Scene("eigenlayer", {"strategy_manager": manager}, expected)


def liquity(place: Place) -> Scene:
    """A manager of ether and one of a token; what was liquidated lies in the default pool."""
    net, pools = place.net, place.net.accounts[6:9]
    first = net.deploy(own("MinimalTroveManager"), pools[0], pools[1])
    second = net.deploy(own("MinimalTroveManager"), pools[2], pools[1])
    net.mine()
    give(place, "LINK", pools[2], 20)
    give(place, "LINK", pools[1], 3)
    troves = [{"trove_manager": first, "token": NATIVE}, {"trove_manager": second, "token": place["LINK"]}]
    ether = {(NATIVE, pool, "base"): place.at().ether(pool) for pool in pools[:2]}
    link = {(place["LINK"], pools[2], "base"): 20 * ETHER, (place["LINK"], pools[1], "base"): 3 * ETHER}
    return Scene("liquity_v1", {"troves": troves}, {**ether, **link})


def bold(place: Place) -> Scene:
    """Two branches, of one token each."""
    net, defaults = place.net, place.net.accounts[7:9]
    registry, expected = net.deploy(own("MinimalCollateralRegistry")), {}
    for symbol, default, whole in (("WETH", defaults[0], 6), ("LINK", defaults[1], 9)):
        active = net.deploy(own("MinimalActivePool"), place[symbol], default)
        net.send(registry, "add(address)", net.deploy(own("MinimalTroveManager"), active, default))
        net.mine()
        give(place, symbol, active, whole)
        give(place, symbol, default, 1)
        expected |= {(place[symbol], active, "base"): whole * ETHER, (place[symbol], default, "base"): ETHER}
    return Scene("liquity_v2", {"registries": [registry]}, expected)


def maker(place: Place) -> Scene:
    """Two ilks of one token in one join, and one of another."""
    net, joins = place.net, place.net.accounts[6:8]
    registry = net.deploy(own("MinimalIlkRegistry"))
    for name, join, symbol in (("ETH-A", 0, "WETH"), ("ETH-B", 0, "WETH"), ("LINK-A", 1, "LINK")):
        ilk = name.encode().ljust(32, b"\0")
        net.send(registry, "put(bytes32,address,address)", ilk, joins[join], place[symbol])
    net.mine()
    give(place, "WETH", joins[0], 5)
    give(place, "LINK", joins[1], 2)
    expected = {(place["WETH"], joins[0], "base"): 5 * ETHER, (place["LINK"], joins[1], "base"): 2 * ETHER}
    return Scene("maker", {"registry": registry}, expected)


def recipe(place: Place) -> Scene:
    """In one recipe: vaults by an event, what each names, and what a factory lists by index."""
    factory = place.net.deploy(own("MinimalVaultFactory"))
    place.net.send(factory, "yearn(address)", place["DAI"])
    place.net.send(factory, "euler(address,address)", place["USDC"], place.users[0])
    place.net.mine()
    (made,), listed = (
        told_of(place, factory, "NewVault(address,address)", 1),
        place.at()(factory, "proxyList(uint256)(address)", 0),
    )
    expected = filled(place, {made: "DAI", listed: "USDC"})
    steps = [
        {"name": "new", "on": "factory", "event": "NewVault(address indexed vault, address indexed asset)"},
        {
            "name": "listed",
            "on": "factory",
            "count": "getProxyListLength()(uint256)",
            "item": "proxyList(uint256)(address)",
        },
        {"name": "vault", "same_as": "new.vault"},
        {"name": "vault", "same_as": "listed"},
        {"name": "asset", "on": "vault", "get": "asset()(address)"},
    ]
    holdings = [{"token": "asset", "owner": "vault", "receipt": "vault"}]
    return Scene("recipe", {"contracts": {"factory": factory}, "steps": steps, "holdings": holdings}, expected)


SCENES: dict[str, Callable[[Place], Scene]] = {
    "beefy": beefy,
    "boring_vault": boring_vault,
    "curator": curator,
    "eigenlayer": eigenlayer,
    "erc4626_factory": factory_vaults,
    "getter_amounts": getter_amounts,
    "getter_vaults": getter_vaults,
    "gmx_v1": perpetual_vault,
    "gmx_v2": perpetual_markets,
    "lido": lido,
    "liquity_v1": liquity,
    "liquity_v2": bold,
    "maker": maker,
    "masterchef": chef,
    "masterchef_vaults": farm,
    "pendle": pendle,
    "recipe": recipe,
    "rocket_pool": rocket_pool,
    "token_supply": token_supply,
    "token_supply_as": token_supply_as,
    "yearn_v2": yearn_registry,
    "yearn_v3": yearn_v3,
}


def lp_token(place: Place, one: str, other: str) -> str:
    """A pair of Uniswap V2 with liquidity of the first user, whose are all LP tokens."""
    net, alice = place.net, place.users[0]
    factory, router = uniswap_v2.deploy_uniswap_v2(net, place["WETH"])
    erc20.approve(net, [one, other], [alice], router)
    net.mine()
    uniswap_v2.add_liquidity(net, router, (one, other), (10 * ETHER, 10 * ETHER), sender=alice)
    net.mine()
    return str(net.call(factory, "getPair(address,address)(address)", one, other))


def old_vaults(place: Place) -> list[str]:
    """A vault that keeps part of its DAI in a strategy, and one with all its LINK at hand."""
    net, strategy = place.net, place.net.accounts[8]
    vaults = [net.deploy(own("MinimalOldVault"), place[s], strategy) for s in ("DAI", "LINK")]
    net.mine()
    give(place, "DAI", vaults[0], 40)
    give(place, "DAI", strategy, 2)
    give(place, "LINK", vaults[1], 6)
    return vaults


def in_old_vaults(place: Place, vaults: list[str]) -> dict[tuple[str, str, str], int]:
    dai, link = vaults
    return {(place["DAI"], dai, "base"): 42 * ETHER, (place["LINK"], link, "base"): 6 * ETHER}


def filled(place: Place, vaults: dict[str, str]) -> dict[tuple[str, str, str], int]:
    """Each vault with a deposit and a gift of its asset."""
    alice, expected = place.users[0], {}
    for i, (vault, symbol) in enumerate(vaults.items(), 1):
        unit = 10 ** place.tokens[symbol].decimals
        place.net.transact(place[symbol], "approve(address,uint256)", vault, 10 * i * unit, sender=alice)
        place.net.transact(vault, "deposit(uint256,address)", 10 * i * unit, alice, sender=alice)
        give(place, symbol, vault, 1)
        expected[place[symbol], vault, "base"] = (10 * i + 1) * unit
    return expected


def told_of(place: Place, emitter: str, event: str, topic: int) -> list[str]:
    """The addresses in a topic of a contract's logs."""
    return ["0x" + log["topics"][topic][-40:] for log in logs_of(place, emitter, event)]


def logs_of(place: Place, emitter: str, event: str) -> list[Any]:
    query = {"address": emitter, "fromBlock": "0x0", "topics": ["0x" + keccak(event.encode()).hex()]}
    return list(rpc(place.net.url, "eth_getLogs", query))
