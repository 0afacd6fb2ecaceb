"""Puts Algebra (QuickSwap's and Camelot's V3) on a devnet: the published factory, and pools that hold tokens."""

from __future__ import annotations

from collections.abc import Sequence

from devnet.artifacts import published
from devnet.chain import Devnet, contract_address

CORE = "@cryptoalgebra/core/artifacts/contracts"
CREATE_GAS = 12_000_000


def deploy_algebra(net: Devnet) -> str:
    """The factory. It and the deployer of its pools name each other, and its first child is the community's vault."""
    sender = net.accounts[0]
    nonce = int(net.rpc("eth_getTransactionCount", sender, "pending"), 16)
    factory = contract_address(sender, nonce + 1)
    vault = contract_address(factory, 1)
    deployer = net.deploy(published(f"{CORE}/AlgebraPoolDeployer.sol/AlgebraPoolDeployer.json"), factory, vault)
    return net.deploy(published(f"{CORE}/AlgebraFactory.sol/AlgebraFactory.json"), deployer)


def create_pool(net: Devnet, factory: str, tokens: Sequence[str], amounts: Sequence[int]) -> str:
    """A pool of two mintable tokens, given `amounts` of them; it stands in the block that this mines."""
    net.send(factory, "createPool(address,address)", *tokens, gas=CREATE_GAS)
    net.mine()
    pool = str(net.call(factory, "poolByPair(address,address)(address)", *tokens))
    for token, amount in zip(tokens, amounts, strict=True):
        net.send(token, "mint(address,uint256)", pool, amount)
    net.mine()
    return pool
