"""What `tvl backfill --dry` tells is what the backfill uses, within a tenth and three requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devnet.proxy import FaultProxy
from indexer.config.types import Cadence
from indexer.run.backfill import Job, backfill
from indexer.run.estimate import Estimate, estimate
from indexer.run.grid import Span
from indexer.run.live import LiveChain, open_chain
from indexer.run.program import load_program
from tests.e2e.support import QUIET, Setting, open_store

pytestmark = pytest.mark.anvil

FIRST, LAST = 25, 59


async def job(live: LiveChain, names: tuple[str, ...], every: int = 1) -> Job:
    start, end = [await live.clock.block(number) for number in (FIRST, LAST)]
    assert start is not None
    assert end is not None
    chosen = tuple(d for d in live.program.deployments if not names or d.protocol in names)
    return Job(live, chosen, Span(start, end), Cadence(blocks=every))


async def told_and_used(config: Path, proxy: FaultProxy, *names: str, every: int = 1) -> tuple[Estimate, int]:
    """The estimate of one process, and the requests of another that does it."""
    chain = load_program(config).chains["devnet"]
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        async with open_chain(chain, QUIET) as live:
            told = await estimate(await job(live, names, every), store)
            assert await store.deployments() == []
        async with open_chain(chain, QUIET) as live:
            todo = await job(live, names, every)
            before = live.pool.stats.http
            async for _ in backfill(todo, store, QUIET):
                pass
            return told, live.pool.stats.http - before


def is_near(told: int, used: int) -> bool:
    return abs(told - used) <= used // 10 + 3


@pytest.mark.parametrize("names", [(), ("uniswap-v2",), ("escrow",)])
async def test_a_dry_run_tells_what_the_backfill_uses(played: Setting, names: tuple[str, ...]) -> None:
    async with FaultProxy(played.net.url) as proxy:
        config = replace(played, chain="").configure(url=proxy.url)
        told, used = await told_and_used(config, proxy, *names)
    assert is_near(told.effort.requests, used), (told, used)


async def test_the_way_that_a_dry_run_names_is_the_way_that_is_gone(played: Setting) -> None:
    for name, chain in {"reads": "ledger = false", "logs": "ledger_proof_s = 0"}.items():
        async with FaultProxy(played.net.url) as proxy:
            config = replace(played, chain=chain).configure(f"{name}.toml", url=proxy.url)
            told, _ = await told_and_used(config, proxy, "uniswap-v2")
            assert told.mode == name
            assert (proxy.count("eth_getLogs") > 0) == (name == "logs")
