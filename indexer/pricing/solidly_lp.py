"""Shares of a Solidly-style pool (Velodrome, Aerodrome and their kin): their fair value, volatile or stable.

A volatile pool keeps x * y and is valued as a Uniswap V2 pair. A stable pool keeps k = x**3 * y + x * y**3; its fair
reserves are those at which its own price is the ratio r of the outside prices. With t = y / x that is
(3t + t**3) / (1 + 3t**2) = r, so ((1 - t) / (1 + t))**3 = (1 - r) / (1 + r), and x**4 = k / (t + t**3).
The invariant: https://github.com/velodrome-finance/contracts (Pool.sol, `_k`). Never uses the pool's own price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from indexer.model import Address, BlockRef, Grade, Step
from indexer.pricing.base import Oracle, OracleParams, Reading, scale_of, scaled
from indexer.pricing.guards import Positive, Supplied
from indexer.pricing.numbers import root_down
from indexer.pricing.uniswap_v2_lp import FLOOR_RAW, LP_DECIMALS, fair_value
from indexer.reads.abi import interface
from indexer.reads.plan import Plan, address, need, uint


class SolidlyLpParams(OracleParams):
    """None: the pool says what it holds and which curve it keeps."""


class SolidlyLp(Oracle[SolidlyLpParams]):
    """Fair value of one whole share, graded B: an on-chain composition of two priced tokens."""

    kind = "solidly_lp"
    params = SolidlyLpParams

    def read(self, token: Address, params: SolidlyLpParams, at: BlockRef) -> Plan[Reading]:
        """Two rounds of calls. Raises CallFailed where the token does not answer as such a pool."""
        pool, erc20 = interface("solidly_pool"), interface("erc20")
        asks = [pool.token0, pool.token1, pool.stable, pool.getReserves, pool.totalSupply]
        answers = yield [ask(token) for ask in asks]
        tokens = (address(answers[0]), address(answers[1]))
        stable, reserves, supply = bool(need(answers[2])), need(answers[3]), uint(answers[4])
        answers = yield [erc20.decimals(part) for part in tokens]
        scales = (scale_of(answers[0]), scale_of(answers[1]))
        whole = (scaled(reserves[0], scales[0]), scaled(reserves[1], scales[1]))
        volatile = fair_value(reserves[0] * reserves[1], sum(scales), supply)
        return Reading(
            combine=stable_value(whole, scaled(supply, LP_DECIMALS)) if stable else volatile,
            of=tokens,
            grade=Grade.B,
            steps=(
                Step(f"{self.kind}:reserve0", token, reserves[0], scales[0], None),
                Step(f"{self.kind}:reserve1", token, reserves[1], scales[1], None),
                Step(f"{self.kind}:supply", token, supply, LP_DECIMALS, None),
            ),
            label=self.kind,
            checks=(Positive(min(reserves)), Supplied(supply, LP_DECIMALS, floor=FLOOR_RAW)),
        )


def stable_value(reserves: tuple[Fraction, Fraction], supply: Fraction) -> Callable[[Sequence[Fraction]], Fraction]:
    """USD of a whole share of a stable pool; all in whole tokens. Its three roots are rounded down at 10**-54."""
    x, y = reserves
    kept = x**3 * y + x * y**3

    def combine(prices: Sequence[Fraction]) -> Fraction:
        if supply == 0:
            return Fraction(0)
        t = _fair_ratio(prices[0] / prices[1])
        fair_x = root_down(kept / (t + t**3), 4)
        return (prices[0] + prices[1] * t) * fair_x / supply

    return combine


def _fair_ratio(r: Fraction) -> Fraction:
    """y / x of a stable pool whose price of x in y is r."""
    skew = (1 - r) / (1 + r)
    w = root_down(skew, 3) if skew >= 0 else -root_down(-skew, 3)
    return (1 - w) / (1 + w)
