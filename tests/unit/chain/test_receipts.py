"""The logs of a block's receipts: those that were asked for, of that block, and an error where they cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from indexer.chain.base import Replies, Request
from indexer.chain.receipts import ReceiptLogs
from indexer.errors import EndpointError, Verdict
from tests.unit.chain.log_nodes import FEW, POOLS, STRANGER, SYNC, Node, amounts, block, log, refusal


@dataclass
class Receipts:
    """A Transport whose node puts each log of a block into a receipt, or answers anything else."""

    node: Node
    instead: Any = ...
    asked: int = 0
    name: str = "made-up"
    chain_id: int = 1

    async def send(self, requests: Sequence[Request], *, avoid: str | None = None) -> Replies:
        self.asked += 1
        (request,) = requests
        assert request.method == "eth_getBlockReceipts"
        (at,) = [at for at in self.node.blocks.values() if at.hash == request.params[0]]
        receipts = [{"logs": [one]} for one in self.node.logs[at.number]]
        return Replies([receipts if self.instead is ... else self.instead], "one")

    def distrust(self, endpoint: str, reason: str) -> None:
        raise AssertionError(reason)


async def test_only_what_was_asked_for_is_found_and_a_block_is_read_once() -> None:
    node = Node("one")
    at = node.mine(log(POOLS[1], (SYNC,), 5), log(STRANGER, (SYNC,), 6), log(POOLS[0], (SYNC,), 7))
    transport = Receipts(node)
    logs = ReceiptLogs(transport)
    assert amounts(await logs(FEW, [at])) == [5, 7]
    assert amounts(await logs(FEW, [at])) == [5, 7]
    assert transport.asked == 1


@pytest.mark.parametrize(
    ("instead", "verdict"),
    [
        (refusal("the method does not exist"), Verdict.UNSUPPORTED),
        (None, Verdict.MISSING_TIP),
        ("nonsense", Verdict.MALFORMED),
        ([{"status": "0x1"}], Verdict.MALFORMED),
    ],
)
async def test_receipts_that_cannot_be_had_are_an_error(instead: Any, verdict: Verdict) -> None:
    node = Node("one")
    at = node.mine(log(POOLS[1], (SYNC,)))
    with pytest.raises(EndpointError) as caught:
        await ReceiptLogs(Receipts(node, instead))(FEW, [at])
    assert caught.value.verdict is verdict


async def test_receipts_of_another_block_are_refused() -> None:
    node = Node("one")
    at = node.mine(log(POOLS[1], (SYNC,)))
    node.logs[at.number][0]["blockHash"] = block(7).hash
    with pytest.raises(EndpointError, match="another block"):
        await ReceiptLogs(Receipts(node))(FEW, [at])
