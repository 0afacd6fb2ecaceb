"""Finds the anvil executable: `$ANVIL`, then the one npm installed beside this file, then one on PATH.
Never downloads anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devnet.errors import NotInstalledError

HOME = Path(__file__).resolve().parent
INSTALL_HINT = "run: npm ci --prefix devnet"


def find_anvil() -> Path:
    """The path of an anvil executable. Raises NotInstalledError when there is none."""
    chosen = os.environ.get("ANVIL")
    if chosen:
        return _chosen(chosen)
    installed = sorted((HOME / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if installed:
        return installed[0]
    on_path = shutil.which("anvil")
    if on_path:
        return Path(on_path)
    raise NotInstalledError("anvil is not installed", f"{INSTALL_HINT}, or set ANVIL to an anvil 1.7.1")


def _chosen(value: str) -> Path:
    found = shutil.which(value)
    if found is None:
        raise NotInstalledError(f"ANVIL={value} cannot be run", "unset ANVIL, or set it to an anvil 1.7.1")
    return Path(found)
