"""Six ways in which a set of providers goes wrong over time, through the whole daemon: no byte of the series differs.

The scenarios are those of eRPC's outage simulator (https://github.com/erpc/erpc). What the pool does in each of them,
request by request, is in `tests/chain/test_outages.py`.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from devnet import faults
from devnet.proxy import Act, Exchange
from tests.e2e.faults.trial import Trial, World, prepared, running, until

pytestmark = pytest.mark.anvil


async def blocks(trial: Trial, count: int) -> None:
    """So many blocks, each read before the next."""
    for _ in range(count):
        await trial.trade()
        await trial.arrived()


async def test_while_one_endpoint_degrades_slowly_the_series_goes_on(world: World) -> None:
    async with prepared(world, 3) as trial, running(trial):
        await trial.arrived()
        for tenths in (0, 1, 2, 4):
            trial.proxies[0].heal()
            trial.proxies[0].fault(faults.slow(tenths / 10))
            await blocks(trial, 1)
        asked = trial.proxies[0].posts
        await blocks(trial, 3)
        assert trial.proxies[0].posts - asked <= 4, "others are asked by then"
        await trial.same_as_without()


async def test_with_one_region_out_the_rest_serves_every_block(world: World) -> None:
    async with prepared(world, 3) as trial, running(trial):
        await trial.arrived()
        for place in trial.proxies[:2]:
            place.fault(faults.reset())
        await blocks(trial, 4)
        for place in trial.proxies[:2]:
            place.heal()
        await blocks(trial, 2)
        await trial.same_as_without()


async def test_a_spike_of_blocks_at_once_is_throttled_and_loses_none(world: World) -> None:
    async with prepared(world, 3) as trial, running(trial):
        await trial.arrived()
        rules = [place.fault(_a_second(5)) for place in trial.proxies]
        await trial.trade(9)
        await trial.arrived()
        assert all(rule.taken for rule in rules)
        await trial.same_as_without()


def _a_second(most: int) -> Act:
    """A provider that takes so many requests in a second and throttles the others."""
    taken: list[float] = []

    async def act(exchange: Exchange) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        taken[:] = [at for at in taken if now - at < 1]
        if len(taken) >= most:
            return exchange.raw(b"", 429, Retry_After="1")
        taken.append(now)
        return exchange.reply(await exchange.forward())

    return act


async def test_when_all_are_slow_at_once_hedges_do_not_multiply_the_requests(world: World) -> None:
    async with prepared(world, 3) as trial, running(trial):
        await trial.arrived()
        await blocks(trial, 3)
        for place in trial.proxies:
            place.fault(faults.slow(0.2), method="eth_call")
        asked = sum(place.count("eth_call") for place in trial.proxies)
        await blocks(trial, 4)
        state = await trial.store.chain_state("devnet")
        assert state.requests is not None
        assert sum(place.count("eth_call") for place in trial.proxies) - asked <= 4 * state.requests + 8
        await trial.same_as_without()


async def test_endpoints_excluded_one_after_the_other_leave_the_last_one_serving(world: World) -> None:
    async with prepared(world, 3) as trial, running(trial):
        await trial.arrived()
        await blocks(trial, 1)
        for place, act in zip(trial.proxies[:2], (faults.status(402), faults.status(401)), strict=True):
            place.fault(act)
            await blocks(trial, 2)
        down = trial.proxies[2].fault(faults.status(503))
        await trial.trade(2)
        await until(lambda: down.taken > 2, "nobody is left")
        for place in trial.proxies:
            place.heal()
        await trial.arrived()
        assert trial.tells_no_key()
        await trial.same_as_without()


async def test_a_slow_network_is_slow_and_nothing_else(world: World) -> None:
    async with prepared(world, 3) as trial:
        for place in trial.proxies:
            place.fault(faults.slow(0.08))
        async with running(trial):
            await trial.arrived()
            await blocks(trial, 2)
        assert not trial.heard("endpoint trouble")
        await trial.same_as_without()
