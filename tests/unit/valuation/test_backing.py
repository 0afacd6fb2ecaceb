"""A token that a pool prices is counted only as far as the pool could pay for it, and what is not is still shown."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Address, BlockRef, Bucket, Grade, Hash, Holding, Line, Quote, Status, Step, Token
from indexer.pricing.compose import DEPTH, depth_of
from indexer.pricing.guards import GuardSettings
from indexer.testing import Contracts, drive
from indexer.units import PRICE_DECIMALS, USD_DECIMALS
from indexer.valuation.backing import backed, depths_of, held_usd
from indexer.valuation.value import judge, totals, value
from tests.unit.pricing.price_worlds import (
    AT,
    ETH,
    ETH_USD,
    UNIT,
    VAULT,
    addr,
    chainlink,
    erc20,
    feed,
    price,
    router,
    vault,
)
from tests.unit.pricing.test_incidents import TOKEN, market, twap

OWNER = Address("0x" + "bb" * 20)
BLOCK = BlockRef(7, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)
ONE = 10**PRICE_DECIMALS


def quote(depth_usd: int | None, at_usd: int = 1) -> Quote:
    step = Step("uniswap_v3_twap:tick", OWNER, 0, 0, BLOCK.timestamp)
    depth = () if depth_usd is None else (Step(DEPTH, OWNER, depth_usd * 10**USD_DECIMALS, USD_DECIMALS, 0),)
    worth = at_usd * ONE
    return Quote(TOKEN, worth, worth, worth, Grade.C, "uniswap_v3_twap", (step, *depth))


def lines(whole: int, depth_usd: int | None, bucket: Bucket = Bucket.BASE) -> tuple[tuple[Line, ...], Quote]:
    one = quote(depth_usd)
    return value([Holding(TOKEN, whole * UNIT, OWNER, bucket)], {TOKEN: one}, {TOKEN: Token(TOKEN, "T", 18)}), one


def judged(whole: int, depth_usd: int | None, bucket: Bucket = Bucket.BASE, **settings: object) -> tuple[Line, Quote]:
    some, one = lines(whole, depth_usd, bucket)
    (line,), quotes = backed(some, {TOKEN: one}, depths_of({TOKEN: one}), BLOCK, GuardSettings.parse(settings))
    return line, quotes[TOKEN]


@pytest.mark.parametrize(
    ("whole", "status", "flagged"),
    [(1_000, Status.OK, False), (1_001, Status.OK, True), (100_000, Status.OK, True), (100_001, Status.SUSPECT, False)],
)
def test_beyond_ten_times_the_depth_is_flagged_and_beyond_a_thousand_not_counted(
    whole: int, status: Status, flagged: bool
) -> None:
    line, one = judged(whole, 100)
    assert (line.status, bool(one.flags)) == (status, flagged)
    assert line.usd == whole * 10**USD_DECIMALS, "the value itself is never cut"


def test_what_is_not_counted_is_left_out_of_the_total_with_its_reason() -> None:
    line, _ = judged(1_000_000_000, 100)
    assert line.reason == "backing: 1000000000 USD held at a price with 100 USD behind it"
    total = totals([line])[Bucket.BASE]
    assert (total.usd, total.lines, total.left_out) == (0, 0, 1)
    assert judge([line])[0] is Status.HELD


def test_the_guard_can_be_set_to_look_only_and_its_thresholds_to_others() -> None:
    line, one = judged(1_000_000_000, 100, observe=["backing"])
    assert (line.status, len(one.flags)) == (Status.OK, 1)
    assert judged(102, 100, backing_flag_times=1, backing_hold_times=1)[0].status is Status.SUSPECT


def test_what_is_owed_is_no_holding_and_a_feeds_price_has_no_depth() -> None:
    assert judged(10**9, 100, Bucket.BORROWED)[0].status is Status.OK
    line, one = judged(10**9, None)
    assert (line.status, one.flags) == (Status.OK, ())


def test_several_holdings_of_a_token_count_together() -> None:
    one, known = quote(100), {TOKEN: Token(TOKEN, "T", 18)}
    held = [Holding(TOKEN, 60_000 * UNIT, OWNER), Holding(TOKEN, 60_000 * UNIT, OWNER, Bucket.STAKING)]
    found, _ = backed(value(held, {TOKEN: one}, known), {TOKEN: one}, depths_of({TOKEN: one}), BLOCK, GuardSettings())
    assert [line.status for line in found] == [Status.SUSPECT, Status.SUSPECT]
    assert held_usd(found, TOKEN) == 120_000


def test_a_line_that_is_held_anyway_keeps_its_own_reason() -> None:
    one, known = quote(1), {TOKEN: Token(TOKEN, "T", 18)}
    held = [Holding(TOKEN, None, OWNER, status=Status.HELD, reason="reverts"), Holding(TOKEN, 10**30, addr(9))]
    found, _ = backed(value(held, {TOKEN: one}, known), {TOKEN: one}, depths_of({TOKEN: one}), BLOCK, GuardSettings())
    assert (found[0].status, found[0].reason) == (Status.HELD, "reverts")
    assert found[1].status is Status.SUSPECT


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**9))
def test_more_of_a_token_is_never_trusted_more(whole: int, more: int, depth: int) -> None:
    assert _trust(judged(whole + more, depth)) <= _trust(judged(whole, depth))


def _trust(found: tuple[Line, Quote]) -> int:
    line, one = found
    return 0 if line.status is Status.SUSPECT else 1 if one.flags else 2


def test_a_mean_price_carries_what_stands_on_the_pools_other_side_in_dollars() -> None:
    world = {TOKEN: erc20(), ETH: erc20(), ETH_USD: feed(3_000_00000000), addr(42): market(tick=0, depth=2_000)}
    routes = {ETH: [chainlink(ETH_USD)], TOKEN: [twap()]}
    found = depth_of(price(routes, world, TOKEN))
    assert found is not None
    assert abs(found - 6_000_000) < Fraction(1, 1_000)


def test_a_vault_of_a_pool_priced_token_carries_the_depth_on_and_a_feed_that_is_taken_none() -> None:
    world = {TOKEN: erc20(), ETH: erc20(), ETH_USD: feed(3_000_00000000), addr(42): market(tick=0, depth=2_000)}
    world[VAULT] = vault(TOKEN, 2 * UNIT, 2 * UNIT)
    routes = {ETH: [chainlink(ETH_USD)], TOKEN: [twap()], VAULT: [{"kind": "erc4626"}]}
    both = drive(router(routes).plan([TOKEN, VAULT], AT), Contracts(world))
    assert depth_of(both[VAULT]) == depth_of(both[TOKEN]) is not None
    fed = routes | {TOKEN: [chainlink(ETH_USD), twap()]}
    assert depth_of(price(fed, world, TOKEN)) is None
