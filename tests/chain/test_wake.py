"""A subscription to new heads wakes the next poll, and is never needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from devnet import Anvil
from devnet.proxy import FaultProxy
from indexer.chain.wake import NewHeads
from indexer.config.secret import Secret
from tests.chain.chain_support import Index, PoolMaker, follower_on

pytestmark = pytest.mark.anvil


async def test_a_new_head_wakes_the_follower_before_its_poll_is_due(anvil: Anvil) -> None:
    async with NewHeads(_ws(anvil), retry_s=0.05) as wake:
        await _subscribed(wake, 1)
        waiting = asyncio.create_task(wake.wait(60.0))
        await asyncio.sleep(0)
        anvil.mine()
        await asyncio.wait_for(waiting, 10.0)


async def test_a_subscription_that_is_closed_cleanly_is_made_again() -> None:
    told: list[str] = []
    async with _closing_server() as (connections, url), NewHeads(url, retry_s=0.05, on_trouble=told.append) as wake:
        await _subscribed(wake, 2)
        assert len(connections) >= 2
        assert "closed" in told[0]
        assert "CANARY" not in "".join(told)


async def test_a_subscription_that_falls_silent_is_made_again_and_polls_go_on(anvil: Anvil) -> None:
    told: list[str] = []
    async with NewHeads(_ws(anvil), silence_s=0.3, retry_s=0.05, on_trouble=told.append) as wake:
        await _subscribed(wake, 2)
        assert "no new head" in told[0]
        await wake.wait(0.01)


async def test_a_follower_with_a_broken_subscription_sees_every_block(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    async with NewHeads(Secret("ws://127.0.0.1:9/CANARY"), retry_s=0.05) as wake:
        index, follower = Index(), follower_on(pool_of(proxy), wake=wake, poll_s=0.01)
        events = follower.events()
        index.take([await anext(events)])
        anvil.mine(3)
        while index.blocks[-1].number < anvil.block_number():
            index.take([await anext(events)])
        await events.aclose()
        assert index.matches(anvil)


def _ws(anvil: Anvil) -> Secret:
    return Secret(f"ws://127.0.0.1:{anvil.port}/?key=CANARY")


async def _subscribed(wake: NewHeads, times: int) -> None:
    async with asyncio.timeout(20.0):
        while wake.subscriptions < times:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _closing_server() -> AsyncIterator[tuple[list[int], Secret]]:
    """A WebSocket server that confirms a subscription and then says goodbye."""
    connections: list[int] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        connections.append(1)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked = json.loads(await socket.receive_bytes())
        await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})
        await asyncio.sleep(0.05)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield connections, Secret(f"ws://127.0.0.1:{runner.addresses[0][1]}/CANARY")
    await runner.cleanup()
