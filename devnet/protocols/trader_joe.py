"""Puts Trader Joe's MasterChef on a devnet, as its authors published it: a farm whose pools hold staked tokens."""

from __future__ import annotations

from devnet.artifacts import published
from devnet.chain import Devnet

_PACKAGE = "@traderjoe-xyz/core/artifacts/contracts"
_SHARES = (200, 200, 100)  # of the rewards, in thousandths: developers, treasury, investors


def deploy_chef(net: Devnet) -> tuple[str, str]:
    """The MasterChef and the token that it mints as reward; mines."""
    joe = net.deploy(published(f"{_PACKAGE}/JoeToken.sol/JoeToken.json"))
    someone, start = net.accounts[9], 0
    chef = net.deploy(
        published(f"{_PACKAGE}/MasterChefJoeV2.sol/MasterChefJoeV2.json"),
        *(joe, someone, someone, someone),
        *(10**18, start, *_SHARES),
    )
    net.send(joe, "mint(address,uint256)", net.accounts[1], 10**24)
    net.send(joe, "transferOwnership(address)", chef)
    net.mine()
    return chef, joe


def add_pool(net: Devnet, chef: str, token: str) -> None:
    net.transact(chef, "add(uint256,address,address)", 100, token, "0x" + "00" * 20)


def stake(net: Devnet, chef: str, pool: int, token: str, amount: int, *, sender: str) -> None:
    net.transact(token, "approve(address,uint256)", chef, amount, sender=sender)
    net.transact(chef, "deposit(uint256,uint256)", pool, amount, sender=sender)
