"""The store's snapshots and flows of deployments -> why their value changed, over a span and in intervals of it.

Reads the store alone. What a change is made of is said by `valuation.attribution`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from indexer.config.types import Cadence
from indexer.model import Address, BlockRef, Bucket, Found, Snapshot, Status
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.attribution import Attribution, Attributor, Change, Ledger
from indexer.valuation.parts import NOTHING, Parts, sum_parts

LOOK_BACK_S = 30 * 86_400
"""So far before a span it is looked for what a holding without a value was last known to be."""

WHOLE_SPAN = Cadence(seconds=2**62)


@dataclass(frozen=True, slots=True)
class Cut:
    """One interval of a deployment: where on the grid it begins, and what changed in it."""

    start: int
    made: Attribution


@dataclass(frozen=True, slots=True)
class Explained:
    """A deployment's intervals, and the first and last snapshot of them all. `opening` is None: from nothing."""

    row: DeploymentRow
    cuts: tuple[Cut, ...]
    opening: Snapshot | None
    closing: Snapshot

    @property
    def changes(self) -> list[Change]:
        """Of all intervals."""
        return [change for cut in self.cuts for change in cut.made.changes]


@dataclass(frozen=True, slots=True)
class Sum:
    """Values at both ends of an interval and why they differ, summed over whatever it is asked for.

    `bases` say how the units that moved are known.
    """

    opening: int
    closing: int
    parts: Parts
    bases: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From the snapshot at `opened` to that at `closed`. Without `opened` from the first one there is, and
    `from_nothing` from before that.
    """

    opened: BlockRef | None
    closed: BlockRef
    from_nothing: bool = False


async def explain(store: Store, row: DeploymentRow, stretch: Stretch, every: Cadence = WHOLE_SPAN) -> Explained | None:
    """Why a deployment's value changed; None where nothing is stored.

    With `every`, an interval of the grid goes from its first snapshot to the first of the next.
    """
    found, _ = await store.found(row.key)
    cutter = _Cutter(row, stretch, every, _created(found))
    start = await _known_before(store, row.key, stretch.opened) if stretch.opened else 0
    return await store.replay(row.key, start, stretch.closed.number, cutter.run)


def sum_changes(changes: Iterable[Change], bucket: Bucket = Bucket.BASE) -> Sum:
    """The changes of one bucket together. They must be of one interval, or of places that do not repeat."""
    some = [change for change in changes if change.bucket is bucket]
    return Sum(
        opening=sum(change.opening for change in some),
        closing=sum(change.closing for change in some),
        parts=sum_parts(change.parts for change in some),
        bases=frozenset(change.basis for change in some if change.basis),
    )


def by_interval(many: Sequence[Explained], bucket: Bucket = Bucket.BASE) -> dict[int, Sum]:
    """The sum over deployments in each interval, oldest first. One of which an interval has nothing stays as it was."""
    made = [({cut.start: sum_changes(cut.made.changes, bucket) for cut in one.cuts}) for one in many]
    standing = [_still(worth_of(one.opening, bucket)) for one in many]
    rows: dict[int, Sum] = {}
    for start in sorted(set().union(*made)):
        here = [sums.get(start, still) for sums, still in zip(made, standing, strict=True)]
        rows[start] = add_up(here)
        standing = [_still(one.closing) for one in here]
    return rows


def whole(many: Sequence[Explained], bucket: Bucket = Bucket.BASE) -> Sum:
    """All intervals of all deployments as one."""
    sums = [sum_changes(cut.made.changes, bucket) for one in many for cut in one.cuts]
    return Sum(
        opening=sum(worth_of(one.opening, bucket) for one in many),
        closing=sum(worth_of(one.closing, bucket) for one in many),
        parts=sum_parts(one.parts for one in sums),
        bases=frozenset[str]().union(*(one.bases for one in sums)),
    )


def worth_of(snapshot: Snapshot | None, bucket: Bucket = Bucket.BASE) -> int:
    """What a snapshot's totals count in a bucket."""
    total = snapshot.totals.get(bucket) if snapshot else None
    return total.usd if total else 0


def add_up(sums: Sequence[Sum]) -> Sum:
    """Several deployments' sums of one interval."""
    return Sum(
        opening=sum(one.opening for one in sums),
        closing=sum(one.closing for one in sums),
        parts=sum_parts(one.parts for one in sums),
        bases=frozenset[str]().union(*(one.bases for one in sums)),
    )


def _still(usd: int) -> Sum:
    return Sum(usd, usd, NOTHING, frozenset())


async def _known_before(store: Store, key: str, opened: BlockRef) -> int:
    """The block from which on everything at `opened` is known: its own, where nothing is held there."""
    whole = await store.last_read(key, block=opened.number, is_whole=True)
    near = whole is not None and opened.timestamp - whole.timestamp <= LOOK_BACK_S
    return whole.number if whole is not None and near else opened.number


def _created(found: Iterable[Found]) -> dict[Address, int]:
    """The block of every contract that a discovery names."""
    blocks: dict[Address, int] = {}
    for item in found:
        for value in chain([item.key], item.data.values()):
            if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
                name = Address(value)
                blocks[name] = min(item.block, blocks.get(name, item.block))
    return blocks


class _Cutter:
    """Runs through snapshots and cuts where one is the first of its interval."""

    def __init__(self, row: DeploymentRow, stretch: Stretch, every: Cadence, created: Mapping[Address, int]) -> None:
        self._row, self._stretch, self._every, self._created = row, stretch, every, created
        self._cuts: list[Cut] = []
        self._interval: int | None = None

    def run(self, snapshots: Iterator[Snapshot], ledger: Ledger) -> Explained | None:
        attributor = Attributor(self._row.key, ledger, self._created)
        opening = closing = None
        for snapshot in snapshots:
            attributor.take(snapshot)
            if snapshot.status is Status.GAP:
                continue
            is_first, closing = closing is None, snapshot
            if self._opens(snapshot, is_first=is_first):
                opening = snapshot
                attributor.cut()
                self._interval = self._start_of(snapshot)
            else:
                self._pass(snapshot, attributor)
        if closing is None:
            return None
        if self._interval is not None:
            self._add(self._interval, attributor)
        return Explained(self._row, tuple(self._cuts), opening, closing)

    def _opens(self, snapshot: Snapshot, *, is_first: bool) -> bool:
        """Whether what changed up to this snapshot lies before the stretch."""
        if self._stretch.opened is None:
            return is_first and not self._stretch.from_nothing
        return snapshot.at.number <= self._stretch.opened.number

    def _pass(self, snapshot: Snapshot, attributor: Attributor) -> None:
        interval = self._start_of(snapshot)
        if self._interval is not None and interval != self._interval:
            self._add(self._interval, attributor)
        self._interval = interval

    def _add(self, interval: int, attributor: Attributor) -> None:
        made = attributor.cut()
        if made.opened != made.closed or not self._cuts:
            self._cuts.append(Cut(interval, made))

    def _start_of(self, snapshot: Snapshot) -> int:
        if self._every.blocks:
            return snapshot.at.number - snapshot.at.number % self._every.blocks
        return snapshot.at.timestamp - snapshot.at.timestamp % self._every.seconds
