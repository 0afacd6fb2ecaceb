"""Requests about one block -> replies that were proven to come from it, from whichever endpoint can.

Pinned by block hash (EIP-1898: https://eips.ethereum.org/EIPS/eip-1898). Where an endpoint does not offer that, by
number, with the header read again after the batch. A reply that fails its proof is discarded whole, its endpoint
distrusted, and another one asked: an unproven value never leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from indexer.chain.base import Replies, Request, Transport
from indexer.errors import ChainUnavailable, EndpointError, Verdict, WrongFork
from indexer.model import BlockRef
from indexer.reads.witness import Unproven

ATTEMPTS = 8

_GONE = frozenset({Verdict.WRONG_FORK, Verdict.MISSING_TIP})
_UNREADABLE = frozenset({Verdict.PRUNED, Verdict.UNSUPPORTED, Verdict.RATE, Verdict.QUOTA, Verdict.AUTH})

V = TypeVar("V")
Build = Callable[[Any], Sequence[Request]]
"""The requests, given the block parameter that pins them."""


@dataclass(slots=True)
class Sent:
    """What went over the wire: batches, the requests in them, and how many batches failed their proof."""

    batches: int = 0
    requests: int = 0
    unproven: int = 0


@dataclass(slots=True)
class Pinned:
    """One chain, asked at pinned blocks only."""

    transport: Transport
    sent: Sent = field(default_factory=Sent)
    last_endpoint: str = ""
    _by_number: set[str] = field(default_factory=set)
    _by_hash: set[str] = field(default_factory=set)

    async def ask(
        self, build: Build, prove: Callable[[list[Any]], V], at: BlockRef, *, avoid: str | None = None
    ) -> tuple[V, str]:
        """What `prove` makes of the replies, and the endpoint they came from.

        `prove` raises Unproven. Failures that may be about a request itself (SPLIT, REVERT, GASCAP, TIMEOUT, and what
        nobody could name) are left in the replies. Raises WrongFork where the block is gone, ChainUnavailable where no
        endpoint proves its answer, EndpointError (PRUNED and others) where the block cannot be read.
        """
        caught: dict[str, str] = {}
        for _ in range(ATTEMPTS):
            replies = await self._send(build, at, avoid)
            try:
                return prove(replies.items), replies.endpoint
            except Unproven as problem:
                self.sent.unproven += 1
                self.transport.distrust(replies.endpoint, str(problem))
                if replies.endpoint in caught:
                    break
                avoid = replies.endpoint
                caught[avoid] = str(problem)
        reasons = "; ".join(f"{endpoint}: {reason}" for endpoint, reason in caught.items())
        raise ChainUnavailable(f"no endpoint proves its answers at block {at}: {reasons}", chain=self.transport.name)

    async def _send(self, build: Build, at: BlockRef, avoid: str | None) -> Replies:
        """The replies, pinned in the way that the endpoint knows."""
        if self.last_endpoint in self._by_number:
            return await self._send_by_number(build, at, avoid)
        replies = await self._transmit(build({"blockHash": at.hash}), avoid)
        if _unsupported(replies.items) and replies.endpoint not in self._by_hash:
            return await self._send_by_number(build, at, avoid)
        _raise_unreadable(replies.items, at)
        self._by_hash.add(replies.endpoint)
        return replies

    async def _send_by_number(self, build: Build, at: BlockRef, avoid: str | None) -> Replies:
        """The replies of an endpoint whose block of that number still is `at` after the batch."""
        number = hex(at.number)
        header = Request("eth_getBlockByNumber", (number, False))
        for _ in range(2):
            replies = await self._transmit([*build(number), header], avoid)
            _raise_unreadable(replies.items, at)
            self._by_number.add(replies.endpoint)
            found = replies.items.pop()
            if isinstance(found, dict) and found.get("hash") == at.hash:
                return replies
            avoid = replies.endpoint
        raise WrongFork(f"block {at} is not the chain's block of that number", chain=self.transport.name)

    async def _transmit(self, requests: Sequence[Request], avoid: str | None) -> Replies:
        self.sent.batches += 1
        self.sent.requests += len(requests)
        replies = await self.transport.send(requests, avoid=avoid)
        self.last_endpoint = replies.endpoint
        return replies


def _unsupported(items: Sequence[Any]) -> bool:
    return any(isinstance(item, EndpointError) and item.verdict is Verdict.UNSUPPORTED for item in items)


def _raise_unreadable(items: Sequence[Any], at: BlockRef) -> None:
    """Raises for a failure that is of the block or the endpoint, not of one request."""
    for item in items:
        if isinstance(item, EndpointError) and item.verdict in _GONE:
            raise WrongFork(f"block {at} is gone: {item.message}", endpoint=item.context.get("endpoint"))
        if isinstance(item, EndpointError) and item.verdict in _UNREADABLE:
            raise item
