"""The logs of single blocks from their receipts, where a node has them besides its index of logs.

What is missing in the one may stand in the other. Much more is sent than is wanted: only for a second look. Never
decodes a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.chain.base import Request, Transport
from indexer.chain.log_sieve import Sieve, malformed
from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef, Hash, Log, LogQuery


class ReceiptLogs:
    """Answers as `BlockLogs` does. The last block's receipts are kept: often more than one question is about it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._block: Hash | None = None
        self._logs: list[Any] = []

    async def __call__(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        """All logs of these blocks that any of the queries asks for.

        Raises EndpointError (UNSUPPORTED, MISSING_TIP and others) where their receipts cannot be had, ChainUnavailable.
        """
        sieve, found = Sieve(queries), list[Log]()
        for block in blocks:
            sifted = sieve.sift(await self._logs_of(block))
            if not sifted.hashes <= {block.hash}:
                raise malformed("a receipt of another block")
            found += sifted.logs
        return found

    async def _logs_of(self, block: BlockRef) -> list[Any]:
        if self._block != block.hash:
            replies = await self._transport.send([Request("eth_getBlockReceipts", (block.hash,), optional=True)])
            self._logs, self._block = _logs_in(replies.items[0], block), block.hash
        return self._logs


def _logs_in(answer: Any, block: BlockRef) -> list[Any]:
    if isinstance(answer, EndpointError):
        raise answer
    if answer is None:
        raise EndpointError("no receipts of this block", verdict=Verdict.MISSING_TIP)
    try:
        return [log for receipt in answer for log in receipt["logs"]]
    except (KeyError, TypeError):
        raise EndpointError("not a list of receipts", verdict=Verdict.MALFORMED) from None
