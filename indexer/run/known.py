"""What earlier blocks taught of a chain, and what one block gave: the records between blocks and their commits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from indexer.model import Address, BlockRef, Found, Snapshot, Token
from indexer.run.program import ChainProgram
from indexer.store.base import Commit, Store
from indexer.valuation.value import Summed, Valued


@dataclass(slots=True)
class Known:
    """What earlier blocks taught of a chain and need not be asked again: discoveries and token metadata.

    `valued` and `summed` spare work, not questions: lines of any other block, taken where they would come out the same.
    """

    found: dict[str, list[Found]] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    tokens: dict[Address, Token] = field(default_factory=dict)
    valued: dict[str, Valued] = field(default_factory=dict)
    summed: dict[str, Summed] = field(default_factory=dict)
    survey: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def load(cls, store: Store, chain: ChainProgram) -> Known:
        """As the store remembers it."""
        known = cls(tokens=await store.tokens(chain.name))
        for deployment in chain.deployments:
            known.found[deployment.key], searched = await store.found(deployment.key)
            if searched is not None:
                known.searched[deployment.key] = searched
        return known

    def learn(self, taken: Taken) -> None:
        """Keep what a block taught, once it is committed."""
        for key, new in taken.found.items():
            self.found.setdefault(key, []).extend(new)
        for key, number in taken.searched.items():
            self.searched[key] = max(number, self.searched.get(key, number))
        for snapshot in taken.snapshots:
            named = [token for address, token in snapshot.tokens.items() if address not in self.tokens]
            self.tokens.update((token.address, token) for token in named if token.decimals is not None)

    def forget_above(self, ancestor: BlockRef) -> None:
        """Take back what abandoned blocks taught."""
        for key, items in self.found.items():
            self.found[key] = [item for item in items if item.block <= ancestor.number]
        self.searched = {key: min(number, ancestor.number) for key, number in self.searched.items()}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one block gave: snapshots, new discoveries, and what it cost in calls and requests.

    Of the deployments that are `unchanged` the snapshot is that of the block before, but for its block.
    """

    at: BlockRef
    snapshots: tuple[Snapshot, ...]
    found: Mapping[str, Sequence[Found]]
    searched: Mapping[str, int]
    calls: int
    requests: int
    unchanged: frozenset[str] = frozenset()

    @property
    def changed(self) -> Sequence[Snapshot]:
        """The snapshots that may say something new."""
        return [snapshot for snapshot in self.snapshots if snapshot.deployment not in self.unchanged]

    def commit(self, progress: Commit, before: Mapping[str, Sequence[Found]] = MappingProxyType({})) -> Commit:
        """As the store takes it, in one transaction with the progress it makes, and with what was found `before`."""
        found = {key: [*before.get(key, ()), *self.found.get(key, ())] for key in {**before, **self.found}}
        return replace(progress, snapshots=self.snapshots, found=found, searched=self.searched)
