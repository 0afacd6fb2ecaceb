"""`tvl flows`, `tvl share`, `tvl show --explain --from` and bars, over a real store."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from indexer.model import Bucket, Snapshot
from indexer.store.base import Commit, Covered
from indexer.valuation.value import judge, totals, value
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import CONFIG, DOLLAR, OWNER, USDX, block, fill, gap, row, snapshot, store_in, write_config

SAVINGS, RIVAL = "savings@ethereum", "rival@ethereum"
USD = 1_000_000
PLACE = (USDX, OWNER, Bucket.BASE)


def worth(number: int, dollars: int, cents: int = 100, deployment: str = SAVINGS) -> Snapshot:
    """So many dollar tokens at so many cents; a block is ten minutes."""
    one = snapshot(deployment, block(number), dollars * USD)
    price = DOLLAR * cents // 100
    quotes = {USDX: replace(one.quotes[USDX], price=price, low=price, high=price)}
    lines = value([line.holding for line in one.lines], quotes, one.tokens)
    return replace(one, lines=lines, quotes=quotes, totals=totals(lines), status=judge(lines)[0])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days: `savings` 100 to 300 tokens and their price from 1 to 2 dollars; `rival` 100 dollars throughout."""
    folder = tmp_path_factory.mktemp("original")
    write_config(folder)
    asyncio.run(_fill(folder))
    return folder


@pytest.fixture
def filled(folder: Path, original: Path) -> Path:
    shutil.copytree(original, folder, dirs_exist_ok=True)
    return folder


async def _fill(folder: Path) -> None:
    """144 blocks are a day. `late` has nothing before block 300."""
    savings = [worth(1, 100), worth(72, 300), gap(SAVINGS, block(80)), worth(144, 300, 200), worth(216, 250, 200)]
    rival = [worth(n, 100, 100, RIVAL) for n in (1, 144, 216)]
    async with store_in(folder) as store:
        await fill(store, "ethereum", [row("savings"), row("rival")], [*savings, *rival])
        await fill(store, "base", [row("late", "base")], [worth(300, 7, 100, "late@base")])
        flows = [(block(216), {PLACE: (1000 * USD, 1050 * USD)})]
        covered = [Covered(145, 216, frozenset([PLACE]))]
        await store.commit(Commit("ethereum", flows={SAVINGS: flows}, covered={SAVINGS: covered}))


