"""A block of many deployments of which few were touched: `python -m benchmarks.deployments [--counts 50,300,1000]`.

Each deployment is four pairs, all are due at every block, and one pair in a hundred changes in it. Measured is all that
the daemon does for a block: its logs, a snapshot of every deployment, and the commit; beside the same with every
deployment read anew from the ledger. The floor asks for the same logs with a bare client and writes as many rows.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, print_figures, quiet
from benchmarks.following import ask, cpu
from benchmarks.load import Kind, Load, configuration
from benchmarks.replay import replaying_server
from benchmarks.replay_server import block
from benchmarks.series import Tape
from benchmarks.snapshot import FIRST_BLOCK
from indexer.chain.base import Request
from indexer.chain.block_logs import BlockLogs
from indexer.chain.logs import LogReader
from indexer.chain.pool import Pool
from indexer.chain.wire import open_session
from indexer.model import BlockRef
from indexer.reads.batch import Reader
from indexer.reads.ledger.audit import prove
from indexer.reads.ledger.ledger import Ledger
from indexer.run.bookkeeping import Bookkeeper
from indexer.run.known import Known
from indexer.run.program import ChainProgram, load_program
from indexer.run.snapshot import take
from indexer.run.standing import Standing
from indexer.store import open_store
from indexer.store.base import Commit, Store

PAIRS_EACH = 4
COUNTS = (50, 300, 1_000)
BLOCKS = 40
WARM_UP = 2
_TABLES = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE said (number INTEGER, key TEXT, value TEXT);"


@dataclass(slots=True)
class Chain:
    """Many deployments that are followed, as the daemon does."""

    program: ChainProgram
    books: Bookkeeper
    store: Store
    tape: Tape
    is_standing: bool
    known: Known = field(default_factory=Known)
    touched: list[int] = field(default_factory=list)

    async def follow(self, at: BlockRef) -> None:
        """One block, from its logs to its rows."""
        books, chain = self.books, self.program
        if books.ledger.tip is not None:
            books.note(at)
            await books.catch_up()
        standing = books.standing if self.is_standing else None
        taken = await take(chain, books.ledger, at, chain.deployments, self.known, standing=standing)
        await self.store.commit(books.commit(taken.commit(Commit(chain.name, heads=[at])), taken))
        self.known.learn(taken)
        self.touched.append(len(taken.changed))


@asynccontextmanager
async def opened(count: int, url: str, folder: Path, *, is_standing: bool) -> AsyncIterator[Chain]:
    """Everything known and proven at the first blocks."""
    file = folder / "config.toml"
    file.write_text(_configuration(count, url))
    chain = load_program(file).chains["replayed"]
    multicall = chain.settings.multicall3
    assert multicall is not None
    async with (
        Pool(chain.name, chain.settings.chain_id, chain.settings.endpoints) as pool,
        open_store("sqlite:///many.db", folder) as store,
    ):
        await store.register([deployment.row() for deployment in chain.deployments])
        tape = Tape(pool)
        ledger = Ledger(Reader(pool, multicall.address, 1), BlockLogs(tape, LogReader(tape)), proof_s=0)
        one = Chain(chain, Bookkeeper(ledger, Standing(ledger)), store, tape, is_standing)
        await one.follow(block(FIRST_BLOCK))
        await one.follow(block(FIRST_BLOCK + 1))
        await prove(ledger, block(FIRST_BLOCK + 1))
        for number in range(WARM_UP):
            await one.follow(block(FIRST_BLOCK + 2 + number))
        yield one


def _configuration(count: int, url: str) -> str:
    head, *_ = configuration(Load(pairs=0, pools=0, vaults=0), url, "sqlite:///many.db").partition("\n[[protocols]]")
    pairs = Load(pairs=PAIRS_EACH * count).addresses(Kind.PAIR)
    return head + "".join(_protocol(i, pairs[i * PAIRS_EACH : (i + 1) * PAIRS_EACH]) for i in range(count))


def _protocol(number: int, pairs: Sequence[str]) -> str:
    listed = ", ".join(f'"{pair}"' for pair in pairs)
    row = f'name = "dex{number}"\nchain = "replayed"\nkind = "uniswap_v2"\npairs = [{listed}]'
    return f"\n[[protocols]]\n{row}\n"


@dataclass(frozen=True, slots=True)
class Floor:
    """The same requests for logs by a bare client, and a row for each log in one commit as durable."""

    session: aiohttp.ClientSession
    url: str
    database: sqlite3.Connection

    async def follow(self, batches: Sequence[Sequence[Request]]) -> None:
        """One block."""
        answers = [answer for batch in batches for answer in await ask(self.session, self.url, batch)]
        logs = [log for answer in answers if isinstance(answer, list) for log in answer]
        self.database.execute("BEGIN IMMEDIATE")
        rows = [(log["blockNumber"], log["address"], str(int(log["data"][2:66], 16))) for log in logs]
        self.database.executemany("INSERT INTO said VALUES (?, ?, ?)", rows)
        self.database.execute("COMMIT")


@contextmanager
def bare_table(file: Path) -> Iterator[sqlite3.Connection]:
    """One table to write into."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.executescript(_TABLES)
        yield database


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of the processor for a block, the floor's, and how many of the deployments were touched in it."""

    cpu_ms: float
    floor_ms: float
    touched: float


async def measured(count: int, blocks: int, *, is_standing: bool) -> Measured:
    """The means of so many blocks, each followed by its floor."""
    ours, floors = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder, bare_table(Path(folder, "floor.db")) as database:
        async with (
            replaying_server(contracts=PAIRS_EACH * count) as url,
            opened(count, url, Path(folder), is_standing=is_standing) as chain,
            open_session(60) as session,
        ):
            chain.touched.clear()
            floor = Floor(session, url, database)
            for number in range(FIRST_BLOCK + 2 + WARM_UP, FIRST_BLOCK + 2 + WARM_UP + blocks):
                chain.tape.batches.clear()
                ours.append(await cpu(chain.follow(block(number))))
                floors.append(await cpu(floor.follow(list(chain.tape.batches))))
    return Measured(statistics.mean(ours), statistics.mean(floors), statistics.mean(chain.touched))


async def report(counts: Sequence[int], blocks: int) -> list[Figure]:
    """Of each number of deployments a block in which those that were touched are read, and one in which all are."""
    figures = []
    for count in counts:
        for is_standing, which in ((True, "those touched are read"), (False, "all are read")):
            one = await measured(count, blocks, is_standing=is_standing)
            note = f"{one.touched:.1f} of {count:,} may have changed" if is_standing else ""
            figures.append(
                Figure(f"a block of {count:,} deployments, {which}", "ms CPU", one.cpu_ms, one.floor_ms, note)
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    counts = [int(text) for text in options.counts.split(",")]
    print_figures(asyncio.run(report(counts, options.blocks)), options.json)


if __name__ == "__main__":
    main()
