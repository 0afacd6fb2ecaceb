"""The head of a chain -> three kinds of events: Advanced, Reorged, Finalized.

Polling is the truth, and every block is linked to its parent by hash; a subscription only wakes the next poll. A node
that is behind is not a reorg. What replaces blocks is read before they are given up. Never rolls back past a block
that was final: there it ends with FinalityBroken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from indexer.chain.base import Replies, Request, Transport
from indexer.chain.blocks import Headers, all_there, header, headers, read_headers
from indexer.chain.branch import Branch, check_links
from indexer.chain.limits import Clock, Sleep
from indexer.chain.rhythm import Rhythm
from indexer.errors import EndpointError, FinalityBroken, Transient, Verdict, WrongFork
from indexer.model import BlockRef, Hash

KEPT_BLOCKS = 256
BATCH_BLOCKS = 128
ROLLBACK_POLLS = 10
DISPUTE_POLLS = 3
SLOWEST_POLL_S = 30.0


@dataclass(frozen=True, slots=True)
class Advanced:
    """New blocks on top of ours, in order; the first is the child of the last one told."""

    blocks: tuple[BlockRef, ...]


@dataclass(frozen=True, slots=True)
class Reorged:
    """The blocks `old` are no longer on the chain; `new` (perhaps shorter, perhaps none) follow their `ancestor`.

    Right after a start without `known` blocks, the ancestor can lie below the first block told.
    """

    old: tuple[BlockRef, ...]
    new: tuple[BlockRef, ...]
    ancestor: BlockRef


@dataclass(frozen=True, slots=True)
class Finalized:
    """This block, and all before it, will not be replaced."""

    block: BlockRef


Event: TypeAlias = Advanced | Reorged | Finalized


class Wake(Protocol):
    """Something that may know of a new head before the next poll."""

    async def wait(self, timeout_s: float) -> Hash | None:
        """Return at a hint, or after the timeout. The hash of the block that was hinted at, where it is known."""


class Rider(Protocol):
    """Something that will be asked of the next blocks, and may be asked in the same batch as their headers."""

    def ahead(self, first: int, last: int, block_hash: Hash | None = None) -> Sequence[Request]:
        """Requests of blocks that are perhaps the next, one of them known by hash; none where that is not worth it."""

    def came(self, blocks: Sequence[BlockRef], replies: Replies) -> None:
        """The blocks that may be meant, their headers as they came, and behind those the answers.

        No blocks: the next one is not there yet. Told nothing, where the requests or what is beside them failed.
        """


class Follower:
    """Follows one chain from where it was left: `known` are the blocks told before, `finalized` the last final one.

    It looks every `poll_s`, or, with a `block_time_s`, when the next block is due.

    Without `known` it begins at the present head. `finality_depth` counts where the chain has no `finalized` tag.
    `safe` is the chain's own safe block of our branch, where it has one; `source` the endpoint that was asked last.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        known: Sequence[BlockRef] = (),
        finalized: BlockRef | None = None,
        finality_depth: int = 64,
        use_tags: bool = True,
        tags_every_s: float = 10.0,
        poll_s: float = 4.0,
        block_time_s: float | None = None,
        silence_s: float = 60.0,
        rollback_polls: int = ROLLBACK_POLLS,
        wake: Wake | None = None,
        rider: Rider | None = None,
        on_trouble: Callable[[Transient], None] = lambda error: None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.finalized = finalized
        self.safe: BlockRef | None = None
        self._transport, self._branch = transport, Branch(known)
        self._depth, self._use_tags, self._tags_every_s = finality_depth, use_tags, tags_every_s
        self._poll_s, self._silence_s, self._rollback_polls = poll_s, silence_s, rollback_polls
        self._rhythm = Rhythm(poll_s, block_time_s, clock)
        self._rider = rider
        self._hinted: Hash | None = None
        self._wake, self._on_trouble, self._clock, self._sleep = wake, on_trouble, clock, sleep
        self._tags_at, self._moved_at = -tags_every_s, clock()
        self.source: str | None = None
        self._deep = self._tagged = self._several = False
        self._behind = self._troubles = self._disputes = 0
        self._lower: BlockRef | None = None
        self._lower_polls = 0

    @property
    def known(self) -> tuple[BlockRef, ...]:
        """Our blocks as far as remembered, lowest first: at least the last 256 and all that are not final."""
        return self._branch.blocks

    async def events(self) -> AsyncGenerator[Event, None]:
        """Events until cancelled. Raises FinalityBroken and WrongChain; anything transient is told and tried again."""
        while True:
            try:
                happened = await self.step()
            except Transient as error:
                self._troubles += 1
                self._on_trouble(error)
                await self._sleep(min(SLOWEST_POLL_S, self._poll_s * 2 ** min(self._troubles - 1, 8)))
                continue
            self._troubles = 0
            for event in happened:
                yield event
            if self._behind == 0:
                await self._nap()

    async def step(self) -> list[Event]:
        """One look at the chain, and what follows from it; at most one batch of new blocks. Raises as `events`."""
        view = await self._look()
        head, safe, final = (item if isinstance(item, BlockRef) else None for item in view.items)
        if head is None:
            raise EndpointError("no head", verdict=Verdict.MISSING_TIP, endpoint=view.endpoint)
        self._tagged = self._tagged or final is not None
        before = self._branch.tip
        happened = await self._follow(head, view.endpoint)
        tip = self._branch.tip
        if tip is None or tip == before:
            self._rhythm.looked_in_vain()
        else:
            self._moved_at = self._clock()
            self._rhythm.found(tip)
            self._several = before is not None and tip.number > before.number + 1
        self._behind = max(0, head.number - tip.number) if tip and happened else 0
        happened += self._finalize(head, safe, final, view.endpoint)
        return happened

    async def _look(self) -> Headers:
        """Head, safe and final block as one endpoint sees them; another endpoint's view where the last is silent."""
        silent = self._clock() - self._moved_at > self._silence_s
        avoid = self.source if silent else None
        if not self._use_tags or self._clock() - self._tags_at < self._tags_every_s:
            view = await self._read(["latest"], avoid)
            view = Headers([*view.items, None, None], view.endpoint)
        else:
            view = await self._read(["latest", "safe", "finalized"], avoid)
            self._tags_at = self._clock()
            if _refused(view.items[2]) and not self._tagged:
                self._use_tags = False
        self.source = view.endpoint
        return view

    async def _read(self, tags: Sequence[str], avoid: str | None) -> Headers:
        """Headers, and beside them what rides along of the block that is due next, by its hash if that was hinted."""
        hinted, self._hinted = self._hinted, None
        tip, rider = self._branch.tip, None if self._several else self._rider
        beside = rider.ahead(tip.number + 1, tip.number + 1, hinted) if rider and tip else ()
        view = await read_headers(self._transport, tags, avoid=avoid, beside=beside)
        head = view.items[0]
        if rider and tip and beside and isinstance(head, BlockRef):
            there = hinted is not None or head.number == tip.number + 1
            blocks, documents = ([head], [view.answers[0]]) if there else ([], [])
            rider.came(blocks, Replies([*documents, *view.answers[len(tags) :]], view.endpoint))
        return view

    async def _read_between(self, first: int, last: int) -> list[BlockRef]:
        """Blocks by number, and beside them what rides along."""
        beside = self._rider.ahead(first, last) if self._rider else ()
        numbers = range(first, last + 1)
        view = await read_headers(self._transport, numbers, beside=beside)
        blocks = all_there(numbers, view)
        if self._rider and beside:
            self._rider.came(blocks, Replies(list(view.answers), view.endpoint))
        return blocks

    async def _follow(self, head: BlockRef, source: str) -> list[Event]:
        tip = self._branch.tip
        if not self._deep:
            await self._deepen(head)
        if tip is None:
            self._branch.extend([head])
            return [Advanced((head,))]
        if head.hash == tip.hash:
            self._lower_polls = self._disputes = 0
            return []
        if head.number > tip.number:
            return await self._upwards(tip, head, source)
        ours = self._branch.at(head.number)
        if ours is None:
            self._transport.distrust(source, f"its head {head.number} is far below ours, {tip.number}")
            return []
        if ours.hash == head.hash:
            return await self._shorter(tip, head, source)
        return await self._replace([head], source)

    async def _deepen(self, head: BlockRef) -> None:
        """Remember enough below the first block told that its own reorg can be followed."""
        bottom = self._branch.blocks[0] if len(self._branch) else head
        first = max(0, bottom.number - (BATCH_BLOCKS - len(self._branch)))
        if first < bottom.number:
            below = await headers(self._transport, range(first, bottom.number))
            with contextlib.suppress(WrongFork):
                check_links([*below, bottom])
                self._branch.prepend(below)
        self._deep = True

    async def _upwards(self, tip: BlockRef, head: BlockRef, source: str) -> list[Event]:
        """The head is higher: the blocks between, linked to ours, or to another branch."""
        if head.number == tip.number + 1:
            blocks = [head]
        else:
            last = min(head.number, tip.number + BATCH_BLOCKS)
            blocks = await self._read_between(tip.number + 1, last)
        check_links(blocks)
        if blocks[0].parent_hash != tip.hash:
            return await self._replace(blocks, source)
        self._lower_polls = self._disputes = 0
        self._branch.extend(blocks)
        return [Advanced(tuple(blocks))]

    async def _shorter(self, tip: BlockRef, head: BlockRef, source: str) -> list[Event]:
        """The head is one of our own blocks: a node behind, unless nobody has our tip and that stays so."""
        if await header(self._transport, tip.hash, avoid=source) is not None:
            self._lower_polls = 0
            return []
        self._lower_polls = self._lower_polls + 1 if head == self._lower else 1
        self._lower = head
        if self._lower_polls < self._rollback_polls or self._is_final(head.number + 1):
            return []
        self._lower_polls = 0
        return [Reorged(self._branch.cut(head), (), head)]

    async def _replace(self, blocks: list[BlockRef], source: str) -> list[Event]:
        """Another branch: walk it down to our ancestor, all of it read, before anything of ours is given up."""
        if await self._disputed(blocks[0], source):
            return []
        new, stride = list(blocks), 1
        while (ancestor := await self._ancestor(new)) is None:
            lowest = new[0].number
            floor = max(self._branch.base, lowest - stride)
            if floor == lowest or self._is_final(lowest):
                raise await self._broken(lowest, source)
            below = await headers(self._transport, range(floor, lowest))
            check_links([*below, new[0]])
            new, stride = below + new, min(64, stride * 2)
        if self._is_final(ancestor.number + 1):
            raise await self._broken(ancestor.number + 1, source)
        fresh = tuple(block for block in new if block.number > ancestor.number)
        old = self._branch.cut(ancestor)
        self._branch.extend(fresh)
        self._disputes = self._lower_polls = 0
        return [Reorged(old, fresh, ancestor)]

    async def _ancestor(self, new: Sequence[BlockRef]) -> BlockRef | None:
        """The highest of our blocks that the other branch stands on; it may be the parent of all we remember."""
        for block in reversed(new):
            parent = self._branch.at(block.number - 1)
            if parent is not None and parent.hash == block.parent_hash:
                return parent
        base = self._branch.at(new[0].number)
        if base is not None and new[0].number == self._branch.base and base.parent_hash == new[0].parent_hash:
            return await header(self._transport, base.parent_hash)
        return None

    async def _disputed(self, block: BlockRef, source: str) -> bool:
        """Whether another endpoint still has our block there. For a while that is normal; then one of them is wrong."""
        ours = self._branch.at(block.number) or self._branch.tip
        if ours is None:
            return False
        other = await read_headers(self._transport, [ours.number], avoid=source)
        if other.endpoint == source or other.items[0] != ours:
            return False
        self._disputes += 1
        if self._disputes <= DISPUTE_POLLS:
            return True
        self._disputes = 0
        tip = self._branch.tip
        if tip is not None and block.number <= tip.number:
            self._transport.distrust(source, f"it has another block {block.number} than the others")
            return True
        return False

    async def _broken(self, number: int, source: str) -> FinalityBroken | WrongFork:
        """The chain's end for us, if a second look confirms that a final block was replaced."""
        probe = max(self._branch.base, min(number, self.finalized.number if self.finalized else number))
        ours = self._branch.at(probe)
        again = await header(self._transport, probe, avoid=source)
        if again is not None and again == ours:
            self._transport.distrust(source, f"it replaced block {probe}, which is final")
            return WrongFork("an endpoint replaced a final block that others still have", block=probe)
        what = "" if self._is_final(probe) else f"a reorg deeper than all {len(self._branch)} blocks remembered"
        return FinalityBroken(what, chain=self._transport.name, block=probe, ours=ours, theirs=again)

    def _is_final(self, number: int) -> bool:
        return self.finalized is not None and number <= self.finalized.number

    def _finalize(self, head: BlockRef, safe: BlockRef | None, final: BlockRef | None, source: str) -> list[Event]:
        """What has become final, by the chain's tags or by depth; it never moves back."""
        if final is not None and final.number > head.number:
            self._transport.distrust(source, "its final block is above its head")
            return []
        if safe is not None and self._branch.at(safe.number) == safe:
            self.safe = safe
        block = self._ours(final) if final is not None else self._by_depth()
        if block is None or self._is_final(block.number):
            return []
        self.finalized = block
        self._branch.forget(min(block.number, head.number - KEPT_BLOCKS))
        return [Finalized(block)]

    def _ours(self, final: BlockRef) -> BlockRef | None:
        """The final block, if it is on our branch or below all that we remember."""
        return final if final.number < self._branch.base else _same(self._branch.at(final.number), final)

    def _by_depth(self) -> BlockRef | None:
        tip = self._branch.tip
        if tip is None or self._tagged:
            return None
        return self._branch.at(tip.number - self._depth)

    async def _nap(self) -> None:
        if self._wake is None:
            await self._sleep(self._rhythm.wait_s())
        else:
            self._hinted = await self._wake.wait(self._rhythm.wait_s(is_announced=True))


def _refused(item: object) -> bool:
    return isinstance(item, EndpointError) and item.verdict is Verdict.UNSUPPORTED


def _same(ours: BlockRef | None, theirs: BlockRef) -> BlockRef | None:
    return ours if ours == theirs else None
