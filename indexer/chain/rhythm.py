"""When to look for the next block: so late that most looks find one, and not later.

A chain of a steady pace is looked at when its next block is due. How long after its timestamp a block can be had is
learned: a little less after each look that found one, more after each that did not, so that nine in ten find one. Only
ever compares times of one clock; the chain's own may be wrong by any amount.
"""

from __future__ import annotations

from indexer.chain.limits import Clock
from indexer.model import BlockRef

QUICKEST_BLOCK_S = 1.0
"""Of quicker chains the timestamps, in seconds, do not tell when a block is due."""

EARLIER, LATER = 0.01, 0.09
"""Parts of the block time; their ratio is that of looks that find a block to looks that do not."""

STEADY = 3
"""So many blocks that came when they were due make a steady chain."""


class Rhythm:
    """One chain's, whose blocks are `block_time_s` apart, or less. None: it is looked at every `poll_s`."""

    def __init__(self, poll_s: float, block_time_s: float | None, clock: Clock) -> None:
        self._poll_s, self._clock = poll_s, clock
        self._most_s = self._measured_s = block_time_s or 0.0
        self._last: BlockRef | None = None
        self._after_s = 0.0
        self._steady = self._vain = 0

    @property
    def block_s(self) -> float:
        """Seconds between two blocks, as far as known."""
        return min(self._most_s, self._measured_s)

    def found(self, tip: BlockRef) -> None:
        """A look has found a new head."""
        if self._last is not None and tip.number > self._last.number:
            elapsed_s = tip.timestamp - self._last.timestamp
            self._measured_s += (elapsed_s / (tip.number - self._last.number) - self._measured_s) / 16
            self._learn(self._clock() - tip.timestamp, is_late=elapsed_s > 1.5 * self.block_s)
        self._last, self._vain = tip, 0

    def looked_in_vain(self) -> None:
        """A look has found nothing new."""
        self._vain += 1

    def _learn(self, seen_s: float, *, is_late: bool) -> None:
        """A block was seen so long after its timestamp. Where it is late, or others were left out, nothing follows from
        looks in vain."""
        usual_s, block_s = self._after_s, self.block_s
        if abs(seen_s - usual_s) > block_s / 2:
            self._after_s, self._steady = seen_s, 0
            return
        self._steady += 1
        if self._steady <= STEADY or is_late:
            self._after_s = min(seen_s, usual_s)
        else:
            self._after_s = min(seen_s, usual_s + (LATER if self._vain else -EARLIER) * block_s)

    def wait_s(self, *, is_announced: bool = False) -> float:
        """Seconds from now to the next look. Where blocks are announced, so late that an announcement comes first."""
        if self._last is None or self._steady < STEADY or self.block_s < QUICKEST_BLOCK_S:
            return self._poll_s
        if self._vain:
            return self._poll_s * min(1.0, 2.0 ** (self._vain - 3))
        due_s = self._last.timestamp + self.block_s + self._after_s - self._clock()
        return max(min(due_s, self.block_s), self._poll_s / 4) + (self._poll_s if is_announced else 0.0)
