"""Faults of whole endpoints and of the chain's tip, through the whole daemon: F13 to F27, but F16.

The stored series is, to the byte, that of a run without the fault, or a block is a gap with its reason until it can be
filled. Nothing is ever stored that no endpoint proved.
"""

from __future__ import annotations

from typing import Any

import pytest

from devnet import Anvil, faults
from devnet.proxy import Document
from indexer.model import Status
from tests.e2e.faults.trial import Trial, World, prepared, refused_state, running, until, websocket

pytestmark = pytest.mark.anvil


# F13 and F15: outages, and chains that are not ours


async def test_blocks_of_a_time_when_all_endpoints_were_down_are_stored_afterwards(world: World) -> None:
    async with prepared(world, 2) as trial, running(trial):
        await trial.arrived()
        for proxy in trial.proxies:
            proxy.fault(faults.status(503))
        await trial.trade(4)
        before = trial.proxies[0].posts
        await until(lambda: trial.proxies[0].posts > before + 3, "the outage was met")
        assert max(await trial.points()) == trial.first
        for proxy in trial.proxies:
            proxy.heal()
        await trial.arrived()
        await trial.same_as_without()


async def test_blocks_whose_state_was_gone_after_an_outage_are_gaps_until_a_backfill_fills_them(world: World) -> None:
    async with prepared(world, 2) as trial:
        async with running(trial):
            await trial.arrived()
            await trial.trade(2)
            lost = {trial.net.block(trial.net.block_number() - back)["hash"] for back in (0, 1)}
            with refused_state(trial.proxies, faults.without_state(lost)):
                await trial.arrived()
                await trial.trade(1)
                await trial.arrived()
        gaps = await trial.gaps()
        assert set(gaps) == {trial.first + 1, trial.first + 2}
        assert all("no endpoint has the state of this block" in reason for reason in gaps.values())
        await trial.fill_gaps()
        assert not await trial.gaps()
        await trial.same_as_without()


async def test_an_endpoint_that_serves_another_chain_from_the_start_is_asked_for_nothing_else(world: World) -> None:
    with Anvil.start(chain_id=5) as other:
        other.mine(500)
        async with prepared(world, 2) as trial:
            trial.proxies[0].upstream = other.url
            async with running(trial):
                await trial.arrived()
                await trial.trade(2)
                await trial.arrived()
            assert {asked["method"] for asked in trial.proxies[0].asked} == {"eth_chainId"}
            assert len(trial.heard("endpoint trouble", trouble="wrong chain")) == 1
            await trial.same_as_without()


async def test_an_endpoint_that_comes_back_from_an_outage_as_another_chain_is_refused(world: World) -> None:
    with Anvil.start(chain_id=5) as other:
        other.mine(500)
        async with prepared(world, 2) as trial, running(trial):
            await trial.arrived()
            down = trial.proxies[0].fault(faults.status(503))
            await trial.trade(2)
            await until(lambda: down.taken > 0, "the outage was met")
            trial.proxies[0].upstream = other.url
            trial.proxies[0].heal()
            await trial.trade(2)
            await trial.arrived()
            trial.proxies[1].fault(faults.status(503), times=1)
            await trial.trade(2)
            await trial.arrived()
            await trial.same_as_without()
            assert not trial.heard("reorg")


# F17, F24, F25: answers from another block


async def test_a_hedge_won_by_an_endpoint_of_another_block_is_thrown_away(world: World) -> None:
    async with prepared(world, 2) as trial, running(trial):
        await trial.arrived()
        await trial.trade(4)
        await trial.arrived()
        slow = trial.proxies[0].fault(faults.slow(0.5), method="eth_call")
        stale = trial.proxies[1].fault(faults.asks(faults.at_block(trial.first)), method="eth_call")
        await trial.trade(2)
        await trial.arrived()
        assert slow.taken
        assert stale.taken
        assert trial.heard("endpoint trouble", trouble="distrusted")
        await trial.same_as_without()


async def test_an_endpoint_that_ignores_the_pin_is_thrown_away_and_another_one_asked(world: World) -> None:
    async with prepared(world, 2) as trial, running(trial):
        await trial.arrived()
        ignored = trial.proxies[0].fault(faults.asks(faults.at_latest), method="eth_call")
        await trial.trade(4)
        await trial.arrived()
        assert ignored.taken
        assert trial.heard("endpoint trouble", trouble="distrusted")
        await trial.same_as_without()


