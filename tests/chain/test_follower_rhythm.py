"""How often a follower looks at a chain whose blocks come at a steady pace, counted on the wire. Time is made up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from devnet import Anvil
from devnet.proxy import FaultProxy
from indexer.chain.follower import Advanced, Follower
from tests.chain.chain_support import PoolMaker

pytestmark = pytest.mark.anvil

BLOCKS = 60


@dataclass
class Paced:
    """A clock on which blocks are mined so many seconds apart, each while somebody sleeps."""

    anvil: Anvil
    apart_s: int
    now: float = 0.0
    mined: int = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        while (self.mined + 1) * self.apart_s + 0.7 <= self.now:
            self.anvil.mine(1, dt=self.apart_s)
            self.mined += 1
        await asyncio.sleep(0)


async def looks_a_block(paced: Paced, proxy: FaultProxy, follower: Follower) -> float:
    """HTTP requests for each of some blocks, after as many by which their pace was learned."""
    told, posts = 0, 0
    async with aclosing(follower.events()) as events:
        async for event in events:
            told += len(event.blocks) if isinstance(event, Advanced) else 0
            if told == BLOCKS and not posts:
                posts = proxy.posts
            if told == 2 * BLOCKS:
                break
    return (proxy.posts - posts) / BLOCKS


@pytest.mark.parametrize(("apart_s", "poll_s"), [(12, 4.0), (2, 0.7)])
async def test_a_steady_chain_costs_little_more_than_one_look_a_block(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker, apart_s: int, poll_s: float
) -> None:
    paced = Paced(anvil, apart_s)
    options = {"poll_s": poll_s, "clock": paced, "sleep": paced.sleep, "use_tags": False}
    follower = Follower(pool_of(proxy), block_time_s=apart_s, **options)  # type: ignore[arg-type]
    assert await looks_a_block(paced, proxy, follower) < 1.25


async def test_without_a_block_time_it_looks_every_so_often(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    paced = Paced(anvil, 12)
    follower = Follower(pool_of(proxy), poll_s=4.0, clock=paced, sleep=paced.sleep, use_tags=False)
    assert await looks_a_block(paced, proxy, follower) == pytest.approx(3, abs=0.1)
