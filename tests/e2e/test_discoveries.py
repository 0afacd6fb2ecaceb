"""A pool that is announced in a log is found, also where a node leaves that log out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from devnet.faults import results
from devnet.proxy import FaultProxy
from indexer.run.program import load_program
from tests.e2e.conftest import WAYS
from tests.e2e.support import Setting, digests, following, index_each, only, reached

pytestmark = pytest.mark.anvil

DEX = "uniswap-v3@devnet"


def announce_a_pool(setting: Setting) -> None:
    """The next block has a new pool of LINK and DAI."""
    tokens = sorted(setting.addresses.token(symbol) for symbol in ("LINK", "DAI"))
    manager, call = setting.addresses.uniswap_v3.position_manager, "createAndInitializePoolIfNecessary"
    setting.net.send(manager, f"{call}(address,address,uint24,uint160)", *tokens, 3_000, 2**96)


async def pools_of(setting: Setting, name: str) -> int:
    async with setting.store(setting.folder / name) as store:
        found, _ = await store.found(DEX)
    return sum("pool" in item.data for item in found)


@pytest.mark.parametrize("way", WAYS)
async def test_a_pool_whose_log_one_endpoint_leaves_out_is_found_at_its_block(fresh: Setting, way: str) -> None:
    """The filter of its block, at which is looked anyway, allows it: so another endpoint is asked."""
    setting = replace(fresh, chain=WAYS[way])
    async with FaultProxy(fresh.net.url) as forgetful, FaultProxy(fresh.net.url) as second:

        def both(text: str) -> str:
            urls = f'endpoints = ["{forgetful.url}", "{second.url}"]'
            return only(text, ["uniswap-v3"]).replace(f'endpoints = ["{fresh.net.url}"]', urls)

        config = setting.configure("proxied.toml", change=both)
        async with setting.store(config) as store, following(load_program(config), store):
            first = fresh.net.block_number()
            await reached(store, first)
            lie = forgetful.fault(results("eth_getLogs", lambda _, __: []))
            for announces in (False, True, False, False):
                async with forgetful.quiet(), second.quiet():
                    if announces:
                        announce_a_pool(setting)
                    fresh.net.mine()
                await reached(store, fresh.net.block_number())
        assert lie.taken
    assert await pools_of(setting, "proxied.toml") == len(fresh.addresses.uniswap_v3.pools) + 1
    clean = fresh.configure("clean.toml", change=partial(only, names=["uniswap-v3"]))
    last = fresh.net.block_number()
    await index_each(clean, range(first, last + 1))
    assert await digests(config, first, last) == await digests(clean, first, last)
