"""Liquidity Book (Trader Joe, LFJ) and its forks: pairs of a factory -> both reserves of each pair.

Versions 2.1 and 2.2 have the same getters; those of 2.0 have other names. Reserves leave out the protocol's fees.
https://docs.lfj.gg/
"""

from __future__ import annotations

from typing import ClassVar, Literal

from indexer.adapters.floor import FactoryParams
from indexer.adapters.numbered import Numbered, NumberedPools
from indexer.adapters.parts import Addresses
from indexer.adapters.pools import Pool, asked_of
from indexer.model import NATIVE, Address
from indexer.reads.abi import interface
from indexer.reads.plan import Ask, Failed


class TraderJoeLbParams(FactoryParams):
    """A factory with all its pairs, or a list of pairs."""

    listed: ClassVar[str] = "pairs"

    pairs: Addresses = ()
    """The pairs to count, in place of a factory."""
    version: Literal["2.0", "2.1"] = "2.1"
    """The version of its contracts: `2.1` (2.2 too), or `2.0`."""


class TraderJoeLb(NumberedPools[TraderJoeLbParams]):
    """Shares of a pair are many tokens in one, each of its own price range: none is a claim on the whole."""

    kind = "trader_joe_lb"
    version = 1
    counts = "Both tokens of every pair: the reserves of all its bins."
    params = TraderJoeLbParams

    def factory(self, params: TraderJoeLbParams) -> Numbered:
        factory, pair = interface("lb_factory"), interface("lb_pair")
        first = params.version == "2.0"
        item = factory.allLBPairs if first else factory.getLBPairAtIndex
        getters = (pair.tokenX, pair.tokenY) if first else (pair.getTokenX, pair.getTokenY)
        return Numbered(params.factory or NATIVE, factory.getNumberOfLBPairs, item, asked_of(*getters))

    def asks(self, pool: Pool, params: TraderJoeLbParams) -> list[Ask]:
        if isinstance(pool.tokens, Failed):
            return []
        pair = interface("lb_pair")
        return [(pair.getReservesAndId if params.version == "2.0" else pair.getReserves)(pool.address)]

    def receipt(self, pool: Pool) -> Address | None:
        return None
