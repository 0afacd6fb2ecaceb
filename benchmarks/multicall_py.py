"""Snapshots read by multicall.py, as a program of its own: `python benchmarks/multicall_py.py URL`, calls on stdin.

Runs in an environment that has that package and nothing of this project, with which its dependencies cannot be
installed together. Reads JSON of blocks and of calls (target, signature, arguments, number of outputs); writes JSON of
what each block took.
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


async def snapshots(url: str, asked: list[list[Any]], blocks: list[int]) -> dict[str, Any]:
    """Wall and CPU milliseconds of each block, and the sum of its numbers."""
    web3, calls = Web3(Web3.HTTPProvider(url)), calls_of(asked)
    taken, sums = [], []
    for number in blocks:
        await Multicall(calls, block_id=number, _w3=web3)  # now the server has seen the question
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        answers = await Multicall(calls, block_id=number, _w3=web3)
        taken.append([(time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000])
        sums.append(str(sum(map(_as_number, answers.values()))))
    return {"taken": taken, "sums": sums}


def _as_number(answer: Any) -> int:
    return int(answer, 16) if isinstance(answer, str) else int(answer)


def main() -> None:
    given = json.load(sys.stdin)
    print(json.dumps(asyncio.run(snapshots(sys.argv[1], given["calls"], given["blocks"]))))


if __name__ == "__main__":
    main()
