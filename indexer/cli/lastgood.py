"""The last good price of a token whose price is held: shown beside it with its age, never in its place.

From the store, or from the earlier answers of the token's own feed. No total is ever made of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.cli import exact
from indexer.cli.text import amount_text, duration, iso
from indexer.model import Address, BlockRef, Quote, Snapshot
from indexer.units import PRICE_DECIMALS, to_price

if TYPE_CHECKING:
    from indexer.pricing.compose import Priced
    from indexer.store.base import Store


@dataclass(frozen=True, slots=True)
class LastGood:
    """USD of one whole token, scaled as a quote's; when the source said so, and where it stands now."""

    price: int
    updated_at: int
    source: str

    def text(self, at: BlockRef) -> str:
        """`last good $1,987.65, 3h 4m old (2026-…, stored at block 17)`: old at the block `at`."""
        age = duration(at.timestamp - self.updated_at)
        value = amount_text(self.price, PRICE_DECIMALS)
        return f"last good ${value}, {age} old ({iso(self.updated_at)}, {self.source})"

    def json(self, at: BlockRef) -> exact.Json:
        """The same, exact."""
        return {
            "usd": exact.price(self.price),
            "updated_at": self.updated_at,
            "age_s": at.timestamp - self.updated_at,
            "source": self.source,
        }


def from_feed(found: Priced) -> LastGood:
    """What a feed said in an earlier round, or in one that is too old now."""
    (step,) = found.steps
    return LastGood(to_price(found.price), step.updated_at or 0, f"{found.route} round {step.round}")


async def from_store(store: Store, chain: str, token: Address, at: BlockRef) -> LastGood | None:
    """The last price of a token that was stored before a block."""
    found = await store.last_priced(chain, token, at.number)
    return _stored(*found) if found else None


async def of_snapshot(store: Store, chain: str, one: Snapshot) -> Mapping[Address, LastGood]:
    """The last good price of each token whose quote a snapshot holds back, where the store has one."""
    held = [token for token, quote in one.quotes.items() if quote.price is None]
    found = {token: await from_store(store, chain, token, one.at) for token in held}
    return {token: good for token, good in found.items() if good}


def _stored(quote: Quote, at: BlockRef) -> LastGood | None:
    return None if quote.price is None else LastGood(quote.price, quote.time(at), f"stored at block {at.number}")
