"""Where snapshots are kept: one contract (`base`), and the SQL stores behind it.

Importing this is cheap; opening a store is what imports a database library.
"""

from __future__ import annotations

from pathlib import Path

from indexer.errors import ConfigError
from indexer.store.base import Store


def open_store(url: str, base: Path | None = None) -> Store:
    """The store at a URL: `sqlite:///tvl.db` (relative to `base`, else to where we run) or `sqlite:////data/tvl.db`.

    Not opened yet: use it with `async with`. Raises ConfigError for a URL of no store we have.
    """
    from indexer.store.sql import SqlStore
    from indexer.store.sqlite import SqliteFile

    return SqlStore(SqliteFile(_file(url, base)))


def is_there(url: str, base: Path | None = None) -> bool:
    """Whether the store at a URL exists already. Raises ConfigError as `open_store` does."""
    return _file(url, base).is_file()


def _file(url: str, base: Path | None) -> Path:
    scheme, separator, rest = url.partition("://")
    path = rest.removeprefix("/")
    if not separator or scheme != "sqlite":
        raise ConfigError(f"no store for {scheme or 'an empty'} URLs", hint="Write the store as sqlite:///tvl.db")
    if not rest.startswith("/") or path in ("", ":memory:"):
        raise ConfigError("the store's URL names no file", hint="Write the store as sqlite:///tvl.db")
    return (base or Path.cwd()) / path
