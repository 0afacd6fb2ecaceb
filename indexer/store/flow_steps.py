"""A deployment's flows of a range, read once -> those of any step in it, and the places of which the step has all.

Never writes. Of a place it has all where the covered blocks, put together, leave none of the step out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from indexer.store import flow_tables as f
from indexer.store import flows
from indexer.store.base import Place
from indexer.store.coverage import spans
from indexer.store.runs import ids_in
from indexer.store.snapshots import deployment_id
from indexer.valuation.attribution import NO_MOVES, Ledger, Moves

Blocks = tuple[int, int]


def ledger(connection: Connection, key: str, from_block: int, to_block: int | None) -> Ledger:
    """The flows after one block, up to and with another; asked of the database with the first question."""
    made: list[_Steps] = []

    def between(after: int, upto: int) -> Moves:
        if not made:
            made.append(_Steps(connection, key, from_block, to_block))
        return made[0].between(after, upto)

    return between


class _Steps:
    """Flows in the order of their blocks, and in which blocks those of each place are all there."""

    def __init__(self, connection: Connection, key: str, from_block: int, to_block: int | None) -> None:
        last = 2**62 if to_block is None else to_block
        self._flows = flows.flows(connection, key, from_block, last).items
        self._numbers = [flow.at.number for flow in self._flows]
        self._covered = _covered(connection, key, from_block, last)

    def between(self, after: int, upto: int) -> Moves:
        """See `Ledger`."""
        if not self._covered:
            return NO_MOVES
        first, last = bisect_right(self._numbers, after), bisect_right(self._numbers, upto)
        return Moves(
            self._flows[first:last], [p for p, runs in self._covered.items() if _within(runs, after + 1, upto)]
        )


def _covered(connection: Connection, key: str, from_block: int, to_block: int) -> Mapping[Place, Sequence[Blocks]]:
    deployment = deployment_id(connection, key)
    if deployment is None:
        return {}
    named = connection.execute(select(f.place).where(f.place.c.deployment_id == deployment))
    places = {row.id: flows.place_in(row) for row in named}
    covered: dict[Place, list[Blocks]] = defaultdict(list)
    for span in spans(connection, deployment, from_block, to_block):
        for place_id in ids_in(span.places):
            _join(covered[places[place_id]], span.first, span.last)
    return covered


def _join(runs: list[Blocks], first: int, last: int) -> None:
    """One more run of blocks; runs come in the order of their first block."""
    if runs and first <= runs[-1][1] + 1:
        runs[-1] = runs[-1][0], max(runs[-1][1], last)
    else:
        runs.append((first, last))


def _within(runs: Sequence[Blocks], first: int, last: int) -> bool:
    index = bisect_right(runs, first, key=lambda run: run[0]) - 1
    return index >= 0 and runs[index][1] >= last
