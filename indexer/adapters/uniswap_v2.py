"""Uniswap V2, Solidly and their forks: pairs of a factory -> both reserves of each pair.

Pairs are found once through the factory's getters; a reading is one round over all of them.
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/factory
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from indexer.adapters.floor import FactoryParams
from indexer.adapters.numbered import Numbered, NumberedPools
from indexer.adapters.parts import Addresses
from indexer.adapters.pools import Pool, balances_of, token_pairs
from indexer.model import NATIVE
from indexer.reads.abi import interface
from indexer.reads.plan import Ask, Failed


class UniswapV2Params(FactoryParams):
    """A factory with all its pairs, or a list of pairs."""

    listed: ClassVar[str] = "pairs"

    pairs: Addresses = ()
    """The pairs to count, in place of a factory."""
    listing: Literal["pairs", "pools"] = "pairs"
    """What the factory calls them: `allPairs…`, or `allPools…` (Velodrome V2, Aerodrome and their forks)."""
    amounts: Literal["reserves", "balances"] = "reserves"
    """`reserves`: what the pair answers for. `balances`: what it holds, with tokens sent to it by mistake or gift."""


class UniswapV2(NumberedPools[UniswapV2Params]):
    """Reserves are the default: a balance can be raised by anyone for one block, and `skim` takes it back."""

    kind = "uniswap_v2"
    version = 1
    counts = "Both tokens of every pair: the reserves that liquidity providers can withdraw."
    params = UniswapV2Params

    def factory(self, params: UniswapV2Params) -> Numbered:
        if params.listing == "pools":
            contract = interface("solidly_factory")
            return Numbered(params.factory or NATIVE, contract.allPoolsLength, contract.allPools, token_pairs)
        contract = interface("uniswap_v2_factory")
        return Numbered(params.factory or NATIVE, contract.allPairsLength, contract.allPairs, token_pairs)

    def asks(self, pool: Pool, params: UniswapV2Params) -> Sequence[Ask]:
        """Reserves are read as two whole words, which fits both V2's uint112 and Solidly's uint256."""
        if isinstance(pool.tokens, Failed) or params.amounts == "balances":
            return balances_of(pool)
        return [interface("solidly_pool").getReserves(pool.address)]
