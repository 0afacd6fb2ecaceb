"""What networks, servers and providers do wrong, and that it never becomes an answer.

Two endpoints of one chain: the first has the fault. The end condition is always the same: the right answer from the
second, or a failure with the right name.
"""

from __future__ import annotations

import gc
import json
import logging
import traceback

import pytest

from devnet import Anvil, faults
from devnet.proxy import Act, Document, FaultProxy
from indexer.chain.base import Request
from indexer.chain.failures import classify, from_error
from indexer.chain.health import Trouble
from indexer.chain.pool import Pool
from indexer.config.redact import Redactor
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, Verdict, WrongChain
from tests.chain.chain_support import DAY_S, PoolMaker, Time

pytestmark = pytest.mark.anvil

BALANCE = Request("eth_getBalance", ("0x" + "11" * 20, "0x5"))
BLOCK = Request("eth_getBlockByNumber", ("0x5", False))
FOUR = [Request("eth_getBlockByNumber", (hex(number), False)) for number in (1, 2, 3, 4)]


async def numbers(pool: Pool) -> list[int]:
    """Four blocks asked in one batch: an answer shifted by one shows."""
    return [int(item["number"], 16) for item in (await pool.send(FOUR)).items]


async def warm(pool: Pool) -> None:
    await pool.send([BLOCK])


# Pace and budget


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


# Servers out of order

