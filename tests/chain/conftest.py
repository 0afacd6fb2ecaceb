"""A plain local chain for the tests of this folder, and what stands between it and them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from devnet import Anvil
from devnet.proxy import FaultProxy
from indexer.chain.health import Trouble
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from tests.chain.chain_support import PoolMaker, Time


@pytest.fixture(scope="session")
def shared_anvil() -> Iterator[Anvil]:
    """Keeps every state: a test mines the same blocks as the one before, and anvil drops by age what has that hash."""
    with Anvil.start(history=100_000) as anvil:
        yield anvil


@pytest.fixture
def anvil(shared_anvil: Anvil) -> Iterator[Anvil]:
    """A chain of thirty blocks, each test its own."""
    snapshot = shared_anvil.snapshot()
    shared_anvil.mine(30)
    yield shared_anvil
    shared_anvil.revert(snapshot)


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def troubles() -> list[Trouble]:
    return []


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def proxy(anvil: Anvil, stack: AsyncExitStack) -> FaultProxy:
    return await stack.enter_async_context(FaultProxy(anvil.url))


@pytest.fixture
async def second(anvil: Anvil, stack: AsyncExitStack) -> FaultProxy:
    return await stack.enter_async_context(FaultProxy(anvil.url))


@pytest.fixture
def pool_of(stack: AsyncExitStack, time_: Time, troubles: list[Trouble]) -> PoolMaker:
    """Makes pools over proxies or URLs, on the test's own time, closed at the end."""

    def make(*places: FaultProxy | str, **options: object) -> Pool:
        urls = [Secret(place if isinstance(place, str) else place.url) for place in places]
        settings = {"clock": time_, "wall": time_, "sleep": time_.sleep, "on_trouble": troubles.append, "hedge": False}
        pool = Pool("devnet", 31337, urls, **{**settings, **options})
        stack.push_async_callback(pool.close)
        return pool

    return make


@pytest.fixture
def finalizing() -> Iterator[Anvil]:
    """A chain whose final block is two below its head, and can yet be replaced."""
    with Anvil.start(extra_args=["--slots-in-an-epoch", "1"]) as anvil:
        anvil.mine(30)
        yield anvil
