"""What is believed of the answers that are folded: whether to give each out, or to read it, until when, and why.

An answer is believed after reads at later blocks agreed with it, before and after its first change. One that a read
contradicts is in doubt until an audit has told since when; one that is found wrong is read for ever after. Never asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.model import Address, BlockRef
from indexer.reads.ledger.book import Book, Track
from indexer.reads.ledger.reasons import OF_ITS_TOKEN, Dispute
from indexer.reads.ledger.rules import Rule, Way
from indexer.reads.source import CallKey, Key, Raw

PROOFS = 2
"""Reads at different times that must agree before a folded answer is believed; and again after its first change."""

ONCE_MISREAD = -1
"""Of two reads that contradict each other either may be wrong: it takes one more to accuse a contract."""

PROOF_S = 3_600
"""And so much block time they must span where interest could be too small to be seen at once."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a question is read and not folded, and the first block at which logs and answer disagreed, where known."""

    reason: str
    block: int | None = None


@dataclass(slots=True)
class Belief:
    """Of the tracks of one book. `flaws` are questions that are read for ever, `distrusted` tokens of which no balance
    is folded. `doubts` are answers that were given out before a read at the block named there was another: an audit has
    to tell since when.
    """

    book: Book
    proof_s: int = PROOF_S
    flaws: dict[Key, Flaw] = field(default_factory=dict)
    distrusted: dict[Address, Flaw] = field(default_factory=dict)
    doubts: dict[CallKey, int] = field(default_factory=dict)

    def rewind(self, number: int) -> None:
        """What was read above a block is not on the chain any more."""
        self.doubts = {key: since for key, since in self.doubts.items() if since <= number}

    def may_fold(self, key: CallKey, rule: Rule) -> bool:
        """Whether nothing that is known already speaks against a question that is not tracked yet."""
        return key not in self.flaws and not (rule.may_accrue and key[0] in self.distrusted)

    def first_moved(self, track: Track, at: BlockRef) -> None:
        """A log changed it for the first time: that must be proven, too."""
        track.moved, track.agreed, track.since_s = True, 0, at.timestamp
        self.trust(track, False)

    def weigh(self, track: Track, raw: Raw, at: BlockRef, before: BlockRef | None) -> Dispute | None:
        """A read of a tracked question: a proof, a renewal of what a log made doubtful, or a dispute.

        `before` is the block at which it was found right last, where that is remembered. Where an answer was given out
        since, an audit has to find since when it was wrong.
        """
        if track.key in self.doubts:
            return None
        read = track.rule.read(raw) if isinstance(raw, bytes) else None
        if read is not None and track.state == read:
            self._prove(track, at, before)
        elif read is not None and track.state is None and track.rule.way is Way.TRIGGERED:
            track.put(at.number, read)
        elif track.given and track.state is not None:
            self.doubt(track, at.number)
        elif read is None:
            self.mark(track.key, Flaw("it no longer answers as it did", at.number))
        elif read in track.states:
            track.agreed = 0
        elif track.agreed == 0:
            self.book.open(track.key, track.rule, read, at.number, at.timestamp).agreed = ONCE_MISREAD
        else:
            return Dispute(track, read, track.verified)
        return None

    def _prove(self, track: Track, at: BlockRef, before: BlockRef | None) -> None:
        """One more read that agrees. Blocks of the same time prove nothing anew."""
        track.agreed += before is None or before.timestamp < at.timestamp
        track.verified = at.number
        self.trust(track, track.agreed >= PROOFS and self.is_old_enough(track, at, track.since_s))

    def is_old_enough(self, track: Track, at: BlockRef, since_s: int) -> bool:
        """Whether agreeing since this block time outlasts interest, and a feed has logged an answer."""
        lasted = not track.rule.may_accrue or at.timestamp - since_s >= self.proof_s
        return lasted and (track.moved or not track.rule.must_move)

    def trust(self, track: Track, proven: bool) -> None:
        """Give the track's answers out from now on, or read them."""
        if track.trusted is not proven:
            track.trusted = proven
            track.given |= proven
            self.book.turned.add(track.key)

    def doubt(self, track: Track, number: int) -> None:
        """Read this question until an audit at that block has told since when its answers were wrong, if they were."""
        track.agreed = 0
        self.trust(track, False)
        self.doubts.setdefault(track.key, number)

    def mark(self, key: Key, flaw: Flaw) -> None:
        """Read this question from now on."""
        self.book.close(key)
        self.flaws[key] = flaw
        if isinstance(key, tuple):
            self.doubts.pop(key, None)

    def blame(self, track: Track, flaw: Flaw) -> None:
        """Read this question from now on, and where its token is the reason all balances of that, and its supply."""
        self.mark(track.key, flaw)
        token = track.key[0]
        if not track.rule.may_accrue or flaw.reason not in OF_ITS_TOKEN:
            return
        self.distrusted[token] = flaw
        for one in [t for t in self.book.tracks.values() if t.key[0] == token and t.rule.may_accrue]:
            if one.given:
                self.doubt(one, self.book.tip)
            else:
                self.mark(one.key, flaw)
