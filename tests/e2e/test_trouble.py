"""What is wrong is said clearly, held with its reason, and touches nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from devnet import Devnet, faults
from devnet.proxy import FaultProxy
from indexer.model import Status
from indexer.run import daemon
from indexer.run.program import load_program
from tests.e2e.support import (
    QUIET,
    Setting,
    digests,
    following,
    has_points,
    index_each,
    index_until_head,
    reached,
    tvl,
)

pytestmark = pytest.mark.anvil


async def statuses(setting: Setting, config: Path) -> dict[str, Status]:
    async with setting.store(config) as store:
        rows = {row.protocol: await store.snapshot(row.key) for row in await store.deployments()}
    return {protocol: snapshot.status for protocol, snapshot in rows.items() if snapshot}


async def test_an_endpoint_that_is_down_at_the_start_is_waited_for(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        proxy.fault(faults.status(503))
        config = fresh.configure(url=proxy.url)
        async with fresh.store(config) as store, following(load_program(config), store):
            await asyncio.sleep(1)
            assert not await store.deployments() or not await store.heads("devnet")
            proxy.heal()
            await reached(store, fresh.net.block_number())


async def test_an_endpoint_of_another_chain_halts_that_chain_and_says_so(fresh: Setting, tmp_path: Path) -> None:
    with Devnet.start(chain_id=5) as other:
        config = fresh.configure(url=other.url)
        async with fresh.store(config) as store:
            assert await daemon.run(load_program(config), store, QUIET) is False
            assert await store.heads("devnet") == []


def test_an_unknown_protocol_is_refused_with_what_there_is(fresh: Setting) -> None:
    told = tvl(fresh.configure(), "check", "no-such-thing")
    assert told.returncode == 2
    assert "uniswap-v2" in told.stderr


async def test_a_feed_that_reverts_holds_what_it_prices_and_nothing_else(fresh: Setting) -> None:
    config = fresh.configure()
    fresh.net.rpc("anvil_setCode", fresh.addresses.feeds["LINK/USD"].proxy, "0x60006000fd")
    fresh.net.mine()
    await index_until_head(config, fresh.net)
    found = await statuses(fresh, config)
    assert found["aave-v3"] is Status.OK
    assert found["uniswap-v2"] is Status.HELD
    async with fresh.store(config) as store:
        held = await store.snapshot("uniswap-v2@devnet")
        assert held is not None
        assert "chainlink:LINK/USD" in held.reason
        assert all(line.usd is None for line in held.lines if line.status is Status.HELD)
        assert any(line.usd for line in held.lines)


async def test_a_stale_feed_is_held_and_comes_back(fresh: Setting) -> None:
    config = fresh.configure()
    fresh.net.mine(dt=3 * 86_400)
    await index_until_head(config, fresh.net)
    assert (await statuses(fresh, config))["uniswap-v2"] is Status.HELD
    for name, feed in fresh.addresses.feeds.items():
        fresh.net.send(feed.aggregator, "updateAnswer(int256)", 10**8 if "USD" in name[:4] else 2_000 * 10**8)
    fresh.net.mine()
    await index_until_head(config, fresh.net)
    assert (await statuses(fresh, config))["uniswap-v2"] is Status.OK


async def test_hostile_tokens_are_told_and_stop_nothing(fresh: Setting) -> None:
    hostile = list(fresh.addresses.hostile_tokens.values())
    listed = ", ".join(f'"{token}"' for token in hostile)
    entry = '[[protocols]]\nname = "hostile"\nchain = "devnet"\nkind = "token_balances"\n'
    entry += f'owners = ["{fresh.addresses.escrow}"]\ntokens = [{listed}]\n'
    config = fresh.configure(change=lambda text: f"{text}\n{entry}")
    await index_until_head(config, fresh.net)
    async with fresh.store(config) as store:
        snapshot = await store.snapshot("hostile@devnet")
        assert snapshot is not None
        assert {line.holding.token for line in snapshot.lines} == set(hostile)
        assert all(line.usd is None and line.reason for line in snapshot.lines)
    assert (await statuses(fresh, config))["uniswap-v2"] is Status.OK


@pytest.mark.parametrize(
    "act",
    [
        faults.status(429, Retry_After="1"),
        faults.status(500),
        faults.status(503),
    ],
    ids=["429", "500", "503"],
)
async def test_faults_of_an_endpoint_leave_the_series_as_without_them(fresh: Setting, act: object) -> None:
    first = fresh.net.block_number()
    async with FaultProxy(fresh.net.url) as proxy:
        config, clean = fresh.configure(url=proxy.url), fresh.configure("clean.toml")
        async with fresh.store(config) as store, following(load_program(config), store):
            await has_points(store, "escrow@devnet")
            proxy.fault(act, times=3)  # type: ignore[arg-type]
            for _ in range(3):
                fresh.net.mine()
            await reached(store, fresh.net.block_number())
    await index_each(clean, range(first, fresh.net.block_number() + 1))
    last = fresh.net.block_number()
    assert await digests(config, first, last) == await digests(clean, first, last)


async def test_state_that_nobody_has_any_more_is_a_gap_with_its_reason(fresh: Setting) -> None:
    config = fresh.configure()
    async with FaultProxy(fresh.net.url) as proxy:
        config = fresh.configure(url=proxy.url)
        proxy.fault(faults.error(-32000, "missing trie node 0xabc (path ) state is not available"), method="eth_call")
        await index_until_head(config, fresh.net)
    async with fresh.store(config) as store:
        snapshot = await store.snapshot("escrow@devnet")
        assert snapshot is not None
        assert snapshot.status is Status.GAP
        assert "no endpoint has the state" in snapshot.reason
        assert snapshot.lines == ()


async def test_no_file_of_a_run_contains_the_key_of_an_endpoint(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        url = proxy.url.rstrip("/") + "/v3/CANARYKEY0123456789"
        proxy.fault(faults.error(-32000, f"missing trie node at {url} CANARYKEY0123456789"), method="eth_call", times=5)
        config = fresh.configure(url="${CANARY_URL:-" + url + "}")
        await index_until_head(config, fresh.net)
    database = sqlite3.connect(config.with_suffix(".db"))
    assert "CANARY" not in "\n".join(database.iterdump())
    database.close()


async def test_a_clock_that_is_an_hour_off_changes_no_row(fresh: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    right, now, number = fresh.configure("right.toml"), time.time, fresh.net.block_number()
    await index_each(right, [number])
    for hour in (-3600, 3600):
        wrong = fresh.configure(f"wrong{hour}.toml")
        monkeypatch.setattr(time, "time", lambda off=hour: now() + off)
        await index_each(wrong, [number])
        monkeypatch.undo()
        assert await digests(wrong, number, number) == await digests(right, number, number)
