"""Compound V2 and its forks: markets of a comptroller -> the underlying in each, and what is borrowed from it.

https://docs.compound.finance/v2/ctokens/, https://docs.compound.finance/v2/comptroller/#get-all-markets
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import model_validator

from indexer.adapters.base import ContractAddress
from indexer.adapters.markets import Markets, MarketsParams
from indexer.adapters.parts import Addresses, exactly_one
from indexer.model import NATIVE, Address
from indexer.reads.abi import interface
from indexer.reads.plan import Ask


class CompoundV2Params(MarketsParams):
    """A comptroller with all its markets, or a list of markets."""

    comptroller: ContractAddress | None = None
    """The comptroller (its Unitroller): every market it lists."""
    markets: Addresses = ()
    """The markets (cTokens) to count, in place of a comptroller."""
    native: Addresses = ()
    """The markets of the chain's own coin (cETH): they have no `underlying()`, and are never guessed."""

    @model_validator(mode="after")
    def _one_source(self) -> CompoundV2Params:
        exactly_one(comptroller=self.comptroller, markets=self.markets)
        return self


class CompoundV2(Markets[CompoundV2Params]):
    """`totalBorrows()` is what the last transaction wrote: interest since then is in neither side."""

    kind = "compound_v2"
    version = 1
    counts = "Base: the underlying that lies in each cToken. Borrowed: each cToken's `totalBorrows()`."
    params = CompoundV2Params

    def by_hand(self, params: CompoundV2Params) -> Sequence[Address]:
        return params.markets

    def listing(self, params: CompoundV2Params) -> list[Ask]:
        return [interface("compound_comptroller").getAllMarkets(params.comptroller)] if params.comptroller else []

    def naming(self, params: CompoundV2Params, market: Address) -> list[Ask]:
        return [interface("compound_market").underlying(market)]

    def known_tokens(self, params: CompoundV2Params, market: Address) -> tuple[Address, ...]:
        return (NATIVE,) if market in params.native else ()

    def borrowed(self, market: Address) -> Ask:
        return interface("compound_market").totalBorrows(market)
