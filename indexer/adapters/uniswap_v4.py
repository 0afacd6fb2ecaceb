"""Uniswap V4: the currencies of all pools that a PoolManager initialised -> what it holds of each.

One contract holds the tokens of every pool, and keeps no balance for a single one: holdings are by currency, and cannot
be told apart by pool. Ether is a currency of its own. https://docs.uniswap.org/contracts/v4/concepts/PoolManager
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.adapters.base import ContractAddress
from indexer.adapters.floor import FloorAdapter, FloorParams
from indexer.adapters.logged import Event, Logged, read_logged, since
from indexer.adapters.parts import Addresses, balance_of, holding
from indexer.adapters.pools import pool_data
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Plan


class UniswapV4Params(FloorParams):
    """A PoolManager, with all its currencies or some of them."""

    pool_manager: ContractAddress
    """The contract that holds the tokens of all pools."""
    currencies: Addresses = ()
    """The only currencies to count; the zero address is ether."""

    def only(self, pools: Sequence[Found]) -> UniswapV4Params:
        return self.model_copy(update={"floor_usd": 0, "currencies": tuple(item.key for item in pools)})


class UniswapV4(FloorAdapter[UniswapV4Params]):
    """The positions are NFTs or claims inside the PoolManager: no token is a claim on its balances."""

    kind = "uniswap_v4"
    version = 1
    counts = "What the PoolManager holds of every currency that some pool trades, ether too."
    params = UniswapV4Params

    def discover(
        self, params: UniswapV4Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.currencies:
            return []
        return (yield from _manager(params).find(known, from_block, at))

    def standing(self, params: UniswapV4Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Found]]:
        yield from ()
        return since(found, at)

    def judged_as(self, holding: Holding) -> Address:
        return holding.token

    def read(self, params: UniswapV4Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        manager = params.pool_manager
        choose = self.above_floor if params.floor_usd else self.standing
        chosen = [_currency(one, 0) for one in params.currencies] or (yield from choose(params, found, at))
        answers = yield from read_logged(
            _manager(params), chosen, lambda item: [balance_of(Address(item.key), manager)]
        )
        pairs = zip(chosen, answers, strict=True)
        return params.counted(holding(Address(item.key), manager, amount) for item, (amount,) in pairs)


def _manager(params: UniswapV4Params) -> Logged:
    contract = interface("uniswap_v4_pool_manager")
    data = ("uint24", "int24", "address", "uint160", "int24")
    event = Event("Uniswap V4", contract.events["Initialize"], ("bytes32", "address", "address"), data)
    return Logged(params.pool_manager, event, _found, contract.protocolFeeController(params.pool_manager))


def _found(values: tuple[Any, ...], block: int) -> list[Found]:
    """Each currency by itself, at the first pool that trades it; the zero address is ether."""
    return [_currency(one, block) for one in values[1:3]]


def _currency(currency: Address, block: int) -> Found:
    return Found(currency, block, pool_data(currency, (currency,)))
