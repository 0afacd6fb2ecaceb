"""Turns method names and parameters into JSON-RPC answers over one kept-alive loopback connection.
Synchronous, safe to share between threads; never retries a request that the node may have seen."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from typing import Any

from devnet.errors import RpcError

Request = tuple[str, Sequence[Any]]


class JsonRpc:
    """A JSON-RPC client of one node at `host:port`."""

    def __init__(self, host: str, port: int, timeout_s: float = 120.0) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        self._lock = threading.Lock()

    def call(self, method: str, *params: Any) -> Any:
        """The `result` of one request. Raises RpcError for an error answer, OSError for a dead node."""
        return _result(method, self._post(_envelope(0, method, params)))

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results of many requests sent as one, in their order. Raises RpcError for the first error."""
        if not requests:
            return []
        envelopes = [_envelope(index, method, params) for index, (method, params) in enumerate(requests)]
        answers = {answer["id"]: answer for answer in self._post(envelopes)}
        return [_result(method, answers[index]) for index, (method, _) in enumerate(requests)]

    def close(self) -> None:
        self._connection.close()

    def _post(self, body: Any) -> Any:
        with self._lock:
            try:
                self._connection.request("POST", "/", json.dumps(body).encode(), {"content-type": "application/json"})
                return json.loads(self._connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                self._connection.close()
                raise


def _envelope(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _result(method: str, answer: dict[str, Any]) -> Any:
    if "error" in answer:
        error = answer["error"]
        raise RpcError(method, error.get("code", 0), error.get("message", ""), error.get("data"))
    return answer["result"]
