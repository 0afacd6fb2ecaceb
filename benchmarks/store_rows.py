"""Rows a second into SQLite, beside the floor: the same rows by a bare `sqlite3.executemany`, a commit a block.

`python -m benchmarks.store_rows [--positions 2000] [--snapshots 200] [--blocks 1000]`. A row is a holding that changed.
The store also looks through those that did not, and writes totals, quotes and heads. And: what a block of many
deployments takes of which few changed, where the others hand in the very objects of the block before.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, print_figures, quiet
from indexer.model import Address, BlockRef, Bucket, Grade, Hash, Holding, Line, Quote, Snapshot, Status, Token, Total
from indexer.store import open_store
from indexer.store.base import Commit, DeploymentRow
from indexer.units import usd_value

TOKENS = 200
HELD, TOKENS_HELD = 20, 10
"""Holdings of each of many deployments, and the tokens that they are of."""

PRICE = 10**36
KEY = "bench@chain"


def block(number: int) -> BlockRef:
    return BlockRef(number, Hash(f"0x{number:064x}"), Hash(f"0x{number - 1:064x}"), 1_700_000_000 + 12 * number)


def address(number: int) -> Address:
    return Address(f"0x{number:040x}")


def line(token: Address, owner: Address, amount: int) -> Line:
    usd = usd_value(amount, 18, PRICE)
    return Line(Holding(token, amount, owner), usd, usd, usd, Status.OK)


def series(positions: int, snapshots: int, changing: float) -> Iterator[tuple[Snapshot, list[Line]]]:
    """Snapshots of a made-up deployment, each with the lines that changed in it."""
    dice = random.Random(7)
    keys = [(address(1 + i % TOKENS), address(10_000 + i)) for i in range(positions)]
    held = [line(token, owner, dice.getrandbits(100)) for token, owner in keys]
    tokens = {address(1 + i): Token(address(1 + i), f"T{i}", 18) for i in range(min(TOKENS, positions))}
    quotes = {token: Quote(token, PRICE, PRICE, PRICE, Grade.A, "fixed") for token in tokens}
    for number in range(1, snapshots + 1):
        moved = range(positions) if number == 1 else dice.sample(range(positions), int(positions * changing))
        for index in moved:
            held[index] = line(*keys[index], dice.getrandbits(100))
        usd = sum(one.usd or 0 for one in held)
        total = {Bucket.BASE: Total(usd, usd, usd, positions, 0)}
        snapshot = Snapshot(KEY, block(number), tuple(held), quotes, tokens, total, Status.OK, "", "1", "bench@1")
        yield snapshot, [held[index] for index in moved]


async def ours(path: Path, made: list[Snapshot]) -> float:
    """Seconds for a commit a snapshot."""
    async with open_store(f"sqlite:///{path.name}", path.parent) as store:
        await store.register([DeploymentRow(KEY, "bench", "chain", "bench", "dex", "{}", 0)])
        start = time.perf_counter()
        for snapshot in made:
            await store.commit(Commit("chain", [snapshot], [snapshot.at]))
        return time.perf_counter() - start


def floor(path: Path, changed: list[tuple[int, list[Line]]]) -> float:
    """Seconds for the bare rows, with the one index that finds a holding at a block."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    database.execute("CREATE TABLE holding (number INTEGER, owner TEXT, amount TEXT, status TEXT)")
    database.execute("CREATE UNIQUE INDEX live ON holding (owner, number)")
    start = time.perf_counter()
    for number, lines in changed:
        database.execute("BEGIN IMMEDIATE")
        rows = [(number, one.holding.owner, str(one.holding.amount), one.holding.status.value) for one in lines]
        database.executemany("INSERT INTO holding VALUES (?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    took = time.perf_counter() - start
    database.close()
    return took


def measure(positions: int, snapshots: int, changing: float) -> Figure:
    """Rows a second of a series in which that share of the holdings changes from one snapshot to the next."""
    pairs = list(series(positions, snapshots, changing))
    changed = [(snapshot.at.number, lines) for snapshot, lines in pairs]
    rows = sum(len(lines) for _, lines in changed)
    with tempfile.TemporaryDirectory() as folder:
        least = floor(Path(folder, "bare.db"), changed)
        took = asyncio.run(ours(Path(folder, "store.db"), [snapshot for snapshot, _ in pairs]))
    note = f"{rows:,} rows in {snapshots} commits of {positions:,} holdings, {1000 * took / snapshots:.1f} ms each"
    name = f"store: {changing:.0%} of holdings change"
    return Figure(name, "rows/s", rows / took, rows / least, note, more_is_better=True)


def blocks_of(deployments: int, blocks: int) -> Iterator[tuple[list[Snapshot], list[int]]]:
    """Blocks in which one deployment of a hundred has one new holding; the places of those that changed."""
    dice = random.Random(7)
    quotes = {address(1 + i): Quote(address(1 + i), PRICE, PRICE, PRICE, Grade.A, "fixed") for i in range(TOKENS_HELD)}
    tokens = {token: Token(token, token[-4:], 18) for token in quotes}
    held = [[_held(one, i, dice) for i in range(HELD)] for one in range(deployments)]
    now: list[Snapshot] = []
    for number in range(1, blocks + 1):
        moved = range(deployments) if number == 1 else dice.sample(range(deployments), max(deployments // 100, 1))
        now = [replace(one, at=block(number)) for one in now] or [_empty(f"bench{i}@chain") for i in range(deployments)]
        for one in moved:
            place = dice.randrange(HELD)
            held[one][place] = _held(one, place, dice)
            usd = sum(line.usd or 0 for line in held[one])
            total = {Bucket.BASE: Total(usd, usd, usd, HELD, 0)}
            lines = tuple(held[one])
            now[one] = replace(now[one], at=block(number), lines=lines, quotes=quotes, tokens=tokens, totals=total)
        yield now, list(moved)


def _held(deployment: int, place: int, dice: random.Random) -> Line:
    return line(address(1 + place % TOKENS_HELD), address(10_000 + deployment * HELD + place), dice.getrandbits(100))


def _empty(key: str) -> Snapshot:
    return Snapshot(key, block(1), (), {}, {}, {}, Status.OK, "", "1", "bench@1")


async def following(path: Path, deployments: int, blocks: int) -> float:
    """Milliseconds of CPU for the commit of a block after the first."""
    async with open_store(f"sqlite:///{path.name}", path.parent) as store:
        rows = [DeploymentRow(f"bench{i}@chain", "bench", "chain", "bench", "dex", "{}", 0) for i in range(deployments)]
        await store.register(rows)
        spent = 0.0
        for snapshots, _ in blocks_of(deployments, blocks + 1):
            at = snapshots[0].at
            searched = {one.deployment: at.number for one in snapshots}
            start = time.process_time()
            await store.commit(Commit("chain", snapshots, [at], searched=searched, requests=1))
            spent += time.process_time() - start if at.number > 1 else 0
    return 1000 * spent / blocks


def following_floor(path: Path, deployments: int, blocks: int) -> float:
    """The same for the bare rows: one for the block, and three for each deployment that changed in it."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    database.execute("CREATE TABLE point (number INTEGER PRIMARY KEY, hash TEXT, parent_hash TEXT, timestamp INTEGER)")
    database.execute("CREATE TABLE snapshot (deployment INTEGER, number INTEGER, status TEXT)")
    database.execute("CREATE TABLE total (snapshot INTEGER, usd TEXT, low TEXT, high TEXT)")
    database.execute("CREATE TABLE holding (owner TEXT, number INTEGER, amount TEXT)")
    spent = 0.0
    for snapshots, moved in blocks_of(deployments, blocks + 1):
        at, start = snapshots[0].at, time.process_time()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO point VALUES (?, ?, ?, ?)", (at.number, at.hash, at.parent_hash, at.timestamp))
        _insert_bare(database, at.number, [(one, snapshots[one]) for one in moved])
        database.execute("COMMIT")
        spent += time.process_time() - start if at.number > 1 else 0
    database.close()
    return 1000 * spent / blocks


def _insert_bare(database: sqlite3.Connection, number: int, changed: Sequence[tuple[int, Snapshot]]) -> None:
    totals = [(one, *map(str, (total.usd, total.low, total.high))) for one, s in changed for total in s.totals.values()]
    holdings = [(s.lines[0].holding.owner, number, str(s.lines[0].holding.amount)) for _, s in changed]
    database.executemany("INSERT INTO snapshot VALUES (?, ?, ?)", [(one, number, "ok") for one, _ in changed])
    database.executemany("INSERT INTO total VALUES (?, ?, ?, ?)", totals)
    database.executemany("INSERT INTO holding VALUES (?, ?, ?)", holdings)


def measure_following(deployments: int, blocks: int) -> Figure:
    """CPU of a block's commit where one deployment of a hundred changed, and how the file grows."""
    with tempfile.TemporaryDirectory() as folder:
        gc.collect()
        least = following_floor(Path(folder, "bare.db"), deployments, blocks)
        gc.collect()
        store = Path(folder, "store.db")
        took = asyncio.run(following(store, deployments, blocks))
        size = store.stat().st_size
    note = f"{size / 1e6:.1f} MB after {blocks:,} blocks"
    return Figure(f"store: a block of {deployments} deployments, 1 % changed", "ms of CPU", took, least, note)


def report(positions: int, snapshots: int, blocks: int = 1_000) -> list[Figure]:
    """The figures of a calm series, of one in which everything changes, and of blocks in which little does."""
    rows = [measure(positions, snapshots, 0.01), measure(positions, max(snapshots // 5, 2), 1.0)]
    return [*rows, measure_following(50, blocks), measure_following(500, blocks)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=2_000)
    parser.add_argument("--snapshots", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    print_figures(report(options.positions, options.snapshots, options.blocks), options.json)


if __name__ == "__main__":
    main()
