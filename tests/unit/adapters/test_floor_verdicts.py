"""A verdict is kept as a discovery, says which pools are read, and tells what it leaves out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters.floor import DAY_S, Verdict, verdict_at
from indexer.adapters.registry import ParamErrors, adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Hash
from indexer.testing import Contracts, drive
from indexer.units import USD_DECIMALS

FACTORY, A, B = (Address(f"0x{n:040x}") for n in (1, 2, 3))
DAY = 19_700
AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), DAY * DAY_S + 3_600)


def pair(index: int) -> Address:
    return Address(f"0x{1_000 + index:040x}")


def pairs(count: int) -> list[Found]:
    return [Found(str(i), 90, {"pool": pair(i), "token0": A, "token1": B, "index": i}) for i in range(count)]


def verdict(day: int = DAY, **other: object) -> Verdict:
    given = {"block": 50, "judged": 3, "kept": frozenset({"1"}), "left_out": 2, "left_out_usd": 5, "unpriced": 0}
    return Verdict(day=day, **{**given, **other})  # type: ignore[arg-type]


def table(count: int) -> Contracts:
    reserves = {pair(i): {"getReserves": (10 + i, 20 + i)} for i in range(count)}
    return Contracts({FACTORY: {"allPairsLength": count}, **reserves})


@given(
    kept=st.frozensets(st.from_regex(r"[0-9a-fx]{1,42}", fullmatch=True)),
    numbers=st.tuples(*[st.integers(0, 2**200)] * 4),
    block=st.integers(0, 2**40),
)
def test_a_verdict_is_the_same_after_it_was_kept(kept: frozenset[str], numbers: tuple[int, ...], block: int) -> None:
    judged, left_out, left_out_usd, unpriced = numbers
    one = Verdict(DAY, block, judged, kept, left_out, left_out_usd, unpriced)
    assert Verdict.parse(one.found()) == one


def test_pools_that_were_kept_and_pools_that_came_later_are_read() -> None:
    answers = table(5)
    params = parse_params("uniswap_v2", {"factory": FACTORY, "floor_usd": 100})
    held = drive(adapter("uniswap_v2").read(params, [*pairs(5), verdict().found()], AT), answers)
    assert {h.owner for h in held} == {pair(1), pair(3), pair(4)}
    assert len(answers.asked) == 1 + 3, "a pool that is left out is not asked"


def test_a_pool_that_was_found_but_stood_later_is_not_asked() -> None:
    """A backfill knows the pools of years to come."""
    answers = table(4)
    params = parse_params("uniswap_v2", {"factory": FACTORY, "floor_usd": 100})
    held = drive(adapter("uniswap_v2").read(params, [*pairs(50), verdict().found()], AT), answers)
    assert {h.owner for h in held} == {pair(1), pair(3)}
    assert len(answers.asked) == 1 + 2


def test_the_verdict_of_another_day_is_none() -> None:
    found = [*pairs(3), verdict(DAY - 1).found(), verdict(DAY + 1).found()]
    assert verdict_at(found, AT) is None
    params = parse_params("uniswap_v2", {"factory": FACTORY, "floor_usd": 100})
    with pytest.raises(CallFailed, match="not judged"):
        drive(adapter("uniswap_v2").read(params, found, AT), table(3))


def test_pools_announced_by_logs_are_new_by_their_block() -> None:
    found = [Found(pair(i), block, {"pool": pair(i), "token0": A, "token1": B}) for i, block in enumerate((40, 45, 60))]
    params = parse_params("uniswap_v3", {"factory": FACTORY, "floor_usd": 100})
    answers = Contracts({FACTORY: {"feeAmountTickSpacing": 60}, A: {"balanceOf": 1}, B: {"balanceOf": 2}})
    kept = verdict(kept=frozenset({pair(1)}))
    held = drive(adapter("uniswap_v3").read(params, [*found, kept.found(), verdict(DAY + 1).found()], AT), answers)
    assert {h.owner for h in held} == {pair(1), pair(2)}


def test_what_is_left_out_is_told_with_its_value_and_nothing_is_told_of_nothing() -> None:
    one = verdict(left_out=1_200, left_out_usd=34_567 * 10**USD_DECIMALS, unpriced=1)
    below, unpriced = "1,200 pools below the floor of $1,000, worth $34,567.00", "1 pool without a priced token"
    assert one.told(1_000) == f"left out as of block 50: {below}; {unpriced}"
    assert verdict(left_out=0, left_out_usd=0).told(1_000) == ""


@pytest.mark.parametrize("kind", ["uniswap_v2", "uniswap_v3", "curve", "trader_joe_lb"])
def test_a_floor_of_listed_pools_is_refused(kind: str) -> None:
    listed = "pools" if kind in ("uniswap_v3", "curve") else "pairs"
    with pytest.raises(ParamErrors, match="a floor needs a factory"):
        parse_params(kind, {listed: [A], "floor_usd": 5})
