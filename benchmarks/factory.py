"""A very large factory with a liquidity floor: `python -m benchmarks.factory [--pairs 100000] [--every-pair]`.

Discovery part by part into SQLite, the verdict on every pair at the first block of the day, and then snapshots of the
day. `--every-pair` reads the same without a floor. The floor beside a snapshot's figure is the bare client's: the same
requests sent again and sliced. Memory is the whole process's at its highest.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.figures import Figure, median, print_figures, quiet, timed
from benchmarks.load import MULTICALL3, Load, factory_of
from benchmarks.replay import replaying_server
from benchmarks.replay_server import block
from benchmarks.snapshot import World, world
from indexer.adapters.registry import parse_params
from indexer.chain.clock import Clock
from indexer.config.types import Cadence
from indexer.model import BlockRef, Found
from indexer.reads.batch import Reader
from indexer.run.known import Known, Taken
from indexer.run.snapshot import take
from indexer.store.base import Commit

FIRST_BLOCK = 5_000
FLOOR_USD = 1_000
FEW = Load(pairs=1, pools=1, vaults=1)


@dataclass(slots=True)
class Watch:
    """Seconds since the start, and the memory, at the end of each part that was kept."""

    started: float = field(default_factory=time.perf_counter)
    marks: list[tuple[int, float, float]] = field(default_factory=list)

    def mark(self, count: int) -> None:
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.marks.append((count, time.perf_counter() - self.started, megabytes))


async def measure(pairs: int, repeat: int, *, every_pair: bool = False) -> list[Figure]:
    """The figures of one factory."""
    with tempfile.TemporaryDirectory() as folder:
        async with replaying_server() as url, world(FEW, url, Path(folder)) as few:
            of = await _only_factory(few, pairs, 0 if every_pair else FLOOR_USD)
            watch, known, reader = Watch(), Known(), Reader(of.pool, MULTICALL3, 1)
            taken = await _committed(of, reader, block(FIRST_BLOCK), known, watch)
            watch.mark(0)
            figures = _first_figures(watch, pairs, taken)
            return [*figures, await _steady(of, reader, known, repeat, watch)]


async def _only_factory(of: World, pairs: int, floor_usd: int) -> World:
    params = parse_params("uniswap_v2", {"factory": factory_of(pairs), "floor_usd": floor_usd})
    one = replace(of.chain.deployments[0], key="factory@replayed", params=params, every=Cadence(blocks=1))
    await of.store.register([one.row()])
    return replace(of, chain=replace(of.chain, deployments=(one,)))


async def _committed(of: World, reader: Reader, at: BlockRef, known: Known, watch: Watch) -> Taken:
    async def keep(found: Mapping[str, Sequence[Found]]) -> None:
        await of.store.commit(Commit(of.chain.name, found=found))
        watch.mark(sum(map(len, found.values())))

    taken = await take(
        of.chain, of.reader, at, of.chain.deployments, known, clock=Clock(of.pool, first_block=1), keep=keep
    )
    await of.store.commit(taken.commit(Commit(of.chain.name, heads=[at])))
    known.learn(taken)
    return taken


def _first_figures(watch: Watch, pairs: int, taken: Taken) -> list[Figure]:
    """Each stage beside the seconds that the first took: a factory without a floor is found and read at once."""
    parts, whole = [mark for mark in watch.marks if mark[0] > 1], watch.marks[-1]
    stages = {f"first snapshot of {pairs:,} pairs": whole}
    if parts:
        stages = {f"discovery of {pairs:,} pairs": parts[-1], "+ verdict, first snapshot": whole}
    least = next(iter(stages.values()))[1]
    note = f"{taken.calls:,} reads in all; {taken.snapshots[0].reason}"
    return [
        Figure(f"factory: {name}", "s", seconds, least, f"{megabytes:,.0f} MB at most; {note}")
        for name, (_, seconds, megabytes) in stages.items()
    ]


async def _steady(of: World, reader: Reader, known: Known, repeat: int, watch: Watch) -> Figure:
    samples, floors, taken = [], [], None
    for i in range(1, repeat + 1):
        at = block(FIRST_BLOCK + i)
        taken = await take(of.chain, of.reader, at, of.chain.deployments, known, clock=Clock(of.pool, first_block=1))
        rounds = of.reader.taken()
        await of.floor.learn(rounds)
        await of.floor.read(rounds)
        floors.append(await timed(of.floor.read(rounds)))
        samples.append(await timed(_committed(of, reader, at, known, watch)))
    note = f"{taken.calls:,} reads, {len(taken.snapshots[0].lines):,} holdings" if taken else ""
    return Figure("factory: a snapshot of the day", "ms", median(samples).wall_ms, median(floors).wall_ms, note)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.factory", description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--every-pair", action="store_true", help="without a floor")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    figures = asyncio.run(measure(options.pairs, options.repeat, every_pair=options.every_pair))
    print_figures(figures, options.json)


if __name__ == "__main__":
    main()
