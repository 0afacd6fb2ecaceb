"""Puts an escrow contract on a devnet and fills it, and a plain custodian account, with ether and tokens."""

from __future__ import annotations

from collections.abc import Mapping

from devnet.addresses import Token
from devnet.artifacts import own
from devnet.chain import Devnet

HOLDINGS = {"USDC": 750_000, "WBTC": 12, "LINK": 40_000, "WETH": 150}
ETHER = 50 * 10**18


def deploy_escrow(net: Devnet) -> str:
    return net.deploy(own("Escrow"))


def fill(net: Devnet, tokens: Mapping[str, Token], holder: str, giver: str) -> None:
    """Send ether and tokens of `giver` to `holder`."""
    net.send(holder, "", value=ETHER, sender=giver)
    for symbol, whole in HOLDINGS.items():
        amount = whole * 10 ** tokens[symbol].decimals
        net.send(tokens[symbol].address, "transfer(address,uint256)", holder, amount, sender=giver)
