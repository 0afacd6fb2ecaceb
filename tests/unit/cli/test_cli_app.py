"""The frame of the command: start-up, help, errors and exit codes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from indexer.cli import docs
from indexer.cli.app import VERBS, App, main
from indexer.cli.failing import told
from indexer.config.redact import Redactor
from indexer.errors import (
    ChainUnavailable,
    ConfigError,
    EndpointError,
    IndexerError,
    StoreBusy,
    StoreInUse,
    UnknownName,
    Verdict,
)
from indexer.run.collector import ALLOCATIONS
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import write_config

REFERENCE = Path(__file__).parents[3] / "docs/reference/cli.md"
HEAVY = ("web3", "sqlmodel", "sqlalchemy", "aiohttp", "pydantic", "rich", "structlog", "eth_abi")


@pytest.mark.parametrize("module", ["indexer.cli.app", *(f"indexer.cli.{verb}" for verb in VERBS)])
def test_help_needs_no_heavy_import(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_verb_explains_itself(tvl: Tvl) -> None:
    for verb in VERBS:
        result = tvl(verb, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: tvl {verb}")


def test_python_dash_m_is_the_same_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REFERENCE.parents[2])},
    )
    assert done.stdout.startswith("tvl, version ")


def test_the_reference_says_what_the_help_says() -> None:
    assert REFERENCE.read_text("utf-8") == docs.reference(), "stale: run `python -m indexer.cli.docs`"


def test_a_misspelt_verb_is_answered_with_the_right_one(tvl: Tvl) -> None:
    result = tvl("shwo")
    assert result.exit_code == 2
    assert "Did you mean 'show'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "x", "--from", "yesterday"), "is not a block"),
        (("show", "x", "--from", "2026-02-30"), "is not a block"),
        (("show", "x", "--from", "9", "--to", "8"), "lies after --to"),
        (("show", "x", "--every", "often"), "is not blocks"),
        (("show", "x", "--every", "0"), "is not blocks"),
        (("show", "x", "--json", "--csv"), "exclude each other"),
        (("show", "x", "--at", "1", "--from", "1"), "--at excludes --from"),
        (("show",), "Missing argument"),
        (("backfill",), "Missing option '--from'"),
        (("backfill", "--from", "-1d", "--to", "-2d"), "lies after --to"),
        (("backfill", "--from", "1", "--workers", "0"), "--workers"),
        (("init", "--rpc-env", "https://host/CANARY"), "name of an environment variable"),
        (("--log-format", "xml", "status"), "--log-format"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(tvl: Tvl, arguments: tuple[str, ...], said: str) -> None:
    result = tvl(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
    assert "CANARY" not in result.stderr


@pytest.mark.parametrize("verb", [("status",), ("show", "x"), ("check",), ("run",), ("backfill", "--from", "1")])
def test_a_missing_configuration_says_how_to_make_one(tvl: Tvl, verb: tuple[str, ...]) -> None:
    result = tvl(*verb)
    assert result.exit_code == 2
    assert "there is no config.toml" in result.stderr
    assert "hint: `tvl init`" in result.stderr


def test_a_configuration_that_is_named_must_be_there(tvl: Tvl) -> None:
    result = tvl("-c", "other.toml", "status")
    assert result.exit_code == 2
    assert "other.toml does not exist" in result.stderr


def test_the_configuration_is_found_upwards_and_behind_the_verb(
    tvl: Tvl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_config(folder)
    (folder / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(folder / "deep" / "down")
    assert tvl("status").exit_code == 0
    assert (folder / "tvl.db").exists()
    monkeypatch.chdir("/")
    assert tvl("status", "-c", str(file)).exit_code == 0
    monkeypatch.setenv("TVL_CONFIG", str(file))
    assert tvl("status").exit_code == 0


def test_five_mistakes_are_told_at_once_with_their_lines(tvl: Tvl, folder: Path) -> None:
    write_config(
        folder,
        """\
[store]
url = "sqlite:///tvl.db"
colour = "red"
[chains.ethereum]
endpoints = ["${NO_SUCH_VARIABLE}"]
poll_s = -1
[[protocols]]
name = "Bad Name"
chain = "ethereum"
kind = "erc4626"
[[protocols]]
name = "good"
chain = "ethereum"
kind = "uniswap_v2"
factory = "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"
first_block = -1
""",
    )
    result = tvl("check")
    assert result.exit_code == 2
    for line in (3, 5, 6, 8, 16):
        assert f"line {line}:" in result.stderr
    assert "hint:" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (UnknownName("x"), 2),
        (StoreInUse(), 1),
        (StoreBusy(), 3),
        (ChainUnavailable("x"), 3),
        (EndpointError("x", verdict=Verdict.RATE), 3),
        (RuntimeError("x"), 1),
        (ExceptionGroup("several", [ChainUnavailable("x"), RuntimeError("y")]), 3),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert told(error, Redactor(), verbose=False).exit_code == code


def test_a_traceback_is_shown_on_request_only_and_without_secrets() -> None:
    try:
        raise RuntimeError("cannot reach https://u:CANARY@host/CANARY")
    except RuntimeError as error:
        short, long = (told(error, Redactor(), verbose) for verbose in (False, True))
    assert "Traceback" not in _shown(short)
    assert "Traceback" in _shown(long)
    assert "CANARY" not in _shown(short) + _shown(long)


def test_an_error_in_foreign_words_cannot_move_the_cursor() -> None:
    assert _shown(told(IndexerError("bad\x1b[2J token\u202e"), Redactor(), verbose=False)) == "error: bad [2J token\n"


def test_ctrl_c_ends_with_130() -> None:
    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    class OneVerb(App):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return interrupted

    from click.testing import CliRunner

    assert CliRunner().invoke(OneVerb("tvl"), ["status"]).exit_code == 130


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    write_config(folder)
    command = f"{sys.executable} -m indexer --help | head -c 0; exit ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "PYTHONPATH": str(REFERENCE.parents[2])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environ, check=False)
    assert done.stderr == ""


def test_the_group_is_the_entry_point() -> None:
    assert isinstance(main, App)


def _shown(error: click.ClickException) -> str:
    from io import StringIO

    shown = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", shown)
        error.show()
    return click.unstyle(shown.getvalue())


def test_a_verb_looks_for_cyclic_garbage_seldom(tvl: Tvl) -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        assert tvl("protocols").exit_code == 0
        assert gc.get_threshold() == (ALLOCATIONS, 10, 10)
    finally:
        gc.set_threshold(*before)
