"""Uniswap V3, Algebra, Slipstream and their forks: pools that a factory's logs name -> both balances of each pool.

Pools are found once, from logs; a reading is one round over all of them. These pools keep no reserves: their tokens are
their balances. https://docs.uniswap.org/contracts/v3/reference/core/UniswapV3Factory
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Literal

from indexer.adapters.floor import FactoryParams, FloorAdapter
from indexer.adapters.layout import held_by, laid_out
from indexer.adapters.logged import Event, Logged, since
from indexer.adapters.parts import Addresses
from indexer.adapters.pools import (
    Pool,
    balances_of,
    different_tokens,
    find_listed,
    pool_data,
    pool_holdings,
    pools_of,
)
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Ask, Plan

FEE_OF_EVERY_FACTORY = 3_000


class UniswapV3Params(FactoryParams):
    """A factory with all its pools, or a list of pools."""

    events: Literal["uniswap_v3", "algebra", "slipstream"] = "uniswap_v3"
    """How the factory announces a pool: as Uniswap V3 (PancakeSwap V3 too), Algebra (QuickSwap, Camelot), or
    Slipstream (Velodrome, Aerodrome)."""
    pools: Addresses = ()
    """The pools to count, in place of a factory."""


class UniswapV3(FloorAdapter[UniswapV3Params]):
    """The positions are NFTs, so that no token is a claim on a pool's balances."""

    kind = "uniswap_v3"
    version = 1
    counts = "Both tokens that every pool holds: liquidity of all ranges, and fees not yet collected."
    params = UniswapV3Params

    def discover(
        self, params: UniswapV3Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        factory = _factory(params)
        if factory is None:
            return (yield from find_listed(params.pools, known, at.number))
        return (yield from factory.find(known, from_block, at))

    def touched_by(self, params: UniswapV3Params) -> Mapping[Address, tuple[Address, ...]]:
        """A factory logs what it creates."""
        return {params.factory: (params.factory,)} if params.factory else {}

    def standing(self, params: UniswapV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Found]]:
        yield from ()
        return since(found, at)

    def read(self, params: UniswapV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        factory = _factory(params)
        choose = self.above_floor if params.floor_usd else self.standing
        chosen = found if params.pools else (yield from choose(params, found, at))
        pools = yield from pools_of(chosen, params.pools)
        probe = [factory.probe] if factory else []
        probed, groups = yield from laid_out(self.asks, params, pools).asked(probe)
        if factory:
            factory.check(probed[0], pools)
        return params.counted(chain.from_iterable(map(held_by, repeat(pool_holdings), pools, groups)))

    def asks(self, pool: Pool, params: UniswapV3Params) -> Sequence[Ask]:
        """What asks for a pool's amounts: of each token its balance."""
        return balances_of(pool)


def _factory(params: UniswapV3Params) -> Logged | None:
    return None if params.factory is None else _FACTORIES[params.events](params.factory)


def _uniswap(factory: Address) -> Logged:
    contract = interface("uniswap_v3_factory")
    indexed, data = ("address", "address", "uint24"), ("int24", "address")
    event = Event("Uniswap V3", contract.events["PoolCreated"], indexed, data)
    return Logged(factory, event, _found, contract.feeAmountTickSpacing(factory, FEE_OF_EVERY_FACTORY))


def _algebra(factory: Address) -> Logged:
    contract = interface("algebra_factory")
    event = Event("Algebra", contract.events["Pool"], ("address", "address"), ("address",))
    return Logged(factory, event, _found, contract.poolDeployer(factory))


def _slipstream(factory: Address) -> Logged:
    contract = interface("slipstream_factory")
    event = Event("Slipstream", contract.events["PoolCreated"], ("address", "address", "int24"), ("address",))
    return Logged(factory, event, _found, contract.poolImplementation(factory))


_FACTORIES: dict[str, Callable[[Address], Logged]] = {
    "uniswap_v3": _uniswap,
    "algebra": _algebra,
    "slipstream": _slipstream,
}


def _found(values: tuple[Any, ...], block: int) -> list[Found]:
    """The tokens stand first in all of these events, and the pool last."""
    token0, token1, *_, pool = values
    return [Found(pool, block, pool_data(pool, different_tokens((token0, token1))))]
