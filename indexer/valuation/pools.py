"""Stored pools of exchanges -> what stands on the other side of a token: a second word on its price. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.model import Bucket, Grade
from indexer.valuation.books import Book, Entry, Place, worth
from indexer.valuation.claims import Claims

CATEGORY = "dex"
SIDED: Mapping[str, Mapping[str, str]] = {"uniswap_v2": {"listing": "pairs"}}
"""Kinds whose pools keep both sides equal in value, and the parameters that they must not have otherwise."""

TRUSTED = (Grade.A, Grade.B)
"""Grades of prices that do not come from a pool themselves."""

Pool = tuple[Entry, ...]


def pools_of(claims: Claims, place: Place) -> list[Pool]:
    """The stored pools of exchanges that hold a token, each with everything of value in it."""
    owners = {(e.book.chain, e.line.holding.owner): None for e in claims.by_place.get(place, ()) if _in_pool(e)}
    pools = [tuple(entry for entry in claims.by_owner[owner] if _in_pool(entry)) for owner in owners]
    return [pool for pool in pools if len(pool) > 1]


def counter_liquidity(claims: Claims, place: Place) -> int | None:
    """What stands against a token in its stored pools, at prices that come from no pool; None without a pool."""
    pools = pools_of(claims, place)
    others = (e for pool in pools for e in pool if e.place != place and e.quote and e.quote.grade in TRUSTED)
    return worth(others) if pools else None


def pool_ratio(claims: Claims, place: Place) -> tuple[int, int] | None:
    """A token's side of its stored constant-product pools and the other side, in value; None where there is none."""
    sided = [pool for pool in pools_of(claims, place) if is_sided(pool[0].book)]
    mine = worth(entry for pool in sided for entry in pool if entry.place == place)
    return (mine, worth(e for pool in sided for e in pool) - mine) if sided else None


def is_sided(book: Book) -> bool:
    """Whether the pools of a deployment keep both sides equal in value."""
    needed = SIDED.get(book.kind)
    return needed is not None and all(book.params.get(name, value) == value for name, value in needed.items())


def _in_pool(entry: Entry) -> bool:
    return entry.book.category == CATEGORY and entry.line.holding.bucket is Bucket.BASE and entry.counts
