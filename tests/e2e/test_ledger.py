"""The daemon by logs: what it costs, what it sees within a block, and how it finds and mends what logs did not say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from devnet.faults import Document, meanwhile, results
from devnet.proxy import FaultProxy, Rule
from indexer.config.types import parse_address
from indexer.model import Bucket, Flow
from indexer.reads.ledger import audit
from indexer.run import bookkeeping, by_logs
from indexer.run.program import load_program
from indexer.store.base import Place, Store
from tests.e2e.support import (
    Setting,
    backfill_all,
    digests,
    eventually,
    final_at,
    following,
    index_each,
    only,
    reached,
    tvl,
)

pytestmark = pytest.mark.anvil


@asynccontextmanager
async def behind_a_proxy(setting: Setting, chain: str = "") -> AsyncIterator[tuple[FaultProxy, Store, int]]:
    """The daemon reads the escrow through a proxy, and stands at the head."""
    async with FaultProxy(setting.net.url) as proxy:
        config = setting.configure("proxied.toml", url=proxy.url, change=lambda text: only_escrow(text, chain))
        async with setting.store(config) as store, following(load_program(config), store):
            start = setting.net.block_number()
            await reached(store, start)
            yield proxy, store, start


def only_escrow(text: str, chain: str = "", *, ether: bool = False) -> str:
    """The escrow's tokens, without ether: none changes without a log. Without prices: the devnet's feeds are mute."""
    escrow = only(text, ["escrow"], is_priced=False, has_ether=ether)
    return escrow.replace("[chains.devnet]", f"[chains.devnet]\n{chain}")


async def mined(proxy: FaultProxy, store: Store, setting: Setting, *sends: tuple[Any, ...]) -> int:
    """One block with these transactions, while nobody reads; and the daemon at it."""
    async with proxy.quiet():
        for send in sends:
            setting.net.send(*send)
        setting.net.mine()
    await reached(store, setting.net.block_number())
    return setting.net.block_number()


def minted(setting: Setting, amount: int) -> tuple[Any, ...]:
    return setting.addresses.token("USDC"), "mint(address,uint256)", setting.addresses.escrow, amount


def place(setting: Setting) -> Place:
    addresses = setting.addresses
    return parse_address(addresses.token("USDC")), parse_address(addresses.escrow), Bucket.BASE


async def same_as_plain_reads(setting: Setting, store: Store, first: int, last: int) -> bool:
    clean = setting.configure("clean.toml", change=only_escrow)
    await index_each(clean, range(first, last + 1))
    return await store.digest("escrow@devnet", first, last) == (await digests(clean, first, last))["escrow@devnet"]


async def test_when_nothing_needs_reading_a_block_costs_its_logs_and_no_call(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 10**6)
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 10**6)
    async with behind_a_proxy(fresh, "audit_one_in = 0") as (proxy, store, start):
        for i in range(6):
            await mined(proxy, store, fresh, *([minted(fresh, 5)] if i == 2 else []))
        calls, logs = proxy.count("eth_call"), proxy.count("eth_getLogs")
        for amount in (10, 20, 30):
            await mined(proxy, store, fresh, minted(fresh, amount))
            last = await mined(proxy, store, fresh)
        assert proxy.count("eth_call") == calls
        assert proxy.count("eth_getLogs") > logs
        assert await same_as_plain_reads(fresh, store, start, last)
    told = tvl(fresh.folder / "proxied.toml", "status")
    (chain,) = json.loads(tvl(fresh.folder / "proxied.toml", "status", "--json").stdout)["chains"]
    assert chain["calls"] == 0, "in the last block nothing happened"
    assert chain["ways"] == {"folded": 6}
    assert "Of the calls on devnet: 6 folded" in told.stdout


async def test_a_deposit_and_withdrawal_within_one_block_is_seen_as_gross_flow(fresh: Setting) -> None:
    desk_user = fresh.addresses.users[0]
    usdc, escrow = fresh.addresses.token("USDC"), fresh.addresses.escrow
    async with behind_a_proxy(fresh) as (proxy, store, _):
        first = await mined(proxy, store, fresh)
        for _ in range(4):
            await mined(proxy, store, fresh)
        release = escrow, "release(address,address,uint256)", usdc, desk_user, 7_000_000
        number = await mined(proxy, store, fresh, minted(fresh, 7_000_000), release)
        for _ in range(3):
            last = await mined(proxy, store, fresh)
        found = await store.flows("escrow@devnet", first, last)
        before, after = [await store.snapshot("escrow@devnet", n) for n in (number - 1, number)]
    assert before is not None
    assert after is not None
    assert [line.holding for line in before.lines] == [line.holding for line in after.lines]
    assert [(flow.at.number, flow.amount_in, flow.amount_out) for flow in found.items] == [
        (number, 7_000_000, 7_000_000)
    ]
    assert place(fresh) in found.complete


async def test_flows_explain_every_change_of_an_amount_at_every_block(fresh: Setting) -> None:
    async with behind_a_proxy(fresh) as (proxy, store, start):
        for i in range(12):
            last = await mined(proxy, store, fresh, minted(fresh, 10 + i))
        for _ in range(3):
            last = await mined(proxy, store, fresh)
        found = await store.flows("escrow@devnet", start + 2, last)
        assert place(fresh) in found.complete
        for number in range(start + 2, last + 1):
            assert await _amount(fresh, store, number) - await _amount(fresh, store, number - 1) == sum(
                _net(flow) for flow in found.items if flow.at.number == number
            )


async def _amount(setting: Setting, store: Store, number: int) -> int:
    snapshot = await store.snapshot("escrow@devnet", number)
    assert snapshot is not None
    (amount,) = [line.holding.amount for line in snapshot.lines if line.holding.token == place(setting)[0]]
    return amount or 0


def _net(flow: Flow) -> int:
    return flow.amount_in - flow.amount_out


async def test_a_log_that_the_node_left_out_is_found_and_the_series_mended(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 1)
    async with behind_a_proxy(fresh) as (proxy, store, start):
        for i in range(6):
            await mined(proxy, store, fresh, minted(fresh, 10 + i))
        proxy.fault(results("eth_getLogs", lambda _, __: []))
        proxy.fault(results("eth_getBlockByHash", _without_bloom))
        guilty = await mined(proxy, store, fresh, minted(fresh, 1_000))
        proxy.heal()
        for i in range(14):
            last = await mined(proxy, store, fresh, minted(fresh, 20 + i))
        await final_at(store, guilty + 1)
        await eventually(lambda: same_as_plain_reads(fresh, store, start, last), "the series is mended")
        assert place(fresh) not in (await store.flows("escrow@devnet", guilty, guilty)).complete
        assert place(fresh) in (await store.flows("escrow@devnet", start + 2, guilty - 1)).complete
        assert await store.verify() == []


def _without_bloom(_: Document, block: Any) -> Any:
    return block and {**block, "logsBloom": "0x" + "0" * 512}


async def test_a_balance_that_changes_in_silence_is_found_by_rotation_and_mended(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 4)
    monkeypatch.setattr(audit, "SHARES", 1)
    usdc, escrow = fresh.addresses.token("USDC"), fresh.addresses.escrow
    async with behind_a_proxy(fresh) as (proxy, store, start):
        for i in range(6):
            await mined(proxy, store, fresh, minted(fresh, 10 + i))
        async with proxy.quiet():
            _move_silently(fresh, usdc, escrow, 500)
            fresh.net.mine()
        for _ in range(16):
            last = await mined(proxy, store, fresh)
            await asyncio.sleep(0)
        await eventually(lambda: same_as_plain_reads(fresh, store, start, last), "the series is mended")


async def test_what_was_not_audited_yet_is_audited_though_a_block_left_the_chain_while_it_was_read(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ether, which is read at every block: there is something to be read when the block is gone."""
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 12)
    monkeypatch.setattr(audit, "SHARES", 1)
    with_ether = partial(only_escrow, ether=True)
    async with FaultProxy(fresh.net.url) as proxy:
        config, clean = [
            fresh.configure(f"{name}.toml", change=with_ether, url=url)
            for name, url in (("proxied", proxy.url), ("clean", ""))
        ]
        async with fresh.store(config) as store, following(load_program(config), store):
            start = fresh.net.block_number()
            await reached(store, start)
            for i in range(6):
                await mined(proxy, store, fresh, minted(fresh, 10 + i))
            async with proxy.quiet():
                _move_silently(fresh, fresh.addresses.token("USDC"), fresh.addresses.escrow, 500)
                fresh.net.mine()
            await mined(proxy, store, fresh)
            gone = proxy.fault(meanwhile(lambda: fresh.net.reorg(1)), method="eth_call", times=1)
            fresh.net.mine()
            await eventually(lambda: _taken(gone), "the block was replaced while it was read")
            for _ in range(26):
                last = await mined(proxy, store, fresh)
            await index_each(clean, range(start, last + 1))

            async def mended() -> bool:
                return await digests(config, start, last) == await digests(clean, start, last)

            await eventually(mended, "the series is mended")


