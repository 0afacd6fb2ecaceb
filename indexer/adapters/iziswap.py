"""iZiSwap and its forks: pools that a liquidity manager numbers from 1 on -> both balances of each pool.

The manager has no count: a list ends at the first number that it has not given. A reading asks for that number too, so
that a pool which was not found yet is noticed. https://developer.izumi.finance/iZiSwap/
"""

from __future__ import annotations

from collections.abc import Sequence

from indexer.adapters.base import PART, Adapter, ContractAddress
from indexer.adapters.parts import ask_groups
from indexer.adapters.pools import (
    Pool,
    PoolParams,
    asked_of,
    balances_of,
    different_tokens,
    pool_data,
    pool_holdings,
    pools_of,
)
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan, need

FEWEST_AT_ONCE, MOST_AT_ONCE = 32, 2_048
MOST_POOLS = 100_000
"""More pools than any manager has: a list that does not end is a broken answer."""


class IziswapParams(PoolParams):
    """A liquidity manager."""

    liquidity_manager: ContractAddress
    """The contract through which liquidity is added: every pool it ever gave a number is counted."""


class Iziswap(Adapter[IziswapParams]):
    """The positions are NFTs, so that no token is a claim on a pool's balances."""

    kind = "iziswap"
    version = 1
    counts = "Both tokens that every pool holds: liquidity, limit orders and fees not yet collected."
    params = IziswapParams

    def discover(
        self, params: IziswapParams, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        new: list[Found] = []
        size, start = FEWEST_AT_ONCE, _next_number(known)
        while len(new) < PART:
            some = yield from _find(params.liquidity_manager, range(start, start + size), at.number)
            new += some
            if len(some) < size:
                break
            start, size = start + size, min(2 * size, MOST_AT_ONCE)
        return new

    def read(self, params: IziswapParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pair = interface("lb_pair")
        pools = yield from pools_of(found, tokens_of=asked_of(pair.tokenX, pair.tokenY))
        manager, last = params.liquidity_manager, _next_number(found)
        groups = ([_meta(manager, pool.index), *balances_of(pool)] for pool in pools)
        (beyond,), *answers = yield from ask_groups([[_meta(manager, last)], *groups])
        if need(beyond)[0] != NATIVE:
            raise CallFailed(f"the manager has a pool {last}, which was not found: discover first")
        pairs = zip(pools, answers, strict=True)
        return params.counted(held for pool, (meta, *amounts) in pairs for held in _holdings(pool, meta, amounts))


def _meta(manager: Address, number: int) -> Ask:
    return interface("izi_liquidity_manager").poolMetas(manager, number)


def _next_number(found: Sequence[Found]) -> int:
    return 1 + max((int(item.data["index"]) for item in found), default=0)


def _find(manager: Address, numbers: range, block: int) -> Plan[list[Found]]:
    """The pools of these numbers, up to the first that was not given, in two rounds."""
    metas = [need(answer) for answer in (yield [_meta(manager, i) for i in numbers])]
    given = next((i for i, meta in enumerate(metas) if meta[0] == NATIVE), len(metas))
    if len(set(metas[:given])) < given or numbers.start > MOST_POOLS:
        raise CallFailed("the manager's list of pools repeats itself, or does not end")
    pools = yield from ask_groups([interface("izi_liquidity_manager").pool(manager, *meta)] for meta in metas[:given])
    named = zip(numbers, metas, pools, strict=False)
    return [_found(i, Address(need(pool)), meta, block) for i, meta, (pool,) in named]


def _found(number: int, pool: Address, meta: Sequence[Answer], block: int) -> Found:
    if pool == NATIVE:
        raise CallFailed(f"the manager does not know its own pool {number}")
    return Found(str(number), block, pool_data(pool, different_tokens(meta[:2]), index=number))


def _holdings(pool: Pool, meta: Answer, amounts: Sequence[Answer]) -> list[Holding]:
    """A pool's holdings; none where its number was not given yet at the block."""
    if isinstance(meta, Failed):
        return pool_holdings(pool, [meta] * len(amounts))
    return [] if meta[0] == NATIVE else pool_holdings(pool, amounts)
