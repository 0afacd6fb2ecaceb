"""The other ends of a measurement: the replaying server as a process, a reader that keeps what it sent, and the floor.

The floor sends the same requests again with a bare aiohttp client, parses the JSON, and slices the answers to integers
where it knows them to stand. It checks nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.load import CONTRACTS, MULTICALL3
from indexer.chain.base import Replies, Request, Transport
from indexer.errors import EndpointError
from indexer.model import BlockRef
from indexer.reads.aggregate3 import Cut
from indexer.reads.batch import Reader
from indexer.reads.plan import Ask
from indexer.reads.source import Key, Questions, Raw

Spans = list[tuple[int, int]]


@asynccontextmanager
async def replaying_server(latency_ms: float = 0.0, contracts: int = CONTRACTS, foreign: int = 0) -> AsyncIterator[str]:
    """The URL of a replaying server, which ends with the block. Logs are of so many contracts, and so many `foreign`
    ones in each block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.replay_server", str(latency_ms), str(contracts), str(foreign)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/"
    finally:
        process.terminate()
        await process.wait()


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a snapshot: what was asked, and the requests that answered it."""

    asks: Questions
    requests: tuple[Request, ...]

    def at(self, block: BlockRef) -> Round:
        """The same questions at another block: only the pin names it."""
        pin = {"blockHash": block.hash}
        pinned = [Request(one.method, (one.params[0], pin, *one.params[2:])) for one in self.requests]
        return Round(self.asks, tuple(pinned))


class RecordingReader(Reader):
    """A reader that keeps its rounds. Calldata that recurs is kept once. Logs are read by `like`, and not kept."""

    def __init__(self, transport: Transport, like: Reader | None = None) -> None:
        self._tape = _Tape(transport)
        super().__init__(self._tape, MULTICALL3, 1, logs=like.logs if like else None)
        self.rounds: list[Round] = []

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        self._tape.sent.clear()
        answers = await super().fetch(questions, at)
        self.rounds.append(Round(Questions(questions.values()), tuple(self._tape.sent)))
        return answers

    def taken(self) -> tuple[Round, ...]:
        """The rounds since the last time this was asked."""
        rounds, self.rounds = tuple(self.rounds), []
        return rounds


class _Tape:
    """A transport that keeps the requests that were answered."""

    def __init__(self, inner: Transport) -> None:
        self.name, self.chain_id = inner.name, inner.chain_id
        self.sent: list[Request] = []
        self._inner = inner
        self._texts: dict[str, str] = {}

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        replies = await self._inner.send(requests, avoid=avoid)
        answered = zip(requests, replies.items, strict=True)
        self.sent += [self._kept(request) for request, item in answered if not isinstance(item, EndpointError)]
        return replies

    def _kept(self, request: Request) -> Request:
        if request.method != "eth_call":
            return request
        call, *pin = request.params
        return Request("eth_call", ({**call, "data": self._texts.setdefault(call["data"], call["data"])}, *pin))

    def distrust(self, endpoint: str, reason: str) -> None:
        raise AssertionError(f"the replaying server was distrusted: {reason}")


@dataclass(slots=True)
class Floor:
    """The bare client. `spans` are the places of every word of an answer, by the calldata it answers."""

    session: aiohttp.ClientSession
    url: str
    spans: dict[str, Spans] = field(default_factory=dict)

    async def learn(self, rounds: Sequence[Round]) -> None:
        """See where the words of these rounds' answers stand."""
        for request in (request for one in rounds for request in one.requests):
            if request.method == "eth_call" and request.params[0]["data"] not in self.spans:
                self.spans[request.params[0]["data"]] = words(bytes.fromhex((await self._post(request))[2:]))

    async def read(self, rounds: Sequence[Round]) -> list[int]:
        """Every word of the answers of a block's rounds, one round after the other."""
        numbers: list[int] = []
        for one in rounds:
            results = await asyncio.gather(*map(self._post, one.requests))
            for request, result in zip(one.requests, results, strict=True):
                if request.method == "eth_call":
                    numbers += self._sliced(request.params[0]["data"], bytes.fromhex(result[2:]))
        return numbers

    async def header(self, number: int) -> int:
        """The timestamp of a block."""
        return int((await self._post(Request("eth_getBlockByNumber", (hex(number), False))))["timestamp"], 16)

    def _sliced(self, calldata: str, result: bytes) -> list[int]:
        return [int.from_bytes(result[start:end], "big") for start, end in self.spans[calldata]]

    async def _post(self, request: Request) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": request.method, "params": request.params})
        async with self.session.post(self.url, data=body, headers=_JSON) as response:
            return orjson.loads(await response.read())["result"]


_JSON = {"Content-Type": "application/json"}


def words(result: bytes) -> Spans:
    """Where each word of each answer stands in an aggregate3 result."""
    cut = Cut.of(result, int.from_bytes(result[32:64], "big"))
    return [(at, min(at + 32, end)) for start, end in cut.spans for at in range(start, end, 32)]
