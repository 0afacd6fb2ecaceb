"""What the proxy promises to those who mine below a daemon that reads."""

from __future__ import annotations

import asyncio

import aiohttp

from devnet import Devnet
from devnet.proxy import Exchange, FaultProxy

QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}


async def _ask(proxy: FaultProxy) -> int:
    async with aiohttp.ClientSession() as client, client.post(proxy.url, json=QUESTION) as response:
        return int((await response.json())["result"], 16)


async def test_a_question_waits_while_the_proxy_is_quiet(net: Devnet) -> None:
    async with FaultProxy(net.url) as proxy:
        async with proxy.quiet():
            asked = asyncio.create_task(_ask(proxy))
            await asyncio.sleep(0.05)
            before = net.block_number()
            net.mine()
            assert not asked.done()
        assert await asked == before + 1


async def test_quiet_waits_for_the_questions_that_are_on_their_way(net: Devnet) -> None:
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(exchange: Exchange):  # type: ignore[no-untyped-def]
        under_way.set()
        await go_on.wait()
        return exchange.reply(await exchange.forward())

    async with FaultProxy(net.url) as proxy:
        proxy.fault(slowly)
        asked = asyncio.create_task(_ask(proxy))
        await under_way.wait()
        quiet = asyncio.create_task(proxy.quiet().__aenter__())
        await asyncio.sleep(0.05)
        assert not quiet.done()
        go_on.set()
        await quiet
        assert await asked == net.block_number()
