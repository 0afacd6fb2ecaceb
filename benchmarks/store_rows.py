"""Rows a second into SQLite, beside the floor: the same rows by a bare `sqlite3.executemany`, a commit a block.

`python -m benchmarks.store_rows [--positions 2000] [--snapshots 200]`. A row is a holding that changed. The store also
looks through those that did not, and writes totals, quotes and heads.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, print_figures, quiet
from indexer.model import Address, BlockRef, Bucket, Grade, Hash, Holding, Line, Quote, Snapshot, Status, Token, Total
from indexer.store import open_store
from indexer.store.base import Commit, DeploymentRow
from indexer.units import usd_value

TOKENS = 200
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
    quotes = {token: Quote(token, PRICE, PRICE, PRICE, Grade.A, "fixed", updated_at=1) for token in tokens}
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


def report(positions: int, snapshots: int) -> list[Figure]:
    """The figures of a calm series, and of one in which everything changes."""
    return [measure(positions, snapshots, 0.01), measure(positions, max(snapshots // 5, 2), 1.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positions", type=int, default=2_000)
    parser.add_argument("--snapshots", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    print_figures(report(options.positions, options.snapshots), options.json)


if __name__ == "__main__":
    main()
