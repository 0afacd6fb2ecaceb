"""What is counted twice, on real contracts: each answer is worked out by hand from what the users did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devnet import Devnet, deploy_protocols
from devnet.artifacts import own
from devnet.protocols import uniswap_v2
from devnet.protocols.tokens import approve
from indexer.model import Address
from indexer.valuation.claims import Measures
from indexer.valuation.profiles import PROFILES, apply, difference, total
from tests.e2e.stage import USD, Stage
from tests.e2e.support import tvl

pytestmark = [pytest.mark.anvil, pytest.mark.slow, pytest.mark.xdist_group("counted_twice")]

M = 10**6  # raw units of a dollar of USDC


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A lender, an exchange, plain vaults, a vault of the lender's receipts, and a vault of a pool's shares."""
    with Devnet.start() as net:
        one = Stage(net, deploy_protocols(net), tmp_path_factory.mktemp("stage"))
        _play(one)
        one.index()
        yield one


def _play(one: Stage) -> None:
    there, net, desk = one.addresses, one.net, one.desk
    ann, ben = there.users[0], there.users[1]
    a_usdc, v_usdc, dai = there.aave.reserves["USDC"].a_token, there.vaults["vUSDC"].address, there.token("DAI")
    of_receipts = net.deploy(own("Vault"), a_usdc, "Vault of aUSDC", "vaUSDC")
    net.mine()
    pair = _pair(one, ben, v_usdc, dai)
    of_shares = net.deploy(own("Vault"), pair, "Vault of shares of a pool", "vLP")
    net.mine()
    _configure(one, pair, of_receipts, of_shares)
    one.mark("before")
    _loop(one, ann)
    one.mark("after the loop")
    approve(net, [a_usdc], [ann], of_receipts)
    net.send(of_receipts, "deposit(uint256,address)", 60_000 * M, ann, sender=ann)
    one.mark("receipts in a vault")
    shares = desk.balance(pair, ben)
    approve(net, [pair], [ben], of_shares)
    net.send(of_shares, "deposit(uint256,address)", shares // 2, ben, sender=ben)
    one.mark("shares of a pool in a vault")


def _pair(one: Stage, user: str, v_usdc: str, dai: str) -> str:
    """A pool of 200,000 vUSDC, worth a dollar each, and 200,000 DAI."""
    router = one.addresses.uniswap_v2.router
    approve(one.net, [v_usdc, dai], [user], router)
    uniswap_v2.add_liquidity(one.net, router, (v_usdc, dai), (200_000 * M, 200_000 * 10**18), sender=user)
    one.net.mine()
    return str(one.net.call(one.addresses.uniswap_v2.factory, "getPair(address,address)(address)", v_usdc, dai))


def _configure(one: Stage, pair: str, of_receipts: str, of_shares: str) -> None:
    there = one.addresses
    one.token("aUSDC", there.aave.reserves["USDC"].a_token, '{ kind = "wrapped", in = "USDC" }')
    one.token("POOL", pair, '{ kind = "uniswap_v2_lp" }')
    one.protocol("lender", "aave_v3", "lending", pool=there.aave.pool)
    one.protocol("plain", "erc4626", "yield", vaults=[there.vaults["vUSDC"].address])
    one.protocol("pool", "uniswap_v2", "dex", pairs=[pair])
    one.protocol("receipts", "erc4626", "yield", vaults=[of_receipts])
    one.protocol("shares", "erc4626", "yield", vaults=[of_shares])


def _loop(one: Stage, user: str) -> None:
    """Deposit 100,000; borrow 50,000 and deposit it; borrow 25,000 and deposit it."""
    desk = one.desk
    desk.supply(user, "USDC", 100_000 * M)
    for borrowed in (50_000, 25_000):
        desk.borrow(user, "USDC", borrowed * M)
        one.net.mine()
        desk.supply(user, "USDC", borrowed * M)


def measured(stage: Stage, label: str, protocol: str = "") -> Measures:
    return stage.claims(label).measure(lambda book: protocol in ("", book.protocol))


def dollars(usd: int) -> float:
    return usd / USD


def test_a_lending_loop_raises_gross_by_what_was_borrowed_and_net_by_what_was_brought(stage: Stage) -> None:
    before, after = (measured(stage, label, "lender") for label in ("before", "after the loop"))
    assert after.net - before.net == 100_000 * USD
    assert after.base - before.base == 100_000 * USD
    assert 175_000 <= dollars(after.gross - before.gross) < 175_100, "interest of a minute on top"


def test_a_vault_of_receipts_adds_to_base_and_nothing_to_net(stage: Stage) -> None:
    before, after = (measured(stage, label) for label in ("after the loop", "receipts in a vault"))
    vault = measured(stage, "receipts in a vault", "receipts")
    assert 60_000 <= dollars(vault.base) < 60_001
    assert (vault.net, vault.redeemable) == (0, 0)
    assert after.net == before.net
    assert list(vault.exposure) == [("devnet", stage.addresses.token("USDC"))]
    assert sum(vault.exposure.values()) == vault.base


def test_a_pool_of_receipts_is_looked_through_to_both_its_tokens(stage: Stage) -> None:
    pool = measured(stage, "before", "pool")
    assert dollars(pool.base) == 400_000
    assert dollars(pool.net) == 200_000
    behind = {place[1]: dollars(usd) for place, usd in pool.exposure.items()}
    assert behind == {Address(stage.addresses.token(symbol)): 200_000 for symbol in ("USDC", "DAI")}


def test_shares_of_a_pool_of_receipts_are_a_claim_on_a_claim(stage: Stage) -> None:
    label = "shares of a pool in a vault"
    vault = measured(stage, label, "shares")
    assert vault.net == 0
    rows = [row for row in stage.claims(label).overlaps(lambda book: book.protocol) if row.holder == "shares"]
    assert [(row.issuer, row.layer) for row in rows] == [("pool", 1), ("plain", 2)]
    assert rows[0].usd == vault.base
    assert 199_999 < dollars(vault.base) <= 200_000, "half of the pool, less the shares that are locked for ever"
    assert abs(rows[1].usd * 2 - vault.base) < USD
    assert measured(stage, label).net == measured(stage, "receipts in a vault").net


def test_net_and_gross_differ_by_named_parts_that_add_up(stage: Stage) -> None:
    claims = stage.claims("shares of a pool in a vault")
    gross, net = (apply(PROFILES[name], claims) for name in ("gross", "net"))
    parts = {part.reason: dollars(part.usd) for part in difference(gross, net)}
    assert sum(part.usd for part in difference(gross, net)) == total(net) - total(gross)
    assert set(parts) == {
        "left out: bucket borrowed",
        "left out: claim on lender@devnet",
        "left out: claim on plain@devnet",
        "left out: claim on pool@devnet",
    }
    assert parts["left out: claim on plain@devnet"] == -200_000


def test_the_command_tells_it_pair_by_pair(stage: Stage) -> None:
    told = tvl(stage.file, "overlap")
    assert told.returncode == 0, told.stderr
    assert "of pool's $400,000.00, $200,000.00 (50.0 %) is already in plain" in told.stdout
    assert "is already in lender" in told.stdout
