"""`tvl init` writes what the rest of the program can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.config.load import load
from indexer.run.program import load_program
from tests.unit.cli.conftest import Tvl


def test_what_it_writes_has_no_problem(tvl: Tvl, folder: Path) -> None:
    assert tvl("init").exit_code == 0
    draft = load(folder / "config.toml", {"ETH_RPC_URL": "https://rpc.example.com/key"})
    assert draft.checked().chains["ethereum"].chain_id == 1


def test_what_it_writes_is_a_program(tvl: Tvl, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tvl("init", "mine.toml", "--rpc-env", "MY_NODE")
    monkeypatch.setenv("MY_NODE", "http://127.0.0.1:8545")
    program = load_program(folder / "mine.toml")
    assert [deployment.key for deployment in program.deployments] == [
        "sky-savings@ethereum",
        "aave-v3@ethereum",
        "sushiswap@ethereum",
    ]


def test_it_tells_the_next_steps(tvl: Tvl, folder: Path) -> None:
    out = tvl("init", "mine.toml").stdout
    assert "export ETH_RPC_URL=" in out
    assert "tvl -c mine.toml check" in out


def test_it_never_replaces_a_file_unasked(tvl: Tvl, folder: Path) -> None:
    (folder / "config.toml").write_text("mine")
    refused = tvl("init")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert (folder / "config.toml").read_text() == "mine"
    assert tvl("init", "--force").exit_code == 0
    assert "[chains.ethereum]" in (folder / "config.toml").read_text()


def test_a_folder_that_is_not_there_is_an_error_in_words(tvl: Tvl, folder: Path) -> None:
    result = tvl("init", "no/such/folder/config.toml")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_its_first_check_says_which_variable_is_missing(tvl: Tvl, folder: Path) -> None:
    tvl("init")
    result = tvl("check")
    assert result.exit_code == 2
    assert "the environment variable ETH_RPC_URL is not set" in result.stderr
