"""One chain's ledger as the daemon keeps it: blocks are noted as they come and folded when something is due.

What moved in them is committed with the next snapshot. Nothing of it outlives the process: the next start reads
everything once, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from indexer.model import BlockRef
from indexer.reads.ledger.audit import Difference, audit, changed, rotation, settle
from indexer.reads.ledger.ledger import Ledger
from indexer.run.flows import BlockFlows, Flowing
from indexer.run.known import Taken
from indexer.run.standing import Standing
from indexer.store.base import Commit, Covered, Folded

FOLDED_AT_ONCE = 320
"""Blocks whose logs are in memory at the same time."""

AUDIT_EVERY = 50
"""Blocks from one part of an audit to the next."""

FINAL_EVERY = 16
"""Blocks from one look at what became final to the next, where single blocks become final."""

AUDIT_DEPTH = 8
"""An audit reads so far below the head: every endpoint has that block, and its state."""

REACHABLE_BLOCKS = 120
"""Blocks whose state a node without an archive still has."""


@dataclass(slots=True)
class Bookkeeper:
    """Keeps one ledger beside the follower."""

    ledger: Ledger
    standing: Standing
    flowing: Flowing = field(default_factory=Flowing)
    behind: list[BlockRef] = field(default_factory=list)
    _audited: int = -AUDIT_EVERY
    _final: int = -FINAL_EVERY
    _turn: int = 0
    _flows: BlockFlows = field(default_factory=dict)

    def note(self, block: BlockRef) -> None:
        """A block that follows the last one noted."""
        self.behind.append(block)

    def know(self, block: BlockRef) -> bool:
        """Whether a block was noted, and not taken back."""
        return self.ledger.blocks.get(block.number) == block or block in self.behind

    def rewind(self, ancestor: BlockRef) -> None:
        """Blocks above this one are no longer on the chain."""
        self.behind = [block for block in self.behind if block.number <= ancestor.number]
        self.ledger.rewind(ancestor)
        self.flowing.rewind(ancestor)
        self._flows = {
            key: [(at, gross) for at, gross in flows if at.number <= ancestor.number]
            for key, flows in self._flows.items()
        }

    async def catch_up(self) -> None:
        """Fold what was noted. Raises as `Ledger.follow`; may be tried again."""
        while self.behind:
            moved = await self.ledger.follow(self.behind[:FOLDED_AT_ONCE])
            self.behind = self.behind[FOLDED_AT_ONCE:]
            for key, flows in self.flowing.flows(moved).items():
                self._flows.setdefault(key, []).extend(flows)

    def commit(self, commit: Commit, taken: Taken) -> Commit:
        """The commit of what was taken at the ledger's tip, with all that came and went up to there, and the ways."""
        self.flowing.learn(taken.changed, self.ledger)
        flows, self._flows = self._flows, {}
        ways = {str(way): count for way, count in self.ledger.ways.items()}
        covered, covering = self.flowing.covered(self.ledger)
        folded = Folded(self.ledger.began, self.ledger.book.tip, covering)
        return replace(commit, flows=flows, covered=covered, folded=folded, ways=ways)

    async def audit(self, final: BlockRef | None = None) -> list[Difference]:
        """Compare with the chain what is due: what is in doubt; a part of all every so many blocks; what logs changed
        once it is `final`.

        Raises Transient where it cannot be compared now: it will be due again.
        """
        tip = self.ledger.book.tip
        if found := await settle(self.ledger, tip - AUDIT_DEPTH):
            return found
        at = self.ledger.blocks.get(tip - AUDIT_DEPTH) if final is None else final
        if at is None or at != self.ledger.blocks.get(at.number) or tip - at.number > REACHABLE_BLOCKS:
            return []
        if final is not None and at.number - self._final >= FINAL_EVERY:
            self._final = at.number
            return await audit(self.ledger, changed(self.ledger, at.number), at)
        if final is None and tip - self._audited >= AUDIT_EVERY:
            self._audited, self._turn = tip, self._turn + 1
            return await audit(self.ledger, rotation(self.ledger, self._turn), at)
        return []

    def uncovered(self, differences: Sequence[Difference]) -> dict[str, list[Covered]]:
        """Of each deployment the places whose flows were taken from wrong answers, and since when."""
        tip, first = self.ledger.book.tip, {one.key: one.first for one in differences}
        found: dict[str, list[Covered]] = {}
        for (deployment, place), source in self.flowing.sources.items():
            if source.key in first:
                found.setdefault(deployment, []).append(Covered(first[source.key], tip, frozenset({place})))
        return found
