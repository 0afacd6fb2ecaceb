"""Uniswap V2, Solidly and their forks: pairs of a factory -> both reserves of each pair.

Pairs are found once through the factory's getters; a reading is one round over all of them.
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/factory
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import model_validator

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.numbered import POOLS_LIMIT, Numbered, stood
from indexer.adapters.parts import Addresses, ask_groups, exactly_one
from indexer.adapters.pools import (
    Pool,
    PoolParams,
    balances_of,
    find_listed,
    pool_holdings,
    pools_of,
    spread,
    token_pairs,
)
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan


class UniswapV2Params(PoolParams):
    """A factory with all its pairs, or a list of pairs."""

    factory: ContractAddress | None = None
    """The factory: every pair it ever created is counted."""
    pairs: Addresses = ()
    """The pairs to count, in place of a factory."""
    listing: Literal["pairs", "pools"] = "pairs"
    """What the factory calls them: `allPairs…`, or `allPools…` (Velodrome V2, Aerodrome and their forks)."""
    amounts: Literal["reserves", "balances"] = "reserves"
    """`reserves`: what the pair answers for. `balances`: what it holds, with tokens sent to it by mistake or gift."""

    @model_validator(mode="after")
    def _one_source(self) -> UniswapV2Params:
        exactly_one(factory=self.factory, pairs=self.pairs)
        return self


class UniswapV2(Adapter[UniswapV2Params]):
    """Reserves are the default: a balance can be raised by anyone for one block, and `skim` takes it back."""

    kind = "uniswap_v2"
    version = 1
    counts = "Both tokens of every pair: the reserves that liquidity providers can withdraw."
    params = UniswapV2Params

    def discover(
        self, params: UniswapV2Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        factory = _factory(params)
        if factory is None:
            return (yield from find_listed(params.pairs, known, at.number))
        return (yield from factory.find(known, at.number))

    def touched_by(self, params: UniswapV2Params) -> Mapping[Address, tuple[Address, ...]]:
        """A factory logs what it creates."""
        return {params.factory: (params.factory,)} if params.factory else {}

    def read(self, params: UniswapV2Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        factory = _factory(params)
        pools = yield from pools_of(found, params.pairs)
        length = [factory.length()] if factory else []
        counted, *answers = yield from ask_groups([length, *(_asks(pool, params) for pool in pools)])
        count = stood(counted[0], found) if factory else POOLS_LIMIT
        pairs = zip(pools, answers, strict=True)
        return params.counted(h for pool, answer in pairs if pool.index < count for h in _holdings(pool, answer))


def _factory(params: UniswapV2Params) -> Numbered | None:
    if params.factory is None:
        return None
    if params.listing == "pools":
        contract = interface("solidly_factory")
        return Numbered(params.factory, contract.allPoolsLength, contract.allPools, token_pairs)
    contract = interface("uniswap_v2_factory")
    return Numbered(params.factory, contract.allPairsLength, contract.allPairs, token_pairs)


def _asks(pool: Pool, params: UniswapV2Params) -> list[Ask]:
    """Reserves are read as two whole words, which fits both V2's uint112 and Solidly's uint256."""
    if isinstance(pool.tokens, Failed) or params.amounts == "balances":
        return balances_of(pool)
    return [interface("solidly_pool").getReserves(pool.address)]


def _holdings(pool: Pool, answers: Sequence[Answer]) -> list[Holding]:
    amounts = spread(pool, answers[0]) if len(answers) == 1 else answers
    return pool_holdings(pool, amounts, receipt=pool.address)
