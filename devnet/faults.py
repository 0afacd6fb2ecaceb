"""What can go wrong between a client and a node, each as an act for `devnet.proxy.FaultProxy`.
Only makes the faults that a node of its own, such as anvil, cannot."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

from devnet.proxy import Act, Document, Exchange

Edit = Callable[[list[Document]], list[Document]]


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


def at_latest(document: Document) -> None:
    """For `asks`: a pinned call is run at the newest block instead."""
    if document["method"] == "eth_call":
        document["params"][1] = "latest"


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
