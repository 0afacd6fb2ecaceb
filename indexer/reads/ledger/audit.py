"""A ledger against the chain: folded answers are compared with pinned reads, and a difference is followed to its block.

Logs can be left out by a node, and some tokens move without them. What is found wrong is marked, with the reason, and
read from then on; whoever stored something since the first wrong block is told to read it again. Never stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef
from indexer.reads.abi import interface
from indexer.reads.ledger.belief import Flaw
from indexer.reads.ledger.book import Summed, Track
from indexer.reads.ledger.compare import differing, last_right, read_states, read_sums, wrong_at
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.reasons import REBASES, SILENT, Dispute, explain
from indexer.reads.ledger.rules import Way, is_feed
from indexer.reads.source import CallKey

SHARES = 24
"""An audit compares one of so many parts of all that is folded, and every feed: the parts take turns."""

MOST_CHANGED = 400
SIBLINGS = 12
"""So many other balances of a token are read to tell a rebase from one holder's change."""

MOST_MISLED = 8
"""Of so many pairs a sum that means something else is followed down, each to no avail."""

STEP_BY_STEP = 32
"""Among so few blocks the first wrong one is looked for one by one: some errors cancel out, and halving skips them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer that was folded wrong from the block `first` on (or may have been, where not `exact`)."""

    key: CallKey
    first: int
    exact: bool
    reason: str


def rotation(ledger: Ledger, turn: int) -> list[CallKey]:
    """The part of the answers given out whose turn it is; each answer comes once in `SHARES` turns."""
    keys = [track.key for track in ledger.book.tracks.values() if track.trusted]
    return [key for key in keys if is_feed(key) or (crc32(key[0].encode() + key[1]) - turn) % SHARES == 0]


def changed(ledger: Ledger, upto: int) -> list[CallKey]:
    """Answers given out that logs changed since they were last compared, up to a block."""
    tracks = ledger.book.tracks.values()
    found = (t.key for t in tracks if t.trusted and any(t.verified < number <= upto for number in t.numbers))
    return [key for key, _ in zip(found, range(MOST_CHANGED), strict=False)]


async def audit(ledger: Ledger, keys: Sequence[CallKey], at: BlockRef) -> list[Difference]:
    """Compare these answers at a block that is folded. What is wrong is marked, and told.

    Raises WrongFork where the block left the chain, ChainUnavailable, EndpointError (PRUNED where it is too old).
    """
    tracks = [track for key in dict.fromkeys(keys) if (track := ledger.book.tracks.get(key)) is not None]
    suspects = await wrong_at(ledger, tracks, at)
    confirmed = await wrong_at(ledger, suspects, at) if suspects else []
    for track in tracks:
        if track not in suspects:
            track.verified = max(track.verified, at.number)
    located = await _located(ledger, confirmed, at)
    differences = list(located.values())
    for track, difference in located.items():
        ledger.belief.blame(track, Flaw(difference.reason, difference.first))
    await _follow_feeds(ledger, [difference.key for difference in differences], at)
    return differences


async def settle(ledger: Ledger, upto: int) -> list[Difference]:
    """Compare the answers in doubt since one block, up to this one at most, and leave them in doubt no more.

    Raises as `audit`; where the block can no longer be read all is doubted since the last comparison.
    """
    number = min((number for number in ledger.belief.doubts.values() if number <= upto), default=None)
    keys = [key for key, since in ledger.belief.doubts.items() if since == number]
    if number is None:
        return []
    try:
        differences = await audit(ledger, keys, _remembered(ledger, number))
    except EndpointError as error:
        if error.verdict is not Verdict.PRUNED:
            raise
        tracks = [track for key in keys if (track := ledger.book.tracks.get(key)) is not None]
        differences = [_unreadable(track.key, max(track.verified, track.opened)) for track in tracks]
        for difference in differences:
            ledger.belief.mark(difference.key, Flaw(difference.reason, difference.first))
    for key in ledger.belief.doubts.keys() & set(keys):
        del ledger.belief.doubts[key]
        if (flaw := ledger.belief.distrusted.get(key[0])) is not None:
            ledger.belief.mark(key, flaw)
    return differences


