"""`tvl show` and `tvl status` over a real store."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from indexer.cli.sheet import echo_holdings_csv
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import (
    CONFIG,
    GENESIS,
    block,
    fill,
    gap,
    row,
    snapshot,
    store_in,
    write_config,
)

ONE = "savings@ethereum"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`savings` on one chain, every ten minutes, and `both` on two, once an hour on one of them."""
    folder = tmp_path_factory.mktemp("original")
    write_config(folder)
    asyncio.run(_fill(folder))
    return folder


@pytest.fixture
def filled(folder: Path, original: Path) -> Path:
    """A copy of its own for each test."""
    shutil.copytree(original, folder, dirs_exist_ok=True)
    return folder


async def _fill(folder: Path) -> None:
    async with store_in(folder) as store:
        savings = [snapshot(ONE, block(n), n * 1_000_000) for n in range(1, 41)]
        savings[9], savings[19] = gap(ONE, block(10)), snapshot(ONE, block(20), None)
        await fill(store, "ethereum", [row("savings")], savings)
        both = [snapshot("both@ethereum", block(n), 2_000_000) for n in range(41, 54)]
        await fill(store, "ethereum", [row("both")], both)
        other = [snapshot("both@base", block(n, "base", 3600), 4_000_000) for n in range(7, 12)]
        await fill(store, "base", [row("both", "base")], other)


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_series_is_a_table_with_bounds_status_and_state(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "savings", "--from", "19", "--to", "21").stdout
    rows = lines(out)[2:]
    assert rows[0][:7] == ["19", "2026-01-01T03:10:00Z", "$23.75", "$23.56", "$23.94", "ok", "provisional"]
    assert rows[1][2] == "?"
    assert rows[1][5] == "held"
    assert "it reverts" in out


def test_a_gap_has_no_number(tvl: Tvl, filled: Path) -> None:
    told = lines(tvl("show", "savings", "--from", "10", "--to", "10").stdout)[2]
    assert told[2] == "?"
    assert told[5] == "gap"
    (point,) = json.loads(tvl("show", "savings", "--from", "10", "--to", "10", "--json").stdout)["series"][0]["points"]
    assert point["totals"] == {}


def test_a_held_bucket_is_null_in_json_and_empty_in_csv(tvl: Tvl, filled: Path) -> None:
    (point,) = json.loads(tvl("show", "savings", "--from", "20", "--to", "20", "--json").stdout)["series"][0]["points"]
    assert point["totals"]["base"] == {"usd": None, "low": None, "high": None, "holdings": 0, "left_out": 2}
    (told,) = csv.DictReader(io.StringIO(tvl("show", "savings", "--from", "20", "--to", "20", "--csv").stdout))
    assert (told["base_usd"], told["status"]) == ("", "held")


def test_json_is_exact(tvl: Tvl, filled: Path) -> None:
    document = json.loads(tvl("show", "savings", "--from", "7", "--to", "7", "--json").stdout)
    (point,) = document["series"][0]["points"]
    assert point["totals"]["base"]["usd"] == "8.75"
    assert point["blocks"][ONE]["number"] == 7
    assert point["blocks"][ONE]["hash"] == block(7).hash


def test_a_grid_keeps_the_first_point_of_each_step(tvl: Tvl, filled: Path) -> None:
    told = json.loads(tvl("show", "savings", "--every", "1h", "--to", "18", "--json").stdout)["series"][0]["points"]
    assert [point["blocks"][ONE]["number"] for point in told] == [1, 6, 12, 18]


@pytest.mark.parametrize(
    ("start", "numbers"),
    [("2026-01-01T06:20:00Z", [38, 39, 40]), ("-10m", [39, 40]), ("40", [40]), ("2027-01-01", [])],
)
def test_a_range_begins_where_it_is_asked_to(tvl: Tvl, filled: Path, start: str, numbers: list[int]) -> None:
    told = json.loads(tvl("show", "savings", "--from", start, "--json").stdout)["series"][0]["points"]
    assert [point["blocks"][ONE]["number"] for point in told] == numbers


def test_long_tables_are_cut_and_say_so(tvl: Tvl, filled: Path) -> None:
    short, whole = tvl("show", "savings").stdout, tvl("show", "savings", "--all").stdout
    assert "… 10 earlier points (--all)" in short
    assert len(short.splitlines()) == 34
    assert len(whole.splitlines()) == 43


def test_deployments_are_summed_where_all_have_a_point_and_the_rest_is_told(tvl: Tvl, filled: Path) -> None:
    result = tvl("show", "both", "--json")
    (series,) = json.loads(result.stdout)["series"]
    assert [(p["time"], p["totals"]["base"]["usd"]) for p in series["points"]] == [
        ("2026-01-01T07:00:00Z", "7.5"),
        ("2026-01-01T08:00:00Z", "7.5"),
    ]
    assert series["lacking"] == {"both@base": 1, "both@ethereum": 3}
    assert "both@ethereum has no point at 3" in tvl("show", "both").stderr


