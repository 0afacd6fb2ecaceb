"""A liquidity floor leaves out the same pools whoever reads a day, and says how many and what they held."""

from __future__ import annotations

from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.protocols import uniswap_v2, uniswap_v4
from indexer.adapters.floor import DAY_S
from indexer.model import NATIVE, Address, Snapshot, Status
from indexer.run.program import load_program
from indexer.units import usd_text
from tests.e2e.support import Setting, backfill_all, block_hash, digests, following, index_each, reached

pytestmark = pytest.mark.anvil

DEX = "uniswap-v2@devnet"


def with_floor(text: str) -> str:
    """A floor, and feeds that stay fresh for days."""
    text = text.replace("heartbeat_s = 86400", "heartbeat_s = 864000")
    for kind in ("uniswap_v2", "uniswap_v3"):
        text = text.replace(f'kind = "{kind}"', f'kind = "{kind}"\nfloor_usd = 100_000')
    return text


def next_day(setting: Setting) -> int:
    """Mine the first block of the next day."""
    net = setting.net
    net.mine_at((int(net.block()["timestamp"], 16) // DAY_S + 1) * DAY_S + 5)
    return net.block_number()


def scam_pair(setting: Setting) -> tuple[str, int]:
    """The thin pair, and what its ether is worth: ether is 2,000 USD there, and both have 18 decimals."""
    pairs = setting.addresses.uniswap_v2.pairs
    (name,) = (name for name in pairs if "SCAM" in name)
    reserves = setting.net.call(pairs[name], "getReserves()(uint112,uint112,uint32)")
    return pairs[name], 2_000 * reserves[name.split("/").index("WETH")]


def owners(snapshot: Snapshot | None) -> set[Address]:
    assert snapshot is not None
    return {line.holding.owner for line in snapshot.lines}


async def test_pools_below_the_floor_are_left_out_from_the_next_day_on_and_told(fresh: Setting) -> None:
    config = fresh.configure(change=with_floor)
    thin, worth = scam_pair(fresh)
    before = fresh.net.block_number()
    midnight = next_day(fresh)
    fresh.net.mine(2)
    await index_each(config, [before, midnight, midnight + 1])
    async with fresh.store(config) as store:
        first, second, third = [await store.snapshot(DEX, n) for n in (before, midnight, midnight + 1)]
        assert first is not None
        assert third is not None
        assert thin in owners(first)
        assert first.reason == ""
        assert owners(second) == owners(third) == owners(first) - {thin}
        told = f"1 pool below the floor of $100,000, worth {usd_text(worth)}"
        assert third.reason == f"left out as of block {midnight}: {told}"
        assert third.status is Status.OK


async def test_a_pool_that_came_after_midnight_is_read_until_it_is_judged(fresh: Setting) -> None:
    config, net, there = fresh.configure(change=with_floor), fresh.net, fresh.addresses
    next_day(fresh)
    tokens = (there.token("LINK"), there.token("DAI"))
    uniswap_v2.add_liquidity(net, there.uniswap_v2.router, tokens, (10**18, 15 * 10**18), sender=there.users[0])
    net.mine()
    new, made = net.call(there.uniswap_v2.factory, "getPair(address,address)(address)", *tokens), net.block_number()
    midnight = next_day(fresh)
    await index_each(config, [made, midnight])
    async with fresh.store(config) as store:
        assert new in owners(await store.snapshot(DEX, made))
        assert new not in owners(await store.snapshot(DEX, midnight))


async def test_pools_without_a_fresh_price_are_never_left_out(fresh: Setting) -> None:
    config = fresh.configure(change=lambda text: with_floor(text).replace("heartbeat_s = 864000", "heartbeat_s = 1"))
    midnight = next_day(fresh)
    await index_each(config, [midnight])
    async with fresh.store(config) as store:
        snapshot = await store.snapshot(DEX, midnight)
        assert snapshot is not None
        assert owners(snapshot) == set(fresh.addresses.uniswap_v2.pairs.values())
        assert snapshot.status is Status.HELD
        assert "left out" not in snapshot.reason


async def test_where_one_contract_holds_all_each_currency_is_judged(fresh: Setting) -> None:
    net, there = fresh.net, fresh.addresses
    manager = uniswap_v4.deploy_uniswap_v4(net)
    net.mine()
    for symbol in ("DAI", "USDC", "SCAM"):
        uniswap_v4.initialize(net, manager, NATIVE, there.token(symbol))
    for symbol, whole in (("DAI", 200_000), ("USDC", 50_000), ("SCAM", 10**9)):
        net.send(there.token(symbol), "mint(address,uint256)", manager, there.amount(symbol, whole))
    net.mine()
    net.rpc("anvil_setBalance", manager, hex(60 * 10**18))
    row = f"""
[[protocols]]
name = "uniswap-v4"
chain = "devnet"
kind = "uniswap_v4"
pool_manager = "{manager}"
floor_usd = 100_000
"""
    midnight = next_day(fresh)
    config = fresh.configure(change=lambda text: with_floor(text) + row)
    await index_each(config, [midnight])
    async with fresh.store(config) as store:
        snapshot = await store.snapshot("uniswap-v4@devnet", midnight)
    assert snapshot is not None
    assert {line.holding.token for line in snapshot.lines} == {NATIVE, there.token("DAI")}
    below, unpriced = "1 pool below the floor of $100,000, worth $50,000.00", "1 pool without a priced token"
    assert snapshot.reason == f"left out as of block {midnight}: {below}; {unpriced}"


async def test_a_day_whose_first_block_no_endpoint_has_any_more_is_a_gap_that_says_so(tmp_path: Path) -> None:
    with Devnet.start(history=4) as net:
        setting = Setting(net, deploy_protocols(net), tmp_path)
        config = setting.configure(change=with_floor)
        next_day(setting)
        net.mine(20)
        await index_each(config, [net.block_number()])
        async with setting.store(config) as store:
            snapshot = await store.snapshot(DEX, net.block_number())
            others = await store.snapshot("aave-v3@devnet", net.block_number())
    assert snapshot is not None
    assert snapshot.status is Status.GAP
    assert "no endpoint has the state of the day's first block" in snapshot.reason
    assert others is not None
    assert others.status is not Status.GAP


async def test_daemon_and_backfill_leave_out_the_same(fresh: Setting) -> None:
    """The daemon judges each day when it comes; a backfill knows all pools before it reads the first block."""
    followed, filled = (
        fresh.configure("followed.toml", change=with_floor),
        fresh.configure("filled.toml", change=with_floor),
    )
    net, there, start = fresh.net, fresh.addresses, fresh.net.block_number()
    async with fresh.store(followed) as store, following(load_program(followed), store):
        await reached(store, start)
        for tokens in ("LINK", "DAI"), ("LINK", "USDC"), ("WBTC", "DAI"):
            next_day(fresh)
            pair = (there.token(tokens[0]), there.token(tokens[1]))
            uniswap_v2.add_liquidity(net, there.uniswap_v2.router, pair, (10**6, 10**6), sender=there.users[0])
            net.mine(3)
            await reached(store, net.block_number())
        net.mine(8)
        await reached(store, net.block_number())
    last = net.block_number() - 8
    await backfill_all(filled, start)
    async with fresh.store(filled) as store:
        snapshot = await store.snapshot(DEX, last)
        assert snapshot is not None
        assert "3 pools below the floor" in snapshot.reason
    assert await digests(followed, start, last) == await digests(filled, start, last)


async def test_a_first_block_of_the_day_that_is_replaced_is_judged_anew(fresh: Setting) -> None:
    """The verdict of the new block is kept with the snapshot that takes the old ones back."""
    config, net, start = fresh.configure(change=with_floor), fresh.net, fresh.net.block_number()
    async with fresh.store(config) as store, following(load_program(config), store):
        await reached(store, start)
        midnight = next_day(fresh)
        net.mine(2)
        await reached(store, net.block_number(), block_hash(net))
        net.rollback(3)
        net.send(fresh.addresses.token("USDC"), "mint(address,uint256)", fresh.addresses.escrow, 1)
        assert next_day(fresh) == midnight
        net.mine(3)
        await reached(store, net.block_number(), block_hash(net))
        found, _ = await store.found(DEX)
        snapshot = await store.snapshot(DEX, net.block_number())
    assert [item.block for item in found if item.key.startswith("floor:")][-1] == midnight
    assert snapshot is not None
    assert snapshot.reason.startswith(f"left out as of block {midnight}: 1 pool below")
    clean = fresh.configure("clean.toml", change=with_floor)
    await index_each(clean, range(start, net.block_number() + 1))
    assert await digests(config, start, net.block_number()) == await digests(clean, start, net.block_number())
