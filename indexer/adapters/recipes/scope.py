"""The names of a recipe while it is checked: what each stands for, what it builds on, and expressions made of them.

Raises ValueError with a sentence where a name is not there, or not of the type that is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, TypeAlias

from indexer.adapters.recipes.nodes import fits
from indexer.adapters.recipes.program import Expr, Node
from indexer.adapters.recipes.signature import Field, find
from indexer.config.types import parse_address
from indexer.model import NATIVE, Address

_WORD = re.compile(r"0x[0-9a-fA-F]{64}")

MAX_WAYS = 64
"""Of sources of sources: more than any recipe has that a person can read."""

Shape: TypeAlias = frozenset[tuple[str, int]]
"""Names whose columns are in a row, each with which of its sources gave it."""

Contracts = Mapping[str, Sequence[Mapping[str, Address]]]


@dataclass(slots=True)
class Known:
    """What a name stands for: the fields of contracts, or the nodes that give it; and all names behind it."""

    fields: tuple[Field, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    behind: set[str] = field(default_factory=set)


class Scope:
    """Names in the order in which they come, and which of them are used."""

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts
        self.known = {name: Known(_fields(records)) for name, records in contracts.items()}
        self.used: set[str] = set()
        self._shapes_of: dict[str, frozenset[Shape]] = {}

    def add(self, node: Node, behind: Iterable[str]) -> None:
        """A node gives what its name stands for, besides others that do."""
        self._shapes_of.pop(node.name, None)
        known = self.known.setdefault(node.name, Known())
        known.nodes.append(node)
        known.behind |= {*behind, *self.behind(node)}

    def value(self, given: Any, want: str | None = None) -> Expr | None:
        """A name or literal as an expression; None for a name whose step is wrong itself, which was told already."""
        expr = literal(given) or self._named(str(given))
        if expr and want and not fits(expr.kind, want):
            raise ValueError(f"is {expr.kind}, where {want} is needed")
        return expr

    def names(self, given: Iterable[Any]) -> set[str]:
        """The names in expressions, as far as they are known."""
        return {name for value in given if (name := str(value).partition(".")[0]) in self.known}

    def constants(self, given: Any, kind: str) -> list[Any]:
        """What contracts, or a literal, stand for."""
        if isinstance(given, str) and given in self.contracts:
            self.used.add(given)
            return [one[""] for one in self.contracts[given] if "" in one]
        value = literal(given)
        if value is None or not fits(value.kind, kind):
            raise ValueError(f"expected contracts, or a literal of type {kind}")
        return [value.literal]

    def joined(self, names: Iterable[str]) -> tuple[str, ...]:
        """Without those whose columns are in the rows of another of them already. Raises ValueError, see below."""
        names = set(names)
        inside = {name for each in names for name in _in_all(map(_names, self._shapes(each))) - {each}}
        self._check_join(sorted(names - inside))
        return tuple(sorted(names - inside))

    def behind(self, node: Node) -> set[str]:
        """All names that a node builds on."""
        return {name for each in node.after for name in (each, *self.known[each].behind)}

    def told_by_logs_alone(self, text: str) -> bool:
        """Whether a value stands in the configuration, or was named by an event."""
        known = self.known.get(text.partition(".")[0], Known())
        return all(node.event is not None for node in known.nodes)

    def _check_join(self, names: Sequence[str]) -> None:
        """Raises ValueError where items of two names could not be told to belong together.

        They are told by what both come from. That must be the same for all rows, or stand behind what is.
        """
        for one, other in combinations(names, 2):
            pairs = [(a, b) for a, b in product(self._shapes(one), self._shapes(other)) if _agree(a, b)]
            shared = _in_all(_names(a & b) for a, b in pairs)
            if any(not _names(a & b) <= self._with_behind(shared, a) for a, b in pairs):
                raise ValueError(f"{one!r} and {other!r} have sources of different kinds: build both on one name")

    def _with_behind(self, names: Iterable[str], shape: Shape) -> set[str]:
        """Names of a shape, and what they come from there."""
        parts = [part for name in names for part in self._shapes(name) if part <= shape]
        return {name for part in parts for name in _names(part)}

    def _shapes(self, name: str) -> frozenset[Shape]:
        """The ways in which a row of a name can have come about."""
        if name not in self._shapes_of:
            shapes: set[Shape] = set()
            for i, node in enumerate(self.known[name].nodes):
                parts = product(*map(self._shapes, node.after))
                shapes |= {frozenset({(name, i)}).union(*each) for each in parts if _consistent(each)}
                if len(shapes) > MAX_WAYS:
                    raise ValueError(f"{name!r} can come about in more than {MAX_WAYS} ways: give it fewer sources")
            self._shapes_of[name] = frozenset(shapes) or frozenset({frozenset({(name, 0)})})
        return self._shapes_of[name]

    def _named(self, text: str) -> Expr | None:
        name, _, rest = text.partition(".")
        if name not in self.known:
            visible = ["native", *(known for known in self.known if "#" not in known)]
            raise ValueError(f"no {name[:40]!r} before this; there is: {', '.join(visible)}")
        self.used.add(name)
        known, path = self.known[name], rest.split(".") if rest else []
        if name in self.contracts:
            return Expr(find(known.fields, path)[1].type, text)
        kinds = {use(node, text, path) for node in known.nodes}
        if len(kinds) > 1:
            raise ValueError(f"is of more than one type: {', '.join(sorted(kinds))}")
        return Expr(kinds.pop(), text, fixed=False) if kinds else None


def _names(shape: Shape) -> frozenset[str]:
    return frozenset(name for name, _ in shape)


def _agree(one: Shape, other: Shape) -> bool:
    """Whether two rows of these shapes can stand side by side: no name has two sources."""
    return len(_names(one | other)) == len(one | other)


def _consistent(shapes: Iterable[Shape]) -> bool:
    return all(_agree(one, other) for one, other in combinations(shapes, 2))


def _in_all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    found = list(sets)
    return frozenset.intersection(*found) if found else frozenset()


def use(node: Node, column: str, path: Sequence[str]) -> str:
    """Note that a value of an answer is used, under a column. Its type."""
    positions, found = find(node.fields, path)
    if found.element is not None or found.parts:
        raise ValueError(f"is {found.type}: say which part of it")
    node.columns[column], node.kinds[column] = positions, found.type
    return found.type


def literal(given: Any) -> Expr | None:
    """A literal as an expression, or None where it must be a name. Raises ValueError for a wrong address."""
    if isinstance(given, bool):
        return Expr("bool", literal=given)
    if isinstance(given, int):
        return Expr("uint256" if given >= 0 else "int256", literal=given)
    if given == "native":
        return Expr("address", literal=NATIVE)
    if isinstance(given, str) and _WORD.fullmatch(given):
        return Expr("bytes32", literal=bytes.fromhex(given[2:]))
    if isinstance(given, str) and given.startswith("0x"):
        return Expr("address", literal=parse_address(given))
    return None


def _fields(records: Sequence[Mapping[str, Address]]) -> tuple[Field, ...]:
    return tuple(Field(key, "address") for key in (records[0] if records else {"": NATIVE}))
