"""Tracked answers, block by block: the state at a block and the logs of the next give the state there, and back again.

Each track keeps its states since it was read, so that any block since then is looked up and a reorg is undone exactly.
Pure: never asks a node, never decides whether an answer may be trusted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from indexer.model import Address, Hash, Log
from indexer.reads.ledger.rules import Effect, Rule, State, Watch
from indexer.reads.source import CallKey, Key

Moves = Mapping["Track", list[list[int]]]
"""Of each track that a block changed: what each of its amounts gained and lost, gross."""


@dataclass(eq=False, slots=True)
class Track:
    """One question's answers since the block `opened`. `states[i]` is good from block `numbers[i]` on; None: read it.

    `agreed` counts the reads that said the same since the block time `since_s`, the last of them at `verified`;
    `moved`: a log changed it; `trusted`: all this is proof enough.
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

    @property
    def state(self) -> State | None:
        """The last one."""
        return self.states[-1]

    def at(self, number: int) -> State | None:
        """The state at the end of a block; None where it is not known."""
        place = bisect_right(self.numbers, number) - 1
        return self.states[place] if place >= 0 else None

    def put(self, number: int, state: State | None) -> None:
        """Say the state from this block on, which is the last one."""
        if self.numbers[-1] == number:
            self.states[-1] = state
        else:
            self.numbers.append(number)
            self.states.append(state)


@dataclass(slots=True)
class Book:
    """All tracks of one chain, up to the block `tip`. The `version` moves with what is watched, `beliefs` with which
    tracks are trusted, or have a state."""

    tip: int = -1
    version: int = 0
    beliefs: int = 0
    tracks: dict[Key, Track] = field(default_factory=dict)
    _watched: dict[Address, dict[tuple[Hash | None, int, str], list[tuple[Track, Effect]]]] = field(
        default_factory=dict
    )

    def open(self, key: CallKey, rule: Rule, state: State, number: int, timestamp: int) -> Track:
        """Begin to track a question, from the answer it was given at the tip or before it."""
        self.close(key)
        self.version += 1
        self.beliefs += 1
        track = self.tracks[key] = Track(key, rule, number, [number], [state], number, timestamp)
        for watch in rule.watches:
            self._watched.setdefault(watch.emitter, {}).setdefault(_place(watch), []).append((track, watch.effect))
        return track

    def close(self, key: Key) -> None:
        """Track it no more."""
        track = self.tracks.pop(key, None)
        self.version += 1
        self.beliefs += 1
        for watch in track.rule.watches if track else ():
            places = self._watched[watch.emitter]
            left = [hit for hit in places[_place(watch)] if hit[0] is not track]
            if left:
                places[_place(watch)] = left
            else:
                del places[_place(watch)]
            if not places:
                del self._watched[watch.emitter]

    def believe(self, track: Track, is_trusted: bool) -> None:
        """Trust a track from now on, or no more."""
        self.beliefs += track.trusted is not is_trusted
        track.trusted = is_trusted

    def renew(self, track: Track, number: int, state: State) -> None:
        """A track's state was read again."""
        self.beliefs += 1
        track.put(number, state)

    def watches(self) -> Iterator[Watch]:
        """What all tracks together must see of the chain's logs."""
        return (watch for track in self.tracks.values() for watch in track.rule.watches)

    def fold(self, number: int, timestamp: int, logs: Iterable[Log]) -> Moves:
        """The next block: its logs in order, nothing of them left out; others than are watched may be among them."""
        if number <= self.tip:
            raise ValueError(f"block {number} is folded already: the tip is {self.tip}")
        moves: dict[Track, list[list[int]]] = {}
        for log in logs:
            for track, effect in self._hits(log):
                before = track.state
                if before is not None and track.opened < number:
                    after = effect(before, log, timestamp)
                    track.put(number, after)
                    self.beliefs += after is None
                    _add(moves.setdefault(track, _nothing(track)), before, after)
        self.tip = number
        return moves

    def _hits(self, log: Log) -> Iterable[tuple[Track, Effect]]:
        places = self._watched.get(log.address)
        if places is None:
            return ()
        topics = log.topics
        event = topics[0] if topics else None
        hits = [*places.get((None, 0, ""), ()), *places.get((event, 0, ""), ())]
        for place in range(1, len(topics)):
            hits += places.get((event, place, topics[place]), ())
        return hits

    def rewind(self, number: int) -> None:
        """Back to the end of an earlier block, as if what came after had never been seen."""
        self.beliefs += 1
        for track in list(self.tracks.values()):
            keep = bisect_right(track.numbers, number)
            if not keep:
                self.close(track.key)
            del track.numbers[keep:], track.states[keep:]
            track.verified = min(track.verified, number)
        self.tip = min(self.tip, number)

    def forget(self, number: int) -> None:
        """Remember no state that was over before this block."""
        for track in self.tracks.values():
            over = bisect_right(track.numbers, number) - 1
            if over > 0:
                del track.numbers[:over], track.states[:over]


def _place(watch: Watch) -> tuple[Hash | None, int, str]:
    return watch.event, watch.place, watch.subject if watch.place else ""


def _nothing(track: Track) -> list[list[int]]:
    return [[0, 0] for _ in range(track.rule.amounts)]


def _add(moved: list[list[int]], before: State, after: State | None) -> None:
    """Count what each amount gained and lost by one log."""
    for amount, was, now in zip(moved, before, after or (), strict=False):
        amount[was > now] += abs(now - was)
