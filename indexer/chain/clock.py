"""Time -> block, by interpolation between headers: few round trips, right to the second, right at the edges.

Headers that a reorg cannot reach are kept. Blocks may share a timestamp; "last" and "first" then mean just that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from indexer.chain.base import Transport
from indexer.chain.blocks import header, headers
from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef

SETTLED_DEPTH = 256
MOST_KEPT = 100_000
_PROBES_APART = 64


class Clock:
    """The blocks of one chain by time, in seconds since 1970. `first_block` is the lowest that the endpoints have."""

    def __init__(self, transport: Transport, *, first_block: int = 0, settled_depth: int = SETTLED_DEPTH) -> None:
        self._transport, self._first, self._settled = transport, first_block, settled_depth
        self._kept: dict[int, BlockRef] = {}
        self._numbers: list[int] = []
        self._highest = 0

    async def block(self, number: int) -> BlockRef | None:
        """The block of a number; None where the chain has not come so far."""
        return self._kept.get(number) or await header(self._transport, number)

    async def last_at_or_before(self, timestamp: int) -> BlockRef | None:
        """The last block whose timestamp is at most this. None before the first block.

        At or after the head's time it is the head: more blocks may still come before that time.
        """
        head = await self._later_than(timestamp)
        if timestamp >= head.timestamp:
            return head
        return await self._search(timestamp, head)

    async def first_at_or_after(self, timestamp: int) -> BlockRef | None:
        """The first block whose timestamp is at least this. None where the chain has not come so far."""
        head = await self._later_than(timestamp)
        if timestamp > head.timestamp:
            return None
        before = await self._search(timestamp - 1, head)
        return await self._one(self._first if before is None else before.number + 1, head)

    async def _search(self, timestamp: int, head: BlockRef) -> BlockRef | None:
        """The last block at or before a time that is before the head's."""
        low, high = await self._bracket(timestamp, head)
        if low is None:
            return None
        while high.number - low.number > 1:
            for block in await self._read(_probes(timestamp, low, high)):
                if block.timestamp <= timestamp:
                    low = max(low, block, key=_number)
                else:
                    high = min(high, block, key=_number)
        return low

    async def _bracket(self, timestamp: int, head: BlockRef) -> tuple[BlockRef | None, BlockRef]:
        """The nearest known blocks: one at or before the time (None: there is none), one after it."""
        low = await self._one(self._first, head)
        if low.timestamp > timestamp:
            return None, low
        place = bisect_right(self._numbers, timestamp, key=lambda number: self._kept[number].timestamp)
        if place:
            low = max(low, self._kept[self._numbers[place - 1]], key=_number)
        high = self._kept[self._numbers[place]] if place < len(self._numbers) else head
        return low, min(high, head, key=_number)

    async def _later_than(self, timestamp: int) -> BlockRef:
        """A block after this time: the highest one kept, if it is, and else the head, which may not be."""
        if self._numbers and (highest := self._kept[self._numbers[-1]]).timestamp > timestamp:
            return highest
        head = await header(self._transport, "latest")
        if head is None:
            raise EndpointError("no head", verdict=Verdict.MISSING_TIP)
        self._highest = max(self._highest, head.number)
        return head

    async def _one(self, number: int, head: BlockRef) -> BlockRef:
        return head if number == head.number else (await self._read([number]))[0]

    async def _read(self, numbers: Sequence[int]) -> list[BlockRef]:
        missing = [number for number in numbers if number not in self._kept]
        fresh = {block.number: block for block in await headers(self._transport, missing)} if missing else {}
        blocks = [fresh.get(number) or self._kept[number] for number in numbers]
        self._keep([block for block in fresh.values() if block.number <= self._highest - self._settled])
        return blocks

    def _keep(self, blocks: Sequence[BlockRef]) -> None:
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        self._kept.update((block.number, block) for block in blocks)
        self._numbers = sorted(self._kept)


def _probes(timestamp: int, low: BlockRef, high: BlockRef) -> list[int]:
    """Where to look next, in one request: where the line between the two blocks meets the time, and around there.

    The middle is always among them, so that no shape of chain takes more steps than bisection.
    """
    width = high.number - low.number
    guess = low.number + (timestamp - low.timestamp) * width // max(1, high.timestamp - low.timestamp)
    apart = max(1, width // _PROBES_APART)
    near = (guess - apart, guess, guess + 1, guess + apart + 1, low.number + width // 2)
    return sorted({min(max(number, low.number + 1), high.number - 1) for number in near})


def _number(block: BlockRef) -> int:
    return block.number
