"""A node in memory: answers Multicall3 batches from a made-up state, with the right witness of every block.

Run as a process: `python -m benchmarks.replay_server LATENCY_MS CONTRACTS FOREIGN`; it prints its port. An answer
follows from its question and the block; of all contracts, one in a hundred changes in a block, and logs it. Encoded
answers are kept for a while, so that the time measured is the reader's and the wire's. As a gas cap would, it refuses
more than 1,100 calls in a batch.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web
from eth_hash.auto import keccak

from benchmarks.load import (
    BLOCK_TIME_S,
    CHAIN_ID,
    GENESIS_TIMESTAMP,
    LARGE,
    MULTICALL3,
    PRICED_TOKENS,
    Kind,
    Load,
    address,
    place_of,
    scaled,
    two_tokens,
)
from benchmarks.replay_logs import Chronicle
from indexer.model import BlockRef, Hash
from indexer.reads.abi import function, interface

MOST_CALLS = 1_100
AGGREGATE = "0x252dba42"
"""Selector of `aggregate((address,bytes)[])`, which Multicall3 has too."""

HEAD = 25_000
KEPT_ANSWERS = 160
UPDATED_EVERY = 100
"""Blocks from one change of a contract's state to the next."""

DEEP_EVERY = 50
EPOCH = 32
TRANSACTIONS = 180
"""Of a busy block."""

Item = tuple[bytes, bytes]

_PAIR, _ERC20, _FEED = interface("uniswap_v2_pair"), interface("erc20"), interface("aggregator_v3")
_FACTORY = interface("uniswap_v2_factory")
_SUMMED = function("price0CumulativeLast()").selector


@lru_cache(4_096)
def block(number: int) -> BlockRef:
    """The block of that number on the one chain this server has."""
    return BlockRef(number, _hash(number), _hash(number - 1), _timestamp(number))


@lru_cache(400_000)
def seed(target: bytes) -> bytes:
    """What a contract's numbers are made of."""
    return hashlib.sha256(target).digest()


def answer(target: bytes, calldata: bytes, number: int) -> bytes:
    """What a contract answers at a block. A balance changes with its holder, anything else with the contract."""
    changing = calldata[-20:] if calldata[:4] == _ERC20.balanceOf.selector else target
    return _answer(target, calldata, max(number - (number - phase(changing)) % UPDATED_EVERY, 0))


def phase(contract: bytes) -> int:
    """At which blocks a contract changes: those that are as far from a multiple of the period."""
    return int.from_bytes(seed(contract)[:2], "big")


@lru_cache(400_000)
def _answer(target: bytes, calldata: bytes, since: int) -> bytes:
    selector = calldata[:4]
    if selector in _FACTS:
        return _FACTS[selector](*place_of(target))
    if selector == _FACTORY.allPairs.selector:
        return bytes(12) + bytes.fromhex(address(Kind.PAIR, int.from_bytes(calldata[4:], "big"))[2:])
    amounts = hashlib.sha256(seed(target) + calldata + since.to_bytes(8, "big")).digest()
    if selector == _FEED.latestRoundData.selector:
        price, updated, number = 10**8 + amounts[0], _timestamp(since), since // UPDATED_EVERY + 1
        return b"".join(map(_word, (number, price, updated, updated, number)))
    if selector == _PAIR.getReserves.selector:
        size = _reserve_bytes(*place_of(target))
        return amounts[:size].rjust(32, b"\0") + amounts[14 : 14 + size].rjust(32, b"\0") + _word(_timestamp(since))
    if selector == _SUMMED:
        return _word(_summed(target, since))
    return bytes(20) + amounts[:12]


@lru_cache(400_000)
def _summed(pair: bytes, since: int) -> int:
    """What a pair has added up when it changes: the price that it had, for as long as it had it."""
    before = max(since - UPDATED_EVERY, 0)
    if before == since:
        return 1
    said = _answer(pair, _PAIR.getReserves.selector, before)
    reserve0, reserve1 = int.from_bytes(said[:32], "big"), int.from_bytes(said[32:64], "big")
    price = (reserve1 << 112) // reserve0 if reserve0 and reserve1 else 0
    return (_summed(pair, before) + price * (_timestamp(since) - _timestamp(before))) % 2**256


def _reserve_bytes(_: Kind, index: int) -> int:
    """Of all pairs, one in fifty holds much; the others less than forty tokens of 18 decimals."""
    return 8 if index % DEEP_EVERY else 14


