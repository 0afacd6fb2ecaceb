"""A deployment taken from the shipped catalog is read through the whole program, as the chain says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Anvil
from indexer.config.protocols import shipped
from tests.e2e.shell import tvl

pytestmark = pytest.mark.anvil

CONFIG = """
[chains.ethereum]
endpoints = ["{url}"]

[select]
protocols = ["0x0dex"]
"""
COIN = "0x" + "0" * 40


@pytest.fixture
def ethereum() -> Iterator[Anvil]:
    """A chain that says it is Ethereum; nothing stands on it."""
    with Anvil.start(chain_id=1) as anvil:
        anvil.mine(2)
        yield anvil


def selecting(chain: Anvil, folder: Path) -> Path:
    file = folder / "config.toml"
    file.write_text(CONFIG.format(url=chain.url))
    return file


def test_a_selected_deployment_is_read_at_its_own_address(ethereum: Anvil, tmp_path: Path) -> None:
    (row,) = [row for row in shipped() if row.name == "0x0dex"]
    (owner,) = row.table()["owners"]
    ethereum.rpc("anvil_setBalance", owner, hex(7 * 10**18 + 1))
    ethereum.mine(1)
    done = tvl(selecting(ethereum, tmp_path), "check", "0x0dex", "--json")
    ((snapshot,),) = [one["snapshots"] for one in json.loads(done.stdout)]
    (line,) = snapshot["holdings"]
    assert snapshot["deployment"] == row.key
    assert (line["token"].lower(), line["owner"], line["amount_raw"]) == (COIN, owner, str(7 * 10**18 + 1))


def test_a_list_of_the_catalog_marks_what_is_selected(ethereum: Anvil, tmp_path: Path) -> None:
    told = json.loads(tvl(selecting(ethereum, tmp_path), "protocols", "0x0dex", "--json").stdout)
    assert [(one["deployment"], one["read_here"]) for one in told] == [("0x0dex@ethereum", True)]