async def prove(ledger: Ledger, at: BlockRef) -> list[Track]:
    """Believe each answer that logs, over all that was folded, lead to what the node says at `at`, the tip.

    The others, which it returns, are read from now on. Raises as `audit`.
    """
    tracks = list(ledger.book.tracks.values())
    moved = [track for track in tracks if track.rule.sums and track.moved]
    for opened in sorted({track.opened for track in moved}):
        await read_sums(ledger, [track for track in moved if track.opened == opened], ledger.blocks[opened])
    wrong = await wrong_at(ledger, tracks, at)
    for track in wrong:
        ledger.belief.mark(track.key, Flaw("logs do not lead to what it answers", at.number))
    for track in ledger.book.tracks.values():
        opened = ledger.blocks[track.opened].timestamp
        since = track.since_s if track.states[0] == (0,) else opened
        ledger.belief.trust(track, ledger.belief.is_old_enough(track, at, since))
        track.verified = at.number
    return wrong


async def _located(ledger: Ledger, tracks: Sequence[Track], at: BlockRef) -> dict[Track, Difference]:
    """Since when each was wrong; without those that were not, whose contract adds up something else than it should.

    Where several do so there may be many of their kind: then no other sum is followed down either.
    """
    found: dict[Track, Difference] = {}
    misled: list[Track] = []
    plain = await differing(ledger, tracks, at)
    for track in tracks:
        is_followed = track in plain or len(misled) < MOST_MISLED
        difference = await _locate(ledger, track, at) if is_followed else None
        if difference is not None:
            found[track] = difference
        else:
            misled.append(track)
    for track in misled:
        track.summed = Summed(at.number)
    return found


async def _locate(ledger: Ledger, track: Track, at: BlockRef) -> Difference | None:
    """Find the first wrong block since the last that agreed: before the first log since then, or else after it."""
    good, wrong = last_right(track), at.number
    middle = next((number - 1 for number in track.numbers if good + 1 < number <= wrong), 0)
    try:
        while wrong - good > 1:
            middle = middle or (good + 1 if wrong - good <= STEP_BY_STEP else (good + wrong) // 2)
            differs = bool(await wrong_at(ledger, [track], _remembered(ledger, middle)))
            good, wrong, middle = (good, middle, 0) if differs else (middle, wrong, 0)
        if not await differing(ledger, [track], _remembered(ledger, wrong)):
            return None
    except EndpointError:
        return _unreadable(track.key, good)
    return Difference(track.key, wrong, True, await _explain(ledger, track, wrong))


def _remembered(ledger: Ledger, number: int) -> BlockRef:
    block = ledger.blocks.get(number)
    if block is None:
        raise EndpointError("a block that is not remembered", verdict=Verdict.PRUNED)
    return block


def _unreadable(key: CallKey, good: int) -> Difference:
    return Difference(key, good + 1, False, "at a block that can no longer be read")


async def _explain(ledger: Ledger, track: Track, number: int) -> str:
    """Why logs and answer part at a block."""
    at = ledger.blocks.get(number)
    if at is None or track.rule.way is not Way.FOLDED:
        return SILENT
    (truth,) = await read_states(ledger, [track], at)
    (reason,) = await explain(ledger.logs, ledger.receipts, [Dispute(track, truth, number - 1)], [at])
    alone = reason != SILENT or not await differing(ledger, _siblings(ledger, track), at)
    return reason if alone else REBASES


def _siblings(ledger: Ledger, track: Track) -> list[Track]:
    """Other tracked answers of the same token."""
    same = (t for t in ledger.book.tracks.values() if t is not track and t.key[0] == track.key[0])
    return [one for one, _ in zip(same, range(SIBLINGS), strict=False)]


async def _follow_feeds(ledger: Ledger, keys: Iterable[CallKey], at: BlockRef) -> None:
    """A feed that got another aggregator is no liar: it is read, and then followed there."""
    for key in filter(is_feed, keys):
        call = interface("aggregator_v3").aggregator(key[0])
        (raw,) = await ledger.source.fetch({(call.target, call.data): call}, at)
        now = call.function.decode(raw) if isinstance(raw, bytes) else None
        if isinstance(now, str) and now != ledger.around.aggregators.get(key[0]):
            del ledger.belief.flaws[key]
