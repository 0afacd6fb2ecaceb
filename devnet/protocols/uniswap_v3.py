"""Puts Uniswap V3 on a devnet: the published factory, position manager and swap router, and seeded pools."""

from __future__ import annotations

import math
from collections.abc import Mapping

from devnet.addresses import Token, UniswapV3
from devnet.artifacts import published
from devnet.chain import Devnet

PoolKey = tuple[str, str, int]  # token0, token1 and fee; of a route: sold, bought and fee

# the two sides of each pool (symbol and whole tokens) and the fee in hundredths of a basis point
POOLS = (
    (("WETH", 3_000), ("USDC", 6_000_000), 500),
    (("WBTC", 50), ("WETH", 1_000), 3000),
    (("USDC", 2_000_000), ("DAI", 2_000_000), 100),
    (("LINK", 100_000), ("WETH", 750), 3000),
)
TICK_SPACING = {100: 1, 500: 10, 3000: 60}
MAX_TICK = 887_272
DEADLINE = 2**63
_MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
_SWAP = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"


def deploy_uniswap_v3(net: Devnet, weth: str) -> tuple[str, str, str]:
    """The factory (with the 0.01% fee that mainnet's governance added), position manager and swap router."""
    core = "@uniswap/v3-core/artifacts/contracts"
    factory = net.deploy(published(f"{core}/UniswapV3Factory.sol/UniswapV3Factory.json"))
    net.send(factory, "enableFeeAmount(uint24,int24)", 100, TICK_SPACING[100])
    periphery = "@uniswap/v3-periphery/artifacts/contracts"
    no_descriptor = "0x" + "00" * 20
    manager = net.deploy(
        published(f"{periphery}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"),
        factory,
        weth,
        no_descriptor,
    )
    router = net.deploy(published(f"{periphery}/SwapRouter.sol/SwapRouter.json"), factory, weth)
    return factory, manager, router


def seed_pools(net: Devnet, tokens: Mapping[str, Token], contracts: tuple[str, str, str], provider: str) -> UniswapV3:
    """Create the pools with full-range liquidity of `provider`, which has approved the position manager."""
    factory, manager, router = contracts
    pools: dict[str, str] = {}
    for (symbol_a, whole_a), (symbol_b, whole_b), fee in POOLS:
        sides = ((tokens[symbol_a], whole_a), (tokens[symbol_b], whole_b))
        (token0, whole0), (token1, whole1) = sorted(sides, key=lambda side: side[0].address)
        amounts = (whole0 * 10**token0.decimals, whole1 * 10**token1.decimals)
        key = (token0.address, token1.address, fee)
        _create(net, manager, key, amounts)
        mint(net, manager, key, full_range(fee), amounts, sender=provider)
        net.mine()
        found = net.call(factory, "getPool(address,address,uint24)(address)", *key)
        pools[f"{token0.symbol}/{token1.symbol}/{fee}"] = found
    return UniswapV3(factory, manager, router, pools)


def full_range(fee: int) -> tuple[int, int]:
    edge = MAX_TICK // TICK_SPACING[fee] * TICK_SPACING[fee]
    return -edge, edge


def around(tick: int, fee: int, width: int) -> tuple[int, int]:
    """A range of `width` tick spacings on both sides of `tick`."""
    spacing = TICK_SPACING[fee]
    centre = tick // spacing * spacing
    return centre - width * spacing, centre + width * spacing


def mint(
    net: Devnet, manager: str, key: PoolKey, ticks: tuple[int, int], amounts: tuple[int, int], *, sender: str
) -> None:
    """Open a position with at most `amounts` of the two tokens."""
    net.send(manager, _MINT, (*key, *ticks, *amounts, 0, 0, sender, DEADLINE), sender=sender)


def burn(net: Devnet, manager: str, position: int, liquidity: int, *, sender: str) -> None:
    """Take liquidity out of a position, and collect it with its fees."""
    net.send(
        manager,
        "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))",
        (position, liquidity, 0, 0, DEADLINE),
        sender=sender,
    )
    everything = (position, sender, 2**128 - 1, 2**128 - 1)
    net.send(manager, "collect((uint256,address,uint128,uint128))", everything, sender=sender)


def swap(net: Devnet, router: str, route: PoolKey, amount_in: int, *, sender: str) -> None:
    """Sell exactly `amount_in` of the route's first token for its second."""
    net.send(router, _SWAP, (*route, sender, DEADLINE, amount_in, 0, 0), sender=sender)


def _create(net: Devnet, manager: str, key: PoolKey, amounts: tuple[int, int]) -> None:
    sqrt_price_x96 = math.isqrt((amounts[1] << 192) // amounts[0])
    net.send(
        manager,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        *key,
        sqrt_price_x96,
        gas=8_000_000,
    )
