"""Logs that come with the look at the head: used for the block they are of, and asked for again in any other case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from devnet import Anvil
from devnet.proxy import FaultProxy
from indexer.chain.base import Replies
from indexer.chain.block_logs import BlockLogs
from indexer.chain.blocks import read_headers
from indexer.chain.logs import LogReader
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from indexer.model import Address, BlockRef, Hash, Log, LogQuery

pytestmark = pytest.mark.anvil

EMITTER = "0x602035600052600035602060" + "00a100"
"""calldata (topic, word) -> LOG1 of the word under the topic"""
ONE = Address("0x" + "e1" * 20)
RED = Hash("0x" + "aa" * 32)
QUERIES = (LogQuery((ONE,), (), 0, 2**63 - 1),)


@dataclass
class Bench:
    """An anvil that logs when told, behind a proxy that counts."""

    anvil: Anvil
    proxy: FaultProxy
    pool: Pool
    logs: BlockLogs

    async def mined(self) -> BlockRef:
        data = RED + self.anvil.block_number().to_bytes(32, "big").hex()
        sender = self.anvil.rpc("eth_accounts")[0]
        self.anvil.rpc("eth_sendTransaction", {"from": sender, "to": ONE, "data": data, "gas": "0x15f90"})
        self.anvil.mine()
        return await self.look()

    async def look(self, hinted: Hash | None = None) -> BlockRef:
        """The head, with the logs of a block that was hinted at."""
        beside = self.logs.ahead(hinted) if hinted else []
        view = await read_headers(self.pool, ["latest"], beside=beside)
        head = view.items[0]
        assert isinstance(head, BlockRef)
        if beside:
            self.logs.came(head, Replies([view.answers[0], *view.answers[1:]], view.endpoint))
        return head

    async def asked(self, block: BlockRef) -> tuple[list[Log], int]:
        """The block's logs, and the requests that this took."""
        before = self.proxy.posts
        logs = await self.logs(QUERIES, [block])
        return logs, self.proxy.posts - before


@pytest.fixture
async def bench(anvil: Anvil) -> AsyncIterator[Bench]:
    anvil.rpc("anvil_setCode", ONE, EMITTER)
    async with FaultProxy(anvil.url) as proxy, Pool("devnet", 31337, [Secret(proxy.url)], block_time_s=0.05) as pool:
        bench = Bench(anvil, proxy, pool, BlockLogs(pool, LogReader(pool)))
        assert len((await bench.asked(await bench.mined()))[0]) == 1
        yield bench


async def test_logs_of_the_block_that_was_hinted_at_take_no_request_of_their_own(bench: Bench) -> None:
    block = await bench.mined()
    assert await bench.look(block.hash) == block
    logs, requests = await bench.asked(block)
    assert ([log.block_hash for log in logs], requests) == ([block.hash], 0)
    assert await bench.asked(block) == (logs, 1), "what came ahead serves once"


async def test_logs_of_another_block_than_the_head_are_not_used(bench: Bench) -> None:
    hinted = await bench.mined()
    head = await bench.mined()
    assert await bench.look(hinted.hash) == head
    logs, requests = await bench.asked(head)
    assert ([log.block_hash for log in logs], requests) == ([head.hash], 1)


async def test_after_a_hash_that_no_endpoint_knows_nothing_rides_along(bench: Bench) -> None:
    head = await bench.mined()
    assert await bench.look(Hash("0x" + "77" * 32)) == head
    assert bench.logs.ahead(head.hash) == []
    assert len((await bench.asked(head))[0]) == 1


async def test_nothing_rides_along_where_blocks_are_asked_for_by_the_range(bench: Bench) -> None:
    two = [await bench.mined(), await bench.mined()]
    assert len(await bench.logs(QUERIES, two)) == 2
    assert bench.logs.ahead(two[1].hash) == []
