"""A Transport over plain aiohttp and one URL or several: no limits, no retries; every request kept for inspection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp

from indexer.chain.base import Replies, Request
from indexer.errors import EndpointError, Verdict

_TEXTS = (
    ("OutOfGas", Verdict.GASCAP),
    ("out of gas", Verdict.GASCAP),
    ("execution reverted", Verdict.REVERT),
    ("EVM error", Verdict.REVERT),
    ("Resource not found", Verdict.WRONG_FORK),
    ("BlockOutOfRange", Verdict.MISSING_TIP),
    ("response too large", Verdict.SPLIT),
    ("not offered", Verdict.UNSUPPORTED),
)


class PlainTransport:
    """Endpoints by label, asked in order of trust."""

    def __init__(self, urls: dict[str, str], chain_id: int = 31337, name: str = "devnet") -> None:
        self.name = name
        self.chain_id = chain_id
        self.urls = urls
        self.requests: list[Request] = []
        self.distrusted: list[tuple[str, str]] = []

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.requests += requests
        labels = sorted(self.urls, key=lambda label: (label == avoid, self._lies(label)))
        body = [{"jsonrpc": "2.0", "id": i, "method": r.method, "params": r.params} for i, r in enumerate(requests)]
        async with aiohttp.ClientSession() as session, session.post(self.urls[labels[0]], json=body) as response:
            replies = {reply["id"]: reply for reply in await response.json(content_type=None)}
        return Replies([_item(replies[i]) for i in range(len(requests))], labels[0])

    def distrust(self, endpoint: str, reason: str) -> None:
        self.distrusted.append((endpoint, reason))

    def _lies(self, label: str) -> bool:
        return any(endpoint == label for endpoint, _ in self.distrusted)


def _item(reply: dict[str, Any]) -> Any:
    if "error" not in reply:
        return reply["result"]
    error = reply["error"]
    message = str(error["message"])
    verdict = next((verdict for text, verdict in _TEXTS if text in message), Verdict.SERVER)
    data = error.get("data")
    return EndpointError(message, verdict=verdict, data=data if isinstance(data, str) else None)
