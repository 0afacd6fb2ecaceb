"""The only arithmetic: scales, exact division with a stated rounding, USD values, and their text.

Integers and `Fraction` in, integers out. No float ever enters; text is made from integers.
"""

from __future__ import annotations

from fractions import Fraction

PRICE_DECIMALS = 36
"""Scale of `Quote.price`: USD per whole token times 10**36. Every feed (8 or 18 decimals) fits without rounding."""

USD_DECIMALS = 18
"""Scale of USD values: 10**-18 USD is one unit."""

MAX_TOKEN_DECIMALS = 77
"""10**77 is the largest power of ten in a uint256: decimals beyond it cannot scale any amount."""

UINT256_MAX = 2**256 - 1

_PRICE_ONE: int = 10**PRICE_DECIMALS
_USD_SCALES: tuple[int, ...] = tuple(10 ** (n + PRICE_DECIMALS - USD_DECIMALS) for n in range(MAX_TOKEN_DECIMALS + 1))


def mul_div(a: int, b: int, denominator: int) -> int:
    """floor(a * b / denominator), exact for any size of integer."""
    return a * b // denominator


def to_price(usd_per_token: Fraction) -> int:
    """A rational USD price on the price scale, rounded down once."""
    return usd_per_token.numerator * _PRICE_ONE // usd_per_token.denominator


def from_price(price: int) -> Fraction:
    """A scaled price as the exact rational it stands for."""
    return Fraction(price, _PRICE_ONE)


def usd_value(amount: int, decimals: int, price: int) -> int:
    """USD (scaled by `USD_DECIMALS`) of `amount` raw units of a token with `decimals`, rounded down once."""
    return amount * price // usd_scale(decimals)


def usd_scale(decimals: int) -> int:
    """What an amount of a token with `decimals` (0 to 77) times a price is divided by, to be USD."""
    return _USD_SCALES[decimals]


def decimal_text(raw: int, decimals: int) -> str:
    """An integer on a power-of-ten scale as exact text: `decimal_text(1500, 3)` is `1.5`. Never an exponent."""
    sign = "-" if raw < 0 else ""
    whole, rest = divmod(abs(raw), 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if rest else ""
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def usd_text(usd: int, places: int = 2) -> str:
    """USD for people: `$1,234,567.89`, rounded half up."""
    unit = 10 ** (USD_DECIMALS - places)
    rounded = (abs(usd) + unit // 2) // unit
    whole, cents = divmod(rounded, 10**places)
    tail = f".{str(cents).rjust(places, '0')}" if places else ""
    return f"{'-' if usd < 0 and rounded else ''}${whole:,}{tail}"
