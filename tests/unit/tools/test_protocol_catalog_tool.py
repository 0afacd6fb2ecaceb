"""From recorded rows to the shipped catalog: what is carried over, what is left out and why, and twice the same."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from indexer.adapters.registry import parse_params
from tools import protocol_catalog
from tools.protocol_catalog import Result, build, files
from tools.protocol_coverage import PAGE, page, report
from tools.protocol_kinds import readings
from tools.protocol_rows import SOURCE, LeftOut, Row, read_rows
from tools.protocol_text import toml_of

A, B, C, D = ("0x" + digit * 40 for digit in "abcd")
GAS = "0x" + "e" * 40
NATIVE = "0x" + "0" * 40


def row(kind: str, params: dict[str, Any], bucket: str = "tvl", slug: str = "some", **more: Any) -> Row:
    return Row(slug, "ethereum", 1, kind, bucket, params, "projects/some/index.js", **more)


def reading(kind: str, params: dict[str, Any], bucket: str = "tvl", slug: str = "some") -> tuple[str, dict[str, Any]]:
    (one,) = readings(row(kind, params, bucket, slug))
    return one.kind, dict(one.params)


def catalog_of(folder: Path, *rows: dict[str, Any], by_hand: str = "") -> Result:
    """The catalog of a registry of these rows."""
    usual = {"slug": "some", "chain": "ethereum", "chain_id": 1, "bucket": "tvl", "source": "projects/some/index.js"}
    lines = "".join(json.dumps({**usual, **one}) + "\n" for one in rows)
    (folder / "protocols.jsonl.xz").write_bytes(lzma.compress(lines.encode()))
    (folder / "categories.csv").write_text("name,category,source\nknown,bridge,somebody\n")
    (folder / "protocols.toml").write_text(by_hand)
    return build(folder)


def keys(result: Result) -> list[str]:
    return ["@".join(entry.key[:2]) + (f"#{entry.label}" if entry.label else "") for entry in result.entries]


@pytest.fixture(scope="module")
def real() -> Result:
    return build()


# The shipped files


def test_the_files_are_what_the_tables_say(real: Result) -> None:
    stale = [path.name for path, text in files(real) if not path.is_file() or path.read_text("utf-8") != text]
    assert stale == [], "stale: run `python -m tools.protocol_catalog`"
    assert {path.name for path, _ in files(real)} == {
        path.name for path in (protocol_catalog.CATALOG / "protocols").iterdir()
    }


def test_the_page_of_coverage_is_true(real: Result) -> None:
    assert PAGE.read_text("utf-8") == page(real), "stale: run `python -m tools.protocol_catalog`"


def test_the_same_tables_make_the_same_files(real: Result) -> None:
    assert list(files(build())) == list(files(real))


def test_every_live_row_is_either_read_or_left_out_with_a_reason(real: Result) -> None:
    read = {i for entry in real.entries for i in entry.rows}
    assert read.isdisjoint(real.left)
    assert read | set(real.left) == set(range(len(real.rows)))
    assert all(real.left.values())
    told = [line for line in report(real).splitlines() if not line.startswith("by hand")]
    assert sum(int(line.split()[0]) for line in told) == len(real.left)


def test_the_registry_has_the_rows_that_it_is_said_to_have() -> None:
    rows = list(read_rows())
    assert (len(rows), len({row.slug for row in rows})) == (11_822, 4_834)
    assert SOURCE.stat().st_size < 1 << 20


# One row


def test_owners_and_tokens_become_balances_and_the_gas_token_the_zero_address() -> None:
    params = {"owners": [A, B, A], "tokens": [GAS, C, D], "blacklisted_tokens": [D]}
    assert reading("sum_tokens", params) == ("token_balances", {"owners": [A, B], "tokens": [NATIVE, C]})


def test_tokens_and_owners_become_pairs_of_owner_and_token() -> None:
    kind, params = reading("sum_tokens", {"tokens_and_owners": [[C, A], [D, B], [C, A]]}, "staking")
    assert (kind, params) == ("token_balances", {"pairs": [[A, C], [B, D]], "bucket": "staking"})


def test_a_treasury_counts_its_own_tokens_apart() -> None:
    params = {"owners": [A], "tokens": [B, C], "own_tokens": [C], "own_token_owners": [D]}
    held = reading("treasury", params, slug="treasury/some")[1]
    own = reading("treasury", params, "ownTokens", slug="treasury/some")[1]
    assert held == {"owners": [A], "tokens": [B], "bucket": "treasury"}
    assert own == {"owners": [A, D], "tokens": [C], "bucket": "own"}


def test_owners_whose_tokens_a_web_service_names_are_asked_for_what_is_priced() -> None:
    held = reading("treasury", {"owners": [A], "own_tokens": [C]})[1]
    assert held == {"owners": [A], "tokens": "priced", "exclude": [C], "bucket": "treasury"}


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("uniswap_v2", {"factory": A, "fetch_balances": True}, ("uniswap_v2", {"factory": A, "amounts": "balances"})),
        (
            "uniswap_v2_stable",
            {"factory": A, "abis": {"allPairsLength": "uint256:allPoolsLength"}, "blacklisted_tokens": [B]},
            ("uniswap_v2", {"factory": A, "listing": "pools", "exclude": [B]}),
        ),
        ("algebra", {"factory": A}, ("uniswap_v3", {"factory": A, "events": "algebra"})),
        ("erc4626", {"vaults": [A], "token_fn": "asset", "amount_fn": "totalAssets"}, ("erc4626", {"vaults": [A]})),
        ("aave_v2_registry", {"data_helpers": [A], "v3": True}, ("aave_v3", {"data_provider": A})),
        ("aave_v2_registry", {"addresses_provider_registry": A}, ("aave_v2", {"registry": A})),
        ("compound_v2", {"comptroller": A, "cether": [B]}, ("compound_v2", {"comptroller": A, "native": [B]})),
        (
            "vault_token_balance",
            {"vaults": [A], "token_fn": "address:want", "amount_fn": "balance"},
            ("getter_vaults", {"vaults": [A], "asset": "want()(address)", "total": "balance()(uint256)"}),
        ),
        ("masterchef", {"masterchef": A, "native_tokens": [B]}, ("masterchef", {"chef": A, "own": [B]})),
        (
            "masterchef_vaults",
            {
                "masterchef": A,
                "abis": {"poolInfo": "function p(uint256) view returns (address lpToken, address strategy)"},
            },
            (
                "masterchef_vaults",
                {"chef": A, "pool_info": "function p(uint256) view returns (address want, address strat)"},
            ),
        ),
        (
            "scalar_call",
            {"targets": [A, B], "counted_as": [C], "sig": "total() returns (uint256)"},
            (
                "getter_amounts",
                {"amounts": [{"contract": A, "token": C}, {"contract": B, "token": C}], "call": "total()(uint256)"},
            ),
        ),
        ("token_supply", {"tokens": [A], "counted_as": "self"}, ("token_supply", {"tokens": [A]})),
        (
            "token_supply",
            {"tokens": [A], "counted_as": [B]},
            ("token_supply_as", {"tokens": [{"supply_of": A, "token": B}]}),
        ),
        ("curator", {"morpho_vaults": [A], "erc4626_vaults": [B, A]}, ("erc4626", {"vaults": [A, B]})),
    ],
)
def test_a_kind_of_the_registry_is_one_of_ours(kind: str, params: dict[str, Any], expected: object) -> None:
    assert reading(kind, params) == expected


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (row("sum_tokens", {"owners": [A], "tokens": [A[:-1]]}), "malformed address"),
        (row("sum_tokens", {"owners": ["0x" + "g" * 40], "tokens": [B]}), "malformed address"),
        (row("sum_tokens", {"owners": [A], "tokens": [{"x": 1}]}), "malformed address"),
        (row("sum_tokens", {"owners": [A], "tokens": []}), "not in the registry"),
        (row("sum_tokens", {"owners": [A], "tokens": [B], "options": ["resolve_univ3_nft"]}), "NFTs"),
        (row("sum_tokens", {"owners": [A], "tokens": [B]}, code=True), "code, which the registry does not hold"),
        (row("gmx_v1", {"vault": A}, "staking"), "counts base"),
        (row("masterchef", {"masterchef": A, "pool_info_abi": "function f(uint256) returns (uint256 x)"}), "its own"),
        (row("masterchef_vaults", {"masterchef": A, "abis": {"want": "address:want"}}), "functions of its own"),
        (
            row("scalar_call", {"targets": [A, B, C], "counted_as": [A, B], "sig": "x() returns (uint256)"}),
            "which token",
        ),
        (row("curator", {"silo_vault_owners": [A]}), "vaults of other makers"),
        (row("uniswap_v2", {"factory": A, "abis": {"allPairs": "function pools(uint256)"}}), "functions of its own"),
        (row("something_new", {}), "no kind reads it"),
    ],
)
def test_a_row_that_cannot_be_read_as_it_was_meant_is_left_out_with_the_reason(one: Row, reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        readings(one)


def test_a_fork_of_compound_with_other_names_is_a_recipe_of_the_same_steps() -> None:
    abis = {"getAllMarkets": "address[]:allMarkets", "totalBorrows": "uint256:totalBorrow"}
    kind, params = reading("compound_v2", {"comptroller": A, "abis": abis}, "borrowed")
    assert kind == "recipe"
    assert [step.get("list") or step.get("get") for step in params["steps"]] == [
        "allMarkets()(address[])",
        "underlying()(address)",
        "totalBorrow()(uint256)",
    ]
    assert [holding.get("bucket") for holding in params["holdings"]] == [None, "borrowed"]
    assert parse_params(kind, params)


def test_a_curators_vaults_are_those_of_the_factories_on_the_chain() -> None:
    (one,) = readings(row("curator", {"morpho_vault_owners": [A], "euler_vault_owners": [B]}))
    assert (one.kind, one.first_block) == ("curator", 18925584)
    assert (one.params["morpho_owners"], one.params["morpho_v2_owners"], one.params["euler_owners"]) == ([A], [A], [B])
    assert len(one.params["morpho_factories"]) == 2


def test_a_function_that_can_only_pick_the_one_address_is_no_unknown_code() -> None:
    params = {"masterchef": A, "pool_info_abi": "function poolInfo(uint256) view returns (address)"}
    (one,) = readings(row("masterchef", params, code=True))
    assert one.params == {"chef": A, "pool_info": params["pool_info_abi"]}
    with pytest.raises(LeftOut, match="code"):
        readings(
            row(
                "masterchef",
                params | {"pool_info_abi": "function p(uint256) returns (address a, address b)"},
                code=True,
            )
        )


# Rows together


def test_a_row_of_a_market_for_base_and_one_for_what_is_borrowed_are_one_deployment(tmp_path: Path) -> None:
    market = {"kind": "aave_v3", "params": {"pool_data_providers": [A]}}
    result = catalog_of(tmp_path, market, {**market, "bucket": "borrowed"})
    assert keys(result) == ["some@ethereum"]
    assert result.entries[0].rows == (0, 1)


def test_a_number_of_which_a_part_cannot_be_read_is_left_out_whole(tmp_path: Path) -> None:
    part = {"kind": "sum_tokens", "params": {"owners": [A], "tokens": [B]}}
    result = catalog_of(tmp_path, part, {"kind": "something_new", "params": {}}, {**part, "bucket": "staking"})
    assert keys(result) == ["some@ethereum#staking"]
    assert "another part of the same number" in result.left[0]


def test_deployments_of_a_protocol_are_told_apart_and_a_later_kind_renames_none(tmp_path: Path) -> None:
    rows = [
        {"kind": "sum_tokens", "params": {"owners": [A], "tokens": [B]}},
        {"kind": "uniswap_v2", "params": {"factory": A}},
        {"kind": "something_new", "params": {}, "bucket": "staking"},
        {"kind": "sum_tokens", "params": {"owners": [A], "tokens": [B]}, "bucket": "pool2"},
        {"kind": "sum_tokens", "params": {"owners": [A], "tokens": [C]}, "bucket": "pool2"},
    ]
    names = ["#pool2-1", "#pool2-2", "#sum-tokens", "#uniswap-v2"]
    assert keys(catalog_of(tmp_path, *rows)) == [f"some@ethereum{name}" for name in names]


def test_contracts_under_two_names_are_read_once(tmp_path: Path) -> None:
    part = {"kind": "uniswap_v2", "params": {"factory": A}}
    result = catalog_of(tmp_path, {**part, "slug": "treasury/a"}, {**part, "slug": "zed"}, {**part, "slug": "known"})
    assert keys(result) == ["known@ethereum"]
    assert result.entries[0].also == ("zed",)
    assert result.entries[0].category == "bridge"


def test_a_row_by_hand_comes_in_with_its_source_and_waits_for_its_kind(tmp_path: Path) -> None:
    row = """[[protocols]]
