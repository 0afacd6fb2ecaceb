"""Tokenised vaults: `convertToAssets` of one whole share x the price of `asset()`.

The rate is the vault's own statement. Guards compare it with the rate of all shares, a floor of supply and, where
declared, the most it can have earned. https://eips.ethereum.org/EIPS/eip-4626
"""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading, scale_of, scaled, times
from indexer.pricing.growth import GrowthParams
from indexer.pricing.guards import Agreeing, Check, Positive, Supplied
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, address, uint


class Erc4626Params(GrowthParams):
    """All optional: the vault says what it holds."""

    asset: ContractAddress | None = Field(default=None, description="what asset() must be; saves a round of calls")
    min_supply: int | None = Field(default=None, ge=1, description="least shares in issue, in raw units")

    @property
    def of(self) -> tuple[Address, ...]:
        """The asset, where it is declared."""
        return (self.asset,) if self.asset else ()


class Erc4626(Oracle[Erc4626Params]):
    """One share's assets, graded B: an on-chain rate on top of the asset's price."""

    kind = "erc4626"
    params = Erc4626Params

    def read(self, token: Address, params: Erc4626Params, at: BlockRef) -> Plan[Reading]:
        """Two rounds of calls. Raises CallFailed where the token does not answer as a vault."""
        vault, erc20 = interface("erc4626"), interface("erc20")
        asked = yield [vault.asset(token), vault.decimals(token), vault.totalSupply(token)]
        asset, share_decimals, supply = address(asked[0]), scale_of(asked[1]), uint(asked[2])
        if params.asset not in (None, asset):
            raise CallFailed(f"asset() is {asset}, configured is {params.asset}", status=Status.MALFORMED)
        one: int = 10**share_decimals
        asked = yield [vault.convertToAssets(token, one), vault.convertToAssets(token, supply), erc20.decimals(asset)]
        assets, all_assets, decimals = uint(asked[0]), uint(asked[1]), scale_of(asked[2])
        rate = scaled(assets, decimals)
        all_rate = Fraction(all_assets * one, supply * 10**decimals) if supply else rate
        checks: tuple[Check, ...] = (
            Positive(assets),
            Supplied(supply, share_decimals, params.min_supply),
            Agreeing(rate, all_rate, rounding=scaled(1, decimals)),
            *params.growth_checks(rate),
        )
        return Reading(
            combine=times(rate),
            of=(asset,),
            grade=Grade.B,
            steps=(Step(self.kind, token, assets, decimals, None),),
            label=self.kind,
            tolerance=Fraction(1, assets) if assets else Fraction(0),
            checks=checks,
        )
