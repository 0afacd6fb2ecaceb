"""Values at every block, by logs: `python -m benchmarks.series [--blocks 1900] [--contracts 100,1000,5000]`.

The load's balances, reserves and feed rounds are read once, and folded from there over a range of blocks, with every
change written to SQLite. The floor sends the same log requests with a bare client, slices the numbers out and writes as
many rows. It checks nothing. Block by block: `benchmarks.following`.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson

from benchmarks.figures import Figure, Sample, print_figures, quiet, timed
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
from indexer.reads.ledger.audit import prove
from indexer.reads.ledger.ledger import Ledger
from indexer.run.bookkeeping import FOLDED_AT_ONCE
from indexer.run.flows import Flowing
from indexer.run.known import Known
from indexer.run.program import ChainProgram, load_program
from indexer.run.snapshot import take
from indexer.store import open_store
from indexer.store.base import Commit, Store

BLOCKS = 1_900
_JSON = {"Content-Type": "application/json"}


class Tape:
    """The endpoint, and the log requests that went to it, batch by batch."""

    def __init__(self, pool: Pool) -> None:
        self.name, self.chain_id, self._pool = pool.name, pool.chain_id, pool
        self.batches: list[list[Request]] = []

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
        of = World(chain, pool, tape, ledger, Flowing(), store, session, url)
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


async def fold(of: World, blocks: Sequence[BlockRef], file: Path) -> int:
    """Every change of every value over the blocks, as rows: how many."""
    names = {id(track): i for i, track in enumerate(of.ledger.book.tracks.values())}
    with rows_of(file) as write:
        for start in range(0, len(blocks), FOLDED_AT_ONCE):
            moved = await of.ledger.follow(blocks[start : start + FOLDED_AT_ONCE])
            write((at.number, names[id(track)], str(track.at(at.number))) for at, moves in moved for track in moves)
    return len(names)


Rows = Iterable[tuple[int, int, str]]


@contextmanager
def rows_of(file: Path) -> Iterator[Callable[[Rows], object]]:
    """What writes rows, all in one transaction."""
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    database.execute("CREATE TABLE value (number INTEGER, name INTEGER, value TEXT)")
    database.execute("BEGIN IMMEDIATE")
    yield lambda rows: database.executemany("INSERT INTO value VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")
    database.close()


async def bare(of: World, batches: Sequence[Sequence[Request]], file: Path) -> None:
    """The floor: the same log requests, their numbers sliced, as rows."""
    with rows_of(file) as write:
        for answer in await asyncio.gather(*(_bare_batch(of, batch) for batch in batches)):
            write((int(log["blockNumber"], 16), 0, str(_words(log["data"]))) for log in answer)


def _words(text: str) -> list[int]:
    data = bytes.fromhex(text[2:])
    return [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]


async def _bare_batch(of: World, batch: Sequence[Request]) -> list[dict[str, str]]:
    asked = [{"jsonrpc": "2.0", "id": i, "method": one.method, "params": one.params} for i, one in enumerate(batch)]
    async with of.session.post(of.url, data=orjson.dumps(asked), headers=_JSON) as response:
        replies = orjson.loads(await response.read())
    return [log for reply in replies if isinstance(reply["result"], list) for log in reply["result"]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure for the table, and what it took."""

    figure: Figure
    calls: int
    values: int


async def series(contracts: int, blocks: int) -> Measured:
    """All values of so many contracts at every one of so many blocks, when the server has made its logs."""
    span = [block(FIRST_BLOCK + 2 + i) for i in range(blocks)]
    async with replaying_server(contracts=contracts) as url:
        with tempfile.TemporaryDirectory() as folder:
            async with world(scaled(contracts), url, Path(folder)) as of:
                await fold(of, span, Path(folder, "seen.db"))
        ours, least, note, calls, values = await _folded(contracts, url, span)
    name = f"series: {contracts:,} contracts at {blocks:,} blocks"
    figure = Figure(
        name, "ms CPU", ours.cpu_ms, least.cpu_ms, f"{ours.wall_ms:,.0f} ms of {least.wall_ms:,.0f}; {note}"
    )
    return Measured(figure, calls, values)


async def _folded(contracts: int, url: str, span: Sequence[BlockRef]) -> tuple[Sample, Sample, str, int, int]:
    """Ours, the floor, what ours took, the RPC calls and the values. The peak of memory is taken before the floor's."""
    with tempfile.TemporaryDirectory() as folder:
        async with world(scaled(contracts), url, Path(folder)) as of:
            ours = await timed(fold(of, span, Path(folder, "ours.db")))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            batches = [batch for batch in of.tape.batches if batch[0].method == "eth_getLogs"]
            calls, values = sum(map(len, of.tape.batches)), len(of.ledger.book.tracks)
            least = await timed(bare(of, batches, Path(folder, "bare.db")))
            return ours, least, f"{values:,} values, {calls} RPC calls, {peak} MB at most", calls, values


async def report(blocks: int, contracts: Sequence[int]) -> list[Figure]:
    """The series of the whole load, and how it grows with contracts."""
    figures = [(await series(CONTRACTS, blocks)).figure]
    return figures + [(await series(count, blocks)).figure for count in contracts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--contracts", default="100,1000,5000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    counts = [int(text) for text in options.contracts.split(",") if text]
    print_figures(asyncio.run(report(options.blocks, counts)), options.json)


if __name__ == "__main__":
    main()
