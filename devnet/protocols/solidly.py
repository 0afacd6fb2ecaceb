"""Puts pools with Solidly's curves on a devnet; the contract is our own, for theirs is not to be had from npm."""

from __future__ import annotations

from devnet.artifacts import own
from devnet.chain import Devnet


def create_pool(net: Devnet, tokens: tuple[str, str], *, stable: bool) -> str:
    """An empty pool of two tokens."""
    return net.deploy(own("SolidlyPool"), *tokens, stable)


def add_liquidity(net: Devnet, pool: str, tokens: tuple[str, str], amounts: tuple[int, int], *, sender: str) -> None:
    """Send both tokens, then take the shares for them, in the next block."""
    for token, amount in zip(tokens, amounts, strict=True):
        net.send(token, "transfer(address,uint256)", pool, amount, sender=sender)
    net.send(pool, "mint(address)", sender, sender=sender)


def swap(net: Devnet, pool: str, paid: tuple[str, int], out: tuple[int, int], *, sender: str) -> None:
    """Pay one token and take `out` of token0 and token1, in the next block; it reverts where the curve is not kept."""
    token, amount = paid
    net.send(token, "transfer(address,uint256)", pool, amount, sender=sender)
    net.send(pool, "swap(uint256,uint256,address)", *out, sender, sender=sender)
