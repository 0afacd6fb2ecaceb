"""Euler V2: vaults of an EVault factory -> the asset in each, and what is borrowed from it.

https://docs.euler.finance/developers/evk/, github.com/euler-xyz/euler-vault-kit src/GenericFactory
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import model_validator

from indexer.adapters.base import ContractAddress
from indexer.adapters.markets import Markets, MarketsParams
from indexer.adapters.parts import Addresses, exactly_one
from indexer.model import Address
from indexer.reads.abi import interface
from indexer.reads.plan import Ask

TO_THE_END = 2**256 - 1


class EulerV2Params(MarketsParams):
    """A factory with all its vaults, or a list of vaults."""

    factory: ContractAddress | None = None
    """The factory: every vault it ever created."""
    vaults: Addresses = ()
    """The vaults to count, in place of a factory."""

    @model_validator(mode="after")
    def _one_source(self) -> EulerV2Params:
        exactly_one(factory=self.factory, vaults=self.vaults)
        return self


class EulerV2(Markets[EulerV2Params]):
    """Anyone may create a vault of any token: `exclude` leaves out those of no account."""

    kind = "euler_v2"
    version = 1
    counts = "Base: the asset that lies in each vault. Borrowed: each vault's `totalBorrows()`."
    params = EulerV2Params

    def by_hand(self, params: EulerV2Params) -> Sequence[Address]:
        return params.vaults

    def listing(self, params: EulerV2Params) -> list[Ask]:
        return [interface("euler_factory").getProxyListSlice(params.factory, 0, TO_THE_END)] if params.factory else []

    def naming(self, params: EulerV2Params, market: Address) -> list[Ask]:
        return [interface("euler_vault").asset(market)]

    def borrowed(self, market: Address) -> Ask:
        return interface("euler_vault").totalBorrows(market)
