"""What a snapshot costs on a healthy endpoint, counted on the wire: one header for all deployments, full multicalls,
and nothing else. Every answer is read: those from logs (`ledger`) and second readings (`audit_one_in`) are off."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from devnet.proxy import Act, Exchange, FaultProxy
from indexer.reads.abi import interface
from indexer.reads.sizes import START_BYTES, START_GAS
from indexer.run import bookkeeping
from indexer.run.program import load_program
from tests.e2e.support import Setting, following, reached, tvl
from tests.e2e.test_ledger import mined, minted, only_escrow, same_as_plain_reads

pytestmark = pytest.mark.anvil

ROUNDS = 3
"""Of the devnet's deployments together: discoveries and reads, what those named, and prices."""
BLOCKS = 4
MANY = 4_000


def configured(setting: Setting, url: str, more: str = "", *, by_logs: bool = False) -> Path:
    """New heads are announced by the node itself, so that every look at the head is about a new block.

    `by_logs` keeps the kind whose contracts are discovered by logs.
    """
    chain = f'websocket = "{setting.net.url.replace("http", "ws")}"\npoll_s = 60\naudit_one_in = 0'

    def change(text: str) -> str:
        head, *protocols = text.split("[[protocols]]")
        text = "[[protocols]]".join([head, *(p for p in protocols if by_logs or "uniswap_v3" not in p)])
        return f"{text.replace('block_time_s = 1', f'block_time_s = 1{chr(10)}{chain}')}\n{more}"

    return replace(setting, chain="ledger = false").configure(url=url, change=change)


def many(setting: Setting, owners: int) -> str:
    """A deployment that has to ask for so many balances."""
    listed = ", ".join(f'"0x{10**20 + number:040x}"' for number in range(owners))
    lines = ["[[protocols]]", 'name = "many"', 'chain = "devnet"', 'kind = "token_balances"']
    return "\n".join([*lines, f"owners = [{listed}]", f'tokens = ["{setting.addresses.token("USDC")}"]', ""])


async def asked_for_blocks(setting: Setting, proxy: FaultProxy, config: Path) -> list[list[dict[str, object]]]:
    """What went over the wire for each of some blocks in a row."""
    blocks = []
    async with setting.store(config) as store, following(load_program(config), store):
        await reached(store, setting.net.block_number())
        setting.net.mine()
        await reached(store, setting.net.block_number())
        for _ in range(BLOCKS):
            before = len(proxy.asked)
            setting.net.mine()
            await reached(store, setting.net.block_number())
            blocks.append(proxy.asked[before:])
    return blocks


async def test_a_snapshot_of_all_deployments_costs_one_header_and_one_multicall_a_round(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        config = configured(fresh, proxy.url)
        for asked in await asked_for_blocks(fresh, proxy, config):
            assert Counter(document["method"] for document in asked) == {"eth_getBlockByNumber": 1, "eth_call": ROUNDS}
        async with fresh.store(config) as store:
            state = await store.chain_state("devnet")
            assert state.requests == ROUNDS
            assert len(await store.deployments()) == 5


async def test_a_discovery_by_logs_costs_one_more_request_and_a_second_look_at_its_block(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        config = configured(fresh, proxy.url, by_logs=True)
        for asked in await asked_for_blocks(fresh, proxy, config):
            counted = Counter(document["method"] for document in asked)
            assert counted == {"eth_getBlockByNumber": 2, "eth_getLogs": 1, "eth_call": ROUNDS}


async def test_by_logs_a_block_that_is_announced_costs_one_http_request(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the escrow, of which all is folded: the look at the head brings the logs, whether there are any or not."""
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 10**6)
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 10**6)
    async with FaultProxy(fresh.net.url) as proxy:
        websocket = f'websocket = "{fresh.net.url.replace("http", "ws")}"\npoll_s = 60\naudit_one_in = 0'
        config = fresh.configure(url=proxy.url, change=lambda text: only_escrow(text, f"{websocket}\n"))
        async with fresh.store(config) as store, following(load_program(config), store):
            await reached(store, fresh.net.block_number())
            for amount in range(1, 5):
                await mined(proxy, store, fresh, *([minted(fresh, amount)] if amount == 1 else []))
            posts = proxy.posts
            for amount in range(1, 5):
                await mined(proxy, store, fresh, *([minted(fresh, amount)] if amount % 2 else []))
            assert proxy.posts - posts == 4
            last = fresh.net.block_number()
            assert await same_as_plain_reads(fresh, store, last - 7, last)


async def test_by_logs_a_block_that_is_found_by_polling_costs_one_http_request(
    fresh: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks that find no new block aside: those do not ask for more."""
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 10**6)
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 10**6)
    async with FaultProxy(fresh.net.url) as proxy:
        config = fresh.configure(url=proxy.url, change=lambda text: only_escrow(text, "audit_one_in = 0\n"))
        async with fresh.store(config) as store, following(load_program(config), store):
            await reached(store, fresh.net.block_number())
            for amount in range(1, 5):
                await mined(proxy, store, fresh, *([minted(fresh, amount)] if amount == 1 else []))
            heads = [fresh.net.block_number()]
            proxy.fault(noting(heads))
            for amount in range(1, 7):
                await mined(proxy, store, fresh, *([minted(fresh, amount)] if amount % 2 else []))
            last = fresh.net.block_number()
            assert heads == sorted(heads)
            assert sorted(set(heads)) == list(range(last - 6, last + 1))
            assert await same_as_plain_reads(fresh, store, last - 9, last)


def noting(heads: list[int]) -> Act:
    """Every request must be a look at the head: which it was."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        replies = await exchange.forward()
        looks = [i for i, asked in enumerate(exchange.documents) if asked["params"][0] == "latest"]
        heads.append(int(replies[looks[0]]["result"]["number"], 16) if looks else -1)
        return exchange.reply(replies)

    return act


async def test_more_than_a_batch_takes_costs_as_many_batches_as_are_full_and_no_more(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        config = configured(fresh, proxy.url, many(fresh, MANY))
        for asked in await asked_for_blocks(fresh, proxy, config):
            calls = [document for document in asked if document["method"] == "eth_call"]
            size = sum(len(document["params"][0]["data"]) // 2 for document in calls)  # type: ignore[index]
            gas = (
                MANY * interface("erc20").balanceOf(fresh.addresses.token("USDC"), fresh.addresses.escrow).function.gas
            )
            full = max(size / START_BYTES, gas / START_GAS)
            assert full > 2
            assert len(calls) <= ROUNDS + math.ceil(full)
            assert Counter(document["method"] for document in asked) - Counter(eth_call=len(calls)) == {
                "eth_getBlockByNumber": 1
            }


async def test_status_tells_what_was_asked_for_by_method(fresh: Setting) -> None:
    async with FaultProxy(fresh.net.url) as proxy:
        config = configured(fresh, proxy.url)
        await asked_for_blocks(fresh, proxy, config)
        async with fresh.store(config) as store:
            traffic = dict((await store.chain_state("devnet")).traffic)
    told = tvl(config, "status").stdout
    assert f"eth_call {traffic['eth_call']}x" in told
    assert traffic == {method: proxy.count(method) for method in traffic}
    assert proxy.key not in told
