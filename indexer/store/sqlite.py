"""SQLite behind the engine contract: one file, WAL, one writing connection, read-only readers.

SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at the same moment
(https://www.sqlite.org/wal.html, "the WAL-reset bug"), so every write transaction, its checkpoint, and the closing of
the writer happen under a lock on `<file>.lock`, between processes too. Reads never wait.

A whole transaction runs in one thread. An asynchronous driver hops between threads several times for each statement,
which takes ten times as long as the statement.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from sqlalchemy import Connection, create_engine, event
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from indexer.errors import IndexerError, StoreBusy, StoreUnusable, clean
from indexer.store.engine import Engine
from indexer.store.locks import FileLock, take_lease

T = TypeVar("T")

SAFE_VERSION = (3, 51, 3)
_READERS = 4
_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # A commit that returned is on the disk: FULL syncs the log at each commit, for 0.2 to 0.5 ms on an SSD. NORMAL
    # would keep the file whole too, but a power cut could take back blocks that were already reported, and served.
    "PRAGMA synchronous=FULL",
    "PRAGMA journal_size_limit=67108864",
)
_UNUSABLE = {
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk failed, or a size limit was reached",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_NOTADB: "it is not a database",
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteFile(Engine):
    """The database in the file `path`. Waits at most `patience_s` for another process's write: then StoreBusy."""

    def __init__(self, path: Path, patience_s: float = 30.0) -> None:
        self.path = path.resolve()
        self._patience_s = patience_s
        self._turn = asyncio.Lock()
        self._lock = FileLock(self._beside("lock"))
        self._writer: _Threads | None = None
        self._readers: _Threads | None = None

    async def open(self) -> None:
        with self._named_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        if sqlite3.sqlite_version_info < SAFE_VERSION:
            warn_once()
        pragmas = (f"PRAGMA busy_timeout={int(self._patience_s * 1000)}", *_PRAGMAS)
        self._writer = _Threads(_database(self.path, "rwc", "BEGIN IMMEDIATE", (*pragmas, *_WRITER_PRAGMAS)), 1)
        self._readers = _Threads(_database(self.path, "ro", "BEGIN", pragmas), _READERS)

    async def close(self) -> None:
        readers, writer = self._readers, self._writer
        self._readers = self._writer = None
        if readers is not None:
            await readers.close()
        if writer is not None:
            async with self._turn:
                await self._close(writer)

    async def _close(self, writer: _Threads) -> None:
        """Alone, but never kept from it: where the lock's file cannot be written, neither could the database."""
        try:
            with suppress(StoreUnusable, StoreBusy), self._named_errors():
                await self._lock.acquire(self._patience_s)
            await writer.close()
        finally:
            self._lock.release()

    async def is_empty(self) -> bool:
        with self._named_errors():
            return not self.path.exists() or self.path.stat().st_size == 0

    async def read(self, work: Callable[[Connection], T]) -> T:
        assert self._readers is not None, "the store is not open"
        with self._named_errors():
            return await asyncio.wrap_future(self._readers.run(work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._alone(_Threads.run, work)

    async def reshape(self, work: Callable[[Connection], T]) -> T:
        return await self._alone(_Threads.reshape, work)

    async def _alone(
        self, begin: Callable[[_Threads, Callable[[Connection], T]], Future[T]], work: Callable[[Connection], T]
    ) -> T:
        """Work of the writer's, as the only one among this process's tasks, and among processes."""
        async with self._turn:
            assert self._writer is not None, "the store is not open"
            with self._named_errors():
                await self._lock.acquire(self._patience_s)
                try:
                    return await _to_its_end(begin(self._writer, work))
                finally:
                    self._lock.release()

    @asynccontextmanager
    async def _lease(self, name: str) -> AsyncIterator[None]:
        if not re.fullmatch(r"[a-z0-9_-]+", name):
            raise ValueError(f"not a name for a lease: {name!r}")
        with self._named_errors():
            lock = take_lease(self._beside(f"{name}.lease"))
        try:
            yield
        finally:
            lock.release()

    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        return self._lease(name)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            named = _named(error, self.path)
            if named is None:
                raise
            raise named from error
        except OSError as error:
            raise StoreUnusable(f"cannot use the store: {error.strerror or error}", path=self.path) from error


class _Threads:
    """A database, and the threads that transactions on it run in: one connection each, kept."""

    def __init__(self, database: Database, count: int) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="store")
        self._own = threading.local()
        self._opened: list[Connection] = []

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        return self._threads.submit(self._transaction, work)

    def reshape(self, work: Callable[[Connection], T]) -> Future[T]:
        return self._threads.submit(self._unchecked, work)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _connection(self) -> Connection:
        """This thread's."""
        if not hasattr(self._own, "connection"):
            self._own.connection = self._database.connect()
            self._opened.append(self._own.connection)
        made: Connection = self._own.connection
        return made

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        connection = self._connection()
        with connection.begin():
            return work(connection)

    def _unchecked(self, work: Callable[[Connection], T]) -> T:
        """The pragma is heeded outside of a transaction only, https://www.sqlite.org/pragma.html#pragma_foreign_keys."""
        connection = self._connection()
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                made = work(connection)
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                assert broken is None, f"a row of {broken and broken[0]} refers to nothing"
        finally:
            raw.execute("PRAGMA foreign_keys=ON")
        return made


def _database(path: Path, mode: str, begin: str, pragmas: tuple[str, ...]) -> Database:
    def connect() -> sqlite3.Connection:
        place = f"file:{quote(str(path))}?mode={mode}"
        return sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)

    database = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    def prepare(connection: Any, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    def start(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    event.listen(database, "connect", prepare)
    event.listen(database, "begin", start)
    return database


def _named(error: DBAPIError | sqlite3.Error, path: Path) -> IndexerError | None:
    """The error of ours that a driver's error stands for; None where it is a fault of this program."""
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    while cause is not None and not hasattr(cause, "sqlite_errorcode"):
        cause = cause.__cause__
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StoreBusy("another program holds the database's lock", path=path)
    if code in _UNUSABLE:
        return StoreUnusable(f"cannot use the store: {_UNUSABLE[code]} ({clean(str(cause))})", path=path)
    return None


async def _to_its_end(transaction: Future[T]) -> T:
    """Await a transaction; a cancellation is obeyed once it has ended, or before it began."""
    try:
        return await asyncio.wrap_future(transaction)
    except asyncio.CancelledError:
        if not transaction.cancelled():
            await asyncio.wait({asyncio.wrap_future(transaction)})
        raise


@cache
def warn_once() -> None:
    structlog.get_logger("indexer.store").warning(
        "sqlite_is_old",
        version=sqlite3.sqlite_version,
        wanted=".".join(map(str, SAFE_VERSION)),
        consequence="writes are serialised by a lock file; do not write to the file with other tools",
    )
