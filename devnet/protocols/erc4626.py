"""Puts OpenZeppelin ERC-4626 vaults on a devnet: plain, with offset shares, and nested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devnet.addresses import Token, Vault
from devnet.artifacts import own
from devnet.chain import Devnet
from devnet.protocols.tokens import approve

OFFSET = 6
# whole tokens that each user deposits at the start
OPENING = {"vUSDC": ("USDC", 1_000_000), "vDAI": ("DAI", 500_000), "vWETH": ("WETH", 200)}
NESTED = "vvUSDC"
NESTED_OPENING = 250_000 * 10**6


def deploy_vaults(net: Devnet, tokens: Mapping[str, Token]) -> dict[str, Vault]:
    """vUSDC and vDAI are plain, vWETH has six more share decimals, vvUSDC holds shares of vUSDC."""
    vaults = {
        "vUSDC": _deploy(net, "vUSDC", tokens["USDC"], 0),
        "vDAI": _deploy(net, "vDAI", tokens["DAI"], 0),
        "vWETH": _deploy(net, "vWETH", tokens["WETH"], OFFSET),
    }
    shares = Token("vUSDC", vaults["vUSDC"].address, vaults["vUSDC"].decimals)
    return vaults | {NESTED: _deploy(net, NESTED, shares, 0)}


def seed_vaults(net: Devnet, tokens: Mapping[str, Token], vaults: Mapping[str, Vault], users: Sequence[str]) -> None:
    for vault in vaults.values():
        approve(net, [vault.asset_address], users, vault.address)
    for user in users:
        for name, (symbol, whole) in OPENING.items():
            deposit(net, vaults[name].address, whole * 10 ** tokens[symbol].decimals, sender=user)
        deposit(net, vaults[NESTED].address, NESTED_OPENING, sender=user)


def deposit(net: Devnet, vault: str, assets: int, *, sender: str) -> None:
    net.send(vault, "deposit(uint256,address)", assets, sender, sender=sender)


def redeem(net: Devnet, vault: str, shares: int, *, sender: str) -> None:
    net.send(vault, "redeem(uint256,address,address)", shares, sender, sender, sender=sender)


def donate(net: Devnet, vault: Vault, assets: int, *, sender: str) -> None:
    """Yield: assets come in and no shares go out."""
    net.send(vault.asset_address, "transfer(address,uint256)", vault.address, assets, sender=sender)


def _deploy(net: Devnet, symbol: str, asset: Token, offset: int) -> Vault:
    name = f"{asset.symbol} Vault"
    if offset:
        address = net.deploy(own("OffsetVault"), asset.address, name, symbol, offset)
    else:
        address = net.deploy(own("Vault"), asset.address, name, symbol)
    return Vault(address, asset.symbol, asset.address, asset.decimals + offset)
