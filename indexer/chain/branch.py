"""Our chain as far as it is remembered: linked blocks without a hole, from some base to the tip.

Only ever holds blocks whose parent hashes chain. Asks nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from indexer.errors import WrongFork
from indexer.model import BlockRef

MOST_BLOCKS = 20_000


class Branch:
    """The last blocks of our chain."""

    def __init__(self, blocks: Iterable[BlockRef] = ()) -> None:
        """Of blocks that do not all chain, the linked ones below the highest are kept."""
        self._blocks: list[BlockRef] = []
        for block in sorted(blocks, key=lambda block: block.number):
            if self._blocks and block.parent_hash != self._blocks[-1].hash:
                self._blocks.clear()
            self._blocks.append(block)

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def blocks(self) -> tuple[BlockRef, ...]:
        """All that is remembered, lowest first."""
        return tuple(self._blocks)

    @property
    def tip(self) -> BlockRef | None:
        """The highest block."""
        return self._blocks[-1] if self._blocks else None

    @property
    def base(self) -> int:
        """The number of the lowest block remembered; 0 where there is none."""
        return self._blocks[0].number if self._blocks else 0

    def at(self, number: int) -> BlockRef | None:
        """Our block of that number, if remembered."""
        place = number - self.base
        return self._blocks[place] if 0 <= place < len(self._blocks) else None

    def extend(self, blocks: Sequence[BlockRef]) -> None:
        """Put linked blocks on the tip. Raises WrongFork where they do not link."""
        check_links([*self._blocks[-1:], *blocks])
        self._blocks.extend(blocks)

    def prepend(self, blocks: Sequence[BlockRef]) -> None:
        """Remember linked blocks below the base. Raises WrongFork where they do not link."""
        check_links([*blocks, *self._blocks[:1]])
        self._blocks[:0] = blocks

    def cut(self, ancestor: BlockRef) -> tuple[BlockRef, ...]:
        """Take off and return all blocks above one of ours, or above the parent of the base."""
        place = ancestor.number - self.base + 1
        old = tuple(self._blocks[place:])
        del self._blocks[place:]
        return old

    def forget(self, number: int) -> None:
        """Remember no block below this one, and never more than a bounded number."""
        places = max(number - self.base, len(self._blocks) - MOST_BLOCKS)
        if places > 0:
            del self._blocks[: min(places, len(self._blocks) - 1)]


def check_links(blocks: Sequence[BlockRef]) -> None:
    """Raises WrongFork where a block is not the child of the one before."""
    for parent, child in itertools.pairwise(blocks):
        if child.parent_hash != parent.hash or child.number != parent.number + 1:
            raise WrongFork("the chain changed while it was read", block=child.number)
