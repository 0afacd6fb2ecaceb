"""Calls <-> Multicall3 `aggregate3`: calldata with a witness in front, and its answer cut into the calls' answers.

A `Payload` is encoded once for a set of calls and used at every block. The cut of the last answer is tried first: as
long as the answers keep their lengths, one comparison proves the whole layout. Never talks to a node.
Source of the contract: https://github.com/mds1/multicall3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct

from indexer.model import Address
from indexer.reads.types import WORD

Question = tuple[Address, bytes]
"""Target and calldata."""

CALL_OVERHEAD = 5 * WORD
"""Bytes that a call takes in aggregate3's calldata beside its own: offset, target, flag, offset, length."""

_SELECTOR = "82ad56cb"
_ITEM_HEAD = 3 * WORD
_ANSWERS_START = 2 * WORD


WITNESSES = 4
"""Calls in front of every batch: chain id, block number, timestamp, parent hash."""


@dataclass(slots=True)
class Payload:
    """The calldata of one batch in hex, with a witness from `witness_at` on."""

    data: str
    witness_at: int
    count: int
    cut: Cut | None = field(default=None, compare=False)

    def calldata(self, witness: Sequence[str]) -> str:
        """The calldata with this witness: most chains' is the same at every block."""
        items, at = "".join(witness), self.witness_at
        if self.data.startswith(items, at):
            return self.data
        return "".join((self.data[:at], items, self.data[at + len(items) :]))

    def answers(self, result: bytes) -> list[bytes | None]:
        """Each call's answer, witnesses first; None where it failed. Raises ValueError for bytes that are no answer."""
        cut = self.cut
        answers = cut.again(result) if cut else None
        if cut is None or answers is None:
            cut = self.cut = Cut.of(result, self.count)
            answers = [result[start:end] for start, end in cut.spans]
        if all(cut.succeeded):
            return [*answers]
        return [answer if ok else None for answer, ok in zip(answers, cut.succeeded, strict=True)]


def encode_calls(calls: Sequence[Question], witness: Sequence[str]) -> Payload:
    """A payload for `calls`, to go with any witness whose items are as long as those of `witness`."""
    items = [encode_item(target, data) for target, data in calls]
    count = len(witness) + len(items)
    offsets, at = [], count * WORD
    for item in (*witness, *items):
        offsets.append(f"{at:064x}")
        at += len(item) // 2
    head = f"0x{_SELECTOR}{WORD:064x}{count:064x}{''.join(offsets)}"
    return Payload("".join((head, *witness, *items)), len(head), count)


def encode_item(target: Address, data: bytes) -> str:
    """One (target, allowFailure = true, calldata) tuple in hex."""
    padded = data.hex().ljust(-(-len(data) // WORD) * WORD * 2, "0")
    return f"{target[2:]:0>64}{1:064x}{_ITEM_HEAD:064x}{len(data):064x}{padded}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the answers stand in an aggregate3 result, and every byte around them that says so.

    `spans` are (start, end) of each answer; `succeeded` its flag. `layout` takes a result apart into what stands
    `around` the answers and the answers, by turns; None where they do not follow one another.
    """

    spans: list[tuple[int, int]]
    succeeded: list[bool]
    layout: Struct | None
    around: tuple[bytes, ...]

    @classmethod
    def of(cls, result: bytes, count: int) -> Cut:
        """Walk a result. Raises ValueError where it is not one of `count` answers."""
        if _number(result, 0) != WORD or _number(result, WORD) != count:
            raise ValueError("not the answer of a multicall")
        spans, succeeded = [], []
        for i in range(count):
            start = _ANSWERS_START + _number(result, _ANSWERS_START + WORD * i) + _ITEM_HEAD
            end = start + _number(result, start - WORD)
            flag = _number(result, start - _ITEM_HEAD)
            if end > len(result) or flag > 1 or _number(result, start - 2 * WORD) != 2 * WORD:
                raise ValueError("a multicall answer that refers beyond itself")
            spans.append((start, end))
            succeeded.append(flag == 1)
        if sum(end - start for start, end in spans) > len(result):
            raise ValueError("a multicall answer that refers to the same bytes again and again")
        layout = _layout(spans, len(result))
        return cls(spans, succeeded, layout, layout.unpack(result)[::2] if layout else ())

    def again(self, result: bytes) -> Sequence[bytes] | None:
        """The answers in another result, if they stand in the same places with the same successes."""
        if self.layout is None or len(result) != self.layout.size:
            return None
        parts = self.layout.unpack(result)
        return parts[1::2] if parts[::2] == self.around else None


def _layout(spans: Sequence[tuple[int, int]], size: int) -> Struct | None:
    """What is around the answers and the answers, by turns, over a whole result."""
    edges = [0, *(edge for span in spans for edge in span), size]
    widths = [after - before for before, after in pairwise(edges)]
    return Struct("".join([f"{width}s" for width in widths])) if min(widths) >= 0 else None


def _number(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise ValueError("a multicall answer that ends too early")
    return int.from_bytes(data[at : at + WORD], "big")
