"""What the end-to-end tests share: a configured devnet, the daemon inside this process or as its own, and stores."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from devnet import Addresses, Devnet
from devnet.configuration import configuration
from indexer.model import NATIVE
from indexer.run import daemon
from indexer.run.backfill import Job, backfill
from indexer.run.grid import Span
from indexer.run.known import Known
from indexer.run.live import open_chain
from indexer.run.program import Program, load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Commit, Store

QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])
PATIENCE_S = 240


@dataclass(frozen=True, slots=True)
class Setting:
    """A devnet with everything on it, and a configuration that reads it into `folder`, with these lines on the chain.

    By default logs are believed as soon as two reads agreed with them, so that a few blocks show what they do.
    """

    net: Devnet
    addresses: Addresses
    folder: Path
    chain: str = "ledger_proof_s = 0"

    def configure(self, name: str = "config.toml", *, url: str = "", change: Callable[[str], str] = str) -> Path:
        """Write a configuration with its own store beside it."""
        file = self.folder / name
        text = configuration(self.addresses, url or self.net.url, store=f"sqlite:///{file.stem}.db")
        file.write_text(change(text.replace("[chains.devnet]", f"[chains.devnet]\n{self.chain}")))
        return file

    def store(self, config: Path) -> Store:
        return open_store(f"sqlite:///{config.with_suffix('.db')}")


@dataclass(slots=True)
class Told:
    """A log that keeps what is told."""

    events: list[MutableMapping[str, Any]] = field(default_factory=list)

    @property
    def log(self) -> Any:
        return structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._keep])

    def of(self, event: str) -> list[MutableMapping[str, Any]]:
        """What was told of one kind."""
        return [one for one in self.events if one["event"] == event]

    def _keep(self, _: object, level: str, event: MutableMapping[str, Any]) -> str:
        self.events.append({"level": level, **event})
        return ""


def only(text: str, names: Collection[str], *, is_priced: bool = True, has_ether: bool = True) -> str:
    """Of a devnet's configuration these protocols. Not priced, it has no routes; ether comes and goes without logs."""
    head, *protocols = text.split("[[protocols]]")
    lines = [line for line in head.splitlines(keepends=True) if is_priced or not line.startswith("routes")]
    kept = [one for one in protocols if any(f'name = "{name}"' in one for name in names)]
    told = "[[protocols]]".join(["".join(lines), *kept])
    return told if has_ether else told.replace(f'"{NATIVE}", ', "")


@asynccontextmanager
async def following(program: Program, store: Store, log: FilteringBoundLogger = QUIET) -> AsyncIterator[None]:
    """The daemon, running in this process; its errors are the test's errors."""
    task = asyncio.create_task(daemon.run(program, store, log))
    try:
        yield
        if task.done():
            raise AssertionError(f"the daemon ended early: {task.result()}")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reached(store: Store, block: int, block_hash: str = "") -> None:
    """Wait until the store's head is a block."""

    async def there() -> bool:
        head = (await store.chain_state("devnet")).head
        return head is not None and head.number == block and head.hash.endswith(block_hash)

    await eventually(there, f"the store's head is block {block}")


async def final_at(store: Store, number: int) -> None:
    """Wait until the store knows a block to be final."""

    async def there() -> bool:
        final = (await store.chain_state("devnet")).finalized
        return final is not None and final.number >= number

    await eventually(there, f"block {number} is final")


async def has_points(store: Store, deployment: str) -> None:
    """Wait until a series has begun."""

    async def there() -> bool:
        known = {row.key for row in await store.deployments()}
        return deployment in known and bool(await store.series(deployment))

    await eventually(there, f"{deployment} has points")


async def eventually(there: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again, for some minutes at most: a busy machine is slow."""
    deadline = time.monotonic() + PATIENCE_S
    while not await there():
        assert time.monotonic() < deadline, f"it did not come to pass that {what}"
        await asyncio.sleep(0.05)


async def index_until_head(config: Path, net: Devnet) -> None:
    """Start the daemon, let it reach the head, stop it."""
    program = load_program(config)
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store, following(program, store):
        await reached(store, net.block_number(), block_hash(net))


async def index_each(config: Path, numbers: Iterable[int]) -> None:
    """Read and commit blocks one by one, in order, without daemon or backfill."""
    chain = load_program(config).chains["devnet"]
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store, open_chain(chain, QUIET) as live:
        await store.register([deployment.row() for deployment in chain.deployments])
        known = Known()
        for number in numbers:
            at = await live.clock.block(number)
            assert at is not None
            taken = await take(chain, live.reader, at, chain.deployments, known, clock=live.clock)
            await store.commit(taken.commit(Commit(chain.name)))
            known.learn(taken)


def block_hash(net: Devnet, number: int | str = "latest") -> str:
    named = number if isinstance(number, str) else hex(number)
    return str(net.rpc("eth_getBlockByNumber", named, False)["hash"])


async def backfill_all(config: Path, first: int, last: int | None = None, log: FilteringBoundLogger = QUIET) -> None:
    """Backfill every protocol and every block of a span that ends at the last final block."""
    program = load_program(config)
    chain = program.chains["devnet"]
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store, open_chain(chain, log) as live:
        end = await live.final()
        if last is not None:
            end = await live.clock.block(last) or end
        start = await live.clock.block(first)
        assert start is not None
        job = Job(live, chain.deployments, Span(start, end), chain.deployments[0].every)
        async for _ in backfill(job, store, log):
            pass


async def digests(config: Path, first: int, last: int) -> dict[str, str]:
    """What the store says of each deployment's series between two blocks."""
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        return {row.key: await store.digest(row.key, first, last) for row in await store.deployments()}


def command(config: Path, *verb: str) -> list[str]:
    return [sys.executable, "-m", "indexer", "--config", str(config), *verb]


def tvl(config: Path, *verb: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does."""
    return subprocess.run(command(config, *verb), capture_output=True, text=True, timeout=timeout_s, check=False)


@contextmanager
def daemon_process(config: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`tvl run` as its own process; killed at the end if it still runs."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command(config, "run", *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
