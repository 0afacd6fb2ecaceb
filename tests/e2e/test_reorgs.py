"""A chain that changes its mind leaves the same rows as if it had always been of its last opinion."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.run import daemon
from indexer.run.program import load_program
from tests.e2e.conftest import both_ways
from tests.e2e.support import (
    QUIET,
    Setting,
    block_hash,
    digests,
    final_at,
    following,
    index_each,
    index_until_head,
    reached,
)

pytestmark = [pytest.mark.anvil, both_ways]


def deposits(setting: Setting, blocks: int) -> None:
    """Blocks in each of which an escrow's balance, a pair and a price change."""
    for i in range(blocks):
        usdc = setting.addresses.token("USDC")
        setting.net.send(usdc, "mint(address,uint256)", setting.addresses.escrow, 10**6 * (i + 1))
        setting.net.send(setting.addresses.feeds["ETH/USD"].aggregator, "updateAnswer(int256)", (2_000 + i) * 10**8)
        setting.net.mine()


async def assert_same_as_a_fresh_index(setting: Setting, config: Path, first: int) -> None:
    """Everything in the store from `first` on is what a new store says of the same blocks."""
    clean, last = setting.configure(f"clean-{config.name}"), setting.net.block_number()
    await index_each(clean, range(first, last + 1))
    assert await digests(config, first, last) == await digests(clean, first, last)


@pytest.mark.parametrize("depth", [1, 3, 7])
async def test_a_reorg_seen_live_leaves_the_rows_of_the_new_chain(fresh: Setting, depth: int) -> None:
    config, first = fresh.configure(), fresh.net.block_number()
    program = load_program(config)
    async with fresh.store(config) as store, following(program, store):
        await reached(store, first)
        deposits(fresh, 8)
        await reached(store, first + 8, block_hash(fresh.net))
        fresh.net.reorg(depth)
        deposits(fresh, 2)
        await reached(store, first + 10, block_hash(fresh.net))
        assert await store.verify() == []
    await assert_same_as_a_fresh_index(fresh, config, first)


@pytest.mark.parametrize("depth", [1, 3, 7])
async def test_a_reorg_while_the_daemon_was_down_is_found_at_the_start(fresh: Setting, depth: int) -> None:
    config, first = fresh.configure(), fresh.net.block_number()
    await index_until_head(config, fresh.net)
    program = load_program(config)
    async with fresh.store(config) as store, following(program, store):
        deposits(fresh, 8)
        await reached(store, first + 8)
    fresh.net.reorg(depth)
    deposits(fresh, 3)
    await index_until_head(config, fresh.net)
    await assert_same_as_a_fresh_index(fresh, config, first)


async def test_a_chain_that_becomes_shorter_takes_its_rows_back(fresh: Setting) -> None:
    config, first = fresh.configure(), fresh.net.block_number()
    program = load_program(config)
    async with fresh.store(config) as store, following(program, store):
        await reached(store, first)
        deposits(fresh, 6)
        await reached(store, first + 6)
        fresh.net.rollback(3)
        await reached(store, first + 3)
        assert max(point.at.number for point in await store.series("escrow@devnet")) == first + 3
        deposits(fresh, 1)
        await reached(store, first + 4, block_hash(fresh.net))
    await assert_same_as_a_fresh_index(fresh, config, first)


async def test_rows_are_provisional_until_their_block_is_final(fresh: Setting) -> None:
    config, first = fresh.configure(), fresh.net.block_number()
    program = load_program(config)
    async with fresh.store(config) as store, following(program, store):
        await reached(store, first)
        deposits(fresh, 12)
        await reached(store, first + 12)
        await final_at(store, first + 4)
        states = {point.at.number: str(point.state) for point in await store.series("escrow@devnet")}
    assert {states[n] for n in range(first, first + 5)} == {"final"}
    assert {states[n] for n in range(first + 5, first + 13)} == {"provisional"}


async def test_a_replaced_final_block_halts_the_chain_and_keeps_its_rows(fresh: Setting) -> None:
    config, first = fresh.configure(), fresh.net.block_number()
    program = load_program(config)
    await index_until_head(config, fresh.net)
    async with fresh.store(config) as store, following(program, store):
        deposits(fresh, 12)
        await reached(store, first + 12)
        await final_at(store, first + 4)
    before = await digests(config, first, first + 12)
    fresh.net.reorg(11)
    deposits(fresh, 1)
    async with fresh.store(config) as store:
        assert await daemon.run(program, store, QUIET) is False
    assert await digests(config, first, first + 12) == before
