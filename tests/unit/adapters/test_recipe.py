"""How the answers of a recipe become holdings, and what it keeps of them."""

from __future__ import annotations

import pytest

from indexer.adapters.registry import parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Bucket, Status
from indexer.reads.plan import Call, Failed
from indexer.testing import Contracts
from tests.unit.adapters.recipe_values import (
    CHEF,
    HELD,
    KEPT,
    OTHER,
    POOL,
    SHARE,
    A,
    B,
    C,
    amounts,
    by_index,
    find_all,
    read,
    recipe,
    step,
    token,
)


def test_kept_items_are_asked_once_and_their_count_at_every_block() -> None:
    table = {CHEF: {"length": 2, "info": by_index([(A, 1), (B, 2)])}, A: token(10), B: token(20)}
    found = find_all(recipe([KEPT]), Contracts(table))
    world = Contracts(table)
    assert amounts(read(recipe([KEPT]), world, found)) == {(A, CHEF): 10, (B, CHEF): 20}
    assert [ask.function.name for ask in world.asked if isinstance(ask, Call)] == ["length", "balanceOf", "balanceOf"]


def test_an_item_that_discovery_missed_is_asked_when_it_is_read() -> None:
    table = {CHEF: {"length": 2, "info": by_index([(A, 1), (B, 2)])}, A: token(10), B: token(20)}
    assert amounts(read(recipe([KEPT]), table)) == {(A, CHEF): 10, (B, CHEF): 20}


def test_a_list_that_fills_its_gaps_is_read_as_it_stands() -> None:
    """Its last item moved to where another one was taken out: nothing of the old order is remembered."""
    before = {CHEF: {"length": 3, "info": by_index([(A, 1), (B, 2), (C, 3)])}}
    assert find_all(recipe(), Contracts(before)) == []
    after = {CHEF: {"length": 2, "info": by_index([(C, 3), (B, 2)])}, B: token(20), C: token(30)}
    assert amounts(read(recipe(), after)) == {(C, CHEF): 30, (B, CHEF): 20}


def test_what_is_kept_may_build_on_what_is_not() -> None:
    steps = [step("pair", list="pairs()(address[])"), step("one", on="pair", get="token0()(address)", keep=True)]
    values = recipe(steps, [{"token": "one", "owner": "pair"}])
    table = {CHEF: {"pairs": (A,)}, A: {"token0": C}, C: token(8)}
    found = find_all(values, Contracts(table))
    world = Contracts(table)
    assert amounts(read(values, world, found)) == {(C, A): 8}
    assert [ask.function.name for ask in world.asked if isinstance(ask, Call)] == ["pairs", "balanceOf"]


def test_a_step_with_other_parts_does_not_take_what_was_kept_for_another() -> None:
    table = {CHEF: {"length": 1, "info": by_index([(A, B)])}, A: token(1), B: token(2)}
    wide = {**KEPT, "item": "info(uint256)(address token, address other)"}
    found = find_all(recipe([wide]), Contracts(table))
    other = recipe([wide], [{"token": "pool.other", "owner": "chef"}])
    assert amounts(read(other, table, found)) == {(B, CHEF): 2}


def test_more_items_than_allowed_are_an_error_and_not_a_smaller_total() -> None:
    table = {CHEF: {"length": 3, "info": by_index([(A, 1)] * 3)}, A: token(10)}
    with pytest.raises(CallFailed, match="says it has 3 of 'pool', more than max_items"):
        read(recipe(max_items=2), table)


@pytest.mark.parametrize("length", [2**256 - 1, 10**9])
def test_an_absurd_count_asks_for_nothing(length: int) -> None:
    world = Contracts({CHEF: {"length": length}})
    with pytest.raises(CallFailed, match="max_items"):
        read(recipe(), world)
    assert len(world.asked) == 1


