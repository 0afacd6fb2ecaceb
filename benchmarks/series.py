"""Values at every block, by logs: `python -m benchmarks.series [--blocks 190,1900] [--contracts 100,1000,5000]`.

The load's balances, reserves and feed rounds are read once, and folded from there over a range of blocks, with every
change written to SQLite. The least that can be done for it is in `benchmarks.bare`. Block by block:
`benchmarks.following`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.bare import Batch, rows_of
from benchmarks.figures import Figure, print_figures, quiet, timed
from benchmarks.folding import Folded, folded, most_memory_mb
from benchmarks.load import CONTRACTS, Load, configuration, scaled
from benchmarks.replay import replaying_server
from benchmarks.replay_server import block
from benchmarks.snapshot import FIRST_BLOCK
from indexer.chain.base import Replies, Request
from indexer.chain.block_logs import BlockLogs
from indexer.chain.logs import LogReader
from indexer.chain.pool import Pool
from indexer.chain.wire import open_session
from indexer.model import BlockRef
from indexer.reads.batch import Reader
from indexer.reads.ledger.audit import audit, prove
from indexer.reads.ledger.ledger import Ledger
from indexer.run.bookkeeping import FOLDED_AT_ONCE
from indexer.run.flows import Flowing
from indexer.run.known import Known
from indexer.run.program import ChainProgram, load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Commit, Store

BLOCKS = 1_900
REPEAT = 3
FIRST_FOLDED = FIRST_BLOCK + 2


class Tape:
    """The endpoint, and the log requests that went to it, batch by batch."""

    def __init__(self, pool: Pool) -> None:
        self.name, self.chain_id, self._pool = pool.name, pool.chain_id, pool
        self.batches: list[list[Request]] = []

    def sent(self) -> list[Batch]:
        """The same, as the floor sends them."""
        return [[(request.method, request.params) for request in batch] for batch in self.batches]

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.batches.append(list(requests))
        return await self._pool.send(requests, avoid=avoid)

    def distrust(self, endpoint: str, reason: str) -> None:
        raise AssertionError(f"the replaying server was distrusted: {reason}")


@dataclass(slots=True)
class World:
    """A chain whose ledger knows everything at the first block."""

    chain: ChainProgram
    pool: Pool
    tape: Tape
    ledger: Ledger
    flowing: Flowing
    store: Store
    session: aiohttp.ClientSession
    url: str
    opened_mb: int


@asynccontextmanager
async def world(load: Load, url: str, folder: Path) -> AsyncIterator[World]:
    """Everything read once at the first block, and proven at the next."""
    file = folder / "config.toml"
    file.write_text(configuration(load, url, "sqlite:///series.db"))
    chain = load_program(file).chains["replayed"]
    async with (
        Pool(chain.name, chain.settings.chain_id, chain.settings.endpoints) as pool,
        open_store("sqlite:///series.db", folder) as store,
        open_session(60) as session,
    ):
        await store.register([deployment.row() for deployment in chain.deployments])
        tape = Tape(pool)
        multicall = chain.settings.multicall3
        assert multicall is not None
        ledger = Ledger(Reader(pool, multicall.address, 1), BlockLogs(tape, LogReader(tape)), proof_s=0)
        of = World(chain, pool, tape, ledger, Flowing(), store, session, url, most_memory_mb())
        await _begin(of)
        yield of


async def _begin(of: World) -> None:
    first = block(FIRST_BLOCK)
    taken = await take(of.chain, of.ledger, first, of.chain.deployments, Known())
    await of.store.commit(taken.commit(Commit(of.chain.name, heads=[first])))
    of.flowing.learn(taken.snapshots, of.ledger)
    await of.ledger.follow([block(FIRST_BLOCK + 1)])
    await prove(of.ledger, block(FIRST_BLOCK + 1))
    of.tape.batches.clear()


async def fold(of: World, numbers: range, file: Path, then: Callable[[range], object] = lambda _: None) -> None:
    """Every change of every value in these blocks, as rows; `then` is called when a part of them is folded."""
    names = {id(track): i for i, track in enumerate(of.ledger.book.tracks.values())}
    with rows_of(file) as write:
        for start in range(0, len(numbers), FOLDED_AT_ONCE):
            part = numbers[start : start + FOLDED_AT_ONCE]
            moved = await of.ledger.follow([block(number) for number in part])
            write((at.number, names[id(track)], str(track.at(at.number))) for at, moves in moved for track in moves)
            then(part)


async def alone(url: str, contracts: int, blocks: int, folder: Path) -> dict[str, Any]:
    """Fold in this process, then compare all with the chain: `Folded` but for the floor.

    What is written need not be remembered, so the ledger keeps no block longer. The log requests are left for the floor
    in `requests.json`.
    """
    async with world(scaled(contracts), url, folder) as of:
        of.ledger.kept, http = FOLDED_AT_ONCE, of.pool.stats.http
        ours = await timed(fold(of, range(FIRST_FOLDED, FIRST_FOLDED + blocks), folder / "ours.db"))
        sent, tip, requests = of.tape.sent(), of.ledger.tip, of.pool.stats.http - http
        assert tip is not None
        proof = await timed(_compare(of, tip))
        told = {"requests": requests, "calls": sum(map(len, sent)), "values": len(of.ledger.book.tracks)}
        memory = {"opened_mb": of.opened_mb, "peak_mb": most_memory_mb()}
    logs = [batch for batch in sent if batch[0][0] == "eth_getLogs"]
    (folder / "requests.json").write_bytes(orjson.dumps(logs))
    return {"ours": asdict(ours), "proof": asdict(proof), **told, **memory}


async def _compare(of: World, at: BlockRef) -> None:
    differences = await audit(of.ledger, [track.key for track in of.ledger.book.tracks.values()], at)
    if differences:
        raise ValueError(f"logs did not lead to what the server answers: {differences[0]}")


async def series(contracts: int, blocks: int, repeat: int = REPEAT) -> Folded:
    """All values of so many contracts at every one of so many blocks: the middle of several runs."""
    async with replaying_server(contracts=contracts) as url:
        runs = [await folded(url, contracts, blocks) for _ in range(repeat)]
    return sorted(runs, key=lambda run: run.ours.cpu_ms / run.floor.cpu_ms)[repeat // 2]


def figure_of(run: Folded, contracts: int, blocks: int) -> Figure:
    """A line of the table."""
    cost = f"{run.values:,} values, {run.requests} requests, {run.calls} RPC calls"
    memory = f"{run.peak_mb} MB at most, {run.opened_mb} before anything is read"
    clock = f"{run.ours.wall_ms:,.0f} ms of {run.floor.wall_ms:,.0f}"
    name = f"series: {contracts:,} contracts at {blocks:,} blocks"
    return Figure(name, "ms CPU", run.ours.cpu_ms, run.floor.cpu_ms, f"{clock}; {cost}; {memory}")


async def report(blocks: Sequence[int], contracts: Sequence[int]) -> list[Figure]:
    """The series of the whole load, and how it grows with blocks and with contracts."""
    sizes = [(CONTRACTS, BLOCKS), *((CONTRACTS, some) for some in blocks), *((some, BLOCKS) for some in contracts)]
    runs = [(await series(*size, REPEAT if i == 0 else 1), *size) for i, size in enumerate(dict.fromkeys(sizes))]
    return [figure_of(*run) for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", default="190", help="also so many blocks, of the whole load; 19000 takes a minute")
    parser.add_argument("--contracts", default="100,1000,5000", help=f"also so many contracts, at {BLOCKS:,} blocks")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", nargs=4, metavar=("URL", "CONTRACTS", "BLOCKS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    quiet()
    if options.alone:
        url, count, length, folder = options.alone
        print(json.dumps(asyncio.run(alone(url, int(count), int(length), Path(folder)))))
        return
    blocks, contracts = (
        [int(text) for text in given.split(",") if text] for given in (options.blocks, options.contracts)
    )
    print_figures(asyncio.run(report(blocks, contracts)), options.json)


if __name__ == "__main__":
    main()
