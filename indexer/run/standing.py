"""What stands since it was read: a deployment none of whose answers changed has the holdings that it had.

And where its quotes are the same, its snapshot is the same, but for the block. Only a ledger can tell; what depends on
more than answers is never kept. Never asks a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from indexer.model import Address, BlockRef, Found, Quote, Snapshot, Token
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.source import Key
from indexer.run.floor import floor_of
from indexer.run.program import Deployment
from indexer.run.reading import Reading
from indexer.valuation.backing import depths_of


@dataclass(frozen=True, slots=True)
class Market:
    """What tokens are worth at a block, what stands behind that where it is a market, what they say of themselves."""

    at: BlockRef
    quotes: Mapping[Address, Quote]
    tokens: Mapping[Address, Token]
    depths: Mapping[Address, Fraction]

    @classmethod
    def of(cls, at: BlockRef, quotes: Mapping[Address, Quote], tokens: Mapping[Address, Token]) -> Market:
        """With the depths of these quotes."""
        return cls(at, quotes, tokens, depths_of(quotes))


@dataclass(frozen=True, slots=True)
class _Stood:
    """A reading, the questions that it came from, and the snapshot that was made of it in this market."""

    reading: Reading
    keys: Sequence[Key]
    snapshot: Snapshot
    market: Mapping[Address, tuple[Quote | None, Token | None]]


@dataclass(slots=True)
class Standing:
    """The last reading and snapshot of each deployment that was read through one ledger."""

    ledger: Ledger
    _last: dict[str, _Stood] = field(default_factory=dict)
    _quotes: dict[Address, Quote] = field(default_factory=dict)

    def readings(
        self, due: Iterable[Deployment], found: Mapping[str, Sequence[Found]], at: BlockRef
    ) -> dict[str, Reading]:
        """What contracts say at a block, of the deployments that say what they said last; the others must be asked."""
        return {
            d.key: last.reading
            for d in due
            if (last := self._last.get(d.key))
            and self.ledger.unchanged(last.keys, last.snapshot.at, at)
            and not _found_between(found.get(d.key, ()), last.snapshot.at, at)
        }

    def steady(self, market: Market) -> Market:
        """The same market, where each quote that says what it said before is the same object: that compares at once."""
        for token, quote in market.quotes.items():
            if self._quotes.get(token) != quote:
                self._quotes[token] = quote
        return replace(market, quotes={token: self._quotes[token] for token in market.quotes})

    def snapshots(self, readings: Mapping[str, Reading], market: Market) -> dict[str, Snapshot]:
        """Of the readings that stood: their last snapshot, at another block, where the market did not move either."""
        return {
            key: replace(last.snapshot, at=market.at)
            for key, reading in readings.items()
            if (last := self._last.get(key)) and last.reading is reading and last.market == _of(market, last.market)
        }

    def keep(
        self,
        due: Iterable[Deployment],
        readings: Mapping[str, Reading],
        snapshots: Mapping[str, Snapshot],
        asked: Mapping[object, Sequence[Key]],
        market: Market,
    ) -> None:
        """Remember snapshots that are not those of the block before, and what they were made of.

        Only where every answer was the ledger's own: one that was read may be another than what logs lead to. Not of a
        floor, which is judged anew every day, nor where something was discovered that is not stored yet.
        """
        for deployment in due:
            key = deployment.key
            reading, last = readings[key], self._last.pop(key, None)
            if reading.gap or reading.new or floor_of(deployment):
                continue
            if last is None or last.reading is not reading:
                if not self.ledger.unchanged(asked[key], market.at, market.at):
                    continue
                held = {holding.token for holding in reading.holdings}
                self._last[key] = _Stood(reading, asked[key], snapshots[key], _of(market, held))
            else:
                self._last[key] = replace(last, snapshot=snapshots[key], market=_of(market, last.market))


def _of(market: Market, tokens: Iterable[Address]) -> dict[Address, tuple[Quote | None, Token | None]]:
    return {token: (market.quotes.get(token), market.tokens.get(token)) for token in tokens}


def _found_between(found: Iterable[Found], a: BlockRef, b: BlockRef) -> bool:
    """Whether something was discovered that is read at only one of two blocks."""
    between = range(min(a.number, b.number) + 1, max(a.number, b.number) + 1)
    return any(item.block in between for item in found)
