"""A lending market's own oracle: `getAssetPrice` -> a reading, to be held against a token's other routes.

It shows what the market believes, caps and fallbacks included. It does not say how old its price is, so it is graded
below a feed and flagged. https://aave.com/docs/aave-v3/smart-contracts/oracles
"""

from __future__ import annotations

from pydantic import Field

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, QuotedParams, Reading, scaled, times
from indexer.pricing.guards import Positive
from indexer.reads.abi import interface
from indexer.reads.plan import Failed, Plan, uint


class AaveOracleParams(QuotedParams):
    """The market's oracle, and the scale of its prices."""

    oracle: ContractAddress = Field(description="the AaveOracle of the market")
    decimals: int = Field(default=8, ge=0, le=36, description="scale of its prices: 8 in USD markets, 18 in ETH ones")


class AaveOracle(Oracle[AaveOracleParams]):
    """What the market prices the token at, graded B."""

    kind = "aave_oracle"
    feed = True
    params = AaveOracleParams

    def read(self, token: Address, params: AaveOracleParams, at: BlockRef) -> Plan[Reading]:
        """One round of calls. Raises CallFailed where the oracle does not answer."""
        oracle = interface("aave_oracle")
        price, unit = yield [oracle.getAssetPrice(params.oracle, token), oracle.BASE_CURRENCY_UNIT(params.oracle)]
        answer = uint(price)
        if not isinstance(unit, Failed) and uint(unit) != 10**params.decimals:  # markets before V3 have no unit
            raise CallFailed(f"prices in units of {unit}, configured is 10**{params.decimals}", status=Status.MALFORMED)
        return Reading(
            combine=times(scaled(answer, params.decimals)),
            of=params.of,
            grade=Grade.B,
            steps=(Step(self.kind, params.oracle, answer, params.decimals, None),),
            label=self.kind,
            checks=(Positive(answer),),
            flags=("age: not known, the market's oracle does not say",),
        )
