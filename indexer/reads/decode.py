"""Bytes of an answer -> values of its function's types, within a budget; plain words are sliced.

Honest encoders refer to each byte once. A hostile answer aliases its offsets, so that a few bytes decode to gigabytes:
here every byte that is looked at is paid for from a budget of twice the answer's size, and lengths are paid before
anything is allocated. Never raises more than ValueError; a function's decoder not even that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from indexer.errors import clean
from indexer.model import Status
from indexer.reads.plan import Answer, Failed
from indexer.reads.types import WORD, AbiType, abi_type, word_decoder
from indexer.units import UINT256_MAX

Decode = Callable[[bytes], Answer]
"""A decoder of one function's answers: it gives a value or Failed, and never raises."""

BUDGET_FACTOR = 2

KEPT_ANSWERS = 16_384
"""Answers of a few numbers that a function keeps decoded, because most are the same at many blocks in a row."""


def decoder(name: str, outputs: tuple[str, ...] | None) -> Decode:
    """The decoder of a function's outputs, as narrow as its types allow."""
    if outputs is None:
        return lambda data: data
    types = tuple(map(abi_type, outputs))
    if outputs == ("uint256",):
        return _one_uint256(name)
    if len(types) == 1 and types[0].is_word:
        return _one_word(name, word_decoder(outputs[0]))
    if all(kind.is_word for kind in types):
        return _uints(name, outputs) if all(o.startswith("uint") for o in outputs) else _words(name, outputs)
    return _anything(name, types)


def _malformed(name: str, problem: object) -> Failed:
    return Failed(Status.MALFORMED, clean(f"{name}: {problem}", 200))


def _one_uint256(name: str) -> Decode:
    from_bytes = int.from_bytes

    def decode(data: bytes) -> Answer:
        if len(data) == WORD:
            return from_bytes(data, "big")
        if len(data) > WORD:
            return from_bytes(data[:WORD], "big")
        return _malformed(name, f"{len(data)} bytes for one word")

    return decode


def _one_word(name: str, decode_word: Callable[[bytes], Any]) -> Decode:
    def decode(data: bytes) -> Answer:
        if len(data) < WORD:
            return _malformed(name, f"{len(data)} bytes for one word")
        try:
            return decode_word(data[:WORD])
        except ValueError as error:
            return _malformed(name, error)

    return decode


def _words(name: str, outputs: tuple[str, ...]) -> Decode:
    size = WORD * len(outputs)
    slots = [(word_decoder(kind), WORD * i, WORD * (i + 1)) for i, kind in enumerate(outputs)]

    def decode(data: bytes) -> Answer:
        if len(data) < size:
            return _malformed(name, f"{len(data)} bytes for {len(slots)} words")
        try:
            return tuple([decode_word(data[start:end]) for decode_word, start, end in slots])
        except ValueError as error:
            return _malformed(name, error)

    return decode


def _uints(name: str, outputs: tuple[str, ...]) -> Decode:
    """Several unsigned integers: all their unused bits are checked at once, as one number. The same bytes give the same
    object."""
    from_bytes = int.from_bytes
    size = WORD * len(outputs)
    spans = [(start, start + WORD) for start in range(0, size, WORD)]
    masks = [UINT256_MAX >> int(kind[4:]) << int(kind[4:]) for kind in outputs]
    unused = from_bytes(b"".join(mask.to_bytes(WORD, "big") for mask in masks), "big")
    with_reason = _words(name, outputs)

    @lru_cache(KEPT_ANSWERS)
    def kept(data: bytes) -> Answer:
        if from_bytes(data, "big") & unused:
            return with_reason(data)
        return tuple([from_bytes(data[start:end], "big") for start, end in spans])

    def decode(data: bytes) -> Answer:
        return kept(data[:size]) if len(data) >= size else with_reason(data)

    return decode


def _anything(name: str, types: tuple[AbiType, ...]) -> Decode:
    def decode(data: bytes) -> Answer:
        try:
            values = decode_types(types, data)
        except ValueError as error:
            return _malformed(name, error)
        return values[0] if len(values) == 1 else values

    return decode


def decode_types(types: tuple[AbiType, ...], data: bytes) -> tuple[Any, ...]:
    """The values of `types` in `data`. Raises ValueError where the bytes are not such an encoding."""
    reader = _Reader(data)
    return reader.sequence(types, 0)


class _Reader:
    __slots__ = ("budget", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.budget = BUDGET_FACTOR * len(data)

    def sequence(self, types: tuple[AbiType, ...], start: int) -> tuple[Any, ...]:
        values, at = [], start
        for kind in types:
            values.append(self.value(kind, start, at))
            at += kind.head
        return tuple(values)

    def value(self, kind: AbiType, base: int, at: int) -> Any:
        """The value whose head stands at `at`; offsets in it count from `base`."""
        if not kind.dynamic:
            return self.body(kind, at)
        return self.body(kind, base + self.number(at))

    def body(self, kind: AbiType, at: int) -> Any:
        if not kind.parts:
            return self.leaf(kind, at)
        if kind.text.endswith(")"):
            return self.sequence(kind.parts, at)
        if kind.length is not None:
            return self.items(kind.parts[0], kind.length, at)
        return self.items(kind.parts[0], self.number(at), at + WORD)

    def items(self, item: AbiType, length: int, start: int) -> tuple[Any, ...]:
        if start + length * item.head > len(self.data):
            raise ValueError(f"an array of {min(length, 1 << 64)} elements in {len(self.data)} bytes")
        return tuple(self.value(item, start, start + i * item.head) for i in range(length))

    def leaf(self, kind: AbiType, at: int) -> Any:
        if not kind.dynamic:
            return word_decoder(kind.text)(self.take(at, WORD))
        raw = self.take(at + WORD, self.number(at))
        if kind.text == "bytes":
            return raw
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("a string that is not UTF-8") from None

    def number(self, at: int) -> int:
        return int.from_bytes(self.take(at, WORD), "big")

    def take(self, at: int, size: int) -> bytes:
        """`size` bytes at `at`, paid for."""
        if at + size > len(self.data):
            raise ValueError(f"offset or length beyond the {len(self.data)} bytes of the answer")
        self.budget -= size
        if self.budget < 0:
            raise ValueError("offsets that refer to the same bytes again and again")
        return self.data[at : at + size]
