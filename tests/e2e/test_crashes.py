"""Whatever ends the process, nothing is lost, nothing is half written, and the next start goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from devnet.proxy import FaultProxy
from devnet.traders import Traders
from tests.e2e.support import (
    Setting,
    block_hash,
    command,
    daemon_process,
    digests,
    has_points,
    index_each,
    index_until_head,
    tvl,
)

pytestmark = pytest.mark.anvil

KILLS = 50
STOP_WITHIN_S = 5


@asynccontextmanager
async def trading(setting: Setting, proxy: FaultProxy, every_s: float) -> AsyncIterator[None]:
    """Blocks with random trades, as long as the context lasts, each mined while nobody reads through the proxy.

    The last one is whole at its end: a thread that was given up would mine it later.
    """
    traders, over = Traders(setting.net, setting.addresses, seed=7), asyncio.Event()

    async def trade() -> None:
        while not over.is_set():
            await asyncio.sleep(every_s)
            async with proxy.quiet():
                await asyncio.to_thread(traders.step, dt=2)

    task = asyncio.create_task(trade())
    try:
        yield
        assert not task.done(), "the traders stopped by themselves"
    finally:
        over.set()
        await task


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_fifty_kills_at_random_moments_lose_no_block_and_leave_none_half_written(fresh: Setting) -> None:
    """With the proof that logs need by default: a small debt whose interest takes minutes to show would be believed
    without it, and no daemon lives long enough here to audit it."""
    fresh = replace(fresh, chain="")
    async with FaultProxy(fresh.net.url) as proxy:
        config, clean = fresh.configure(url=proxy.url), fresh.configure("clean.toml")
        await index_until_head(config, fresh.net)
        first, moments = fresh.net.block_number(), random.Random(3)
        async with trading(fresh, proxy, every_s=0.5):
            for _ in range(KILLS):
                with daemon_process(config) as process:
                    await wait_for_a_line(process, "following")
                    await asyncio.sleep(moments.uniform(0, 0.7))
                    process.kill()
                async with fresh.store(config) as store:
                    assert await store.verify() == []
        await index_until_head(config, fresh.net)
        last = fresh.net.block_number()
    await index_each(clean, range(first, last + 1))
    assert await digests(config, first, last) == await digests(clean, first, last)


async def wait_for_a_line(process, text: str) -> None:  # type: ignore[no-untyped-def]
    while True:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, "the daemon ended before it began to follow"
        if text in line:
            return


async def test_sigterm_ends_the_daemon_within_five_seconds_and_the_next_start_goes_on(fresh: Setting) -> None:
    config = fresh.configure()
    with daemon_process(config) as process:
        await wait_for_a_line(process, "snapshot")
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, STOP_WITHIN_S) == 0
        assert time.monotonic() - asked < STOP_WITHIN_S
    async with fresh.store(config) as store:
        assert await store.verify() == []
    for _ in range(3):
        fresh.net.mine()
    await index_until_head(config, fresh.net)
    async with fresh.store(config) as store:
        head = (await store.chain_state("devnet")).head
        assert head is not None
        assert head.hash == block_hash(fresh.net)


async def test_a_second_daemon_on_the_same_store_is_refused_with_a_clear_message(fresh: Setting) -> None:
    config = fresh.configure()
    with daemon_process(config) as first:
        await wait_for_a_line(first, "following")
        second = await asyncio.to_thread(tvl, config, "run")
        assert second.returncode == 1
        assert str(first.pid) in second.stderr
        assert "hint" in second.stderr
        assert first.poll() is None


async def test_a_killed_daemon_leaves_no_lock_behind(fresh: Setting) -> None:
    config = fresh.configure()
    with daemon_process(config) as first:
        await wait_for_a_line(first, "following")
        first.kill()
    with daemon_process(config) as second:
        await wait_for_a_line(second, "following")


async def test_a_backfill_that_was_killed_goes_on_where_it_stopped(played: Setting) -> None:
    config, whole = played.configure(), played.configure("whole.toml")
    span = ("--from", str(played.addresses.ready_block), "--to", "60", "--every", "1")
    process = await asyncio.create_subprocess_exec(
        *command(config, "backfill", *span), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    async with played.store(config) as store:
        await has_points(store, "escrow@devnet")
        process.kill()
        await process.wait()
        done = len(await store.series("escrow@devnet"))
    assert (await asyncio.to_thread(tvl, config, "backfill", *span)).returncode == 0
    assert (await asyncio.to_thread(tvl, whole, "backfill", *span)).returncode == 0
    assert done > 0
    first, last = played.addresses.ready_block, played.net.block_number()
    assert await digests(config, first, last) == await digests(whole, first, last)
