"""What is known at one snapshot, and the difference between two: the only rows that are kept.

Pure. A difference is canonical: it depends on the two states alone, so rows do not tell in which order snapshots were
written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from indexer.model import Address, Bucket, Line, Quote, Snapshot, Token, Total
from indexer.store.rows import Content
from indexer.valuation.value import NoRate, Rate

V = TypeVar("V")

_STATES_KEPT = 4
_ENTRIES_KEPT = 100_000
"""A deployment's last states are kept however large they are; more of them while all together have fewer entries."""

_QUOTES_KEPT = 100_000


Said = tuple[str, str, str, str]
"""Of a snapshot as a whole: status, reason, methodology, adapter."""


@dataclass(frozen=True, slots=True)
class Made:
    """The holdings that others were made of, and where the two may differ. No position is in one of them only."""

    of: Mapping[int, Content]
    anew: Collection[int]


@dataclass(frozen=True, slots=True)
class State:
    """All that a snapshot says: contents by position id, quote ids by token id, totals, and what it says as a whole.

    `made` tells where to look for what changed, where that is known.
    """

    holdings: Mapping[int, Content]
    quotes: Mapping[int, int]
    totals: Mapping[Bucket, Total] = field(default_factory=dict)
    said: Said | tuple[()] = ()
    made: Made | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.holdings) + len(self.quotes)

    def says(self, other: State) -> bool:
        """Whether it is the same. What is short, and most often another one, is compared first."""
        as_a_whole = self.said == other.said and self.totals == other.totals
        return as_a_whole and self.quotes == other.quotes and self.holdings == other.holdings

    def holdings_since(self, before: State) -> dict[int, Content | None]:
        """The difference of the holdings; to the very ones that these were made of, only what was made anew."""
        if self.made is None or self.made.of is not before.holdings:
            return difference(before.holdings, self.holdings)
        now, then = self.holdings, before.holdings
        return {position: now[position] for position in self.made.anew if now[position] != then[position]}


NOTHING = State({}, {})
"""Before the first snapshot: none says the same."""


def difference(before: Mapping[int, V], after: Mapping[int, V]) -> dict[int, V | None]:
    """What changed: new and other values, and None for what is gone."""
    changed: dict[int, V | None] = {key: value for key, value in after.items() if before.get(key) != value}
    changed.update(dict.fromkeys(before.keys() - after.keys()))
    return changed


def apply(state: dict[int, V], changes: Mapping[int, V | None]) -> None:
    """Make in place what a difference says."""
    for key, value in changes.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


@dataclass(frozen=True, slots=True)
class Spot:
    """A live snapshot's row, and the block from which on it holds. `said`: status, reason, methodology, adapter."""

    id: int
    number: int
    said: Said


@dataclass(slots=True)
class Ids:
    """Row ids of things that never change once written; `mark` is the highest id known."""

    mark: int = 0
    by_key: dict[object, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a snapshot named, the same as they are kept, and the ids of their rows."""

    named: Mapping[Address, Token]
    kept: Mapping[Address, Token]
    ids: Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class Prices:
    """The quotes of one snapshot, the ids of their rows by those of the tokens, and the rate of every token."""

    quotes: Mapping[Address, Quote]
    ids: Mapping[int, int]
    rates: Mapping[Address, Rate | NoRate]


@dataclass(frozen=True, slots=True)
class Interned:
    """Lines of one snapshot, the ids of their positions in the same order, and what is kept of them at these prices."""

    tokens: Tokens
    prices: Prices
    lines: Sequence[Line]
    ids: Sequence[int]
    holdings: Mapping[int, Content]
    made: Made | None = None


@dataclass(slots=True)
class Recent:
    """What is true of a chain as long as its count of `writes` is this one.

    `searched`: what is stored of it. `tip`: the highest number of a point, on whatever fork. `last`: the snapshot that
    holds from there on, of deployments of which that is known. `flowed`: of a deployment the highest block with
    flows, on whatever fork.
    """

    writes: int
    deployments: dict[str, int]
    searched: dict[int, int]
    tip: int
    last: dict[int, Spot | None] = field(default_factory=dict)
    flowed: dict[int, int] = field(default_factory=dict)


class Memory:
    """What a writer knows of the database without asking again. Thrown away when a transaction fails.

    Ids and the states of snapshots are immutable in the database, so what is remembered holds as long as the id of the
    snapshot is found live in the transaction that uses it: other processes may write too. What is `recent` holds only
    if none did.
    """

    def __init__(self) -> None:
        self.positions: dict[int, Ids] = {}
        self.tokens: dict[int, Ids] = {}
        self.places: dict[int, Ids] = {}
        self.rosters: dict[frozenset[int], int] = {}
        self.members: dict[int, frozenset[int]] = {}
        self.recent: dict[int, Recent] = {}
        self._told: dict[int, tuple[int, Snapshot]] = {}
        self.covered: dict[int, tuple[Set[object], str]] = {}
        self.interned: dict[int, Interned] = {}
        self._quotes: dict[Quote, int] = {}
        self._states: dict[int, OrderedDict[int, State]] = {}
        self._entries = 0

    def keep_told(self, deployment_id: int, spot: Spot, snapshot: Snapshot) -> None:
        """Remember in which objects a deployment said last what a stored snapshot says."""
        self._told[deployment_id] = spot.id, snapshot

    def is_still(self, deployment_id: int, held: Spot | None, snapshot: Snapshot) -> bool:
        """Whether a snapshot says the same as the stored one, in the very same objects. No need to look any closer."""
        told = self._told.get(deployment_id)
        return told is not None and held is not None and told[0] == held.id and _is_same(told[1], snapshot)

    def state(self, deployment_id: int, snapshot_id: int) -> State | None:
        """The state of a snapshot, if it is still remembered."""
        states = self._states.get(deployment_id)
        return None if states is None else states.get(snapshot_id)

    def keep_state(self, deployment_id: int, snapshot_id: int, state: State) -> None:
        """Remember a state; where there is no more room, the oldest of the deployment's is forgotten."""
        states = self._states.setdefault(deployment_id, OrderedDict())
        self._entries += len(state) - len(states.pop(snapshot_id, NOTHING))
        states[snapshot_id] = state
        while len(states) > _STATES_KEPT and self._entries > _ENTRIES_KEPT:
            self._entries -= len(states.popitem(last=False)[1])

    def quote_id(self, quote: Quote) -> int | None:
        """The row of a quote, if it is remembered."""
        return self._quotes.get(quote)

    def keep_quotes(self, ids: Mapping[Quote, int]) -> None:
        """Remember where quotes are."""
        if len(self._quotes) > _QUOTES_KEPT:
            self._quotes.clear()
        self._quotes.update(ids)


def _is_same(old: Snapshot, new: Snapshot) -> bool:
    return (
        new.lines is old.lines
        and new.quotes is old.quotes
        and new.tokens is old.tokens
        and new.totals is old.totals
        and (new.status, new.reason) == (old.status, old.reason)
        and (new.methodology, new.adapter) == (old.methodology, old.adapter)
    )
