"""What a series by logs took, and its floor, each measured in a process that does nothing else.

So the memory is that of the program: not of the server, of a peer, or of a run before.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from asyncio.subprocess import PIPE, create_subprocess_exec
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Sample


@dataclass(frozen=True, slots=True)
class Folded:
    """What a series took: ours, comparing all values with the chain at its end, and the floor.

    `requests` over HTTP with `calls` in them. `opened_mb` is the memory with all imports and an open store, before
    anything is read; `peak_mb` the most there ever was.
    """

    ours: Sample
    proof: Sample
    floor: Sample
    values: int
    requests: int
    calls: int
    opened_mb: int
    peak_mb: int


async def folded(url: str, contracts: int, blocks: int) -> Folded:
    """`benchmarks.series.alone` in a new process, then the floor in another."""
    with tempfile.TemporaryDirectory() as folder:
        told = await _run("benchmarks.series", "--alone", url, str(contracts), str(blocks), folder)
        floor = await _run("benchmarks.bare", url, f"{folder}/requests.json", f"{folder}/bare.db")
    samples = {"ours": told["ours"], "proof": told["proof"], "floor": floor}
    return Folded(**told | {name: Sample(**sample) for name, sample in samples.items()})


async def _run(*module: str) -> dict[str, Any]:
    """What a module says of itself, in JSON."""
    process = await create_subprocess_exec(sys.executable, "-m", *module, stdout=PIPE, cwd=Path(__file__).parents[1])
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module[0]} failed")
    told: dict[str, Any] = json.loads(said)
    return told


def most_memory_mb() -> int:
    """The most that this process ever had in memory.

    Where there is no /proc it is `ru_maxrss`, in the kilobytes of the BSDs; on Linux that one also counts what the
    process had been before Python was started in it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024
