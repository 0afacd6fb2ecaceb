"""A store's URL says where it is; importing the room costs no database library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from indexer.errors import ConfigError
from indexer.store import open_store


@pytest.mark.parametrize(
    "url", ["", "tvl.db", "mysql://host/db", "sqlite://tvl.db", "sqlite:///", "sqlite:///:memory:"]
)
def test_a_url_of_no_store_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_store(url)
    assert "sqlite:///tvl.db" in refused.value.next_step


def test_a_password_in_a_url_is_not_in_the_error() -> None:
    with pytest.raises(ConfigError) as refused:
        open_store("mysql://user:secret@host/db")
    assert "secret" not in str(refused.value)


async def test_a_relative_path_is_beside_the_configuration_and_its_folder_is_made(tmp_path: Path) -> None:
    async with open_store("sqlite:///data/a b#%.db", tmp_path):
        pass
    assert (tmp_path / "data" / "a b#%.db").stat().st_size > 0


async def test_an_absolute_path_is_used_as_it_is(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/tvl.db", Path("/nowhere")):
        pass
    assert (tmp_path / "tvl.db").exists()


def test_importing_the_store_imports_no_database_library() -> None:
    code = "import sys, indexer.store; print([m for m in ('sqlalchemy', 'sqlmodel', 'alembic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
