"""Ticks of Uniswap V3 -> square-root prices, to the last bit as the contract rounds them.

sqrt(1.0001**tick) * 2**96 as in `TickMath.getSqrtRatioAtTick`
(https://github.com/Uniswap/v3-core/blob/v1.0.0/contracts/libraries/TickMath.sol): its twenty factors are
2**128 / 1.0001**(2**i / 2), rounded to the nearest, and are made here from that definition.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

MAX_TICK = 887_272
Q96: int = 2**96
_Q128: int = 2**128
_PRECISION = 400


def sqrt_price_x96(tick: int) -> int:
    """Square root of token1 per token0 (raw units) at a tick, times 2**96. Raises ValueError beyond the last tick."""
    if abs(tick) > MAX_TICK:
        raise ValueError(f"tick {tick} is beyond {MAX_TICK}")
    ratio = _Q128
    for i, factor in enumerate(_factors()):
        if abs(tick) >> i & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (2**256 - 1) // ratio
    return -(-ratio >> 32)


@cache
def _factors() -> tuple[int, ...]:
    """2**128 / 1.0001**(2**i / 2) for i from 0 to 19, squared on from the first at 400 bits."""
    power = isqrt((10_000 << 2 * _PRECISION) // 10_001)
    factors = []
    for _ in range(20):
        factors.append((power + (1 << _PRECISION - 129)) >> _PRECISION - 128)
        power = power * power >> _PRECISION
    return tuple(factors)
