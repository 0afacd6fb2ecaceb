"""Puts the canonical Multicall3 at the address it has on every chain.
Source: its creation code as viem publishes it; the address is that of github.com/mds1/multicall."""

from __future__ import annotations

from devnet.anvil import Anvil
from devnet.artifacts import own

MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"


def place_multicall3(net: Anvil) -> str:
    """Run the creation code without creating anything, and put what it returns at the canonical address."""
    runtime = net.rpc("eth_call", {"data": own("Multicall3").creation((), {})}, "latest")
    net.rpc("anvil_setCode", MULTICALL3, runtime)
    return MULTICALL3
