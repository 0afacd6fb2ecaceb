"""The stored series is what anyone computes who reads the same contracts, whoever wrote it and in whatever order."""

from __future__ import annotations

import pytest

from devnet import Devnet
from indexer.model import Bucket, Status
from indexer.run.program import load_program
from tests.e2e.conftest import both_ways
from tests.e2e.independent import Independent
from tests.e2e.support import Setting, backfill_all, digests, following, has_points, index_until_head, reached

pytestmark = pytest.mark.anvil


@pytest.mark.slow
async def test_every_protocol_at_every_block_equals_an_independent_computation(played: Setting) -> None:
    config = played.configure()
    first, last = played.addresses.ready_block, played.net.block_number()
    await backfill_all(config, first)
    independent = Independent(played.net.url, played.addresses)
    async with played.store(config) as store:
        for deployment in await store.deployments():
            points = {p.at.number: p for p in await store.series(deployment.key, first, last)}
            assert sorted(points) == list(range(first, last - 7)), "a point at every final block"
            for number, point in points.items():
                expected = independent.tvl(number)[deployment.protocol]
                assert point.status is Status.OK, point.reason
                assert {str(b): t.usd for b, t in point.totals.items()} == expected, f"{deployment.key} at {number}"


@both_ways
@pytest.mark.parametrize("every", ["block", "3 blocks", "1m"])
async def test_daemon_and_backfill_give_identical_rows(fresh: Setting, every: str) -> None:
    def cadence(text: str) -> str:
        return text.replace('every = "block"', f'every = "{every}"')

    followed, filled = fresh.configure("followed.toml", change=cadence), fresh.configure("filled.toml", change=cadence)
    program, net = load_program(followed), fresh.net
    start = net.block_number()
    async with fresh.store(followed) as store, following(program, store):
        await reached(store, start)
        for _ in range(20):
            net.transact(fresh.addresses.token("USDC"), "mint(address,uint256)", fresh.addresses.escrow, 10**6)
        await reached(store, net.block_number())
    last = net.block_number() - 8
    await backfill_all(filled, start)
    async with fresh.store(filled) as store:
        assert await store.series("escrow@devnet", start, last)
    assert await digests(followed, start, last) == await digests(filled, start, last)


async def test_a_backfill_beside_the_daemon_loses_and_doubles_nothing(played: Setting) -> None:
    both, alone = played.configure("both.toml"), played.configure("alone.toml")
    first, last = played.addresses.ready_block, played.net.block_number() - 8
    program = load_program(both)
    async with played.store(both) as store, following(program, store):
        await reached(store, played.net.block_number())
        await backfill_all(both, first)
        await backfill_all(both, first)
    await backfill_all(alone, first)
    assert await digests(both, first, last) == await digests(alone, first, last)
    async with played.store(both) as store:
        assert await store.verify() == []


async def test_debt_is_a_bucket_of_its_own(fresh: Setting) -> None:
    config = fresh.configure()
    await index_until_head(config, fresh.net)
    async with fresh.store(config) as store:
        snapshot = await store.snapshot("aave-v3@devnet")
        assert snapshot is not None
        assert snapshot.totals[Bucket.BORROWED].usd > 0


async def test_a_websocket_wakes_the_daemon_and_changes_nothing_else(fresh: Setting) -> None:
    socket = fresh.net.url.replace("http", "ws")
    config = fresh.configure(
        change=lambda text: text.replace('every = "block"', f'every = "block"\nwebsocket = "{socket}"\npoll_s = 30')
    )
    async with fresh.store(config) as store, following(load_program(config), store):
        await reached(store, fresh.net.block_number())
        for _ in range(3):
            fresh.net.mine()
            await reached(store, fresh.net.block_number())


async def test_two_chains_are_followed_at_once_and_one_may_be_away(fresh: Setting) -> None:
    with Devnet.start(chain_id=31338) as other:
        native = "0x" + "00" * 20
        second = f"""
[chains.other]
chain_id = 31338
endpoints = ["{other.url}"]
native = {{ symbol = "ETH", decimals = 18 }}
finality = {{ tags = false, depth = 8 }}
every = "block"
block_time_s = 1

[[protocols]]
name = "purse"
chain = "other"
kind = "token_balances"
owners = ["{other.accounts[0]}"]
tokens = ["{native}"]
"""
        config = fresh.configure(change=lambda text: text + second)
        async with fresh.store(config) as store, following(load_program(config), store):
            other.mine(2)
            await has_points(store, "purse@other")
            await reached(store, fresh.net.block_number())
            other.stop()
            fresh.net.mine()
            await reached(store, fresh.net.block_number())
            purse = await store.snapshot("purse@other")
            assert purse is not None
            assert purse.lines[0].holding.amount == 1_000_000 * 10**18
