"""Compiles devnet's own Solidity and takes Multicall3 out of viem, once for each content of the sources.
Needs node and the npm packages; never downloads anything."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from devnet.binary import HOME, INSTALL_HINT
from devnet.errors import DevnetError, NotInstalledError

BUILD = HOME / "build"


def built_artifacts() -> Path:
    """The folder of compiled artifacts, built if need be. Raises NotInstalledError without packages."""
    folder = BUILD / f"artifacts-{sources_digest()}"
    if not folder.exists():
        _build(folder)
    return folder


def sources_digest() -> str:
    """Identifies what is compiled and what is installed; devnet/build.mjs computes the same."""
    digest = hashlib.sha256()
    for path in [HOME / "build.mjs", HOME / "package-lock.json", *sorted((HOME / "contracts").glob("*.sol"))]:
        digest.update(path.relative_to(HOME).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build(expected: Path) -> None:
    if not (HOME / "node_modules" / "solc").exists():
        raise NotInstalledError("devnet's npm packages are not installed", INSTALL_HINT)
    try:
        done = subprocess.run(["node", "build.mjs"], cwd=HOME, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotInstalledError("node is not installed", "install Node.js 20 or newer") from error
    if done.returncode != 0 or Path(done.stdout.strip()) != expected:
        words = done.stderr.strip()[-2000:]
        raise DevnetError(f"devnet/build.mjs failed: {words}", "run: npm run build --prefix devnet")
