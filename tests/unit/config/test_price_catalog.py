"""The shipped prices: every row loads as the program loads it, every name leads somewhere, every address is sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.config.load import catalog
from indexer.config.types import checksum
from indexer.model import NATIVE, Address
from indexer.run.program import ChainProgram, load_program
from tools import price_catalog
from tools.price_catalog import TableError, Tables, parse_route

CHAINS = ("ethereum", "arbitrum", "optimism", "base", "polygon", "bnb", "avalanche")
DOLLARS = {
    "ethereum": ("USDC", "USDT", "DAI", "USDS"),
    "arbitrum": ("USDC", "USDC.e", "USDT", "DAI"),
    "optimism": ("USDC", "USDC.e", "USDT", "DAI"),
    "base": ("USDC", "USDbC", "USDT", "DAI"),
    "polygon": ("USDC", "USDC.e", "USDT", "DAI"),
    "bnb": ("USDC", "USDT", "FDUSD", "DAI"),
    "avalanche": ("USDC", "USDC.e", "USDT", "DAI.e"),
}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return price_catalog.read()


def rows(part: str, chain: str) -> Mapping[str, Mapping[str, Any]]:
    return catalog(f"{part}/{chain}")


def program_of(chain: str, folder: Path) -> ChainProgram:
    config = folder / "config.toml"
    config.write_text(f'[chains.{chain}]\nendpoints = ["http://127.0.0.1:1"]\n')
    return load_program(config).chains[chain]


@pytest.mark.parametrize("chain", CHAINS)
def test_every_shipped_token_has_a_route_that_the_program_accepts(chain: str, tmp_path: Path) -> None:
    # an unknown feed, symbol or parameter, a unit without routes and a circle are all refused here
    program = program_of(chain, tmp_path)
    shipped = rows("tokens", chain)
    assert len(shipped) >= 60
    assert all(token["routes"] for token in shipped.values())
    assert program.settings.name


@pytest.mark.parametrize("chain", CHAINS)
def test_every_name_in_a_route_is_a_row_of_the_chain(chain: str) -> None:
    feeds, tokens = rows("feeds", chain), rows("tokens", chain)
    routes = [route for token in tokens.values() for route in token["routes"]]
    assert {route["feed"] for route in routes if route["kind"] == "chainlink"} == set(feeds)
    assert {route[key] for route in routes for key in ("in", "asset") if key in route} <= set(tokens)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("part", ["feeds", "tokens"])
def test_every_address_has_its_checksum_and_stands_once(chain: str, part: str) -> None:
    addresses = [row["address"] for row in rows(part, chain).values()]
    assert addresses == [checksum(Address(address.lower())) for address in addresses]
    assert len({*addresses}) == len(addresses)


@pytest.mark.parametrize("chain", CHAINS)
def test_feeds_promise_an_answer_between_a_minute_and_a_week(chain: str) -> None:
    for pair, feed in rows("feeds", chain).items():
        assert 60 <= feed["heartbeat_s"] <= 7 * 86_400, pair
        assert 1 <= feed["deviation_bps"] <= 500, pair
        assert feed["decimals"] in (8, 18), pair


@pytest.mark.parametrize("chain", CHAINS)
def test_the_coin_its_wrapped_token_and_the_main_dollars_are_priced(chain: str, tmp_path: Path) -> None:
    native = program_of(chain, tmp_path).settings.native
    tokens = rows("tokens", chain)
    by_address = {token["address"].lower(): token for token in tokens.values()}
    assert native.wrapped is not None
    assert tokens[native.symbol]["address"] == NATIVE
    assert by_address[NATIVE]["routes"] == by_address[native.wrapped]["routes"]
    assert by_address[NATIVE]["decimals"] == by_address[native.wrapped]["decimals"] == native.decimals
    assert all(tokens[symbol]["routes"] for symbol in DOLLARS[chain])


@pytest.mark.parametrize("chain", CHAINS)
def test_a_par_is_declared_only_where_there_is_no_other_route(chain: str) -> None:
    for symbol, token in rows("tokens", chain).items():
        kinds = [route["kind"] for route in token["routes"]]
        assert "fixed" not in kinds or kinds == ["fixed"], symbol


def test_ethereum_has_more_than_two_hundred_tokens() -> None:
    assert len(rows("tokens", "ethereum")) > 200


def test_the_files_are_what_the_tables_say(tables: Tables) -> None:
    assert {path.relative_to(price_catalog.CATALOG).as_posix() for path, _ in price_catalog.files(tables)} == {
        f"{part}/{chain}.toml" for part in ("feeds", "tokens") for chain in CHAINS
    }
    assert [path for path, text in price_catalog.files(tables) if path.read_text("utf-8") != text] == []


def test_every_fact_has_two_sources_or_says_that_it_has_one(tables: Tables) -> None:
    assert list(price_catalog.check(tables)) == []
    marked = (price_catalog.CATALOG / "tokens" / "arbitrum.toml").read_text("utf-8").count("one source only")
    alone = [token for token in tables.tokens if token.chain == "arbitrum" and len(token.sources) == 1]
    assert marked == len([token for token in alone if not token.address.lower().startswith(("0x0000", "0xbbbb"))])
    # beside the units of account, one source is enough only where it is the issuer's own
    issuers = ("bgd-labs/aave-address-book", "compound-finance/comet", "enzymefinance/sdk")
    units = ("0x0000000000000000000000000000000000000000", "0x" + "bb" * 20)
    lonely = [t for t in tables.tokens if len(t.sources) < 2 and t.address.lower() not in units]
    assert [token for token in lonely if not token.sources or token.sources[0].split()[0] not in issuers] == []


def test_what_is_wrong_with_a_row_is_told_by_its_name(tables: Tables) -> None:
    feed, token = tables.feeds[0], next(token for token in tables.tokens if token.symbol == "rETH")
    wrong = replace(
        tables,
        feeds=[*tables.feeds, replace(feed, pair="X/USD", address=feed.address.lower(), sources=("no/where a.sol",))],
        tokens=[*tables.tokens, replace(token, routes=(parse_route("chainlink:X/ETH in XYZ"),))],
    )
    problems = list(price_catalog.check(wrong))
    assert f"ethereum X/USD: wrong checksum: {feed.address} if the digits are right" in problems
    assert "ethereum X/USD: no/where is not in repositories.csv" in problems
    assert "ethereum rETH stands twice" in problems
    assert f"ethereum {token.address} stands twice" in problems
    assert "ethereum rETH: in 'XYZ' is no token of ethereum" in problems
    assert "ethereum rETH: 'X/ETH' is no feed of ethereum" in problems
    assert "ethereum X/USD: no token uses the feed" in problems


def test_a_fresh_copy_of_the_directory_shows_what_changed(tables: Tables) -> None:
    feeds = [feed for feed in tables.feeds if feed.chain == "base"]
    published: list[dict[str, Any]] = [
        {
            "proxyAddress": feed.address,
            "decimals": feed.decimals,
            "heartbeat": feed.heartbeat_s,
            "threshold": feed.deviation_bps / 100,
        }
        for feed in feeds
    ]
    assert price_catalog.compare(tables, "base", published) == []
    published[0]["heartbeat"] += 1
    gone = published.pop()
    assert price_catalog.compare(tables, "base", json.loads(json.dumps(published))) == [
        f"base {feeds[0].pair}: decimals, heartbeat, deviation are published as "
        f"{(feeds[0].decimals, feeds[0].heartbeat_s + 1, feeds[0].deviation_bps)}",
        f"base {feeds[-1].pair}: {gone['proxyAddress']} is no longer published",
    ]


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("chainlink:ETH/USD", {"kind": "chainlink", "feed": "ETH/USD"}),
        (
            "chainlink:wstETH-stETH Exchange Rate in stETH",
            {"kind": "chainlink", "feed": "wstETH-stETH Exchange Rate", "in": "stETH"},
        ),
        (
            "rate:getWeETHByeETH(uint256)(uint256) args 1000 decimals 18 in weETH",
            {"kind": "rate", "call": "getWeETHByeETH(uint256)(uint256)", "args": [1000], "decimals": 18, "in": "weETH"},
        ),
        ("wrapped:USDC call asset()(address)", {"kind": "wrapped", "in": "USDC", "call": "asset()(address)"}),
        (
            "erc4626:USDe growth_rate 1.06 growth_since 2024-05-23T11:00:47Z growth_yearly_bps 3000",
            {
                "kind": "erc4626",
                "asset": "USDe",
                "growth_rate": "1.06",
                "growth_since": "2024-05-23T11:00:47Z",
                "growth_yearly_bps": 3000,
            },
        ),
        ("curve_lp:0xabc coins 3", {"kind": "curve_lp", "pool": "0xabc", "coins": 3}),
    ],
)
def test_a_route_in_a_cell_is_a_route_of_the_catalog(text: str, route: dict[str, Any]) -> None:
    assert parse_route(text) == route


@pytest.mark.parametrize("text", ["", "chainlink", "chainlink:", "guess:ETH/USD", "curve_lp:0xabc coins many"])
def test_a_cell_that_is_no_route_is_refused(text: str) -> None:
    with pytest.raises(TableError):
        parse_route(text)


def test_the_largest_rates_have_declared_what_they_can_earn_so_that_a_jump_is_seen() -> None:
    tokens = catalog("tokens/ethereum")
    for symbol in ("wstETH", "sUSDe", "swETH", "rswETH", "3Crv"):
        assert tokens[symbol]["routes"][0].keys() >= {"growth_rate", "growth_since", "growth_yearly_bps"}, symbol
