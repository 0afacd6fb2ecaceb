"""Puts Uniswap V4 on a devnet: the published PoolManager, and pools without hooks."""

from __future__ import annotations

from devnet.artifacts import published
from devnet.chain import Devnet

NO_HOOKS = "0x" + "00" * 20
ONE = 2**96


def deploy_uniswap_v4(net: Devnet) -> str:
    """The PoolManager."""
    return net.deploy(published("@uniswap/v4-core/out/PoolManager.sol/PoolManager.json"), net.accounts[0])


def initialize(net: Devnet, manager: str, currency0: str, currency1: str, fee: int = 3000) -> None:
    """A pool at the price of one, in the next block. The currencies are in the order of their addresses."""
    key = (currency0, currency1, fee, 60, NO_HOOKS)
    net.send(manager, "initialize((address,address,uint24,int24,address),uint160)", key, ONE)
