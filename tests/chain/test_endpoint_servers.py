"""What networks and servers do wrong, and that it never becomes an answer.

Two endpoints of one chain: the first has the fault. The end condition is always the same: the right answer from the
second, or a failure with the right name.
"""

from __future__ import annotations

import pytest

from devnet import faults
from devnet.proxy import Document, FaultProxy
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, Verdict
from tests.chain.chain_support import BALANCE, BROKEN, FOUR, PoolMaker, Time, numbers, warm

pytestmark = pytest.mark.anvil


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
    assert await pool.request(BALANCE.method, *BALANCE.params) == "0x0"
