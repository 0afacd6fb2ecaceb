"""Why logs and an answer part: the logs since they last agreed are asked for once more, and folded again.

Never decides what is believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from indexer.errors import EndpointError
from indexer.model import BlockRef, Log, LogQuery
from indexer.reads.ledger.book import Track
from indexer.reads.ledger.rules import State, queries

LEFT_OUT = "a node left out logs of this block"
OTHERWISE = "what moved is not what the logs say: a fee on transfer, or shares that are rounded"
SILENT = "it changed without a log that says so"
REBASES = "all balances of this token changed without logs: it rebases"
OF_ITS_TOKEN = frozenset({OTHERWISE, SILENT, REBASES})
"""What is not about one holder: the token's code does it, and may do it to any balance, and to the supply."""

FEW_BLOCKS = 4
"""Of so many the receipts may be asked for: of one they weigh as much as the logs of hundreds."""

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


async def explain(
    logs: Logs, receipts: Logs | None, disputes: Sequence[Dispute], blocks: Sequence[BlockRef]
) -> list[str]:
    """A reason for each, from one more look at the logs of all these blocks, which follow one another.

    Where that does not explain it, and the blocks are few, also from their `receipts`: a node may lack a log for ever.
    """
    asked = queries([watch for one in disputes for watch in one.track.rule.watches])
    times = {block.number: block.timestamp for block in blocks}
    found = await logs(asked, blocks)
    reasons = [_reason(one, found, times) for one in disputes]
    if receipts and len(blocks) <= FEW_BLOCKS and set(reasons) - {LEFT_OUT}:
        with suppress(EndpointError):
            again = await receipts(asked, blocks)
            left_out = [_reason(one, again, times) == LEFT_OUT for one in disputes]
            return [LEFT_OUT if yes else reason for yes, reason in zip(left_out, reasons, strict=True)]
    return reasons


def _reason(dispute: Dispute, logs: Sequence[Log], times: dict[int, int]) -> str:
    state, hits = dispute.agreed, 0
    for log in [log for log in logs if log.block_number > dispute.since]:
        for watch in dispute.track.rule.watches:
            if state is not None and watch.finds(log):
                state, hits = watch.effect(state, log, times[log.block_number]), hits + 1
    if state == dispute.truth:
        return LEFT_OUT
    return OTHERWISE if hits else SILENT