def test_more_combinations_than_allowed_are_an_error() -> None:
    steps = [step("one", list="one()(address[])"), step("two", list="two()(address[])")]
    values = recipe(steps, [{"token": "one", "owner": "two"}], max_items=5)
    with pytest.raises(CallFailed, match="more than 5 combinations"):
        read(values, {CHEF: {"one": (A, B, C), "two": (A, B)}})


def test_every_token_of_a_list_is_combined_with_every_owner_of_another() -> None:
    steps = [step("one", list="one()(address[])"), step("two", list="two()(address[])")]
    values = recipe(steps, [{"token": "one", "owner": "two"}])
    table = {CHEF: {"one": (A, B), "two": (C, SHARE)}, A: token(1), B: token(2)}
    assert amounts(read(values, table)) == {(A, C): 1, (A, SHARE): 1, (B, C): 2, (B, SHARE): 2}


def test_a_list_belongs_to_the_contract_that_answered_it() -> None:
    values = recipe([step("token", list="tokens()(address[])")], [{"token": "token", "owner": "chef"}])
    values["contracts"] = {"chef": [CHEF, OTHER]}
    table = {CHEF: {"tokens": (A,)}, OTHER: {"tokens": (B,)}, A: token(1), B: token(2)}
    assert amounts(read(values, table)) == {(A, CHEF): 1, (B, OTHER): 2}


def test_amounts_of_one_token_add_up_and_the_same_answer_is_counted_once() -> None:
    """Positions 0 and 1 are two amounts, though equal; a vault that is listed twice is one."""
    sums = recipe(holdings=[{"token": "pool.token", "amount": "pool.sum"}])
    assert amounts(read(sums, {CHEF: {"length": 2, "info": by_index([(A, 9), (A, 9)])}})) == {(A, CHEF): 18}
    steps = [step("vault", list="vaults()(address[])"), step("total", get="total()(uint256)", on="vault")]
    listed = recipe(steps, [{"token": "chef", "amount": "total"}])
    assert amounts(read(listed, {CHEF: {"vaults": (A, A)}, A: {"total": 7}})) == {(CHEF, A): 7}


def test_one_amount_that_fails_holds_the_sum() -> None:
    sums = recipe(holdings=[{"token": "chef", "amount": "pool.sum"}])
    infos = by_index([(A, 9), Failed(Status.HELD, "reverted")])
    (holding,) = read(sums, {CHEF: {"length": 2, "info": infos}})
    assert (holding.token, holding.amount, holding.status) == (CHEF, None, Status.HELD)


def test_what_cannot_be_had_stands_under_the_contract_that_was_asked() -> None:
    steps = [POOL, step("total", get="total()(uint256)", on="pool.token")]
    values = recipe(steps, [{"token": "total_of", "owner": "chef"}])
    values["steps"].append(step("total_of", get="asset()(address)", on="pool.token"))
    values["holdings"] = [{"token": "total_of", "amount": "total", "receipt": "pool.token"}]
    table = {
        CHEF: {"length": 3, "info": by_index([(A, 1), (B, 1), Failed(Status.HELD, "no such pool")])},
        A: {"total": 5, "asset": C},
        B: {"total": 6},
    }
    held = {h.owner: h for h in read(values, table)}
    assert (held[A].token, held[A].amount, held[A].receipt) == (C, 5, A)
    assert (held[B].token, held[B].amount, held[B].reason) == (B, None, "execution reverted")
    assert (held[CHEF].amount, held[CHEF].reason) == (None, "no such pool")


def test_what_is_missing_of_a_token_in_itself_holds_what_is_known_of_it() -> None:
    """A contract that stands in for an unknown token is the token and owner of another amount."""
    steps = [step("a", get="a()(uint256)"), step("t", get="t()(address)")]
    values = recipe(steps, [{"token": "chef", "amount": "a"}, {"token": "t", "amount": "a"}])
    (holding,) = read(values, {CHEF: {"a": 5}})
    assert (holding.token, holding.owner, holding.amount) == (CHEF, CHEF, None)


