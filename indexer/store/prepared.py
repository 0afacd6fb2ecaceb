"""Statements of SQLAlchemy, compiled once: from then on their values go straight to the driver.

For what is written with every block: a statement's way through SQLAlchemy's own execution weighs ten times as much as
SQLite's work on a row. On the same connection, in the same transaction; the driver's errors come as they are.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Select, UpdateBase

Row = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]

_MOST_STATEMENTS = 512


def put(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> None:
    """Execute a statement for each of some rows; without any, nothing is done.

    All have the same keys in the same order, and the statement has no value of its own. Raises TypeError for a value
    that the type of its column refuses.
    """
    if rows:
        prepared = _prepared(connection.dialect, statement, tuple(rows[0]))
        _cursor(connection).executemany(prepared.text, prepared.rows(_columns(rows)))


def put_returning(connection: Connection, statement: UpdateBase, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Execute a statement that returns one row for each of some rows: those, in order, as the driver tells them.

    Raises as `put`.
    """
    if not rows:
        return []
    prepared, cursor = _prepared(connection.dialect, statement, tuple(rows[0])), _cursor(connection)
    told = []
    for values in prepared.rows(_columns(rows)):
        cursor.execute(prepared.text, values)
        told += cursor.fetchall()
    return told


def first(connection: Connection, statement: Select[Any], values: Row) -> Any | None:
    """The first row that a query finds, its columns by name; of types that are stored as they are."""
    prepared, row = _prepared(connection.dialect, statement, tuple(values)), _row(connection.dialect, statement)
    (asked,) = prepared.rows(_columns([values]))
    cursor = _cursor(connection)
    cursor.execute(prepared.text, asked)
    found = cursor.fetchone()
    cursor.close()
    return None if found is None else row(*found)


def _columns(rows: Sequence[Row]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _cursor(connection: Connection) -> Any:
    """https://docs.sqlalchemy.org/en/20/core/connections.html#working-with-the-dbapi-cursor-directly"""
    return connection.connection.cursor()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement's text, and of each of its parameters, in order: its name, and what its type makes of a value."""

    text: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    is_positional: bool

    def rows(self, columns: Columns) -> list[Any]:
        """The values of each row as the driver takes them: in order, or by name."""
        told = [columns[name] if stored is None else map(stored, columns[name]) for name, stored in self.parameters]
        in_order = list(zip(*told, strict=True))
        if self.is_positional:
            return in_order
        names = [name for name, _ in self.parameters]
        return [dict(zip(names, values, strict=True)) for values in in_order]


@lru_cache(_MOST_STATEMENTS)
def _prepared(dialect: Dialect, statement: UpdateBase | Select[Any], names: tuple[str, ...]) -> _Prepared:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup or compiled.binds
    parameters = tuple((name, _stored(compiled.binds[name], dialect)) for name in order)
    return _Prepared(str(compiled), parameters, compiled.positiontup is not None)


@lru_cache(_MOST_STATEMENTS)
def _row(dialect: Dialect, statement: Select[Any]) -> type[Any]:
    """What a query's rows are told as."""
    columns = statement.selected_columns
    told = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    assert not any(told), f"a column of {statement} is not stored as it is"
    return namedtuple("Row", columns.keys())


def _stored(parameter: BindParameter[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return parameter.type.dialect_impl(dialect).bind_processor(dialect)
