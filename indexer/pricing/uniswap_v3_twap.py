"""A Uniswap-V3-style pool's time-weighted price, by `observe` -> a reading, where liquidity stood behind it.

Mean tick and harmonic-mean liquidity as in `OracleLibrary.consult`
(https://github.com/Uniswap/v3-periphery/blob/v1.4.4/contracts/libraries/OracleLibrary.sol). Never the spot price.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pydantic import Field

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, OracleParams, Reading, scale_of, times
from indexer.pricing.guards import Deep, Observed
from indexer.pricing.numbers import PositiveDecimal
from indexer.pricing.ticks import MAX_TICK, Q96, sqrt_price_x96
from indexer.reads.abi import Function, function, interface
from indexer.reads.plan import Plan, address, need, uint

ONE_TICK = Fraction(1, 10_000)
"""The mean tick is a whole number: it says the price to one ten-thousandth."""


class UniswapV3TwapParams(OracleParams):
    """A pool of the token and `in`."""

    pool: ContractAddress = Field(description="the pool")
    in_: ContractAddress = Field(alias="in", description="the pool's other token, with routes of its own")
    window_s: int = Field(default=1_800, ge=60, le=86_400, description="length of the mean")
    min_depth: PositiveDecimal = Field(description="least liquidity around the price, in whole `in` tokens")

    @property
    def of(self) -> tuple[Address, ...]:
        """The pool's other token."""
        return (self.in_,)


class UniswapV3Twap(Oracle[UniswapV3TwapParams]):
    """The mean price of the window, graded C."""

    kind = "uniswap_v3_twap"
    params = UniswapV3TwapParams

    def read(self, token: Address, params: UniswapV3TwapParams, at: BlockRef) -> Plan[Reading]:
        """One round of calls. Raises CallFailed where the pool is of other tokens, or is too young for the window."""
        pool, erc20 = interface("uniswap_v3_pool"), interface("erc20")
        answers = yield [
            pool.token0(params.pool),
            pool.token1(params.pool),
            erc20.decimals(token),
            erc20.decimals(params.in_),
            slot0()(params.pool),
            pool.observe(params.pool, [params.window_s, 0]),
        ]
        first = _is_token0(token, params.in_, (address(answers[0]), address(answers[1])))
        decimals, in_decimals = scale_of(answers[2]), scale_of(answers[3])
        tick, liquidity = _means(need(answers[5]), params.window_s)
        root = Fraction(sqrt_price_x96(tick), Q96)
        raw_rate, raw_depth = (root**2, liquidity * root) if first else (1 / root**2, liquidity / root)
        rate = raw_rate * Fraction(10**decimals, 10**in_decimals)
        depth = raw_depth / 10**in_decimals
        return Reading(
            combine=times(rate),
            of=params.of,
            grade=Grade.C,
            steps=(
                Step(f"{self.kind}:tick", params.pool, tick, 0, None),
                Step(f"{self.kind}:liquidity", params.pool, liquidity, 0, None),
            ),
            label=self.kind,
            tolerance=ONE_TICK,
            depth=depth,
            checks=(
                Observed(uint(need(answers[4])[3])),
                Deep(depth, params.min_depth),
            ),
        )


def slot0() -> Function:
    """Its first four words: forks differ in the width of those behind."""
    return function("slot0()(uint160,int24,uint16,uint16)")


def _is_token0(token: Address, other: Address, held: tuple[Address, Address]) -> bool:
    if held not in ((token, other), (other, token)):
        raise CallFailed(f"the pool holds {held[0]} and {held[1]}, not {token} and {other}", status=Status.MALFORMED)
    return held[0] == token


def _means(observed: Any, window_s: int) -> tuple[int, int]:
    """Mean tick, rounded down, and harmonic-mean liquidity of the window; both counters wrap around."""
    ticks, seconds_per_liquidity = observed
    if len(ticks) != 2 or len(seconds_per_liquidity) != 2:
        raise CallFailed("observe did not answer two observations", status=Status.MALFORMED)
    tick = _signed(ticks[1] - ticks[0], 56) // window_s
    passed = (seconds_per_liquidity[1] - seconds_per_liquidity[0]) % 2**160
    if abs(tick) > MAX_TICK or passed == 0:
        raise CallFailed("observe answered what no pool can have seen", status=Status.MALFORMED)
    return tick, (window_s << 128) // passed


def _signed(value: int, bits: int) -> int:
    half: int = 1 << (bits - 1)
    return (value + half) % (2 * half) - half
