"""Balancer V1, and CoW AMM, which is built on it: pools that a factory announces -> each pool's bound tokens.

Tokens can be bound and unbound until a pool is finalised, so they are asked at every block: two rounds.
https://docs-v1.balancer.fi/core-concepts/protocol/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import model_validator

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.logged import Event, Logged, read_logged, since
from indexer.adapters.parts import Addresses, ask_groups, exactly_one
from indexer.adapters.pools import PoolParams, told_holdings
from indexer.model import NATIVE, Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Failed, Plan


class BalancerV1Params(PoolParams):
    """A factory with all its pools, or a list of pools."""

    factory: ContractAddress | None = None
    """The factory: every pool it ever created is counted, found by its `LOG_NEW_POOL` logs."""
    pools: Addresses = ()
    """The pools to count, in place of a factory."""

    @model_validator(mode="after")
    def _one_source(self) -> BalancerV1Params:
        exactly_one(factory=self.factory, pools=self.pools)
        return self


class BalancerV1(Adapter[BalancerV1Params]):
    """What a pool answers for is counted: more than that is taken over by anyone who calls `gulp`."""

    kind = "balancer_v1"
    version = 1
    counts = "The tokens bound to every pool, with the balances that the pool answers for."
    params = BalancerV1Params

    def discover(
        self, params: BalancerV1Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.factory is None:
            return []
        return (yield from _factory(params.factory).find(known, from_block, at))

    def read(self, params: BalancerV1Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        contract = interface("balancer_v1")
        if params.factory is None:
            pools = list(params.pools)
            answers = yield from ask_groups([contract.getCurrentTokens(pool)] for pool in pools)
        else:
            announced = since(found, at)
            pools = [Address(item.key) for item in announced]
            answers = yield from read_logged(
                _factory(params.factory), announced, lambda item: [contract.getCurrentTokens(Address(item.key))]
            )
        tokens = [answer for (answer,) in answers]
        balances = yield from ask_groups(
            [contract.getBalance(pool, token) for token in _each(named)]
            for pool, named in zip(pools, tokens, strict=True)
        )
        told = zip(pools, tokens, balances, strict=True)
        return params.counted(h for pool, named, amounts in told for h in told_holdings(pool, named, amounts))


def _each(tokens: Answer) -> Sequence[Address]:
    return [] if isinstance(tokens, Failed) else list(dict.fromkeys(tokens))


def _factory(factory: Address) -> Logged:
    contract = interface("balancer_v1")
    event = Event("Balancer V1", contract.events["LOG_NEW_POOL"], ("address", "address"))
    return Logged(factory, event, _found, contract.isBPool(factory, NATIVE))


def _found(values: tuple[Any, ...], block: int) -> list[Found]:
    return [Found(values[1], block, {"pool": values[1]})]
