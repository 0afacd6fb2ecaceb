"""Snapshots of many deployments at one moment, as books that can be added up: each line with its deployment.

Only what is stored is looked at: a line counts with the value that it was stored with. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from indexer.model import Address, Bucket, Line, Quote, Snapshot, Status

Place = tuple[str, Address]
"""A token on its chain."""

Position = tuple[str, Address, Address]
"""A balance, whoever counts it: chain, owner, token."""

OURS = (Bucket.BASE, Bucket.BORROWED, Bucket.STAKING, Bucket.POOL2)
"""Buckets that users filled; `treasury` and `own` are the protocol's, `vesting` is nobody's yet."""


@dataclass(frozen=True, slots=True)
class Book:
    """One deployment's snapshot, and what it belongs to. `params` are the adapter's, as the store keeps them."""

    protocol: str
    chain: str
    category: str
    snapshot: Snapshot
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The deployment's key."""
        return self.snapshot.deployment

    @property
    def kind(self) -> str:
        """The adapter kind that read it."""
        return self.snapshot.adapter.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a book."""

    book: Book
    line: Line

    @property
    def place(self) -> Place:
        """What is held."""
        return self.book.chain, self.line.holding.token

    @property
    def receipt(self) -> Place | None:
        """The token that is a claim on it."""
        receipt = self.line.holding.receipt
        return None if receipt is None else (self.book.chain, receipt)

    @property
    def position(self) -> Position:
        """The balance it is."""
        return self.book.chain, self.line.holding.owner, self.line.holding.token

    @property
    def usd(self) -> int:
        """Its value; 0 where it has none (then `counts` is False, so that it is never taken for nothing)."""
        return self.line.usd or 0

    @property
    def counts(self) -> bool:
        """Whether it is in its snapshot's totals."""
        return self.line.status is Status.OK and self.line.usd is not None

    @property
    def quote(self) -> Quote | None:
        """The price it was valued at."""
        return self.book.snapshot.quotes.get(self.line.holding.token)

    @property
    def symbol(self) -> str:
        """The token's symbol, or its address."""
        token = self.book.snapshot.tokens.get(self.line.holding.token)
        return (token.symbol if token else "") or self.line.holding.token


def entries_of(books: Iterable[Book]) -> list[Entry]:
    """Every line of every book, in the order of deployments; lines that do not apply yet are nobody's."""
    return [
        Entry(book, line)
        for book in sorted(books, key=lambda book: book.key)
        for line in book.snapshot.lines
        if line.status is not Status.NOT_APPLICABLE
    ]


def worth(entries: Iterable[Entry]) -> int:
    """What entries are worth together, in USD of `units.USD_DECIMALS`."""
    return sum(entry.usd for entry in entries if entry.counts)
