"""A contract that two deployments count is told before anything is read: by `tvl check`, and when the daemon starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.shell import tvl_until
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import CONFIG, write_config

VAULT = "0x" + "5a" * 20
PROTOCOLS = f"""
[[protocols]]
name = "vaults"
chain = "ethereum"
kind = "erc4626"
vaults = ["{VAULT}"]
[[protocols]]
name = "escrow"
chain = "ethereum"
kind = "token_balances"
owners = ["{VAULT}"]
tokens = ["0x0000000000000000000000000000000000000000"]
"""


def test_check_notes_the_contract_and_both_deployments(tvl: Tvl, folder: Path) -> None:
    write_config(folder, CONFIG + PROTOCOLS)
    findings = json.loads(tvl("check", "--json").stdout)["findings"]
    (found,) = [one for one in findings if one["what"] == "ethereum counted twice"]
    assert found["level"] == "note"
    assert found["text"] == f"escrow@ethereum and vaults@ethereum count what {VAULT} holds"


def test_check_says_nothing_where_nothing_is_shared(tvl: Tvl, folder: Path) -> None:
    write_config(folder, CONFIG + PROTOCOLS.replace(f'owners = ["{VAULT}"]', f'owners = ["0x{"6b" * 20}"]'))
    assert "counted twice" not in tvl("check", "--json").stdout


@pytest.mark.slow
def test_the_daemon_warns_as_it_starts(folder: Path) -> None:
    config = write_config(folder, CONFIG + PROTOCOLS)
    said = tvl_until("counted twice", config, "run", "--log-format", "json").stderr
    line = next(json.loads(text) for text in said.splitlines() if "counted twice" in text)
    assert (line["level"], line["contract"]) == ("warning", VAULT)
    assert line["deployments"] == "escrow@ethereum, vaults@ethereum"
