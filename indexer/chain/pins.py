"""At which block a JSON-RPC request stands: a number, a hash, or none.

The standard's parameter positions (https://ethereum.github.io/execution-apis/), with EIP-1898 objects. Reads requests
only; never asks anything.
"""

from __future__ import annotations

from typing import Any

from indexer.chain.base import Request

_BLOCK_PARAM = {
    "eth_call": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
    "eth_getProof": 2,
    "eth_getBlockByNumber": 0,
    "eth_getBlockByHash": 0,
    "eth_getBlockReceipts": 0,
}


def pin_of(request: Request) -> int | str | None:
    """The block's number or its hash (a string). None: a tag such as `latest`, or a method without a block."""
    params = request.params
    if request.method == "eth_getLogs":
        return _pin(_log_block(params[0])) if params else None
    place = _BLOCK_PARAM.get(request.method)
    if place is None or place >= len(params):
        return None
    return _pin(params[place])


def _log_block(filter_: Any) -> Any:
    if not isinstance(filter_, dict):
        return None
    return filter_.get("blockHash") or filter_.get("toBlock")


def _pin(value: Any) -> int | str | None:
    if isinstance(value, dict):
        value = value.get("blockHash") or value.get("blockNumber")
    if not isinstance(value, str) or not value.startswith("0x"):
        return None
    return value if len(value) == 66 else int(value, 16)
