"""`tvl price` as a process of its own, against real feeds, vaults and pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devnet import Devnet, deploy_protocols
from devnet.protocols import chainlink, uniswap_v3
from tests.e2e.shell import tvl
from tests.e2e.support import Setting, index_each

pytestmark = [pytest.mark.anvil, pytest.mark.slow]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """Feeds, vaults and pairs as they were deployed."""
    with Devnet.start() as net:
        yield Setting(net, deploy_protocols(net), tmp_path_factory.mktemp("prices"))


@pytest.fixture
def setting(standing: Setting) -> Iterator[Setting]:
    """The chain, put back as it was after the test."""
    snapshot = standing.net.snapshot()
    yield standing
    standing.net.revert(snapshot)


def priced(config: Path, *arguments: str) -> dict[str, Any]:
    done = tvl(config, "price", *arguments, "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_token_is_priced_by_its_symbol_or_its_address_without_a_database(setting: Setting) -> None:
    config = setting.configure("plain.toml")
    by_symbol = priced(config, "WETH")
    assert (by_symbol["quote"]["usd"], by_symbol["quote"]["grade"]) == ("2000", "A")
    assert priced(config, setting.addresses.token("WETH"), "--chain", "devnet") == by_symbol
    done = tvl(config, "price", "weth")
    assert (done.returncode, done.stderr) == (0, "")
    assert "price   $2,000  ($1,990 to $2,010)" in done.stdout
    assert not config.with_suffix(".db").exists()


def test_each_step_of_a_vaults_price_is_explained(setting: Setting) -> None:
    done = tvl(setting.configure("explained.toml"), "price", "vUSDC", "--explain")
    assert done.returncode == 0
    assert "route   erc4626 > chainlink:USDC/USD" in done.stdout
    assert "Routes of vUSDC" in done.stdout
    assert "Routes of USDC" in done.stdout
    proxy = setting.addresses.feeds["USDC/USD"].proxy.lower()
    assert f"chainlink {proxy} answered 100000000 = 1, updated" in done.stdout.lower()


def test_the_routes_not_taken_are_told_with_the_reason(setting: Setting) -> None:
    weth = setting.addresses.token("WETH")
    routes = f"""routes = [
  {{ kind = "chainlink", feed = "{"0x" + "de" * 20}", heartbeat_s = 3600, deviation_bps = 50 }},
  {{ kind = "chainlink", feed = "ETH/USD" }},
  {{ kind = "aave_oracle", oracle = "{setting.addresses.aave.oracle}" }},
  {{ kind = "fixed", price = "1900" }},
]"""

    def more_routes(text: str) -> str:
        old = f'address = "{weth}"\nroutes = [ {{ kind = "chainlink", feed = "ETH/USD" }} ]'
        assert old in text
        return text.replace(old, f'address = "{weth}"\n{routes}')

    told = priced(setting.configure("routes.toml", change=more_routes), "WETH")
    (weth_routes,) = [token["routes"] for token in told["tokens"] if token["symbol"] == "WETH"]
    assert [route["outcome"] for route in weth_routes] == ["absent", "taken", "witness", "not used"]
    assert "no code" in weth_routes[0]["reason"]
    assert weth_routes[2]["reason"] == "0 % apart from the one taken"
    assert told["quote"]["flags"][0].startswith("fallback:")


def test_an_older_block_has_the_price_of_then(setting: Setting) -> None:
    config, block = setting.configure("older.toml"), setting.net.block_number()
    chainlink.set_price(setting.net, setting.addresses.feeds["ETH/USD"], 1_500_00000000)
    setting.net.mine()
    assert priced(config, "WETH")["quote"]["usd"] == "1500"
    assert priced(config, "WETH", "--at", str(block))["quote"]["usd"] == "2000"


def test_a_stale_feed_is_held_and_its_own_last_round_is_shown_with_its_age(setting: Setting) -> None:
    setting.net.mine(dt=90_000)
    done = tvl(setting.configure("stale.toml"), "price", "WETH")
    assert done.returncode == 1
    assert "price   held: chainlink:ETH/USD: stale: last updated" in done.stdout
    assert "last good $2,000, 1d 1h old" in done.stdout


def test_a_vault_over_a_stale_feed_shows_the_last_good_price_of_what_it_holds(setting: Setting) -> None:
    setting.net.mine(dt=90_000)
    done = tvl(setting.configure("inside.toml"), "price", "vUSDC")
    assert done.returncode == 1
    assert "USDC: last good $1, 1d 1h old" in done.stdout


def test_a_feed_at_zero_is_held_and_the_round_before_is_shown(setting: Setting) -> None:
    chainlink.set_price(setting.net, setting.addresses.feeds["ETH/USD"], 0)
    setting.net.mine()
    told = priced(setting.configure("zero.toml"), "WETH")
    assert (told["quote"]["usd"], told["quote"]["status"]) == (None, "held")
    assert told["last_good"]["usd"] == "2000"
    assert told["last_good"]["source"] == f"chainlink:ETH/USD round {2**64 + 1}"


async def test_what_the_store_knows_goes_before_the_feeds_own_rounds(setting: Setting) -> None:
    config, first = setting.configure("stored.toml"), setting.net.block_number()
    await index_each(config, [first])
    chainlink.set_price(setting.net, setting.addresses.feeds["USDC/USD"], 0)
    setting.net.mine()
    await index_each(config, [first + 1])
    told = priced(config, "vUSDC")
    assert (told["quote"]["usd"], told["last_good"]["source"]) == (None, f"stored at block {first}")
    shown = tvl(config, "show", "vaults", "--at", "latest", "--all").stdout
    assert "last good $1" in shown
    status = json.loads(tvl(config, "status", "--json").stdout)
    (vaults,) = [one for one in status["deployments"] if one["protocol"] == "vaults"]
    assert {held["last_good"]["usd"] for held in vaults["held_prices"]} == {"1"}
    assert "Held prices" in tvl(config, "status").stdout


async def test_what_is_held_beyond_a_pools_depth_is_suspect_and_all_deployments_together_are_told(
    setting: Setting,
) -> None:
    net, on = setting.net, setting.addresses
    pool = next(a for name, a in on.uniswap_v3.pools.items() if set(name.split("/")[:2]) == {"WETH", "USDC"})
    net.transact(pool, "increaseObservationCardinalityNext(uint16)", 10)
    route = (on.token("USDC"), on.token("WETH"), net.call(pool, "fee()(uint24)"))
    for _ in range(3):
        uniswap_v3.swap(net, on.uniswap_v3.swap_router, route, on.amount("USDC", 2_000), sender=on.users[0])
        net.mine(dt=400)

    def by_the_pool(text: str) -> str:
        feed = f'address = "{on.token("WETH")}"\nroutes = [ {{ kind = "chainlink", feed = "ETH/USD" }} ]'
        twap = f'{{ kind = "uniswap_v3_twap", pool = "{pool}", in = "USDC", window_s = 600, min_depth = "1" }}'
        assert feed in text
        text = text.replace(feed, f'address = "{on.token("WETH")}"\nroutes = [ {twap} ]')
        return "[guards]\nbacking_flag_times = 0\nbacking_hold_times = 0\n" + text

    config = setting.configure("thin.toml", change=by_the_pool)
    (told,) = json.loads(tvl(config, "check", "uniswap-v3", "--json").stdout)
    held = [h for h in told["snapshots"][0]["holdings"] if h["symbol"] == "WETH"]
    assert {(h["status"], h["reason"][:8]) for h in held} == {("suspect", "backing:")}
    assert all(float(h["usd"]) > 0 and h["reason"].startswith("backing: ") for h in held)
    assert told["snapshots"][0]["totals"]["base"]["left_out"] == len(held)
    await index_each(config, [net.block_number()])
    status = json.loads(tvl(config, "status", "--json").stdout)
    (thin,) = [one for one in status["thin_prices"] if one["symbol"] == "WETH"]
    assert thin["beyond_hold"]
    assert thin["deployments"] >= 3
    assert "Held at prices with too little behind them" in tvl(config, "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["WETTH"], "no token 'WETTH' with a price in the configuration; near it: WETH on devnet (0x"),
        (["0x" + "12" * 20], "no token '0x1212"),
        (["0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756CC2"], "wrong checksum: if the digits are right"),
        (["WETH", "--chain", "devnett"], "no chain 'devnett' in the configuration; did you mean 'devnet'?"),
        (["WETH", "--at", "99999999"], "lies after the newest block of devnet"),
        (["WETH", "--at", "yesterday"], "'yesterday' is not a block"),
    ],
)
def test_wrong_input_is_told_and_what_would_be_right(setting: Setting, arguments: list[str], said: str) -> None:
    done = tvl(setting.configure("wrong.toml"), "price", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
