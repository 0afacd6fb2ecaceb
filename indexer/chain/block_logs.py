"""Several log queries over blocks known by hash -> their logs, each once, none left out as far as can be told.

A single block is one request: its header and its logs, both by its hash; or none, where both came with the look at the
head. Where its bloom filter allows logs and none came, another endpoint is asked too. Never decodes a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.chain.base import Replies, Request, Transport
from indexer.chain.blocks import header_request, parse_header
from indexer.chain.bloom import bloom_of, may_contain
from indexer.chain.log_parse import Matcher, merge
from indexer.chain.log_split import chunks
from indexer.chain.logs import LogReader, check_hashes, filter_of
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import BlockRef, Hash, Log, LogQuery

MOST_ADDRESSES = 500
MOST_TOPICS = 1_000


@dataclass(frozen=True, slots=True)
class _Part:
    """A query that one request can hold, with what every block needs of it again."""

    query: LogQuery
    matcher: Matcher
    filter: Mapping[str, Any]

    @classmethod
    def of(cls, query: LogQuery) -> _Part:
        return cls(query, Matcher(query), filter_of(query))

    def request(self, block_hash: Hash) -> Request:
        """Its logs of one block, by hash (EIP-234)."""
        return Request("eth_getLogs", ({"blockHash": block_hash, **self.filter},))


class BlockLogs:
    """Logs of one chain's blocks. A follower's `Rider` for as long as blocks are asked for one by one."""

    def __init__(self, transport: Transport, reader: LogReader) -> None:
        self._transport, self._reader = transport, reader
        self._known: tuple[Sequence[LogQuery], list[_Part]] = ((), [])
        self._singly, self._refused = False, False
        self._hinted: Hash | None = None
        self._ahead: tuple[Sequence[_Part], BlockRef, Replies] | None = None

    def ahead(self, block_hash: Hash) -> list[Request]:
        """What was asked of the last block, of another; nothing after that did not come, or came as an error."""
        if self._refused or not self._singly:
            return []
        self._refused, self._hinted = True, block_hash
        return [part.request(block_hash) for part in self._known[1]]

    def came(self, block: BlockRef, replies: Replies) -> None:
        """Keep the header and these logs for when the block is asked for; those of another block are of no use."""
        self._refused = any(isinstance(answer, EndpointError) for answer in replies.items)
        fits = block.hash == self._hinted and not self._refused
        self._ahead = (self._known[1], block, replies) if fits else None

    async def __call__(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        """All logs of blocks that follow one another, whatever range the queries have.

        Raises WrongFork, ChainUnavailable, EndpointError.
        """
        if not queries:
            return []
        self._singly = len(blocks) == 1
        self._refused &= self._singly
        if len(blocks) > 1:
            return await self._range(queries, blocks)
        if self._known[0] is not queries:
            parts = [part for query in queries for part in chunks(query, MOST_ADDRESSES, MOST_TOPICS)]
            self._known = queries, [_Part.of(part) for part in parts]
        return await self._one(self._known[1], blocks[0])

    async def _range(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        first, last = blocks[0].number, blocks[-1].number
        ranged = [replace(query, from_block=first, to_block=last) for query in queries]
        return await self._reader.fetch_all(ranged, blocks[-1], known=blocks)

    async def _one(self, parts: Sequence[_Part], at: BlockRef, avoid: str | None = None) -> list[Log]:
        replies = self._had(parts, at) or await self._transport.send(
            [header_request(at.hash), *(part.request(at.hash) for part in parts)], avoid=avoid
        )
        document, *answers = replies.items
        if document is None:
            raise WrongFork(f"block {at} left the chain before its logs were read", chain=self._transport.name)
        if any(isinstance(answer, EndpointError) for answer in replies.items):
            return await self._range([part.query for part in parts], [at])
        try:
            parse_header(document, at.hash)
            logs = merge([part.matcher.parse(answer) for part, answer in zip(parts, answers, strict=True)])
            check_hashes(logs, [at])
            complete = bool(logs) or not _perhaps(document, [part.query for part in parts])
        except EndpointError as error:
            if error.verdict is not Verdict.MALFORMED or avoid is not None:
                raise
            self._transport.distrust(replies.endpoint, error.message)
            return await self._one(parts, at, avoid=replies.endpoint)
        if complete or avoid is not None:
            return logs
        return await self._one(parts, at, avoid=replies.endpoint)

    def _had(self, parts: Sequence[_Part], at: BlockRef) -> Replies | None:
        """What came ahead, if it is of this block, and all that is asked now. It serves once."""
        ahead, self._ahead = self._ahead, None
        return ahead[2] if ahead and ahead[0] is parts and ahead[1] == at else None


def _perhaps(document: Any, parts: Sequence[LogQuery]) -> bool:
    """Whether the block's filter allows a log that was asked for."""
    bloom = bloom_of(document)
    return any(may_contain(bloom, part) for part in parts)
