"""ABI type strings -> checked trees that know their size, and decode themselves from hostile bytes.

Decoding walks each byte of an answer at most twice, whatever its offsets claim, and raises ValueError for anything that
the type does not allow. Never allocates for a length that the answer is too short to hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from indexer.model import Address

WORD = 32
MAX_NESTING = 16
_ADDRESS_MAX = 1 << 160
_ELEMENT = re.compile(r"(address|bool|string|bytes|function)|(u?int|bytes)(\d{1,3})")
_ARRAY = re.compile(r"(.+)\[(\d{0,9})\]")

Decoder = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class AbiType:
    """One ABI type. `head` is the size in bytes of its static part (32 for a dynamic type: its offset).

    `parts` are a tuple's components or an array's one element type; `length` is a fixed array's.
    """

    text: str
    dynamic: bool
    head: int
    parts: tuple[AbiType, ...] = ()
    length: int | None = None

    @property
    def is_word(self) -> bool:
        """Whether a value is one plain 32-byte word."""
        return not self.parts and not self.dynamic


@cache
def abi_type(text: str, nesting: int = 0) -> AbiType:
    """`(address,uint256[])[2]` as a tree. Raises ValueError with a sentence for text that is no ABI type."""
    if nesting > MAX_NESTING:
        raise ValueError(f"an ABI type may be nested {MAX_NESTING} deep at most")
    array = _ARRAY.fullmatch(text)
    if array:
        return _array(text, abi_type(array[1], nesting + 1), array[2])
    if text.startswith("(") and text.endswith(")"):
        return _tuple(text, tuple(abi_type(part, nesting + 1) for part in split_types(text[1:-1])))
    return AbiType(text, _checked_element(text) in ("string", "bytes"), WORD)


def split_types(text: str) -> tuple[str, ...]:
    """`address,(uint256,bool)[]` -> its top-level types. Raises ValueError where brackets do not match."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            raise ValueError(f"brackets do not match in {text[:80]!r}")
        if char == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    if depth:
        raise ValueError(f"brackets do not match in {text[:80]!r}")
    return (*parts, text[start:]) if text else ()


def _array(text: str, item: AbiType, digits: str) -> AbiType:
    if not digits:
        return AbiType(text, True, WORD, (item,))
    length = int(digits)
    if length == 0:
        raise ValueError(f"{text[:80]!r}: a fixed array needs at least one element")
    return AbiType(text, item.dynamic, WORD if item.dynamic else item.head * length, (item,), length)


def _tuple(text: str, parts: tuple[AbiType, ...]) -> AbiType:
    if not parts:
        raise ValueError("a tuple needs at least one component")
    dynamic = any(part.dynamic for part in parts)
    return AbiType(text, dynamic, WORD if dynamic else sum(part.head for part in parts), parts)


def _checked_element(text: str) -> str:
    match = _ELEMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an ABI type: {text[:80]!r}; such as uint256, address, bytes32, string, (…), …[]")
    name, size = match[2], int(match[3] or 0)
    if text == "function" or (match[3] or "").startswith("0"):
        raise ValueError(f"not an ABI type that can be read: {text!r}")
    if name == "bytes" and not 1 <= size <= 32:
        raise ValueError(f"{text!r}: bytes1 to bytes32 exist")
    if name in ("uint", "int") and (size % 8 or not 8 <= size <= 256):
        raise ValueError(f"{text!r}: {name}8 to {name}256 exist, in steps of 8")
    return text


def word_decoder(text: str) -> Decoder:
    """A function from 32 bytes to the value of a one-word type. It raises ValueError for a dirty word."""
    if text == "uint256":
        return _uint256
    if text == "address":
        return _address
    if text == "bool":
        return _bool
    if text.startswith("bytes"):
        return _fixed_bytes(int(text[5:]))
    bits = int(text.removeprefix("u")[3:])
    return _unsigned(bits) if text.startswith("u") else _signed(bits)


def _uint256(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _address(word: bytes) -> Address:
    if int.from_bytes(word, "big") >= _ADDRESS_MAX:
        raise ValueError("dirty address")
    return Address("0x" + word[12:].hex())


def _bool(word: bytes) -> bool:
    value = int.from_bytes(word, "big")
    if value > 1:
        raise ValueError("dirty bool")
    return value == 1


def _fixed_bytes(size: int) -> Decoder:
    padding = bytes(WORD - size)

    def decode(word: bytes) -> bytes:
        if word[size:] != padding:
            raise ValueError(f"dirty bytes{size}")
        return word[:size]

    return decode


def _unsigned(bits: int) -> Decoder:
    limit = 1 << bits

    def decode(word: bytes) -> int:
        value = int.from_bytes(word, "big")
        if value >= limit:
            raise ValueError(f"word does not fit uint{bits}")
        return value

    return decode


def _signed(bits: int) -> Decoder:
    limit = 1 << (bits - 1)

    def decode(word: bytes) -> int:
        value = int.from_bytes(word, "big", signed=True)
        if not -limit <= value < limit:
            raise ValueError(f"word does not fit int{bits}")
        return value

    return decode
