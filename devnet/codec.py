"""Turns Solidity signatures and Python values into call data and back: "balanceOf(address)(uint256)".
Never talks to a node and needs no ABI files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak


@dataclass(frozen=True, slots=True)
class Signature:
    """A function: four selector bytes, argument types, result types (empty when not given)."""

    text: str
    selector: bytes
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    @classmethod
    @functools.cache
    def parse(cls, text: str) -> Signature:
        """From "name(types)" or "name(types)(result types)". Raises ValueError for anything else."""
        opening = text.find("(")
        if opening < 1:
            raise ValueError(f"not a function signature: {text!r}")
        closing = _closing(text, opening)
        selector = keccak(text[: closing + 1].encode())[:4]
        rest = text[closing + 1 :]
        results = split_types(rest[1:-1]) if rest else ()
        return cls(text, selector, split_types(text[opening + 1 : closing]), results)

    def encode(self, values: Sequence[Any]) -> str:
        """Call data as 0x hex."""
        return "0x" + (self.selector + encode_values(self.arguments, values)).hex()

    def decode(self, answer: str) -> Any:
        """The one result, or a tuple of several; addresses are lower-case hex."""
        values = decode(self.results, bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values


def encode_values(types: Sequence[str], values: Sequence[Any]) -> bytes:
    if len(types) != len(values):
        raise ValueError(f"{len(types)} arguments ({', '.join(types)}) needed, {len(values)} given")
    return encode(types, values)


def split_types(text: str) -> tuple[str, ...]:
    """The types of a comma-separated list, tuples kept whole."""
    parts: list[str] = []
    start = depth = 0
    for index, letter in enumerate(text + ","):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return tuple(part for part in parts if part)


def _closing(text: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index
    raise ValueError(f"unbalanced parentheses: {text!r}")
