"""The shipped deployments: every row is one that the program accepts, and what a search sees of it is what it says."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from indexer.adapters.registry import adapter, parse_params
from indexer.config.load import catalog
from indexer.config.protocols import Shipped, shipped
from indexer.config.schema import PRICED, Settings
from indexer.errors import clean

FOLDER = Path(__file__).parents[3] / "indexer" / "config" / "catalog" / "protocols"
FOUND_BY_LOGS = (
    *("uniswap_v3", "uniswap_v4", "balancer_v1", "balancer_v2", "balancer_v3"),
    *("morpho_blue", "pendle", "eigenlayer", "gmx_v2", "yearn_v3"),
)
FILES = sorted(FOLDER.glob("*.toml"))


def priced(chain: str) -> list[str]:
    chains = {"chains": {chain: catalog("chains")[chain]}, "tokens": {chain: catalog(f"tokens/{chain}")}}
    return list(Settings.model_validate(chains).priced(chain))


@pytest.mark.parametrize("kind", [file.stem for file in FILES])
def test_every_row_is_accepted_by_its_kind(kind: str) -> None:
    assert adapter(kind).kind == kind
    for row in (row for row in shipped() if row.kind == kind):
        settings = row.settings()
        params = dict(settings.params)
        if params.get("tokens") == PRICED:
            params["tokens"] = priced(row.chain)
        assert parse_params(settings.kind, params), row.key
        assert settings.key == row.key


def test_there_are_thousands_of_rows_and_each_has_a_key_of_its_own() -> None:
    keys = Counter(row.key for row in shipped())
    assert len(keys) > 6_000
    assert [key for key, times in keys.items() if times > 1] == []


def test_every_chain_of_a_row_is_in_the_catalog() -> None:
    assert {row.chain for row in shipped()} <= set(catalog("chains"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_search_sees_of_a_row_is_what_its_table_says(file: Path) -> None:
    tables = tomllib.loads(file.read_text("utf-8"))["protocols"]
    rows = [row for row in shipped() if row.kind == file.stem]
    assert {row.key: row.table() for row in rows} == {key_of(table): table for table in tables}
    for row in rows:
        table = row.table()
        seen = (row.name, row.chain, row.kind, row.category, row.label, row.first_block)
        assert seen == (*(table[k] for k in ("name", "chain", "kind", "category")), table.get("label", ""), block(row))


def key_of(table: dict[str, str]) -> str:
    return f"{table['name']}@{table['chain']}" + (f"#{table['label']}" if "label" in table else "")


def block(row: Shipped) -> int:
    return int(row.table().get("first_block", 0))


def test_what_is_found_by_logs_has_its_first_block() -> None:
    logs = [row for row in shipped() if _is_found_by_logs(row)]
    assert len(logs) > 700
    # Optimism's factory stood before its first block, in the state that the chain began with
    assert [row.key for row in logs if not row.first_block] == ["uniswap-v3@optimism"]


def _is_found_by_logs(row: Shipped) -> bool:
    table = row.table()
    if row.kind == "recipe":
        return any("event" in step for step in table["steps"])
    return row.kind in FOUND_BY_LOGS or "morpho_factories" in table


def test_names_of_strangers_are_short_and_plain() -> None:
    for row in shipped():
        assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", row.name)
        assert re.fullmatch(r"([a-z0-9][a-z0-9_.-]{0,63})?", row.label)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)?", row.category)
    for file in FILES:
        assert [
            line for line in file.read_text("utf-8").splitlines() if line != clean(line, 512) and line.strip() == line
        ] == []


def test_no_contracts_are_read_twice_under_two_names() -> None:
    bodies = Counter(body(row) for row in shipped())
    assert [text for text, times in bodies.items() if times > 1] == []


def body(row: Shipped) -> str:
    return f"{row.chain} {row.kind} {sorted(row.settings().params.items())}"


@pytest.mark.parametrize(
    ("chain", "facts"),
    [
        ("gnosis", (100, "XDAI")),
        ("zksync", (324, "ETH")),
        ("hyperevm", (999, "HYPE")),
        ("sonic", (146, "S")),
        ("arbitrum-nova", (42170, "ETH")),
    ],
)
def test_a_chain_is_named_as_people_know_it(chain: str, facts: tuple[int, str]) -> None:
    row = Settings.model_validate({"chains": {chain: catalog("chains")[chain]}}).chains[chain]
    assert (row.chain_id, row.native.symbol) == facts


def test_every_chain_has_an_id_of_its_own_and_facts_that_the_program_accepts() -> None:
    settings = Settings.model_validate({"chains": catalog("chains")})
    ids = Counter(chain.chain_id for chain in settings.chains.values())
    assert len(ids) > 140
    assert [number for number, times in ids.items() if times > 1] == []
