"""Logs of a real local chain, through providers that limit, lie and forget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from devnet import Anvil, faults
from devnet.proxy import Act, Document, Exchange, FaultProxy
from indexer.chain import logs as chain_logs
from indexer.chain.blocks import header
from indexer.chain.health import Trouble
from indexer.chain.logs import LogReader
from indexer.chain.pool import Pool
from indexer.config.secret import Secret
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import Address, BlockRef, Hash, Log, LogQuery
from tests.chain.chain_support import PoolMaker

pytestmark = pytest.mark.anvil

# calldata (topic, word) -> LOG1 of the word under the topic
EMITTER = "0x602035600052600035602060" + "00a100"
ONE, TWO = Address("0x" + "e1" * 20), Address("0x" + "e2" * 20)
RED, BLUE = Hash("0x" + "aa" * 32), Hash("0x" + "bb" * 32)


@dataclass(frozen=True)
class World:
    """A chain with an event of each emitter in most blocks from 31 on: 120 blocks, 200 events."""

    anvil: Anvil
    first: int
    last: int


@pytest.fixture
def world(anvil: Anvil) -> Iterator[World]:
    sender = anvil.rpc("eth_accounts")[0]
    for address in (ONE, TWO):
        anvil.rpc("anvil_setCode", address, EMITTER)
    for i in range(120):
        for address, topic in ((ONE, RED), (TWO, BLUE if i % 2 else RED)):
            if i % 6:
                data = topic + i.to_bytes(32, "big").hex()
                anvil.rpc("eth_sendTransaction", {"from": sender, "to": address, "data": data, "gas": "0x15f90"})
        anvil.mine()
    return World(anvil, 31, 150)


@pytest.fixture
def any_(world: World) -> LogQuery:
    return LogQuery((ONE, TWO), (), 0, world.last)


async def pinned(pool: Pool) -> BlockRef:
    block = await header(pool, "latest")
    assert block is not None
    return block


def of_node(anvil: Anvil, query: LogQuery) -> list[tuple[int, int, str]]:
    """What the node itself says, asked in one piece."""
    found = anvil.rpc("eth_getLogs", chain_logs.log_request(query).params[0])
    return [(int(log["blockNumber"], 16), int(log["logIndex"], 16), log["data"]) for log in found]


def short(logs: list[Log]) -> list[tuple[int, int, str]]:
    return [(log.block_number, log.log_index, "0x" + log.data.hex()) for log in logs]


def limit(most_blocks: int, text: str, code: int = -32602, http: int = 200) -> Act:
    """A provider that takes at most so many blocks; `{}` in the text is the range it got."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        (asked,) = exchange.documents
        first, last = (int(asked["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
        if last - first + 1 <= most_blocks:
            return exchange.reply(await exchange.forward())
        problem = {"code": code, "message": text.replace("{}", f"{last - first + 1}")}
        response = exchange.reply([{"id": asked["id"], "error": problem}])
        response.set_status(http)
        return response

    return act


def most_results(count: int, text: str) -> Act:
    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        if len(replies[0]["result"]) > count:
            return exchange.reply([{"id": replies[0]["id"], "error": {"code": -32005, "message": text}}])
        return exchange.reply(replies)

    return act


LIMITS = {
    "no limit": faults.edit(lambda replies: replies),
    "a range, with a hint": limit(20, "exceed maximum block range: 20"),
    "a range, with a hint at 413": limit(20, "eth_getLogs is limited to a 20 range", -32614, 413),
    "a range, without a hint": limit(20, "block range is too wide"),
    "a hint equal to what was asked": limit(20, "block range too large, retry with a range of {} blocks"),
    "a hint that is still too much": limit(5, "please limit the query to at most 40 blocks"),
    "a hint of nothing": limit(20, "block range limit exceeded, max is 0 blocks"),
    "one block at a time": limit(1, "ranges over 1 blocks are not supported on freetier"),
    "an inverted range as a hint": limit(20, "query returned more than 10 results. Try [0x90, 0x10]"),
    "a range outside as a hint": limit(20, "query returned more than 10 results. Try [0x1000, 0x2000]"),
    "the same range as a hint": limit(20, "query returned more than 10 results. Try [0x0, 0x96]"),
    "results": most_results(15, "query returned more than 15 results"),
    "bytes": most_results(15, "Response size is larger than 150MB limit"),
    "time": most_results(15, "query timeout exceeded"),
}


@pytest.mark.parametrize("what", LIMITS)
async def test_the_logs_are_the_nodes_whatever_the_provider_limits(
    what: str, world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    proxy.fault(LIMITS[what], method="eth_getLogs")
    logs = await chain_logs.fetch(pool, any_, at)
    assert short(logs) == of_node(world.anvil, any_)
    assert len(logs) == 200
    assert proxy.count("eth_getLogs") <= 320


async def test_a_healthy_provider_is_asked_once_for_logs_and_once_for_the_block(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    before = proxy.posts
    await chain_logs.fetch(pool, any_, at)
    assert proxy.posts == before + 2


async def test_what_a_provider_takes_at_once_is_remembered(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at, reader = await pinned(pool), LogReader(pool)
    proxy.fault(limit(30, "exceed maximum block range: 30"), method="eth_getLogs")
    await reader.fetch(any_, at)
    assert reader.span_blocks == 30
    before = proxy.count("eth_getLogs")
    await reader.fetch(any_, at)
    assert proxy.count("eth_getLogs") - before == 6


@pytest.mark.parametrize(
    "topics", [(), ((RED,),), ((BLUE,),), ((RED, BLUE),), (None,), ((Hash("0x" + "cc" * 32),),)], ids=str
)
@pytest.mark.parametrize("addresses", [(ONE,), (ONE, TWO), ()], ids=len)
async def test_addresses_and_topics_are_asked_as_they_are_meant(
    topics: tuple[tuple[Hash, ...] | None, ...],
    addresses: tuple[Address, ...],
    world: World,
    proxy: FaultProxy,
    pool_of: PoolMaker,
) -> None:
    pool = pool_of(proxy)
    query = LogQuery(addresses, topics, 40, 140)
    reader = LogReader(pool, span_blocks=17, most_addresses=1, most_topics=1)
    assert short(await reader.fetch(query, await pinned(pool))) == of_node(world.anvil, query)


async def test_a_single_block_that_is_too_much_is_cut_by_address_and_topic(
    world: World, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    query = LogQuery((ONE, TWO), ((RED, BLUE),), 41, 41)
    proxy.fault(most_results(1, "logs matched by query exceeds limit of 1"), method="eth_getLogs")
    assert short(await chain_logs.fetch(pool, query, await pinned(pool))) == of_node(world.anvil, query)


async def test_what_cannot_be_cut_any_smaller_is_a_failure_with_its_name(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    proxy.fault(most_results(0, "query returned more than 0 results"), method="eth_getLogs")
    with pytest.raises(EndpointError) as caught:
        await chain_logs.fetch(pool, any_, at)
    assert caught.value.verdict == Verdict.SPLIT


async def test_pruned_logs_are_not_split_into_a_storm(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    proxy.fault(faults.error(4444, "pruned history unavailable"), method="eth_getLogs")
    with pytest.raises(EndpointError) as caught:
        await chain_logs.fetch(pool, any_, at)
    assert caught.value.verdict == Verdict.PRUNED
    assert proxy.count("eth_getLogs") == 1


async def test_nothing_is_asked_beyond_the_pinned_block(world: World, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    at = await header(pool, 100)
    assert at is not None
    logs = await chain_logs.fetch(pool, LogQuery((ONE,), (), 0, 10**9), at)
    assert logs[-1].block_number <= 100
    assert await chain_logs.fetch(pool, LogQuery((ONE,), (), 101, 200), at) == []


# Answers that are not


def _log(change: Callable[[Document], object]) -> faults.Edit:
    """The tenth log of the answer, changed; the answer becomes what `change` returns, if that is a list."""

    def edit(replies: list[Document]) -> list[Document]:
        changed = change(replies[0]["result"][10])
        if changed is not None:
            replies[0]["result"] = changed
        return replies

    return edit


LIES = {
    "out of the range": lambda log: log.update(blockNumber="0x5"),
    "of another address": lambda log: log.update(address="0x" + "77" * 20),
    "of another topic": lambda log: log.update(topics=["0x" + "cc" * 32]),
    "without its topic": lambda log: log.update(topics=[]),
    "with five topics": lambda log: log.update(topics=["0x" + "aa" * 32] * 5),
    "removed": lambda log: log.update(removed=True),
    "without a block hash": lambda log: log.update(blockHash=None),
    "without data": lambda log: log.pop("data"),
    "with odd data": lambda log: log.update(data="0x123"),
    "with a name as its index": lambda log: log.update(logIndex="first"),
    "twice, and different": lambda log: log.update(logIndex="0x0", blockNumber="0x20"),
    "a word": lambda log: ["word"],
    "null": lambda log: [None],
}


@pytest.mark.parametrize("what", LIES)
async def test_a_log_that_cannot_be_is_refused_and_the_endpoint_asked_last(
    what: str, world: World, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    query = LogQuery((ONE, TWO), ((RED, BLUE),), 31, world.last)
    at = await pinned(pool)
    proxy.fault(faults.edit(_log(LIES[what])), method="eth_getLogs")
    if what == "twice, and different":
        with pytest.raises(WrongFork):
            await chain_logs.fetch(pool, query, at)
        return
    assert short(await chain_logs.fetch(pool, query, at)) == of_node(world.anvil, query)
    assert (await pool.request("eth_chainId")) == "0x7a69"
    assert (await pool.send([chain_logs.log_request(query)])).endpoint == Secret(second.url).label


async def test_an_answer_that_is_no_list_is_refused(
    world: World, any_: LogQuery, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    at = await pinned(pool)
    proxy.fault(faults.results("eth_getLogs", lambda asked, result: {"logs": result}))
    assert len(await chain_logs.fetch(pool, any_, at)) == 200


async def test_logs_in_any_order_and_some_of_them_twice_come_out_in_order_and_once(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    proxy.fault(faults.results("eth_getLogs", lambda asked, result: result[::-1] + result[:50]))
    assert short(await chain_logs.fetch(pool, any_, at)) == of_node(world.anvil, any_)


async def test_logs_of_a_chain_that_was_reorganised_meanwhile_are_not_handed_out(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)

    async def reorg_after(exchange: Exchange) -> web.StreamResponse:
        response = exchange.reply(await exchange.forward())
        world.anvil.reorg(2)
        return response

    proxy.fault(reorg_after, method="eth_getLogs", times=1)
    with pytest.raises(WrongFork):
        await chain_logs.fetch(pool, any_, at)


async def test_a_log_of_another_fork_than_a_known_block_is_not_handed_out(
    world: World, any_: LogQuery, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    at = await pinned(pool)
    ours = await header(pool, 100)
    assert ours is not None
    other = replace(ours, hash=Hash("0x" + "0f" * 32))
    assert len(await LogReader(pool).fetch(any_, at, known=[ours])) == 200
    with pytest.raises(WrongFork):
        await LogReader(pool).fetch(any_, at, known=[other])


async def test_logs_left_out_under_the_right_hash_are_found_by_the_filter_and_a_second_endpoint(
    world: World, any_: LogQuery, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    at = await pinned(pool)
    half = faults.results("eth_getLogs", lambda asked, result: result[: len(result) // 2])
    proxy.fault(half, method="eth_getLogs")
    assert len(await LogReader(pool).fetch(any_, at)) == 100
    checked = LogReader(pool, sample_blocks=20)
    assert short(await checked.fetch(any_, at)) == of_node(world.anvil, any_)


async def test_complete_logs_pass_the_filter_without_being_asked_for_elsewhere(
    world: World, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    query = LogQuery((ONE,), ((RED,),), 31, world.last)
    reader = LogReader(pool, sample_blocks=200)
    assert short(await reader.fetch(query, await pinned(pool))) == of_node(world.anvil, query)
    assert second.posts == 0


async def test_logs_left_out_of_the_last_block_are_taken_from_another_endpoint(
    world: World, any_: LogQuery, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    at = await pinned(pool)
    query = replace(any_, from_block=at.number)
    proxy.fault(faults.results("eth_getLogs", lambda asked, result: []))
    assert await LogReader(pool).fetch(query, at) == []
    found = short(await LogReader(pool, sample_blocks=2).fetch(query, at))
    assert found == of_node(world.anvil, query)
    assert found


async def test_a_second_opinion_on_the_last_block_that_is_no_answer_says_nothing(
    any_: LogQuery, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, troubles: list[Trouble]
) -> None:
    pool = pool_of(proxy, second)
    at = await pinned(pool)
    proxy.fault(faults.results("eth_getLogs", lambda asked, result: []))
    second.fault(faults.results("eth_getLogs", lambda asked, result: {"logs": result}))
    assert await LogReader(pool, sample_blocks=2).fetch(replace(any_, from_block=at.number), at) == []
    assert [trouble.kind for trouble in troubles] == ["distrusted"]
