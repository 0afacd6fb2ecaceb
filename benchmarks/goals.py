"""Every goal of speed beside what is measured now: `python -m benchmarks.goals [--quick] [--python PATH]`.

A snapshot is judged by the clock: it takes turns with its floor. Everything else by the processor, for it runs before
or after what it is compared with, and other programs may want the machine meanwhile. Both are told. Some minutes;
`--quick` takes few repetitions and samples, for a look. Exits with 1 where a goal is not reached.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import following, peers, series, series_peer
from benchmarks.figures import Sample, quiet
from benchmarks.following import Followed
from benchmarks.load import CONTRACTS, LARGE


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that is to be at most (or, where `at_least`, at least) so much. `beside` is told with it."""

    what: str
    wanted: float
    measured: float
    unit: str
    beside: str = ""
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    def line(self) -> str:
        """A row of the table."""
        bound = "at least" if self.at_least else "at most"
        told = f"{self.measured:,.1f}{self.unit}" + (f" ({self.beside})" if self.beside else "")
        return f"| {self.what} | {bound} {self.wanted:g}{self.unit} | {told} | {'yes' if self.reached else '**no**'} |"


def of_snapshot(compared: peers.Compared) -> list[Goal]:
    """Reads to integers, the whole snapshot, and the peer at the same reads."""
    reads, whole, floor, peer = compared.answers, compared.committed, compared.floor, compared.peer
    name = f"snapshot of {compared.reads:,} reads"
    return [
        Goal(f"{name} to integers, beside the floor", 2, *_times(reads, floor)),
        Goal(f"{name} with prices, valuation and commit, beside the floor", 5, *_times(whole, floor)),
        Goal(f"{name} to integers, multicall.py beside ours, CPU", 5, *_times_cpu(peer, reads), at_least=True),
    ]


def of_series(compared: series_peer.Compared) -> list[Goal]:
    """Processor, calls and memory of a series, and the peer for the same numbers."""
    ours, told = compared.ours, "extrapolated" if compared.samples < compared.blocks else "measured"
    name = f"series of {ours.values:,} values at {compared.blocks:,} blocks"
    ratio = ours.ours.cpu_ms / ours.floor.cpu_ms
    everywhere = _times_cpu(compared.peer_everywhere, compared.whole)
    memory = f"{ours.opened_mb} before anything is read"
    return [
        Goal(f"{name}, CPU beside the log floor", 3, ratio, "x", f"{ours.ours.cpu_ms:,.0f} ms"),
        Goal(f"{name}, RPC calls", 60, ours.calls, ""),
        Goal(f"{name}, memory at most", 150, ours.peak_mb, " MB", memory),
        Goal(f"{name}, multicall.py ({told}) beside ours, CPU", 20, *everywhere, at_least=True),
    ]


def of_following(alone: Followed, beside: Followed) -> Goal:
    """Following the head: the load alone, and beside the logs of others."""
    ours, theirs = alone.figure(), beside.figure()
    own = f"{ours.ratio:.1f}x its floor, over all blocks {statistics.mean(alone.cpu_ms):.1f} ms"
    others = f"beside {following.FOREIGN_LOGS} logs of others {theirs.value:.1f} ms, {theirs.ratio:.1f}x its floor"
    return Goal("following a block, CPU", 2, ours.value, " ms", f"{own}; {others}")


def _times(value: Sample, floor: Sample) -> tuple[float, str, str]:
    cpu = f"{value.cpu_ms / floor.cpu_ms:.1f}x CPU: {value.cpu_ms:,.1f} ms of {floor.cpu_ms:,.1f}"
    return value.wall_ms / floor.wall_ms, "x", cpu


def _times_cpu(value: Sample, floor: Sample) -> tuple[float, str, str]:
    clock = f"{value.wall_ms / floor.wall_ms:.1f}x by the clock; CPU {value.cpu_ms:,.1f} ms of {floor.cpu_ms:,.1f}"
    return value.cpu_ms / floor.cpu_ms, "x", clock


async def goals(quick: bool, command: Sequence[str]) -> list[Goal]:
    """All of them, measured one after the other; a block's following first, before there is anything else in memory."""
    repeat, samples = (3, 10) if quick else (15, series_peer.SAMPLES)
    blocks = following.BLOCKS // (4 if quick else 1)
    alone = await following.following(CONTRACTS, blocks, foreign=0)
    beside = await following.following(CONTRACTS, blocks)
    snapshot = await peers.compare(LARGE, repeat, command)
    whole = await series_peer.compare(CONTRACTS, series.BLOCKS, samples, command)
    return [*of_snapshot(snapshot), *of_series(whole), of_following(alone, beside)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help=f"an interpreter that has {peers.PACKAGE}")
    parser.add_argument("--quick", action="store_true", help="few repetitions: for a look")
    options = parser.parse_args()
    quiet()
    found = asyncio.run(goals(options.quick, peers.peer_command(options.python)))
    print("\n".join(["| goal | | measured | reached |", "|---|---|---|---|", *(goal.line() for goal in found)]))
    sys.exit(not all(goal.reached for goal in found))


if __name__ == "__main__":
    main()
