"""Logs that come with the look at the head: used for the block they are of, and asked for again in any other case."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from devnet import Anvil, faults
from devnet.proxy import Act, Exchange, FaultProxy
from indexer.chain.base import Replies
from indexer.chain.block_logs import FEW_BLOCKS, BlockLogs
from indexer.chain.blocks import read_headers
from indexer.chain.follower import Advanced, Follower, Reorged
from indexer.chain.logs import LogReader
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, WrongFork
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
        self.send(self.anvil.block_number())
        self.anvil.mine()
        return await self.look()

    def send(self, number: int) -> None:
        """One more log in the next block."""
        data = RED + number.to_bytes(32, "big").hex()
        sender = self.anvil.rpc("eth_accounts")[0]
        self.anvil.rpc("eth_sendTransaction", {"from": sender, "to": ONE, "data": data, "gas": "0x15f90"})

    async def look(self, hinted: Hash | None = None) -> BlockRef:
        """The head, with the logs of a block that was hinted at."""
        number = self.anvil.block_number()
        beside = self.logs.ahead(number, number, hinted) if hinted else []
        view = await read_headers(self.pool, ["latest"], beside=beside)
        head = view.items[0]
        assert isinstance(head, BlockRef)
        if beside:
            self.logs.came([head], Replies([view.answers[0], *view.answers[1:]], view.endpoint))
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
    assert bench.logs.ahead(head.number, head.number, head.hash) == []
    assert len((await bench.asked(head))[0]) == 1


async def test_nothing_rides_along_where_many_blocks_are_asked_for_at_once(bench: Bench) -> None:
    many = [await bench.mined() for _ in range(FEW_BLOCKS + 1)]
    assert len(await bench.logs(QUERIES, many)) == len(many)
    assert bench.logs.ahead(many[-1].number, many[-1].number, many[-1].hash) == []


@pytest.fixture
async def followed(bench: Bench) -> Followed:
    """A follower at the head, with which logs ride along."""
    return Followed(bench, Follower(bench.pool, rider=bench.logs, use_tags=False, finality_depth=10**6))


@dataclass
class Followed:
    """What a follower tells, and its requests."""

    bench: Bench
    follower: Follower
    behind: list[BlockRef] = field(default_factory=list)

    async def look(self) -> tuple[list[int], int]:
        """The logs of each new block, and the HTTP requests for all that was learned."""
        before, counts = self.bench.proxy.posts, []
        for event in await self.follower.step():
            assert isinstance(event, Advanced | Reorged)
            for block in event.blocks if isinstance(event, Advanced) else event.new:
                logs = await self.bench.logs(QUERIES, [block])
                assert {log.block_hash for log in logs} <= {block.hash}
                counts.append(len(logs))
        return counts, self.bench.proxy.posts - before

    async def keep(self, kept: dict[int, list[Log]]) -> None:
        """Look, and have the logs of every block of the chain, until some endpoint fails."""
        with suppress(EndpointError, WrongFork, ChainUnavailable):
            for event in await self.follower.step():
                assert isinstance(event, Advanced | Reorged)
                blocks = event.blocks if isinstance(event, Advanced) else event.new
                for number in [n for n in kept if isinstance(event, Reorged) and n > event.ancestor.number]:
                    del kept[number]
                self.behind = [one for one in self.behind if not blocks or one.number < blocks[0].number] + [*blocks]
            while self.behind:
                kept[self.behind[0].number] = await self.bench.logs(QUERIES, [self.behind[0]])
                del self.behind[0]

    def mine(self, *logs: int, apart_s: int = 12) -> None:
        """Blocks with so many logs each."""
        anvil = self.bench.anvil
        for count in logs:
            for number in range(count):
                self.bench.send(number)
            anvil.mine(1, dt=apart_s)


async def test_by_polling_a_block_costs_one_request_and_a_look_in_vain_another(followed: Followed) -> None:
    await followed.look()
    for count in (0, 3, 1, 0, 2):
        followed.mine(count)
        assert await followed.look() == ([count], 1)
    assert await followed.look() == ([], 1)


async def test_several_blocks_that_came_at_once_cost_two_requests(followed: Followed) -> None:
    await followed.look()
    followed.mine(2, 0, 1, 3)
    assert await followed.look() == ([2, 0, 1, 3], 2)
    followed.mine(1, 1)
    assert await followed.look() == ([1, 1], 2)
    followed.mine(1)
    assert await followed.look() == ([1], 2), "after several at once, nothing rides along with the look"
    followed.mine(2)
    assert await followed.look() == ([2], 1)


async def test_of_a_reorg_the_new_blocks_logs_are_those_of_the_new_blocks(followed: Followed) -> None:
    await followed.look()
    followed.mine(1, 1)
    await followed.look()
    followed.bench.anvil.reorg(2)
    followed.mine(2, 3)
    assert (await followed.look())[0][-2:] == [2, 3]
    followed.mine(1)
    assert (await followed.look())[0] == [1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-32000, "invalid block range params"),
        (-32602, "block range extends beyond current head block"),
        (-32602, "BlockOutOfRangeError: block height is 30 but requested was 31"),
        (-32000, "One of the blocks specified in filter (fromBlock, toBlock or blockHash) cannot be found."),
        (-32614, "eth_getLogs is limited to a 0 range"),
        (-32603, "zorp"),
    ],
)
async def test_a_node_that_answers_the_next_block_with_an_error_as_long_as_it_is_not_there(
    followed: Followed, code: int, words: str
) -> None:
    proxy = followed.bench.proxy

    async def refused(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        head = followed.bench.anvil.block_number()
        for asked, reply in zip(exchange.documents, replies, strict=True):
            if asked["method"] == "eth_getLogs" and int(asked["params"][0].get("toBlock", "0x0"), 16) > head:
                reply.pop("result", None)
                reply["error"] = {"code": code, "message": words}
        return exchange.reply(replies)

    await followed.look()
    proxy.fault(refused)
    for _ in range(3):
        assert await followed.look() == ([], 1)
        followed.mine(2)
        assert await followed.look() == ([2], 1)


async def test_logs_of_one_moment_beside_the_head_of_another_are_asked_for_again(followed: Followed) -> None:
    """A balancer whose second backend, which answers the logs, is a block behind, or on another fork."""
    proxy, anvil = followed.bench.proxy, followed.bench.anvil

    async def parted(exchange: Exchange) -> web.StreamResponse:
        logs = await exchange.forward()
        anvil.reorg(1)
        heads = await exchange.forward()
        return exchange.reply([*heads[:1], *logs[1:]])

    await followed.look()
    followed.mine(2)
    proxy.fault(parted, method="eth_getLogs", times=1)
    counts, requests = await followed.look()
    assert (len(counts), requests) == (1, 2)
    followed.mine(1)
    assert await followed.look() == ([1], 1)


async def test_through_a_random_life_of_a_chain_every_block_has_its_own_logs_and_all_of_them(
    followed: Followed,
) -> None:
    dice, bench, kept = random.Random(8), followed.bench, dict[int, list[Log]]()
    troubles: list[Act] = [faults.status(500), faults.truncated(400), faults.reset(), faults.page("oops")]
    for _ in range(80):
        what = dice.random()
        if what < 0.6:
            followed.mine(
                *[dice.randint(0, 3) for _ in range(dice.choice([1, 1, 1, 2, 5]))], apart_s=dice.randint(1, 20)
            )
        elif what < 0.75 and bench.anvil.block_number() > 45:
            bench.anvil.reorg(dice.randint(1, 5))
        elif what < 0.85:
            bench.proxy.fault(dice.choice(troubles), times=1)
        await followed.keep(kept)
    bench.proxy.heal()
    for _ in range(5):
        await followed.keep(kept)
    assert max(kept) == bench.anvil.block_number()
    for number, logs in kept.items():
        filter_ = {"fromBlock": hex(number), "toBlock": hex(number), "address": ONE}
        told = [(log.block_hash, log.log_index, int.from_bytes(log.data, "big")) for log in logs]
        assert told == [
            (log["blockHash"], int(log["logIndex"], 16), int(log["data"], 16))
            for log in bench.anvil.rpc("eth_getLogs", filter_)
        ]