source = "somewhere public"
name = "{}"
chain = "ethereum"
kind = "{}"
category = "savings"
vaults = ["{}"]
"""
    result = catalog_of(tmp_path, by_hand=row.format("a", "erc4626", A) + row.format("b", "something_new", B))
    assert keys(result) == ["a@ethereum"]
    assert toml_of(result.entries[0]).startswith("# somewhere public\n[[protocols]]\n")
    assert report(result) == "by hand, waiting: b@ethereum: the program has no kind `something_new` yet"


@pytest.mark.parametrize(
    "more",
    [{"partial": True}, {"dead": True}, {"chain": "tron", "chain_id": 728126428}],
    ids=["partial", "dead", "tron"],
)
def test_what_is_not_whole_alive_and_of_the_evm_is_not_measured(tmp_path: Path, more: dict[str, Any]) -> None:
    result = catalog_of(tmp_path, {"kind": "sum_tokens", "params": {"owners": [A], "tokens": [B]}, **more})
    assert (result.rows, result.entries, result.left) == ([], [], {})


def test_a_row_on_an_unknown_chain_stays_in_the_report(tmp_path: Path) -> None:
    result = catalog_of(tmp_path, {"kind": "uniswap_v2", "params": {"factory": A}, "chain_id": 999_999_999})
    assert report(result) == "    1 uniswap_v2: the chain is not in the catalog"
    assert "| chains that are not in the catalog | 1 | 0 | 0.0 % |" in page(result)


def test_names_of_strangers_come_out_plain_and_short(tmp_path: Path) -> None:
    hostile = 'X"]\n[[protocols]]\u202e\x1b[2J' + "y" * 99
    source = 'projects/\n[select]\nchains = ["ethereum"]'
    params = {"owners": [A], "tokens": [B]}
    result = catalog_of(tmp_path, {"slug": hostile, "kind": "sum_tokens", "params": params, "source": source})
    text = toml_of(result.entries[0])
    assert result.entries[0].name == ("x-protocols-2j" + "y" * 99)[:64]
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[[protocols]]"]
    assert text.isascii()


def test_a_registry_of_nothing_is_an_empty_catalog(tmp_path: Path) -> None:
    result = catalog_of(tmp_path)
    assert list(files(result)) == []
    assert "**0 of 0 rows (-) are covered**" in page(result)
