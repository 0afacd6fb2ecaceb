"""The only node there is leaves out one log in a thousand, or answers from an older state: what of it is found, how it
is told, and that the series is mended to the byte. More of it: `--crowd-blocks 1000 --crowd-seed 3`."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from devnet.configuration import FINALITY_DEPTH
from devnet.faults import Document, Lacking, stale_state
from devnet.proxy import Act, Exchange, FaultProxy
from indexer.model import Address
from indexer.reads.ledger import audit
from indexer.reads.ledger.reasons import LEFT_OUT
from indexer.run import bookkeeping, by_logs
from indexer.run.program import load_program
from indexer.store.base import Store
from tests.e2e.crowd import Crowd, pairs_and_escrow
from tests.e2e.support import (
    Setting,
    Told,
    backfill_all,
    block_hash,
    digests,
    eventually,
    following,
    index_each,
    reached,
)

pytestmark = pytest.mark.anvil

A_RANGE = 64
DIFFERENCE = "logs and answers differ"
SETTLED = 6
"""Blocks after which each answer by logs is believed."""


@dataclass
class Scene:
    """A crowd, the daemon that follows it through a proxy, and its store."""

    setting: Setting
    proxy: FaultProxy
    store: Store
    crowd: Crowd
    config: Path
    start: int
    told: Told

    async def blocks(self, count: int) -> int:
        """So many full blocks, mined while nobody reads; the last of them, once the daemon is there."""
        for _ in range(count):
            self.crowd.act()
            await self.rest(1)
        return self.setting.net.block_number()

    async def rest(self, count: int) -> None:
        """So many blocks at once."""
        async with self.proxy.quiet():
            self.setting.net.mine(count)
        await reached(self.store, self.setting.net.block_number())

    async def mended(self, last: int) -> None:
        """Wait until the rows are those of plain reads."""
        clean = self.setting.configure("clean.toml", change=pairs_and_escrow)
        await index_each(clean, range(self.start, last + 1))
        truth = await digests(clean, self.start, last)

        async def same() -> bool:
            return await digests(self.config, self.start, last) == truth

        await eventually(same, "the series is mended")
        assert await self.store.verify() == []


@asynccontextmanager
async def scene(setting: Setting, first_fault: Act | None = None) -> AsyncIterator[Scene]:
    crowd, told = Crowd(setting.net, setting.addresses), Told()
    crowd.arrive()
    async with FaultProxy(setting.net.url) as proxy:
        if first_fault:
            proxy.fault(first_fault, method="eth_call")
        config = setting.configure("proxied.toml", url=proxy.url, change=pairs_and_escrow)
        async with setting.store(config) as store, following(load_program(config), store, told.log):
            start = setting.net.block_number()
            await reached(store, start)
            yield Scene(setting, proxy, store, crowd, config, start, told)


def missed(lacking: Lacking, setting: Setting) -> set[Address]:
    """The contracts of what was left out that says anything of what is read: of pairs all, else of the escrow."""
    escrow = "0x" + setting.addresses.escrow[2:].rjust(64, "0")
    return {Address(log["address"]) for log in lacking.logs.values() if _is_sync(log) or escrow in log["topics"]}


def _is_sync(log: Document) -> bool:
    return len(log["topics"]) == 1


@pytest.mark.timeout(3_600)
async def test_of_a_node_that_leaves_out_one_log_in_a_thousand_each_is_told_and_the_series_mended(
    fresh: Setting, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them a `Sync`, after which the next one says all that it would have said. Of what no later log touches the
    turn comes at the next audit, not within 24 of them."""
    monkeypatch.setattr(audit, "SHARES", 1)
    blocks, seed = request.config.getoption("--crowd-blocks"), request.config.getoption("--crowd-seed")
    async with scene(fresh) as at:
        await at.blocks(SETTLED)
        lacking = Lacking(1_000, seed)
        at.proxy.fault(lacking)
        last = await at.blocks(blocks)
        for _ in range(2):
            await at.rest(bookkeeping.AUDIT_EVERY)
        await at.mended(last)
        told = at.told.of(DIFFERENCE)
        print(f"{blocks} blocks: {len(lacking.logs)} logs left out, told: {told}")
        assert {one["contract"] for one in told} == missed(lacking, fresh)
        assert {one["reason"] for one in told} == {LEFT_OUT}
        assert any(map(_is_sync, lacking.logs.values()))
        assert all(one["since"] in {height for height, _ in lacking.logs} for one in told)