def test_each_deployment_can_be_shown_by_itself(tvl: Tvl, filled: Path) -> None:
    told = json.loads(tvl("show", "both", "--each", "--json").stdout)["series"]
    assert {series["name"]: len(series["points"]) for series in told} == {"both@base": 5, "both@ethereum": 13}


def test_blocks_of_several_chains_have_no_common_grid(tvl: Tvl, filled: Path) -> None:
    result = tvl("show", "both", "--every", "10")
    assert result.exit_code == 2
    assert "--every as a time" in result.stderr


def test_one_snapshot_shows_what_is_in_it_and_what_is_not(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "savings", "--at", "2026-01-01T01:15:00Z").stdout
    assert f"block 7  2026-01-01T01:10:00Z  {block(7).hash}" in out
    assert "$8.75" in out
    assert "Left out of the totals (1)" in out
    assert "no route to USD is configured" in out


def test_every_factor_can_be_followed(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "savings", "--at", "7", "--explain").stdout
    assert ": 7 x 1.25 = 8.75 USD" in out
    assert "price   1.25 USD  (1.24 to 1.26)  grade A" in out
    assert "answered 125000000 = 1.25, updated 2026-01-01T01:08:30Z (1m 30s before the block), round 17" in out


def test_a_snapshot_of_a_gap_says_why(tvl: Tvl, filled: Path) -> None:
    assert "nothing answers" in tvl("show", "savings", "--at", "10").stdout


def test_a_snapshot_in_json_has_every_digit(tvl: Tvl, filled: Path) -> None:
    (told,) = json.loads(tvl("show", "savings", "--at", "7", "--json").stdout)
    holding = told["holdings"][0]
    assert (holding["amount_raw"], holding["amount"], holding["usd"]) == ("7000000", "7", "8.75")
    assert told["quotes"][0]["steps"][0]["answer"] == "125000000"
    assert told["state"] == "provisional"


def test_nothing_before_the_first_block_is_an_error_with_a_hint(tvl: Tvl, filled: Path) -> None:
    result = tvl("show", "savings", "--at", "0")
    assert result.exit_code == 2
    assert "nothing of savings is stored at or before 0" in result.stderr


def test_an_unknown_protocol_is_told_which_there_are(tvl: Tvl, filled: Path) -> None:
    result = tvl("show", "svings")
    assert result.exit_code == 2
    assert "it has: both, savings" in result.stderr


@pytest.mark.parametrize("form", [(), ("--explain",), ("--json",), ("--csv",)])
def test_hostile_names_are_shown_clean_in_every_form(tvl: Tvl, filled: Path, form: tuple[str, ...]) -> None:
    out = tvl("show", "savings", "--at", "7", *form).stdout
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]" in out


def test_a_name_that_is_a_formula_is_text_in_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    echo_holdings_csv([snapshot(ONE, block(1), symbol="=cmd()")])
    told = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert told["symbol"] == "'=cmd()"
    assert told["usd"] == "1.875"


def test_status_tells_where_every_chain_and_deployment_stands(tvl: Tvl, filled: Path) -> None:
    document = json.loads(tvl("status", "--json").stdout)
    chains = {chain["chain"]: chain for chain in document["chains"]}
    assert chains["ethereum"]["head"]["number"] == 53
    assert chains["ethereum"]["requests"] == 3
    assert chains["ethereum"]["traffic"] == {"eth_call": 9, "eth_getBlockByNumber": 4}
    assert (chains["ethereum"]["audited"], chains["ethereum"]["corrected"]) == (0, 0)
    assert chains["base"]["lag_s"] == document["now"] - (GENESIS + 11 * 3600)
    savings = next(one for one in document["deployments"] if one["deployment"] == ONE)
    assert (savings["snapshots"], savings["gaps"], savings["held"], savings["block"]["number"]) == (40, 1, 1, 40)


def test_status_is_a_table_for_people(tvl: Tvl, filled: Path) -> None:
    out = tvl("status").stdout
    assert lines(out)[0] == ["chain", "head", "lag", "final", "requests", "calls", "audited", "corrected"]
    assert "ethereum was asked for eth_call 9x, eth_getBlockByNumber 4x" in out
    told = next(line for line in lines(out) if line[:1] == [ONE])
    assert told[1] == "40"
    assert told[-3:] == ["40", "1", "1"]


def test_status_of_an_empty_store_says_what_fills_it(tvl: Tvl, folder: Path) -> None:
    write_config(folder)
    result = tvl("status")
    assert result.exit_code == 0
    assert "tvl run" in result.stdout


def test_a_store_that_is_none_is_an_error_with_a_hint(tvl: Tvl, folder: Path) -> None:
    write_config(folder)
    (folder / "tvl.db").write_text("this is no database, but it is long enough to be taken for one" * 20)
    result = tvl("status")
    assert result.exit_code == 1
    assert "hint:" in result.stderr


def test_a_store_of_another_kind_is_a_mistake_in_the_configuration(tvl: Tvl, folder: Path) -> None:
    write_config(folder, CONFIG.replace("sqlite:///tvl.db", "mongodb://user:CANARY@host/CANARY"))
    result = tvl("status")
    assert result.exit_code == 2
    assert "CANARY" not in result.stderr + result.stdout
