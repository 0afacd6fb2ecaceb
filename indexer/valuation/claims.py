"""Who holds whose receipt: books at one moment -> what is counted twice, and the plain tokens behind it all.

A holding whose token is a receipt of a tracked deployment claims that deployment's holdings. Nothing is flagged as a
whole: overlaps are known position by position. Pure and exact; every split gives back the sum that was split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

from indexer.model import Address, Bucket
from indexer.valuation.books import OURS, Book, Entry, Place, Position, entries_of, worth

K = TypeVar("K")

SHARES = frozenset({"erc4626", "rate", "uniswap_v2_lp", "solidly_lp", "curve_lp", "balancer_weighted"})
"""Kinds of routes that price a share of something else: a token priced by one of them is not a plain token."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One scope (a protocol, a category, a chain, all) under each way of counting, in USD of `units.USD_DECIMALS`.

    gross >= base >= base - inner >= net >= redeemable. `inner` is what of the base the scope counts twice in itself.
    `exposure` sums to base - inner exactly. `left_out` entries have no value and are in none of them.
    """

    gross: int
    base: int
    inner: int
    net: int
    redeemable: int
    exposure: Mapping[Place, int]
    left_out: int

    @property
    def multiplier(self) -> Fraction | None:
        """How many dollars are shown for each that could be redeemed: gross / redeemable."""
        return Fraction(self.gross, self.redeemable) if self.redeemable else None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of `holder`'s base, `usd` is a claim on what `issuer` counts: directly (`layer` 1), or behind other claims."""

    holder: str
    issuer: str
    layer: int
    usd: int


@dataclass(frozen=True, slots=True)
class Shared:
    """One balance that several deployments count. `usd` is what all but the largest of them add."""

    position: Position
    symbol: str
    deployments: tuple[str, ...]
    usd: int


