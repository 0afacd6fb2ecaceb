"""Reorganisations at the worst moments, through the whole daemon: F28 and F30 to F38.

Depths of 1, 3 and 7, reorgs while the daemon was down, shorter chains and broken finality are in `tests/e2e/
test_reorgs.py` (F28, F29, F33, F34); kills at any moment in `tests/e2e/test_crashes.py`. Here the chain changes while a
block is read, committed, or already being replaced. In the end the rows are those of a fresh index of the last chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from devnet import Devnet, faults
from indexer.model import State
from indexer.store.base import Commit
from tests.e2e.faults.trial import Trial, World, prepared, refused_state, running, until
from tests.e2e.support import digests, has_points

pytestmark = pytest.mark.anvil


def deep_and_coarse(text: str) -> str:
    """Blocks are final late, and only every eighth is read."""
    return text.replace("depth = 8", "depth = 200").replace('every = "block"', 'every = "8 blocks"')


async def settled(trial: Trial, blocks: int = 2) -> None:
    """Some more blocks, the head reached, and everything as a fresh index has it."""
    await trial.trade(blocks)
    await trial.arrived()
    await trial.same_as_without()


async def test_a_reorg_of_64_blocks_leaves_the_rows_of_the_new_chain(world: World) -> None:
    async with prepared(world, change=deep_and_coarse) as trial, running(trial):
        await trial.arrived()
        await trial.trade(66)
        await trial.arrived()
        await trial.quietly(lambda: trial.net.reorg(64))
        await trial.trade(10)
        await trial.arrived()
        await trial.same_as_without(every=8)
        (told,) = trial.heard("reorg")
        assert told["depth"] == 64


async def test_a_reorg_between_the_header_and_the_reads_of_a_block_restarts_the_block(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.trade(2)
        await trial.arrived()
        rule = trial.proxies[0].fault(faults.meanwhile(lambda: trial.net.reorg(2)), method="eth_call", times=1)
        await trial.trade(1)
        await until(lambda: rule.taken > 0, "the block was replaced while it was read")
        await until(lambda: bool(trial.heard("the block left the chain while it was read")), "that was seen")
        await settled(trial)


async def test_a_reorg_during_the_commit_of_a_block_is_old_or_new_and_never_mixed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.trade(3)
        await trial.arrived()
        overtaken = _overtake(trial, monkeypatch, lambda: trial.net.reorg(3))
        await trial.trade(1)
        await until(overtaken.is_set, "the chain changed while a block was written")
        await settled(trial)
        assert trial.heard("reorg")


def _overtake(trial: Trial, monkeypatch: pytest.MonkeyPatch, happening: Callable[[], None]) -> asyncio.Event:
    """The next commit of snapshots and something on the chain happen at the same time; set when both are over."""
    commit, done, left = trial.store.commit, asyncio.Event(), [happening]

    async def overtaken(what: Commit) -> None:
        if not what.snapshots or not left:
            return await commit(what)
        await asyncio.gather(commit(what), asyncio.to_thread(left.pop()))
        done.set()
        return None

    monkeypatch.setattr(trial.store, "commit", overtaken)
    return done


async def test_a_flap_to_another_branch_and_back_ends_where_the_chain_is(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        here = trial.net.snapshot()
        await trial.trade(3)
        await trial.arrived()
        first = trial.net.block()["hash"]
        for _ in range(2):
            snapshots = [here]
            await trial.quietly(lambda kept=snapshots: trial.net.revert(kept.pop()))
            here = trial.net.snapshot()
            await trial.quietly(lambda: trial.net.mine(3, dt=7))
            await trial.arrived()
        kept = [here]
        await trial.quietly(lambda: trial.net.revert(kept.pop()))
        await trial.trade(3)
        assert trial.net.block()["hash"] == first, "the chain is back on its first branch"
        await settled(trial)
        assert len(trial.heard("reorg")) >= 2
        await _revisions_only_grow(trial)


async def _revisions_only_grow(trial: Trial) -> None:
    points = await trial.points()
    assert list(points) == sorted(points)
    assert all(point.state is not State.SUPERSEDED for point in points.values())


async def test_a_second_reorg_while_the_first_is_walked_down_still_ends_at_the_chain(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.trade(6)
        await trial.arrived()
        rule = trial.proxies[0].fault(
            faults.meanwhile(lambda: trial.net.reorg(3)), method="eth_getBlockByNumber", after=1, times=2
        )
        await trial.quietly(lambda: trial.net.reorg(5))
        await until(lambda: rule.taken == 2, "the chain changed twice more")
        await settled(trial)


async def test_a_reorg_without_any_change_of_state_is_told_once(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.quietly(lambda: trial.net.mine(4))
        await trial.arrived()
        await trial.quietly(lambda: trial.net.reorg(2))
        await trial.arrived()
        await trial.quietly(lambda: trial.net.mine(2))
        await trial.arrived()
        assert len(trial.heard("reorg")) == 1
        await trial.same_as_without()


async def test_a_reorg_of_one_chain_leaves_another_chain_untouched(world: World) -> None:
    with Devnet.start(chain_id=31338) as other:
        async with prepared(world, change=lambda text: text + _second_chain(other)) as trial, running(trial):
            await trial.arrived()
            other.mine(3)
            await has_points(trial.store, "purse@other")
            await until(lambda: bool(trial.heard("snapshot", deployment="purse@other", block=3)), "it was read")
            before = await trial.store.digest("purse@other")
            await trial.trade(4)
            await trial.arrived()
            await trial.quietly(lambda: trial.net.reorg(3))
            await trial.trade(2)
            await trial.arrived()
            assert await trial.store.digest("purse@other") == before
            assert {told["chain"] for told in trial.heard("reorg")} == {"devnet"}


def _second_chain(other: Devnet) -> str:
    return f"""
