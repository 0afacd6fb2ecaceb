"""Finds a contract's creation code in an npm package or in devnet/build, in whatever form it was published.
Never talks to a node."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devnet.binary import HOME, INSTALL_HINT
from devnet.build import built_artifacts
from devnet.codec import encode_values
from devnet.errors import NotInstalledError


@dataclass(frozen=True, slots=True)
class Artifact:
    """Creation code of one contract. `links` names, by library, the byte offsets that its address goes to."""

    name: str
    bytecode: str
    constructor: tuple[str, ...]
    links: Mapping[str, tuple[int, ...]]

    def creation(self, arguments: tuple[Any, ...], libraries: Mapping[str, str]) -> str:
        """The data of the creating transaction: linked code and encoded constructor arguments, 0x hex."""
        code = self.bytecode
        for library, offsets in self.links.items():
            for offset in offsets:
                code = code[: offset * 2] + libraries[library][2:] + code[offset * 2 + 40 :]
        return "0x" + code + encode_values(self.constructor, arguments).hex()


def own(name: str) -> Artifact:
    """A contract of devnet/contracts (or Multicall3), compiled when needed."""
    return _load(built_artifacts() / f"{name}.json")


def published(package_path: str) -> Artifact:
    """A contract from an npm package: "@uniswap/v2-core/build/UniswapV2Factory.json"."""
    path = HOME / "node_modules" / package_path
    if not path.exists():
        raise NotInstalledError(f"{package_path} is not installed", INSTALL_HINT)
    return _load(path)


@functools.cache
def _load(path: Path) -> Artifact:
    content = json.loads(path.read_bytes())
    code = _creation_code(content).removeprefix("0x")
    abi = content["abi"] if "abi" in content else content["compilerOutput"]["abi"]
    return Artifact(path.stem, code, _constructor_types(abi), _links(content))


def _creation_code(content: dict[str, Any]) -> str:
    if "bytecode" in content:
        bytecode = content["bytecode"]
        return str(bytecode["object"] if isinstance(bytecode, dict) else bytecode)
    return str(content["compilerOutput"]["evm"]["bytecode"]["object"])


def _constructor_types(abi: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(argument["type"] for entry in abi if entry["type"] == "constructor" for argument in entry["inputs"])


def _links(content: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    references = content.get("linkReferences") or {}
    return {
        library: tuple(place["start"] for place in places)
        for libraries in references.values()
        for library, places in libraries.items()
    }
