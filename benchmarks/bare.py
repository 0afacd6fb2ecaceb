"""The floor of a series: the same log requests, sent by a bare client, their numbers sliced out and written as rows.

It checks nothing. Runs in a process of its own, as Python comes: `python -m benchmarks.bare URL REQUESTS ROWS`, with
the log requests as JSON in one file, and another for the rows; prints JSON of a `Sample`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import orjson

from benchmarks.figures import Sample, timed

AT_ONCE = 8
_JSON = {"Content-Type": "application/json"}

Batch: TypeAlias = Sequence[tuple[str, Sequence[Any]]]
"""Methods and parameters of the requests that go together."""

Rows: TypeAlias = Iterable[tuple[int, int, str]]


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


async def bare(session: aiohttp.ClientSession, url: str, batches: Sequence[Batch], file: Path) -> None:
    """Every number of every log, as rows; a few batches at once."""
    with rows_of(file) as write:
        for start in range(0, len(batches), AT_ONCE):
            answers = await asyncio.gather(*(_logs(session, url, one) for one in batches[start : start + AT_ONCE]))
            write((int(log["blockNumber"], 16), 0, str(_words(log["data"]))) for logs in answers for log in logs)


async def _logs(session: aiohttp.ClientSession, url: str, batch: Batch) -> list[dict[str, str]]:
    asked = [
        {"jsonrpc": "2.0", "id": i, "method": method, "params": params} for i, (method, params) in enumerate(batch)
    ]
    async with session.post(url, data=orjson.dumps(asked), headers=_JSON) as response:
        replies = orjson.loads(await response.read())
    return [log for reply in replies if isinstance(reply["result"], list) for log in reply["result"]]


def _words(text: str) -> list[int]:
    data = bytes.fromhex(text[2:])
    return [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]


async def _measure(url: str, batches: Sequence[Batch], rows: Path) -> Sample:
    async with aiohttp.ClientSession() as session:
        return await timed(bare(session, url, batches, rows))


def main() -> None:
    url, requests, rows = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(_measure(url, orjson.loads(Path(requests).read_bytes()), Path(rows))))))


if __name__ == "__main__":
    main()
