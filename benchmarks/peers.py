"""The snapshot of `benchmarks.snapshot` beside multicall.py of PyPI: `python -m benchmarks.peers [--python PATH]`.

Both read the same calls of the same blocks from the same replaying server, and take turns at every block. The peer runs
in an environment of its own, made by `uv` where no interpreter that has it is given. Fails where their numbers differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.figures import Figure, Sample, median, print_figures, quiet, timed
from benchmarks.load import LARGE, Load
from benchmarks.replay import Round, replaying_server
from benchmarks.replay_server import block
from benchmarks.snapshot import World, answers, committed, seen, world
from indexer.model import BlockRef
from indexer.reads.plan import Ask, Call
from indexer.run.known import Known

PeerRead: TypeAlias = Callable[[int], Awaitable[tuple[Sample, int]]]
"""A block -> what reading it took, and the sum of all its numbers. Raises RuntimeError where the peer fails."""

PACKAGE = "multicall==0.15.2"
FIRST_BLOCK = 1_000
WARM_UP = 20
SCRIPT = Path(__file__).with_name("multicall_py.py")


def peer_command(python: str | None) -> tuple[str, ...]:
    """An interpreter that has the peer: the one named, or one that `uv` makes. Exits where there is neither."""
    if python:
        return (python,)
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None:
        raise SystemExit(f"uv is not installed: pip install uv, or name an interpreter that has {PACKAGE} by --python")
    return uv, "run", "--no-project", "--with", PACKAGE, "python"


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians of one snapshot: the bare client, decoded answers, everything to the commit, and the peer's answers."""

    floor: Sample
    answers: Sample
    committed: Sample
    peer: Sample
    reads: int

    def figures(self) -> list[Figure]:
        """A line for each, by the clock and by the processor, each beside the floor."""
        told = {
            f"multicall.py: {self.reads:,} reads to integers": self.peer,
            "ours: the same reads, each proven to be of its block": self.answers,
            "ours: + adapters, prices, valuation and commit": self.committed,
        }
        return [
            Figure(name, unit, value, least)
            for name, sample in told.items()
            for unit, value, least in (
                ("ms", sample.wall_ms, self.floor.wall_ms),
                ("ms CPU", sample.cpu_ms, self.floor.cpu_ms),
            )
        ]


async def compare(load: Load, repeat: int, command: Sequence[str], *, warm_up: int = WARM_UP) -> Compared:
    """Both at the same blocks. Raises ValueError where the peer reads other numbers, RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        async with replaying_server() as url, world(load, url, Path(folder)) as of:
            known = Known()
            for number in range(FIRST_BLOCK - warm_up, FIRST_BLOCK):
                of.reader.taken()
                await committed(of, block(number), known)
            rounds = of.reader.taken()
            await of.floor.learn(rounds)
            await committed(of, block(FIRST_BLOCK), known)
            asks, samples = _asks(of.reader.taken()), list[tuple[Sample, ...]]()
            async with peer(command, url, asks) as read:
                for number in range(FIRST_BLOCK + 1, FIRST_BLOCK + 1 + repeat):
                    ours = await _one_block(of, block(number), known, rounds)
                    theirs, told = await read(number)
                    if told != await _sum(of, asks, number):
                        raise ValueError("the peer read other numbers")
                    samples.append((*ours, theirs))
            floors, bare, whole, peers = (median(column) for column in zip(*samples, strict=True))
            return Compared(floors, bare, whole, peers, len(asks))


async def _one_block(of: World, at: BlockRef, known: Known, before: Sequence[Round]) -> tuple[Sample, Sample, Sample]:
    """All at one block of which the server has seen the questions, the whole first: its news are news to it."""
    rounds = await seen(of, at, before)
    whole = await timed(committed(of, at, known))
    samples = await timed(of.floor.read(rounds)), await timed(answers(of, at, rounds)), whole
    of.reader.taken()
    return samples


def _asks(rounds: Sequence[Round]) -> list[Call]:
    asks: list[Ask] = [ask for one in rounds for ask in one.asks]
    return [ask for ask in asks if isinstance(ask, Call)]


async def _sum(of: World, asks: Sequence[Call], number: int) -> int:
    """The sum of all numbers of these answers."""
    read = await of.reader.read(asks, block(number))
    return sum(_as_number(word) for one in read for word in (one if isinstance(one, tuple) else (one,)))


def _as_number(answer: Any) -> int:
    return int(answer, 16) if isinstance(answer, str) else int(answer)


@asynccontextmanager
async def peer(command: Sequence[str], url: str, asks: Sequence[Call]) -> AsyncIterator[PeerRead]:
    """The peer's program, which reads these calls at one block after the other."""
    with tempfile.TemporaryFile() as trouble:
        process = await create_subprocess_exec(*command, str(SCRIPT), url, stdin=PIPE, stdout=PIPE, stderr=trouble)
        to_peer, from_peer = process.stdin, process.stdout
        assert to_peer is not None
        assert from_peer is not None

        async def read(number: int) -> tuple[Sample, int]:
            to_peer.write(b"%d\n" % number)
            line = await from_peer.readline()
            if not line:
                trouble.seek(0)
                raise RuntimeError(f"the peer failed: {trouble.read().decode(errors='replace')[-500:]}")
            told = json.loads(line)
            return Sample(*told["taken"]), int(told["sum"])

        to_peer.write(json.dumps([_as_text(ask) for ask in asks]).encode() + b"\n")
        try:
            yield read
        finally:
            to_peer.close()
            await process.wait()


def _as_text(ask: Call) -> list[Any]:
    """Target, signature with outputs, arguments, and how many outputs."""
    outputs = ask.function.outputs or ()
    words = [ask.data[i : i + 32] for i in range(4, len(ask.data), 32)]
    holders = ["0x" + word[12:].hex() for word in words]
    return [ask.target, f"{ask.function.signature}({','.join(outputs)})", holders, len(outputs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help=f"an interpreter that has {PACKAGE}")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    command = peer_command(options.python)
    print_figures(asyncio.run(compare(LARGE, options.repeat, command)).figures(), options.json)


if __name__ == "__main__":
    main()
