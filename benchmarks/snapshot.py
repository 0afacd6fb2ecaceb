"""One snapshot, stage by stage: `python -m benchmarks.snapshot [--latency-ms 30] [--repeat 15]`.

1,000 V2 pairs (their reserves, and both balances), 200 V3 pools, 100 vaults and 50 feeds: 3,700 reads of a block in the
steady state. Each stage is a whole run up to there, through the real pool of endpoints; all of them and the floor take
turns at every block. The first snapshot, which also finds the tokens of every pool, is measured by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Sample, median, print_figures, quiet, timed
from benchmarks.load import LARGE, Load, configuration
from benchmarks.replay import Floor, RecordingReader, Round, replaying_server
from benchmarks.replay_server import block
from indexer.chain.pool import Pool
from indexer.chain.wire import open_session
from indexer.model import BlockRef, Holding
from indexer.reads.plan import Answer, Ask, Plan
from indexer.reads.rounds import Failure, Session
from indexer.run.known import Known, Taken
from indexer.run.program import ChainProgram, load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Commit, Store

FIRST_BLOCK = 1_000
WARM_UP = 40
"""Snapshots until the reader has learned what the server takes."""


@dataclass(slots=True)
class World:
    """Everything that reads the load: a chain's program, its endpoint, a reader that records, a store, the floor."""

    chain: ChainProgram
    pool: Pool
    reader: RecordingReader
    store: Store
    floor: Floor

    def anew(self) -> World:
        """With a reader that has learned nothing yet."""
        return replace(self, reader=RecordingReader(self.pool))


@asynccontextmanager
async def world(load: Load, url: str, folder: Path) -> AsyncIterator[World]:
    """A world over a replaying server, with an empty store in `folder`."""
    file = folder / "config.toml"
    file.write_text(configuration(load, url, "sqlite:///bench.db"))
    chain = load_program(file).chains["replayed"]
    urls = chain.settings.endpoints
    async with (
        Pool(chain.name, chain.settings.chain_id, urls) as pool,
        open_store("sqlite:///bench.db", folder) as store,
        open_session(30) as session,
    ):
        await store.register([deployment.row() for deployment in chain.deployments])
        yield World(chain, pool, RecordingReader(pool), store, Floor(session, url))


async def snapshot(of: World, at: BlockRef, known: Known) -> Taken:
    """One block, read, priced and valued."""
    return await take(of.chain, of.reader, at, of.chain.deployments, known)


async def committed(of: World, at: BlockRef, known: Known) -> Taken:
    """One block, also written to the store."""
    taken = await snapshot(of, at, known)
    await of.store.commit(taken.commit(Commit(of.chain.name, heads=[at])))
    known.learn(taken)
    return taken


async def answers(of: World, at: BlockRef, rounds: Sequence[Round]) -> None:
    """The questions of a snapshot, answered and decoded, without anyone to make something of them."""
    await _run(of, at, {"all": _asking([one.asks for one in rounds])})


async def holdings(of: World, at: BlockRef, known: Known) -> tuple[Session, list[Holding]]:
    """What the adapters make of their contracts."""
    session = Session(of.reader, at)
    plans = {d.key: d.adapter.read(d.params, known.found.get(d.key, []), at) for d in of.chain.deployments}
    return session, [holding for many in (await _results(session, plans)).values() for holding in many]


async def quotes(of: World, at: BlockRef, known: Known) -> None:
    """The same, and the prices of what is held."""
    session, held = await holdings(of, at, known)
    await _results(session, {"prices": of.chain.router.plan(sorted({one.token for one in held}), at)})


def _asking(rounds: Sequence[Sequence[Ask]]) -> Plan[list[Sequence[Answer]]]:
    received: list[Sequence[Answer]] = []
    for asks in rounds:
        received += [(yield asks)]
    return received


async def _run(of: World, at: BlockRef, plans: Mapping[str, Plan[Any]]) -> None:
    await _results(Session(of.reader, at), plans)


async def _results(session: Session, plans: Mapping[str, Plan[Any]]) -> dict[str, Any]:
    results = await session.run(plans)
    for failed in (one for one in results.values() if isinstance(one, Failure)):
        raise failed.error
    return results


