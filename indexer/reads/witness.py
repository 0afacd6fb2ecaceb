"""A block -> the calls that say in which block a node really executed, and the check of their answers.

A node can answer a pinned call from another block, well-formed and without an error. So every request that reads state
carries a witness, executed with it. Never sends anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexer.chain.base import Request
from indexer.errors import EndpointError
from indexer.model import Address, BlockRef
from indexer.reads.abi import interface
from indexer.reads.aggregate3 import WITNESSES, Payload, encode_calls, encode_item
from indexer.reads.types import WORD

ARBSYS = Address("0x" + "64".rjust(40, "0"))
"""https://docs.arbitrum.io/build-decentralized-apps/precompiles/reference#arbsys"""

BARE_WITNESS = "0x43600052426020526001430340604052606060" + "00f3"
"""Code that returns NUMBER, TIMESTAMP and BLOCKHASH(NUMBER - 1), run by a call without a target: it needs no contract
on the chain, and no opcode that was not there from the first block on."""


class Unproven(Exception):
    """An answer that does not show that it comes from the block asked for."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What a chain's requests carry as proof of their block.

    On Arbitrum (`arbsys`) the EVM's block number and hash are those of the parent chain, so ArbSys is asked instead.
    `multicall3` is None where the contract does not exist, and stands on the chain from `first_block` on.
    """

    chain_id: int
    multicall3: Address | None
    first_block: int = 0
    arbsys: bool = False

    def items(self, at: BlockRef) -> list[str]:
        """The witness calls as encoded multicall items."""
        multicall, arb, contract = interface("multicall3"), interface("arbsys"), self.multicall3 or ARBSYS
        number = arb.arbBlockNumber(ARBSYS) if self.arbsys else multicall.getBlockNumber(contract)
        parent = (
            arb.arbBlockHash(ARBSYS, max(at.number - 1, 0)) if self.arbsys else multicall.getLastBlockHash(contract)
        )
        calls = [multicall.getChainId(contract), number, multicall.getCurrentBlockTimestamp(contract), parent]
        return [encode_item(call.target, call.data) for call in calls]

    def check_items(self, answers: Sequence[bytes | None], at: BlockRef) -> None:
        """Raises Unproven unless a batch's first answers are those of `at`."""
        expected = [_word(self.chain_id), _word(at.number), _word(at.timestamp), bytes.fromhex(at.parent_hash[2:])]
        if list(answers[:WITNESSES]) != expected:
            raise Unproven(f"executed in {_described(answers[:WITNESSES])} instead of block {at}")

    def request(self, at: BlockRef, pin: Any) -> Request:
        """One request that proves the others that go with it, where the calls are not within a multicall."""
        if self._by_multicall(at):
            items = self.items(at)
            data = encode_calls((), items).calldata(items)
            return Request("eth_call", ({"to": self.multicall3, "data": data}, pin))
        if self.arbsys:
            number = interface("arbsys").arbBlockNumber(ARBSYS)
            return Request("eth_call", ({"to": ARBSYS, "data": "0x" + number.data.hex()}, pin))
        return Request("eth_call", ({"data": BARE_WITNESS}, pin))

    def check_reply(self, reply: Any, at: BlockRef) -> None:
        """Raises Unproven unless the reply to `request` is that of `at`."""
        data = answer_bytes(reply)
        if self._by_multicall(at):
            self.check_items(batch_answers(Payload("", 0, WITNESSES), data), at)
        elif data != self._bare(at):
            raise Unproven(f"executed in block {int.from_bytes(data[:WORD], 'big')} instead of block {at}")

    def _by_multicall(self, at: BlockRef) -> bool:
        return self.multicall3 is not None and at.number >= self.first_block

    def _bare(self, at: BlockRef) -> bytes:
        if self.arbsys:
            return _word(at.number)
        return _word(at.number) + _word(at.timestamp) + bytes.fromhex(at.parent_hash[2:])


def batch_answers(payload: Payload, data: bytes) -> list[bytes | None]:
    """The answers of a multicall. Raises Unproven where the bytes are not one's."""
    if not data:
        raise Unproven("no Multicall3 contract answered at its address")
    try:
        return payload.answers(data)
    except ValueError as error:
        raise Unproven(str(error)) from None


def answer_bytes(reply: Any) -> bytes:
    """A JSON-RPC data string as bytes. Raises Unproven for anything else."""
    if isinstance(reply, EndpointError):
        raise Unproven(f"the witness got no answer: {reply.message}")
    try:
        if reply[:2] == "0x":
            return bytes.fromhex(reply[2:])
    except (TypeError, ValueError):
        pass
    raise Unproven("an answer that is not hex data")


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _described(answers: Sequence[bytes | None]) -> str:
    if len(answers) < WITNESSES or None in answers:
        return "an unknown block"
    chain_id, number, timestamp, parent = [answer or b"" for answer in answers]
    place = f"block {int.from_bytes(number, 'big')} of chain {int.from_bytes(chain_id, 'big')}"
    return f"{place}, timestamp {int.from_bytes(timestamp, 'big')}, parent 0x{parent.hex()[:8]}…"
