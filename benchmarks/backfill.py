"""Blocks a second of a backfill into SQLite: `python -m benchmarks.backfill [--blocks 60] [--no-anvil]`.

Against the replaying server, for a small and a large load, and against a real local chain on which every protocol of
the devnet was played. The floor sends the same requests for the same blocks, as many blocks at a time, slices the
answers to integers, and stores nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks.figures import Figure, print_figures, quiet, timed
from benchmarks.load import LARGE, SMALL, Load, configuration
from benchmarks.replay import Floor, RecordingReader, Round, replaying_server
from devnet import Devnet, deploy_protocols
from devnet.configuration import configuration as devnet_configuration
from devnet.scenario import scenario
from indexer.chain.wire import open_session
from indexer.config.types import Cadence
from indexer.model import BlockRef
from indexer.run.backfill import Job, backfill
from indexer.run.grid import Span
from indexer.run.known import Known
from indexer.run.live import LiveChain, open_chain
from indexer.run.program import load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Store

FIRST_BLOCK = 1_000
WORKERS = 4
QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])


@dataclass(frozen=True, slots=True)
class Filled:
    """A backfill and its floor, in seconds, with what the backfill sent over the wire."""

    name: str
    blocks: int
    seconds: float
    floor_s: float
    http_requests: int
    reads: int

    def figure(self) -> Figure:
        """Blocks a second, of both."""
        note = f"{self.blocks} blocks of {self.reads:,} reads, {self.http_requests / self.blocks:.1f} requests a block"
        rates = self.blocks / self.seconds, self.blocks / self.floor_s
        return Figure(f"backfill: {self.name}", "blocks/s", *rates, note, more_is_better=True)


async def replayed(name: str, load: Load, blocks: int) -> Filled:
    """A backfill of the last blocks up to `FIRST_BLOCK + blocks` of the replaying server's chain."""
    with tempfile.TemporaryDirectory() as folder:
        async with replaying_server() as url:
            text = configuration(load, url, "sqlite:///bench.db")
            async with _opened(text, Path(folder)) as (live, store):
                return await _measured(name, url, live, store, range(FIRST_BLOCK, FIRST_BLOCK + blocks))


async def on_anvil(most_blocks: int) -> Filled:
    """A backfill of a local chain on which the whole scenario was played."""
    with tempfile.TemporaryDirectory() as folder, Devnet.start() as net:
        addresses = deploy_protocols(net)
        scenario(net, addresses)
        async with _opened(devnet_configuration(addresses, net.url), Path(folder)) as (live, store):
            last = (await live.final()).number
            numbers = range(max(addresses.ready_block, last - most_blocks + 1), last + 1)
            return await _measured("a local chain (anvil)", net.url, live, store, numbers)


@asynccontextmanager
async def _opened(config: str, folder: Path) -> AsyncIterator[tuple[LiveChain, Store]]:
    file = folder / "config.toml"
    file.write_text(config)
    (program,) = (chain for chain in load_program(file).chains.values() if chain.deployments)
    async with open_chain(program, QUIET) as live, open_store("sqlite:///bench.db", folder) as store:
        yield live, store


async def _measured(name: str, url: str, live: LiveChain, store: Store, numbers: range) -> Filled:
    blocks = [at for number in numbers if (at := await live.clock.block(number)) is not None]
    rounds, reads = await _recorded(live, blocks)
    async with open_session(30) as session:
        floor = Floor(session, url)
        for one in rounds:
            await floor.learn(one)
        least = await timed(_floor(floor, list(zip(blocks, rounds, strict=True))))
    job = Job(live, live.program.deployments, Span(blocks[0], blocks[-1]), Cadence(blocks=1))
    before = live.pool.stats.http
    ours = await timed(_drained(job, store))
    http = live.pool.stats.http - before
    return Filled(name, len(blocks), ours.wall_ms / 1000, least.wall_ms / 1000, http, reads)


async def _recorded(live: LiveChain, blocks: Sequence[BlockRef]) -> tuple[list[tuple[Round, ...]], int]:
    """What each block's snapshot asks, once everything is known, and how many reads the last one has."""
    reader, known = RecordingReader(live.pool, live.reader), Known()
    calls, rounds = 0, []
    for at in [blocks[-1], *blocks]:
        taken = await take(live.program, reader, at, live.program.deployments, known)
        known.learn(taken)
        rounds.append(reader.taken())
        calls = taken.calls
    return rounds[1:], calls


async def _drained(job: Job, store: Store) -> None:
    async for _ in backfill(job, store, QUIET, WORKERS):
        pass


async def _floor(floor: Floor, blocks: Sequence[tuple[BlockRef, tuple[Round, ...]]]) -> None:
    waiting = iter(blocks)

    async def work() -> None:
        for at, rounds in waiting:
            await floor.header(at.number)
            await floor.read(rounds)

    await asyncio.gather(*(work() for _ in range(WORKERS)))


async def report(blocks: int, *, anvil: bool = True) -> list[Figure]:
    """The figures of backfills: small, large, and on a real chain."""
    filled = [
        await replayed("35 contracts", SMALL, 10 * blocks),
        await replayed("1,350 contracts", LARGE, blocks),
    ]
    if anvil:
        filled.append(await on_anvil(blocks))
    return [one.figure() for one in filled]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=60)
    parser.add_argument("--no-anvil", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    figures = asyncio.run(report(options.blocks, anvil=not options.no_anvil))
    print_figures(figures, options.json)


if __name__ == "__main__":
    main()
