"""Shares of a Curve pool of like assets: `get_virtual_price` x the least of its coins' prices.

Least, because a pool fills with the coin that falls. The virtual price cannot be re-entered at the end of a block, but
it can be raised by gifts: guards hold a small supply and what it cannot have earned.
https://docs.curve.finance (get_virtual_price); the limits of it: https://www.chainsecurity.com/blog/curve-lp-oracle-manipulation-post-mortem
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pydantic import Field

from indexer.model import NATIVE, Address, BlockRef, Grade, Step
from indexer.pricing.base import ContractAddress, Oracle, Reading, scaled
from indexer.pricing.growth import GrowthParams
from indexer.pricing.guards import Positive, Supplied
from indexer.reads.abi import function, interface
from indexer.reads.plan import Answer, Failed, Plan, address, uint

VIRTUAL_PRICE_DECIMALS = 18
LP_DECIMALS = 18
CURVE_NATIVE = Address("0x" + "ee" * 20)
"""How Curve's pools name the chain's own coin."""


class CurveLpParams(GrowthParams):
    """A plain pool whose coins are worth about the same."""

    pool: ContractAddress = Field(description="the pool; the token priced is its share, often the pool itself")
    coins: int = Field(ge=2, le=8, description="how many coins it has")


class CurveLp(Oracle[CurveLpParams]):
    """Floor value of one whole share, graded B."""

    kind = "curve_lp"
    params = CurveLpParams

    def read(self, token: Address, params: CurveLpParams, at: BlockRef) -> Plan[Reading]:
        """One round of calls; a second at pools of the first generation. Raises CallFailed where it is no pool."""
        pool, erc20 = interface("curve_pool"), interface("erc20")
        numbers = range(params.coins)
        price, supply, *coins = yield [
            pool.get_virtual_price(params.pool),
            erc20.totalSupply(token),
            *(pool.coins(params.pool, i) for i in numbers),
        ]
        if all(isinstance(coin, Failed) for coin in coins):
            coins = list((yield [function("coins(int128)(address)")(params.pool, i) for i in numbers]))
        virtual = uint(price)
        rate = scaled(virtual, VIRTUAL_PRICE_DECIMALS)
        return Reading(
            combine=lambda prices: rate * min(prices),
            of=_tokens(coins),
            grade=Grade.B,
            steps=(Step(self.kind, params.pool, virtual, VIRTUAL_PRICE_DECIMALS, None),),
            label=self.kind,
            tolerance=Fraction(1, virtual) if virtual else Fraction(0),
            checks=(Positive(virtual), Supplied(uint(supply), LP_DECIMALS), *params.growth_checks(rate)),
        )


def _tokens(coins: Sequence[Answer]) -> tuple[Address, ...]:
    found = (address(coin) for coin in coins)
    return tuple(NATIVE if coin == CURVE_NATIVE else coin for coin in found)
