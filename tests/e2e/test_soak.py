"""A random life of a chain and of its endpoints against the daemon, and what must hold at its end whatever happened.

Reorgs of one to seven blocks, endpoints that fail, lie and lag, and `kill -9` at any moment. `--soak-seconds` makes it
last longer, `--soak-seed` chooses another life; what happened is printed when it fails.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from devnet import Devnet, faults
from devnet.proxy import Act, FaultProxy
from indexer.model import BlockRef, Status
from indexer.store import open_store
from indexer.store.base import Store
from tests.e2e.faults.trial import World, configure
from tests.e2e.support import backfill_all, block_hash, command, digests, eventually, index_each, reached

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.timeout(36_000)]

DEEPEST = 7
"""The devnet's blocks are final at a depth of eight."""

FAULTS: dict[str, Callable[[int], Act]] = {
    "429": lambda head: faults.status(429, Retry_After="1"),
    "500": lambda head: faults.status(500, b"oops"),
    "503 page": lambda head: faults.page("503 Service Unavailable", 503),
    "HTML": lambda head: faults.page("Just a moment..."),
    "truncated": lambda head: faults.truncated(80),
    "empty": lambda head: faults.status(200, b""),
    "reset": lambda head: faults.reset(),
    "reset within": lambda head: faults.reset(100),
    "slow": lambda head: faults.slow(0.4),
    "too large": lambda head: faults.too_large(9_000),
    "gzip members": lambda head: faults.gzip_members(10_000),
    "throttled": lambda head: faults.error(-32005, "daily request count exceeded, request rate limited"),
    "header not found": lambda head: faults.error(-32000, "header not found"),
    "pruned": lambda head: faults.error(-32000, "missing trie node 0xabc (path ) state is not available"),
    "false method not found": lambda head: faults.error(-32601, "the method eth_call does not exist"),
    "words nobody knows": lambda head: faults.error(-32099, "zorp"),
    "pin ignored": lambda head: faults.asks(faults.at_latest),
    "another block": lambda head: faults.asks(faults.at_block(head - 3)),
    "behind": lambda head: faults.behind(5, head),
    "far behind": lambda head: faults.behind(40, head),
    "shifted ids": lambda head: faults.edit(lambda replies: [{**r, "id": r["id"] + 1} for r in replies]),
    "no result": lambda head: faults.edit(lambda replies: [{"id": r["id"]} for r in replies]),
}


@dataclass
class Soak:
    """The world, the daemon's process, and what was done to them."""

    world: World
    proxies: Sequence[FaultProxy]
    config: Path
    dice: random.Random
    first: int
    done: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def net(self) -> Devnet:
        return self.world.net

    def start(self) -> None:
        with (self.world.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                command(self.config, "run"), stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"}
            )

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, "the daemon ended by itself"
        self.process.kill()
        self.process.wait()

    async def quietly(self, happening: Callable[[], None]) -> None:
        """On the chain, while nothing is on its way through a proxy."""
        async with AsyncExitStack() as stack:
            for proxy in self.proxies:
                await stack.enter_async_context(proxy.quiet())
            await asyncio.to_thread(happening)

    async def act(self) -> None:
        """One random thing."""
        name = self.dice.choices(["trade", "reorg", "fault", "heal", "kill"], [10, 3, 7, 4, 1])[0]
        await getattr(self, f"_{name}")()
        await asyncio.sleep(self.dice.uniform(0, 0.4))

    async def _trade(self) -> None:
        blocks = self.dice.randint(1, 4)
        self.done.append(f"{blocks} blocks on {self.net.block_number()}")
        await self.quietly(lambda: self.world.trade(blocks))

    async def _reorg(self) -> None:
        depth = min(self.dice.randint(1, DEEPEST), self.net.block_number() - self.first)
        if depth > 0:
            self.done.append(f"reorg of {depth} at {self.net.block_number()}")
            await self.quietly(lambda: self.net.reorg(depth))
            await self.quietly(self.world.trade)

    async def _fault(self) -> None:
        place, name = self.dice.randrange(len(self.proxies)), self.dice.choice(list(FAULTS))
        times = self.dice.randint(1, 6)
        self.done.append(f"{name}, {times} times, at endpoint {place}")
        self.proxies[place].fault(FAULTS[name](self.net.block_number()), times=times)

    async def _heal(self) -> None:
        self.dice.choice(self.proxies).heal()

    async def _kill(self) -> None:
        self.done.append("kill -9")
        self.kill()
        self.start()


async def test_after_a_random_life_the_series_is_that_of_a_clean_run(
    world: World, request: pytest.FixtureRequest
) -> None:
    seconds, seed = request.config.getoption("--soak-seconds"), request.config.getoption("--soak-seed")
    print(f"--soak-seed {seed} --soak-seconds {seconds}")
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(world.net.url)) for _ in range(2)]
        config = configure(world, [proxy.url for proxy in proxies], _quick)
        soak = Soak(world, proxies, config, random.Random(seed), world.net.block_number())
        soak.start()
        stack.callback(lambda: soak.process and soak.process.kill())
        store = await stack.enter_async_context(_opened(config))
        await eventually(lambda: _has(store), "the daemon has begun")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await soak.act()
        for proxy in proxies:
            proxy.heal()
        await soak.quietly(lambda: world.trade(2))
        print("\n".join(soak.done))
        await reached(store, world.net.block_number(), block_hash(world.net))
        soak.kill()
        await _invariants(soak, store)


def _quick(text: str) -> str:
    return text.replace("block_time_s = 1", "block_time_s = 0.2\npoll_s = 0.1\ntimeout_s = 3")


def _opened(config: Path) -> Store:
    return open_store(f"sqlite:///{config.with_suffix('.db')}")


async def _has(store: Store) -> bool:
    return bool(await store.deployments()) and bool(await store.series("escrow@devnet"))


async def _invariants(soak: Soak, store: Store) -> None:
    """No block unmarked, hashes in a chain, gaps that can be filled; then a clean run's bytes."""
    last = soak.net.block_number()
    assert await store.verify() == []
    heads = await store.heads("devnet")
    assert [head.hash for head in heads] == [block_hash(soak.net, head.number) for head in heads]
    assert all(child.parent_hash == parent.hash for parent, child in _pairs(heads))
    for row in await store.deployments():
        present = await store.present(row.key, soak.first, last)
        assert set(present) == set(range(soak.first, last + 1)), "a block is neither stored nor marked"
        gaps = [p for p in await store.series(row.key, soak.first) if p.status is Status.GAP]
        assert all("no endpoint has the state" in gap.reason for gap in gaps)
    await backfill_all(soak.config, soak.first, last)
    clean = configure(soak.world, [soak.net.url], _quick)
    await index_each(clean, range(soak.first, last + 1))
    assert await digests(soak.config, soak.first, last) == await digests(clean, soak.first, last)


def _pairs(blocks: Sequence[BlockRef]) -> list[tuple[BlockRef, BlockRef]]:
    return [(a, b) for a, b in pairwise(blocks) if a.number + 1 == b.number]
