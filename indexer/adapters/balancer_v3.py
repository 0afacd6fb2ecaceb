"""Balancer V3: pools that the Vault registered -> the tokens that it keeps for each of them.

As in V2 one contract holds the tokens of all pools. Wrapped tokens of boosted pools are counted as what they are.
https://docs.balancer.fi/concepts/vault/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.logged import Event, Logged, read_logged, since
from indexer.adapters.parts import Addresses
from indexer.adapters.pools import PoolParams, told_holdings
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan


class BalancerV3Params(PoolParams):
    """A Vault, with all its pools or some of them."""

    vault: ContractAddress
    """The Vault: every pool that was registered with it is counted."""
    pools: Addresses = ()
    """The only pools to count."""


class BalancerV3(Adapter[BalancerV3Params]):
    """Raw balances are read, not the scaled ones, which are amounts times rates."""

    kind = "balancer_v3"
    version = 1
    counts = "The tokens that the Vault keeps for every pool, as raw balances."
    params = BalancerV3Params

    def discover(
        self, params: BalancerV3Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.pools:
            return []
        return (yield from _vault(params).find(known, from_block, at))

    def read(self, params: BalancerV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pools = [_found((pool,), 0)[0] for pool in params.pools] or since(found, at)
        contract = interface("balancer_v3_vault")
        answers = yield from read_logged(
            _vault(params), pools, lambda item: [contract.getPoolTokenInfo(params.vault, Address(item.key))]
        )
        return params.counted(
            h for item, (answer,) in zip(pools, answers, strict=True) for h in _holdings(Address(item.key), answer)
        )


def _vault(params: BalancerV3Params) -> Logged:
    """Of the event only the pool is of use: its data, a tree of settings, is not looked at."""
    contract = interface("balancer_v3_vault")
    event = Event("Balancer V3", contract.events["PoolRegistered"], ("address", "address"))
    return Logged(params.vault, event, _found, contract.getVaultExtension(params.vault))


def _found(values: tuple[Any, ...], block: int) -> list[Found]:
    return [Found(values[0], block, {"pool": values[0]})]


def _holdings(pool: Address, answer: Answer) -> list[Holding]:
    tokens, amounts = (answer, answer) if isinstance(answer, Failed) else (answer[0], answer[2])
    return told_holdings(pool, tokens, amounts)
