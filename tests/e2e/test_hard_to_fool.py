"""What would fool a chart, on real contracts: seen, named and kept out of the headline; what is true is followed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from devnet import Devnet, deploy_protocols
from devnet.artifacts import own, published
from devnet.protocols import uniswap_v2
from devnet.protocols.tokens import approve
from indexer.model import Status
from indexer.valuation.verdicts import Finding
from tests.e2e.stage import USD, Stage
from tests.e2e.support import tvl

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.xdist_group("hard_to_fool")]

M = 10**6  # raw units of a dollar of USDC
DAY = 86_400
SCAM_OPENING = 400  # answer of 8 decimals: 2 ether of 2,000 dollars against 10**9 SCAM


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Each story has a contract of its own; all are read at every marked block."""
    with Devnet.start() as net:
        one = Stage(net, deploy_protocols(net), tmp_path_factory.mktemp("stage"))
        _deploy(one)
        _play(one)
        one.index()
        usdc = one.addresses.token("USDC")
        for name in ("donated", "flashed", "locked", "followed"):
            one.logged(f"{name}@devnet", [(usdc, one.vaults[name])])
        yield one


def _deploy(one: Stage) -> None:
    there, net = one.addresses, one.net
    usdc = there.token("USDC")
    for name in ("donated", "flashed", "locked", "followed"):
        one.vaults[name] = net.deploy(own("Vault"), usdc, name, name)
    one.vaults["robbed"] = net.deploy(own("AccountingVault"), usdc, "robbed", "robbed")
    feed = net.deploy(published("@chainlink/contracts/abi/v0.6/MockV3Aggregator.json"), 8, SCAM_OPENING)
    one.vaults["feed"] = feed
    net.mine()
    scam_feed = f'{{ kind = "chainlink", feed = "{feed}", decimals = 8, heartbeat_s = 86400, deviation_bps = 50 }}'
    one.token("SCAM", there.token("SCAM"), scam_feed)
    for name in ("donated", "flashed", "locked", "followed", "robbed"):
        one.protocol(name, "erc4626", "yield", vaults=[one.vaults[name]])
    one.protocol("eyes", "token_balances", "watch", owners=[one.vaults["robbed"]], tokens=[usdc])
    pair = uniswap_v2.pair_name(there.tokens["SCAM"], there.tokens["WETH"])
    one.protocol("exchange", "uniswap_v2", "dex", pairs=[there.uniswap_v2.pairs[pair]])
    tokens = [usdc, there.token("SCAM")]
    one.protocol("scamfarm", "token_balances", "farm", owners=[there.escrow], tokens=tokens)


def _play(one: Stage) -> None:
    there, net = one.addresses, one.net
    ann, ben = there.users[0], there.users[1]
    usdc, scam = there.token("USDC"), there.token("SCAM")
    for name in ("donated", "flashed", "locked", "followed", "robbed"):
        approve(net, [usdc], [ann, ben], one.vaults[name])
        _deposit(one, name, 1_000_000, ben)
    net.send(scam, "transfer(address,uint256)", there.escrow, 10**11 * 10**18, sender=ann)
    for label in ("start", "quiet"):
        one.mark(label)
    _donation_and_inflow(one, ann)
    _flash(one, ann)
    _pump(one)
    _exploit(one, ann)
    _depeg_and_failure(one)
    _lockers_midnight(one, ann)


def _deposit(one: Stage, name: str, whole: int, user: str) -> None:
    one.net.send(one.vaults[name], "deposit(uint256,address)", whole * M, user, sender=user)


def _redeem_all(one: Stage, name: str, user: str) -> None:
    shares = one.desk.balance(one.vaults[name], user)
    one.net.send(one.vaults[name], "redeem(uint256,address,address)", shares, user, user, sender=user)


def _donation_and_inflow(one: Stage, ann: str) -> None:
    """Two million for nothing to one vault, four million of deposits to another."""
    usdc = one.addresses.token("USDC")
    one.net.send(usdc, "transfer(address,uint256)", one.vaults["donated"], 2_000_000 * M, sender=ann)
    _deposit(one, "followed", 4_000_000, ann)
    one.mark("after gift and inflow")


def _flash(one: Stage, ann: str) -> None:
    """Nine million for one block."""
    _deposit(one, "flashed", 9_000_000, ann)
    one.mark("flash")
    _redeem_all(one, "flashed", ann)
    one.mark("after the flash")


def _pump(one: Stage) -> None:
    """The issuer's own feed says a hundred times as much."""
    one.net.send(one.vaults["feed"], "updateAnswer(int256)", SCAM_OPENING * 100)
    one.mark("pump")


def _exploit(one: Stage, thief: str) -> None:
    one.net.send(one.vaults["robbed"], "exploit(address)", thief, sender=thief)
    one.mark("exploit")


def _depeg_and_failure(one: Stage) -> None:
    for label, answer in (("depeg", 87_000_000), ("failure", 0), ("repaired", 100_000_000)):
        one.desk.set_price("USDC/USD", answer)
        one.mark(label)


def _lockers_midnight(one: Stage, ann: str) -> None:
    """In at 23:59, out at 00:01; the snapshot is of midnight, and there is one a day."""
    midnight = one.net.timestamp() // DAY * DAY + 2 * DAY
    for label, at in (("day 0", midnight - DAY), ("midnight", midnight), ("day 2", midnight + DAY)):
        if label == "midnight":
            _deposit(one, "locked", 7_000_000, ann)
            one.net.mine_at(midnight - 60)
        _heartbeat(one)
        one.mark(label, at=at)
        if label == "midnight":
            _redeem_all(one, "locked", ann)
            one.net.mine_at(midnight + 60)


