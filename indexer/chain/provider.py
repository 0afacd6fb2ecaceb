"""Our pool offered to web3.py as a provider: web3's API over our endpoints, failover and limits included.

For reading only: what would write, sign or leave a filter behind on one endpoint is refused. Off-chain lookups
(EIP-3668) are off: a contract must not choose a URL for us. Use `AsyncWeb3(PoolProvider(pool), middleware=[])`, or
web3 asks for the chain id before every call.
"""

from __future__ import annotations

from typing import Any

from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from indexer.chain.base import Request, Transport
from indexer.errors import EndpointError, IndexerError

_REFUSED = ("eth_send", "eth_sign", "eth_new", "eth_submit", "eth_subscribe", "eth_uninstall", "personal_", "admin_")


class PoolProvider(AsyncBaseProvider):
    """A web3.py provider. Failures come back as JSON-RPC errors; an unavailable chain raises ChainUnavailable."""

    global_ccip_read_enabled = False

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request. Raises ValueError for what does not only read. (web3 batches over providers of its own only.)"""
        if method.startswith(_REFUSED):
            raise ValueError(f"{method} is not for reading, and this provider only reads")
        return _response((await self._transport.send([Request(method, tuple(params or ()))])).items[0])

    async def is_connected(self, show_traceback: bool = False) -> bool:
        """Whether any endpoint answers."""
        try:
            await self._transport.send([Request("eth_chainId")])
        except IndexerError:
            if show_traceback:
                raise
            return False
        return True


def _response(item: Any) -> RPCResponse:
    if not isinstance(item, EndpointError):
        return {"jsonrpc": "2.0", "id": 0, "result": item}
    code = item.context.get("code")
    error: Any = {"code": code if isinstance(code, int) else -32000, "message": item.message}
    if item.data is not None:
        error["data"] = item.data
    return {"jsonrpc": "2.0", "id": 0, "error": error}
