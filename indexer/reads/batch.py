"""Questions at a block -> answers, in few and full requests.

Questions go in Multicall3 batches that carry a witness of their block; what fails in a batch is asked alone before
anything is said of it, and never changes a neighbour's value. Where Multicall3 was not deployed yet, its later code is
put in its place by state override; where there is none at all, calls go one by one in JSON-RPC batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from indexer.chain.base import Request, Transport
from indexer.errors import EndpointError, Verdict
from indexer.model import Address, BlockRef, Status
from indexer.reads.multicall import Multicalls, NoOverride, Override
from indexer.reads.pinned import Pinned
from indexer.reads.plan import Answer, Ask, Elsewhere, Failed, LogQuery, NativeBalance
from indexer.reads.solo import ANSWER_BYTES, Question, Solo, bounded, fact
from indexer.reads.source import Key, Lender, LogFetcher, Questions, Raw, Source
from indexer.reads.tasks import both, together
from indexer.reads.witness import Witness

KEPT_APART = 4096
_NO_STATE = frozenset({LogQuery, Elsewhere})

BlockNumber = Literal["evm", "arbsys"]
_NO_OVERRIDE = frozenset({Verdict.UNSUPPORTED, Verdict.REVERT, Verdict.SERVER, Verdict.MALFORMED})


@dataclass(frozen=True, slots=True)
class Sent:
    """What a reader has sent so far."""

    http_batches: int
    requests: int
    multicalls: int
    bisections: int
    solo_calls: int
    unproven: int


class Counted(Source, Protocol):
    """A source that counts what it sends."""

    @property
    def sent(self) -> Sent: ...


class Reader:
    """One chain's state at any block.

    `multicall3` is None where the contract does not exist; `first_block` is the block it was deployed in.
    `block_number` says how a contract learns its block's number on this chain. `logs` answers log queries, `lender`
    for the prices of other chains.
    """

    def __init__(
        self,
        transport: Transport,
        multicall3: Address | None,
        first_block: int = 0,
        *,
        block_number: BlockNumber = "evm",
        logs: LogFetcher | None = None,
        lender: Lender | None = None,
    ) -> None:
        arbsys = block_number == "arbsys"
        witness = Witness(transport.chain_id, multicall3, first_block, arbsys)
        self.transport = transport
        self.first_block = first_block
        self.logs = logs
        self.lender = lender
        self._pinned = Pinned(transport)
        self._solo = Solo(self._pinned, witness)
        self._multicalls = Multicalls(self._pinned, witness, multicall3) if multicall3 else None
        self._apart: dict[Question, None] = {}
        self._override: Override | None = None
        self._no_override_until = -1

    @property
    def last_endpoint(self) -> str:
        """The endpoint that answered last; empty before the first answer."""
        return self._pinned.last_endpoint

    @property
    def sent(self) -> Sent:
        wire, multicalls = self._pinned.sent, self._multicalls
        return Sent(
            http_batches=wire.batches,
            requests=wire.requests,
            multicalls=multicalls.batches if multicalls else 0,
            bisections=multicalls.bisections if multicalls else 0,
            solo_calls=self._solo.calls,
            unproven=wire.unproven,
        )

    async def read(self, asks: Sequence[Ask], at: BlockRef) -> list[Answer]:
        """One answer an ask, in order; each distinct question is sent once.

        Raises WrongFork where the block is gone, ChainUnavailable where no endpoint proves its answers, EndpointError
        (PRUNED among them) where the block's state cannot be read.
        """
        questions = Questions.of(asks)
        raws = dict(zip(questions.by_key, await self.fetch(questions.by_key, at), strict=True))
        return questions.decoded(map(raws.__getitem__, questions.keys))

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        """One raw answer a question, in order."""
        if _NO_STATE.isdisjoint(map(type, questions)):
            return await self._state(questions, at)
        queries = [ask for ask in questions.values() if isinstance(ask, LogQuery)]
        abroad = [ask for ask in questions.values() if isinstance(ask, Elsewhere)]
        states = {key: ask for key, ask in questions.items() if type(ask) not in _NO_STATE}
        others = both(together(self._logs(query, at) for query in queries), self._lent(abroad))
        raws, (logs, lent) = await both(self._state(states, at), others)
        answers: dict[Key, Raw] = dict(zip([*states, *queries, *abroad], [*raws, *logs, *lent], strict=True))
        return [answers[key] for key in questions]

    async def _lent(self, asks: Sequence[Elsewhere]) -> Sequence[Raw]:
        if self.lender is None:
            return [Failed(Status.HELD, "this reader has no other chains")] * len(asks)
        return await self.lender(asks) if asks else []

    async def _logs(self, query: LogQuery, at: BlockRef) -> Raw:
        if self.logs is None:
            return Failed(Status.HELD, "this reader has no logs")
        try:
            return await self.logs(query, at)
        except EndpointError as error:
            return Failed(Status.HELD, f"logs cannot be read: {error}")

    async def _state(self, questions: Mapping[Any, Ask], at: BlockRef) -> Sequence[Raw]:
        """Answers of calls and native balances."""
        if not questions:
            return []
        while len(self._apart) > KEPT_APART:
            del self._apart[next(iter(self._apart))]
        if self._multicalls is None:
            return await self._solo.settled(tuple(questions), at)
        if at.number >= self.first_block:
            return await self._in_batches(self._multicalls, questions, at, None)
        return await self._before_multicall(self._multicalls, questions, at)

    async def _before_multicall(
        self, multicalls: Multicalls, questions: Mapping[Question, Ask], at: BlockRef
    ) -> Sequence[Raw]:
        """At a block older than Multicall3: with its code in its place, as far back as the EVM runs it."""
        override = await self._multicall_code(multicalls.address)
        if override and at.number > self._no_override_until:
            try:
                return await self._in_batches(multicalls, questions, at, override)
            except NoOverride:
                self._no_override_until = at.number
            except EndpointError as error:
                if error.verdict not in _NO_OVERRIDE:
                    raise
                self._no_override_until = self.first_block if error.verdict is Verdict.UNSUPPORTED else at.number
        return await self._solo.settled(tuple(questions), at)

    async def _multicall_code(self, address: Address) -> Override | None:
        """Multicall3's code as it stands at the tip, asked for once."""
        if self._override is None:
            code = (await self.transport.send([Request("eth_getCode", (address, "latest"))])).items[0]
            if not isinstance(code, str):
                return None
            self._override = {address: {"code": code}} if code != "0x" else {}
        return self._override or None

    async def _in_batches(
        self, multicalls: Multicalls, questions: Mapping[Question, Ask], at: BlockRef, override: Override | None
    ) -> Sequence[Raw]:
        """Answers by multicall, but for the calls that are known to break their batch: those go alone."""
        apart = [question for question in questions if question in self._apart] if self._apart else []
        shared = tuple(question for question in questions if question not in self._apart) if apart else tuple(questions)
        outcome, alone = await both(multicalls.ask(shared, questions, at, override), self._solo.settled(apart, at))
        if not apart and None not in outcome.answers:
            return await self._finished(shared, outcome.answers, at)
        answers = dict(zip([*shared, *apart], [*outcome.answers, *alone], strict=True))
        if await self._settle(answers, {shared[i] for i in outcome.guilty}, outcome.endpoint, at):
            return await self._in_batches(multicalls, questions, at, override)
        return await self._finished(tuple(questions), [answers[question] for question in questions], at)

    async def _settle(
        self, answers: dict[Question, Raw | None], guilty: set[Question], endpoint: str, at: BlockRef
    ) -> bool:
        """Ask alone what failed in a batch. True where one of them burns so much that its neighbours' answers, too,
        cannot be trusted: it is kept apart from now on, and everything must be asked again."""
        doubtful = [question for question, answer in answers.items() if answer is None and question not in guilty]
        replies, _ = await self._solo.answers(doubtful, at, avoid=endpoint)
        burners = [question for question, reply in zip(doubtful, replies, strict=True) if _is_burner(reply)]
        self._keep_apart([*burners, *guilty])
        if burners:
            return True
        answers.update(zip(doubtful, map(fact, replies), strict=True))
        alone = tuple(guilty)
        answers.update(zip(alone, await self._solo.settled(alone, at), strict=True))
        return False

    def _keep_apart(self, questions: Iterable[Question]) -> None:
        self._apart.update(dict.fromkeys(questions))

    async def _finished(self, questions: Sequence[Question], answers: Sequence[Raw | None], at: BlockRef) -> list[Raw]:
        """Raw answers: balances as numbers, nothing overlong, and nothing empty where there is no code."""
        raws: list[Raw] = [answer for answer in answers if answer is not None]
        if NativeBalance in set(map(type, questions)):
            raws = [_as_balance(question, raw) for question, raw in zip(questions, raws, strict=True)]
        lengths = {len(raw) for raw in raws if type(raw) is bytes}
        if max(lengths, default=0) > ANSWER_BYTES:
            raws = [bounded(raw) if isinstance(raw, bytes) else raw for raw in raws]
        return await self._solo.without_empty(questions, raws, at) if 0 in lengths else raws


def _is_burner(reply: object) -> bool:
    return isinstance(reply, EndpointError) and reply.verdict is not Verdict.REVERT


def _as_balance(question: Question, raw: Raw) -> Raw:
    if isinstance(question, NativeBalance) and isinstance(raw, bytes):
        return int.from_bytes(raw, "big")
    return raw
