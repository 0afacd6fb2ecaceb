"""`tvl` run in this process, in a folder of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from indexer.cli.app import main

Tvl = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without a configuration from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("TVL_CONFIG", "ETH_RPC_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def tvl(folder: Path) -> Iterator[Tvl]:
    """Call a verb as the shell would; what it set up for logging is taken back."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def call(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="tvl")

    yield call
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers
