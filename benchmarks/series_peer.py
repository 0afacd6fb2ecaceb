"""The series of `benchmarks.series` beside multicall.py of PyPI: `python -m benchmarks.series_peer [--samples 190]`.

The peer knows no logs: it reads the values that logs give us. It does so at a sample of the blocks, evenly spread, and
its time for all of them is told from that; `--peer-every-block` has it read them all, in some minutes. Fails where it
reads other numbers at one of those blocks than our fold says there.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Sample, print_figures, quiet, total
from benchmarks.folding import Folded, folded
from benchmarks.load import CONTRACTS, scaled
from benchmarks.peers import PACKAGE, peer, peer_command
from benchmarks.replay import replaying_server
from benchmarks.series import BLOCKS, FIRST_FOLDED, fold, world
from indexer.reads.abi import interface
from indexer.reads.ledger.book import Track
from indexer.reads.ledger.rules import Way
from indexer.reads.plan import Call

SAMPLES = 190

_FUNCTIONS = {
    function.selector: function
    for function in (
        interface("erc20").balanceOf,
        interface("erc20").totalSupply,
        interface("uniswap_v2_pair").getReserves,
        interface("aggregator_v3").latestRoundData,
    )
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Ours for all `blocks`, and the peer's for the `samples` among them."""

    ours: Folded
    peer: Sample
    reads: int
    blocks: int
    samples: int

    @property
    def whole(self) -> Sample:
        """Ours with both ends: all values read there, and compared with what was folded."""
        folding, proof = self.ours.ours, self.ours.proof
        return Sample(folding.wall_ms + 2 * proof.wall_ms, folding.cpu_ms + 2 * proof.cpu_ms)

    @property
    def peer_everywhere(self) -> Sample:
        """The peer's at every block: measured where it read them all, told from the sample else."""
        share = self.blocks / self.samples
        return Sample(self.peer.wall_ms * share, self.peer.cpu_ms * share)

    def figures(self) -> list[Figure]:
        """By the clock and by the processor, beside the floor of the logs."""
        how = "measured" if self.samples == self.blocks else "extrapolated"
        at_all, of_all = f"at all {self.blocks:,} blocks", f"{self.reads:,} values"
        rows = {
            f"ours: {of_all} {at_all}, by logs, all read at both ends": self.whole,
            f"multicall.py: {of_all} at {self.samples:,} of them": self.peer,
            f"multicall.py: {of_all} {at_all}, {how}": self.peer_everywhere,
        }
        floor = self.ours.floor
        return [
            figure
            for name, one in rows.items()
            for figure in (
                Figure(name, "ms", one.wall_ms, floor.wall_ms, _times(one.wall_ms, self.whole.wall_ms)),
                Figure(name, "ms CPU", one.cpu_ms, floor.cpu_ms, _times(one.cpu_ms, self.whole.cpu_ms)),
            )
        ]


def _times(value: float, ours: float) -> str:
    return "" if value == ours else f"{value / ours:.1f} times ours"


async def compare(contracts: int, blocks: int, samples: int, command: Sequence[str]) -> Compared:
    """Both over the same blocks of the same server. Raises ValueError where the peer reads other numbers."""
    numbers = range(FIRST_FOLDED, FIRST_FOLDED + blocks)
    sampled = numbers[:: blocks // samples][:samples]
    async with replaying_server(contracts=contracts) as url:
        calls, sums = await known(url, contracts, numbers, sampled)
        ours = await folded(url, contracts, blocks)
        async with peer(command, url, calls) as read:
            told = {number: await read(number) for number in sampled}
    if {number: sum_ for number, (_, sum_) in told.items()} != {number: sums[number] for number in sampled}:
        raise ValueError("the peer read other numbers")
    return Compared(ours, total(sample for sample, _ in told.values()), len(calls), blocks, samples)


async def known(url: str, contracts: int, numbers: range, sampled: range) -> tuple[list[Call], Mapping[int, int]]:
    """The calls that logs answer, and the sum of all their numbers at each sampled block as the fold says it."""
    sums: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with world(scaled(contracts), url, Path(folder)) as of:
            tracks = [track for track in of.ledger.book.tracks.values() if track.rule.way is Way.FOLDED]

            def add(part: range) -> None:
                sums.update((number, sum(_numbers(tracks, number))) for number in part if number in sampled)

            await fold(of, numbers, Path(folder, "known.db"), add)
    return [Call(*track.key, _FUNCTIONS[track.key[1][:4]]) for track in tracks], sums


def _numbers(tracks: Sequence[Track], number: int) -> Iterator[int]:
    for track in tracks:
        state = track.at(number)
        if state is None:
            raise ValueError(f"{track.key[0]} is not known at block {number}")
        yield from state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help=f"an interpreter that has {PACKAGE}")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--peer-every-block", action="store_true", help="no sample: some minutes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet()
    command = peer_command(options.python)
    samples = BLOCKS if options.peer_every_block else options.samples
    print_figures(asyncio.run(compare(CONTRACTS, BLOCKS, samples, command)).figures(), options.json)


if __name__ == "__main__":
    main()
