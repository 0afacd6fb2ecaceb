"""Six ways in which a set of providers goes wrong over time, and that no answer is ever wrong or missing.

The scenarios are those of eRPC's outage simulator (https://github.com/erpc/erpc): slow degradation, one region out, a
spike of requests, hedges without bound, one exclusion after the other, a slow network.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from devnet import Anvil, faults
from devnet.proxy import Act, Exchange, FaultProxy
from indexer.chain.base import Request
from indexer.chain.health import Trouble
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable
from tests.chain.chain_support import PoolMaker, Time

pytestmark = pytest.mark.anvil

REAL_TIME = {"clock": time.monotonic, "wall": time.time, "sleep": asyncio.sleep, "hedge": True}


@pytest.fixture
async def three(anvil: Anvil, stack: AsyncExitStack) -> list[FaultProxy]:
    return [await stack.enter_async_context(FaultProxy(anvil.url)) for _ in range(3)]


async def ask(pool: Pool, number: int) -> bool:
    """Whether a batch about one block is answered about that block."""
    replies = await pool.send([Request("eth_getBlockByNumber", (hex(number + i), False)) for i in range(3)])
    return [int(item["number"], 16) for item in replies.items] == [number, number + 1, number + 2]


async def test_while_one_endpoint_degrades_slowly_the_others_take_over(
    three: list[FaultProxy], pool_of: PoolMaker
) -> None:
    pool = pool_of(*three, **REAL_TIME)
    for i in range(60):
        if i % 10 == 0:
            three[0].heal()
            three[0].fault(faults.slow(i * 0.01))
        assert await ask(pool, 1 + i % 20)
    first = three[0].posts
    for i in range(20):
        assert await ask(pool, 1 + i)
    assert three[0].posts - first <= 4


async def test_with_one_region_out_the_rest_answers(three: list[FaultProxy], pool_of: PoolMaker, time_: Time) -> None:
    pool = pool_of(*three)
    for place in three[:2]:
        place.fault(faults.reset())
    for i in range(60):
        assert await ask(pool, 1 + i % 20)
        time_.now += 1
    assert three[0].posts + three[1].posts < 60


async def test_a_spike_of_requests_is_spread_and_slowed_until_all_are_answered(
    three: list[FaultProxy], pool_of: PoolMaker
) -> None:
    pool = pool_of(*three, patience_s=600.0)
    for place in three:
        place.fault(_at_once(4))
    assert all(await asyncio.gather(*(ask(pool, 1 + i % 20) for i in range(60))))


def _at_once(most: int) -> Act:
    """A provider that takes so many requests at a time and throttles the others."""
    under_way = 0

    async def act(exchange: Exchange) -> web.StreamResponse:
        nonlocal under_way
        if under_way >= most:
            return exchange.raw(b"", 429, Retry_After="1")
        under_way += 1
        try:
            return exchange.reply(await exchange.forward())
        finally:
            under_way -= 1

    return act


async def test_when_all_are_slow_hedges_stay_a_small_share(three: list[FaultProxy], pool_of: PoolMaker) -> None:
    pool = pool_of(*three, **REAL_TIME)
    for i in range(5):
        assert await ask(pool, 1 + i)
    for place in three:
        place.fault(faults.slow(0.15))
    for _ in range(8):
        assert all(await asyncio.gather(*(ask(pool, 1 + i) for i in range(10))))
    assert pool.hedges <= 5 + 0.1 * 90 + 1


async def test_endpoints_excluded_one_after_the_other_leave_the_last_one_serving(
    three: list[FaultProxy], pool_of: PoolMaker, time_: Time, troubles: list[Trouble]
) -> None:
    pool = pool_of(*three)
    assert await ask(pool, 1)
    three[0].fault(faults.status(402))
    assert await ask(pool, 2)
    three[1].fault(faults.status(401))
    assert await ask(pool, 3)
    assert await ask(pool, 4)
    three[2].fault(faults.status(503))
    with pytest.raises(ChainUnavailable):
        await ask(pool, 5)
    for place in three:
        place.heal()
    time_.now += 5
    assert (await pool.send([Request("eth_blockNumber")])).endpoint == Secret(three[2].url).label
    time_.now += 86_400
    assert all(health.usable for health in pool.health())
    assert {trouble.kind for trouble in troubles} == {"quota", "auth"}


async def test_a_slow_network_is_slow_and_nothing_else(
    three: list[FaultProxy], pool_of: PoolMaker, troubles: list[Trouble]
) -> None:
    for place in three:
        place.fault(faults.slow(0.1))
    pool = pool_of(*three, **REAL_TIME)
    for _ in range(3):
        assert all(await asyncio.gather(*(ask(pool, 1 + i) for i in range(10))))
    assert troubles == []


async def test_other_work_goes_on_while_a_bomb_is_unpacked(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    assert await ask(pool, 1)
    proxy.fault(faults.gzip_bomb(60 * 2**20))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    with pytest.raises(ChainUnavailable):
        await ask(pool, 2)
    ticking.cancel()
    assert ticks > 4 * 50
