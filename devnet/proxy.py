"""An HTTP server in front of a node that does to requests and answers what a test tells it to.
Passes everything through unless a rule says otherwise; the rules' acts are in `devnet.faults`."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

Document = dict[str, Any]


@dataclass
class Exchange:
    """One HTTP request on its way: its JSON-RPC documents, and the means to ask the node."""

    request: web.Request
    documents: list[Document]
    single: bool
    node: aiohttp.ClientSession
    upstream: str

    async def forward(self) -> list[Document]:
        """The node's replies to the documents, as they are now, in order."""
        if not self.documents:
            return []
        async with self.node.post(self.upstream, json=self.documents) as response:
            replies = {reply["id"]: reply for reply in await response.json(content_type=None)}
        return [replies[document["id"]] for document in self.documents]

    def reply(self, replies: list[Document]) -> web.Response:
        """An HTTP answer of these replies, alone or as a batch, as was asked."""
        return self.raw(json.dumps(replies[0] if self.single and len(replies) == 1 else replies).encode())

    def raw(self, body: bytes, status: int = 200, **headers: str) -> web.Response:
        """Any HTTP answer. Underscores in header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **named})


Act = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass
class Rule:
    """What to do with requests of a method (None: all), from the `after`-th on, so many `times` (None: always).

    `taken` counts the requests that it was done to.
    """

    act: Act
    method: str | None = None
    after: int = 0
    times: int | None = None
    taken: int = 0

    def takes(self, documents: list[Document]) -> bool:
        """Whether this request is its; counts it."""
        if self.method is not None and all(document["method"] != self.method for document in documents):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None and self.taken >= self.times:
            return False
        self.taken += 1
        return True


@dataclass
class FaultProxy:
    """A server on a free loopback port, started and stopped as an async context; over TLS where it has a context.

    `url` carries a key in its path, another one for each proxy: nobody may print or store it.
    """

    upstream: str
    key: str = field(default_factory=lambda: f"CANARY-{secrets.token_hex(8)}", repr=False)
    rules: list[Rule] = field(default_factory=list)
    asked: list[Document] = field(default_factory=list)
    posts: int = 0
    tls: ssl.SSLContext | None = None
    url: str = field(default="", repr=False)

    async def __aenter__(self) -> Self:
        self._node, self._turn, self._idle, self._passing = aiohttp.ClientSession(), asyncio.Lock(), asyncio.Event(), 0
        self._idle.set()
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v3/{self.key}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._node.close()

    def fault(self, act: Act, *, method: str | None = None, after: int = 0, times: int | None = None) -> Rule:
        """Add a rule, and return it; the first that takes a request decides."""
        self.rules.append(Rule(act, method, after, times))
        return self.rules[-1]

    def heal(self) -> None:
        """Pass everything through again."""
        self.rules.clear()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Nothing passes meanwhile: what is on its way is waited for, what comes is kept waiting.

        For mining below a daemon that reads. While anvil mines block N+1 it answers calls pinned to N, its head, from
        the state of N+1, which no witness in the call can see.
        """
        async with self._turn:
            await self._idle.wait()
            yield

    def count(self, method: str) -> int:
        """How often a method was asked for."""
        return sum(document["method"] == method for document in self.asked)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        documents = body if isinstance(body, list) else [body]
        self.posts += 1
        self.asked += documents
        exchange = Exchange(request, documents, not isinstance(body, list), self._node, self.upstream)
        async with self._pass():
            for rule in self.rules:
                if rule.takes(documents):
                    return await rule.act(exchange)
            return exchange.reply(await exchange.forward())

    @asynccontextmanager
    async def _pass(self) -> AsyncIterator[None]:
        async with self._turn:
            self._passing += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._passing -= 1
            if not self._passing:
                self._idle.set()
