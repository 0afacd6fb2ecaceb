"""A made-up chain of blocks with logs, their true bloom filters, and nodes that answer for it as they are told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from eth_hash.auto import keccak

from indexer.chain.base import Replies, Request
from indexer.chain.block_logs import BlockLogs
from indexer.chain.logs import LogReader
from indexer.errors import EndpointError, Verdict
from indexer.model import Address, BlockRef, Hash, Log, LogQuery

Json = dict[str, Any]

TRANSFER, SYNC, OTHER = (Hash("0x" + digit * 64) for digit in "123")
POOLS = tuple(Address(f"0x{number:040x}") for number in range(0xE100, 0xE100 + 400))
HOLDERS = tuple(Hash(f"0x{number:064x}") for number in range(0xA100, 0xA100 + 400))
STRANGER = Address("0x" + "77" * 20)
ANY_BLOCK = 2**63 - 1
SYNCS = LogQuery(POOLS, ((SYNC,),), 0, ANY_BLOCK)
TRANSFERS = LogQuery((), ((TRANSFER,), HOLDERS), 0, ANY_BLOCK)
OF_ONE = LogQuery((STRANGER,), (), 0, ANY_BLOCK)
FEW = (LogQuery(POOLS[:2], ((SYNC,),), 0, ANY_BLOCK),)
MANY = (SYNCS, TRANSFERS)


def block(number: int, fork: str = "") -> BlockRef:
    """The block of that number on a fork."""
    return BlockRef(number, _hash(number, fork), _hash(number - 1, fork), 1_000 + 12 * number)


def transfer(holder: Hash, amount: int, emitter: Address = POOLS[0]) -> Json:
    """What is watched for: a transfer from a holder."""
    return log(emitter, (TRANSFER, holder), amount)


def log(emitter: Address, topics: Sequence[str], amount: int = 7) -> Json:
    """A log, but for its place."""
    return {"address": emitter, "topics": list(topics), "data": f"0x{amount:064x}"}


@dataclass
class Node:
    """Blocks by number; what they logged, as this node tells it. `mend` alters an answer to `eth_getLogs`."""

    name: str
    blocks: dict[int, BlockRef] = field(default_factory=dict)
    logs: dict[int, list[Json]] = field(default_factory=dict)
    blooms: dict[int, str] = field(default_factory=dict)
    mend: Callable[[Json, list[Json]], Any] = lambda _, logs: logs

    def mine(self, *logs: Json, fork: str = "") -> BlockRef:
        """One more block, with these logs."""
        at = block(max(self.blocks, default=0) + 1, fork)
        place = {"blockNumber": hex(at.number), "blockHash": at.hash, "transactionHash": _hash(at.number, "tx")}
        self.blocks[at.number] = at
        self.logs[at.number] = [one | place | {"logIndex": hex(i)} for i, one in enumerate(logs)]
        self.blooms[at.number] = bloom(self.logs[at.number])
        return at

    def twin(self, name: str) -> Node:
        """Another node of the same chain."""
        return Node(name, dict(self.blocks), {n: list(logs) for n, logs in self.logs.items()}, dict(self.blooms))

    def answer(self, request: Request) -> Any:
        """To one request."""
        params = orjson.loads(orjson.dumps(request.params))
        if request.method != "eth_getLogs":
            return self._header(params[0])
        return self.mend(params[0], [one for one in self._of(params[0]) if _matches(one, params[0])])

    def _of(self, filter_: Json) -> list[Json]:
        if "blockHash" in filter_:
            numbers = [at.number for at in self.blocks.values() if at.hash == filter_["blockHash"]]
        else:
            numbers = list(range(int(filter_["fromBlock"], 16), int(filter_["toBlock"], 16) + 1))
        return [one for number in numbers for one in self.logs.get(number, ())]

    def _header(self, at: str) -> Json | None:
        wanted = max(self.blocks) if at == "latest" else int(at, 16)
        found = [one for one in self.blocks.values() if at in (one.hash, hex(one.number)) or one.number == wanted]
        if not found:
            return None
        named = {"number": hex(found[0].number), "hash": found[0].hash, "parentHash": found[0].parent_hash}
        return named | {"timestamp": hex(found[0].timestamp), "logsBloom": self.blooms[found[0].number]}


@dataclass
class Nodes:
    """A Transport over nodes: the first that is neither avoided nor distrusted answers. Keeps what was asked."""

    nodes: list[Node]
    sent: list[list[Request]] = field(default_factory=list)
    distrusted: dict[str, str] = field(default_factory=dict)
    name: str = "made-up"
    chain_id: int = 1

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.sent.append(list(requests))
        ranked = sorted(self.nodes, key=lambda node: (node.name == avoid, node.name in self.distrusted))
        return Replies([ranked[0].answer(request) for request in requests], ranked[0].name)

    def distrust(self, endpoint: str, reason: str) -> None:
        self.distrusted[endpoint] = reason

    @property
    def filters(self) -> list[Json]:
        """Of every request for logs: its filter."""
        asked = [request for batch in self.sent for request in batch if request.method == "eth_getLogs"]
        return [orjson.loads(orjson.dumps(request.params[0])) for request in asked]


def logs_of(nodes: Nodes) -> BlockLogs:
    return BlockLogs(nodes, LogReader(nodes))


def amounts(logs: list[Log]) -> list[int]:
    return [int.from_bytes(one.data, "big") for one in logs]


def foreign(count: int) -> list[Json]:
    """Logs of the watched events that nobody watches for."""
    return [log(STRANGER, (TRANSFER, f"0x{number:064x}"), 99) for number in range(count)]


async def followed(node: Node, read: BlockLogs, blocks: int, *logs: Json) -> list[Log]:
    found: list[Log] = []
    for _ in range(blocks):
        found = await read(MANY, [node.mine(*logs)])
    return found


def refusal(text: str) -> EndpointError:
    """What a node says instead of an answer."""
    return EndpointError(text, verdict=Verdict.UNSUPPORTED, method="eth_getLogs")


def bloom(logs: Sequence[Json]) -> str:
    """Of a header. Ethereum yellow paper, section 4.3.1."""
    bits = 0
    for item in [item for one in logs for item in (one["address"], *one["topics"])]:
        digest = keccak(bytes.fromhex(item[2:]))
        for place in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return f"0x{bits:0512x}"


def _matches(one: Json, filter_: Json) -> bool:
    if filter_.get("address") and one["address"] not in filter_["address"]:
        return False
    topics = filter_.get("topics") or []
    wanted = zip(topics, one["topics"], strict=False)
    return len(one["topics"]) >= len(topics) and all(some is None or topic in some for some, topic in wanted)


def _hash(number: int, fork: str) -> Hash:
    return Hash("0x" + hashlib.sha256(f"{fork if number > 3 else ''} {number}".encode()).hexdigest())
