"""Stored snapshots of blocks that became final -> the same blocks read once more, and what has to be put right.

A node can answer a pinned call with the right block's number, time and parent and yet from another block's state: no
witness within the call can see that, only a second reading can. Where the two differ, every endpoint is asked alone;
the majority is right, and where there is none nobody is believed. Never writes to the store.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from structlog.typing import FilteringBoundLogger

from indexer.errors import IndexerError, Transient
from indexer.model import BlockRef, Snapshot, Status
from indexer.run.known import Known
from indexer.run.live import LiveChain
from indexer.run.program import Deployment
from indexer.run.snapshot import take
from indexer.store.base import Point, Store

MOST_AT_ONCE = 32
"""Snapshots that one step of finality may cost at most, however far it goes."""

TOLD = 3
"""Differences that a message tells of; there may be thousands."""

_FAILED = frozenset({Status.HELD, Status.MISSING, Status.MALFORMED, Status.GAP})

Content = Mapping[tuple[str, ...], Any]
"""What a snapshot claims, and nothing of how it is worded: by position, by priced token, by bucket."""


@dataclass(frozen=True, slots=True)
class Audit:
    """How many snapshots were compared, and those that must take the place of what is stored."""

    compared: int = 0
    corrected: tuple[Snapshot, ...] = ()


@dataclass(slots=True)
class Auditor:
    """Audits one chain: of `one_in` snapshots one, picked by block hash and deployment; none where that is 0.

    Only what was read since the start: another configuration may have read what is older.
    """

    live: LiveChain
    store: Store
    log: FilteringBoundLogger
    one_in: int
    _sources: dict[int, str] = field(default_factory=dict)

    def note(self, at: BlockRef) -> None:
        """Remember which endpoint a block was just read from, to ask another one later."""
        self._sources[at.number] = self.live.reader.last_endpoint

    async def audit(self, final: BlockRef, known: Known) -> Audit:
        """Compare a sample of what became final. What cannot be read again now is left as it is, and told."""
        compared, corrected = 0, []
        for point in await self._sample(final):
            try:
                right = await self._check(point, known)
            except Transient as error:
                self.log.warning("could not be audited", block=point.at.number, error=str(error))
                continue
            compared += 1
            corrected += [right] if right else []
        self._sources = {number: label for number, label in self._sources.items() if number > final.number}
        return Audit(compared, tuple(corrected))

    async def _sample(self, final: BlockRef) -> list[Point]:
        passed = sorted(number for number in self._sources if number <= final.number)
        if not self.one_in or not passed:
            return []
        deployments = self.live.program.deployments
        points = [p for d in deployments for p in await self.store.series(d.key, passed[0], passed[-1])]
        drawn = [p for p in points if p.at.number in self._sources and _lot(p) % self.one_in == 0]
        return sorted(drawn, key=_lot)[:MOST_AT_ONCE]

    async def _check(self, point: Point, known: Known) -> Snapshot | None:
        """The snapshot that should stand there; None where the stored one is right, or nothing better is known."""
        stored = await self.store.snapshot(point.deployment, point.at.number)
        assert stored is not None
        (deployment,) = (d for d in self.live.program.deployments if d.key == point.deployment)
        seen = await _read(self.live, deployment, point.at, known, avoid=self._sources[point.at.number])
        if _failures(seen) > _failures(stored) or content(seen) == content(stored):
            return None
        votes = await self._votes(deployment, point.at, known)
        return self._judged(stored, seen, votes)

    async def _votes(self, deployment: Deployment, at: BlockRef, known: Known) -> dict[str, Snapshot]:
        """What each endpoint says by itself; of these, the ones that could read the most."""
        votes: dict[str, Snapshot] = {}
        for number in range(len(self.live.program.settings.endpoints)):
            async with self.live.alone(number) as alone:
                try:
                    votes[alone.endpoint] = await _read(alone, deployment, at, known)
                except IndexerError as error:
                    self.log.warning("an endpoint has no say", endpoint=alone.endpoint, error=str(error))
        least = min(map(_failures, votes.values()), default=0)
        return {label: vote for label, vote in votes.items() if _failures(vote) == least}

    def _judged(self, stored: Snapshot, seen: Snapshot, votes: Mapping[str, Snapshot]) -> Snapshot | None:
        right = _majority(seen, votes)
        if right is None:
            return self._undecided(stored, votes)
        for label, vote in votes.items():
            if differs := differences(content(right), content(vote)):
                self.live.pool.distrust(label, f"state of another block than {stored.at}: {differs}")
        differs = differences(content(stored), content(right))
        if not differs:
            return None
        tell = self.log.warning if _failures(stored) else self.log.error
        tell("a stored snapshot is put right", **_place(stored), differs=differs, endpoints=", ".join(votes))
        return right

    def _undecided(self, stored: Snapshot, votes: Mapping[str, Snapshot]) -> Snapshot | None:
        """Nobody is believed where endpoints contradict each other; where none answers, nothing new is known."""
        if not votes:
            return None
        said = [f"{label} says {differences(content(stored), content(v)) or 'so'}" for label, v in votes.items()]
        reason = f"endpoints do not agree on the state of this block: {'; '.join(said)}"
        self.log.error("a stored snapshot is in doubt", **_place(stored), differs=reason)
        return replace(stored, lines=(), quotes={}, tokens={}, totals={}, status=Status.GAP, reason=reason)


def content(snapshot: Snapshot) -> Content:
    """What two honest readings of a block share."""
    claims: dict[tuple[str, ...], Any] = {("status",): snapshot.status.value}
    for line in snapshot.lines:
        holding = line.holding
        position = ("holding", holding.token, holding.owner, holding.bucket.value)
        claims[position] = (holding.amount, line.usd, line.status.value)
    for token, quote in snapshot.quotes.items():
        claims["price", token] = (quote.price, quote.updated_at)
    return claims


def differences(old: Content, new: Content) -> str:
    """The first few claims that differ, as text without any words of a provider's; empty where none does."""
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    told = [f"{' '.join(key)}: {old.get(key, 'nothing')} -> {new.get(key, 'nothing')}" for key in keys[:TOLD]]
    more = [f"{len(keys) - TOLD} more"] if len(keys) > TOLD else []
    return ", ".join(told + more)


