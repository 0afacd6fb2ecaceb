"""The contract of a store: a dozen verbs behind which SQLite and PostgreSQL are the same.

Everything of one block is one `Commit`, and one transaction: data, heads and discoveries move together or not at all.
Rows are found again by block; the rows of abandoned forks stay, superseded. No verb talks to a node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from indexer.model import Address, BlockRef, Bucket, Flow, Found, Hash, Quote, Snapshot, State, Status, Token, Total
from indexer.valuation.attribution import Ledger
from indexer.valuation.rollup import Level

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """What the store knows of a deployment. `key` is `protocol@chain`, with `#label` where there are several."""

    key: str
    protocol: str
    chain: str
    kind: str
    category: str
    params_json: str
    first_block: int


Place: TypeAlias = tuple[Address, Address, Bucket]
"""Token, owner and bucket: what a flow of a deployment is of."""

Gross: TypeAlias = Mapping[Place, tuple[int, int]]
"""Raw units that came to each place in a block, and those that left it."""


@dataclass(frozen=True, slots=True)
class Covered:
    """Every flow of `places` in the blocks `from_block` to `to_block`, both included, is in the store."""

    from_block: int
    to_block: int
    places: frozenset[Place]


@dataclass(frozen=True, slots=True)
class Folded:
    """The ledger that began at the block `since` has folded all blocks up to `upto`.

    `covering` names the deployments whose covered places are others from then on: all flows of just these are in the
    store in every block that is folded after `upto`.
    """

    since: Hash
    upto: int
    covering: Mapping[str, frozenset[Place]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows of a deployment by block and place, and the places of which none is missing in the whole range asked."""

    items: tuple[Flow, ...]
    complete: frozenset[Place]


@dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction writes, for one chain.

    In this order: what stands above `supersede_above` (a reorg's common ancestor) becomes superseded and its
    discoveries and flows are taken back; then `snapshots` are written; then heads, discoveries and finality move. One
    that says the same as the deployment's snapshot before it costs no row; least work is one whose `lines`, `quotes`,
    `tokens` and `totals` are the same objects as in the last commit. A snapshot whose block is already there with the
    same hash is left alone, unless the old one is a GAP or HELD: then it is replaced, though never by a worse one (a
    GAP does not replace a HELD). One with another hash supersedes it.

    `flows` are kept by block and place; one that is there is written over. `covered` says of which places, in which
    blocks, they are all there with this commit: blocks without a flow are covered too. `uncovered` takes that back.
    `folded` moves on what goes on to be covered, without a word on each deployment; it ends when another ledger folds.

    `found` extends a deployment's discoveries (one found again keeps its place, and the lower block), and `searched`
    says up to which block they are complete: it moves back only by a reorg or with new parameters. Where nothing was
    found it is kept every thousand blocks or so. `finalized` never moves back. `final` says that the snapshots' blocks
    are final, though the chain may not be followed that far.

    With `replace`, snapshots take the place of what is stored of the same block, whatever that says: it becomes
    superseded. For what an audit put right.

    `requests` and `calls` are what the block cost, `ways` how many of its calls are folded, triggered or timed from
    then on, `traffic` the JSON-RPC requests by method since the daemon's start, `audited` how many snapshots were
    compared with a second reading: all for `tvl status`.
    """

    chain: str
    snapshots: Sequence[Snapshot] = ()
    heads: Sequence[BlockRef] = ()
    supersede_above: BlockRef | None = None
    found: Mapping[str, Sequence[Found]] = field(default_factory=dict)
    searched: Mapping[str, int] = field(default_factory=dict)
    finalized: BlockRef | None = None
    final: bool = False
    replace: bool = False
    requests: int | None = None
    calls: int | None = None
    traffic: Mapping[str, int] | None = None
    ways: Mapping[str, int] | None = None
    audited: int = 0
    flows: Mapping[str, Sequence[tuple[BlockRef, Gross]]] = field(default_factory=dict)
    covered: Mapping[str, Sequence[Covered]] = field(default_factory=dict)
    uncovered: Mapping[str, Sequence[Covered]] = field(default_factory=dict)
    folded: Folded | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One snapshot of a series, without its lines."""

    deployment: str
    at: BlockRef
    state: State
    status: Status
    reason: str
    totals: Mapping[Bucket, Total]


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where a chain stands in the store.

    `head` is the last followed block: all that was due up to it is done. `requests` and `calls` what its last snapshots
    cost, `traffic` the JSON-RPC requests by method since the daemon's last start, `ways` how many of the calls of its
    last snapshots are folded, triggered or timed (nothing where no logs are believed). `audited` snapshots were read a
    second time, ever; `corrected` of them did not say the same and were replaced.
    """

    chain: str
    head: BlockRef | None = None
    finalized: BlockRef | None = None
    requests: int | None = None
    calls: int | None = None
    traffic: Mapping[str, int] = field(default_factory=dict)
    ways: Mapping[str, int] = field(default_factory=dict)
    audited: int = 0
    corrected: int = 0


class Store(ABC):
    """Where snapshots are kept. Open with `async with`; one writer at a time, any number of readers.

    Errors: StoreIncompatible (newer schema), StoreUnusable (read-only, full, not a database), StoreBusy (the write
    lock was not to be had in time). A failed commit has changed nothing.
    """

    @abstractmethod
    async def open(self) -> None:
        """Connect, and migrate an older or empty store to this version. Raises StoreIncompatible, StoreUnusable."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection and lock."""

    async def __aenter__(self) -> Store:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """Held by one process at a time, given back when it ends in whatever way. Raises StoreInUse at once."""

    @abstractmethod
    async def register(self, deployments: Sequence[DeploymentRow]) -> None:
        """Make deployments known, or update their description. Needed before their first commit.

        Where kind, parameters or first block changed, the discoveries are forgotten: they are searched for again.
        """

    @abstractmethod
    async def commit(self, commit: Commit) -> None:
        """Write one block's worth, all or nothing. See `Commit`.

        Raises UnknownName for a deployment that is not registered on the chain, FinalityBroken where `supersede_above`
        lies below the finalized block, ValueError for a snapshot that contradicts itself (two lines for a position, a
        line without its token).
        """

    @abstractmethod
    async def deployments(self) -> list[DeploymentRow]:
        """All deployments ever registered, by key."""

    @abstractmethod
    async def chain_state(self, chain: str) -> ChainState:
        """Head, finality and cost of a chain; empty where nothing was followed yet."""

    @abstractmethod
    async def heads(self, chain: str, limit: int = 512) -> list[BlockRef]:
        """The last followed canonical blocks, oldest first, at most `limit`; at least the last 512 are kept."""

    @abstractmethod
    async def found(self, deployment: str) -> tuple[list[Found], int | None]:
        """A deployment's discoveries in the order they were found, and a block up to which they are complete."""

    @abstractmethod
    async def tokens(self, chain: str) -> dict[Address, Token]:
        """Every token seen on a chain."""

    @abstractmethod
    async def present(self, deployment: str, from_block: int, to_block: int) -> dict[int, tuple[Hash, Status]]:
        """Which blocks of a range have a canonical snapshot, with its hash and status."""

    @abstractmethod
    async def series(self, deployment: str, from_block: int = 0, to_block: int | None = None) -> list[Point]:
        """The canonical snapshots of a range of blocks, oldest first."""

    @abstractmethod
    async def snapshot(self, deployment: str, at_or_before: int | None = None) -> Snapshot | None:
        """The last canonical snapshot at or before a block (default: the newest), with every line and quote.

        Equal to the one committed; its lines are in the order of token, owner and bucket, whatever order they came in.
        """

    @abstractmethod
    async def last_read(
        self, deployment: str, *, block: int | None = None, time: int | None = None, is_whole: bool = False
    ) -> BlockRef | None:
        """The block of the last canonical snapshot that is no gap, at or before a block and a time where given.

        `is_whole`: of the last that lacks nothing, that is, of one that is not held either.
        """

    @abstractmethod
    async def replay(
        self, deployment: str, from_block: int, to_block: int | None, use: Callable[[Iterator[Snapshot], Ledger], T]
    ) -> T:
        """What `use` makes of the canonical snapshots of a range, oldest first, and of the flows in it.

        Each snapshot is as `snapshot` tells it, and what did not change is the same object in the next. All are of one
        state of the store, and only one is in memory at a time. `use` runs in another thread and must not call the
        store; the ledger answers for blocks of the range.
        """

    @abstractmethod
    async def levels(
        self, deployment: str, from_time: int = 0, to_time: int | None = None, bucket: Bucket = Bucket.BASE
    ) -> list[Level]:
        """What a bucket was worth at each canonical snapshot of a time, oldest first, and at the last one before it.

        A snapshot without the bucket is worth nothing in it. A gap is a level without a value, and so is a snapshot in
        which nothing of the bucket has one.
        """

    @abstractmethod
    async def flows(self, deployment: str, from_block: int, to_block: int) -> Flows:
        """What came and went in the blocks of a range, both ends included, on the canonical chain.

        `complete` holds the places whose flows are all known in every block of the range: what is missing of those is
        nothing. Of any other place, what is there is true, and there may have been more.
        """

    @abstractmethod
    async def last_priced(self, chain: str, token: Address, before: int) -> tuple[Quote, BlockRef] | None:
        """The last canonical quote of a token that has a price, below block `before`, and the block it was new at."""

    @abstractmethod
    async def digest(self, deployment: str, from_block: int = 0, to_block: int | None = None) -> str:
        """A hash over all that the canonical snapshots of a range say, and nothing about when or how it was written.

        Two stores that were filled in another order, by daemon or backfill, through reorgs or without, have the same
        digest exactly if they hold the same series.
        """

    @abstractmethod
    async def verify(self) -> list[str]:
        """Check the store's own invariants; each broken one is a sentence. Empty when all is well."""
