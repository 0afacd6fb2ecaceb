"""Two plain ways to read a node for tests: one answers the questions of plans, one asks by itself.

Both send one JSON-RPC request at a time. They share nothing, so that each can be held against the other.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from eth_abi import decode, encode
from eth_hash.auto import keccak

from indexer.model import Address, BlockRef, Hash, Status
from indexer.reads.plan import Answer, Ask, Call, Failed, Log, LogQuery, NativeBalance


class Reverted(Exception):
    """The node says that the call failed."""


def rpc(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = Request(url, body, {"content-type": "application/json"})
    with urlopen(request, timeout=60) as response:
        reply = json.load(response)
    if "error" in reply:
        raise Reverted(str(reply["error"]["message"])[:200])
    return reply["result"]


def block(url: str, number: int) -> BlockRef:
    header = rpc(url, "eth_getBlockByNumber", hex(number), False)
    return BlockRef(number, Hash(header["hash"]), Hash(header["parentHash"]), int(header["timestamp"], 16))


class PlainAnswers:
    """Answers a plan's questions at one block, pinned by its hash, as the engine's contract of answers says."""

    def __init__(self, url: str, at: BlockRef) -> None:
        self.url = url
        self.pin = {"blockHash": at.hash}

    def __call__(self, ask: Ask) -> Answer:
        if isinstance(ask, NativeBalance):
            return int(rpc(self.url, "eth_getBalance", ask.owner, self.pin), 16)
        return self._logs(ask) if isinstance(ask, LogQuery) else self._call(ask)

    def _call(self, ask: Call) -> Answer:
        try:
            raw = rpc(self.url, "eth_call", {"to": ask.target, "data": "0x" + ask.data.hex()}, self.pin)
        except Reverted as error:
            return Failed(Status.HELD, str(error))
        if raw == "0x" and rpc(self.url, "eth_getCode", ask.target, self.pin) == "0x":
            return Failed(Status.MISSING, f"no code at {ask.target}")
        return ask.function.decode(bytes.fromhex(raw[2:]))

    def _logs(self, ask: LogQuery) -> list[Log]:
        query = {"address": ask.addresses, "fromBlock": hex(ask.from_block), "toBlock": hex(ask.to_block)}
        return [_log(raw) for raw in rpc(self.url, "eth_getLogs", {**query, "topics": ask.topics})]


def _log(raw: dict[str, Any]) -> Log:
    return Log(
        address=Address(raw["address"]),
        topics=tuple(map(Hash, raw["topics"])),
        data=bytes.fromhex(raw["data"][2:]),
        block_number=int(raw["blockNumber"], 16),
        block_hash=Hash(raw["blockHash"]),
        tx_hash=Hash(raw["transactionHash"]),
        log_index=int(raw["logIndex"], 16),
    )


class Asker:
    """Asks contracts by signature at a block number: `ask(token, "balanceOf(address)(uint256)", owner)`."""

    def __init__(self, url: str, number: int) -> None:
        self.url = url
        self.tag = hex(number)

    def __call__(self, target: str, signature: str, *args: Any) -> Any:
        """The one value it answers, or all of them. Raises Reverted; ValueError for an answer that is not one."""
        name, inputs, outputs = (part.rstrip(")") for part in signature.split("("))
        kinds = [kind for kind in inputs.split(",") if kind]
        data = keccak(f"{name}({inputs})".encode())[:4] + encode(kinds, args)
        raw = rpc(self.url, "eth_call", {"to": target, "data": "0x" + data.hex()}, self.tag)
        values = decode(outputs.split(","), bytes.fromhex(raw[2:]))
        return values[0] if len(values) == 1 else values

    def balance(self, token: str, owner: str) -> int:
        return int(self(token, "balanceOf(address)(uint256)", owner))

    def ether(self, owner: str) -> int:
        return int(rpc(self.url, "eth_getBalance", owner, self.tag), 16)
