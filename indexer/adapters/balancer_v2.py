"""Balancer V2 and its forks: pools that the Vault registered -> the tokens that it keeps for each of them.

One contract holds the tokens of all pools and says whose they are. Pools are found once, from logs; a reading is one
round. https://docs-v2.balancer.fi/concepts/vault/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.logged import Event, Logged, read_logged, since
from indexer.adapters.pools import PoolParams, told_holdings
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan


def _pool_id(text: str) -> str:
    value = text.lower()
    if len(value) != 66 or not value.startswith("0x") or set(value[2:]) - set("0123456789abcdef"):
        raise ValueError("expected a pool id: 0x and 64 hex digits")
    return value


PoolId = Annotated[str, AfterValidator(_pool_id)]
"""The 32 bytes by which the Vault knows a pool; the first 20 are the pool's address."""


class BalancerV2Params(PoolParams):
    """A Vault, with all its pools or some of them."""

    vault: ContractAddress
    """The Vault: every pool that was registered with it is counted."""
    pools: tuple[PoolId, ...] = ()
    """Ids of the only pools to count."""


class BalancerV2(Adapter[BalancerV2Params]):
    """The Vault's own books are read: they leave out what was sent to it by mistake, and what users keep in it."""

    kind = "balancer_v2"
    version = 1
    counts = "The tokens that the Vault keeps for every pool, without pools' own shares."
    params = BalancerV2Params

    def discover(
        self, params: BalancerV2Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.pools:
            return []
        return (yield from _vault(params).find(known, from_block, at))

    def read(self, params: BalancerV2Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pools = [_listed(pool_id) for pool_id in dict.fromkeys(params.pools)] or since(found, at)
        contract = interface("balancer_vault")
        answers = yield from read_logged(
            _vault(params), pools, lambda item: [contract.getPoolTokens(params.vault, bytes.fromhex(item.key[2:]))]
        )
        return params.counted(
            h for item, (answer,) in zip(pools, answers, strict=True) for h in _holdings(item, answer)
        )


def _vault(params: BalancerV2Params) -> Logged:
    contract = interface("balancer_vault")
    event = Event("Balancer V2", contract.events["PoolRegistered"], ("bytes32", "address"), ("uint8",))
    return Logged(params.vault, event, _found, contract.WETH(params.vault))


def _found(values: tuple[Any, ...], block: int) -> list[Found]:
    pool_id, pool, _ = values
    return [Found(f"0x{pool_id.hex()}", block, {"pool": pool})]


def _listed(pool_id: str) -> Found:
    return Found(pool_id, 0, {"pool": pool_id[:42]})


def _holdings(item: Found, answer: Answer) -> list[Holding]:
    tokens, amounts = (answer, answer) if isinstance(answer, Failed) else answer[:2]
    return told_holdings(Address(str(item.data["pool"])), tokens, amounts)