@pytest.mark.parametrize(
    ("answer", "more", "token_", "status"),
    [
        (NATIVE, {}, CHEF, Status.MALFORMED),
        (NATIVE, {"zero_is_native": True}, NATIVE, Status.OK),
        ("0x" + "ee" * 20, {}, NATIVE, Status.OK),
    ],
)
def test_zero_is_the_native_coin_only_where_the_recipe_says_so(
    answer: str, more: dict[str, bool], token_: str, status: Status
) -> None:
    values = recipe([step("token", get="token()(address)"), step("sum", get="sum()(uint256)")])
    values["holdings"] = [{"token": "token", "amount": "sum", **more}]
    (holding,) = read(values, {CHEF: {"token": answer, "sum": 4}})
    assert (holding.token, holding.status) == (token_, status)


def test_a_negative_amount_is_malformed() -> None:
    values = recipe([step("sum", get="sum()(int256)")], [{"token": "native", "amount": "sum"}])
    (holding,) = read(values, {CHEF: {"sum": -4}})
    assert (holding.status, holding.reason) == (Status.MALFORMED, "a negative amount: -4")


def test_lists_of_different_lengths_are_malformed() -> None:
    values = recipe([step("part", list="parts()(address[] tokens, uint256[] sums)")])
    values["holdings"] = [{"token": "part.tokens", "amount": "part.sums"}]
    (holding,) = read(values, {CHEF: {"parts": ((A, B), (1,))}})
    assert (holding.token, holding.status) == (CHEF, Status.MALFORMED)
    assert amounts(read(values, {CHEF: {"parts": ((A, B), (1, 2))}})) == {(A, CHEF): 1, (B, CHEF): 2}


def test_a_filter_keeps_what_it_names_and_what_cannot_be_had() -> None:
    listed = step("pool", list="pools()(address[])")
    steps = [listed, step("open", get="isOpen()(bool)", on="pool", where={"": True})]
    steps.append({"name": "wanted", "same_as": "pool", "given": ["open"]})
    values = recipe(steps, [{"token": "wanted", "owner": "chef"}])
    world = {CHEF: {"pools": (A, B, C)}, A: {"isOpen": True, **token(1)}, B: {"isOpen": False, **token(2)}, C: token(3)}
    assert amounts(read(values, world)) == {(A, CHEF): 1, (C, CHEF): 3}


def test_an_excluded_address_is_left_out_wherever_it_stands() -> None:
    table = {CHEF: {"length": 3, "info": by_index([(A, 1), (NATIVE, 2), (B, 3)])}, A: token(10), B: token(20)}
    assert amounts(read(recipe(exclude=[NATIVE, B]), table)) == {(A, CHEF): 10}


def test_own_tokens_are_staked_and_their_pairs_are_pool2() -> None:
    values = {**recipe(holdings=[{**HELD, "own": "own"}]), "contracts": {"chef": CHEF, "own": [A]}}
    table = {
        CHEF: {"length": 3, "info": by_index([(A, 1), (B, 1), (C, 1)])},
        A: token(10),
        B: {**token(20), "token0": A, "token1": C},
        C: token(30),
    }
    assert {h.token: h.bucket for h in read(values, table)} == {A: Bucket.STAKING, B: Bucket.POOL2, C: Bucket.BASE}


def test_half_a_pair_is_not_guessed() -> None:
    values = {**recipe(holdings=[{**HELD, "own": "own"}]), "contracts": {"chef": CHEF, "own": [A]}}
    table = {CHEF: {"length": 1, "info": by_index([(B, 1)])}, B: {**token(20), "token0": C}}
    (holding,) = read(values, table)
    assert (holding.token, holding.amount) == (B, None)


# events


def test_parameters_are_told_again_as_they_were_given() -> None:
    """As the store keeps them: a change of them is seen, and nothing else is."""
    values = recipe(exclude=[B])
    again = parse_params("recipe", values).model_dump(mode="json", exclude_defaults=True)
    assert parse_params("recipe", again).model_dump(mode="json", exclude_defaults=True) == again
