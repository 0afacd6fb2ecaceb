"""What differs between databases, behind one contract: connections, transactions, locks, errors and upserts.

`read` and `write` run a plain function on a synchronous connection, inside one transaction. A write that has begun is
carried to its end even if its task is cancelled; one that fails has changed nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

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
    async def is_empty(self) -> bool:
        """Whether nothing was ever written here."""

    @abstractmethod
    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `Store.lease`."""


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the connection's dialect (both spell it alike)."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
