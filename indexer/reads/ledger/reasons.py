"""Why logs and an answer part: the logs since they last agreed are asked for once more, and folded again.

Never decides what is believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from indexer.model import BlockRef, Log, LogQuery
from indexer.reads.ledger.book import Track
from indexer.reads.ledger.rules import State, queries

LEFT_OUT = "a node left out logs of this block"
OTHERWISE = "what moved is not what the logs say: a fee on transfer, or shares that are rounded"
SILENT = "it changed without a log that says so"
REBASES = "all balances of this token changed without logs: it rebases"
OF_ITS_TOKEN = frozenset({OTHERWISE, SILENT, REBASES})
"""What is not about one holder: the token's code does it, and may do it to any balance, and to the supply."""

Logs = Callable[[Sequence[LogQuery], Sequence[BlockRef]], Awaitable[list[Log]]]


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a track answered to is `truth` now, and was `agreed` at the end of the block `since`."""

    track: Track
    truth: State | None
    since: int

    @property
    def agreed(self) -> State | None:
        return self.track.at(self.since)


async def explain(logs: Logs, disputes: Sequence[Dispute], blocks: Sequence[BlockRef]) -> list[str]:
    """A reason for each, from one more look at the logs of all these blocks, which follow one another."""
    watches = [watch for one in disputes for watch in one.track.rule.watches]
    found = await logs(queries(watches), blocks)
    times = {block.number: block.timestamp for block in blocks}
    return [_reason(one, [log for log in found if log.block_number > one.since], times) for one in disputes]


def _reason(dispute: Dispute, logs: Sequence[Log], times: dict[int, int]) -> str:
    state, hits = dispute.agreed, 0
    for log in logs:
        for watch in dispute.track.rule.watches:
            if state is not None and watch.finds(log):
                state, hits = watch.effect(state, log, times[log.block_number]), hits + 1
    if state == dispute.truth:
        return LEFT_OUT
    return OTHERWISE if hits else SILENT
