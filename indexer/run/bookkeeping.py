"""One chain's ledger as the daemon keeps it: blocks are noted as they come and folded when something is due.

What moved in them is committed with the next snapshot, or by itself when there is much of it. Nothing of it outlives
the process: the next start reads everything once, and goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from indexer.model import BlockRef, Flow
from indexer.reads.ledger.ledger import Ledger
from indexer.run.flows import Flowing
from indexer.run.snapshot import Taken
from indexer.store.base import Commit

MOST_BEHIND = 500
"""Blocks that may wait to be folded."""


@dataclass(slots=True)
class Bookkeeper:
    """Keeps one ledger beside the follower."""

    ledger: Ledger
    flowing: Flowing = field(default_factory=Flowing)
    behind: list[BlockRef] = field(default_factory=list)
    _flows: dict[str, list[Flow]] = field(default_factory=dict)

    def note(self, block: BlockRef) -> None:
        """A block that follows the last one noted."""
        self.behind.append(block)

    def rewind(self, ancestor: BlockRef) -> None:
        """Blocks above this one are no longer on the chain."""
        self.behind = [block for block in self.behind if block.number <= ancestor.number]
        self.ledger.rewind(ancestor)
        self.flowing.rewind(ancestor)
        self._flows = {
            key: [flow for flow in flows if flow.at.number <= ancestor.number] for key, flows in self._flows.items()
        }

    async def catch_up(self) -> None:
        """Fold what was noted. Raises as `Ledger.follow`; may be tried again."""
        moved = await self.ledger.follow(self.behind)
        self.behind = []
        for key, flows in self.flowing.flows(moved).items():
            self._flows.setdefault(key, []).extend(flows)

    def learn(self, taken: Taken) -> None:
        """Know the places of new snapshots."""
        self.flowing.learn(taken.snapshots, self.ledger)

    def commit(self, commit: Commit) -> Commit:
        """The commit with all that came and went up to the ledger's tip."""
        flows, self._flows = self._flows, {}
        return replace(commit, flows=flows, covered=self.flowing.covered(self.ledger))