BROKEN: dict[str, Act] = {
    "a 500": faults.status(500, b"oops"),
    "a 502": faults.page("502 Bad Gateway", 502),
    "a 503": faults.status(503, {"message": "Service Unavailable"}),
    "a 504": faults.page("504 Gateway Time-out", 504),
    "a 520": faults.page("520: Web server is returning an unknown error", 520),
    "a 525": faults.status(525),
    "a redirect": faults.status(302, b"", Location="http://127.0.0.1:9/"),
    "HTML at 200": faults.page("Just a moment..."),
    "truncated JSON": faults.truncated(60),
    "an empty body": faults.status(200, b""),
    "a body of nothing but space": faults.status(200, b"   "),
    "an encoding that is not what it says": faults.status(200, b"{}", Content_Encoding="gzip"),
    "an encoding nobody asked for": faults.status(200, b"{}", Content_Encoding="br"),
    "ten thousand gzip members": faults.gzip_members(10_000),
    "a gzip bomb": faults.gzip_bomb(80 * 2**20),
    "a reset before the answer": faults.reset(),
    "a reset within the answer": faults.reset(100),
    "a number": faults.status(200, b"7"),
    "null": faults.status(200, b"null"),
    "a string": faults.status(200, b'"ok"'),
    "an empty list": faults.status(200, b"[]"),
    "nested beyond reason": faults.status(200, b"[" * 100_000),
    "no backend": faults.error(-32011, "no backend is currently healthy to serve traffic"),
    "a false method not found": faults.error(-32601, "the method eth_getBlockByNumber does not exist"),
    "words nobody knows": faults.error(-32099, "zorp"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_server_out_of_order_is_passed_over(
    what: str, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(BROKEN[what])
    assert await numbers(pool) == [1, 2, 3, 4]
    assert second.posts > 0


@pytest.mark.parametrize("what", BROKEN)
async def test_a_server_out_of_order_alone_is_an_unavailable_chain_that_heals(
    what: str, proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    proxy.fault(BROKEN[what])
    if what == "words nobody knows":
        assert [item.verdict for item in (await pool.send(FOUR)).items] == [Verdict.SERVER] * 4
    else:
        with pytest.raises(ChainUnavailable):
            await pool.send(FOUR)
    proxy.heal()
    time_.now += 600
    assert await numbers(pool) == [1, 2, 3, 4]


async def test_an_answer_that_drips_in_is_given_up_in_time(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second, timeout_s=0.3)
    await warm(pool)
    proxy.fault(faults.drip(0.05))
    assert await numbers(pool) == [1, 2, 3, 4]
    assert second.posts > 0


async def test_a_call_that_takes_too_long_everywhere_is_told_apart_from_a_dead_chain(
    proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, timeout_s=0.2)
    await warm(pool)
    proxy.fault(faults.slow(1.0), method="eth_getLogs")
    with pytest.raises(EndpointError) as caught:
        await pool.request("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x5"})
    assert caught.value.verdict == Verdict.TIMEOUT


async def test_a_body_beyond_the_ceiling_is_never_read_to_its_end(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    await warm(pool)
    proxy.fault(faults.large(80 * 2**20))
    received = pool.stats.bytes_received
    with pytest.raises(EndpointError) as caught:
        await pool.request("eth_getBlockByNumber", "0x5", True)
    assert caught.value.verdict == Verdict.SPLIT
    assert pool.stats.bytes_received == received


@pytest.mark.parametrize("encoding", ["gzip", "zlib", "deflate"])
async def test_a_compressed_answer_is_read(encoding: str, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    proxy.fault(faults.compressed(encoding))
    assert await numbers(pool) == [1, 2, 3, 4]


# Replies that do not fit the requests


def _drop(replies: list[Document]) -> list[Document]:
    return replies[:1] + replies[2:]


def _swap_id(value: object) -> faults.Edit:
    def change(replies: list[Document]) -> list[Document]:
        replies[1]["id"] = value
        return replies

    return change


def _twice(replies: list[Document]) -> list[Document]:
    return [*replies[:3], replies[2]]


def _extra(replies: list[Document]) -> list[Document]:
    return [*replies, replies[0]]


def _no_id(replies: list[Document]) -> list[Document]:
    replies[1].pop("id")
    return replies


def _stringly(replies: list[Document]) -> list[Document]:
    return [{**reply, "id": str(reply["id"])} for reply in replies]


def _floaty(replies: list[Document]) -> list[Document]:
    return [{**reply, "id": float(reply["id"])} for reply in replies]


def _both(replies: list[Document]) -> list[Document]:
    replies[1]["error"] = {"code": 3, "message": "execution reverted"}
    return replies


def _neither(replies: list[Document]) -> list[Document]:
    replies[1].pop("result")
    return replies


MISFITS = {
    "a reply is missing": _drop,
    "an id is foreign": _swap_id(10**9),
    "an id is negative": _swap_id(-1),
    "an id is null": _swap_id(None),
    "an id is true": _swap_id(True),
    "an id is a list": _swap_id([1]),
    "an id is missing": _no_id,
    "an id comes twice": _twice,
    "a reply too many": _extra,
    "ids are strings": _stringly,
    "ids are floats": _floaty,
    "result and error both": _both,
    "neither result nor error": _neither,
    "a reply is no object": lambda replies: [*replies[:3], 7],
}


@pytest.mark.parametrize("what", MISFITS)
async def test_replies_that_do_not_fit_are_refused_whole_and_never_shifted(
    what: str, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.edit(MISFITS[what]))
    replies = await pool.send(FOUR)
    assert [int(item["number"], 16) for item in replies.items] == [1, 2, 3, 4]
    assert replies.endpoint == Secret(second.url).label


async def test_replies_in_another_order_are_put_into_ours(proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    proxy.fault(faults.edit(lambda replies: replies[::-1]))
    assert await numbers(pool) == [1, 2, 3, 4]


async def test_the_answer_to_one_request_with_a_foreign_id_is_refused(
    proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    await warm(pool)
    proxy.fault(faults.edit(lambda replies: [{**replies[0], "id": 999, "result": "0xbad"}]))
    assert await pool.request(*_call(BALANCE)) == "0x0"


# No endpoint, the wrong one, one that comes back


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
    assert await pool.request(*_call(BALANCE)) == "0x0"
    asked = proxy.count("eth_getBalance")
    assert await pool.request(*_call(BALANCE)) == "0x0"
    assert proxy.count("eth_getBalance") == asked
    time_.now += 3_600
    second.fault(faults.status(500))
    assert await pool.request(*_call(BALANCE)) == "0x0"
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
    assert await pool.request(*_call(BALANCE)) == "0x0"
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
    assert await pool.request(*_call(BALANCE)) == "0x0"
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
        await pool.request(*_call(BALANCE))
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


# Keys


async def test_no_key_is_in_any_text_whatever_fails(
    proxy: FaultProxy, pool_of: PoolMaker, caplog: pytest.LogCaptureFixture, troubles: list[Trouble], time_: Time
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for act in [*BROKEN.values(), faults.status(401), faults.drip(0.05), faults.status(402)]:
        for url in (proxy.url, f"http://127.0.0.1:9/v3/{proxy.key}", f"http://127.0.0.1:{proxy.port}/ {proxy.key}\n"):
            proxy.heal()
            proxy.fault(act)
            pool = pool_of(url, timeout_s=0.2)
            try:
                await pool.send(FOUR)
            except ChainUnavailable as error:
                texts += traceback.format_exception(error)
                texts += [repr(link) + str(link.__dict__) for link in _chain_of(error)]
            texts += [repr(pool.health()), repr(pool.stats), repr(pool)]
    gc.collect()
    text = json.dumps([texts, caplog.text, repr(troubles)])
    assert len(text) > 10_000
    assert proxy.key not in text


def _chain_of(error: BaseException | None) -> list[BaseException]:
    """An exception with all that hangs on it, shown or not."""
    if error is None:
        return []
    return [error, *_chain_of(error.__cause__), *_chain_of(error.__context__)]


def _call(request: Request) -> tuple[object, ...]:
    return (request.method, *request.params)


async def test_a_provider_that_quotes_its_own_url_cannot_put_the_key_into_an_error() -> None:
    url = Secret("https://user:CANARYPASSWORD@node.example/v3/CANARYKEY0123456789")
    said = from_error(
        {"code": -32000, "message": f"missing trie node at {url.reveal()} for CANARYKEY0123456789"}, 200, {}
    )
    redact = Redactor()
    redact.hide(url.reveal())
    error = classify(said, Request("eth_call"), endpoint=url.label, redact=redact)
    assert error.verdict is Verdict.PRUNED
    assert "CANARY" not in f"{error} {error.message} {error.context}"
