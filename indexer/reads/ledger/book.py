"""Tracked answers, block by block: the state at a block and the logs of the next give the state there, and back again.

Each track keeps its states since it was read, so that any block since then is looked up and a reorg is undone exactly.
Pure: never asks a node, never decides whether an answer may be trusted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from indexer.model import Address, Hash, Log
from indexer.reads.ledger.rules import Effect, Rule, RunningSum, State, Watch
from indexer.reads.source import CallKey, Key

Moves = Mapping["Track", list[int]]
"""Of each track that a block changed: what its first amount gained, what it lost, and so on for the others; gross."""


@dataclass(frozen=True, slots=True)
class Summed:
    """What a contract had added up of its past states at the end of a block; by none of its sums: it keeps none."""

    number: int
    total: int = 0
    by: RunningSum | None = None


@dataclass(eq=False, slots=True)
class Track:
    """One question's answers since the block `opened`. `states[i]` is good from block `numbers[i]` on; None: read it.

    `agreed` counts the reads that said the same since the block time `since_s`, the last of them at `verified`;
    `moved`: a log changed it; `trusted`: all this is proof enough; `given`: it was so once. `summed`: up to where a sum
    that the contract keeps bore its states out; `skipped`: blocks of whose logs one does not follow the one before it.
    """

    key: CallKey
    rule: Rule
    opened: int
    numbers: list[int]
    states: list[State | None]
    verified: int
    since_s: int
    agreed: int = 0
    moved: bool = False
    trusted: bool = False
    given: bool = False
    summed: Summed | None = None
    skipped: tuple[int, ...] = ()

    @property
    def state(self) -> State | None:
        """The last one."""
        return self.states[-1]

    def at(self, number: int) -> State | None:
        """The state at the end of a block; None where it is not known."""
        place = bisect_right(self.numbers, number) - 1
        return self.states[place] if place >= 0 else None

    def between(self, first: int, last: int) -> list[tuple[int, State | None]]:
        """The state at the end of a block, and each later one up to another block, with its first block."""
        place = max(bisect_right(self.numbers, first) - 1, 0)
        end = bisect_right(self.numbers, last)
        return list(zip(self.numbers[place:end], self.states[place:end], strict=True))

    def put(self, number: int, state: State | None) -> None:
        """Say the state from this block on, which is the last one."""
        if self.numbers[-1] == number:
            self.states[-1] = state
        else:
            self.numbers.append(number)
            self.states.append(state)


@dataclass(slots=True)
class Book:
    """All tracks of one chain, up to the block `tip`. The `version` moves with what is watched.

    `turned` are the questions whose amounts became known or unknown since somebody took them out.
    """

    tip: int = -1
    version: int = 0
    turned: set[Key] = field(default_factory=set)
    tracks: dict[Key, Track] = field(default_factory=dict)
    _watched: dict[Address, dict[Hash | None, tuple[Track, ...]]] = field(default_factory=dict)

    def begin(self, number: int) -> None:
        """Forget everything, and begin at a block."""
        self.turned.update(self.tracks)
        self.tip, self.version, self.tracks, self._watched = number, 0, {}, {}

    def open(self, key: CallKey, rule: Rule, state: State, number: int, timestamp: int) -> Track:
        """Begin to track a question, from the answer it was given at the tip or before it."""
        self.close(key)
        self.version += 1
        track = self.tracks[key] = Track(key, rule, number, [number], [state], number, timestamp)
        for emitter, topic in rule.places():
            watched = self._watched.setdefault(emitter, {})
            watched[topic] = (*watched.get(topic, ()), track)
        return track

    def close(self, key: Key) -> None:
        """Track it no more."""
        track = self.tracks.pop(key, None)
        self.version += 1
        self.turned.add(key)
        if track is not None:
            for emitter, topic in track.rule.places():
                self._leave(track, emitter, topic)

    def _leave(self, track: Track, emitter: Address, topic: Hash | None) -> None:
        watched = self._watched[emitter]
        left = tuple([one for one in watched.pop(topic) if one is not track])
        if left:
            watched[topic] = left
        elif not watched:
            del self._watched[emitter]

    def watches(self) -> Iterator[Watch]:
        """What all tracks together must see of the chain's logs."""
        return (watch for track in self.tracks.values() for watch in track.rule.watches)

    def fold(self, number: int, timestamp: int, logs: Iterable[Log]) -> Moves:
        """The next block: its logs in order, nothing of them left out; others than are watched may be among them."""
        if number <= self.tip:
            raise ValueError(f"block {number} is folded already: the tip is {self.tip}")
        moves: dict[Track, list[int]] = {}
        for log in logs:
            for track, effect in self._hits(log):
                before = track.states[-1]
                if before is not None and track.opened < number:
                    after = effect(before, log, timestamp)
                    if track.rule.skips and after is not None and track.rule.skips(before, after):
                        track.skipped += (number,)
                    track.put(number, after)
                    if track not in moves:
                        moves[track] = [0, 0] * track.rule.amounts
                    if after is None:
                        self.turned.add(track.key)
                    else:
                        _add(moves[track], before, after)
        self.tip = number
        return moves

    def _hits(self, log: Log) -> list[tuple[Track, Effect]]:
        """Whom a log concerns, in the order of its topics, and what it does to them."""
        watched = self._watched.get(log.address)
        if watched is None:
            return []
        topics = log.topics
        hits = [(track, track.rule.effects[None, 0]) for track in watched.get(None, ())]
        for place, topic in enumerate(topics):
            for track in watched.get(topic, ()):
                effect = track.rule.effects.get((topics[0], place))
                if effect is not None:
                    hits.append((track, effect))
        return hits

    def rewind(self, number: int) -> None:
        """Back to the end of an earlier block, as if what came after had never been seen."""
        for track in list(self.tracks.values()):
            keep = bisect_right(track.numbers, number)
            if not keep:
                self.close(track.key)
            del track.numbers[keep:], track.states[keep:]
            track.verified = min(track.verified, number)
            if track.summed and track.summed.number > number:
                track.summed = None
            track.skipped = tuple([one for one in track.skipped if one <= number])
        self.tip = min(self.tip, number)

    def forget(self, number: int) -> None:
        """Remember no state that was over before this block."""
        for track in self.tracks.values():
            over = bisect_right(track.numbers, number) - 1
            if over > 0:
                del track.numbers[:over], track.states[:over]
                track.skipped = tuple([one for one in track.skipped if one >= number])
                if track.summed and track.summed.number < track.numbers[0]:
                    track.summed = None


def _add(moved: list[int], before: State, after: State) -> None:
    """Count what each amount gained and lost by one log."""
    for i in range(len(moved) // 2):
        change = after[i] - before[i]
        if change > 0:
            moved[2 * i] += change
        else:
            moved[2 * i + 1] -= change
