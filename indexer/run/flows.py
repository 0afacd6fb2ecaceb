"""What moved in a ledger -> gross flows of the places that deployments hold, and in which blocks they are all known.

A place's flows are those of the answer its amount was read from: a balance, or a pair's reserves. A place whose amount
comes from anything else, or from an answer that is not folded, has none and is not covered. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from indexer.model import Address, BlockRef, Bucket, Holding, Snapshot, Status
from indexer.reads.abi import interface
from indexer.reads.ledger.book import Moves
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.source import Key
from indexer.store.base import Covered, Gross, Place

Owned: TypeAlias = tuple[str, Place]
"""A place, and the key of the deployment that holds it."""

BlockFlows: TypeAlias = dict[str, list[tuple[BlockRef, Gross]]]
"""Of each deployment what came and went, by block."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a place's amount comes from: a question, and which number of its answer."""

    key: Key
    amount: int


@dataclass(slots=True)
class Flowing:
    """The places of one chain, found from its snapshots.

    `_upto`: the block up to which was told what is covered. `_covering`: what goes on to be, by deployment. `_covered`:
    of any other place the block up to which nothing more is to be told.
    """

    sources: dict[Owned, _Source] = field(default_factory=dict)
    _by_key: dict[Key, list[tuple[Owned, int]]] = field(default_factory=dict)
    _places: dict[str, list[Place]] = field(default_factory=dict)
    _new: set[str] = field(default_factory=set)
    _upto: int = -1
    _covering: dict[str, frozenset[Place]] = field(default_factory=dict)
    _covered: dict[Owned, int] = field(default_factory=dict)

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
        self._places.setdefault(owned[0], []).append(owned[1])
        self._covered[owned] = tip
        self._new.add(owned[0])

    def flows(self, moved: Iterable[tuple[BlockRef, Moves]]) -> BlockFlows:
        """Of each deployment what came and went, in blocks that were just folded."""
        found: BlockFlows = {}
        for block, moves in moved:
            here: dict[str, dict[Place, tuple[int, int]]] = {}
            for track, amounts in moves.items():
                for (deployment, place), index in self._by_key.get(track.key, ()):
                    here.setdefault(deployment, {})[place] = amounts[2 * index], amounts[2 * index + 1]
            for deployment, gross in here.items():
                found.setdefault(deployment, []).append((block, gross))
        return found

    def covered(self, ledger: Ledger) -> tuple[dict[str, list[Covered]], dict[str, frozenset[Place]]]:
        """What is to be told at the tip: where other places are covered than before, since when; and which go on to be.

        Of any other deployment the places that went on to be covered still do, up to the tip.
        """
        turned, ledger.book.turned = ledger.book.turned, set()
        changed = self._new | {owned[0] for key in turned for owned, _ in self._by_key.get(key, ())}
        self._new = set()
        tip, spans, covering = ledger.book.tip, dict[str, list[Covered]](), dict[str, frozenset[Place]]()
        for deployment in sorted(changed):
            before = self._covering.get(deployment, frozenset())
            now = frozenset(p for p in self._places[deployment] if self._known((deployment, p), ledger))
            if now != before:
                spans[deployment] = self._spans(deployment, before, now, ledger)
                self._covering[deployment] = covering[deployment] = now
        self._upto = tip
        return {key: some for key, some in spans.items() if some}, covering

    def _known(self, owned: Owned, ledger: Ledger) -> bool:
        return ledger.amounts_known(self.sources[owned].key)

    def _spans(self, deployment: str, before: frozenset[Place], now: frozenset[Place], ledger: Ledger) -> list[Covered]:
        """The blocks up to the tip that are covered, and were not told to be."""
        tip, by_first = ledger.book.tip, dict[int, list[Place]]()
        for place in before - now:
            self._covered[deployment, place] = self._upto
        for place in now:
            owned = deployment, place
            told = self._upto if place in before else self._covered[owned]
            by_first.setdefault(max(ledger.book.tracks[self.sources[owned].key].opened, told) + 1, []).append(place)
        return [Covered(first, tip, frozenset(some)) for first, some in sorted(by_first.items()) if first <= tip]

    def rewind(self, ancestor: BlockRef) -> None:
        """What lies above one of the chain's blocks is not covered any more."""
        self._upto = min(self._upto, ancestor.number)
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
        if track and isinstance(track.state, tuple) and track.state[source.amount] == holding.amount:
            return _Source(track.key, source.amount)
    return None


def _candidates(holding: Holding, tokens: Collection[Address]) -> Iterator[_Source]:
    balance = interface("erc20").balanceOf(holding.token, holding.owner)
    yield _Source((balance.target, balance.data), 0)
    reserves = interface("uniswap_v2_pair").getReserves(holding.owner)
    if len(tokens) == 2:
        yield _Source((reserves.target, reserves.data), sorted(tokens).index(holding.token))
