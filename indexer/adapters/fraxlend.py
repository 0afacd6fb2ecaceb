"""Fraxlend: pairs of a registry -> the asset and the collateral in each, and what is borrowed from it.

https://docs.frax.finance/fraxlend/fraxlend-overview, github.com/FraxFinance/fraxlend
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import model_validator

from indexer.adapters.base import ContractAddress
from indexer.adapters.markets import Markets, MarketsParams
from indexer.adapters.parts import Addresses, exactly_one
from indexer.model import Address
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask


class FraxlendParams(MarketsParams):
    """A registry with all its pairs, or a list of pairs."""

    registry: ContractAddress | None = None
    """The registry: every pair it lists."""
    pairs: Addresses = ()
    """The pairs to count, in place of a registry."""

    @model_validator(mode="after")
    def _one_source(self) -> FraxlendParams:
        exactly_one(registry=self.registry, pairs=self.pairs)
        return self


class Fraxlend(Markets[FraxlendParams]):
    """A pair lends one asset against one collateral; it is itself the token of its lenders' shares."""

    kind = "fraxlend"
    version = 1
    counts = "Base: the asset and the collateral that lie in each pair. Borrowed: the amount of `totalBorrow()`."
    params = FraxlendParams

    def by_hand(self, params: FraxlendParams) -> Sequence[Address]:
        return params.pairs

    def listing(self, params: FraxlendParams) -> list[Ask]:
        return [interface("fraxlend_registry").getAllPairAddresses(params.registry)] if params.registry else []

    def naming(self, params: FraxlendParams, market: Address) -> list[Ask]:
        pair = interface("fraxlend_pair")
        return [pair.asset(market), pair.collateralContract(market)]

    def borrowed(self, market: Address) -> Ask:
        return interface("fraxlend_pair").totalBorrow(market)

    def lent(self, answer: Answer) -> Answer:
        return answer[0]