@pytest.mark.parametrize("fault", ["lacks logs", "older state"])
async def test_a_backfill_from_such_a_node_gives_the_rows_of_plain_reads_and_no_flow_that_is_not_whole(
    fresh: Setting, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """One log in a thousand is not there; or the first reading where two ranges meet is that of an older state.

    Nothing is wrong with the last range: by that one it is decided whether logs pay at all.
    """
    monkeypatch.setattr(by_logs, "RANGE_BLOCKS", A_RANGE)
    blocks, seed = request.config.getoption("--crowd-blocks"), request.config.getoption("--crowd-seed")
    crowd = Crowd(fresh.net, fresh.addresses)
    crowd.arrive()
    first = fresh.net.block_number() + 1
    for _ in range(2 * blocks):
        crowd.act()
        fresh.net.mine()
    last = fresh.net.block_number() - FINALITY_DEPTH
    clean = fresh.configure("clean.toml", change=pairs_and_escrow)
    await index_each(clean, range(first, last + 1))
    seams = {block_hash(fresh.net, number) for number in range(first - 1, last - A_RANGE, A_RANGE)}
    lacking, told = Lacking(1_000, seed, range(last - A_RANGE)), Told()
    async with FaultProxy(fresh.net.url) as proxy:
        config = fresh.configure("proxied.toml", url=proxy.url, change=pairs_and_escrow)
        lie = proxy.fault(lacking if fault == "lacks logs" else once_each(stale_state(), seams))
        await backfill_all(config, first, last, told.log)
        assert lie.taken
        assert proxy.count("eth_getLogs") >= 4
    assert await digests(config, first, last) == await digests(clean, first, last)
    if fault == "older state":
        assert not seams
        return
    print(f"{2 * blocks} blocks: {len(lacking.logs)} logs left out")
    pairs = {log["address"] for log in lacking.logs.values() if _is_sync(log)}
    assert pairs
    assert {one["contract"] for one in told.of(DIFFERENCE)} == pairs
    async with fresh.store(config) as store:
        escrow, dex = [await store.flows(f"{name}@devnet", first + 1, last) for name in ("escrow", "uniswap-v2")]
    whole = {token for token, _, _ in escrow.complete} | {pair for _, pair, _ in dex.complete}
    assert whole
    assert whole.isdisjoint(missed(lacking, fresh))


def once_each(act: Act, hashes: set[str]) -> Act:
    """Do it to the first call that is pinned to each of these blocks."""

    async def once(exchange: Exchange) -> web.StreamResponse:
        pins = {d["params"][1]["blockHash"] for d in exchange.documents if d["method"] == "eth_call"} & hashes
        hashes.difference_update(pins)
        return await act(exchange) if pins else exchange.reply(await exchange.forward())

    return once


@pytest.mark.usefixtures("often")
async def test_a_node_that_answers_from_an_older_state_is_found_out_and_costs_the_ledger_no_belief(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third multicall for a while, the first one among them."""
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 1)
    setting = replace(fresh, chain=f"{fresh.chain}\naudit_one_in = 1")
    async with scene(setting, every_third(stale_state())) as at:
        await at.blocks(SETTLED)
        (stale,) = at.proxy.rules
        at.proxy.heal()
        last = await at.blocks(20)
        await at.mended(last)
        assert stale.taken
        put_right = at.told.of("a stored snapshot is put right")
        assert {event["deployment"] for event in put_right} == {"escrow@devnet", "uniswap-v2@devnet"}
        assert all(setting.addresses.escrow in event["differs"] for event in put_right if event["deployment"][0] == "e")
        assert (await at.store.chain_state("devnet")).ways == {"folded": 12, "triggered": 1}


def every_third(act: Act) -> Act:
    count = itertools.count()

    async def sometimes(exchange: Exchange) -> web.StreamResponse:
        return await act(exchange) if next(count) % 3 == 0 else exchange.reply(await exchange.forward())

    return sometimes