def _pool_token(place: int) -> Callable[[Kind, int], bytes]:
    return lambda kind, index: _token(two_tokens(kind, index)[place])


def _token(index: int) -> bytes:
    return bytes(12) + bytes.fromhex(address(Kind.TOKEN, index)[2:])


_FACTS: dict[bytes, Callable[[Kind, int], bytes]] = {
    _PAIR.token0.selector: _pool_token(0),
    _PAIR.token1.selector: _pool_token(1),
    _FEED.aggregator.selector: lambda kind, index: bytes(12) + bytes.fromhex(address(kind, index)[2:]),
    interface("erc4626").asset.selector: lambda _, index: _token(index % PRICED_TOKENS),
    _FACTORY.allPairsLength.selector: lambda _, index: _word(index),
    _ERC20.decimals.selector: lambda kind, _: _word(8 if kind is Kind.FEED else 18),
    _ERC20.symbol.selector: lambda _, index: _word(32) + _word(5) + f"T{index:04d}"[:5].encode().ljust(32, b"\0"),
}
"""What never changes, by the selector that asks for it."""


class Node:
    """JSON-RPC answers, by block hash or number. With `foreign` logs its blocks are as full as real ones.

    `replay_setHead` moves the head, which is the last block otherwise.
    """

    def __init__(self, load: Load = LARGE, foreign: int = 0) -> None:
        self.head = self.final = HEAD
        self._is_busy = foreign > 0
        self.blocks = {block(number).hash: block(number) for number in range(1, HEAD + 1)}
        self._methods: dict[str, Callable[[Any], Any]] = {
            "eth_call": self._call,
            "eth_getBlockByNumber": self._header_at,
            "eth_getBlockByHash": lambda params: self._header(self.blocks[params[0]].number),
            "replay_setHead": lambda params: self._set_head(params[0]),
            "eth_getLogs": lambda params: self._logs(params[0]),
            "eth_chainId": lambda _: hex(CHAIN_ID),
        }
        self._questions: dict[str, list[Item]] = {}
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._chronicle = Chronicle(
            load, answer, phase, UPDATED_EVERY, lambda number: block(number).hash, foreign=foreign
        )
        self._header = lru_cache(256)(self._made_header)

    def reply(self, request: Any) -> Any:
        """The answer to one request of any method that a reader of state uses."""
        head = {"jsonrpc": "2.0", "id": request["id"]}
        params = request["params"]
        if request["method"] == "eth_call" and _is_too_much(params[0]["data"]):
            return head | {"error": {"code": -32000, "message": "out of gas"}}
        if request["method"] not in self._methods:
            return head | {"error": {"code": -32601, "message": "the method does not exist"}}
        return head | {"result": self._methods[request["method"]](params)}

    def _call(self, params: Any) -> str:
        data, pin = params[0]["data"], params[1]
        if data.startswith(AGGREGATE):
            return self._aggregate(data, int(pin, 16))
        return self._multicall(data, pin["blockHash"])

    def _header_at(self, params: Any) -> Any:
        tags = {"latest": self.head, "safe": self.final, "finalized": self.final}
        number = tags[params[0]] if params[0] in tags else int(params[0], 16)
        return self._header(number) if 0 < number <= self.head else None

    def _made_header(self, number: int) -> Any:
        at = block(number)
        header = {"number": hex(number), "hash": at.hash, "parentHash": at.parent_hash, "timestamp": hex(at.timestamp)}
        if not self._is_busy:
            return header | {"logsBloom": "0x" + "ff" * 256}
        hashes = [_hash(-number * TRANSACTIONS - i) for i in range(TRANSACTIONS)]
        return header | {"logsBloom": bloom_text(self._chronicle.whole_block(number)), "transactions": hashes}

    def _set_head(self, number: int) -> bool:
        """The last blocks of two epochs are not final yet, as on mainnet."""
        self.head, self.final = number, max(number - number % EPOCH - 2 * EPOCH, 1)
        return True

    def _logs(self, filter_: Any) -> Any:
        """By block hash, or of a range."""
        if "blockHash" in filter_:
            number = self.blocks[Hash(filter_["blockHash"])].number
            return self._chronicle.find(filter_, number, number)
        return self._chronicle.find(filter_, int(filter_["fromBlock"], 16), min(int(filter_["toBlock"], 16), self.head))

    def _multicall(self, data: str, pin: str) -> str:
        """The encoded answer to an aggregate3 call, kept by its calldata and block."""
        if (data, pin) not in self._answers:
            if data not in self._questions:
                self._questions[data] = decode_calls(bytes.fromhex(data[2:]), 4)
            at = self.blocks[Hash(pin)]
            answers = [_witness(item, at) or answer(*item, at.number) for item in self._questions[data]]
            self._keep(data, pin, encode_results(answers))
        return self._answers[data, pin]

    def _keep(self, data: str, pin: str, result: bytes) -> None:
        self._answers[data, pin] = "0x" + result.hex()
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def _aggregate(self, data: str, number: int) -> str:
        """The encoded answer to a call of the older `aggregate`, kept by its calldata and block."""
        if (data, str(number)) not in self._answers:
            if data not in self._questions:
                self._questions[data] = decode_calls(bytes.fromhex(data[2:]), 3)
            answers = [answer(*item, number) for item in self._questions[data]]
            self._keep(data, str(number), encode_outputs(answers, number))
        return self._answers[data, str(number)]


