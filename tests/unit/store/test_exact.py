"""Integers go through a database unchanged, on every dialect."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError

from indexer.store.exact import ExactInteger

_engine = create_engine("sqlite://")
_table = Table("one", MetaData(), Column("amount", ExactInteger))


@given(st.integers() | st.sampled_from([2**256 - 1, -(2**255), 2**63, 2**53 + 1, 10**400]))
def test_any_integer_comes_back_from_sqlite_to_the_last_unit(amount: int) -> None:
    with _engine.begin() as connection:
        _table.metadata.create_all(connection)
        connection.execute(insert(_table), {"amount": amount})
        assert connection.execute(select(_table.c.amount)).scalar_one() == amount
        connection.rollback()


@given(st.integers(-(10**90), 10**90))
def test_any_integer_is_an_exact_decimal_for_postgresql(amount: int) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    sent = ExactInteger().bind_processor(dialect)(amount)
    assert isinstance(sent, Decimal)
    assert ExactInteger().result_processor(dialect, None)(sent) == amount


@pytest.mark.parametrize("wrong", [1.0, Decimal(1), True, "1"])
def test_what_is_not_an_integer_is_refused(wrong: object) -> None:
    with _engine.begin() as connection:
        _table.metadata.create_all(connection)
        with pytest.raises(StatementError, match="exact integer"):
            connection.execute(insert(_table), {"amount": wrong})
        connection.rollback()
