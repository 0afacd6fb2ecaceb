"""`tvl quality`, and the headline in `tvl show`, over a real store: quiet, then a leap that nothing explains."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from indexer.model import Address, Bucket
from indexer.store.base import Commit, Covered, DeploymentRow
from tests.unit.cli.conftest import Tvl
from tests.unit.cli.filled import CONFIG, block, gap, store_in, write_config
from tests.unit.valuation.stocks import ONE, Held, address, snapshot

KEY = "vault@ethereum"
PLACE = (address("dai"), address("o"), Bucket.BASE)


def held(number: int) -> list[Held]:
    return [("dai", 100 if number < 8 else 1000), ("eth", 50)]


@pytest.fixture
def filled(folder: Path) -> Path:
    """Ten minutes apart: quiet up to block 7, ten times the DAI from block 8 on."""
    write_config(folder)
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    async with store_in(folder) as store:
        await store.register([DeploymentRow(KEY, "vault", "ethereum", "token_balances", "yield", "{}", 0)])
        for number in range(1, 11):
            one = snapshot(KEY, held(number), {}, block(number)) if number != 5 else gap(KEY, block(5))
            await store.commit(Commit("ethereum", [one], heads=[block(number)]))


async def _tell(folder: Path) -> None:
    """The transfer logs, after the fact."""
    async with store_in(folder) as store:
        came = block(8), {PLACE: (900 * ONE, 0)}
        covered = Covered(1, 10, frozenset({PLACE}))
        await store.commit(Commit("ethereum", flows={KEY: [came]}, covered={KEY: [covered]}))


def told(tvl: Tvl, *args: str) -> list[dict[str, Any]]:
    return list(json.loads(tvl("quality", *args, "--json").stdout))


def test_every_deployment_has_its_verdict_and_its_headline(tvl: Tvl, filled: Path) -> None:
    (one,) = told(tvl)
    assert (one["status"], one["headline"]["usd"], one["headline"]["median_24h_usd"]) == ("suspect", "50", "150")
    assert one["headline"]["left_out"][0]["usd"] == "1000"
    out = tvl("quality").stdout
    assert "suspect" in out
    assert "no complete transfer logs are stored" in out


def test_logs_that_come_later_clear_the_verdict(tvl: Tvl, filled: Path) -> None:
    asyncio.run(_tell(filled))
    (one,) = told(tvl, "vault")
    assert (one["status"], one["headline"]["usd"]) == ("ok", "1050")
    (before,) = told(tvl, "vault", "--at", "8")
    assert [(f["rule"], f["status"]) for f in before["findings"]] == [("jump", "ok")]


def test_over_time_each_snapshot_has_its_own_verdict(tvl: Tvl, filled: Path) -> None:
    statuses = [one["status"] for one in told(tvl, "vault", "--from", "1")]
    assert statuses == ["ok"] * 4 + ["gap"] + ["ok"] * 2 + ["suspect"] * 3
    assert len(told(tvl, "vault", "--from", "1", "--every", "1h")) == 2


def test_show_tells_the_headline_beside_the_snapshot(tvl: Tvl, filled: Path) -> None:
    out = tvl("show", "vault", "--at", "latest").stdout
    assert "Headline" in out
    assert "$50.00  suspect  median of 24 h $150.00" in out
    assert "without $1,000.00 of dai: jump: " in out
    (document,) = json.loads(tvl("show", "vault", "--at", "latest", "--json").stdout)
    assert document["verdict"]["headline"]["usd"] == "50"
    assert document["totals"]["base"]["usd"] == "1050"


def test_a_series_ends_with_the_headline_of_now(tvl: Tvl, filled: Path) -> None:
    last = tvl("show", "vault").stdout.splitlines()[-1]
    assert last.startswith(
        "headline of vault@ethereum at block 10: $50.00, median of 24 h $150.00, without $1,000.00: jump"
    )
    assert "headline" not in tvl("show", "vault", "--to", "9").stdout


def test_a_page_has_each_finding(tvl: Tvl, filled: Path) -> None:
    out = tvl("quality", "vault").stdout
    assert "in question" in out
    assert "$900.00" in out


def test_thresholds_are_settings(tvl: Tvl, filled: Path) -> None:
    write_config(filled, CONFIG + "[quality]\nunits_times = 11\n")
    assert told(tvl)[0]["status"] == "ok"
    write_config(filled, CONFIG + '[quality]\nobserve = ["jump"]\n')
    (one,) = told(tvl)
    assert (one["status"], one["headline"]["usd"], one["findings"][0]["reason"][:9]) == ("ok", "1050", "observed:")


def test_a_threshold_that_is_none_is_a_mistake_in_the_configuration(tvl: Tvl, filled: Path) -> None:
    write_config(filled, CONFIG + "[quality]\nunits_tims = 11\n")
    for verb in (("quality",), ("check",)):
        result = tvl(*verb)
        assert result.exit_code == 2
        assert "units_tims: no such setting" in result.stderr


def test_an_empty_store_says_so(tvl: Tvl, folder: Path) -> None:
    write_config(folder)
    result = tvl("quality")
    assert result.exit_code == 2
    assert "tvl status" in result.stderr


def test_the_address_of_a_token_is_written_with_its_checksum(tvl: Tvl, filled: Path) -> None:
    (one,) = told(tvl)
    assert [Address(token.lower()) for token in one["tokens"]] == [address("dai")]
