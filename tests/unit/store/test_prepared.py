"""What goes straight to the driver is stored as SQLAlchemy would store it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, Table, Text, bindparam, create_engine, select
from sqlalchemy.dialects import postgresql, sqlite

from indexer.store.exact import ExactInteger
from indexer.store.prepared import _prepared, first, put, put_returning

_table = Table(
    "one",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("amount", ExactInteger),
    Column("live", Boolean),
)
_INSERT = sqlite.insert(_table)
_BY_NAME = _table.update().where(_table.c.name == bindparam("who"))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        _table.metadata.create_all(opened)
        yield opened


@given(st.lists(st.tuples(st.text(), st.integers(-(2**256), 2**256), st.booleans()), unique_by=lambda row: row[0]))
def test_rows_come_back_as_they_were_put(rows: list[tuple[str, int, bool]]) -> None:
    with create_engine("sqlite://").begin() as connection:
        _table.metadata.create_all(connection)
        put(connection, _INSERT, [{"live": live, "amount": amount, "name": name} for name, amount, live in rows])
        query = select(_table.c.name, _table.c.amount, _table.c.live).order_by(_table.c.id)
        assert [tuple(row) for row in connection.execute(query)] == rows


def test_an_update_changes_what_is_named_where_it_is_asked_to(connection: Connection) -> None:
    put(connection, _INSERT, [{"name": "a", "amount": 1}, {"name": "b", "amount": 2}])
    put(connection, _BY_NAME, [{"who": "b", "amount": 2**200}])
    put(connection, _BY_NAME, [{"who": "a", "live": True}])
    found = connection.execute(select(_table.c.name, _table.c.amount, _table.c.live)).all()
    assert [tuple(row) for row in found] == [("a", 1, True), ("b", 2**200, None)]


def test_rows_that_were_put_tell_their_ids_in_order(connection: Connection) -> None:
    again = _INSERT.on_conflict_do_update(index_elements=["name"], set_={"name": _INSERT.excluded.name})
    new = again.returning(_table.c.id)
    assert put_returning(connection, new, [{"name": name} for name in "abac"]) == [(1,), (2,), (1,), (3,)]
    assert put_returning(connection, new, []) == []


def test_the_first_row_is_told_by_name_and_none_where_there_is_none(connection: Connection) -> None:
    put(connection, _INSERT, [{"name": "a"}])
    query = select(_table.c.id, _table.c.name).where(_table.c.name == bindparam("who"))
    found = first(connection, query, {"who": "a"})
    assert found is not None
    assert (found.id, found.name) == (1, "a")
    assert first(connection, query, {"who": "b"}) is None


def test_a_column_that_is_not_stored_as_it_is_is_not_told_raw(connection: Connection) -> None:
    with pytest.raises(AssertionError, match="not stored as it is"):
        first(connection, select(_table.c.amount), {})


def test_what_a_column_refuses_is_refused_and_nothing_is_written(connection: Connection) -> None:
    with pytest.raises(TypeError, match="exact integer"):
        put(connection, _INSERT, [{"name": "a", "amount": 1}, {"name": "b", "amount": 1.5}])
    assert connection.execute(select(_table.c.id)).first() is None


def test_a_broken_constraint_is_the_drivers_error(connection: Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        put(connection, _INSERT, [{"name": "a"}, {"name": "a"}])


def test_a_driver_that_takes_values_by_name_is_given_names() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    (values,) = _prepared(dialect, postgresql.insert(_table), ("name", "amount")).rows({"name": ["a"], "amount": [7]})
    assert values == {"name": "a", "amount": 7}
