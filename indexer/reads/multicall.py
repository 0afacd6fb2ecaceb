"""Questions -> proven answers of Multicall3 batches, halved where one is too much or poisoned.

The batches of a set of questions that recurs are encoded once. Says which calls broke a batch; never judges them.
"""

from __future__ import annotations

from asyncio import Semaphore
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.chain.base import Request
from indexer.errors import EndpointError, Verdict
from indexer.model import Address, BlockRef
from indexer.reads.abi import CALL_GAS, interface
from indexer.reads.aggregate3 import CALL_OVERHEAD, WITNESSES, Payload, encode_calls
from indexer.reads.pinned import Pinned
from indexer.reads.plan import Ask, Call, NativeBalance
from indexer.reads.sizes import Sizes, pack
from indexer.reads.solo import Question
from indexer.reads.tasks import together
from indexer.reads.types import WORD
from indexer.reads.witness import Witness, answer_bytes, batch_answers

PREPARED_SETS = 64
PREPARED_CALLS = 20_000
"""Sets of calls are kept encoded when they are asked again: the last ones, and of many calls but the last few sets."""

LEAST_PREPARED_SETS = 6

BATCHES_AT_ONCE = 4
"""Each is a megabyte or two while it is on its way: of a very large set, all at once would be hundreds."""

_ABOUT_CALLS = frozenset({Verdict.SPLIT, Verdict.REVERT, Verdict.GASCAP, Verdict.TIMEOUT})

Override = Mapping[Address, Mapping[str, str]]
"""`eth_call`'s third parameter: what the state shall be taken for, by address."""


class NoOverride(Exception):
    """Multicall3's code cannot be run at a block by state override."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some calls as one multicall. `fill` is its share of what an endpoint is first taken to bear."""

    calls: tuple[tuple[Address, bytes], ...]
    payload: Payload
    fill: float


@dataclass(slots=True)
class Outcome:
    """A batch's answers (None where the call failed), the calls that broke it alone, and who answered last."""

    answers: list[bytes | None]
    endpoint: str
    guilty: list[int] = field(default_factory=list)
    whole: bool = True


@dataclass(slots=True)
class Multicalls:
    """One chain's Multicall3."""

    pinned: Pinned
    witness: Witness
    address: Address
    sizes: Sizes = field(default_factory=Sizes)
    batches: int = 0
    bisections: int = 0
    _prepared: dict[tuple[float, tuple[Question, ...]], list[Batch]] = field(default_factory=dict)
    _gate: Semaphore = field(default_factory=lambda: Semaphore(BATCHES_AT_ONCE))
    _asked_once: deque[int] = field(default_factory=lambda: deque(maxlen=PREPARED_SETS))

    async def ask(
        self,
        questions: tuple[Question, ...],
        asks: Mapping[Any, Ask],
        at: BlockRef,
        override: Override | None = None,
    ) -> Outcome:
        """Every question's answer; `guilty` holds the positions of those that failed as a batch of their own."""
        batches = self._prepare(questions, asks, at)
        return _joined(await together(self._run(batch, at, override) for batch in batches))

    def _prepare(self, questions: tuple[Question, ...], asks: Mapping[Any, Ask], at: BlockRef) -> list[Batch]:
        """The batches of these questions, as they were encoded when they were asked the second time."""
        scale = self.sizes.of(self.pinned.last_endpoint).value
        key = (scale, questions)
        batches = self._prepared.pop(key, None) or self._encode(questions, asks, scale, at)
        if hash(key) not in self._asked_once:
            self._asked_once.append(hash(key))
            return batches
        self._prepared[key] = batches
        while len(self._prepared) > self._most_prepared():
            del self._prepared[next(iter(self._prepared))]
        return batches

    def _most_prepared(self) -> int:
        many = sum(len(questions) for _, questions in self._prepared) > PREPARED_CALLS
        return LEAST_PREPARED_SETS if many else PREPARED_SETS

    def _encode(
        self, questions: tuple[Question, ...], asks: Mapping[Any, Ask], scale: float, at: BlockRef
    ) -> list[Batch]:
        calls = [self._call(question) for question in questions]
        sizes = [CALL_OVERHEAD + len(data) + WORD - 1 for _, data in calls]
        gas = [_gas(asks[question]) for question in questions]
        packed = pack(zip(sizes, gas, strict=True), scale)
        return [self._batch(tuple(calls[part]), at, fill) for part, fill in packed]

    def _call(self, question: Question) -> tuple[Address, bytes]:
        if isinstance(question, NativeBalance):
            call = interface("multicall3").getEthBalance(self.address, question.owner)
            return call.target, call.data
        return question

    def _batch(self, calls: tuple[tuple[Address, bytes], ...], at: BlockRef, fill: float) -> Batch:
        return Batch(calls, encode_calls(calls, self.witness.items(at)), fill)

    async def _run(self, batch: Batch, at: BlockRef, override: Override | None) -> Outcome:
        self.batches += 1
        state = (override,) if override else ()

        def build(pin: Any) -> list[Request]:
            data = batch.payload.calldata(self.witness.items(at))
            return [Request("eth_call", ({"to": self.address, "data": data}, pin, *state))]

        def prove(items: list[Any]) -> list[bytes | None] | EndpointError:
            if isinstance(items[0], EndpointError):
                return items[0]
            return self._proven(batch, items[0], at, override)

        async with self._gate:
            answers, endpoint = await self.pinned.ask(build, prove, at)
        if isinstance(answers, EndpointError):
            return await self._halved(batch, at, override, endpoint, answers)
        self.sizes.of(endpoint).succeeded(batch.fill)
        return Outcome(answers, endpoint)

    def _proven(self, batch: Batch, reply: Any, at: BlockRef, override: Override | None) -> list[bytes | None]:
        answers = batch_answers(batch.payload, answer_bytes(reply))
        if override and None in answers[:WITNESSES]:
            raise NoOverride
        self.witness.check_items(answers, at)
        return answers[WITNESSES:]

    async def _halved(
        self, batch: Batch, at: BlockRef, override: Override | None, endpoint: str, error: EndpointError
    ) -> Outcome:
        """The answers of a batch that failed as a whole. Where both halves pass, it was only too big.

        A failure in unknown words is only looked into where a batch without calls does not fail alike.
        """
        if not batch.calls:
            raise error
        if override or error.verdict not in _ABOUT_CALLS:
            await self._run(self._batch((), at, 0.0), at, override)
        if len(batch.calls) == 1:
            return Outcome([None], endpoint, guilty=[0], whole=False)
        self.bisections += 1
        middle = len(batch.calls) // 2
        halves = [self._batch(part, at, batch.fill / 2) for part in (batch.calls[:middle], batch.calls[middle:])]
        outcomes = await together(self._run(half, at, override) for half in halves)
        if all(outcome.whole for outcome in outcomes):
            self.sizes.of(endpoint).too_big(batch.fill)
        return replace(_joined(outcomes), whole=False)


def _gas(ask: Ask) -> int:
    return ask.function.gas if isinstance(ask, Call) else CALL_GAS


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    answers: list[bytes | None] = []
    guilty: list[int] = []
    for outcome in outcomes:
        guilty += [len(answers) + i for i in outcome.guilty]
        answers += outcome.answers
    endpoint = outcomes[-1].endpoint if outcomes else ""
    return Outcome(answers, endpoint, guilty, all(outcome.whole for outcome in outcomes))
