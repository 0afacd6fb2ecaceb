"""Folded answers against pinned reads: which are wrong at a block, or were wrong on the way to it.

A log that says the whole state, as `Sync` does, hides that the one before it was left out. But pairs add up what they
held over time, and feeds number their rounds: what was not there when it should have been shows in these. Never marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef
from indexer.reads.abi import function
from indexer.reads.ledger.book import Summed, Track
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.rules import WORD, RunningSum, State
from indexer.reads.plan import Ask, Call
from indexer.reads.source import CallKey, Key, Raw

MOST_SKIPS = 4
"""Who skips more rounds than that does not number them one by one."""

TOGETHER = 32
"""Sums that begin within so many blocks are read at the first of them."""

_ANY = function("any()")


async def wrong_at(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> list[Track]:
    """Those whose folded answer is not what the node says, or was not since it was last found right.

    Raises as `Source.fetch`.
    """
    differ = await differing(ledger, tracks, at)
    others = set(tracks).difference(differ)
    agree = [track for track in tracks if track in others and _is_known(track, at)]
    return differ + await _summed_otherwise(ledger, agree, at) + await _skipped(ledger, agree, at)


async def differing(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> list[Track]:
    """Those whose folded answer is not what the node says at this block."""
    known = [track for track in tracks if _is_known(track, at)]
    states = await read_states(ledger, known, at)
    return [track for track, state in zip(known, states, strict=True) if state != track.at(at.number)]


def last_right(track: Track) -> int:
    """The last block up to which it is known to have been right; where a sum is kept, all the way."""
    right = max(track.verified, track.opened)
    return min(right, track.summed.number) if track.summed and track.summed.by else right


async def read_states(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> list[State | None]:
    """What the node says of each; None where that is not of the layout that its rule knows."""
    raws = await _ask(ledger, [track.key for track in tracks], at)
    return [track.rule.read(raw) if isinstance(raw, bytes) else None for track, raw in zip(tracks, raws, strict=True)]


async def _ask(ledger: Ledger, keys: Sequence[CallKey], at: BlockRef) -> Sequence[Raw]:
    asks: dict[Key, Ask] = {key: Call(*key, _ANY) for key in keys}
    return await ledger.source.fetch(asks, at) if asks else ()


def _is_known(track: Track, at: BlockRef) -> bool:
    return track.opened <= at.number and track.at(at.number) is not None


async def _summed_otherwise(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> list[Track]:
    """Those whose contract added up other states than the logs say. Of the others the sum is kept for the next time."""
    moved = [track for track in tracks if track.rule.sums and _changes(track, _summed_upto(track), at)]
    await _begin(ledger, [track for track in moved if track.summed is None], at)
    sums = [(track, old, old.by) for track in moved if (old := track.summed) and old.by and old.number < at.number]
    raws = await _ask(ledger, [(track.key[0], by.selector) for track, _, by in sums], at)
    wrong = []
    for (track, old, by), raw in zip(sums, raws, strict=True):
        now = _total(raw)
        if now == (old.total + _added(track, old.number, at.number, by)) % 2**256:
            track.summed = Summed(at.number, now, by)
        elif now:
            wrong.append(track)
        else:
            track.summed = Summed(at.number)
    return wrong


async def _begin(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> None:
    """Read the sums of a block before each one's first change, those of the last blocks together; those that cannot be
    had any more of this one."""
    by_block: dict[BlockRef, list[Track]] = {}
    starts = {track: _summed_upto(track) for track in tracks}
    near = min((start for start in starts.values() if start > at.number - TOGETHER), default=at.number)
    for track, start in starts.items():
        first = near if track.numbers[0] <= near <= start else start
        by_block.setdefault(ledger.blocks.get(first, at), []).append(track)
    for block, some in by_block.items():
        with _pruned_is_nothing():
            await read_sums(ledger, some, block)
    await read_sums(ledger, [track for track in tracks if track.summed is None], at)


async def read_sums(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> None:
    """Which sum each contract keeps, and how much that is: the first that is not zero.

    From this block on its states are compared with the sum. Raises as `Source.fetch`.
    """
    kept = [(track, by) for track in tracks for by in track.rule.sums]
    raws = await _ask(ledger, [(track.key[0], by.selector) for track, by in kept], at)
    found: dict[Track, Summed] = {track: Summed(at.number) for track in tracks}
    for (track, by), raw in zip(kept, raws, strict=True):
        total = _total(raw)
        if total is not None and not found[track].total:
            found[track] = Summed(at.number, total, by)
    for track, summed in found.items():
        track.summed = summed


def _summed_upto(track: Track) -> int:
    """The block up to which a sum bore its states out, or was looked at; else the one before its first change."""
    if track.summed is not None:
        return track.summed.number
    return track.numbers[1] - 1 if len(track.numbers) > 1 else track.numbers[0]


def _changes(track: Track, since: int, at: BlockRef) -> bool:
    """Whether logs changed it since a block, up to another one, and are all remembered."""
    return track.numbers[0] <= since and len(track.between(since, at.number)) > 1


def _added(track: Track, first: int, last: int, by: RunningSum) -> int:
    states = [state for _, state in track.between(first, last)]
    return sum(by.between(a, b) for a, b in pairwise(states) if a is not None and b is not None)


def _total(raw: Raw) -> int | None:
    return int.from_bytes(raw, "big") if isinstance(raw, bytes) and len(raw) == WORD else None


async def _skipped(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> list[Track]:
    """Those that were wrong at the end of the block before one in which a log did not follow the last one seen."""
    wrong: list[Track] = []
    for track in tracks:
        right = last_right(track)
        numbers = [number - 1 for number in track.skipped if right < number - 1 < at.number][:MOST_SKIPS]
        for block in [ledger.blocks[number] for number in numbers if number in ledger.blocks]:
            if track not in wrong:
                with _pruned_is_nothing():
                    wrong += await differing(ledger, [track], block)
    return wrong


@contextmanager
def _pruned_is_nothing() -> Iterator[None]:
    try:
        yield
    except EndpointError as error:
        if error.verdict is not Verdict.PRUNED:
            raise
