"""What moved in a ledger -> gross flows of the places that deployments hold, and in which blocks they are all known.

A place's flows are those of the answer its amount was read from: a balance, or a pair's reserves. A place whose amount
comes from anything else, or from an answer that is not folded, has none and is not covered. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from indexer.model import Address, BlockRef, Bucket, Flow, Holding, Snapshot, Status
from indexer.reads.abi import interface
from indexer.reads.ledger.book import Book, Moves
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.source import Key
from indexer.store.base import Covered, Place

Owned: TypeAlias = tuple[str, Place]
"""A place, and the key of the deployment that holds it."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a place's amount comes from: a question, and which number of its answer."""

    key: Key
    amount: int


@dataclass(slots=True)
class _Believed:
    """The places of which every flow was known at `beliefs`, all of them covered up to the block `upto`."""

    beliefs: tuple[Book, int, int]
    places: Mapping[str, frozenset[Place]]
    upto: int


@dataclass(slots=True)
class Flowing:
    """The places of one chain, found from its snapshots."""

    sources: dict[Owned, _Source] = field(default_factory=dict)
    _by_key: dict[Key, list[tuple[Owned, int]]] = field(default_factory=dict)
    _covered: dict[Owned, int] = field(default_factory=dict)
    _believed: _Believed | None = None

    def learn(self, snapshots: Iterable[Snapshot], ledger: Ledger) -> None:
        """Find where the amounts of snapshots at the ledger's tip come from."""
        for snapshot in snapshots:
            held = [line.holding for line in snapshot.lines if line.holding.status is Status.OK]
            new = [one for one in held if (snapshot.deployment, place_of(one)) not in self.sources]
            tokens = _tokens_by_owner(held) if new else {}
            for holding in new:
                source = _source_of(holding, tokens[holding.owner], ledger)
                if source is not None:
                    self._add((snapshot.deployment, place_of(holding)), source, ledger.book.tip)

    def _add(self, owned: Owned, source: _Source, tip: int) -> None:
        self.sources[owned] = source
        self._by_key.setdefault(source.key, []).append((owned, source.amount))
        self._covered[owned] = tip

    def flows(self, moved: Iterable[tuple[BlockRef, Moves]]) -> dict[str, list[Flow]]:
        """Of each deployment what came and went, in blocks that were just folded."""
        found: dict[str, list[Flow]] = {}
        for block, moves in moved:
            for track, amounts in moves.items():
                for (deployment, place), index in self._by_key.get(track.key, ()):
                    came, went = amounts[index]
                    found.setdefault(deployment, []).append(Flow(block, *place, came, went))
        return found

    def covered(self, ledger: Ledger) -> dict[str, list[Covered]]:
        """Of each deployment the places of which every flow up to the tip is known, and since when; each block once."""
        tip, last = ledger.book.tip, self._believed
        beliefs = (ledger.book, ledger.book.beliefs, len(self.sources))
        if last is not None and last.beliefs == beliefs and last.upto < tip:
            first, last.upto = last.upto + 1, tip
            return {key: [Covered(first, tip, places)] for key, places in last.places.items()}
        self._settle()
        spans: dict[str, dict[int, list[Place]]] = {}
        places: dict[str, list[Place]] = {}
        for owned, source in self.sources.items():
            track = ledger.book.tracks.get(source.key)
            if track is None or track.state is None or not track.trusted:
                continue
            first = max(track.opened, self._covered[owned]) + 1
            if first <= tip:
                spans.setdefault(owned[0], {}).setdefault(first, []).append(owned[1])
                self._covered[owned] = tip
            places.setdefault(owned[0], []).append(owned[1])
        self._believed = _Believed(beliefs, {key: frozenset(some) for key, some in places.items()}, tip)
        return {key: [Covered(n, tip, frozenset(some)) for n, some in by.items()] for key, by in spans.items()}

    def _settle(self) -> None:
        """Say of each place what was said of all that were believed."""
        last, self._believed = self._believed, None
        if last is not None:
            for key, places in last.places.items():
                self._covered.update(((key, place), last.upto) for place in places)

    def rewind(self, ancestor: BlockRef) -> None:
        """What lies above one of the chain's blocks is not covered any more."""
        self._settle()
        self._covered = {owned: min(number, ancestor.number) for owned, number in self._covered.items()}


def place_of(holding: Holding) -> Place:
    """What a holding's flows are of."""
    return holding.token, holding.owner, holding.bucket


def _tokens_by_owner(holdings: Iterable[Holding]) -> dict[Address, set[Address]]:
    tokens: dict[Address, set[Address]] = {}
    for holding in holdings:
        tokens.setdefault(holding.owner, set()).add(holding.token)
    return tokens


def _source_of(holding: Holding, tokens: Collection[Address], ledger: Ledger) -> _Source | None:
    """The folded answer that is the holding's amount. What is owed is with others: it does not come and go here."""
    if holding.bucket is Bucket.BORROWED:
        return None
    for source in _candidates(holding, tokens):
        track = ledger.book.tracks.get(source.key)
        state = track.state if track else None
        if isinstance(state, tuple) and state[source.amount] == holding.amount:
            return source
    return None


def _candidates(holding: Holding, tokens: Collection[Address]) -> Iterator[_Source]:
    balance = interface("erc20").balanceOf(holding.token, holding.owner)
    yield _Source((balance.target, balance.data), 0)
    reserves = interface("uniswap_v2_pair").getReserves(holding.owner)
    if len(tokens) == 2:
        yield _Source((reserves.target, reserves.data), sorted(tokens).index(holding.token))
