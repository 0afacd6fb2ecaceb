"""A protocol written as a recipe, through the whole program: read, kept, backfilled, checked, told what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.scenario import scenario
from indexer.model import Grade
from indexer.store import open_store
from indexer.store.base import Store
from indexer.units import USD_DECIMALS
from tests.chain.plain_calls import Asker
from tests.e2e.shell import tvl
from tests.e2e.support import Setting, backfill_all, index_each

pytestmark = [pytest.mark.anvil, pytest.mark.slow]

RECIPES = """
[[protocols]]
name = "by-kind"
chain = "devnet"
kind = "uniswap_v2"
amounts = "balances"
factory = "{factory}"

[[protocols]]
name = "by-index"
chain = "devnet"
kind = "recipe"
contracts = {{ factory = "{factory}" }}
steps = [
    {{ name = "pair", on = "factory", count = "allPairsLength()(uint256)", item = "allPairs(uint256)(address)" }},
    {{ name = "one", on = "pair", get = "token0()(address)", keep = true }},
    {{ name = "two", on = "pair", get = "token1()(address)" }},
]
holdings = [{{ token = ["one", "two"], owner = "pair", receipt = "pair" }}]

[[protocols]]
name = "by-event"
chain = "devnet"
kind = "recipe"
contracts = {{ factory = "{factory}" }}

[[protocols.steps]]
name = "made"
on = "factory"
event = "event PairCreated(address indexed token0, address indexed token1, address pair, uint256)"

[[protocols.holdings]]
token = ["made.token0", "made.token1"]
owner = "made.pair"
receipt = "made.pair"
"""

WRONG = """
[[protocols]]
name = "wrong"
chain = "devnet"
kind = "recipe"
contracts = { factory = "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f" }

[[protocols.steps]]
name = "pair"
on = "factory"
list = "allPairs()(addres[])"

[[protocols.steps]]
name = "token"
on = "pairs"
get = "token0()(address)"

[[protocols.holdings]]
token = "token"
owner = "pair"
"""


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with Devnet.start() as net:
        addresses = deploy_protocols(net)
        scenario(net, addresses, 30)
        yield Setting(net, addresses, tmp_path_factory.mktemp("recipes"))


def configured(setting: Setting, name: str) -> Path:
    text = RECIPES.format(factory=setting.addresses.uniswap_v2.factory)
    return setting.configure(name, change=lambda given: given + text)


async def lines(store: Store, deployment: str, number: int) -> dict[tuple[str, str], tuple[int | None, str | None]]:
    """What is held at a block, and what is a claim on it."""
    point = await store.snapshot(deployment, number)
    assert point is not None
    return {(one.holding.token, one.holding.owner): (one.holding.amount, one.holding.receipt) for one in point.lines}


async def test_a_recipe_reads_what_the_kind_reads_at_every_block(setting: Setting) -> None:
    config = configured(setting, "read.toml")
    blocks = range(setting.addresses.ready_block, setting.net.block_number() + 1, 4)
    await index_each(config, blocks)
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        for number in blocks:
            expected = await lines(store, "by-kind@devnet", number)
            assert expected
            assert await lines(store, "by-index@devnet", number) == expected
            assert await lines(store, "by-event@devnet", number) == expected


async def test_a_backfill_gives_what_was_read_block_by_block(setting: Setting) -> None:
    one, other = configured(setting, "each.toml"), configured(setting, "filled.toml")
    final = setting.net.block_number() - 5
    first = final - 12
    await index_each(one, range(first, final + 1))
    await backfill_all(other, first, final)
    async with (
        open_store(f"sqlite:///{one.with_suffix('.db')}") as a,
        open_store(f"sqlite:///{other.with_suffix('.db')}") as b,
    ):
        for name in ("by-index@devnet", "by-event@devnet"):
            assert await a.digest(name, first, final) == await b.digest(name, first, final)


def test_check_reads_a_recipe_and_says_what_it_found(setting: Setting) -> None:
    config = configured(setting, "check.toml")
    done = tvl(config, "check", "by-event", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by-event" in json.dumps(json.loads(done.stdout))


def test_a_wrong_recipe_is_told_line_by_line(setting: Setting) -> None:
    config = setting.configure("wrong.toml", change=lambda given: given + WRONG)
    done = tvl(config, "check")
    told = config.read_text("utf-8").splitlines()
    listed, on = (1 + told.index(line) for line in ('list = "allPairs()(addres[])"', 'on = "pairs"'))
    assert done.returncode != 0
    assert f"line {listed}: protocols" in done.stdout + done.stderr
    assert f"line {on}: protocols" in done.stdout + done.stderr
    assert "not an ABI type" in done.stdout + done.stderr


FUNDS = """
[tokens.devnet.SCAM]
address = "{par}"
routes = [{{ kind = "fixed", price = "1" }}]

[[protocols]]
name = "fund"
chain = "devnet"
kind = "token_supply"
tokens = ["{nav}", "{par}"]
"""


async def test_a_fund_is_its_supply_times_a_value_whose_source_is_told(setting: Setting) -> None:
    """Shares of a vault by the vault's own rate and a feed; a token without any source by the par that is declared."""
    there, number = setting.addresses, setting.net.block_number()
    nav, par = there.vaults["vUSDC"].address, there.token("SCAM")
    funds = FUNDS.format(nav=nav, par=par)
    config = setting.configure("fund.toml", change=lambda given: given + funds)
    await index_each(config, [number])
    async with open_store(f"sqlite:///{config.with_suffix('.db')}") as store:
        snapshot = await store.snapshot("fund@devnet", number)
    assert snapshot is not None
    ask = Asker(setting.net.url, number)
    worth = {one.holding.token: one.usd for one in snapshot.lines}
    supply, rate = ask(nav, "totalSupply()(uint256)"), ask(nav, "convertToAssets(uint256)(uint256)", 10**6)
    feed = ask(there.feeds["USDC/USD"].proxy, "latestAnswer()(int256)")
    assert worth[nav] == supply * rate * feed * 10**USD_DECIMALS // 10 ** (6 + 6 + 8)
    assert worth[par] == ask(par, "totalSupply()(uint256)") * 10 ** (USD_DECIMALS - 18)
    assert snapshot.quotes[nav].route.startswith("erc4626")
    assert snapshot.quotes[par].route.startswith("fixed")
    assert snapshot.quotes[par].grade is Grade.D
