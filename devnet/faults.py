"""What can go wrong between a client and a node, each as an act for `devnet.proxy.FaultProxy`.
Only makes the faults that a node of its own, such as anvil, cannot."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from eth_abi.abi import decode, encode

from devnet.proxy import Act, Document, Exchange

Edit = Callable[[list[Document]], list[Document]]

AGGREGATE3 = "0x82ad56cb"


def status(code: int, body: bytes | str | Document = b"", **headers: str) -> Act:
    """An HTTP status with any body."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body

    async def act(exchange: Exchange) -> web.StreamResponse:
        return exchange.raw(data, code, **headers)

    return act


def page(title: str, code: int = 200) -> Act:
    """A page of HTML in the place of JSON."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>block not found</body></html>"
    return status(code, body, Content_Type="text/html")


def error(code: int, message: str, data: Any = None, http: int = 200) -> Act:
    """The same JSON-RPC error for everything."""
    problem = {"code": code, "message": message} | ({} if data is None else {"data": data})

    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = [{"jsonrpc": "2.0", "id": d["id"], "error": problem} for d in exchange.documents]
        response = exchange.reply(replies)
        response.set_status(http)
        return response

    return act


def edit(change: Edit) -> Act:
    """The node's replies, changed."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return exchange.reply(change(await exchange.forward()))

    return act


def results(method: str, change: Callable[[Document, Any], Any]) -> Act:
    """The node's result of one method replaced by `change(asked document, result)`; other replies stay."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        for asked, reply in zip(exchange.documents, replies, strict=True):
            if asked["method"] == method:
                reply["result"] = change(asked, reply.pop("result", None))
                reply.pop("error", None)
        return exchange.reply(replies)

    return act


@dataclass
class Lacking:
    """A node without one log in so many, in blocks of this height: for ever, and always the same ones by their seed.

    `logs` are those that it left out of an answer, each once.
    """

    one_in: int
    seed: int = 1
    heights: range = range(2**63)
    logs: dict[tuple[int, int], Document] = field(default_factory=dict)

    async def __call__(self, exchange: Exchange) -> web.StreamResponse:
        """The act."""
        return await results("eth_getLogs", lambda _, logs: [log for log in logs if self._has(log)])(exchange)

    def _has(self, log: Document) -> bool:
        height, index = int(log["blockNumber"], 16), int(log["logIndex"], 16)
        if height not in self.heights or zlib.crc32(f"{self.seed} {height} {index}".encode()) % self.one_in:
            return True
        self.logs[height, index] = log
        return False


def asks(change: Callable[[Document], None]) -> Act:
    """What is asked, changed in place before the node sees it."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        exchange.documents = json.loads(json.dumps(exchange.documents))
        for document in exchange.documents:
            change(document)
        return exchange.reply(await exchange.forward())

    return act


def slow(seconds: float) -> Act:
    """The right answer, late."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return exchange.reply(await exchange.forward())

    return act


def drip(seconds_a_byte: float) -> Act:
    """The right answer, byte by byte."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(exchange.request)
        body = exchange.reply(await exchange.forward()).body
        assert isinstance(body, bytes)
        with contextlib.suppress(ConnectionResetError):  # the client gave up, as it should
            for byte in body:
                await response.write(bytes([byte]))
                await asyncio.sleep(seconds_a_byte)
        return response

    return act


def truncated(keep: int) -> Act:
    """The right answer, of which only so many bytes come, as if that were all."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        body = exchange.reply(await exchange.forward()).body
        assert isinstance(body, bytes)
        return exchange.raw(body[:keep])

    return act


def reset(after_bytes: int = 0) -> Act:
    """The connection breaks off, before or within the body."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        transport = exchange.request.transport
        assert transport is not None
        if after_bytes:
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(exchange.request)
            await response.write(b"[" * after_bytes)
        transport.abort()
        return web.Response()

    return act


def gzip_bomb(size: int) -> Act:
    """A small body that becomes `size` bytes."""
    return status(200, gzip.compress(b" " * size), Content_Encoding="gzip")


def gzip_members(count: int) -> Act:
    """A body of many compressed members, a byte each."""
    return status(200, gzip.compress(b" ") * count, Content_Encoding="gzip")


