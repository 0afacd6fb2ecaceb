"""Puts Uniswap V2 on a devnet: published factory and router, pairs seeded at the feeds' opening prices."""

from __future__ import annotations

from collections.abc import Mapping

from devnet.addresses import Token, UniswapV2
from devnet.artifacts import published
from devnet.chain import Devnet

# the two sides of each pair: symbol and whole tokens
PAIRS = (
    (("WETH", 5_000), ("USDC", 10_000_000)),
    (("WETH", 2_000), ("DAI", 4_000_000)),
    (("WBTC", 100), ("WETH", 2_000)),
    (("LINK", 200_000), ("WETH", 1_500)),
    (("USDC", 3_000_000), ("USDT", 3_000_000)),
    (("SCAM", 10**9), ("WETH", 2)),
)
DEADLINE = 2**63


def deploy_uniswap_v2(net: Devnet, weth: str) -> tuple[str, str]:
    """The factory and the router."""
    factory = net.deploy(published("@uniswap/v2-core/build/UniswapV2Factory.json"), net.accounts[0])
    router = net.deploy(published("@uniswap/v2-periphery/build/UniswapV2Router02.json"), factory, weth)
    return factory, router


def seed_pairs(net: Devnet, tokens: Mapping[str, Token], factory: str, router: str, provider: str) -> UniswapV2:
    """Create the pairs with liquidity of `provider`, which has approved the router."""
    for (symbol_a, whole_a), (symbol_b, whole_b) in PAIRS:
        a, b = tokens[symbol_a], tokens[symbol_b]
        amounts = (whole_a * 10**a.decimals, whole_b * 10**b.decimals)
        add_liquidity(net, router, (a.address, b.address), amounts, sender=provider)
    net.mine()
    pairs = {
        pair_name(tokens[a], tokens[b]): net.call(
            factory, "getPair(address,address)(address)", tokens[a].address, tokens[b].address
        )
        for (a, _), (b, _) in PAIRS
    }
    return UniswapV2(factory, router, pairs)


def pair_name(a: Token, b: Token) -> str:
    """The symbols in the order of their addresses, which is how Uniswap orders token0 and token1."""
    return "/".join(token.symbol for token in sorted((a, b), key=lambda token: token.address))


def add_liquidity(net: Devnet, router: str, tokens: tuple[str, str], amounts: tuple[int, int], *, sender: str) -> None:
    net.send(
        router,
        "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
        *tokens,
        *amounts,
        0,
        0,
        sender,
        DEADLINE,
        sender=sender,
    )


def remove_liquidity(net: Devnet, router: str, tokens: tuple[str, str], shares: int, *, sender: str) -> None:
    net.send(
        router,
        "removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)",
        *tokens,
        shares,
        0,
        0,
        sender,
        DEADLINE,
        sender=sender,
    )


def swap(net: Devnet, router: str, token_in: str, token_out: str, amount_in: int, *, sender: str) -> None:
    net.send(
        router,
        "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
        amount_in,
        0,
        [token_in, token_out],
        sender,
        DEADLINE,
        sender=sender,
    )
