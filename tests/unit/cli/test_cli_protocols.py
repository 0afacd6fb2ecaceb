"""`tvl protocols`: the shipped catalog listed and searched, without a configuration, and marked with one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from indexer.cli.table import FIRST_ROWS
from indexer.config.protocols import shipped
from tests.unit.cli.conftest import Tvl

SELECTING = """\
[chains.base]
endpoints = ["http://127.0.0.1:1"]
[select]
protocols = ["aave-v3"]
"""


def test_it_lists_the_catalog_without_a_configuration_and_says_how_much_is_left(tvl: Tvl) -> None:
    result = tvl("protocols")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == FIRST_ROWS + 2
    names = {row.name for row in shipped()}
    assert lines[-1] == f"… and {len(names) - FIRST_ROWS} more (--all), {len(shipped())} deployments in all"
    assert len(tvl("protocols", "--all").stdout.splitlines()) == len(names) + 1


def test_a_part_of_a_name_finds_protocols_and_a_filter_fewer(tvl: Tvl) -> None:
    found = tvl("protocols", "sushi", "--all").stdout
    assert "sushiswap" in found
    fewer = tvl("protocols", "sushi", "--kind", "uniswap_v3").stdout
    assert "sushiswap-v3" in fewer
    assert len(fewer.splitlines()) < len(found.splitlines())


def test_a_whole_name_shows_its_deployments_and_what_else_is_named_so(tvl: Tvl, folder: Path) -> None:
    (folder / "config.toml").write_text(SELECTING)
    lines = tvl("protocols", "aave-v3").stdout.splitlines()
    (base,) = [line for line in lines if line.startswith("aave-v3@base ")]
    (polygon,) = [line for line in lines if line.startswith("aave-v3@polygon ")]
    assert " yes " in base
    assert " yes " not in polygon
    assert "data_provider: 0x" in base
    assert any(line.startswith("See also: ") for line in tvl("protocols", "aave").stdout.splitlines())


def test_one_deployment_is_shown_as_it_would_stand_in_a_configuration(tvl: Tvl) -> None:
    text = tvl("protocols", "aave-v3@base").stdout
    assert text.startswith("# aave-v3@base of the catalog, not read by this configuration\n")
    (row,) = [row for row in shipped() if row.key == "aave-v3@base"]
    assert tomllib.loads(text.partition("\nSee also")[0])["protocols"] == [row.table()]


def test_json_has_a_deployment_each_with_its_parameters(tvl: Tvl, folder: Path) -> None:
    (folder / "config.toml").write_text(SELECTING)
    told = json.loads(tvl("protocols", "aave-v3", "--chain", "base", "--json").stdout)
    assert [(one["deployment"], one["kind"], one["category"], one["read_here"]) for one in told] == [
        ("aave-v3@base", "aave_v3", "lending", True)
    ]
    assert set(told[0]["parameters"]) == {"data_provider"}


def test_nothing_found_is_said_kindly_and_is_no_error(tvl: Tvl) -> None:
    result = tvl("protocols", "aaave-v3")
    assert result.exit_code == 0
    assert "No protocol of the catalog has 'aaave-v3' in its name." in result.stdout
    assert "did you mean 'aave-v3'" in result.stdout
    assert json.loads(tvl("protocols", "aaave-v3", "--json").stdout) == []


def test_a_wrong_filter_is_answered_with_the_right_one(tvl: Tvl) -> None:
    assert "no chain of the catalog is 'bse'; did you mean 'base'" in tvl("protocols", "--chain", "bse").stdout
    assert "no category of the catalog is 'dexes'; did you mean 'dex'" in tvl("protocols", "--category", "dexes").stdout
    assert "has 'aave-v3' in its name and chain" in tvl("protocols", "aave-v3", "--chain", "telos").stdout


def test_a_broken_configuration_does_not_hide_the_catalog(tvl: Tvl, folder: Path) -> None:
    (folder / "config.toml").write_text("[chains.base\n")
    assert "aave-v3@base" in tvl("protocols", "aave-v3").stdout


def test_a_hostile_search_does_not_reach_the_terminal(tvl: Tvl) -> None:
    assert "\x1b" not in tvl("protocols", "\x1b[2Jx").stdout
