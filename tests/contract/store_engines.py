"""The engines that the store's contract is tested on, each as a way to make empty stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.store import open_store
from indexer.store.base import Store

Make = Callable[[Path], str]


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/tvl.db"


def engines() -> list[object]:
    """SQLite always; PostgreSQL where TVL_TEST_POSTGRES holds the URL of an empty database."""
    made: list[object] = [pytest.param(_sqlite, id="sqlite")]
    if url := os.environ.get("TVL_TEST_POSTGRES"):
        made.append(pytest.param(lambda _: url, id="postgres"))
    return made


def new_store(make: Make, folder: Path) -> Store:
    return open_store(make(folder))
