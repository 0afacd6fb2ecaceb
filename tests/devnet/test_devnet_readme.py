"""What devnet's README shows works as shown."""

from __future__ import annotations

import re

import pytest

from devnet import Addresses
from devnet.binary import HOME

pytestmark = pytest.mark.anvil

README = (HOME / "README.md").read_text()


def test_the_readmes_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})


def test_the_readme_names_every_part_of_the_addresses(addresses: Addresses) -> None:
    assert all(f"`{part}`" in README for part in ("multicall3", "feeds", "aave", "vaults", "escrow", "custodian"))
    assert all(name in README for name in (*addresses.vaults, *addresses.tokens))
