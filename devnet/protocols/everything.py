"""Puts every protocol on a devnet, in the same order at every run, funds the users and seeds what stands.
The same chain comes out every time: same addresses, same block hashes."""

from __future__ import annotations

from collections.abc import Sequence

from devnet.addresses import Addresses, Token
from devnet.chain import Devnet
from devnet.protocols import aave_v3, chainlink, erc4626, escrow, multicall3, uniswap_v2, uniswap_v3
from devnet.protocols import tokens as erc20


def deploy_protocols(net: Devnet) -> Addresses:
    """Deploy and fund everything on a fresh devnet of at least eight accounts; some twenty blocks.

    accounts[0] deploys, [1] to [5] are users, [6] is the custodian, [7] Aave's treasury.
    """
    users = net.accounts[1:6]
    multicall = multicall3.place_multicall3(net)
    tokens = erc20.deploy_tokens(net)
    feeds = chainlink.deploy_feeds(net)
    vault_escrow = escrow.deploy_escrow(net)
    v2_contracts = uniswap_v2.deploy_uniswap_v2(net, tokens["WETH"].address)
    net.mine()
    v3_contracts = uniswap_v3.deploy_uniswap_v3(net, tokens["WETH"].address)
    vaults = erc4626.deploy_vaults(net, tokens)
    net.mine()
    aave = aave_v3.deploy_aave_v3(net, tokens, feeds, net.accounts[7])
    hostile = erc20.deploy_hostile(net, vault_escrow)
    net.mine()
    _fund(net, tokens, users, (v2_contracts[1], v3_contracts[1], v3_contracts[2], aave.pool))
    v2 = uniswap_v2.seed_pairs(net, tokens, *v2_contracts, users[0])
    v3 = uniswap_v3.seed_pools(net, tokens, v3_contracts, users[0])
    erc4626.seed_vaults(net, tokens, vaults, users)
    net.mine()
    aave_v3.seed_market(net, tokens, aave, users)
    for holder in (vault_escrow, net.accounts[6]):
        escrow.fill(net, tokens, holder, users[0])
    net.mine()
    return Addresses(
        chain_id=int(net.rpc("eth_chainId"), 16),
        ready_block=net.block_number(),
        multicall3=multicall,
        deployer=net.accounts[0],
        users=tuple(users),
        tokens=tokens,
        hostile_tokens=hostile,
        feeds=feeds,
        uniswap_v2=v2,
        uniswap_v3=v3,
        vaults=vaults,
        aave=aave,
        escrow=vault_escrow,
        custodian=net.accounts[6],
    )


def _fund(net: Devnet, tokens: dict[str, Token], users: Sequence[str], spenders: Sequence[str]) -> None:
    erc20.fund(net, tokens, users)
    net.mine()
    addresses = [token.address for token in tokens.values()]
    for spender in spenders:
        erc20.approve(net, addresses, users, spender)
    net.mine()