class Claims:
    """The graph of claims over books of one moment."""

    def __init__(self, books: Iterable[Book]) -> None:
        self.books = tuple(sorted(books, key=lambda book: book.key))
        self.entries = tuple(entries_of(self.books))
        self.behind = _behind(self.entries)
        self._ring = _rings(self.behind)
        self._counted_by = _counted_by(self.entries)

    @cached_property
    def by_place(self) -> Mapping[Place, tuple[Entry, ...]]:
        """Entries by what is held."""
        return _grouped(self.entries, lambda entry: entry.place)

    @cached_property
    def by_owner(self) -> Mapping[tuple[str, Address], tuple[Entry, ...]]:
        """Entries by chain and who holds."""
        return _grouped(self.entries, lambda entry: (entry.book.chain, entry.line.holding.owner))

    def is_receipt(self, entry: Entry) -> bool:
        """Whether its token is a claim on a tracked deployment."""
        return entry.place in self.behind

    def is_repeated(self, entry: Entry) -> bool:
        """Whether the same balance counts for another deployment: the one that gives it the most value."""
        return self._counted_by.get(entry.position, entry) is not entry

    def is_plain(self, entry: Entry) -> bool:
        """Whether its token is neither a receipt nor priced as a share of something else."""
        return not self.is_receipt(entry) and not is_share(entry)

    def issuers(self, place: Place) -> list[str]:
        """The deployments that a receipt is a claim on."""
        return list(dict.fromkeys(entry.book.key for entry in self.behind.get(place, ())))

    def measure(self, scope: Callable[[Book], bool] = lambda _: True) -> Measures:
        """The books of a scope, measured."""
        inside = [entry for entry in self.entries if scope(entry.book)]
        base = [entry for entry in inside if entry.line.holding.bucket is Bucket.BASE]
        once = [e for e in base if not self._within(e, scope)]
        net = [e for e in base if not self.is_receipt(e) and not self.is_repeated(e)]
        return Measures(
            gross=worth(e for e in inside if e.line.holding.bucket in OURS),
            base=worth(base),
            inner=worth(base) - worth(once),
            net=worth(net),
            redeemable=worth(e for e in net if self.is_plain(e)),
            exposure=self.exposure(once),
            left_out=sum(not entry.counts for entry in inside),
        )

    def exposure(self, entries: Iterable[Entry]) -> dict[Place, int]:
        """The plain tokens behind entries, by value; what cannot be looked through stays on its own token.

        A claim is spread over the base holdings behind it in proportion to their value, each rounded down, and what
        is left over goes to the largest. Tokens that claim each other in a circle do not count as weights for each
        other; what has nothing else behind it stays on the receipt.
        """
        found: dict[Place, int] = {}
        for layer in self.layers(entries):
            for place, usd in layer.settled.items():
                found[place] = found.get(place, 0) + usd
        return {place: usd for place, usd in found.items() if usd}

    def layers(self, entries: Iterable[Entry]) -> Iterable[Layer]:
        """What stands behind entries, one claim deeper each time. Ends: no claim leads back into its circle."""
        open_: dict[Place, int] = {}
        for entry in entries:
            if entry.counts:
                open_[entry.place] = open_.get(entry.place, 0) + entry.usd
        while open_:
            layer = self._layer(open_)
            yield layer
            open_ = {}
            for entry, usd in layer.claimed:
                open_[entry.place] = open_.get(entry.place, 0) + usd

    def overlaps(self, name: Callable[[Book], str]) -> list[Overlap]:
        """Each holder's claims on each issuer, the largest first; both are what `name` makes of a book."""
        found: dict[tuple[str, str, int], int] = {}
        for holder, entries in self._base_by(name).items():
            for depth, layer in enumerate(self.layers(e for e in entries if self.is_receipt(e)), start=1):
                for claimed, usd in layer.claimed:
                    pair = holder, name(claimed.book), depth
                    found[pair] = found.get(pair, 0) + usd
        rows = [Overlap(*pair, usd) for pair, usd in found.items() if usd]
        return sorted(rows, key=lambda row: (row.holder, row.layer, -row.usd, row.issuer))

    def shared(self) -> list[Shared]:
        """Balances that more than one deployment counts, the most valuable first."""
        by_position: dict[Position, list[Entry]] = {}
        for entry in self.entries:
            if entry.line.holding.bucket is not Bucket.BORROWED:
                by_position.setdefault(entry.position, []).append(entry)
        rows = [_shared(position, group) for position, group in by_position.items() if len(_keys(group)) > 1]
        return sorted(rows, key=lambda row: (-row.usd, row.position))

    def _within(self, entry: Entry, scope: Callable[[Book], bool]) -> bool:
        """Whether a scope counts the same elsewhere: as what the entry claims, or as the same balance."""
        if any(scope(claimed.book) for claimed in self.behind.get(entry.place, ())):
            return True
        other = self._counted_by.get(entry.position, entry)
        return other is not entry and scope(other.book)

    def _base_by(self, name: Callable[[Book], str]) -> dict[str, list[Entry]]:
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.line.holding.bucket is Bucket.BASE:
                groups.setdefault(name(entry.book), []).append(entry)
        return groups

    def _layer(self, open_: Mapping[Place, int]) -> Layer:
        settled: dict[Place, int] = {}
        claimed: list[tuple[Entry, int]] = []
        for place, usd in sorted(open_.items()):
            weights = self._weights(place)
            if weights:
                parts = split(usd, [weight for _, weight in weights])
                claimed += zip((entry for entry, _ in weights), parts, strict=True)
            else:
                settled[place] = usd
        return Layer(tuple(claimed), settled)

    def _weights(self, place: Place) -> list[tuple[Entry, int]]:
        """What a claim is spread over. Empty where the token is no receipt, or nothing of value is behind it."""
        ring = self._ring.get(place)
        behind = [e for e in self.behind.get(place, ()) if ring is None or self._ring.get(e.place) != ring]
        weighed = [(entry, entry.usd) for entry in behind if entry.counts and entry.usd]
        if not weighed and len({entry.place for entry in behind}) == 1:
            return [(behind[0], 1)]
        return weighed


