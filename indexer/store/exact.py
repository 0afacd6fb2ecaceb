"""A column type for integers of any size: what goes in comes out, to the last unit, on every engine.

SQLite's own types overflow at 2**63 or round through a float without a word, so there it is decimal text; on
PostgreSQL it is NUMERIC without a limit. Never accepts a float, a Decimal or a bool.
"""

from __future__ import annotations

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

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | Decimal | None:
        if value is None:
            return None
        if type(value) is not int:
            raise TypeError(f"an exact integer is needed, not {type(value).__name__}")
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: str | Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)
