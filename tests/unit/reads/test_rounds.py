"""Plans in lock-step: what is merged, what is remembered, and whose failure is whose."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from indexer.errors import CallFailed, ChainUnavailable, WrongFork
from indexer.model import Address, BlockRef, Hash, Status
from indexer.reads.abi import function
from indexer.reads.plan import Ask, Call, Failed, LogQuery, NativeBalance, Plan, need, uint
from indexer.reads.rounds import MAX_ROUNDS, Failure, Session, rounds
from indexer.reads.source import Key, Raw

AT = BlockRef(100, Hash("0x" + "aa" * 32), Hash("0x" + "99" * 32), 1_700_000_000)
ASSET = function("asset()(address)")
DECIMALS = function("decimals()(uint8)")
TOTAL = function("totalAssets()(uint256)")


def contract(number: int) -> Address:
    return Address(f"0x{number:040x}")


@dataclass
class Numbered:
    """A source whose answers are the last digits of the contract asked; contracts from 0xdead on fail."""

    rounds: list[list[Key]] = field(default_factory=list)

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        self.rounds.append(list(questions))
        return [self._answer(ask) for ask in questions.values()]

    def _answer(self, ask: Ask) -> Raw:
        if isinstance(ask, LogQuery):
            return []
        if isinstance(ask, NativeBalance):
            return int(ask.owner, 16)
        number = int(ask.target, 16)
        return Failed(Status.MISSING, f"no code at {ask.target}") if number >= 0xDEAD else number.to_bytes(32, "big")


def vault(number: int) -> Plan[tuple[int, int]]:
    """Two rounds, the second about the one token that every vault shares."""
    (total,) = yield [TOTAL(contract(number))]
    (decimals,) = yield [DECIMALS(contract(6))]
    return uint(total), uint(decimals)


async def test_a_thousand_plans_take_two_rounds_and_ask_the_shared_question_once() -> None:
    session = Session(source := Numbered(), AT)
    results = await session.run({i: vault(i) for i in range(1_000)})
    assert results == {i: (i, 6) for i in range(1_000)}
    assert [len(questions) for questions in source.rounds] == [1_000, 1]
    assert (session.stats.rounds, session.stats.asked, session.stats.distinct) == (2, 2_000, 1_001)


async def test_a_question_answered_at_a_block_is_not_asked_again_in_the_same_session() -> None:
    session = Session(source := Numbered(), AT)
    await session.run({i: vault(i) for i in range(10)})
    assert await session.run({i: vault(i) for i in range(11)}) == {i: (i, 6) for i in range(11)}
    assert source.rounds[-1] == [(contract(10), TOTAL.selector)]
    assert len(source.rounds) == 3


async def test_the_same_bytes_are_decoded_as_each_asker_says() -> None:
    def plan(call: Call) -> Plan[object]:
        (answer,) = yield [call]
        return answer

    symbol = function("symbol()(uint256)")
    results = await rounds(Numbered(), {"number": plan(symbol(contract(7))), "raw": plan(symbol.raw(contract(7)))}, AT)
    assert results == {"number": 7, "raw": (7).to_bytes(32, "big")}


async def test_one_plans_failed_call_is_its_own_failure_with_its_status() -> None:
    results = await rounds(Numbered(), {"good": vault(1), "bad": vault(0xDEAD)}, AT)
    assert results["good"] == (1, 6)
    failure = results["bad"]
    assert isinstance(failure, Failure)
    assert failure.status is Status.MISSING
    assert failure.reason == f"no code at {contract(0xDEAD)}"
    assert isinstance(failure.error, CallFailed)


async def test_a_bug_in_one_plan_is_logged_with_its_traceback_and_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def buggy() -> Plan[int]:
        (total,) = yield [TOTAL(contract(1))]
        return total // 0

    with caplog.at_level(logging.ERROR):
        results = await rounds(Numbered(), {"good": vault(1), "bug": buggy()}, AT)
    assert results["good"] == (1, 6)
    assert isinstance(failure := results["bug"], Failure)
    assert failure.status is Status.HELD
    assert "ZeroDivisionError" in failure.reason
    assert "return total // 0" in caplog.text


async def test_a_plan_that_asks_no_question_or_never_ends_is_stopped_alone() -> None:
    def nonsense() -> Plan[None]:
        yield ["balanceOf"]  # type: ignore[list-item]

    def endless() -> Plan[None]:
        while True:
            yield [TOTAL(contract(1))]

    results = await rounds(source := Numbered(), {"nonsense": nonsense(), "endless": endless(), "good": vault(2)}, AT)
    assert results["good"] == (2, 6)
    assert isinstance(results["nonsense"], Failure)
    assert isinstance(endless_failure := results["endless"], Failure)
    assert str(MAX_ROUNDS) in endless_failure.reason
    assert len(source.rounds) == 2


async def test_a_plan_may_ask_nothing_in_a_round_or_at_all() -> None:
    def silent() -> Plan[str]:
        yield from ()
        return "nothing"

    def pausing() -> Plan[int]:
        nothing = yield []
        (answer,) = yield [TOTAL(contract(3))]
        return len(nothing) + uint(answer)

    assert await rounds(Numbered(), {"silent": silent(), "pausing": pausing()}, AT) == {
        "silent": "nothing",
        "pausing": 3,
    }
    assert await rounds(Numbered(), {}, AT) == {}


async def test_a_plan_that_asks_for_logs_of_later_blocks_fails() -> None:
    def plan(to_block: int) -> Plan[list[object]]:
        (logs,) = yield [LogQuery((), (), 0, to_block)]
        return list(need(logs))

    results = await rounds(Numbered(), {"now": plan(100), "later": plan(101)}, AT)
    assert results["now"] == []
    assert isinstance(later := results["later"], Failure)
    assert "after its own" in later.reason


@pytest.mark.parametrize("error", [WrongFork(), ChainUnavailable()])
async def test_a_block_that_cannot_be_read_ends_all_plans_and_closes_them(error: Exception) -> None:
    closed = []

    def plan() -> Plan[None]:
        try:
            yield [TOTAL(contract(1))]
        finally:
            closed.append(True)

    class Broken(Numbered):
        async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
            raise error

    with pytest.raises(type(error)):
        await rounds(Broken(), {1: plan(), 2: plan()}, AT)
    assert closed == [True, True]
