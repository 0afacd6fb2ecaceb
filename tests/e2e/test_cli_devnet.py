"""The command against real contracts: check, backfill, run, and what a newcomer does first."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.scenario import scenario
from tests.e2e.shell import started, tvl, tvl_until
from tests.e2e.support import Setting

pytestmark = [pytest.mark.anvil, pytest.mark.slow]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A chain with its whole history, ending now, for tests that do not change it."""
    with Devnet.start(genesis_timestamp=int(time.time()) - 90_000) as net:
        addresses = deploy_protocols(net)
        scenario(net, addresses)
        net.mine_at(int(time.time()))
        yield Setting(net, addresses, tmp_path_factory.mktemp("standing"))


def test_check_finds_nothing_wrong_with_a_good_set_up(standing: Setting) -> None:
    done = tvl(standing.configure("good.toml"), "check", "--json")
    findings = json.loads(done.stdout)["findings"]
    assert (done.returncode, [f for f in findings if f["level"] == "problem"]) == (0, [])
    assert any(f["what"] == "devnet WETH" and "grade A" in f["text"] for f in findings)
    assert any(f["what"].startswith("store") for f in findings)


def test_check_names_each_thing_that_is_wrong(standing: Setting) -> None:
    def spoil(text: str) -> str:
        wrong_chain = text.replace("chain_id = 31337", "chain_id = 31338")
        return wrong_chain.replace("sqlite:///", "sqlite:////proc/no/such/folder/")

    done = tvl(standing.configure("bad.toml", change=spoil), "check")
    assert done.returncode == 1
    assert "serves chain 31337, not 31338" in done.stdout
    assert "problem  store" in done.stdout


def test_check_tells_which_feeds_do_not_describe_themselves_as_their_rows_do(standing: Setting) -> None:
    done = tvl(standing.configure("feeds.toml"), "check", "--json")
    notes = {f["what"]: f["text"] for f in json.loads(done.stdout)["findings"] if f["level"] == "note"}
    named = [what for what in notes if what.startswith("devnet feed ")]
    assert len(named) == 6, notes
    described = notes["devnet feed ETH/USD"]
    assert described == "describes itself as 'v0.6/tests/MockV3Aggregator.sol'"
    wrong = standing.configure(
        "decimals.toml", change=lambda text: text.replace("decimals = 8\nheart", "decimals = 9\nheart")
    )
    assert "has 8 decimals, 9 configured" in tvl(wrong, "check").stdout


def test_check_tells_where_multicall_is_not(standing: Setting) -> None:
    good = standing.configure("spoilt.toml").read_text()
    address = good.partition("multicall3 = { address = ")[2][1:43]
    config = standing.configure("spoilt.toml", change=lambda text: text.replace(address, "0x" + "12" * 20))
    done = tvl(config, "check")
    assert done.returncode == 1
    assert "no contract at Multicall3's address 0x1212" in done.stdout


def test_check_of_a_protocol_shows_what_would_be_stored_and_stores_nothing(standing: Setting) -> None:
    config = standing.configure("one.toml")
    done = tvl(config, "check", "uniswap-v2", "--json")
    (told,) = json.loads(done.stdout)
    (snapshot,) = told["snapshots"]
    assert done.returncode == 0
    assert snapshot["status"] == "ok"
    assert float(snapshot["totals"]["base"]["usd"]) > 1_000_000
    assert told["cost"]["requests"] > 0
    assert not config.with_suffix(".db").exists()


def test_a_newcomers_fork_is_read_after_five_lines_of_toml(standing: Setting) -> None:
    five_lines = f"""
[[protocols]]
name = "my-fork"
chain = "devnet"
kind = "uniswap_v2"
factory = "{standing.addresses.uniswap_v2.factory}"
"""
    config = standing.configure("fork.toml", change=lambda text: text + five_lines)
    (fork,) = json.loads(tvl(config, "check", "my-fork", "--json").stdout)
    (known,) = json.loads(tvl(config, "check", "uniswap-v2", "--json").stdout)
    assert fork["snapshots"][0]["totals"] == known["snapshots"][0]["totals"]


