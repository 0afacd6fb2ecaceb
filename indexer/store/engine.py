"""What differs between databases, behind one contract: connections, transactions, locks, errors and upserts.

`read` and `write` run a plain function on a synchronous connection, inside one transaction. A write that has begun is
carried to its end even if its task is cancelled; one that fails has changed nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

T = TypeVar("T")


class Engine(ABC):
    """One database. At most one write at a time, over all processes that use it."""

    @abstractmethod
    async def open(self) -> None:
        """Make ready for reads and writes; nothing need exist yet."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection and lock."""

    @abstractmethod
    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a read-only transaction: it sees one state of the database throughout."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the only write transaction; commit, or roll back if it raises."""

    @abstractmethod
    async def reshape(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for a migration: references are checked at its end, so that tables may be made anew."""

    @abstractmethod
    async def is_empty(self) -> bool:
        """Whether nothing was ever written here."""

    @abstractmethod
    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `Store.lease`."""


Insert = postgresql.Insert | sqlite.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that knows ON CONFLICT, in the connection's dialect (both spell it alike)."""
    return _insert(connection.dialect.name, table)


def upsert(connection: Connection, table: Table, key: tuple[str, ...], said: tuple[str, ...]) -> Insert:
    """An INSERT that, where there is a row of that key, writes these columns over."""
    return _upsert(connection.dialect.name, table, key, said)


@cache
def returning_id(statement: Insert) -> ReturningInsert[Any]:
    """The same INSERT of one row, which tells the row's id."""
    return statement.returning(statement.table.c.id)


@cache
def _insert(dialect: str, table: Table) -> Insert:
    """Statements are built once: building and keying one takes longer than running it."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...], said: tuple[str, ...]) -> Insert:
    new = _insert(dialect, table)
    return new.on_conflict_do_update(index_elements=key, set_={name: new.excluded[name] for name in said})
