"""Shares of a Uniswap-V2-style pair: their fair value, which trading in the pair cannot move.

Price = 2 * sqrt(r0 * r1 * p0 * p1) / supply: a trade keeps r0 * r1 (but for its fee), so skewed reserves say nothing.
Derived in https://cmichel.io/pricing-lp-tokens/ and used by Alpha Homora. Never uses the pair's own price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from indexer.model import Address, BlockRef, Grade, Step
from indexer.pricing.base import Oracle, OracleParams, Reading, scale_of
from indexer.pricing.guards import Positive, Supplied
from indexer.pricing.numbers import root_down
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, address, need, uint

LP_DECIMALS = 18
"""Every V2 pair's share has 18: `UniswapV2ERC20.decimals` is a constant."""


class UniswapV2LpParams(OracleParams):
    """None: the pair says which tokens it holds."""


class UniswapV2Lp(Oracle[UniswapV2LpParams]):
    """Fair value of one whole share, graded B: an on-chain composition of two priced tokens."""

    kind = "uniswap_v2_lp"
    params = UniswapV2LpParams

    def read(self, token: Address, params: UniswapV2LpParams, at: BlockRef) -> Plan[Reading]:
        """Two rounds of calls. Raises CallFailed where the token does not answer as a pair."""
        pair, erc20 = interface("uniswap_v2_pair"), interface("erc20")
        asked = yield [pair.token0(token), pair.token1(token), pair.getReserves(token), pair.totalSupply(token)]
        tokens = (address(asked[0]), address(asked[1]))
        reserve0, reserve1, _ = need(asked[2])
        supply = uint(asked[3])
        asked = yield [erc20.decimals(part) for part in tokens]
        scales = (scale_of(asked[0]), scale_of(asked[1]))
        return Reading(
            combine=fair_value(reserve0 * reserve1, sum(scales), supply),
            of=tokens,
            grade=Grade.B,
            steps=(
                Step(f"{self.kind}:reserve0", token, reserve0, scales[0], None),
                Step(f"{self.kind}:reserve1", token, reserve1, scales[1], None),
                Step(f"{self.kind}:supply", token, supply, LP_DECIMALS, None),
            ),
            label=self.kind,
            checks=(Positive(min(reserve0, reserve1)), Supplied(supply, LP_DECIMALS, floor=FLOOR_RAW)),
        )


FLOOR_RAW = 10**6
"""Least shares in issue, raw. A pair of USDC and WETH issues about 10**12 raw shares for 2 USD a side, so the whole
share that vaults are asked for would hold small honest pairs; 10**6 is a thousand times the locked minimum of 1,000."""


def fair_value(product: int, decimals: int, supply: int) -> Callable[[Sequence[Fraction]], Fraction]:
    """USD of a whole share, rounded down at 10**-54. `product` is of raw reserves, `decimals` the sum of theirs."""

    def combine(prices: Sequence[Fraction]) -> Fraction:
        if supply == 0:
            return Fraction(0)
        squared = 4 * product * prices[0] * prices[1] * Fraction(10 ** (2 * LP_DECIMALS), 10**decimals * supply**2)
        return root_down(squared)

    return combine