STAGES = {
    "floor": "the same bytes, fetched and sliced",
    "answers": "decoded, proven answers",
    "holdings": "+ adapters",
    "quotes": "+ prices",
    "snapshot": "+ valuation",
    "committed": "+ commit into SQLite",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of each stage, and what one snapshot took."""

    stages: Mapping[str, Sample]
    reads: int
    rounds: tuple[Round, ...]
    http_requests: int

    @property
    def pricing_share(self) -> float:
        """Which part of the processor's time of a whole snapshot goes into prices."""
        return (self.stages["quotes"].cpu_ms - self.stages["holdings"].cpu_ms) / self.stages["committed"].cpu_ms

    @property
    def cost(self) -> str:
        """Reads and requests, by JSON-RPC method, for people."""
        methods = Counter(request.method for one in self.rounds for request in one.requests)
        told = ", ".join(f"{name} {count}x" for name, count in methods.most_common())
        return f"{self.reads:,} reads in {self.http_requests} requests, {len(self.rounds)} rounds: {told}"

    def figures(self, name: str) -> list[Figure]:
        """A line for each stage, by the clock and by the processor."""
        floor = self.stages["floor"]
        return [
            Figure(f"{name}: {STAGES[stage]}", unit, value, least, self.cost if stage == "committed" else "")
            for stage, sample in self.stages.items()
            if stage != "floor"
            for unit, value, least in (("ms", sample.wall_ms, floor.wall_ms), ("ms CPU", sample.cpu_ms, floor.cpu_ms))
        ]


async def steady(load: Load, repeat: int, *, latency_ms: float = 0.0, warm_up: int = WARM_UP) -> Measured:
    """Snapshots of blocks in a row, when all pools and tokens are known and the batches are settled."""
    with tempfile.TemporaryDirectory() as folder:
        async with replaying_server(latency_ms) as url, world(load, url, Path(folder)) as of:
            known = Known()
            for number in range(warm_up):
                of.reader.taken()
                await committed(of, block(FIRST_BLOCK - warm_up + number), known)
            rounds = of.reader.taken()
            await of.floor.learn(rounds)
            samples = [await _one_block(of, block(FIRST_BLOCK + i), known, rounds) for i in range(repeat)]
            http, at = of.pool.stats.http, block(FIRST_BLOCK + repeat)
            taken = await snapshot(of, at, known)
            requests = of.pool.stats.http - http
            medians = {stage: median(sample[stage] for sample in samples) for stage in STAGES}
            return Measured(medians, taken.calls, of.reader.taken(), requests)


async def _one_block(of: World, at: BlockRef, known: Known, before: Sequence[Round]) -> dict[str, Sample]:
    """Every stage once at one block of which the server has seen the questions. The whole comes first: what is new in
    the block is new to it. The stages after it begin with the lines of the block before, too."""
    rounds = await seen(of, at, before)
    valued, summed = dict(known.valued), dict(known.summed)
    samples = {"committed": await timed(committed(of, at, known))}
    works = {
        "floor": of.floor.read(rounds),
        "answers": answers(of, at, rounds),
        "holdings": holdings(of, at, known),
        "quotes": quotes(of, at, known),
        "snapshot": snapshot(of, at, known),
    }
    for stage, work in works.items():
        known.valued, known.summed = dict(valued), dict(summed)
        samples[stage] = await timed(work)
    of.reader.taken()
    return samples


async def seen(of: World, at: BlockRef, before: Sequence[Round]) -> list[Round]:
    """The questions of another block's rounds at a block, after the server has answered them once."""
    rounds = [one.at(at) for one in before]
    await of.floor.read(rounds)
    return rounds


async def first(load: Load, repeat: int, *, latency_ms: float = 0.0) -> Measured:
    """Snapshots of one who knows nothing yet: neither pools' tokens, nor metadata, nor what an endpoint takes."""
    samples = []
    async with replaying_server(latency_ms) as url:
        for _ in range(repeat):
            with tempfile.TemporaryDirectory() as folder:
                async with world(load, url, Path(folder)) as of:
                    taken, rounds, sample = await _first_block(of, block(FIRST_BLOCK))
                    samples.append(sample)
                    http = sum(len(one.requests) for one in rounds)
    medians = {stage: median(sample[stage] for sample in samples) for stage in ("floor", "committed")}
    return Measured(medians, taken.calls, rounds, http)


async def _first_block(of: World, at: BlockRef) -> tuple[Taken, tuple[Round, ...], dict[str, Sample]]:
    taken = await snapshot(of.anew(), at, Known())
    sample = await timed(committed(of, at, Known()))
    rounds = of.reader.taken()
    await of.floor.learn(rounds)
    return taken, rounds, {"floor": await timed(of.floor.read(rounds)), "committed": sample}


async def report(repeat: int, latency_ms: float = 0.0) -> list[Figure]:
    """The figures of a snapshot, steady and first."""
    warm = await steady(LARGE, repeat, latency_ms=latency_ms)
    cold = await first(LARGE, max(repeat // 3, 1), latency_ms=latency_ms)
    share = f"{100 * warm.pricing_share:.0f} % of the CPU time of a snapshot is pricing"
    figures = warm.figures("snapshot")
    figures[-1] = replace(figures[-1], note=share)
    return figures + cold.figures("first snapshot")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    figures = asyncio.run(report(options.repeat, options.latency_ms))
    print_figures(figures, options.json)


if __name__ == "__main__":
    main()
