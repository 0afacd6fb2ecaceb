"""The shipped deployments, and those of them that a configuration selects.

A row is found by its first lines and parsed only when it is used: the catalog has thousands. Each file is what
tools/protocol_catalog.py writes; the first keys of a row stand in their order, one a line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

from indexer.config.schema import DeploymentSettings, Select

_ROW = "[[protocols]]\n"
_HEAD = re.compile(
    r'name = "([^"]*)"\nchain = "([^"]*)"\nkind = "([^"]*)"\ncategory = "([^"]*)"\n(?:label = "([^"]*)"\n)?'
    r"(?:first_block = (\d+)\n)?"
)


@dataclass(frozen=True, slots=True)
class Shipped:
    """One deployment of the catalog, as far as it can be searched. `text` is its table, without the line above it."""

    name: str
    chain: str
    kind: str
    category: str
    label: str
    first_block: int
    text: str

    @property
    def key(self) -> str:
        """As in a configuration: `protocol@chain`, with `#label` where it has one."""
        return f"{self.name}@{self.chain}" + (f"#{self.label}" if self.label else "")

    @property
    def names(self) -> tuple[str, str, str]:
        """How it can be asked for: `protocol`, `protocol@chain`, `protocol@chain#label`."""
        return self.name, f"{self.name}@{self.chain}", self.key

    def is_named(self, names: Collection[str]) -> bool:
        """Whether one of the names means it."""
        return any(name in names for name in self.names)

    def table(self) -> dict[str, Any]:
        """The row as a table of a configuration."""
        return tomllib.loads(self.text)

    def settings(self) -> DeploymentSettings:
        """The row as a deployment."""
        return DeploymentSettings.model_validate(self.table())


class Unknown(Exception):
    """A name in `[select]` that cannot be meant. `path` is where it stands, below `select`."""

    def __init__(self, path: tuple[str, int], sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


@cache
def shipped() -> tuple[Shipped, ...]:
    """Every deployment of the catalog, in the order of names and chains."""
    folder = resources.files("indexer.config") / "catalog" / "protocols"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    rows = [row for file in files for row in _rows(file.read_text("utf-8"))]
    return tuple(sorted(rows, key=lambda row: (row.name, row.chain, row.label)))


def selected(
    select: Select, configured: Iterable[str], own: Iterable[DeploymentSettings] = ()
) -> Iterator[DeploymentSettings]:
    """The shipped deployments on configured chains that `select` asks for, without those that `own` rows replace."""
    replaced = {(row.name, row.chain) for row in own}
    for row in matching(select, configured):
        if (row.name, row.chain) not in replaced:
            yield row.settings()


def matching(select: Select, configured: Iterable[str]) -> list[Shipped]:
    """The rows that are asked for by name, category or kind (all, if only chains are), on the chains asked for."""
    chains = {*(select.chains or configured)} & {*configured}
    wanted, unwanted = frozenset(select.protocols), frozenset(select.except_)
    return [
        row
        for row in shipped()
        if row.chain in chains and _is_asked(row, select, wanted) and not row.is_named(unwanted)
    ]


def mistakes(select: Select, configured: Sequence[str]) -> Iterator[Unknown]:
    """What in `[select]` names nothing, with what may have been meant."""
    chains: dict[str, set[str]] = {}
    for row in shipped():
        for name in row.names:
            chains.setdefault(name, set()).add(row.chain)
    yield from _unknown("categories", select.categories, {row.category for row in shipped()}, "category")
    yield from _unknown("kinds", select.kinds, {row.kind for row in shipped()}, "kind of the catalog")
    yield from _unknown("chains", select.chains, configured, "chain of this file")
    yield from _unknown("except", select.except_, chains, "protocol of the catalog")
    yield from _unknown("protocols", select.protocols, chains, "protocol of the catalog")
    yield from _elsewhere(select, configured, chains)


def _elsewhere(select: Select, configured: Sequence[str], found: Mapping[str, set[str]]) -> Iterator[Unknown]:
    """Protocols that are on none of the chains in use."""
    in_use = {*select.chains} & {*configured} or {*configured}
    for i, name in enumerate(select.protocols):
        chains = found.get(name, set())
        if chains and not chains & in_use:
            yield Unknown(("protocols", i), f"{name!r} is on {_few(sorted(chains))}, of which none is in use here")


def _unknown(part: str, given: Sequence[str], known: Iterable[str], what: str) -> Iterator[Unknown]:
    there = {*known}
    for i, name in enumerate(given):
        if name not in there:
            yield Unknown((part, i), f"no {what} is named {name!r}; {guess(name, sorted(there))}")


def guess(name: str, there: Sequence[str]) -> str:
    """What may have been meant, or where to look."""
    close = get_close_matches(name, there, n=3) or [known for known in there if name and name in known][:3]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there are: {', '.join(there)}" if len(there) <= 30 else "`tvl protocols` lists what there is"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _is_asked(row: Shipped, select: Select, names: Collection[str]) -> bool:
    if not (select.protocols or select.categories or select.kinds):
        return bool(select.chains)
    return row.category in select.categories or row.kind in select.kinds or row.is_named(names)


def _rows(text: str) -> Iterator[Shipped]:
    _, *tables = text.split(_ROW)
    for table in tables:
        head = _HEAD.match(table)
        if head is None:
            raise ValueError(f"a row of the catalog does not begin as the others do: {table[:80]!r}")
        name, chain, kind, category, label, block = head.groups(default="")
        yield Shipped(name, chain, kind, category, label, int(block or 0), table)
