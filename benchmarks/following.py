"""Following the head by logs, as the daemon does: `python -m benchmarks.following [--blocks 1000] [--contracts 1300]`.

The load's answers are read once and folded from there, block by block: the look at the head, header and logs, what came
and went, and one durable commit of head and flows. Of the 400 other logs of each block, as a real one has,
nobody asked for any. The floor sends the same requests with a bare client, slices the numbers out of the logs that were
used, and writes as many rows in one commit as durable. It checks nothing.

Other programs on the machine can make a block take twice the processor's time. So blocks are counted in rounds, and a
figure is the mean of the quickest one, for ours as for the floor; the mean of all stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.figures import Figure, print_figures, quiet
from benchmarks.load import BLOCK_TIME_S, CONTRACTS, scaled
from benchmarks.replay import replaying_server
from benchmarks.replay_server import UPDATED_EVERY, block
from benchmarks.series import World, world
from benchmarks.snapshot import FIRST_BLOCK
from indexer.chain.base import Request
from indexer.chain.block_logs import BlockLogs
from indexer.chain.follower import BATCH_BLOCKS, Advanced, Finalized, Follower
from indexer.chain.rpc import Traffic
from indexer.reads.ledger.audit import prove
from indexer.run.live import TAGS_EVERY_BLOCKS
from indexer.store.base import Commit, Folded

BLOCKS = 1_000
ROUND = 50
WARM_UP = 10
FOREIGN_LOGS = 400
_JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Now:
    """A clock that goes a block's time with each block."""

    s: float = 0.0

    def __call__(self) -> float:
        return self.s


@dataclass(slots=True)
class Chain:
    """A chain at whose head somebody stands."""

    of: World
    follower: Follower
    now: Now
    written: Commit | None = None

    async def mine(self) -> None:
        """One more block."""
        self.now.s += BLOCK_TIME_S
        await ask(self.of.session, self.of.url, [Request("replay_setHead", (self.head + 1,))])

    @property
    def head(self) -> int:
        """The block that we stand at."""
        return self.follower.known[-1].number

    async def follow(self) -> None:
        """The new head, all that is known from it, and one commit."""
        of = self.of
        for event in await self.follower.step():
            if isinstance(event, Advanced):
                moved = await of.ledger.follow(event.blocks)
                flows, (covered, covering) = of.flowing.flows(moved), of.flowing.covered(of.ledger)
                folded = Folded(of.ledger.began, of.ledger.book.tip, covering)
                commit = Commit(of.chain.name, heads=event.blocks, flows=flows, covered=covered, folded=folded)
                await of.store.commit(commit)
                self.written = commit
            elif isinstance(event, Finalized):
                await of.store.commit(Commit(of.chain.name, finalized=event.block))


@asynccontextmanager
async def chain(contracts: int, foreign: int, folder: Path) -> AsyncIterator[Chain]:
    """Everything known, moved once and proven, and a follower that has followed for a while."""
    async with (
        replaying_server(contracts=contracts, foreign=foreign) as url,
        world(scaled(contracts), url, folder) as of,
    ):
        one = _chain(of)
        await ask(of.session, url, [Request("replay_setHead", (one.head,))])
        for upto in (UPDATED_EVERY, WARM_UP):
            for _ in range(upto):
                await one.mine()
                await one.follow()
            await prove(of.ledger, one.follower.known[-1])
        yield one


def _chain(of: World) -> Chain:
    """Where the ledger stands; nothing before it need be asked for."""
    now, logs = Now(), of.ledger.logs
    assert isinstance(logs, BlockLogs)
    known = [block(FIRST_BLOCK + 2 - number) for number in range(BATCH_BLOCKS, 0, -1)]
    return Chain(
        of,
        Follower(
            of.tape,
            known=known,
            finalized=known[0],
            rider=logs,
            tags_every_s=TAGS_EVERY_BLOCKS * BLOCK_TIME_S,
            clock=now,
        ),
        now,
    )


@dataclass(frozen=True, slots=True)
class Followed:
    """Milliseconds of the processor for each block, the floor's, and what went over the wire."""

    cpu_ms: Sequence[float]
    floor_ms: Sequence[float]
    values: int
    traffic: Traffic

    @property
    def requests(self) -> float:
        """HTTP requests a block."""
        return self.traffic.http / len(self.cpu_ms)

    def figure(self) -> Figure:
        """The means of the quickest round, of ours as of the floor."""
        count, mean = len(self.cpu_ms), statistics.mean
        up, down = self.traffic.bytes_sent / count / 1000, self.traffic.bytes_received / count / 1000
        over_all = f"over all {mean(self.cpu_ms):.1f} of {mean(self.floor_ms):.1f}"
        slow = sorted(self.cpu_ms)[int(0.99 * count)]
        wire = f"{self.requests:.2f} HTTP requests, {up:.1f} KB up and {down:.0f} KB down a block"
        name = f"following: {self.values:,} values, a block folded and stored"
        quickest = _quickest(self.cpu_ms), _quickest(self.floor_ms)
        return Figure(name, "ms CPU", *quickest, f"{over_all}, p99 {slow:.1f}; {wire}")


