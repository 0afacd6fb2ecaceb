"""Signatures of functions and events, with the names of their parameters -> checked fields that can be looked up.

Takes the short form `poolInfo(uint256)(address lpToken)` and Solidity's `function poolInfo(uint256) view returns (…)`.
Raises ValueError with a sentence for everything else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.reads.types import abi_type, split_types

MAX_TEXT = 4_096
_MODIFIERS = {"indexed", "memory", "calldata", "storage", "payable"}
_BETWEEN = re.compile(r"\s*(?:\b(?:external|public|view|pure|virtual|override|returns)\b\s*)*")
_ARRAY = re.compile(r"(.*)\[\d*\]")
_SHORT = {"uint": "uint256", "int": "int256"}


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter or output: its name (empty where it has none), ABI type, and the parts of a tuple."""

    name: str
    type: str
    indexed: bool = False
    parts: tuple[Field, ...] = ()

    @property
    def is_word(self) -> bool:
        """Whether a value is one plain word."""
        return abi_type(self.type).is_word

    @property
    def element(self) -> Field | None:
        """What an array is made of; None where this is no array."""
        match = _ARRAY.fullmatch(self.type)
        return Field("", match[1], parts=self.parts) if match else None


@dataclass(frozen=True, slots=True)
class Signature:
    """A function, or an event (whose `outputs` are its parameters and which has no inputs)."""

    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    @property
    def text(self) -> str:
        """The canonical form, without names of parameters."""
        return f"{self.name}({_types(self.inputs)})({_types(self.outputs)})"


Found = tuple[tuple[int, ...], Field]
"""Where a value stands in an answer, as positions from the outside in, and what it is."""


def parse_function(text: str) -> Signature:
    """`poolInfo(uint256)(address lpToken, uint256)`: both lists must be there, the second not empty."""
    name, inputs, rest = _opened(text, "function")
    outputs, rest = _list(_BETWEEN.sub("", rest, count=1))
    if rest.strip(" ;") or not outputs:
        raise ValueError("not a signature: expected such as balanceOf(address)(uint256)")
    return Signature(name, inputs, outputs)


def parse_event(text: str) -> Signature:
    """`PoolCreated(address indexed pool, uint256 fee)`."""
    name, fields, rest = _opened(text, "event")
    if rest.strip(" ;"):
        raise ValueError("not an event: expected such as PoolCreated(address indexed pool, uint256 fee)")
    if sum(field.indexed for field in fields) > 3:
        raise ValueError("an event has three indexed parameters at most")
    return Signature(name, (), fields)


def find(fields: Sequence[Field], path: Sequence[str]) -> Found:
    """The field at a path of names and positions. Without a path: the only one."""
    if not path:
        if len(fields) != 1:
            raise ValueError(f"has several values: say which one of {_names(fields)}")
        return (0,), fields[0]
    positions, field = _step((), fields, path[0])
    for part in path[1:]:
        positions, field = _step(positions, _inside(field), part)
    return positions, field


def _step(positions: tuple[int, ...], fields: Sequence[Field], part: str) -> Found:
    for i, field in enumerate(fields):
        if part in (field.name or str(i), str(i)):
            return (*positions, i), field
    if len(fields) == 1 and part.isdigit() and fields[0].name == "[]":
        return (*positions, int(part)), replace(fields[0], name="")
    raise ValueError(f"has no {part[:40]!r}; there is: {_names(fields)}")


def _inside(field: Field) -> tuple[Field, ...]:
    """The fields of a tuple; an array's one element type, named `[]`."""
    if field.element is not None:
        return (replace(field.element, name="[]"),)
    return field.parts


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name or str(i) for i, field in enumerate(fields)) or "nothing in it"


def _opened(text: str, word: str) -> tuple[str, tuple[Field, ...], str]:
    """A name, its first list, and what follows."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"a signature of more than {MAX_TEXT} characters")
    text = " ".join(text.split()).removeprefix(f"{word} ")
    name, bracket, rest = text.partition("(")
    if not name.strip().isidentifier() or not bracket:
        raise ValueError("not a signature: expected such as balanceOf(address)(uint256)")
    fields, rest = _list(bracket + rest)
    return name.strip(), fields, rest


def _list(text: str) -> tuple[tuple[Field, ...], str]:
    """`(address a, uint256) rest` -> the fields, and the rest."""
    inside, rest = _balanced(text)
    return tuple(map(_field, split_types(inside))), rest


def _balanced(text: str) -> tuple[str, str]:
    depth = 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            if char == ")":
                return text[1:i], text[i + 1 :]
            break
    raise ValueError("not a signature: brackets do not match; expected such as balanceOf(address)(uint256)")


def _field(text: str) -> Field:
    text = text.strip().removeprefix("tuple")
    parts: tuple[Field, ...] = ()
    if text.startswith("("):
        parts, rest = _list(text)
        suffix, _, rest = rest.partition(" ")
        kind, words = f"({_types(parts)}){suffix}", rest.split()
    else:
        kind, *words = text.split() or [""]
        base, bracket, rest = kind.partition("[")
        kind = _SHORT.get(base, base) + bracket + rest
    abi_type(kind)
    names = [word for word in words if word not in _MODIFIERS]
    if len(names) > 1:
        raise ValueError(f"not a parameter: {text[:80]!r}; expected such as address indexed pool")
    return Field(names[0] if names else "", kind, "indexed" in words, parts)


def _types(fields: Sequence[Field]) -> str:
    return ",".join(field.type for field in fields)
