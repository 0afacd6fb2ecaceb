"""A column type for integers of any size: what goes in comes out, to the last unit, on every engine.

SQLite's own types overflow at 2**63 or round through a float without a word, so there it is decimal text; on
PostgreSQL it is NUMERIC without a limit. Never accepts a float, a Decimal or a bool.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class ExactInteger(TypeDecorator[int]):
    """Signed integers without bounds (a uint256, its USD value, a price with 36 decimals). Raises TypeError."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], Any]:
        return _as_text if dialect.name == "sqlite" else _as_decimal

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], int | None]:
        return _as_integer


def _as_text(value: int | None) -> str | None:
    return None if value is None else str(exact(value))


def _as_decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(exact(value))


def _as_integer(value: str | Decimal | None) -> int | None:
    return None if value is None else int(value)


def exact(value: int) -> int:
    """The same integer. Raises TypeError for anything else, a bool too."""
    if type(value) is not int:
        raise TypeError(f"an exact integer is needed, not {type(value).__name__}")
    return value
