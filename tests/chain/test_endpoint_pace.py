"""Providers that throttle, bill, refuse and call things too large: what is waited for, cut, or given up."""

from __future__ import annotations

import pytest

from devnet import faults
from devnet.proxy import Document, FaultProxy
from indexer.chain.health import Trouble
from indexer.errors import EndpointError, Verdict
from tests.chain.chain_support import DAY_S, PoolMaker, Time, numbers, warm

pytestmark = pytest.mark.anvil


async def test_a_429_is_waited_out_on_that_endpoint_while_others_answer(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.status(429, b"slow down", Retry_After="2"))
    asked = proxy.posts
    assert await numbers(pool) == [1, 2, 3, 4]
    assert proxy.posts == asked + 1
    assert sum(time_.slept) == 0
    await numbers(pool)
    assert proxy.posts == asked + 1


async def test_the_only_endpoint_gets_the_wait_it_asks_for(proxy: FaultProxy, pool_of: PoolMaker, time_: Time) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    proxy.fault(faults.status(429, b"", Retry_After="2"), times=1)
    start = time_.now
    assert await numbers(pool) == [1, 2, 3, 4]
    assert time_.now - start >= 2.0


async def test_a_rate_error_inside_http_200_is_waited_out_too(
    proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    proxy.fault(faults.error(429, "Your app has exceeded its compute units per second capacity"), times=1)
    start = time_.now
    assert await numbers(pool) == [1, 2, 3, 4]
    assert time_.now - start >= 1.0


async def test_one_reply_of_a_batch_that_was_throttled_is_asked_again_at_the_same_endpoint(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)

    def throttle_third(replies: list[Document]) -> list[Document]:
        replies[2] = {"id": replies[2]["id"], "error": {"code": -32012, "message": "credits limited to 6000/sec"}}
        return replies

    proxy.fault(faults.edit(throttle_third), times=1)
    assert await numbers(pool) == [1, 2, 3, 4]
    assert second.posts == 0


async def test_an_endpoint_whose_quota_is_gone_rests_until_midnight(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time, troubles: list[Trouble]
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.status(402, {"error": {"code": -32005, "message": "daily request count exceeded"}}))
    asked = proxy.posts
    for _ in range(5):
        assert await numbers(pool) == [1, 2, 3, 4]
    assert proxy.posts == asked + 1
    assert [trouble.kind for trouble in troubles] == ["quota"]
    proxy.heal()
    time_.now += DAY_S - time_.now % DAY_S + 1
    assert [health.usable for health in pool.health()] == [True, True]


@pytest.mark.parametrize("code", [401, 403])
async def test_an_endpoint_that_does_not_let_us_in_is_told_once_and_never_asked_again(
    code: int, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, troubles: list[Trouble]
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.status(code, f"bad key {proxy.key[:3]}"))
    asked = proxy.posts
    for _ in range(5):
        assert await numbers(pool) == [1, 2, 3, 4]
    assert proxy.posts == asked + 1
    assert [trouble.kind for trouble in troubles] == ["auth"]
    assert proxy.key not in repr(troubles)


async def test_a_413_with_json_is_read_and_the_batch_is_cut(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    asked = proxy.posts
    proxy.fault(faults.status(413, {"error": {"code": -32614, "message": "batch is limited to 1 request"}}), times=2)
    assert await numbers(pool) == [1, 2, 3, 4]
    assert proxy.posts == asked + 5


async def test_a_413_about_one_request_is_its_own_answer(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    proxy.fault(faults.error(-32614, "eth_getLogs is limited to a 10,000 range", http=413))
    with pytest.raises(EndpointError) as caught:
        await pool.request("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x5"})
    assert caught.value.verdict == Verdict.SPLIT


async def test_the_refusal_of_a_whole_batch_as_geth_words_it_cuts_the_batch(
    proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    await warm(pool)

    def refuse(replies: list[Document]) -> list[Document]:
        return [{"id": replies[0]["id"], "error": {"code": -32600, "message": "batch too large"}}]

    proxy.fault(faults.edit(refuse), times=1)
    assert await numbers(pool) == [1, 2, 3, 4]