def decode_calls(data: bytes, words: int) -> list[Item]:
    """The (target, calldata) pairs of an array of so many words each, up to the calldata: 4 in aggregate3's calls."""
    body = data[4 + 64 :]
    count = int.from_bytes(data[4 + 32 : 4 + 64], "big")
    items = []
    for i in range(count):
        at = int.from_bytes(body[32 * i : 32 * i + 32], "big")
        start = at + 32 * words
        size = int.from_bytes(body[start - 32 : start], "big")
        items.append((body[at + 12 : at + 32], body[start : start + size]))
    return items


def encode_outputs(answers: list[bytes], number: int) -> bytes:
    """The older aggregate's answer: the block's number, and each call's bytes."""
    tails = [_word(len(a)) + a.ljust(-(-len(a) // 32) * 32, b"\0") for a in answers]
    return _word(number) + _word(64) + _word(len(answers)) + _with_heads(tails)


def encode_results(answers: list[bytes]) -> bytes:
    """aggregate3's answer: every call succeeded."""
    tails = [_SUCCESS + _word(len(a)) + a.ljust(-(-len(a) // 32) * 32, b"\0") for a in answers]
    return _word(32) + _word(len(answers)) + _with_heads(tails)


def _with_heads(tails: list[bytes]) -> bytes:
    """The items of a dynamic array, after the offset of each."""
    heads, at = [], 32 * len(tails)
    for tail in tails:
        heads.append(_word(at))
        at += len(tail)
    return b"".join(heads) + b"".join(tails)


def _is_too_much(data: str) -> bool:
    """Whether a gas cap would refuse it. The older `aggregate` is never refused: its caller gives up where it is."""
    return not data.startswith(AGGREGATE) and int(data[2 + 8 + 64 : 2 + 8 + 128], 16) > MOST_CALLS


def _witness(item: Item, at: BlockRef) -> bytes | None:
    if item[0] != _MULTICALL3:
        return None
    known = {
        "3408e470": _word(CHAIN_ID),
        "42cbb15c": _word(at.number),
        "0f28c97d": _word(at.timestamp),
        "27e86d6e": bytes.fromhex(at.parent_hash[2:]),
    }
    return known.get(item[1][:4].hex())


def bloom_text(logs: list[dict[str, Any]]) -> str:
    """The filter of a header, over addresses and topics. Ethereum yellow paper, section 4.3.1."""
    bits = 0
    for item in {item for log in logs for item in (log["address"], *log["topics"])}:
        digest = keccak(bytes.fromhex(item[2:]))
        for place in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return f"0x{bits:0512x}"


def _hash(number: int) -> Hash:
    return Hash("0x" + hashlib.sha256(b"block" + number.to_bytes(8, "big", signed=True)).hexdigest())


def _timestamp(number: int) -> int:
    return GENESIS_TIMESTAMP + BLOCK_TIME_S * number


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


_MULTICALL3 = bytes.fromhex(MULTICALL3[2:])
_SUCCESS = _word(1) + _word(64)


def application(node: Node, latency_s: float) -> web.Application:
    """The node behind HTTP; every request waits for the latency."""

    async def post(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        if latency_s:
            await asyncio.sleep(latency_s)
        replies = [node.reply(one) for one in body] if isinstance(body, list) else node.reply(body)
        return web.Response(body=orjson.dumps(replies), content_type="application/json")

    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/", post)
    return app


async def _serve(latency_s: float, contracts: int, foreign: int) -> None:
    runner = web.AppRunner(application(Node(scaled(contracts), foreign), latency_s), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000, int(sys.argv[2]), int(sys.argv[3])))