@dataclass(frozen=True, slots=True)
class Layer:
    """One step behind claims: what was claimed, with its part of the value, and what is no claim and stays."""

    claimed: tuple[tuple[Entry, int], ...]
    settled: Mapping[Place, int]


def split(usd: int, weights: Sequence[int]) -> list[int]:
    """A sum spread in proportion: each part rounded down, the rest on the largest (the first of equals). Exact."""
    total = sum(weights)
    parts = [usd * weight // total for weight in weights]
    parts[max(range(len(weights)), key=weights.__getitem__)] += usd - sum(parts)
    return parts


def is_share(entry: Entry) -> bool:
    """Whether its price says that it is a share of something else, tracked or not."""
    quote = entry.quote
    return quote is not None and quote.route.partition(" ")[0].partition(":")[0] in SHARES


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], K]) -> dict[K, tuple[Entry, ...]]:
    groups: dict[K, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return {name: tuple(group) for name, group in groups.items()}


def _behind(entries: Iterable[Entry]) -> dict[Place, tuple[Entry, ...]]:
    """The holdings that each receipt token claims; a debt is nobody's claim."""
    found: dict[Place, list[Entry]] = {}
    for entry in entries:
        if entry.receipt is not None and entry.line.holding.bucket is not Bucket.BORROWED:
            found.setdefault(entry.receipt, []).append(entry)
    return {place: tuple(group) for place, group in found.items()}


def _counted_by(entries: Iterable[Entry]) -> dict[Position, Entry]:
    """Whose each balance is: of the deployment that gives it the most value, the first by key of equals."""
    most: dict[Position, Entry] = {}
    for entry in entries:
        counts = entry.counts and entry.line.holding.bucket is Bucket.BASE
        if counts and entry.usd > most.setdefault(entry.position, entry).usd:
            most[entry.position] = entry
    return most


def _shared(position: Position, group: Sequence[Entry]) -> Shared:
    counted = [entry for entry in group if entry.counts]
    return Shared(position, group[0].symbol, _keys(group), worth(counted) - max((e.usd for e in counted), default=0))


def _keys(group: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.book.key for entry in group))


def _rings(behind: Mapping[Place, Sequence[Entry]]) -> dict[Place, int]:
    """Receipts that claim each other in a circle, by the number of their circle (Kosaraju's two walks)."""
    leads = {place: [e.place for e in group if e.place in behind] for place, group in behind.items()}
    back: dict[Place, list[Place]] = {place: [] for place in behind}
    for place, targets in leads.items():
        for target in targets:
            back[target].append(place)
    ring: dict[Place, int] = {}
    for number, start in enumerate(reversed(_finished(leads))):
        if start not in ring:
            ring.update(dict.fromkeys(_reached(start, back, ring), number))
    size = Counter(ring.values())
    return {place: number for place, number in ring.items() if size[number] > 1 or place in leads[place]}


def _finished(leads: Mapping[Place, Sequence[Place]]) -> list[Place]:
    """Nodes in the order in which a depth-first walk leaves them."""
    done: dict[Place, None] = {}
    seen: set[Place] = set()
    for root in sorted(leads):
        stack = [(root, iter(leads[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            place, targets = stack[-1]
            following = next((target for target in targets if target not in seen), None)
            if following is None:
                done[place] = None
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(leads[following])))
    return list(done)


def _reached(start: Place, back: Mapping[Place, Sequence[Place]], taken: Mapping[Place, int]) -> set[Place]:
    """What leads to a node, and is not taken yet."""
    found, waiting = {start}, [start]
    while waiting:
        new = {place for place in back[waiting.pop()] if place not in taken} - found
        found |= new
        waiting.extend(new)
    return found