def _quickest(each_ms: Sequence[float]) -> float:
    return min(statistics.mean(each_ms[i : i + ROUND]) for i in range(0, len(each_ms), ROUND))


async def following(contracts: int, blocks: int, foreign: int = FOREIGN_LOGS) -> Followed:
    """So many blocks, one after the other, each followed by the floor of the same."""
    with tempfile.TemporaryDirectory() as folder:
        async with chain(contracts, foreign, Path(folder)) as one:
            before, cpu_ms, floor_ms = one.of.pool.stats, list[float](), list[float]()
            with Floor(one.of.session, one.of.url, Path(folder, "floor.db")) as floor:
                for _ in range(blocks):
                    await one.mine()
                    one.of.tape.batches.clear()
                    cpu_ms.append(await cpu(one.follow()))
                    assert one.written is not None
                    floor_ms.append(await cpu(floor.follow(list(one.of.tape.batches), one.written)))
            return Followed(cpu_ms, floor_ms, len(one.of.ledger.book.tracks), _since(before, one.of.pool.stats))


def _since(before: Traffic, after: Traffic) -> Traffic:
    sent, received = after.bytes_sent - before.bytes_sent, after.bytes_received - before.bytes_received
    return Traffic(after.requests - before.requests, after.http - before.http, sent, received)


async def cpu(work: Awaitable[object]) -> float:
    """Milliseconds of the processor, all threads, that an awaitable takes."""
    before = time.process_time()
    await work
    return (time.process_time() - before) * 1000


class Floor:
    """The same requests by a bare client, and the same number of rows by bare SQL, into tables of the same keys."""

    def __init__(self, session: aiohttp.ClientSession, url: str, file: Path) -> None:
        self._session, self._url = session, url
        self._database = sqlite3.connect(file, isolation_level=None, cached_statements=64)
        self._database.executescript(_TABLES)

    def __enter__(self) -> Floor:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    async def follow(self, batches: Sequence[Sequence[Request]], commit: Commit) -> None:
        """One block."""
        used = {token for of in commit.flows.values() for _, gross in of for token, *_ in gross}
        amounts: list[int] = []
        for batch in batches:
            for answer in await ask(self._session, self._url, batch):
                if isinstance(answer, list):
                    amounts += [int(log["data"][2:66], 16) for log in answer if log["address"] in used]
        self._write(commit, amounts)

    def _write(self, commit: Commit, amounts: Sequence[int]) -> None:
        at, write = commit.heads[-1], self._database.execute
        write("BEGIN IMMEDIATE")
        for row, flows in enumerate(commit.flows.values()):
            of_block = [(i, str(amounts[i % len(amounts)]), "0") for _, gross in flows for i in range(len(gross))]
            columns = (row, at.number, at.hash, at.parent_hash, at.timestamp, orjson.dumps(of_block))
            write("INSERT INTO block_flows VALUES (NULL, ?, ?, ?, ?, ?, ?)", columns)
        write("INSERT INTO head VALUES (?, ?, ?, ?)", (at.number, at.hash, at.parent_hash, at.timestamp))
        write("DELETE FROM head WHERE number < ?", (at.number - 1024,))
        write("INSERT OR REPLACE INTO chain VALUES (1, ?)", (at.number,))
        for row in range(sum(map(len, commit.covered.values()))):
            write("INSERT OR REPLACE INTO covered VALUES (?, ?)", (row, at.number))
        write("COMMIT")


_TABLES = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE block_flows (
    id INTEGER PRIMARY KEY, deployment INTEGER, number INTEGER, hash TEXT, parent TEXT, timestamp INTEGER, flows TEXT
);
CREATE UNIQUE INDEX block_flows_number ON block_flows (deployment, number);
CREATE TABLE head (number INTEGER PRIMARY KEY, hash TEXT, parent TEXT, timestamp INTEGER);
CREATE TABLE chain (id INTEGER PRIMARY KEY, folded INTEGER);
CREATE TABLE covered (id INTEGER PRIMARY KEY, upto INTEGER);
"""


async def ask(session: aiohttp.ClientSession, url: str, batch: Sequence[Request]) -> list[Any]:
    """The results of a batch, by a bare client."""
    asked = [{"jsonrpc": "2.0", "id": i, "method": one.method, "params": one.params} for i, one in enumerate(batch)]
    async with session.post(url, data=orjson.dumps(asked), headers=_JSON) as response:
        return [reply["result"] for reply in orjson.loads(await response.read())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--foreign", type=int, default=FOREIGN_LOGS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    followed = asyncio.run(following(options.contracts, options.blocks, options.foreign))
    print_figures([followed.figure()], options.json)


if __name__ == "__main__":
    main()
