"""Parameters that are exact numbers, and the roots that prices need beyond `indexer.units`.

Decimal text of a configuration becomes a rational; no float passes. Roots are rounded down at a stated scale.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isqrt
from typing import Annotated, Any

from pydantic import BeforeValidator

_DECIMAL = re.compile(r"\d{1,40}(\.\d{1,40})?")

ROOT_DECIMALS = 54
"""Square roots are rounded down at 10**-54: 18 places beyond a price, so that rounding to a price is the only one."""


def parse_decimal(text: Any) -> Fraction:
    """`"0.1"`, `"1500"` or an integer as the exact positive number. Raises ValueError."""
    written = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    if isinstance(written, Fraction):
        return written
    if not isinstance(written, str) or not _DECIMAL.fullmatch(written):
        raise ValueError('not a decimal number: expected text of digits with at most one point, such as "0.1"')
    value = Fraction(written)
    if value <= 0:
        raise ValueError("must be above 0")
    return value


PositiveDecimal = Annotated[Fraction, BeforeValidator(parse_decimal)]
"""A positive number of a configuration, written as text (or an integer) so that it stays exact."""


def root_down(value: Fraction, degree: int = 2) -> Fraction:
    """Root of a non-negative rational, rounded down at 10**-54."""
    scale: int = 10**ROOT_DECIMALS
    return Fraction(_integer_root(value.numerator * scale**degree // value.denominator, degree), scale)


def _integer_root(value: int, degree: int) -> int:
    """The largest integer whose power fits, by Newton's method from above."""
    if degree == 2 or value == 0:
        return isqrt(value)
    root: int = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if better >= root:
            return root
        root = better