async def _taken(rule: Rule) -> bool:
    return rule.taken > 0


def _move_silently(setting: Setting, token: str, holder: str, amount: int) -> None:
    """Raise a balance by its storage slot, whichever slot the mapping is at: no log says so."""
    before = int(setting.net.call(token, "balanceOf(address)(uint256)", holder))
    setting.net.rpc("anvil_dealERC20", holder, token, hex(before + amount))
    assert int(setting.net.call(token, "balanceOf(address)(uint256)", holder)) == before + amount


async def test_a_backfill_by_logs_gives_the_same_rows_and_flows_without_a_seam(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_logs, "RANGE_BLOCKS", 8)
    first = fresh.net.block_number() + 1
    for amount in range(1, 41):
        fresh.net.transact(*minted(fresh, amount))
    last = fresh.net.block_number() - 8
    async with FaultProxy(fresh.net.url) as proxy:
        by_reads = replace(fresh, chain="ledger = false").configure("reads.toml", url=proxy.url, change=only_escrow)
        logged = fresh.configure("logs.toml", url=proxy.url, change=only_escrow)
        await backfill_all(by_reads, first, last)
        calls_by_reads, proxy.asked = proxy.count("eth_call"), []
        await backfill_all(logged, first, last)
        calls_by_logs = proxy.count("eth_call")
    assert await digests(logged, first, last) == await digests(by_reads, first, last)
    assert calls_by_logs < calls_by_reads / 2
    async with fresh.store(logged) as store:
        found = await store.flows("escrow@devnet", first, last)
        assert place(fresh) in found.complete
        assert [flow.amount_in for flow in found.items if flow.token == place(fresh)[0]] == list(range(1, 33))
        assert await store.verify() == []