async def _read(
    live: LiveChain, deployment: Deployment, at: BlockRef, known: Known, avoid: str | None = None
) -> Snapshot:
    """One reading. It learns nothing: what `known` holds is not for an endpoint in doubt to change."""
    reader = live.reader_elsewhere(avoid) if avoid else live.reader
    key = deployment.key
    lent = Known({key: [*known.found.get(key, ())]}, dict(known.searched), dict(known.tokens))
    return (await take(live.program, reader, at, [deployment], lent, clock=live.clock)).snapshots[0]


def _majority(seen: Snapshot, votes: Mapping[str, Snapshot]) -> Snapshot | None:
    """What more than half of the endpoints say; a single one must have said it twice."""
    said = Counter(_key(vote) for vote in votes.values())
    best, count = said.most_common(1)[0] if said else ("", 0)
    if 2 * count <= len(votes) or (len(votes) == 1 and best != _key(seen)):
        return None
    return next(vote for vote in votes.values() if _key(vote) == best)


def _key(snapshot: Snapshot) -> str:
    return repr(sorted(content(snapshot).items()))


def _failures(snapshot: Snapshot) -> int:
    """How much of it could not be read: more than any number of lines where it is a gap."""
    if snapshot.status is Status.GAP:
        return 2**31
    return _count(line.status for line in snapshot.lines)


def _count(statuses: Iterable[Status]) -> int:
    return sum(status in _FAILED for status in statuses)


def _place(snapshot: Snapshot) -> dict[str, Any]:
    return {"deployment": snapshot.deployment, "block": snapshot.at.number, "hash": snapshot.at.hash[:18]}


def _lot(point: Point) -> int:
    """A number that no endpoint can foresee, and that is the same after a restart."""
    return int.from_bytes(hashlib.sha256(f"{point.at.hash}{point.deployment}".encode()).digest()[:8], "big")
