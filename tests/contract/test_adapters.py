"""What every adapter promises, whatever its kind. A new kind is added by a case in `kind_worlds` or beside it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer.adapters
from indexer.adapters.base import Adapter, Params
from indexer.adapters.registry import ParamErrors, adapter, kinds, parse_params
from indexer.errors import IndexerError
from indexer.model import NATIVE, Found, Holding, Status
from indexer.reads.plan import Answer, Ask, Call, Failed, LogQuery, NativeBalance
from indexer.testing import drive
from tests.contract.kind_worlds import CASES as OTHERS
from tests.contract.kind_worlds import EARLY, LATE, Case, block
from tests.contract.lending_worlds import LENDING
from tests.contract.recipe_worlds import RECIPES

MODULES = sorted(Path(indexer.adapters.__file__).parent.rglob("*.py"))
OUT_OF_REACH = ("indexer.chain", "indexer.store", "indexer.run", "aiohttp", "web3", "socket", "sqlalchemy", "asyncio")

FAILURES = [Failed(Status.MISSING, "no code"), Failed(Status.HELD, "reverted"), Failed(Status.MALFORMED, "5 bytes")]

CASES = [*OTHERS, *LENDING, *RECIPES]

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def find(case: Case, number: int, known: Sequence[Found] = (), from_block: int = 1) -> list[Found]:
    plan = adapter(case.kind).discover(params_of(case), known, from_block, block(number))
    return drive(plan, case.world(number))


def read(
    case: Case, number: int, found: Sequence[Found], answer: Callable[[Ask], Answer] | None = None
) -> list[Holding]:
    plan = adapter(case.kind).read(params_of(case), found, block(number))
    return drive(plan, answer or case.world(number))


def params_of(case: Case) -> Params:
    return parse_params(case.kind, case.params)


def amounts(holdings: Sequence[Holding]) -> dict[tuple[str, str, str], int]:
    return {(h.token, h.owner, h.bucket): h.amount for h in holdings if h.amount is not None}


def assert_well_formed(holdings: Sequence[Holding]) -> None:
    keys = [(h.token, h.owner, h.bucket) for h in holdings]
    assert len(set(keys)) == len(keys), "two holdings with one key"
    for holding in holdings:
        assert (holding.amount is None) == (holding.status is not Status.OK)
        assert holding.amount is None or holding.amount >= 0
        assert bool(holding.reason) == (holding.amount is None)


def contents(found: Sequence[Found]) -> set[str]:
    return {json.dumps([item.key, dict(item.data)], sort_keys=True) for item in found}


def test_every_kind_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(kinds())


@pytest.mark.parametrize("kind", kinds())
def test_a_kind_says_what_it_is(kind: str) -> None:
    one = adapter(kind)
    assert isinstance(one, Adapter)
    assert (one.kind, one.version >= 1) == (kind, True)
    assert one.counts.endswith(".")
    assert type(one).__doc__
    assert all(field.description for field in one.params.model_fields.values())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_of_the_room_can_reach_a_node_or_a_database(path: Path) -> None:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    imported = [
        name
        for node in tree
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    assert not [name for name in imported if name.startswith(OUT_OF_REACH)]


@every_case
def test_an_unknown_key_is_refused_where_it_stands(case: Case) -> None:
    with pytest.raises(ParamErrors) as caught:
        parse_params(case.kind, {**case.params, "surprise": 1})
    assert [path for path, _ in caught.value.problems] == [("surprise",)]


@every_case
def test_parameters_are_values_that_can_stand_in_a_set(case: Case) -> None:
    assert len({params_of(case), params_of(case)}) == 1


@every_case
def test_a_reading_of_a_healthy_world_has_every_amount(case: Case) -> None:
    holdings = read(case, EARLY, find(case, EARLY))
    assert_well_formed(holdings)
    assert holdings
    assert {h.status for h in holdings} == {Status.OK}


@every_case
def test_a_plan_asks_only_what_can_be_asked(case: Case) -> None:
    world = case.world(LATE)
    one, at = adapter(case.kind), block(LATE)
    found = drive(one.discover(params_of(case), [], 1, at), world)
    drive(one.read(params_of(case), found, at), world)
    assert {type(ask) for ask in world.asked} <= {Call, NativeBalance, LogQuery}


@every_case
def test_no_question_of_a_round_is_asked_twice(case: Case) -> None:
    found = find(case, LATE)
    world = case.world(LATE)
    read(case, LATE, found, world)
    assert len(set(world.asked)) == len(world.asked)


@every_case
def test_the_same_answers_give_the_same_holdings(case: Case) -> None:
    found = find(case, LATE)
    assert read(case, LATE, found) == read(case, LATE, found)


@every_case
def test_the_order_of_discoveries_changes_no_holding(case: Case) -> None:
    found = find(case, LATE)
    there, back = read(case, LATE, found), read(case, LATE, found[::-1])
    assert set(there) == set(back)
    assert len(there) == len(back)


@every_case
def test_what_was_known_and_its_extension_are_what_is_found_afresh(case: Case) -> None:
    known = find(case, EARLY)
    new = find(case, LATE, known, EARLY + 1)
    keys = [item.key for item in (*known, *new)]
    assert len(set(keys)) == len(keys)
    assert contents([*known, *new]) == contents(find(case, LATE))


@every_case
def test_nothing_is_found_twice(case: Case) -> None:
    assert find(case, LATE, find(case, LATE)) == []


@every_case
def test_discoveries_are_values_of_json(case: Case) -> None:
    found = find(case, LATE)
    again = [Found(item.key, item.block, json.loads(json.dumps(dict(item.data)))) for item in found]
    assert again == found
    assert all(type(value) in (str, int, bool) for item in found for value in item.data.values())


@every_case
def test_what_was_found_later_does_not_change_an_earlier_reading(case: Case) -> None:
    early = find(case, EARLY)
    later = [*early, *find(case, LATE, early, EARLY + 1)]
    assert set(read(case, EARLY, later)) == set(read(case, EARLY, early))


@every_case
def test_a_reading_with_too_few_discoveries_is_never_a_smaller_total(case: Case) -> None:
    """Logs cannot be counted: a kind that is found by logs relies on the engine to search up to the block."""
    if case.world(LATE).logs:
        pytest.skip("found by logs")
    whole = amounts(read(case, LATE, find(case, LATE)))
    try:
        partial = read(case, LATE, find(case, EARLY))
    except IndexerError:
        return
    assert amounts(partial) == whole or {h.status for h in partial} != {Status.OK}


@every_case
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.status)
def test_one_answer_that_fails_is_seen_and_spoils_no_other_amount(case: Case, failure: Failed) -> None:
    found = find(case, LATE)
    world = case.world(LATE)
    whole = amounts(read(case, LATE, found, world))
    for broken in list(world.asked):
        check_one_failure(case, found, whole, broken, failure)


def check_one_failure(
    case: Case, found: Sequence[Found], whole: dict[tuple[str, str, str], int], broken: Ask, failure: Failed
) -> None:
    world = case.world(LATE)
    try:
        holdings = read(case, LATE, found, lambda ask: failure if ask == broken else world(ask))
    except IndexerError:
        return
    assert_well_formed(holdings)
    got = amounts(holdings)
    assert got.items() <= whole.items(), "a failure turned into another amount"
    failing = [h for h in holdings if h.amount is None]
    assert got == whole or failing, "a failure made the total smaller in silence"
    assert {(h.status, h.reason) for h in failing} <= {(failure.status, failure.reason)}


@every_case
def test_before_anything_is_deployed_nothing_is_zero(case: Case) -> None:
    found = find(case, LATE)
    try:
        holdings = read(case, EARLY, found, lambda _: Failed(Status.MISSING, "no code"))
    except IndexerError:
        return
    assert {h.status for h in holdings} == {Status.MISSING}
    assert_well_formed(holdings)


@every_case
def test_a_discovery_in_which_one_answer_fails_finds_no_less_in_silence(case: Case) -> None:
    """What it does not find, it raises for, or the reading shows it."""
    world = case.world(LATE)
    drive(adapter(case.kind).discover(params_of(case), [], 1, block(LATE)), world)
    whole = amounts(read(case, LATE, find(case, LATE)))
    for broken in list(world.asked):
        for failure in FAILURES:
            check_one_failed_discovery(case, whole, broken, failure)


def check_one_failed_discovery(
    case: Case, whole: dict[tuple[str, str, str], int], broken: Ask, failure: Failed
) -> None:
    world = case.world(LATE)
    plan = adapter(case.kind).discover(params_of(case), [], 1, block(LATE))
    try:
        found = drive(plan, lambda ask: failure if ask == broken else world(ask))
        holdings = read(case, LATE, found)
    except IndexerError:
        return
    assert_well_formed(holdings)
    assert amounts(holdings) == whole or {h.status for h in holdings} != {Status.OK}


@every_case
@settings(deadline=None)
@given(script=st.lists(st.integers(0, 6), min_size=1, max_size=9))
def test_hostile_answers_end_in_holdings_or_in_an_error_with_a_name(case: Case, script: list[int]) -> None:
    """Answers of the right type and of the worst value, in any mixture with honest and failed ones."""
    count = 0
    world = case.world(LATE)

    def answer(ask: Ask) -> Answer:
        nonlocal count
        count += 1
        return worst(ask, world(ask), script[count % len(script)])

    one, at = adapter(case.kind), block(LATE)
    with suppress(IndexerError):
        found = drive(one.discover(params_of(case), [], 1, at), answer)
        assert_well_formed(drive(one.read(params_of(case), found, at), answer))


def worst(ask: Ask, honest: Answer, choice: int) -> Answer:
    if choice < 3:
        return FAILURES[choice] if choice else honest
    if isinstance(ask, LogQuery) or isinstance(honest, Failed):
        return honest
    return spoiled(honest, choice)


def spoiled(honest: Answer, choice: int) -> Answer:
    """The same type with the worst values: the largest number, the zero address, an address that is everywhere."""
    if isinstance(honest, tuple):
        return tuple(spoiled(item, choice) for item in honest)
    if isinstance(honest, str):
        return (NATIVE, "0x" + "ff" * 20, honest)[choice % 3]
    if isinstance(honest, bytes):
        return (b"\xff" * len(honest), bytes(len(honest)), honest[: len(honest) // 2])[choice % 3]
    return (2**256 - 1, 0, honest)[choice % 3]
