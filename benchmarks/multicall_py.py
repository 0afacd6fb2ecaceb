"""Snapshots read by multicall.py, as a program of its own: `python benchmarks/multicall_py.py URL`, told what on stdin.

Runs in an environment that has that package and nothing of this project, with which its dependencies cannot be
installed together. The first line is JSON of calls (target, signature, arguments, number of outputs), each other one a
block to read them at, which is answered by a line of JSON: what it took, and the sum of its numbers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any

from multicall import Call, Multicall  # type: ignore[import-not-found]
from web3 import Web3


def calls_of(asked: list[list[Any]]) -> list[Any]:
    """The package's own calls, each answer under its place."""
    return [
        Call(target, [signature, *arguments], [(f"{i}:{j}", None) for j in range(outputs)])
        for i, (target, signature, arguments, outputs) in enumerate(asked)
    ]


async def snapshot(web3: Web3, calls: list[Any], number: int) -> dict[str, Any]:
    """Milliseconds of one block, by the clock and of the processor, and the sum of its numbers."""
    await Multicall(calls, block_id=number, _w3=web3)  # now the server has seen the question
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    answers = await Multicall(calls, block_id=number, _w3=web3)
    taken = [(time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000]
    return {"taken": taken, "sum": str(sum(map(_as_number, answers.values())))}


def _as_number(answer: Any) -> int:
    return int(answer, 16) if isinstance(answer, str) else int(answer)


async def main() -> None:
    web3, calls = Web3(Web3.HTTPProvider(sys.argv[1])), calls_of(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(await snapshot(web3, calls, int(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
