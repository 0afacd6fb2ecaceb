"""Which endpoint is asked, and which is not any more: dead ones, those of another chain, those that lack a block."""

from __future__ import annotations

import pytest

from devnet import Anvil, faults
from devnet.proxy import Act, FaultProxy
from indexer.chain.base import Request
from indexer.chain.health import Trouble
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, Verdict, WrongChain
from tests.chain.chain_support import BALANCE, BLOCK, FOUR, PoolMaker, Time, numbers, warm

pytestmark = pytest.mark.anvil


async def test_a_dead_endpoint_beside_a_living_one_is_no_obstacle(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of("http://127.0.0.1:9/v3/dead", "http://no-such-host.invalid/key", proxy)
    assert await numbers(pool) == [1, 2, 3, 4]


async def test_all_endpoints_down_is_said_and_over_when_one_is_back(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time, troubles: list[Trouble]
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    for place in (proxy, second):
        place.fault(faults.reset())
    for _ in range(20):
        with pytest.raises(ChainUnavailable):
            await pool.send(FOUR)
        time_.now += 30
    asked = proxy.posts + second.posts
    assert asked < 120
    assert [trouble.kind for trouble in troubles] == ["failing", "failing"]
    proxy.heal()
    second.heal()
    time_.now += 600
    assert await numbers(pool) == [1, 2, 3, 4]
    assert "recovered" in [trouble.kind for trouble in troubles]


def _other_chain(found: str) -> Act:
    return faults.results("eth_chainId", lambda asked, result: found)


async def test_an_endpoint_of_another_chain_is_never_asked_for_anything_else(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, troubles: list[Trouble], time_: Time
) -> None:
    proxy.fault(_other_chain("0x1"), method="eth_chainId")
    pool = pool_of(proxy, second)
    for _ in range(3):
        assert await numbers(pool) == [1, 2, 3, 4]
        time_.now += 10_000
    assert {document["method"] for document in proxy.asked} == {"eth_chainId"}
    assert proxy.posts == 1
    assert [trouble.kind for trouble in troubles] == ["wrong chain"]


async def test_an_endpoint_that_comes_back_as_another_chain_is_refused(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.status(500), times=1)
    proxy.fault(_other_chain("0x1"), method="eth_chainId")
    proxy.fault(faults.results("eth_getBlockByNumber", lambda asked, result: {**result, "number": "0x63"}))
    for _ in range(3):
        assert await numbers(pool) == [1, 2, 3, 4]
    second.fault(faults.status(500))
    with pytest.raises(ChainUnavailable):
        await numbers(pool)


async def test_every_failover_proves_the_chain_of_the_next_endpoint_first(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await pool.check()
    assert (proxy.count("eth_chainId"), second.count("eth_chainId")) == (1, 1)
    used = (await pool.send(FOUR)).endpoint
    first, other = (proxy, second) if used == Secret(proxy.url).label else (second, proxy)
    first.fault(faults.status(500))
    await numbers(pool)
    assert other.count("eth_chainId") == 2


async def test_only_endpoints_of_other_chains_is_a_mistake_in_the_configuration(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    proxy.fault(_other_chain("0x1"), method="eth_chainId")
    second.fault(_other_chain("0xa"), method="eth_chainId")
    with pytest.raises(WrongChain) as caught:
        await pool_of(proxy, second).send(FOUR)
    assert proxy.key not in str(caught.value)


async def test_an_endpoint_that_cannot_say_its_chain_is_not_one_of_another_chain(
    proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    proxy.fault(faults.error(-32601, "the method eth_chainId does not exist"), method="eth_chainId")
    pool = pool_of(proxy)
    with pytest.raises(ChainUnavailable):
        await pool.send(FOUR)
    proxy.heal()
    time_.now += 600
    assert await numbers(pool) == [1, 2, 3, 4]


async def test_a_method_that_was_refused_once_is_not_refused_for_ever(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.error(-32601, "the method eth_getBalance is not available"), method="eth_getBalance", times=1)
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
    asked = proxy.count("eth_getBalance")
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
    assert proxy.count("eth_getBalance") == asked
    time_.now += 3_600
    second.fault(faults.status(500))
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
    assert proxy.count("eth_getBalance") == asked + 1


async def test_a_method_that_no_endpoint_has_is_the_answer(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    with pytest.raises(EndpointError) as caught:
        await pool_of(proxy, second).request("eth_frobnicate")
    assert caught.value.verdict == Verdict.UNSUPPORTED


# Blocks that are not there


async def test_a_block_that_another_endpoint_announced_is_waited_for(
    proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, block_time_s=3.0)
    await warm(pool)
    proxy.fault(faults.error(-32000, "header not found"), method="eth_getBalance", times=1)
    start = time_.now
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
    assert time_.now - start == 3.0


async def test_a_null_for_a_block_that_is_known_to_exist_is_waited_for(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, block_time_s=3.0)
    head = await pool.request("eth_getBlockByNumber", "latest", False)
    proxy.fault(faults.results("eth_getBlockByNumber", lambda asked, result: None), times=1)
    start = time_.now
    assert await pool.request("eth_getBlockByNumber", head["number"], False) == head
    assert time_.now - start == 3.0


async def test_a_null_for_a_block_beyond_the_head_is_an_answer(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    await pool.request("eth_getBlockByNumber", "latest", False)
    assert await pool.request("eth_getBlockByNumber", "0xffff", False) is None


async def test_a_block_hash_that_nobody_knows_is_of_another_fork(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    with pytest.raises(EndpointError) as caught:
        await pool.request("eth_getBalance", "0x" + "11" * 20, {"blockHash": "0x" + "ab" * 32})
    assert caught.value.verdict == Verdict.WRONG_FORK
    assert proxy.count("eth_getBalance") > 0 < second.count("eth_getBalance")


async def test_a_request_at_a_block_goes_to_an_endpoint_known_to_have_it(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    head = anvil.block_number()
    proxy.fault(faults.behind(5, head))
    pool = pool_of(proxy, second)
    await pool.check()
    replies = await pool.send([Request("eth_getBalance", ("0x" + "11" * 20, hex(head)))])
    assert replies.endpoint == Secret(second.url).label
    assert proxy.count("eth_getBalance") == 0


@pytest.mark.parametrize("text", ["missing trie node 77", "layer stale", "historical state 0x1 is not available"])
async def test_what_one_endpoint_has_pruned_another_is_asked_for_and_the_depth_is_remembered(
    text: str, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await pool.request("eth_getBlockByNumber", "latest", False)
    proxy.fault(faults.error(-32000, text), method="eth_getBalance")
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
    asked = proxy.count("eth_getBalance")
    assert await pool.request("eth_getBalance", "0x" + "11" * 20, "0x4") == "0x0"
    assert proxy.count("eth_getBalance") == asked
    assert pool.health()[0].archive_depth is not None


async def test_what_all_have_pruned_is_said_at_once(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, second)
    for place in (proxy, second):
        place.fault(faults.error(-32000, "missing trie node 77"), method="eth_getBalance")
    with pytest.raises(EndpointError) as caught:
        await pool.request(BALANCE.method, *BALANCE.params)
    assert caught.value.verdict == Verdict.PRUNED
    assert time_.slept == []


# One batch, one endpoint; facts about contracts


async def test_a_batch_is_answered_by_one_endpoint_even_if_another_fails_within_it(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second, most_items=2)
    await warm(pool)
    proxy.fault(faults.status(500), after=1, times=1)
    replies = await pool.send(FOUR)
    assert replies.endpoint == Secret(second.url).label
    assert second.count("eth_getBlockByNumber") == 4


async def test_a_revert_is_an_answer_with_its_data(proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy, second)
    data = "0x08c379a0" + "00" * 64
    proxy.fault(faults.error(3, "execution reverted: rate limit exceeded", data), method="eth_call")
    with pytest.raises(EndpointError) as caught:
        await pool.request("eth_call", {"to": "0x" + "11" * 20}, "0x5")
    assert (caught.value.verdict, caught.value.data) == (Verdict.REVERT, data)
    assert second.count("eth_call") == 0


async def test_an_endpoint_that_told_an_untruth_is_asked_last(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    first = (await pool.send([BLOCK])).endpoint
    pool.distrust(first, "it answered from another block")
    assert (await pool.send([BLOCK])).endpoint != first
    assert (await pool.send([BLOCK], avoid=Secret(second.url).label)).endpoint == first


async def test_what_must_be_avoided_is_used_where_there_is_nothing_else(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    label = (await pool.send([BLOCK])).endpoint
    assert (await pool.send([BLOCK], avoid=label)).endpoint == label


async def test_a_slow_answer_is_asked_for_at_a_second_endpoint_and_the_first_to_come_counts(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second, hedge=True)
    for _ in range(5):
        await warm(pool)
    proxy.fault(faults.slow(5.0))
    replies = await pool.send([BLOCK])
    assert replies.endpoint == Secret(second.url).label
    assert pool.hedges == 1


async def test_a_healthy_request_costs_one_http_request_and_nothing_beside(
    proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    before = pool.stats
    assert (before.http, before.requests) == (2, {"eth_chainId": 1, "eth_getBlockByNumber": 1})
    for _ in range(10):
        await numbers(pool)
    assert proxy.posts == 12
    assert pool.stats.requests["eth_getBlockByNumber"] == 41
    assert pool.stats.bytes_received > before.bytes_received
