"""Calls <-> Multicall3 `aggregate3`: calldata with a witness in front, and its answer cut into the calls' answers.

A `Payload` is encoded once for a set of calls and used at every block. The cut of the last answer is tried first: as
long as the answers keep their lengths, one comparison proves the whole layout. Never talks to a node.
Source of the contract: https://github.com/mds1/multicall3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    """The calldata of one batch, but for the witness between `head` and `tail` (all in hex)."""

    head: str
    tail: str
    count: int
    cut: Cut | None = field(default=None, compare=False)

    def calldata(self, witness: Sequence[str]) -> str:
        return "".join((self.head, *witness, self.tail))

    def answers(self, result: bytes) -> list[bytes | None]:
        """Each call's answer, witnesses first; None where it failed. Raises ValueError for bytes that are no answer."""
        if self.cut is None or not self.cut.fits(result):
            self.cut = Cut.of(result, self.count)
        return self.cut.apply(result)


def encode_calls(calls: Sequence[Question], witness: Sequence[str]) -> Payload:
    """A payload for `calls`, to go with any witness whose items are as long as those of `witness`."""
    items = [encode_item(target, data) for target, data in calls]
    count = len(witness) + len(items)
    offsets, at = [], count * WORD
    for item in (*witness, *items):
        offsets.append(f"{at:064x}")
        at += len(item) // 2
    head = f"0x{_SELECTOR}{WORD:064x}{count:064x}{''.join(offsets)}"
    return Payload(head, "".join(items), count)


def encode_item(target: Address, data: bytes) -> str:
    """One (target, allowFailure = true, calldata) tuple in hex."""
    padded = data.hex().ljust(-(-len(data) // WORD) * WORD * 2, "0")
    return f"{target[2:]:0>64}{1:064x}{_ITEM_HEAD:064x}{len(data):064x}{padded}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the answers stand in an aggregate3 result, and every byte around them that says so.

    `spans` are (start, end) of each answer; `succeeded` its flag. `frame` joins what stands before each answer.
    """

    size: int
    offsets: bytes
    frame: bytes
    spans: list[tuple[int, int]]
    succeeded: list[bool]

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
        return cls(len(result), result[: _ANSWERS_START + WORD * count], _frame(result, spans), spans, succeeded)

    def fits(self, result: bytes) -> bool:
        """Whether another result has its answers in the same places, with the same successes."""
        same_offsets = len(result) == self.size and result.startswith(self.offsets)
        return same_offsets and _frame(result, self.spans) == self.frame

    def apply(self, result: bytes) -> list[bytes | None]:
        if all(self.succeeded):
            return [result[start:end] for start, end in self.spans]
        return [result[s:e] if ok else None for (s, e), ok in zip(self.spans, self.succeeded, strict=True)]


def _frame(result: bytes, spans: list[tuple[int, int]]) -> bytes:
    return b"".join([result[start - _ITEM_HEAD : start] for start, _ in spans])


def _number(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise ValueError("a multicall answer that ends too early")
    return int.from_bytes(data[at : at + WORD], "big")