def compressed(encoding: str) -> Act:
    """The right answer as `gzip`, `zlib` or bare `deflate`."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        body = exchange.reply(await exchange.forward()).body
        assert isinstance(body, bytes)
        bits = {"gzip": 31, "zlib": 15, "deflate": -15}[encoding]
        packer = zlib.compressobj(wbits=bits)
        name = "gzip" if encoding == "gzip" else "deflate"
        return exchange.raw(packer.compress(body) + packer.flush(), Content_Encoding=name)

    return act


def large(size: int) -> Act:
    """A body of `size` plain bytes."""
    return status(200, b"[" + b" " * size + b"]")


def meanwhile(happening: Callable[[], None]) -> Act:
    """The right answer, but something happens on the chain just before the node is asked."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.to_thread(happening)
        return exchange.reply(await exchange.forward())

    return act


def too_large(most_bytes: int) -> Act:
    """Requests beyond so many bytes are refused, as QuickNode words it, with JSON in a 413."""
    refuse = error(-32614, f"request entity too large: limited to {most_bytes} bytes", http=413)

    async def act(exchange: Exchange) -> web.StreamResponse:
        if len(await exchange.request.read()) > most_bytes:
            return await refuse(exchange)
        return exchange.reply(await exchange.forward())

    return act


def without_state(hashes: Collection[str], message: str = "missing trie node: state is not available") -> Act:
    """Calls pinned to these blocks are refused: their state is pruned."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        for asked, reply in zip(exchange.documents, replies, strict=True):
            pin = asked["params"][-1] if asked["params"] else None
            if isinstance(pin, dict) and pin.get("blockHash") in hashes:
                reply.pop("result", None)
                reply["error"] = {"code": -32000, "message": message}
        return exchange.reply(replies)

    return act


def stale_state(blocks_back: int = 1) -> Act:
    """Multicalls are run on an older block's state, while number, time and parent are those of the block asked for.

    No witness within the call can see that. Nodes do it while they take in a block.
    """

    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        for asked, reply in zip(exchange.documents, replies, strict=True):
            if asked["method"] == "eth_call" and asked["params"][0].get("data", "")[:10] == AGGREGATE3:
                reply["result"] = await _with_older_state(exchange, asked, reply["result"], blocks_back)
        return exchange.reply(replies)

    return act


async def _with_older_state(exchange: Exchange, asked: Document, right: str, blocks_back: int) -> str:
    """The multicall's answers of an older block, behind the four witnesses of the right one."""
    pin = asked["params"][1]
    header = {**asked, "method": "eth_getBlockByHash", "params": [pin["blockHash"], False]}
    (block,) = await _ask(exchange, header)
    older = hex(int(block["number"], 16) - blocks_back)
    (stale,) = await _ask(exchange, {**asked, "params": [asked["params"][0], older, *asked["params"][2:]]})
    (ours,), (theirs,) = (decode(["(bool,bytes)[]"], bytes.fromhex(data[2:])) for data in (right, stale))
    return "0x" + encode(["(bool,bytes)[]"], [[*ours[:4], *theirs[4:]]]).hex()


async def _ask(exchange: Exchange, document: Document) -> list[Any]:
    other = Exchange(exchange.request, [document], True, exchange.node, exchange.upstream)
    return [reply["result"] for reply in await other.forward()]


def at_latest(document: Document) -> None:
    """For `asks`: a pinned call is run at the newest block instead."""
    if document["method"] == "eth_call":
        document["params"][1] = "latest"


def at_block(number: int) -> Callable[[Document], None]:
    """For `asks`: a pinned call is run at this block instead."""

    def change(document: Document) -> None:
        if document["method"] == "eth_call":
            document["params"][1] = hex(number)

    return change


def behind(blocks: int, head: int) -> Act:
    """A node whose head stands `blocks` below `head`: it has nothing above, and says so."""
    top = head - blocks

    def lower(document: Document) -> None:
        if document["method"] == "eth_getBlockByNumber" and document["params"][0] == "latest":
            document["params"][0] = hex(top)

    async def act(exchange: Exchange) -> web.StreamResponse:
        exchange.documents = json.loads(json.dumps(exchange.documents))
        for document in exchange.documents:
            lower(document)
        replies = await exchange.forward()
        return exchange.reply([_not_above(top, d, r) for d, r in zip(exchange.documents, replies, strict=True)])

    return act


def _not_above(top: int, asked: Document, reply: Document) -> Document:
    result = reply.get("result")
    if asked["method"] == "eth_blockNumber":
        return {**reply, "result": hex(top)}
    if isinstance(result, dict) and int(result.get("number", "0x0"), 16) > top:
        return {**reply, "result": None}
    return reply
