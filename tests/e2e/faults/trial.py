"""One fault, tried on the whole daemon: a chain, endpoints that misbehave, and the run without the fault."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import web

from devnet import Addresses, Devnet
from devnet.proxy import FaultProxy
from indexer.model import Status
from indexer.run.program import load_program
from indexer.store import open_store
from indexer.store.base import Point, Store
from tests.e2e.support import (
    Setting,
    Told,
    backfill_all,
    block_hash,
    digests,
    eventually,
    final_at,
    following,
    index_each,
    reached,
)

ESCROW = "escrow@devnet"
QUICK = "block_time_s = 0.2\npoll_s = 0.05\ntimeout_s = 2"
"""In place of the devnet's block time: polls and waits so short that a fault takes a second or two."""


@dataclass(frozen=True, slots=True)
class World:
    """A devnet with a history, and a folder for the stores of those who read it."""

    net: Devnet
    addresses: Addresses
    folder: Path
    runs: Iterator[int] = field(default_factory=count)

    def trade(self, blocks: int = 1) -> None:
        """Blocks in each of which an escrow's balance, a vault, a pair's worth and a price change."""
        for _ in range(blocks):
            number, usdc = self.net.block_number(), self.addresses.token("USDC")
            self.net.send(usdc, "mint(address,uint256)", self.addresses.escrow, 10**6 + number)
            self.net.send(usdc, "mint(address,uint256)", next(iter(self.addresses.uniswap_v3.pools.values())), number)
            feed = self.addresses.feeds["ETH/USD"].aggregator
            self.net.send(feed, "updateAnswer(int256)", (2_000 + number % 50) * 10**8)
            self.net.mine()


@dataclass(slots=True)
class Trial:
    """The daemon's store, its endpoints and its words, while the daemon runs."""

    world: World
    proxies: list[FaultProxy]
    config: Path
    store: Store
    first: int
    said: list[MutableMapping[str, Any]]
    change: Callable[[str], str]

    @property
    def net(self) -> Devnet:
        return self.world.net

    async def trade(self, blocks: int = 1) -> None:
        """Blocks, mined while nobody reads."""
        await self.quietly(lambda: self.world.trade(blocks))

    async def quietly(self, happening: Callable[[], object]) -> None:
        """Something happens on the chain while nothing is on its way through any proxy."""
        async with AsyncExitStack() as stack:
            for proxy in self.proxies:
                await stack.enter_async_context(proxy.quiet())
            await asyncio.to_thread(happening)

    async def arrived(self) -> None:
        """Wait until the store stands at the chain's head."""
        await reached(self.store, self.net.block_number(), block_hash(self.net))

    async def is_final(self, number: int) -> None:
        await final_at(self.store, number)

    def heard(self, event: str, **fields: object) -> list[MutableMapping[str, Any]]:
        """What the daemon said under a title, with these fields."""
        return [one for one in self.said if one["event"] == event and fields.items() <= one.items()]

    async def points(self, deployment: str = ESCROW) -> dict[int, Point]:
        return {point.at.number: point for point in await self.store.series(deployment, self.first)}

    async def gaps(self, deployment: str = ESCROW) -> dict[int, str]:
        """Blocks marked as a gap, each with its reason."""
        points = await self.points(deployment)
        return {number: point.reason for number, point in points.items() if point.status is Status.GAP}

    async def same_as_without(self, last: int | None = None, every: int = 1) -> None:
        """The series is, to the byte, what the same blocks give where nothing goes wrong; and nothing is missing."""
        last = last or self.net.block_number()
        due = [number for number in range(self.first, last + 1) if number % every == 0]
        assert await self.store.verify() == []
        assert set(due) <= set(await self.points())
        assert await digests(self.config, self.first, last) == await self.clean(due)

    async def clean(self, blocks: Sequence[int], change: Callable[[str], str] | None = None) -> dict[str, str]:
        """The digests of the run without any fault."""
        clean = configure(self.world, [self.net.url], change or self.change)
        await index_each(clean, blocks)
        return await digests(clean, blocks[0], blocks[-1])

    async def fill_gaps(self) -> None:
        """What `tvl backfill` does, over all blocks of the trial."""
        await backfill_all(self.config, self.first, self.net.block_number())

    def tells_no_key(self) -> bool:
        return not any(proxy.key in repr(self.said) for proxy in self.proxies)


@asynccontextmanager
async def prepared(
    world: World,
    endpoints: int = 1,
    *,
    change: Callable[[str], str] = str,
    more: str = "",
    before: Sequence[str] = (),
    over_tls: Sequence[ssl.SSLContext] = (),
) -> AsyncIterator[Trial]:
    """Proxies and a store; the daemon does not run yet.

    `more` are further lines of the chain's configuration, `before` URLs that stand before those of the proxies;
    the first proxies answer `over_tls` with these certificates.
    """

    def both(text: str) -> str:
        return change(text.replace("block_time_s = 1", f"{QUICK}\n{more}"))

    async with AsyncExitStack() as stack:
        plain = [None] * (endpoints - len(over_tls))
        proxies = [await stack.enter_async_context(FaultProxy(world.net.url, tls=tls)) for tls in (*over_tls, *plain)]
        config = configure(world, [*before, *(proxy.url for proxy in proxies)], both)
        store = await stack.enter_async_context(open_store(f"sqlite:///{config.with_suffix('.db')}"))
        await asyncio.to_thread(world.trade)
        yield Trial(world, proxies, config, store, world.net.block_number(), [], both)


@asynccontextmanager
async def running(trial: Trial) -> AsyncIterator[None]:
    """The daemon over a trial's store."""

    async with following(load_program(trial.config), trial.store, Told(trial.said).log):
        yield


def configure(world: World, urls: list[str], change: Callable[[str], str]) -> Path:
    """A configuration with a store of its own."""
    listed = ", ".join(f'"{url}"' for url in urls)
    setting = Setting(world.net, world.addresses, world.folder)

    def several(text: str) -> str:
        return change(text.replace(f'endpoints = ["{world.net.url}"]', f"endpoints = [{listed}]"))

    return setting.configure(f"run{next(world.runs)}.toml", change=several)


async def until(there: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""

    async def is_there() -> bool:
        return there()

    await eventually(is_there, what)


@contextmanager
def refused_state(proxies: list[FaultProxy], act: Any) -> Iterator[None]:
    """Every proxy refuses calls in the same way, for as long as it lasts."""
    rules = [proxy.fault(act, method="eth_call") for proxy in proxies]
    yield
    for proxy, rule in zip(proxies, rules, strict=True):
        proxy.rules.remove(rule)


@asynccontextmanager
async def websocket(*, closes: bool) -> AsyncIterator[tuple[list[int], str]]:
    """A server that confirms every subscription and never tells of a head: silent, or closing cleanly at once."""
    subscriptions: list[int] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked = json.loads(await socket.receive_bytes())
        await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})
        subscriptions.append(asked["id"])
        if not closes:
            await socket.receive()
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield subscriptions, f"ws://127.0.0.1:{runner.addresses[0][1]}/CANARY-ws"
    finally:
        await runner.cleanup()
