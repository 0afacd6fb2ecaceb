"""What the tests of prices on real contracts share: a block, and its contracts as a function that answers questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from devnet import Anvil, RpcError
from indexer.model import Address, BlockRef, Hash, Quote, Status
from indexer.pricing.router import Route, Router
from indexer.reads.plan import Answer, Ask, Call, Failed
from indexer.testing import drive

ONE = 10**36
Routes = Mapping[str, Sequence[Mapping[str, Any]]]


def head(net: Anvil) -> BlockRef:
    block = net.block()
    number, timestamp = int(block["number"], 16), int(block["timestamp"], 16)
    return BlockRef(number, Hash(block["hash"]), Hash(block["parentHash"]), timestamp)


def node(net: Anvil, at: BlockRef) -> Callable[[Ask], Answer]:
    """Answers calls from the node, pinned by block hash."""

    def answer(ask: Ask) -> Answer:
        assert isinstance(ask, Call)
        pin = {"blockHash": at.hash}
        try:
            raw = net.rpc("eth_call", {"to": ask.target, "data": "0x" + ask.data.hex()}, pin)
        except RpcError as error:
            return Failed(Status.HELD, str(error))
        if raw == "0x" and net.rpc("eth_getCode", ask.target, pin) == "0x":
            return Failed(Status.MISSING, "no code")
        return ask.function.decode(bytes.fromhex(raw[2:]))

    return answer


def quoted(net: Anvil, routes: Routes, token: str, at: BlockRef | None = None) -> Quote:
    """The quote of one token by these routes, at the head or at a block."""
    parsed = {Address(key.lower()): [Route.parse(way) for way in ways] for key, ways in routes.items()}
    at = at or head(net)
    return drive(Router(parsed).plan(parsed, at), node(net, at))[Address(token.lower())]


def floored(price: Fraction) -> int:
    return price.numerator * ONE // price.denominator