async def test_a_backfill_by_logs_goes_on_where_it_was_stopped(fresh: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_logs, "RANGE_BLOCKS", 8)
    first = fresh.net.block_number() + 1
    for amount in range(1, 41):
        fresh.net.transact(*minted(fresh, amount))
    last = fresh.net.block_number() - 8
    stopped, whole = (fresh.configure(f"{name}.toml", change=only_escrow) for name in ("stopped", "whole"))
    await backfill_all(whole, first, last)
    for span in [(first + 9, first + 20), (first, first + 12)]:
        await backfill_all(stopped, *span)
    await backfill_all(stopped, first, last)
    assert await digests(stopped, first, last) == await digests(whole, first, last)
    async with fresh.store(stopped) as store:
        assert place(fresh) in (await store.flows("escrow@devnet", first + 1, first + 20)).complete


async def test_a_check_tells_how_many_calls_logs_can_answer(fresh: Setting) -> None:
    config = fresh.configure()
    shown = json.loads(tvl(config, "check", "uniswap-v2", "--json").stdout)[0]["cost"]["ways"]
    assert shown["folded"] > 10
    assert shown["triggered"] > 0
    without = replace(fresh, chain="ledger = false").configure("without.toml")
    assert json.loads(tvl(without, "check", "uniswap-v2", "--json").stdout)[0]["cost"]["ways"] == {}
