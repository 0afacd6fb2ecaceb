"""Whether logs were left out of an answer: a sample of blocks against the bloom filters of their headers.

A filter that excludes what was returned, or another endpoint that has what was not, makes the answer MALFORMED. A
filter only ever says "perhaps": without a second endpoint, "perhaps" is let pass.
Bloom filter of a header: Ethereum yellow paper, section 4.3.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

from eth_hash.auto import keccak

from indexer.chain.base import Request, Transport
from indexer.chain.blocks import Headers, header_request, parse_header
from indexer.chain.log_parse import Matcher, merge
from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef, Log, LogQuery


async def check_sample(transport: Transport, query: LogQuery, logs: Sequence[Log], endpoint: str, blocks: int) -> None:
    """Compare so many evenly spread blocks. Raises EndpointError (MALFORMED) where logs are missing or made up."""
    numbers = _spread(query.from_block, query.to_block, blocks)
    returned = {log.block_number for log in logs}
    replies = await transport.send([header_request(number) for number in numbers])
    doubtful: list[tuple[int, str]] = []
    for number, document in zip(numbers, replies.items, strict=True):
        if document is None or isinstance(document, EndpointError):
            continue
        block = parse_header(document, number)
        perhaps = may_contain(bloom_of(document), query)
        if not perhaps and number in returned:
            raise _wrong("a log in a block whose filter excludes it", endpoint, number)
        if perhaps and number not in returned:
            doubtful.append((number, block.hash))
    await _ask_another(transport, query, endpoint, doubtful)


async def _ask_another(
    transport: Transport, query: LogQuery, endpoint: str, doubtful: Sequence[tuple[int, str]]
) -> None:
    """What another endpoint has in blocks from which nothing was returned though the filter allows it."""
    filters = [_filter(query, hash_) for _, hash_ in doubtful]
    replies = await transport.send([Request("eth_getLogs", (filter_,)) for filter_ in filters], avoid=endpoint)
    for (number, _), answer in zip(doubtful, replies.items, strict=True):
        if not isinstance(answer, EndpointError) and Matcher(query).parse(answer):
            raise _wrong("logs left out that another endpoint has", endpoint, number)


async def rest_of(transport: Transport, queries: Sequence[LogQuery], at: BlockRef, read: Headers) -> list[Log]:
    """Of a block that was `read` and from which nothing was returned: what another endpoint has, if its filter is for
    some, and not too full to tell. An answer that is none says nothing. Raises ChainUnavailable."""
    bloom = bloom_of(read.answers[0])
    allowed = [query for query in queries if query.to_block >= at.number and may_contain(bloom, query)]
    doubtful = [query for query in allowed if not says_little(bloom, query)]
    if not doubtful:
        return []
    requests = [Request("eth_getLogs", (_filter(query, at.hash),)) for query in doubtful]
    replies = await transport.send(requests, avoid=read.endpoint)
    answers = zip(doubtful, replies.items, strict=True)
    try:
        return merge([Matcher(q).parse(answer) for q, answer in answers if not isinstance(answer, EndpointError)])
    except EndpointError as error:
        transport.distrust(replies.endpoint, error.message)
        return []


def may_contain(bloom: int, query: LogQuery) -> bool:
    """Whether a block with this filter can have a log that the query asks for."""
    if not bloom:
        return False
    if query.addresses and not any(_has(bloom, address) for address in query.addresses):
        return False
    wanted: Iterable[tuple[str, ...]] = [topics for topics in query.topics if topics]
    return all(any(_has(bloom, topic) for topic in topics) for topics in wanted)


def says_little(bloom: int, query: LogQuery) -> bool:
    """Whether a filter as full as this one would rather let the query pass, whatever is in the block."""
    by_chance = (bloom.bit_count() / 2048) ** 3
    sets = [query.addresses, *(topics for topics in query.topics if topics)]
    return prod(1 - (1 - by_chance) ** len(items) for items in sets if items) > 0.5


def leaves_out(bloom: int, documents: Sequence[Any]) -> bool:
    """Whether a block with this filter has more logs than these, in JSON, which are said to be all of them.

    Raises EndpointError (MALFORMED) where one of them is none.
    """
    made = 0
    try:
        for document in documents:
            made |= _mask(document["address"])
            for topic in document["topics"]:
                made |= _mask(topic)
    except (KeyError, TypeError, ValueError):
        raise EndpointError("not the logs of a block", verdict=Verdict.MALFORMED, method="eth_getLogs") from None
    return bool(bloom & ~made)


@lru_cache(65_536)
def _mask(item: str) -> int:
    """The three bits that an address or a topic sets. Raises ValueError for what is neither."""
    if len(item) not in (42, 66):
        raise ValueError("neither an address nor a topic")
    digest = keccak(bytes.fromhex(item[2:]))
    bits = [int.from_bytes(digest[i : i + 2], "big") & 2047 for i in (0, 2, 4)]
    return 1 << bits[0] | 1 << bits[1] | 1 << bits[2]


def _has(bloom: int, item: str) -> bool:
    mask = _mask(item)
    return bloom & mask == mask


def bloom_of(document: Any) -> int:
    """The filter of a header; where it has none, one that excludes nothing."""
    try:
        return int.from_bytes(bytes.fromhex(document["logsBloom"][2:]), "big")
    except (KeyError, TypeError, ValueError):
        return (1 << 2048) - 1


def _filter(query: LogQuery, block_hash: str) -> dict[str, Any]:
    topics = [None if topics is None else list(topics) for topics in query.topics]
    address = {"address": list(query.addresses)} if query.addresses else {}
    return {"blockHash": block_hash, "topics": topics, **address}


def _spread(first: int, last: int, count: int) -> list[int]:
    length = last - first + 1
    return (
        sorted({first + i * length // count for i in range(count)}) if length > count else list(range(first, last + 1))
    )


def _wrong(what: str, endpoint: str, number: int) -> EndpointError:
    return EndpointError(what, verdict=Verdict.MALFORMED, endpoint=endpoint, block=number)