def test_check_can_look_at_the_past(standing: Setting) -> None:
    config, block = standing.configure("past.toml"), standing.addresses.ready_block
    (told,) = json.loads(tvl(config, "check", "vaults", "--at", str(block), "--json").stdout)
    assert told["block"]["number"] == block
    later = tvl(config, "check", "vaults", "--at", "99999999")
    assert later.returncode == 2
    assert "after the newest block" in later.stderr


def test_check_before_anything_was_deployed_is_wrong_and_says_why(standing: Setting) -> None:
    done = tvl(standing.configure("early.toml"), "check", "uniswap-v2", "--at", "0")
    assert done.returncode == 1
    assert "no code at" in done.stdout


def test_backfill_tells_its_cost_fills_and_skips_what_is_there(standing: Setting) -> None:
    config, first = standing.configure("filled.toml"), standing.addresses.ready_block
    span = ("--from", str(first), "--to", str(first + 9), "--every", "3")
    dry = tvl(config, "backfill", "vaults", *span, "--dry")
    assert dry.returncode == 0
    assert "Nothing was stored" in dry.stderr
    assert dry.stdout.split("\n")[0].split().count("time") == 2
    assert json.loads(tvl(config, "status", "--json").stdout)["deployments"] == []
    done = tvl(config, "backfill", "vaults", *span)
    assert done.stdout.startswith(f"{_points(first)} points read")
    assert '"event": "progress"' in done.stderr
    again = tvl(config, "backfill", "vaults", *span)
    assert again.stdout.startswith(f"0 points read, {_points(first)} needed no reading")
    (series,) = json.loads(tvl(config, "show", "vaults", "--json").stdout)["series"]
    assert len(series["points"]) == _points(first)


def _points(first: int) -> int:
    return sum(number % 3 == 0 for number in range(first, first + 10))


def test_backfill_from_the_future_is_refused(standing: Setting) -> None:
    done = tvl(standing.configure("future.toml"), "backfill", "--from", "99999999")
    assert done.returncode == 2
    assert "after the last final block" in done.stderr


def test_an_interrupted_backfill_says_how_to_go_on(standing: Setting) -> None:
    config = standing.configure("interrupted.toml")
    done = tvl_until("snapshot", config, "backfill", "--from", "0", "--every", "1s", by=signal.SIGINT)
    assert done.returncode == 130
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_daemon_stops_well_and_a_second_one_is_refused(fresh: Setting) -> None:
    config = fresh.configure()
    with started(config, "run") as first:
        _wait_for(config.with_suffix(".db"))
        second = tvl(config, "run")
        assert second.returncode == 1
        assert f"pid {first.pid}" in second.stderr
        assert "hint: Stop the other" in second.stderr
        first.send_signal(signal.SIGTERM)
        _, err = first.communicate(timeout=10)
    assert first.returncode == 0
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"] in ("starting", "stopping", "stopped")] == [
        "starting",
        "stopping",
        "stopped",
    ]
    start = next(line for line in lines if line["event"] == "starting")
    assert start["chains"] == "devnet"
    assert "aave-v3@devnet" in start["deployments"]


def test_ctrl_c_ends_the_daemon_with_130(fresh: Setting) -> None:
    done = tvl_until("snapshot", fresh.configure(), "run", by=signal.SIGINT)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_the_daemon_ends_with_1_when_every_chain_has_halted(fresh: Setting) -> None:
    config = fresh.configure(change=lambda text: text.replace("chain_id = 31337", "chain_id = 31338"))
    done = tvl(config, "run")
    assert done.returncode == 1
    assert "chain halted" in done.stderr
    assert "Every chain has halted" in done.stderr


def _wait_for(database: Path) -> None:
    """Until a daemon holds the store."""
    deadline = time.monotonic() + 30
    lease = database.with_name(f"{database.name}.daemon.lease")
    while not lease.exists() or os.path.getsize(database) == 0:
        assert time.monotonic() < deadline, "the daemon did not start"
        time.sleep(0.1)