[chains.other]
chain_id = 31338
endpoints = ["{other.url}"]
native = {{ symbol = "ETH", decimals = 18 }}
finality = {{ tags = false, depth = 8 }}
every = "block"
block_time_s = 0.2
poll_s = 0.05

[[protocols]]
name = "purse"
chain = "other"
kind = "token_balances"
owners = ["{other.accounts[0]}"]
tokens = ["0x{"00" * 20}"]
"""


async def test_where_the_replacement_cannot_be_read_the_old_rows_stay_and_the_block_is_a_gap(world: World) -> None:
    async with prepared(world) as trial:
        async with running(trial):
            await trial.arrived()
            await trial.trade(2)
            await trial.arrived()
            old = await digests(trial.config, trial.first, trial.first)
            with refused_state(trial.proxies, faults.error(-32000, "missing trie node: state is not available")):
                await trial.quietly(lambda: trial.net.reorg(2))
                await trial.arrived()
            gaps = await trial.gaps()
            assert set(gaps) == {trial.first + 1, trial.first + 2}
            assert all("no endpoint has the state" in reason for reason in gaps.values())
            assert await digests(trial.config, trial.first, trial.first) == old
        await trial.fill_gaps()
        await trial.same_as_without()


async def test_headers_of_a_replacement_that_cannot_be_read_give_nothing_up(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.trade(4)
        await trial.arrived()
        before = await digests(trial.config, trial.first, trial.first + 4)
        down = trial.proxies[0].fault(faults.status(503), after=1)
        await trial.quietly(lambda: trial.net.reorg(3))
        await until(lambda: down.taken > 4, "it was asked for")
        assert await digests(trial.config, trial.first, trial.first + 4) == before
        trial.proxies[0].heal()
        await settled(trial)


async def test_nothing_that_was_read_of_an_orphan_is_used_for_its_replacement(world: World) -> None:
    """The same height and the same questions, another answer: an unread cache would show in the amounts."""
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        await trial.trade(1)
        await trial.arrived()
        orphan = await trial.store.digest("escrow@devnet", trial.first + 1, trial.first + 1)
        await trial.quietly(lambda: trial.net.reorg(1))
        await trial.arrived()
        assert await trial.store.digest("escrow@devnet", trial.first + 1, trial.first + 1) != orphan
        await settled(trial)
