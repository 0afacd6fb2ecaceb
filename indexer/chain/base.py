"""The seam between one chain's endpoints and everything that asks: requests in, replies out.

Whatever stands behind `Transport` (one endpoint, a pool, a fake), a batch is answered by exactly one endpoint, reply by
reply in the order asked, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from indexer.errors import EndpointError


@dataclass(frozen=True, slots=True)
class Request:
    """One JSON-RPC request.

    Of an `optional` one a failure is as good an answer as any: nobody else is asked, and nothing is learned from it.
    """

    method: str
    params: tuple[Any, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Replies:
    """The answers to one batch, in order: each a JSON value or the failure of that one request.

    Failures that another endpoint or a moment's wait could mend were retried before; what is left says something of
    the request itself (SPLIT, REVERT, GASCAP, TIMEOUT, PRUNED, WRONG_FORK, MISSING_TIP, UNSUPPORTED; SERVER where
    every endpoint refuses it in words that nobody knows). `endpoint` is a label.
    """

    items: list[Any | EndpointError]
    endpoint: str


class Transport(Protocol):
    """One chain, however many endpoints serve it."""

    name: str
    chain_id: int

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        """Ask one endpoint, another than `avoid` if there is one. Raises ChainUnavailable when none answers."""

    def distrust(self, endpoint: str, reason: str) -> None:
        """Tell that an endpoint answered with something untrue (another block, another state): ask others first."""
