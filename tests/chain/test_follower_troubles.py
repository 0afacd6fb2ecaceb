"""Nodes that are behind, on a side branch or away, and a follower that loses no block by them."""

from __future__ import annotations

import pytest

from devnet import Anvil, faults
from devnet.proxy import Document, FaultProxy
from indexer.chain.blocks import header, headers
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, Transient
from tests.chain.chain_support import Index, PoolMaker, Time, follower_on, settle

pytestmark = pytest.mark.anvil


async def test_a_node_that_is_behind_after_a_failover_is_not_a_reorg(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    anvil.mine(30)
    pool = pool_of(proxy, second)
    index, follower = Index(), follower_on(pool, known=await headers(pool, range(40, 61)))
    second.fault(faults.behind(25, anvil.block_number()))
    proxy.fault(faults.status(500))
    await settle(follower, index, 12)
    assert index.reorgs == []
    assert follower.known[-1].number == 60
    proxy.heal()
    time_.now += 600
    anvil.mine(2)
    index.blocks = list(follower.known)
    await settle(follower, index)
    assert index.matches(anvil)


async def test_a_node_that_catches_up_slowly_is_not_a_rollback(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy), rollback_polls=3)
    await settle(follower, index, 1)
    anvil.mine(9)
    await settle(follower, index)
    for lag in (8, 7, 6, 5, 4, 3, 2, 1):
        proxy.heal()
        proxy.fault(faults.behind(lag, anvil.block_number()))
        await settle(follower, index, 2)
    assert index.reorgs == []
    proxy.heal()
    await settle(follower, index)
    assert index.matches(anvil)


async def test_a_node_that_syncs_from_zero_is_put_aside_without_a_rollback(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker, finalizing: Anvil
) -> None:
    async with FaultProxy(finalizing.url) as place:
        index, follower = Index(), follower_on(pool_of(place))
        await settle(follower, index, 2)
        place.fault(faults.behind(28, finalizing.block_number()))
        await settle(follower, index, 20)
        assert index.reorgs == []
        assert follower.known[-1].number == 30


async def test_a_head_that_stands_still_is_asked_for_elsewhere(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    pool = pool_of(proxy, second)
    index, follower = Index(), follower_on(pool, silence_s=30.0, clock=time_)
    await settle(follower, index, 1)
    used = proxy if follower.source == Secret(proxy.url).label else second
    used.fault(faults.behind(0, anvil.block_number()))
    anvil.mine(4)
    await settle(follower, index, 2)
    assert not index.matches(anvil)
    time_.now += 31
    await settle(follower, index, 2)
    assert index.matches(anvil)


async def test_one_endpoint_on_a_side_branch_is_outvoted_and_then_asked_last(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy, second)
    index, follower = Index(), follower_on(pool)
    await settle(follower, index, 1)
    used = proxy if follower.source == Secret(proxy.url).label else second

    def branch(asked: Document, result: Document) -> Document:
        return {**result, "hash": "0x" + "be" * 32} if result and result["number"] == "0x1e" else result

    used.fault(faults.results("eth_getBlockByNumber", branch))
    await settle(follower, index, 10)
    assert index.reorgs == []
    assert index.matches(anvil)
    assert follower.source != Secret(used.url).label


async def test_a_reorg_whose_new_blocks_cannot_be_read_gives_nothing_up(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(8)
    await settle(follower, index)
    kept = list(index.blocks)
    anvil.reorg(5)
    proxy.fault(faults.error(4444, "pruned history unavailable"), after=1)
    await settle(follower, index, 3)
    assert index.blocks == kept
    proxy.heal()
    await settle(follower, index)
    assert index.matches(anvil)


async def test_an_outage_is_told_and_survived_and_nothing_is_missed(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker, time_: Time
) -> None:
    told: list[Transient] = []
    follower = follower_on(pool_of(proxy), on_trouble=told.append, clock=time_, sleep=time_.sleep)
    index = Index()
    events = follower.events()
    index.take([await anext(events)])
    proxy.fault(faults.reset(), times=40)
    anvil.mine(6)
    while index.blocks[-1].number < anvil.block_number():
        index.take([await anext(events)])
    await events.aclose()
    assert {type(error) for error in told} == {ChainUnavailable}
    assert index.matches(anvil)


async def test_two_chains_are_followed_apart(
    anvil: Anvil, finalizing: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    one, two = Index(), Index()
    first, other = follower_on(pool_of(proxy)), follower_on(pool_of(finalizing.url))
    for index, follower in ((one, first), (two, other)):
        await settle(follower, index, 2)
    anvil.mine(5)
    await settle(first, one)
    anvil.reorg(3)
    await settle(first, one)
    await settle(other, two)
    assert len(one.reorgs) == 1
    assert two.reorgs == []


async def test_a_healthy_poll_is_one_http_request(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(proxy), tags_every_s=1e9)
    await settle(follower, index, 2)
    before = proxy.posts
    for _ in range(10):
        anvil.mine()
        await settle(follower, index, 1)
    assert proxy.posts - before == 10
    assert index.matches(anvil)


async def test_the_header_of_an_orphan_is_gone(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    orphan = await header(pool, "latest")
    assert orphan is not None
    assert await header(pool, orphan.hash) == orphan
    anvil.reorg(2)
    assert await header(pool, orphan.hash) is None