async def test_alone_an_endpoint_that_ignores_the_pin_gives_no_row_until_it_obeys(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        ignored = trial.proxies[0].fault(faults.asks(faults.at_latest), method="eth_call")
        await trial.trade(3)
        await until(lambda: ignored.taken >= 2, "the endpoint was asked")
        assert max(await trial.points()) == trial.first
        trial.proxies[0].heal()
        await trial.arrived()
        await trial.same_as_without()
        assert trial.heard("endpoint trouble", trouble="distrusted")


# F18 to F21: endpoints that do not have the tip


@pytest.mark.parametrize(
    ("method", "act"),
    [
        ("eth_call", faults.error(-32000, "header not found")),
        ("eth_call", faults.error(-32001, "Unknown block")),
        ("eth_getBlockByNumber", faults.results("eth_getBlockByNumber", lambda asked, result: None)),
    ],
    ids=["F18 header not found", "F18 unknown block", "F19 null for a block just announced"],
)
async def test_a_head_that_an_endpoint_does_not_have_yet_is_waited_for(
    method: str, act: faults.Act, world: World
) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        rule = trial.proxies[0].fault(act, method=method, times=1)
        await trial.trade(3)
        await trial.arrived()
        assert rule.taken
        await trial.same_as_without()
        assert not await trial.gaps()


@pytest.mark.parametrize("behind", [25, 90], ids=["F20 25 blocks behind", "F21 still syncing from zero"])
async def test_an_endpoint_far_behind_after_a_failover_is_not_a_reorg(behind: int, world: World) -> None:
    async with prepared(world, 2) as trial:
        late = trial.proxies[1].fault(faults.behind(behind, trial.first))
        async with running(trial):
            await trial.arrived()
            await trial.trade(2)
            await trial.arrived()
            down, asked = trial.proxies[0].fault(faults.status(503)), late.taken
            await until(lambda: down.taken > 0 and late.taken >= asked + 5, "the endpoint behind was asked")
            await trial.trade(2)
            trial.proxies[0].heal()
            await trial.arrived()
        assert not trial.heard("reorg")
        await trial.same_as_without()


# F22 and F23: subscriptions


@pytest.mark.parametrize("closes", [False, True], ids=["F22 a subscription falls silent", "F23 it is closed cleanly"])
async def test_polling_sees_every_block_when_the_subscription_does_not(closes: bool, world: World) -> None:
    async with (
        websocket(closes=closes) as (subscriptions, url),
        prepared(world, more=f'websocket = "{url}"') as trial,
        running(trial),
    ):
        await trial.arrived()
        await until(lambda: bool(subscriptions), "it has subscribed")
        for _ in range(3):
            await trial.trade()
            await trial.arrived()
        await trial.same_as_without()


# F26: a final block that cannot be


def _tagged(text: str) -> str:
    return text.replace("tags = false", "tags = true")


def _finalized(number: int | None = None, above: int = 0) -> faults.Act:
    """The final block replaced by a block of another number, or by one that is above the head."""

    def change(asked: Document, result: Any) -> Any:
        if asked["params"][0] != "finalized" or result is None:
            return result
        return {**result, "number": hex(number if number is not None else int(result["number"], 16) + above)}

    return faults.results("eth_getBlockByNumber", change)


async def _final_number(trial: Trial) -> int:
    final = (await trial.store.chain_state("devnet")).finalized
    return -1 if final is None else final.number


async def test_a_final_block_above_the_head_is_not_believed(world: World) -> None:
    async with prepared(world, change=_tagged) as trial:
        lie = trial.proxies[0].fault(_finalized(above=1_000), method="eth_getBlockByNumber")
        async with running(trial):
            await trial.arrived()
            await trial.trade(2)
            await trial.arrived()
            assert lie.taken
            assert await _final_number(trial) < trial.first
            await trial.same_as_without()


async def test_a_final_block_that_moves_back_leaves_ours_where_it_is(world: World) -> None:
    async with prepared(world, change=_tagged) as trial:
        async with running(trial):
            await trial.arrived()
            await trial.is_final(1)
        final = await _final_number(trial)
        lie = trial.proxies[0].fault(_finalized(number=0), method="eth_getBlockByNumber")
        async with running(trial):
            await trial.trade(2)
            await trial.arrived()
        assert lie.taken
        assert await _final_number(trial) >= final > 0
        await trial.same_as_without()


# F27: state that is gone at one endpoint


@pytest.mark.parametrize(
    "words",
    [
        "missing trie node 0xabc (path ) state 0xdef is not available",
        "layer stale",
        "historical state 0xdef is not available",
        "required historical state unavailable",
    ],
)
async def test_state_that_one_endpoint_has_pruned_is_read_from_the_archive(words: str, world: World) -> None:
    async with prepared(world, 2) as trial:
        pruned = trial.proxies[0].fault(faults.error(-32000, words), method="eth_call")
        async with running(trial):
            await trial.arrived()
            await trial.trade(2)
            await trial.arrived()
        assert pruned.taken
        assert trial.proxies[0].count("eth_call") <= 3, "it is not asked again and again"
        await trial.same_as_without()


async def test_state_that_is_gone_everywhere_is_a_gap_that_says_so_and_nothing_is_split(world: World) -> None:
    async with prepared(world) as trial, running(trial):
        await trial.arrived()
        act = faults.error(-32602, "BlockOutOfRangeError: block height is pruned, state is not available")
        before = trial.proxies[0].count("eth_call")
        with refused_state(trial.proxies, act):
            await trial.trade(1)
            await trial.arrived()
        assert trial.proxies[0].count("eth_call") - before <= 3
        point = (await trial.points())[trial.first + 1]
        assert point.status is Status.GAP
        assert "no endpoint has the state" in point.reason