def _heartbeat(one: Stage) -> None:
    for feed in one.addresses.feeds:
        one.desk.set_price(feed, one.desk.price(feed))
    one.net.send(one.vaults["feed"], "updateAnswer(int256)", SCAM_OPENING * 100)


def finding(stage: Stage, deployment: str, label: str, rule: str) -> Finding:
    (one,) = [f for f in stage.judged(f"{deployment}@devnet", label).verdict.findings if f.rule == rule]
    return one


def headline(stage: Stage, deployment: str, label: str) -> float:
    return stage.judged(f"{deployment}@devnet", label).verdict.headline.usd / USD


def status(stage: Stage, deployment: str, label: str) -> Status:
    return stage.judged(f"{deployment}@devnet", label).verdict.status


def test_a_gift_to_a_vault_is_really_there_and_explained_by_its_transfer(stage: Stage) -> None:
    assert headline(stage, "donated", "after gift and inflow") == 3_000_000
    told = finding(stage, "donated", "after gift and inflow", "jump")
    assert told.status is Status.OK
    assert "units changed by 2000000, as the transfer logs say" in told.reason


def test_a_real_fivefold_inflow_is_in_the_headline_at_once(stage: Stage) -> None:
    assert headline(stage, "followed", "after gift and inflow") == 5_000_000
    assert status(stage, "followed", "after gift and inflow") is Status.OK


def test_a_deposit_of_one_block_moves_neither_headline_nor_median_and_is_named(stage: Stage) -> None:
    told = finding(stage, "flashed", "flash", "in_and_out")
    assert (told.status, told.usd) == (Status.SUSPECT, 9_000_000 * USD)
    judged = stage.judged("flashed@devnet", "flash")
    assert judged.verdict.headline.usd == 0
    assert judged.verdict.headline.median_usd == 1_000_000 * USD
    after = stage.judged("flashed@devnet", "after the flash")
    assert (after.verdict.status, after.verdict.headline.usd) == (Status.OK, 1_000_000 * USD)
    mean = stage.mean("flashed@devnet", stage.time("quiet"), stage.time("quiet") + DAY)
    assert abs(mean / USD - 1_000_000) < 1_500, "nine million for twelve seconds, and a depeg of half a minute"


def test_a_token_that_prices_itself_is_denied_by_its_pool(stage: Stage) -> None:
    before, after = stage.judged("scamfarm@devnet", "after the flash"), stage.judged("scamfarm@devnet", "pump")
    assert (before.verdict.status, before.verdict.headline.usd) == (Status.OK, (400_000 + 750_000) * USD)
    told = finding(stage, "scamfarm", "pump", "jump")
    assert told.status is Status.SUSPECT
    assert "price changed to 100.0 times, but the pools that trade it hold $400,000.00 of it against $4,000.00" in (
        told.reason
    )
    assert after.verdict.headline.usd == 750_000 * USD
    assert finding(stage, "exchange", "pump", "lopsided").status is Status.SUSPECT


def test_a_vault_that_was_emptied_while_its_accounts_stand_is_seen_by_whoever_looks_into_it(stage: Stage) -> None:
    assert status(stage, "robbed", "pump") is Status.OK
    told = finding(stage, "robbed", "exploit", "unheld")
    assert (told.status, told.usd) == (Status.SUSPECT, 1_000_000 * USD)
    assert headline(stage, "robbed", "exploit") == 0
    assert finding(stage, "eyes", "exploit", "vanished").status is Status.SUSPECT


def test_a_stablecoin_that_loses_its_peg_is_followed(stage: Stage) -> None:
    assert headline(stage, "followed", "depeg") == 5_000_000 * 0.87
    assert status(stage, "followed", "depeg") is Status.OK


def test_an_oracle_that_fails_is_held_and_never_zero(stage: Stage) -> None:
    judged = stage.judged("followed@devnet", "failure").verdict
    assert judged.status is Status.HELD
    (left,) = judged.headline.left_out
    assert left.usd is None
    assert "positive" in left.reason
    assert (status(stage, "followed", "repaired"), headline(stage, "followed", "repaired")) == (Status.OK, 5_000_000)


def test_a_locker_of_midnight_is_seen_by_the_logs_between_daily_snapshots(stage: Stage) -> None:
    told = finding(stage, "locked", "midnight", "in_and_out")
    assert (told.status, told.usd) == (Status.SUSPECT, 7_000_000 * USD)
    assert headline(stage, "locked", "midnight") == 0
    assert stage.judged("locked@devnet", "midnight").verdict.headline.median_usd == 1_000_000 * USD
    assert (status(stage, "locked", "day 2"), headline(stage, "locked", "day 2")) == (Status.OK, 1_000_000)


def test_the_command_tells_what_is_suspect_and_why(stage: Stage) -> None:
    told = tvl(stage.file, "quality", "scamfarm", "--at", str(stage.labels["pump"]), "--json")
    assert told.returncode == 0, told.stderr
    (one,) = json.loads(told.stdout)
    assert (one["status"], one["headline"]["usd"]) == ("suspect", "750000")
    assert "but the pools that trade it" in tvl(stage.file, "quality", "scamfarm").stdout
