"""The head of a real local chain, followed through reorgs, rollbacks, lagging and lying nodes.

`Index` is what a careful reader keeps: it accepts nothing that does not link, and must equal the chain in the end.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from devnet import Anvil, faults
from devnet.proxy import Act, Document, Exchange, FaultProxy
from indexer.chain.blocks import header, headers
from indexer.chain.follower import Advanced, Event, Finalized, Follower, Reorged
from indexer.chain.pool import Pool
from indexer.chain.wake import NewHeads
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, EndpointError, FinalityBroken, Transient, WrongFork
from indexer.model import BlockRef
from tests.chain.chain_support import PoolMaker, Time

pytestmark = pytest.mark.anvil


class Index:
    """Blocks by number, as told by events; every event must fit what was told before."""

    def __init__(self) -> None:
        self.blocks: list[BlockRef] = []
        self.final: BlockRef | None = None
        self.reorgs: list[Reorged] = []

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Advanced(blocks):
                    self._append(blocks)
                case Reorged(old, new, ancestor):
                    gone = [block for block in self.blocks if block.number > ancestor.number]
                    assert tuple(gone) == old[len(old) - len(gone) :]
                    del self.blocks[len(self.blocks) - len(gone) :]
                    assert not self.blocks or self.blocks[-1] == ancestor
                    self._append(new)
                    self.reorgs.append(event)
                case Finalized(block):
                    assert self.final is None or block.number > self.final.number
                    self.final = block

    def _append(self, blocks: tuple[BlockRef, ...]) -> None:
        for block in blocks:
            assert not self.blocks or block.parent_hash == self.blocks[-1].hash
            self.blocks.append(block)

    def matches(self, anvil: Anvil) -> bool:
        """Whether the index holds the chain's blocks and no others, up to the head."""
        own = [block.hash for block in self.blocks]
        return own == [anvil.block(block.number)["hash"] for block in self.blocks] and (
            self.blocks[-1].number == anvil.block_number()
        )


def follower_on(pool: Pool, **options: object) -> Follower:
    """A follower that asks for tags at every look and polls on the pool's time."""
    return Follower(pool, **{"tags_every_s": 0.0, "poll_s": 1.0, "rollback_polls": 3, **options})


async def settle(follower: Follower, index: Index, polls: int = 8) -> None:
    """Look until nothing happens any more; a moment's trouble is tried again."""
    for _ in range(polls):
        try:
            index.take(await follower.step())
        except (EndpointError, WrongFork, ChainUnavailable):
            continue


@pytest.fixture
def finalizing() -> Iterator[Anvil]:
    """A chain whose final block is two below its head, and can yet be replaced."""
    with Anvil.start(extra_args=["--slots-in-an-epoch", "1"]) as anvil:
        anvil.mine(30)
        yield anvil


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


# Nodes that are behind, or not on our side


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


# Finality


