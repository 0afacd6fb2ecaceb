"""The recorded registry of deployments -> rows, and what makes a row unusable before its kind is looked at.

`data/protocols.jsonl.xz` holds what the adapters of DefiLlama/DefiLlama-Adapters at commit 1eb4e81 (22 August 2026)
pass to their helpers and read: addresses, names, numbers, signatures. Nothing of it was checked on chain. It was
written by strangers: every name is cleaned, every address must have its shape.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import clean
from indexer.model import Address

DATA = Path(__file__).parent / "data"
SOURCE = DATA / "protocols.jsonl.xz"

NOT_EVM = (728126428,)
"""Chain ids whose addresses are not those of the EVM: Tron."""

GAS_TOKEN = Address("0x" + "e" * 40)
"""How many write the chain's own coin."""

NAMES = {"uniswap": "uniswap-v3"}
"""Protocols that people know by another name than the registry's."""

NAME_LENGTH = 64
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_.]+")


class LeftOut(Exception):
    """A row that does not come into the catalog. The message says why, the same for all rows of that reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One calculation of one protocol on one chain, as the registry has it. `bucket` is its key there."""

    slug: str
    chain: str
    chain_id: int
    kind: str
    bucket: str
    params: dict[str, Any]
    source: str
    start: str | int | None = None
    partial: bool = False
    dead: bool = False
    code: bool = False

    @property
    def name(self) -> str:
        """The slug as a protocol is named in a configuration."""
        plain = _NOT_IN_NAMES.sub("-", self.slug.lower()).strip("-._")[:NAME_LENGTH]
        return NAMES.get(plain, plain)

    @property
    def live(self) -> bool:
        """Whether it is whole, alive and of an EVM chain: what the catalog is measured against."""
        return not self.partial and not self.dead and self.chain_id not in NOT_EVM

    def addresses(self, key: str) -> list[Address]:
        """The addresses of a list in the parameters, each once. Raises LeftOut for one without its shape."""
        return list(dict.fromkeys(map(as_address, self.params.get(key) or ())))

    def address(self, key: str) -> Address:
        """One address of the parameters. Raises LeftOut."""
        return as_address(self.params.get(key))


def as_address(value: Any) -> Address:
    """An address of 20 bytes in lower case. Raises LeftOut."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise LeftOut("malformed address")
    return Address(value.lower())


def read_rows(file: Path = SOURCE) -> Iterator[Row]:
    """Every row of the registry, in its order. Raises ValueError for a line that is none."""
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            for key, value in told.items():
                told[key] = clean(value) if isinstance(value, str) else value
            yield Row(**told)
