"""The plugin that looks for leaked keys finds them wherever they are, and does not repeat them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet.proxy import FaultProxy
from tests.canary import KEY

ROOT = Path(__file__).parents[2]

SUITE = """
import logging, sqlite3, sys
import pytest
KEY = "CANARY-" + "0123456789abcdef"

def test_prints():
    print(f"asking http://host/v3/{KEY}")

def test_prints_to_stderr():
    print(KEY, file=sys.stderr)

def test_logs():
    logging.getLogger("x").warning("asking %s", KEY)

def test_raises():
    raise OSError(f"cannot connect to http://host/{KEY}")

def test_compares():
    assert {"url": KEY} == {}

def test_stores(tmp_path):
    database = sqlite3.connect(tmp_path / "tvl.db")
    database.execute("CREATE TABLE t (a TEXT)")
    database.execute("INSERT INTO t VALUES (?)", (f"no answer from {KEY}",))
    database.commit()
    database.close()

def test_writes_a_log(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "daemon.log").write_text(KEY)

@pytest.fixture
def loud():
    yield
    print(KEY)

def test_has_a_loud_fixture(loud):
    pass

def test_is_clean(tmp_path):
    (tmp_path / "config.toml").write_text(f'endpoints = ["http://host/{KEY}"]')
    (tmp_path / "daemon.log").write_text("CANARY-…")
    print("CANARY")
"""

LEAVES_A_FILE = """
def test_leaves_a_file(tmp_path_factory):
    (tmp_path_factory.mktemp("wide") / "daemon.log").write_text("CANARY-" + "0123456789abcdef")
"""


def run(folder: Path, suite: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A suite of its own, with the plugin."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_suite.py").write_text(suite)
    plugins = ["-p", "tests.canary", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, "-rA", f"--basetemp={folder}/tmp", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not one of pytest's own: the plugin of the suite that this is a part of would find the leaks, too."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with workers"])
def test_a_key_fails_the_test_that_leaked_it_wherever_it_is(folder: Path, workers: tuple[str, ...]) -> None:
    told = run(folder, SUITE, *workers)
    assert told.returncode == 1
    assert set(re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", told.stdout, re.MULTILINE)) == {
        *("test_prints", "test_prints_to_stderr", "test_logs", "test_raises", "test_compares"),
        *("test_stores", "test_writes_a_log", "test_has_a_loud_fixture"),
    }
    assert not re.search(KEY, told.stdout + told.stderr)


def test_a_key_in_a_file_of_a_wider_fixture_fails_the_session(folder: Path) -> None:
    told = run(folder, LEAVES_A_FILE)
    assert told.returncode == 1
    assert "1 passed" in told.stdout
    assert "the key of an endpoint is in" in told.stdout
    assert "daemon.log" in told.stdout


def test_a_proxys_key_is_such_a_key_and_not_in_its_repr() -> None:
    proxy = FaultProxy("http://127.0.0.1:1")
    assert re.fullmatch(KEY, proxy.key)
    assert proxy.key != FaultProxy("http://127.0.0.1:1").key
    proxy.url = f"http://127.0.0.1:2/v3/{proxy.key}"
    assert proxy.key not in repr(proxy)
