"""Processes that write to a store and are killed, starved or made to compete. Run by test_store_faults, as a program.

The parent never opens the store: it forks children that do, so that one import serves many deaths.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from indexer.errors import StoreUnusable
from indexer.store import (
    open_store,
    sql,  # noqa: F401  imported once, before any child is born
    sqlite,  # noqa: F401
)
from indexer.store.base import Commit, Store
from tests.contract.store_series import block, deployment, plain

KEY, TWIN = "dex@chain", "twin@chain"


def amounts(number: int) -> list[int]:
    return [1 + number // 3, number % 2, 2**255 + number, 7]


async def write_block(store: Store, number: int) -> None:
    at = block(number)
    await store.commit(Commit("chain", [plain(KEY, at, amounts(number))], heads=[at]))


def in_child(work: Callable[..., Coroutine[None, None, None]], *given: object) -> int:
    """Fork; the child does the work and ends without running anything of the parent's."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        asyncio.run(work(*given))
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended_well(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"child {pid} ended with {status}")


def kill(path: Path, kills: int) -> None:
    """Kill a writer at random moments; after each, all acknowledged blocks must be there, whole, and in order."""
    dice = random.Random(71)
    for _ in range(kills):
        reader, writer = os.pipe()
        pid = in_child(write_for_ever, path, writer)
        os.close(writer)
        os.read(reader, 8)
        time.sleep(dice.uniform(0, 0.15))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        acknowledged = last_number(reader)
        ended_well(in_child(check, path, acknowledged))


async def write_for_ever(path: Path, acknowledge: int) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        await store.register([deployment(KEY)])
        head = (await store.chain_state("chain")).head
        number = head.number if head else 0
        while True:
            number += 1
            await write_block(store, number)
            os.write(acknowledge, number.to_bytes(8, "big"))


def last_number(reader: int) -> int:
    tail = b""
    while part := os.read(reader, 65536):
        tail = (tail + part)[-16:]
    os.close(reader)
    whole = len(tail) - len(tail) % 8
    return int.from_bytes(tail[whole - 8 : whole], "big") if whole else 0


async def check(path: Path, acknowledged: int) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        head = (await store.chain_state("chain")).head
        assert head is not None
        assert head.number >= acknowledged, f"{acknowledged} was acknowledged, the head is {head.number}"
        assert list(await store.present(KEY, 0, 10**9)) == list(range(1, head.number + 1))
        assert await store.snapshot(KEY) == plain(KEY, head, amounts(head.number))
        assert await store.verify() == []


def compete(path: Path, blocks: int) -> None:
    """Two processes write the odd and the even blocks of one series at the same time, another order each."""
    ended_well(in_child(write_blocks, path, []))
    odd = in_child(write_blocks, path, list(range(1, blocks, 2)))
    even = in_child(write_blocks, path, list(range(blocks, 0, -2)))
    ended_well(odd)
    ended_well(even)
    ended_well(in_child(check_twin, path, blocks))


async def write_blocks(path: Path, numbers: list[int]) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        await store.register([deployment(KEY), deployment(TWIN)])
        for number in numbers:
            await store.commit(Commit("chain", [plain(KEY, block(number), amounts(number))]))


async def check_twin(path: Path, blocks: int) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        assert list(await store.present(KEY, 0, 10**9)) == list(range(1, blocks + 1))
        twins = [replace(plain(KEY, block(n), amounts(n)), deployment=TWIN) for n in range(1, blocks + 1)]
        await store.commit(Commit("chain", twins))
        assert await store.digest(KEY) == await store.digest(TWIN)
        assert await store.verify() == []


def starve(path: Path, _: int) -> None:
    ended_well(in_child(write_until_full, path))


async def write_until_full(path: Path) -> None:
    """No file may grow beyond 400 kB; when it may again, the same store goes on where it stopped."""
    async with open_store(f"sqlite:///{path}") as store:
        await store.register([deployment(KEY)])
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, unlimited[1]))
        number, reason = 0, ""
        try:
            while number < 5000:
                await write_block(store, number + 1)
                number += 1
        except StoreUnusable as error:
            reason = error.message
        assert "disk" in reason, reason
        assert 0 < number < 5000, f"the disk never filled up: {number}"
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        await write_block(store, number + 1)
    await check(path, number + 1)


def lease(path: Path, _: int) -> None:
    """Hold the daemon's lease until killed."""
    asyncio.run(hold(path))


async def hold(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store, store.lease("daemon"):
        print("held", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    acts = {"kill": kill, "compete": compete, "starve": starve, "lease": lease}
    acts[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
