"""Every benchmark, one after the other: `python -m benchmarks [--json] [--quick]`. About half a minute.

Everything is on this machine: the replaying server, and a local chain where its packages are installed.
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks import backfill, snapshot, store_rows
from benchmarks.figures import Figure, print_figures, quiet
from devnet.binary import find_anvil
from devnet.errors import NotInstalledError


def all_figures(quick: bool) -> list[Figure]:
    """Every figure, in the order of the table."""
    repeat, blocks, snapshots = (3, 10, 40) if quick else (15, 60, 200)
    followed = 100 if quick else 1_000
    figures = asyncio.run(snapshot.report(repeat)) + store_rows.report(2_000, snapshots, followed)
    return figures + asyncio.run(backfill.report(blocks, anvil=_has_anvil()))


def _has_anvil() -> bool:
    try:
        find_anvil()
    except NotInstalledError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="few repetitions: for a look, not for a table")
    options = parser.parse_args()
    quiet()
    print_figures(all_figures(options.quick), options.json)


if __name__ == "__main__":
    main()
