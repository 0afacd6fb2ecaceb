"""A log query over any range -> the logs of one chain, complete, in order, each of them checked.

Ranges the endpoint finds too large are split, addresses and topics cut to what nodes take. Ends with a look at the
pinned block: logs of another fork are never handed out. Never decodes a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from indexer.chain.base import Request, Transport
from indexer.chain.blocks import read_headers
from indexer.chain.bloom import check_sample, rest_of
from indexer.chain.log_parse import Matcher, merge
from indexer.chain.log_split import chunks, is_about_results, split
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import BlockRef, Log, LogQuery

FIRST_SPAN_BLOCKS = 10_000
MOST_SPAN_BLOCKS = 1_000_000
COMFORTABLE_LOGS = 4_000
_SPLITTABLE = frozenset({Verdict.SPLIT, Verdict.TIMEOUT})


async def fetch(transport: Transport, query: LogQuery, at: BlockRef) -> list[Log]:
    """One query by a reader of its own; see `LogReader.fetch`."""
    return await LogReader(transport).fetch(query, at)


class LogReader:
    """Reads logs of one chain, and remembers how many blocks its endpoints take at once.

    `sample_blocks` of every window of more than one, and the last block, at which is looked anyway, are compared with
    the bloom filters of their headers, and where those say that a log may be missing, with another endpoint.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        span_blocks: int = FIRST_SPAN_BLOCKS,
        concurrency: int = 4,
        most_addresses: int = 500,
        most_topics: int = 1_000,
        sample_blocks: int = 0,
    ) -> None:
        self._transport, self._concurrency, self._sample = transport, concurrency, sample_blocks
        self._most_addresses, self._most_topics = most_addresses, most_topics
        self._span, self._ceiling = span_blocks, MOST_SPAN_BLOCKS

    @property
    def span_blocks(self) -> int:
        """Blocks that are asked for at once now."""
        return self._span

    async def fetch(self, query: LogQuery, at: BlockRef, *, known: Sequence[BlockRef] = ()) -> list[Log]:
        """Logs up to `at` at most, in chain order, on the chain of `at` and of the `known` blocks.

        Raises as `fetch_all`.
        """
        return await self.fetch_all([query], at, known=known)

    async def fetch_all(
        self, queries: Sequence[LogQuery], at: BlockRef, *, known: Sequence[BlockRef] = ()
    ) -> list[Log]:
        """What any of several queries finds, each log once; see `fetch`.

        Raises WrongFork where `at` is not, or no more, on the chain; EndpointError where a single block cannot be had
        (PRUNED, or too large and not to be cut); ChainUnavailable.
        """
        upto = [replace(query, to_block=min(query.to_block, at.number)) for query in queries]
        logs = merge([part for parts in [await self._parts(query) for query in upto] for part in parts])
        check_hashes(logs, [*known, at])
        read = await read_headers(self._transport, [at.number])
        if isinstance(read.items[0], EndpointError):
            raise read.items[0]
        if read.items[0] != at:
            raise WrongFork(f"block {at} left the chain while its logs were read", chain=self._transport.name)
        if not self._sample or any(log.block_number == at.number for log in logs):
            return logs
        lanes = [lane for query in upto for lane in chunks(query, self._most_addresses, self._most_topics)]
        rest = await rest_of(self._transport, lanes, at, read)
        check_hashes(rest, [at])
        return merge([logs, rest])

    async def _parts(self, query: LogQuery) -> list[list[Log]]:
        """All parts, a few at once; each as wide as the ones before have taught."""
        gate, tasks = asyncio.Semaphore(self._concurrency), []
        try:
            async with asyncio.TaskGroup() as group:
                for lane in chunks(query, self._most_addresses, self._most_topics):
                    start = lane.from_block
                    while start <= lane.to_block:
                        await gate.acquire()
                        end = min(start + self._span - 1, lane.to_block)
                        part = replace(lane, from_block=start, to_block=end)
                        tasks.append(group.create_task(self._window(part, gate)))
                        start = end + 1
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
        else:
            return [task.result() for task in tasks]
        raise first

    async def _window(self, part: LogQuery, gate: asyncio.Semaphore) -> list[Log]:
        try:
            return await self._whole(part)
        finally:
            gate.release()

    async def _whole(self, part: LogQuery) -> list[Log]:
        """One part, cut smaller as long as the endpoint asks for it."""
        todo, logs = [part], []
        while todo:
            query = todo.pop()
            answer = await self._ask(query, avoid=None)
            if isinstance(answer, EndpointError):
                smaller = split(query, answer.message) if answer.verdict in _SPLITTABLE else []
                if not smaller:
                    raise answer
                self._learn(query, smaller[0], answer.message)
                todo.extend(reversed(smaller))
            else:
                self._grow(query, len(answer))
                logs.extend(answer)
        return logs

    async def _ask(self, query: LogQuery, avoid: str | None) -> list[Log] | EndpointError:
        """The logs of one request, checked; an endpoint that answers with others is distrusted and another asked."""
        replies = await self._transport.send([log_request(query)], avoid=avoid)
        answer: Any = replies.items[0]
        if isinstance(answer, EndpointError):
            return answer
        try:
            logs = Matcher(query).parse(answer)
            if self._sample and _length(query) > 1:
                await check_sample(self._transport, query, logs, replies.endpoint, self._sample)
        except EndpointError as error:
            if error.verdict is not Verdict.MALFORMED or avoid is not None:
                raise
            self._transport.distrust(replies.endpoint, error.message)
            return await self._ask(query, avoid=replies.endpoint)
        return logs

    def _learn(self, query: LogQuery, smaller: LogQuery, text: str) -> None:
        """Ask for as much from now on; where the refusal is about the range, never again for what was refused."""
        asked, taken = _length(query), _length(smaller)
        if taken < asked:
            self._span = max(1, min(self._span, taken))
            if not is_about_results(text):
                told = taken != (asked + 1) // 2
                self._ceiling = min(self._ceiling, taken if told else asked - 1)

    def _grow(self, query: LogQuery, found: int) -> None:
        """Twice as wide after a full window with few logs, but not as wide as what was refused."""
        if _length(query) >= self._span and found < COMFORTABLE_LOGS:
            self._span = max(self._span, min(self._span * 2, self._ceiling))


def log_request(query: LogQuery) -> Request:
    """The `eth_getLogs` of a query."""
    span = {"fromBlock": hex(query.from_block), "toBlock": hex(query.to_block)}
    return Request("eth_getLogs", ({**span, **filter_of(query)},))


def filter_of(query: LogQuery) -> dict[str, Any]:
    """What a query asks for, in whatever blocks."""
    filter_: dict[str, Any] = {}
    if query.addresses:
        filter_["address"] = list(query.addresses)
    if query.topics:
        filter_["topics"] = [None if topics is None else list(topics) for topics in query.topics]
    return filter_


def check_hashes(logs: Sequence[Log], blocks: Sequence[BlockRef]) -> None:
    """Raises WrongFork where a log is of another block than ours of that number."""
    ours = {block.number: block.hash for block in blocks}
    for log in logs:
        if ours.get(log.block_number, log.block_hash) != log.block_hash:
            raise WrongFork("a log of another fork", block=log.block_number)


def _length(query: LogQuery) -> int:
    return query.to_block - query.from_block + 1
