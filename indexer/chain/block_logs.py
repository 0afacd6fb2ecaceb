"""Several log queries over blocks known by hash -> their logs, each once, none left out as far as can be told.

A single block is one request: its header and its logs, both by its hash; or none, where both came with the look at the
head. Where no logs came and the header's bloom filter is for some, or a whole block's logs do not make it up, another
endpoint is asked too. Never decodes a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from indexer.chain.base import Replies, Request, Transport
from indexer.chain.blocks import header_request, parse_header
from indexer.chain.log_answers import Answers, Found, sort_out
from indexer.chain.log_filters import Choice, Filters, Selection
from indexer.chain.logs import LogReader
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import BlockRef, Hash, Log, LogQuery

FEW_BLOCKS = 8
"""Logs are asked for ahead where no more blocks than this are wanted at once: they are followed as they come."""

MOST_AHEAD = 64
LONGEST_PAUSE = 256
"""Looks at the head without logs, at most, after those that came with one were of no use."""

SAMPLE_EVERY = 16
"""Of so many blocks from which nothing came, though filters too full to tell allow it, one is asked for elsewhere."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What one endpoint says of a block."""

    found: Found
    endpoint: str


class BlockLogs:
    """Logs of one chain's blocks. A follower's `Rider` for as long as blocks are asked for as they come."""

    def __init__(self, transport: Transport, reader: LogReader) -> None:
        self._transport, self._reader = transport, reader
        self._choice = Choice()
        self._queries: Sequence[LogQuery] = ()
        self._filters = Filters(())
        self._few = self._is_hinted = False
        self._filters_are_true: bool | None = None
        self._failures = self._pause = self._unsampled = 0
        self._asked: Selection | None = None
        self._came: dict[Hash, Found] = {}

    def ahead(self, first: int, last: int, block_hash: Hash | None = None) -> list[Request]:
        """Logs of blocks that may be the next; none where that weighs too much, and for a while after it failed."""
        self._pause -= 1
        if not self._few or self._pause > 0 or last - first >= MOST_AHEAD:
            return []
        again = self._asked if first == last else None
        asked = again or self._choice.pick(self._filters, last - first + 1)
        if block_hash is None and first == last and not asked.cheap:
            return []
        self._asked, self._is_hinted, self._failures = asked, block_hash is not None, self._failures + 1
        self._pause = min(2**self._failures, LONGEST_PAUSE)
        if block_hash is not None:
            return [part.of_block(block_hash) for part in asked.parts]
        return [part.ahead(first, last) for part in asked.parts]

    def came(self, blocks: Sequence[BlockRef], replies: Replies) -> None:
        """Keep what is of these blocks for when they are asked for. No blocks: those asked for are not there yet."""
        documents, logs = replies.items[: len(blocks)], replies.items[len(blocks) :]
        failed = any(isinstance(answer, EndpointError) for answer in logs)
        if not blocks or not failed:
            self._failures = self._pause = 0
        if blocks and self._asked:
            asked, self._asked = self._asked, None
            if not failed:
                self._keep(Answers(asked, blocks, documents, logs, self._is_hinted))

    def _keep(self, answers: Answers) -> None:
        """Nothing of answers that are of another moment, or make no sense: they are asked for again, by hash."""
        with suppress(EndpointError):
            for hash_, found in self._learnt(answers).items():
                if found.complete and (self._filters_are_true or not found.by_filter):
                    self._came[hash_] = found
        for hash_ in list(self._came)[:-MOST_AHEAD]:
            del self._came[hash_]

    def _learnt(self, answers: Answers) -> Mapping[Hash, Found]:
        """What each block has; and what the way it was asked for weighs. Raises as `sort_out`."""
        ordered = sort_out(answers)
        complete = all(found.complete for found in ordered.found.values())
        for found in ordered.found.values():
            if found.is_true is not None and self._filters_are_true is not False:
                self._filters_are_true = found.is_true
        self._choice.learn(answers.selection, ordered.skipped, len(answers.blocks), complete)
        return ordered.found

    async def __call__(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        """All logs of blocks that follow one another, whatever range the queries have.

        Raises WrongFork, ChainUnavailable, EndpointError.
        """
        if not queries:
            return []
        self._few = len(blocks) <= FEW_BLOCKS
        if self._queries is not queries:
            self._queries, self._filters, self._asked, self._came = queries, Filters(queries), None, {}
        if all(block.hash in self._came for block in blocks):
            return [log for block in blocks for log in self._came.pop(block.hash).logs]
        return await self._one(blocks[0]) if len(blocks) == 1 else await self._range(blocks)

    async def _range(self, blocks: Sequence[BlockRef]) -> list[Log]:
        first, last = blocks[0].number, blocks[-1].number
        ranged = [replace(query, from_block=first, to_block=last) for query in self._queries]
        return await self._reader.fetch_all(ranged, blocks[-1], known=blocks)

    async def _one(self, at: BlockRef) -> list[Log]:
        """One block, by its hash; from a second endpoint where the first may have left something out."""
        selection = self._choice.pick(self._filters)
        said = await self._ask(selection, at)
        if said is None and selection.wide:
            said = await self._ask(self._filters.narrow, at)
            if said is not None:
                self._choice.refused(selection)
            selection = self._filters.narrow
        if said is None:
            return await self._range([at])
        if said.found.complete or not (said.found.doubtful or self._is_sampled()):
            return said.found.logs
        other = await self._ask(selection, at, avoid=said.endpoint)
        return self._longer(selection, said, other or said)

    def _is_sampled(self) -> bool:
        """Whether this block is one of those that are asked for elsewhere though nothing speaks against its answer."""
        self._unsampled += 1
        return self._unsampled % SAMPLE_EVERY == 0

    async def _ask(self, selection: Selection, at: BlockRef, avoid: str | None = None) -> _Said | None:
        """What one endpoint says; another one where it is untrue. None: it refuses. Raises WrongFork, EndpointError."""
        requests = [header_request(at.hash), *(part.of_block(at.hash) for part in selection.parts)]
        replies = await self._transport.send(requests, avoid=avoid)
        document, *logs = replies.items
        if document is None:
            raise WrongFork(f"block {at} left the chain before its logs were read", chain=self._transport.name)
        if any(isinstance(answer, EndpointError) for answer in replies.items):
            return None
        try:
            parse_header(document, at.hash)
            return _Said(
                self._learnt(Answers(selection, [at], [document], logs, by_hash=True))[at.hash], replies.endpoint
            )
        except EndpointError as error:
            if error.verdict is not Verdict.MALFORMED or avoid is not None:
                raise
            self._transport.distrust(replies.endpoint, error.message)
            return await self._ask(selection, at, avoid=replies.endpoint)

    def _longer(self, selection: Selection, said: _Said, other: _Said) -> list[Log]:
        """Of two answers, neither of them proven complete but perhaps the second, the one that leaves out less."""
        if len(said.found.logs) < len(other.found.logs):
            self._transport.distrust(said.endpoint, "it left out logs that another endpoint has")
            return other.found.logs
        if selection.whole and not other.found.complete and self._choice.unproven():
            self._transport.distrust(said.endpoint, "it leaves out logs that the filter of their block tells of")
        return said.found.logs
