"""Questions asked one by one -> their values, or what is now known of the contract.

A failure inside a batch says little: a neighbour may have burnt the gas. Only a call that fails alone too, on a second
endpoint where there is one, is held with its reason; and only an address without code is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexer.chain.base import Request
from indexer.errors import EndpointError, Verdict
from indexer.model import Address, BlockRef, Status
from indexer.reads.pinned import Pinned
from indexer.reads.plan import Failed, NativeBalance
from indexer.reads.revert import failure_reason
from indexer.reads.source import Raw
from indexer.reads.witness import Witness, answer_bytes

BATCH = 98
"""Requests of one JSON-RPC batch: with a witness and a header they are 100, which is what strict providers take."""

ANSWER_BYTES = 262_144
"""The longest answer that is taken from one call."""

_TOO_MUCH = frozenset({Verdict.SPLIT, Verdict.TIMEOUT})

Question = tuple[Address, bytes] | NativeBalance
Unpinned = tuple[str, tuple[Any, ...]]
"""Method and parameters of a request, but for the block."""


@dataclass(slots=True)
class Solo:
    """Plain requests of one chain, proven by a witness in the same JSON-RPC batch."""

    pinned: Pinned
    witness: Witness
    calls: int = 0

    async def settled(self, questions: Sequence[Question], at: BlockRef) -> list[Raw]:
        """Each question's value, or Failed where it failed twice (on two endpoints where there are two)."""
        answers, endpoint = await self.answers(questions, at)
        doubtful = [i for i, answer in enumerate(answers) if isinstance(answer, EndpointError)]
        if doubtful:
            second, _ = await self.answers([questions[i] for i in doubtful], at, avoid=endpoint)
            for i, answer in zip(doubtful, second, strict=True):
                answers[i] = answer
        return await self.without_empty(questions, [fact(answer) for answer in answers], at)

    async def answers(
        self, questions: Sequence[Question], at: BlockRef, *, avoid: str | None = None
    ) -> tuple[list[Raw | EndpointError], str]:
        """Each question's value, or the failure that was the answer to it alone; and the endpoint that said so."""
        self.calls += len(questions)
        replies, endpoint = await self._all([_request(question) for question in questions], at, avoid)
        return [_value(question, reply) for question, reply in zip(questions, replies, strict=True)], endpoint

    async def without_empty(self, questions: Sequence[Question], raws: list[Raw], at: BlockRef) -> list[Raw]:
        """`raws` with each empty answer of an address without code replaced by MISSING."""
        empty = {q[0] for q, raw in zip(questions, raws, strict=True) if raw == b"" and isinstance(q, tuple)}
        if not empty:
            return raws
        targets = sorted(empty)
        codes, _ = await self._all([("eth_getCode", (target,)) for target in targets], at, None)
        bare = {target for target, code in zip(targets, codes, strict=True) if code == "0x"}
        return [_missing(question, raw, bare) for question, raw in zip(questions, raws, strict=True)]

    async def _all(self, requests: Sequence[Unpinned], at: BlockRef, avoid: str | None) -> tuple[list[Any], str]:
        replies: list[Any] = []
        endpoint = ""
        for start in range(0, len(requests), BATCH):
            some, endpoint = await self._batch(requests[start : start + BATCH], at, avoid)
            replies += some
        return replies, endpoint

    async def _batch(self, requests: Sequence[Unpinned], at: BlockRef, avoid: str | None) -> tuple[list[Any], str]:
        """The replies to one JSON-RPC batch; halved where it was too much at once."""

        def build(pin: Any) -> list[Request]:
            pinned = (Request(method, (*params, pin)) for method, params in requests)
            return [self.witness.request(at, pin), *pinned]

        def prove(items: list[Any]) -> list[Any] | None:
            if len(requests) > 1 and any(map(_is_too_much, items)):
                return None
            if not all(map(_is_too_much, items)):
                self.witness.check_reply(items[0], at)
            return items[1:]

        replies, endpoint = await self.pinned.ask(build, prove, at, avoid=avoid)
        if replies is not None:
            return replies, endpoint
        middle = len(requests) // 2
        first, _ = await self._batch(requests[:middle], at, avoid)
        second, endpoint = await self._batch(requests[middle:], at, avoid)
        return first + second, endpoint


def fact(answer: Raw | EndpointError) -> Raw:
    """A failure that was confirmed, as what is now known of the contract."""
    if isinstance(answer, EndpointError):
        return Failed(Status.HELD, failure_reason(answer))
    return answer


def _is_too_much(item: Any) -> bool:
    return isinstance(item, EndpointError) and item.verdict in _TOO_MUCH


def _request(question: Question) -> Unpinned:
    if isinstance(question, NativeBalance):
        return "eth_getBalance", (question.owner,)
    target, data = question
    return "eth_call", ({"to": target, "data": "0x" + data.hex()},)


def _value(question: Question, reply: Any) -> Raw | EndpointError:
    if isinstance(reply, EndpointError):
        return reply
    if isinstance(question, NativeBalance):
        return _balance(reply)
    return bounded(answer_bytes(reply))


def _balance(reply: Any) -> int:
    try:
        return int(reply, 16)
    except (TypeError, ValueError):
        raise EndpointError("a balance that is not a number", verdict=Verdict.MALFORMED) from None


def bounded(answer: bytes) -> Raw:
    """An answer, or Failed where it is longer than any honest one."""
    if len(answer) <= ANSWER_BYTES:
        return answer
    return Failed(Status.MALFORMED, f"answered {len(answer)} bytes; {ANSWER_BYTES} are taken at most")


def _missing(question: Question, raw: Raw, bare: set[Address]) -> Raw:
    if raw == b"" and isinstance(question, tuple) and question[0] in bare:
        return Failed(Status.MISSING, f"no code at {question[0]}")
    return raw
