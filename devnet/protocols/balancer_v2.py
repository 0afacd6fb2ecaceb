"""Puts Balancer V2 on a devnet: the published Vault, and weighted and composable stable pools joined by a provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_hash.auto import keccak

from devnet.artifacts import Artifact, published
from devnet.chain import Devnet

TASKS = "@balancer-labs/v2-deployments/dist/tasks"
DAY_S = 86_400
FEE = 10**16
NOBODY = "0x" + "00" * 20
MOST = 2**256 - 1
_REGISTERED = "0x" + keccak(b"PoolRegistered(bytes32,address,uint8)").hex()


@dataclass(frozen=True, slots=True)
class BalancerV2:
    """The Vault and the two factories."""

    vault: str
    weighted_factory: str
    stable_factory: str


def deploy_balancer_v2(net: Devnet, weth: str) -> BalancerV2:
    authorizer = net.deploy(_artifact("20210418-authorizer/artifact/Authorizer"), net.accounts[0])
    vault = net.deploy(_artifact("20210418-vault/artifact/Vault"), authorizer, weth, 90 * DAY_S, 30 * DAY_S)
    fees = net.deploy(
        _artifact("20220725-protocol-fee-percentages-provider/artifact/ProtocolFeePercentagesProvider"),
        *(vault, 10**18, 10**18),
    )
    net.mine()
    weighted = net.deploy(_artifact("deprecated/20210418-weighted-pool/artifact/WeightedPoolFactory"), vault)
    net.mine()
    stable = net.deploy(
        _artifact("20230206-composable-stable-pool-v3/artifact/ComposableStablePoolFactory"), vault, fees, "1", "1"
    )
    net.mine()
    return BalancerV2(vault, weighted, stable)


def create_weighted(net: Devnet, there: BalancerV2, tokens: Sequence[str], weights: Sequence[int]) -> str:
    """The id of a new pool of tokens in the order of their addresses; weights of 18 decimals add up to 1."""
    signature = "create(string,string,address[],uint256[],uint256,address)"
    net.send(
        there.weighted_factory, signature, "Weighted", "WP", list(tokens), list(weights), FEE, NOBODY, gas=12_000_000
    )
    return _created(net, there)


def create_stable(net: Devnet, there: BalancerV2, tokens: Sequence[str]) -> str:
    """The id of a new composable stable pool, whose own share is one of its tokens."""
    signature = "create(string,string,address[],uint256,address[],uint256[],bool[],uint256,address)"
    count = len(tokens)
    rates, flags = [NOBODY] * count, [False] * count
    settings = (200, rates, [0] * count, flags, FEE, NOBODY)
    net.send(there.stable_factory, signature, "Stable", "SP", list(tokens), *settings, gas=16_000_000)
    return _created(net, there)


def join(net: Devnet, there: BalancerV2, pool_id: str, amounts: Sequence[int], *, sender: str) -> None:
    """The first join of a pool: `amounts` of the Vault's tokens of the pool, in their order."""
    key = bytes.fromhex(pool_id[2:])
    tokens, _, _ = net.call(there.vault, "getPoolTokens(bytes32)(address[],uint256[],uint256)", key)
    for token in tokens:
        if token != pool_id[:42]:
            net.send(token, "approve(address,uint256)", there.vault, MOST, sender=sender)
    data = encode(["uint256", "uint256[]"], [0, list(amounts)])
    request = (list(tokens), [MOST] * len(tokens), data, False)
    signature = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
    net.send(there.vault, signature, key, sender, sender, request, sender=sender)
    net.mine()


def _created(net: Devnet, there: BalancerV2) -> str:
    """The id that the Vault gave to the pool of the block that this mines."""
    net.mine()
    number = hex(net.block_number())
    query = {"address": there.vault, "fromBlock": number, "toBlock": number, "topics": [_REGISTERED]}
    (log,) = net.rpc("eth_getLogs", query)
    return str(log["topics"][1])


def _artifact(path: str) -> Artifact:
    return published(f"{TASKS}/{path}.json")
