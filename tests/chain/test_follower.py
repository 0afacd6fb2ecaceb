"""The head of a real local chain, followed through reorgs, rollbacks, lagging and lying nodes.

`Index` is what a careful reader keeps: it accepts nothing that does not link, and must equal the chain in the end.
"""

from __future__ import annotations

import random

import pytest

from devnet import Anvil, faults
from devnet.proxy import Act, Exchange, FaultProxy
from indexer.chain.blocks import headers
from indexer.chain.follower import Advanced, Event, Follower
from indexer.errors import WrongFork
from tests.chain.chain_support import Index, PoolMaker, follower_on, settle

pytestmark = pytest.mark.anvil


async def test_new_blocks_are_told_in_order_and_once(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    for count in (1, 1, 5, 2):
        await settle(follower, index, 2)
        anvil.mine(count)
    await settle(follower, index)
    assert index.matches(anvil)
    assert [block.number for block in index.blocks] == list(range(30, 40))
    assert index.reorgs == []


@pytest.mark.parametrize("depth", [1, 3, 7, 25])
async def test_a_reorg_leaves_what_a_fresh_look_at_the_new_chain_would_find(
    depth: int, anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(30)
    await settle(follower, index)
    anvil.reorg(depth)
    await settle(follower, index)
    assert index.matches(anvil)
    assert [len(reorg.old) for reorg in index.reorgs] == [depth]


async def test_a_reorg_of_64_blocks_is_walked_in_a_few_requests(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(100)
    await settle(follower, index)
    anvil.reorg(64)
    before = proxy.posts
    await settle(follower, index, 1)
    assert index.matches(anvil)
    assert proxy.posts - before <= 12


async def test_a_reorg_that_also_made_the_chain_longer_is_one_reorg(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(10)
    await settle(follower, index)
    anvil.reorg(4)
    anvil.mine(6)
    await settle(follower, index)
    assert index.matches(anvil)
    assert len(index.reorgs) == 1


async def test_the_very_first_block_told_can_be_reorganised(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.reorg(3)
    index.take(await follower.step())
    assert index.reorgs[0].old[-1] != index.reorgs[0].new[-1]


async def test_a_reorg_while_nobody_looked_is_found_at_the_start(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    known = await headers(pool, range(10, 31))
    anvil.reorg(5)
    anvil.mine(3)
    index, follower = Index(), follower_on(pool, known=known)
    index.blocks = list(known)
    await settle(follower, index)
    assert index.matches(anvil)
    assert [len(reorg.old) for reorg in index.reorgs] == [5]


async def test_a_reorg_of_everything_that_is_known_is_found_by_the_parent_of_the_lowest(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    known = await headers(pool, range(28, 31))
    anvil.reorg(3)
    index, follower = Index(), follower_on(pool, known=known)
    index.blocks = list(known)
    await settle(follower, index)
    assert index.matches(anvil)


async def test_a_long_absence_is_caught_up_in_bounded_batches(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    known = await headers(pool, range(20, 31))
    anvil.mine(400)
    index, follower = Index(), follower_on(pool, known=known)
    index.blocks = list(known)
    sizes = [len(event.blocks) for _ in range(5) for event in await _told(follower, index) if type(event) is Advanced]
    assert sizes == [128, 128, 128, 16]
    assert index.matches(anvil)


async def _told(follower: Follower, index: Index) -> list[Event]:
    events = await follower.step()
    index.take(events)
    return events


async def test_a_reorg_in_the_middle_of_reading_a_batch_is_read_again(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    pool = pool_of(proxy)
    index, follower = Index(), follower_on(pool)
    await settle(follower, index, 1)
    anvil.mine(20)

    async def reorg_first(exchange: Exchange) -> object:
        replies = await exchange.forward()
        anvil.reorg(15)
        fresh = await exchange.forward()
        return exchange.reply(replies[:10] + fresh[10:])

    proxy.fault(reorg_first, after=1, times=1)  # type: ignore[arg-type]
    with pytest.raises(WrongFork):
        await follower.step()
    assert index.blocks == index.blocks[:1]
    await settle(follower, index)
    assert index.matches(anvil)


async def test_a_flap_to_another_branch_and_back_ends_where_the_chain_is(
    anvil: Anvil, second: FaultProxy, pool_of: PoolMaker
) -> None:
    with Anvil.start() as twin, Anvil.start() as other:
        for chain in (twin, other):
            chain.mine(30)
        twin.mine(6, dt=12)
        other.mine(6, dt=13)
        async with FaultProxy(twin.url) as place:
            index, follower = Index(), follower_on(pool_of(place))
            await settle(follower, index, 1)
            first = list(index.blocks)
            for upstream in (other, twin, other, twin):
                place.upstream = upstream.url
                await settle(follower, index, 2)
                assert index.blocks[-1].hash == upstream.block()["hash"]
            assert index.blocks[-1] == first[-1]
            assert len(index.reorgs) == 4


async def test_a_second_reorg_within_the_first_still_ends_at_the_chain(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(30)
    await settle(follower, index)
    anvil.reorg(20)

    async def again(exchange: Exchange) -> object:
        anvil.reorg(10)
        return exchange.reply(await exchange.forward())

    proxy.fault(again, after=2, times=2)  # type: ignore[arg-type]
    await settle(follower, index, 12)
    assert index.matches(anvil)


async def test_a_chain_that_became_shorter_gives_its_upper_blocks_up(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(5)
    await settle(follower, index)
    anvil.rollback(3)
    await settle(follower, index)
    assert index.matches(anvil)
    assert index.reorgs[0].new == ()
    anvil.mine(2, dt=99)
    await settle(follower, index)
    assert index.matches(anvil)


async def test_a_reorg_without_any_change_of_state_is_told_once(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(4)
    await settle(follower, index)
    anvil.reorg(2)
    await settle(follower, index, 10)
    assert len(index.reorgs) == 1


async def test_a_random_life_of_a_chain_is_followed_to_its_head(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    dice = random.Random(20)
    troubles: list[Act] = [faults.status(500), faults.truncated(40), faults.reset(), faults.page("oops")]
    index, follower = Index(), follower_on(pool_of(proxy))
    await settle(follower, index, 1)
    anvil.mine(10)
    for _ in range(60):
        what = dice.random()
        if what < 0.5:
            anvil.mine(dice.randint(1, 5), dt=dice.randint(1, 20))
        elif what < 0.75 and anvil.block_number() > 35:
            anvil.reorg(dice.randint(1, min(12, anvil.block_number() - 32)))
        else:
            proxy.fault(dice.choice(troubles), times=dice.randint(1, 3))
        await settle(follower, index, dice.randint(0, 3))
    proxy.heal()
    await settle(follower, index, 20)
    assert index.matches(anvil)
