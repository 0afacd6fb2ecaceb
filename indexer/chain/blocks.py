"""Headers: JSON of a node -> BlockRef, strictly, for one block or many in one batch.

A header that is not the one asked for is no answer: its endpoint is distrusted and another one asked. Reads nothing
but headers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from indexer.chain.base import Request, Transport
from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef, Hash

At: TypeAlias = int | str
"""A block number, a tag (`latest`, `safe`, `finalized`), or a hash."""

_HASH = re.compile(r"0x[0-9a-f]{64}")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,16}")


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers in the order asked, all from one endpoint: a block, None (it has none), or why it cannot be had.

    `answers` are the same as they came, and behind them those of what was asked beside.
    """

    items: list[BlockRef | EndpointError | None]
    endpoint: str
    answers: Sequence[Any] = ()


async def header(transport: Transport, at: At, *, avoid: str | None = None) -> BlockRef | None:
    """One block, or None where the chain has none. Raises EndpointError, ChainUnavailable."""
    item = (await read_headers(transport, [at], avoid=avoid)).items[0]
    if isinstance(item, EndpointError):
        raise item
    return item


async def headers(transport: Transport, numbers: Sequence[int], *, avoid: str | None = None) -> list[BlockRef]:
    """Blocks by number, all from one endpoint. Raises EndpointError (MISSING_TIP where one is not there)."""
    return all_there(numbers, await read_headers(transport, numbers, avoid=avoid))


def all_there(numbers: Sequence[int], read: Headers) -> list[BlockRef]:
    """The blocks of these numbers, as they were read. Raises EndpointError (MISSING_TIP where one is not there)."""
    blocks = []
    for number, item in zip(numbers, read.items, strict=True):
        if item is None:
            raise EndpointError(
                "a block is not there", verdict=Verdict.MISSING_TIP, block=number, endpoint=read.endpoint
            )
        if isinstance(item, EndpointError):
            raise item
        blocks.append(item)
    return blocks


async def read_headers(
    transport: Transport, ats: Sequence[At], *, avoid: str | None = None, beside: Sequence[Request] = ()
) -> Headers:
    """Blocks as one endpoint sees them, in one batch, and what is asked `beside` them.

    Raises ChainUnavailable, EndpointError (MALFORMED twice).
    """
    requests = [*(header_request(at) for at in ats), *beside]
    replies = await transport.send(requests, avoid=avoid)
    try:
        return Headers(_parse_all(ats, replies.items[: len(ats)]), replies.endpoint, replies.items)
    except EndpointError as error:
        transport.distrust(replies.endpoint, error.message)
    replies = await transport.send(requests, avoid=replies.endpoint)
    return Headers(_parse_all(ats, replies.items[: len(ats)]), replies.endpoint, replies.items)


def header_request(at: At) -> Request:
    """The request for one header, without its transactions."""
    if isinstance(at, int):
        return Request("eth_getBlockByNumber", (hex(at), False))
    return Request("eth_getBlockByHash" if len(at) == 66 else "eth_getBlockByNumber", (at, False))


def parse_header(document: Any, asked: At = "latest") -> BlockRef:
    """A header as a BlockRef. Raises EndpointError (MALFORMED) where it is none, or not the one asked for."""
    fields = document if isinstance(document, dict) else {}
    block = BlockRef(
        number=quantity(fields.get("number")),
        hash=hash32(fields.get("hash")),
        parent_hash=hash32(fields.get("parentHash")),
        timestamp=quantity(fields.get("timestamp")),
    )
    other_number = isinstance(asked, int) and block.number != asked
    other_hash = isinstance(asked, str) and len(asked) == 66 and block.hash != asked
    if other_number or other_hash:
        raise EndpointError("another block than asked for", verdict=Verdict.MALFORMED, asked=asked, got=block)
    return block


def quantity(value: Any) -> int:
    """A JSON-RPC quantity of at most 64 bits. Raises EndpointError (MALFORMED)."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise EndpointError("not a quantity", verdict=Verdict.MALFORMED)
    return int(value, 16)


def hash32(value: Any) -> Hash:
    """32 bytes in hex, lower-case. Raises EndpointError (MALFORMED)."""
    if isinstance(value, str) and (_HASH.fullmatch(value) or _HASH.fullmatch(value := value.lower())):
        return Hash(value)
    raise EndpointError("not a hash", verdict=Verdict.MALFORMED)


def _parse_all(ats: Sequence[At], items: Sequence[Any]) -> list[BlockRef | EndpointError | None]:
    return [
        item if item is None or isinstance(item, EndpointError) else parse_header(item, at)
        for at, item in zip(ats, items, strict=True)
    ]
