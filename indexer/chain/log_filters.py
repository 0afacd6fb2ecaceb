"""Log queries of single blocks -> the filters that are sent: by contract, or by event alone, whichever weighs less.

The filter of a thousand contracts is a hundred kilobytes with every block; a block's logs of the same events, of any
contract, may be less, or far more. What they weigh is learned from the blocks seen. Asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from indexer.chain.base import Request
from indexer.chain.log_sieve import ANY_BLOCK, Sieve, Sift, first_topics, strictly
from indexer.chain.log_split import chunks
from indexer.chain.logs import filter_of
from indexer.model import Hash, LogQuery

MOST_ADDRESSES = 500
MOST_TOPICS = 1_000

LIGHT_BYTES = 8_192
"""A filter of less is always sent as it is."""

AHEAD_BYTES = 65_536
"""And one of less also for a block that is perhaps not there."""

REQUEST_BYTES = 131_072
"""What one more request may weigh. Logs of whatever contract show of which block an answer is; a filter that finds
nothing may leave it open, and then the block is asked for again by its hash."""

LOG_BYTES = 650
"""Of a log in JSON: a transfer's."""

PROBE_EVERY = 500
"""Blocks after which it is looked again whether a block's logs weigh less than the filter."""

PROVE_EVERY = 500
"""Of so many blocks asked for by event, one is asked for whole: its logs can be proven complete."""

ENOUGH_PROOFS = 3
"""So many blocks whose logs made up their filters say that on this chain they do."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one request asks for, encoded once, and how its answer is read. `query` is what the answer must hold."""

    query: LogQuery
    sift: Sift
    filter: Mapping[str, orjson.Fragment]
    weight: int

    @classmethod
    def of(cls, query: LogQuery, sift: Sift | None = None) -> Part:
        """Without `sift`, an answer with other logs than the query finds is refused."""
        encoded = {key: orjson.dumps(value) for key, value in filter_of(query).items()}
        fragments = {key: orjson.Fragment(value) for key, value in encoded.items()}
        return cls(query, sift or strictly(query), fragments, sum(map(len, encoded.values())))

    def of_block(self, block_hash: Hash) -> Request:
        """Its logs of one block, by hash (EIP-234)."""
        return Request("eth_getLogs", ({"blockHash": block_hash, **self.filter},))

    def ahead(self, first: int, last: int) -> Request:
        """Its logs of blocks that may not be there yet."""
        return Request("eth_getLogs", ({"fromBlock": hex(first), "toBlock": hex(last), **self.filter},), optional=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """The parts that a block is asked for by. `wide`: other contracts' logs come too; `whole`: all logs come."""

    parts: tuple[Part, ...]
    wide: bool = False
    whole: bool = False

    @property
    def weight(self) -> int:
        """Bytes that are sent with each block."""
        return sum(part.weight for part in self.parts)

    @property
    def cheap(self) -> bool:
        """Whether it may be sent for a block that is perhaps not there."""
        return self.wide or self.weight <= AHEAD_BYTES


class Filters:
    """The ways to ask a block for what several queries find: `narrow`, `wide` by first topics, `whole`.

    Where few contracts are named, `narrow` asks in one part for all that any query may want of any of them.
    Where a query takes any event of some contracts, `wide` asks for all logs as well, in one part: any of them shows of
    which block they are, while a part of those contracts alone would be empty as a rule, and show nothing.
    """

    def __init__(self, queries: Sequence[LogQuery]) -> None:
        events = tuple(sorted({Hash(event) for query in queries for event in first_topics(query)}))
        topics = (events,) if all(first_topics(query) for query in queries) else ()
        sift = Sieve(queries).sift
        emitters = tuple(sorted({emitter for query in queries for emitter in query.addresses}))
        if all(query.addresses for query in queries) and len(emitters) <= MOST_ADDRESSES:
            self.narrow = Selection((Part.of(LogQuery(emitters, topics, 0, ANY_BLOCK), sift),))
        else:
            self.narrow = Selection(tuple(Part.of(part) for query in queries for part in _chunks(query)))
        by_event = Part.of(LogQuery((), topics, 0, ANY_BLOCK), sift)
        self.wide = Selection((by_event,), wide=True) if events else self.narrow
        self.whole = Selection((Part.of(LogQuery((), (), 0, ANY_BLOCK), sift),), wide=True, whole=True)


class Choice:
    """Which way the next block is asked for. Knows what other contracts' logs weighed in the blocks before."""

    def __init__(self) -> None:
        self._foreign_bytes: float | None = None
        self._until_probe = 0
        self._until_proof = PROVE_EVERY
        self._provable, self._proven = True, 0

    def pick(self, filters: Filters, blocks: int = 1) -> Selection:
        """The lightest way for so many blocks; every now and then one that teaches or proves something."""
        least = filters.narrow.weight
        if least <= LIGHT_BYTES or not filters.wide.wide:
            return filters.narrow
        self._until_probe -= 1
        is_light = self._foreign_bytes is not None and self._foreign_bytes * blocks <= least + REQUEST_BYTES
        if not is_light and (blocks > 1 or self._until_probe > 0):
            return filters.narrow
        self._until_proof -= 1
        if self._until_proof <= 0 and self._provable and blocks == 1:
            self._until_proof = PROVE_EVERY
            return filters.whole
        return filters.wide

    def learn(self, selection: Selection, skipped: int, blocks: int, complete: bool) -> None:
        """How many logs of others came with so many blocks; and whether one's logs made up its header's filter."""
        if selection.whole:
            self._proven += complete
        elif selection.wide:
            seen, known = skipped * LOG_BYTES / blocks, self._foreign_bytes
            steady = known if known is not None and self._until_probe > 0 else seen
            self._foreign_bytes = steady + (seen - steady) / 8
            self._until_probe = PROBE_EVERY

    def refused(self, selection: Selection) -> None:
        """The endpoint answers only where contracts are named: not asked otherwise for a while."""
        if selection.whole:
            self.unproven()
        else:
            self._foreign_bytes, self._until_probe = float("inf"), PROBE_EVERY

    def unproven(self) -> bool:
        """A whole block's logs do not make up its filter: is that strange? Where it was never otherwise, it is not
        looked at again."""
        self._provable = self._proven >= ENOUGH_PROOFS
        return self._provable


def _chunks(query: LogQuery) -> Iterator[LogQuery]:
    return chunks(query, MOST_ADDRESSES, MOST_TOPICS)
