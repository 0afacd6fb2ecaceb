import pytest

from indexer.errors import CallFailed, WrongFork
from indexer.model import Address
from indexer.pricing.gather import gather, lockstep
from indexer.reads.abi import function
from indexer.testing import drive

TARGET = Address("0x" + "11" * 20)
ASK = {name: function(f"{name}()(uint256)")(TARGET) for name in "abcdef"}


def plan(*rounds: str):
    """Asks each text's letters as one round; its result is all the answers."""
    answers = []
    for letters in rounds:
        answers += yield [ASK[letter] for letter in letters]
    return "".join(answers)


def rounds_of(asking):
    asked = []
    try:
        asks = next(asking)
        while True:
            asked.append("".join(ask.function.name for ask in asks))
            asks = asking.send([ask.function.name for ask in asks])
    except StopIteration as stop:
        return asked, stop.value


def each(*plans):
    """Plans that ask in part the same, in lock-step."""
    outcomes = yield from lockstep(range(len(plans)), plans.__getitem__, lambda _: ())
    return [outcomes[i] for i in range(len(plans))]


def test_gathered_plans_advance_in_lock_step_and_each_gets_its_own_answers():
    asked, results = rounds_of(gather([plan("ab", "c"), plan("b", "ad", "e"), plan()]))
    assert asked == ["abb", "cad", "e"]
    assert results == ["abc", "bade", ""]


def test_plans_in_lock_step_ask_each_question_once():
    asked, results = rounds_of(each(plan("ab", "c"), plan("b", "ad", "e"), plan()))
    assert asked == ["ab", "cd", "e"]
    assert results == ["abc", "bade", ""]


def test_an_answer_that_another_plan_got_earlier_is_not_asked_again():
    assert rounds_of(each(plan("a", "b", "c"), plan("b", "a", "c")))[0] == ["ab", "c"]


def test_the_same_call_read_as_another_type_is_its_own_question():
    signed = function("a()(int256)")(TARGET)

    def asks_signed():
        return (yield [signed])

    assert drive(each(plan("a"), asks_signed()), lambda ask: ask.function.outputs[0]) == ["uint256", ["int256"]]


def test_what_a_result_names_is_started_once_and_at_once():
    def grown(letter: str):
        yield from plan(letter)
        return letter

    follow = {"a": "cd", "b": "d", "c": "", "d": ""}
    asked, results = rounds_of(lockstep("ab", grown, lambda letter: follow[letter]))
    assert asked == ["ab", "cd"]
    assert set(results) == set("abcd")


def failing(error: Exception):
    yield [ASK["a"]]
    raise error


def test_a_plan_that_fails_is_its_own_outcome_and_spoils_no_other():
    failed, good = drive(gather([failing(CallFailed("no")), plan("a")]), lambda ask: ask.function.name)
    assert isinstance(failed, CallFailed)
    assert good == "a"


def test_a_fault_in_a_plan_is_kept_as_a_failure_that_names_it():
    (failed,) = drive(gather([failing(ZeroDivisionError("oops\x00"))]), lambda ask: 1)
    assert failed.message == "ZeroDivisionError: oops"


def test_what_is_wrong_with_the_block_ends_all_plans():
    with pytest.raises(WrongFork):
        drive(gather([failing(WrongFork()), plan("a")]), lambda ask: 1)