def answer(tvl: Tvl, *arguments: str) -> Any:
    result = tvl(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_parts_of_a_change_are_exact_in_json(tvl: Tvl, filled: Path) -> None:
    told = answer(tvl, "show", "savings", "--explain", "--from", "1", "--to", "216")
    base = told["buckets"]["base"]
    assert (base["opening"], base["closing"], base["change"]) == ("100", "500", "400")
    assert {name: usd for name, usd in base["parts"].items() if usd != "0"} == {"flow": "100", "price": "300"}
    assert sum(map(Decimal, base["parts"].values())) == Decimal(base["change"])
    (deployment,) = told["deployments"]
    assert (deployment["opened"]["number"], deployment["closed"]["number"], deployment["gaps"]) == (1, 216, 1)
    usdx = next(token for token in deployment["tokens"] if token["symbol"] == "USDX")
    assert (usdx["opening_raw"], usdx["closing_raw"]) == ("100000000", "250000000")
    assert usdx["basis"] == "logs and end points"


def test_the_parts_of_a_change_are_a_table_for_people(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "savings", "--explain", "--from", "1").stdout
    assert "savings@ethereum: block 1 (2026-01-01T00:10:00Z) to block 216 (2026-01-02T12:00:00Z)" in out
    titles, usdx = [line.split() for line in out.splitlines() if line.startswith(("token", "USDX"))]
    assert titles == ["token", "units", "opening", "flow", "price", "closing", "known", "from"]
    assert usdx[1:6] == ["150", "$100.00", "+$100.00", "+$300.00", "$500.00"]
    assert "\x1b[2J" not in out


def test_before_the_first_point_there_was_nothing_and_what_was_there_is_scope(tvl: Tvl, filled: Path) -> None:
    told = answer(tvl, "show", "savings", "--explain", "--from", "0", "--to", "72")
    assert told["deployments"][0]["opened"] is None
    parts = told["buckets"]["base"]["parts"]
    assert (parts["scope"], parts["flow"]) == ("100", "200")


def test_flows_are_gross_where_logs_are_and_net_of_both_ends_elsewhere(tvl: Tvl, filled: Path) -> None:
    told = answer(tvl, "flows", "savings", "--every", "1d")
    first, second = told["intervals"]
    assert [one["time"] for one in (first, second)] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert (first["opening"], first["gross_in"], first["gross_out"], first["closing"]) == ("100", "200", "0", "600")
    assert (second["opening"], second["gross_in"], second["gross_out"]) == ("600", "2000", "2100")
    assert second["parts"]["flow"] == "-100"
    assert (first["basis"], second["basis"]) == (["end points"], ["logs"])
    assert second["organic_growth"] == "-0.166666666666666667"
    assert told["whole"]["parts"]["flow"] == "100"
    assert (told["whole"]["opening"], told["whole"]["closing"]) == ("100", "500")


def test_the_measures_of_a_span(tvl: Tvl, filled: Path) -> None:
    """100 for 71 blocks, 300 for 8, unknown from the gap at 80 to 144, then 600 for 72."""
    measures = answer(tvl, "flows", "savings")["measures"]
    mean = Decimal(100 * 71 + 300 * 8 + 600 * 72) / Decimal(71 + 8 + 72)
    assert abs(Decimal(measures["time_weighted_mean"]) - mean) < Decimal("1e-15")
    assert measures["at_opening_prices"] == {"usd": "250", "left_out": 1}
    assert measures["drawdown"]["peak"] == "600"
    assert measures["drawdown"]["now"] == "0.166666666666666667"
    assert measures["changes"]["1d"] == {"usd": "200", "relative": "0.666666666666666667"}
    assert measures["changes"]["7d"] is None


def test_flows_of_a_chain_are_the_sum_of_its_deployments(tvl: Tvl, filled: Path) -> None:
    told = answer(tvl, "flows", "--chain", "ethereum", "--every", "1d")
    assert [(one["opening"], one["closing"]) for one in told["intervals"]] == [("200", "700"), ("700", "600")]
    assert [(one["protocol"], one["closing"]) for one in told["protocols"]] == [("savings", "500"), ("rival", "100")]
    bar = told["intervals"][1]["bar"]
    assert (bar["open"], bar["close"], bar["mean"]) == ("700", "600", "700")


def test_flows_are_a_table_for_people(tvl: Tvl, filled: Path) -> None:
    out = tvl("flows", "--chain", "ethereum", "--every", "1d").stdout
    rows = [line.split() for line in out.splitlines()]
    assert rows[2][:6] == ["2026-01-01T00:00:00Z", "$200.00", "$200.00", "$0.00", "+$200.00", "+100.00"]
    assert "organic growth      +50.00 %" in out


def test_shares_of_a_chain_and_what_flows_alone_made_of_them(tvl: Tvl, filled: Path) -> None:
    """savings: 100 of 200, now 500 of 600 by price; its flows of 100 make it 200 of 300."""
    told = answer(tvl, "share", "--chain", "ethereum", "--from", "1", "--token", USDX)
    first = told["protocols"][0]
    assert (first["protocol"], first["usd"]) == ("savings", "500")
    assert (first["since"], first["by_flows"]) == ("0.5", "0.666666666666666667")
    assert first["share"] == "0.833333333333333333"
    assert first["tokens"] == "1"
    assert told["hhi"] == "0.722222222222222222"
    assert "HHI 0.7222" in tvl("share", "--chain", "ethereum").stdout


def test_the_part_in_stablecoins_is_that_of_tokens_that_are_pegged(tvl: Tvl, filled: Path) -> None:
    assert {one["stable"] for one in answer(tvl, "share", "--chain", "ethereum")["protocols"]} == {"0"}
    pegged = f'[tokens.ethereum.USDX]\naddress = "{USDX}"\npegged = "USD"\n'
    write_config(filled, CONFIG + pegged)
    assert {one["stable"] for one in answer(tvl, "share", "--chain", "ethereum")["protocols"]} == {"1"}


def test_shares_by_flows_need_everything_to_be_stored_at_the_beginning(tvl: Tvl, filled: Path) -> None:
    result = tvl("share", "--chain", "ethereum", "--from", "0", "--json")
    assert [one["by_flows"] for one in json.loads(result.stdout)["protocols"]] == [None, None]
    assert "was not stored at 0" in result.stderr


def test_who_is_not_in_a_sum_or_with_an_old_value_is_told(tvl: Tvl, filled: Path) -> None:
    assert "late@base has nothing stored then and is left out" in tvl("flows", "--to", "2026-01-02T12:00").stderr
    assert tvl("flows", "--chain", "ethereum").stderr == ""
    assert "rival@ethereum has nothing newer" not in tvl("flows").stderr, "half a day is not old"


def test_one_row_of_a_whole_span_begins_with_it(tvl: Tvl, filled: Path) -> None:
    (only,) = answer(tvl, "flows", "savings", "--from", "72")["intervals"]
    assert only["time"] == "2026-01-01T12:00:00Z"


def test_bars_show_what_held_how_long(tvl: Tvl, filled: Path) -> None:
    (series,) = answer(tvl, "show", "savings", "--every", "1d")["series"]
    first, second = series["bars"]
    assert (first["open"], first["high"], first["low"], first["close"]) == ("100", "300", "100", "300")
    assert first["unknown_s"] == (144 - 80) * 600
    assert (second["open"], second["close"], second["mean"]) == ("600", "500", "600")
    assert first["median_24h"] == "100"
    out = tvl("show", "savings", "--every", "1d").stdout
    assert "24h median" in out
    assert "10h 40m" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flows", "nobody"), "it has: late, rival, savings"),
        (("flows", "--category", "dex"), "ethereum/yield"),
        (("flows", "savings", "--to", "0"), "nothing of savings@ethereum is stored at or before 0"),
        (("share", "--token", "0x12"), "not an address"),
        (("share", "--at", "1999-01-01"), "nothing is stored of 1999-01-01"),
        (("flows", "savings", "--from", "9", "--to", "5"), "lies after"),
        (("show", "savings", "--explain", "--every", "1d"), "exclude --every"),
    ],
)
def test_mistakes_are_told_with_what_there_is(tvl: Tvl, filled: Path, arguments: tuple[str, ...], said: str) -> None:
    result = tvl(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