async def test_final_blocks_are_told_by_the_chains_own_tag(finalizing: Anvil, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(5)
    await settle(follower, index)
    assert index.final is not None
    assert index.final.number == finalizing.block_number() - 2
    assert follower.safe is not None
    assert follower.safe.number == finalizing.block_number() - 1


async def test_without_tags_a_block_is_final_at_its_depth(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    proxy.fault(faults.edit(_without_tags))
    index, follower = Index(), follower_on(pool_of(proxy), finality_depth=7)
    await settle(follower, index, 2)
    anvil.mine(20)
    await settle(follower, index)
    assert index.final is not None
    assert index.final.number == anvil.block_number() - 7


def _without_tags(replies: list[Document]) -> list[Document]:
    problem = {"code": -32602, "message": "invalid block tag"}
    return (
        [replies[0], *({"id": reply["id"], "error": problem} for reply in replies[1:])]
        if len(replies) == 3
        else replies
    )


async def test_a_reorg_past_the_final_block_ends_the_follower_with_everything_kept(
    finalizing: Anvil, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(10)
    await settle(follower, index)
    kept = list(index.blocks)
    finalizing.reorg(6)
    with pytest.raises(FinalityBroken):
        await settle(follower, index)
    assert index.blocks == kept
    with pytest.raises(FinalityBroken):
        await follower.step()


async def test_a_shorter_chain_is_never_followed_below_the_final_block(finalizing: Anvil, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(10)
    await settle(follower, index)
    finalizing.rollback(8)
    await settle(follower, index, 12)
    assert index.reorgs == []


async def test_one_endpoint_that_replaces_final_blocks_does_not_stop_the_chain(
    finalizing: Anvil, pool_of: PoolMaker
) -> None:
    with Anvil.start(extra_args=["--slots-in-an-epoch", "1"]) as other:
        other.mine(10)
        other.mine(40, dt=13)
        async with FaultProxy(finalizing.url) as place, FaultProxy(finalizing.url, key="two") as twin:
            pool = pool_of(place, twin)
            index, follower = Index(), follower_on(pool)
            await settle(follower, index, 2)
            used = place if follower.source == Secret(place.url).label else twin
            used.upstream = other.url
            await settle(follower, index, 10)
            finalizing.mine(3)
            await settle(follower, index, 10)
            assert index.matches(finalizing)
            assert index.reorgs == []


async def test_a_final_block_above_the_head_is_not_believed(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy, second))
    for place in (proxy, second):
        place.fault(faults.asks(_final_is_latest_latest_is_older))
    await settle(follower, index, 4)
    assert index.final is None


def _final_is_latest_latest_is_older(document: Document) -> None:
    if document["params"][:1] == ["finalized"]:
        document["params"][0] = "latest"
    elif document["params"][:1] == ["latest"]:
        document["params"][0] = "0x10"


async def test_a_final_block_that_moves_back_changes_nothing(finalizing: Anvil, pool_of: PoolMaker) -> None:
    async with FaultProxy(finalizing.url) as place:
        index, follower = Index(), follower_on(pool_of(place))
        await settle(follower, index, 2)
        final = index.final
        assert final is not None

        def older(document: Document) -> None:
            if document["params"][:1] == ["finalized"]:
                document["params"][0] = hex(final.number - 5)

        place.fault(faults.asks(older))
        await settle(follower, index, 4)
        assert index.final == follower.finalized == final


# Troubles


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


# The subscription that wakes a poll


async def test_a_new_head_wakes_the_follower_before_its_poll_is_due(anvil: Anvil) -> None:
    async with NewHeads(_ws(anvil), retry_s=0.05) as wake:
        await _subscribed(wake, 1)
        waiting = asyncio.create_task(wake.wait(60.0))
        await asyncio.sleep(0)
        anvil.mine()
        await asyncio.wait_for(waiting, 10.0)


async def test_a_subscription_that_is_closed_cleanly_is_made_again() -> None:
    told: list[str] = []
    async with _closing_server() as (connections, url), NewHeads(url, retry_s=0.05, on_trouble=told.append) as wake:
        await _subscribed(wake, 2)
        assert len(connections) >= 2
        assert "closed" in told[0]
        assert "CANARY" not in "".join(told)


async def test_a_subscription_that_falls_silent_is_made_again_and_polls_go_on(anvil: Anvil) -> None:
    told: list[str] = []
    async with NewHeads(_ws(anvil), silence_s=0.3, retry_s=0.05, on_trouble=told.append) as wake:
        await _subscribed(wake, 2)
        assert "no new head" in told[0]
        await wake.wait(0.01)


async def test_a_follower_with_a_broken_subscription_sees_every_block(
    anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker
) -> None:
    async with NewHeads(Secret("ws://127.0.0.1:9/CANARY"), retry_s=0.05) as wake:
        index, follower = Index(), follower_on(pool_of(proxy), wake=wake, poll_s=0.01)
        events = follower.events()
        index.take([await anext(events)])
        anvil.mine(3)
        while index.blocks[-1].number < anvil.block_number():
            index.take([await anext(events)])
        await events.aclose()
        assert index.matches(anvil)


def _ws(anvil: Anvil) -> Secret:
    return Secret(f"ws://127.0.0.1:{anvil.port}/?key=CANARY")


async def _subscribed(wake: NewHeads, times: int) -> None:
    async with asyncio.timeout(20.0):
        while wake.subscriptions < times:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _closing_server() -> AsyncIterator[tuple[list[int], Secret]]:
    """A WebSocket server that confirms a subscription and then says goodbye."""
    connections: list[int] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        connections.append(1)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked = json.loads(await socket.receive_bytes())
        await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})
        await asyncio.sleep(0.05)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield connections, Secret(f"ws://127.0.0.1:{runner.addresses[0][1]}/CANARY")
    await runner.cleanup()


async def test_the_header_of_an_orphan_is_gone(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    pool = pool_of(proxy)
    orphan = await header(pool, "latest")
    assert orphan is not None
    assert await header(pool, orphan.hash) == orphan
    anvil.reorg(2)
    assert await header(pool, orphan.hash) is None
