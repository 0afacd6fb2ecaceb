"""A deployment of the catalog -> its table in TOML, with where it comes from above it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from indexer.config.types import checksum
from indexer.model import Address
from tools.protocol_parts import Reading

SHOWN_IN_A_LINE = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A deployment of the catalog, the rows of the registry that it reads, and other names that have the same."""

    name: str
    chain: str
    category: str
    label: str
    reading: Reading
    source: str
    rows: tuple[int, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Unique in the catalog."""
        return self.name, self.chain, self.label


def toml_of(entry: Entry) -> str:
    """An entry as a table of a configuration."""
    given = {
        "name": entry.name,
        "chain": entry.chain,
        "kind": entry.reading.kind,
        "category": entry.category,
        "label": entry.label,
        "first_block": entry.reading.first_block,
        **entry.reading.params,
    }
    also = [f"# the same contracts as {', '.join(entry.also)}"] if entry.also else []
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value not in ("", 0, [])]
    return "\n".join([f"# {entry.source}", *also, "[[protocols]]", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, list) and (len(value) > SHOWN_IN_A_LINE or any(isinstance(item, dict) for item in value)):
        return "[\n" + "".join(f"    {_toml(item)},\n" for item in value) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]{40}", value):
        return f'"{checksum(Address(value))}"'
    return json.dumps(value, ensure_ascii=False)
