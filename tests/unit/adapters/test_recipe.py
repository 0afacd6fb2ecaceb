"""What a recipe may say, what is told of a wrong one, and how its answers become holdings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from indexer.adapters.recipes.join import joined
from indexer.adapters.recipes.signature import find, parse_event, parse_function
from indexer.adapters.registry import ParamErrors, adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Bucket, Found, Hash, Holding, Log, LogQuery, Status
from indexer.reads.plan import Answer, Ask, Call, Failed
from indexer.testing import Contracts, drive

AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)


def addr(n: int) -> Address:
    return Address(f"0x{n:040x}")


CHEF, OTHER, A, B, C, SHARE = (addr(n) for n in range(1, 7))
POOL = {"name": "pool", "on": "chef", "count": "length()(uint256)", "item": "info(uint256)(address token, uint256 sum)"}
KEPT = {**POOL, "keep": True}
HELD = {"token": "pool.token", "owner": "chef"}


def recipe(steps: Sequence[dict[str, Any]] = (POOL,), holdings: Any = (HELD,), **more: Any) -> dict[str, Any]:
    return {"contracts": {"chef": CHEF}, "steps": list(steps), "holdings": list(holdings), **more}


def step(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "on": "chef", **keys}


def find_all(values: dict[str, Any], answer: Any, known: Sequence[Found] = (), at: BlockRef = AT) -> list[Found]:
    return drive(adapter("recipe").discover(parse_params("recipe", values), known, 1, at), answer)


def read(values: dict[str, Any], answer: Any, found: Sequence[Found] = ()) -> list[Holding]:
    source = Contracts(answer) if isinstance(answer, dict) else answer
    return drive(adapter("recipe").read(parse_params("recipe", values), found, AT), source)


def problems(values: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ParamErrors) as caught:
        parse_params("recipe", values)
    return dict(caught.value.problems)


def by_index(items: Sequence[Answer]) -> Any:
    return lambda call: items[int.from_bytes(call.data[-32:], "big")]


def token(balance: Answer) -> dict[str, Any]:
    return {"balanceOf": balance}


def amounts(holdings: Sequence[Holding]) -> dict[tuple[str, str], int | None]:
    return {(h.token, h.owner): h.amount for h in holdings}


# what is told of a wrong recipe


def test_all_problems_of_a_recipe_are_told_at_once_and_where_they_stand() -> None:
    steps = [
        {**POOL, "item": "info(uint256)(adress)"},
        step("a", get="x(uint256)(address)"),
        step("b", get="y()(uint256)", on="cheff"),
        step("c", list="z()(uint256)"),
    ]
    told = problems(recipe(steps, [{"token": "nothing", "owner": "chef"}]))
    assert told == {
        ("steps", 0, "item"): "not an ABI type: 'adress'; such as uint256, address, bytes32, string, (…), …[]",
        ("steps", 1, "get"): "takes 1 arguments (uint256) and is given 0",
        ("steps", 2, "on"): "no 'cheff' before this; there is: native, chef, pool, a",
        ("steps", 3, "list"): "answers no list: expected such as z()(address[])",
        ("holdings", 0, "token"): "no 'nothing' before this; there is: native, chef, pool, a, b, c",
    }


@pytest.mark.parametrize(
    ("changed", "where", "sentence"),
    [
        ({"holdings": [{"token": "pool.sum", "owner": "chef"}]}, ("holdings", 0, "token"), "is uint256, where address"),
        ({"holdings": [{"token": "pool", "owner": "chef"}]}, ("holdings", 0, "token"), "has several values"),
        ({"holdings": [{"token": "pool.x", "owner": "chef"}]}, ("holdings", 0, "token"), "has no 'x'; there is: token"),
        ({"holdings": [{"token": "chef", "amount": "pool.token"}]}, ("holdings", 0, "amount"), "where an integer"),
        ({"holdings": [{"token": "chef"}]}, ("holdings", 0), "give owner"),
        ({"holdings": [{**HELD, "bucket": "borrowed"}]}, ("holdings", 0), "held, not owed"),
        ({"holdings": [{**HELD, "own": "nobody"}]}, ("holdings", 0, "own"), "no contracts 'nobody'"),
        ({"holdings": []}, ("holdings",), "at least one"),
        ({"contracts": {"chef": CHEF, "unused": A}}, ("contracts", "unused"), "is used nowhere"),
        ({"contracts": {"chef": "0x12"}}, ("contracts", "chef"), "not an address"),
        ({"contracts": {"chef": [{"a": A}, {"b": B}]}}, ("contracts", "chef"), "same keys"),
        ({"contracts": {"chef": [A, A]}}, ("contracts", "chef"), "listed twice"),
        ({"contracts": {"chef": [{}]}}, ("contracts", "chef"), "expected tables"),
        ({"max_items": 0}, ("max_items",), "greater than or equal to 1"),
        ({"surprise": 1}, ("surprise",), "unknown key"),
    ],
)
def test_a_wrong_recipe_is_told_what_would_be_right(changed: Any, where: Any, sentence: str) -> None:
    assert sentence in problems({**recipe(), **changed})[where]


@pytest.mark.parametrize(
    ("wrong", "where", "sentence"),
    [
        (step("x"), (), "exactly one of: get, list, count"),
        (step("x", count="n()(uint256)"), (), "count and item go together"),
        (step("x", get="a()(address)", event="B(address b)"), (), "exactly one"),
        (step("x", event="B(address b)", keep=True), (), "always kept"),
        (step("x", get="a()"), ("get",), "not a signature"),
        (step("x", count="n()(address)", item="i(uint256)(address)"), ("count",), "answers address for a count"),
        (step("x", count="n()(uint256)", item="i()(address)"), ("item",), "takes 0 arguments"),
        (step("x", get="a(address)(address)", args=[5]), ("get",), "takes address where it is given uint256"),
        (step("x", get="a(uint8)(address)", args=["0x12"]), ("args", 0), "not an address"),
        (step("x", event="B(address indexed a, bool indexed b, bool indexed c, bool indexed d)"), ("event",), "three"),
        (step("x", get="a()(address)", where={"": "pool.token"}), ("where", ""), "expected contracts, or a literal"),
        (step("x", get="a()(bool)", where={"": 1}), ("where", ""), "of type bool"),
        (step("x", get="a()(address)", given=["y"]), ("given", 0), "no 'y' before this"),
        (step("chef", get="a()(address)"), ("name",), "stands for something else"),
        (step("x", event="B(address b)", on="pool.token"), ("on",), "searched for once"),
        (step("x", list="l()(address[])", keep=True), ("keep",), "can be kept"),
        (step("X", get="a()(address)"), ("name",), "pattern"),
    ],
)
def test_a_wrong_step_is_told_what_would_be_right(wrong: Any, where: Any, sentence: str) -> None:
    used = {"token": wrong["name"], "owner": "chef"}
    assert sentence in problems(recipe([POOL, wrong], [HELD, used]))["steps", 1, *where]


def test_a_step_that_leads_to_no_holding_is_a_problem() -> None:
    assert problems(recipe([POOL, step("x", get="a()(address)")])) == {("steps", 1): "'x' leads to no holding"}


def test_an_amount_is_never_a_kept_answer() -> None:
    values = recipe([KEPT], [{"token": "pool.token", "amount": "pool.sum"}])
    assert "not read at its block" in problems(values)["holdings", 0, "amount"]


def test_an_amount_of_an_event_is_no_amount_at_a_block() -> None:
    made = step("made", event="Made(address token, uint256 sum)")
    told = problems(recipe([made], [{"token": "made.token", "amount": "made.sum"}]))
    assert "no amount at a block" in told["holdings", 0, "amount"]


def test_names_with_sources_of_different_kinds_cannot_be_combined() -> None:
    """Which asset belongs to which total could not be told."""
    steps = [
        step("one", list="one()(address[])"),
        step("two", list="two()(address[])"),
        step("asset", get="asset()(address)", on="one"),
        step("asset", get="asset()(address)", on="two"),
        step("total", get="total()(uint256)", on="one"),
        step("total", get="total()(uint256)", on="two"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "amount": "total", "owner": "chef"}]))
    assert "build both on one name" in told["holdings", 0]


def test_a_value_that_only_some_sources_have_cannot_be_used_beside_all() -> None:
    steps = [
        step("one", list="one()(address[])"),
        step("two", list="two()(address[])"),
        {"name": "vault", "same_as": "one"},
        {"name": "vault", "same_as": "two"},
        step("asset", get="asset()(address)", on="vault"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "owner": "one"}]))
    assert "'asset' and 'one' have sources of different kinds" in told["holdings", 0]


def test_a_source_that_comes_after_the_use_of_its_name_is_a_problem() -> None:
    steps = [
        step("vault", list="one()(address[])"),
        step("asset", get="asset()(address)", on="vault"),
        step("vault", list="two()(address[])"),
    ]
    told = problems(recipe(steps, [{"token": "asset", "owner": "vault"}]))
    assert told == {("steps", 2, "name"): "'vault' is used already: all its sources stand before that"}


def test_sources_of_sources_are_bounded() -> None:
    steps = [step("a0", list="l()(address[])")]
    for i in range(8):
        steps += [step(f"{way}{i}", get="g()(address)") for way in ("one", "two")]
        steps += [step(f"a{i + 1}", get="h()(address)", on=f"a{i}", given=[f"{way}{i}"]) for way in ("one", "two")]
    told = problems(recipe(steps, [{"token": "a8", "owner": "chef"}]))
    assert all("in more than 64 ways" in sentence for sentence in told.values())


# how answers become holdings


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

MADE = step("made", event="Made(address indexed token, bytes32 indexed kind, uint256 n, string name)")
MADE_TOPIC = Hash("0x" + keccak(b"Made(address,bytes32,uint256,string)").hex())
FROM_LOGS = {"token": "made.token", "owner": "chef"}


def made(what: Address, block: int, index: int = 0, kind: int = 1, data: bytes | None = None) -> Log:
    body = encode(["uint256", "string"], [2**200, "x"]) if data is None else data
    topics = (MADE_TOPIC, Hash("0x" + what[2:].rjust(64, "0")), Hash(f"0x{kind:064x}"))
    return Log(CHEF, topics, body, block, AT.hash, Hash("0x" + "03" * 32), index)


def node(logs: Sequence[Log], table: dict[Address, Any], asked: list[Ask] | None = None) -> Any:
    contracts = Contracts(table)

    def answer(ask: Ask) -> Answer:
        if asked is not None:
            asked.append(ask)
        if not isinstance(ask, LogQuery):
            return contracts(ask)
        return [log for log in logs if ask.from_block <= log.block_number <= ask.to_block]

    return answer


def test_an_item_of_an_event_is_found_at_its_block_and_not_read_before() -> None:
    values = recipe([MADE], [FROM_LOGS])
    found = find_all(values, node([made(A, 50), made(B, 90)], {}))
    assert [item.block for item in found] == [50, 90]
    early = BlockRef(60, AT.hash, AT.parent_hash, 1)
    plan = adapter("recipe").read(parse_params("recipe", values), found, early)
    assert amounts(drive(plan, Contracts({A: token(1), B: token(2)}))) == {(A, CHEF): 1}


def test_a_filter_on_an_indexed_value_is_asked_of_the_node() -> None:
    asked: list[Ask] = []
    wanted = {"kind": "0x" + "00" * 31 + "07", "token": ["chef", B]}
    find_all(recipe([{**MADE, "where": wanted}], [FROM_LOGS]), node([], {}, asked))
    tokens = tuple(sorted(Hash("0x" + one[2:].rjust(64, "0")) for one in (CHEF, B)))
    assert asked == [LogQuery((CHEF,), ((MADE_TOPIC,), tokens, (Hash("0x" + "00" * 31 + "07"),)), 1, 100)]


def test_a_filter_on_a_plain_value_leaves_logs_out() -> None:
    values = recipe([{**MADE, "where": {"n": 5}}], [FROM_LOGS])
    logs = [made(A, 50, data=encode(["uint256", "string"], [5, "x"])), made(B, 51)]
    assert len(find_all(values, node(logs, {}))) == 1


@pytest.mark.parametrize("data", [b"", b"\xff" * 64], ids=["short", "dirty"])
def test_a_log_of_another_layout_is_an_error_with_the_transaction(data: bytes) -> None:
    with pytest.raises(CallFailed, match=r"is not the event of 'made'.*0x0303"):
        find_all(recipe([MADE], [FROM_LOGS]), node([made(A, 50, data=data)], {}))


def test_logs_that_cannot_be_had_stop_the_discovery() -> None:
    with pytest.raises(CallFailed, match="range too wide"):
        find_all(recipe([MADE], [FROM_LOGS]), lambda _: Failed(Status.HELD, "range too wide"))


def test_no_log_at_all_is_no_total() -> None:
    with pytest.raises(CallFailed, match="no log gave a 'made' yet"):
        read(recipe([MADE], [FROM_LOGS]), {})


def test_what_an_event_named_can_be_asked_and_kept_in_the_same_discovery() -> None:
    values = recipe([MADE, step("inner", on="made.token", get="inner()(address)", keep=True)])
    values["holdings"] = [{"token": "inner", "owner": "made.token"}]
    table = {A: {"inner": C}, C: token(8)}
    found = find_all(values, node([made(A, 50)], table))
    assert len(found) == 2
    assert find_all(values, node([], table), found) == []
    world = Contracts(table)
    assert amounts(read(values, world, found)) == {(C, A): 8}
    assert len(world.asked) == 1


def test_a_factory_of_factories_is_followed() -> None:
    values = recipe([MADE, {**step("inner", event="Made2(address pool)"), "on": "made.token"}])
    values["holdings"] = [{"token": "inner", "owner": "made.token"}]
    inner = Log(A, (Hash("0x" + keccak(b"Made2(address)").hex()),), encode(["address"], [C]), 60, AT.hash, AT.hash, 1)

    def answer(ask: Ask) -> Answer:
        assert isinstance(ask, LogQuery)
        return [log for log in (made(A, 50), inner) if log.address in ask.addresses]

    found = find_all(values, answer)
    assert amounts(read(values, {C: token(8)}, found)) == {(C, A): 8}


# signatures and joins


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a()(uint)", "a()(uint256)"),
        ("function a(uint256 _pid, address) external view returns (address lp, uint16[2] x)", None),
        (
            "a((address x, (uint8, bool)[] y)[3] z)(tuple(address a)[] items)",
            "a((address,(uint8,bool)[])[3])((address)[])",
        ),
    ],
)
def test_a_signature_is_read_in_short_and_as_solidity_writes_it(text: str, canonical: str | None) -> None:
    assert parse_function(text).text == (canonical or "a(uint256,address)(address,uint16[2])")


@pytest.mark.parametrize("text", ["", "a", "a(", "a()()", "a()(b)", "a()(address x y)", "1()(bool)", "a()(bool) more"])
def test_text_that_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"signature|type|parameter"):
        parse_function(text)


def test_a_signature_of_any_length_is_not_read() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_function("a(" * 5_000)


def test_a_value_is_found_by_names_and_places() -> None:
    fields = parse_event("E(((string key, address value)[] items, bool b) data, address[2] pair)").outputs
    assert find(fields, ["data", "items", "2", "value"])[0] == (0, 0, 2, 1)
    assert find(fields, ["pair", "1"])[1].type == "address"
    assert find(fields, ["0", "1"])[1].type == "bool"
    with pytest.raises(ValueError, match="has no 'x'"):
        find(fields, ["data", "x"])


@given(st.text(alphabet="ab()[],0 uint256address", max_size=60))
def test_no_text_breaks_the_reading_of_signatures(text: str) -> None:
    with suppress(ValueError):
        assert parse_function(text).outputs


rows = st.lists(st.fixed_dictionaries({"k": st.integers(0, 3)}, optional={"a": st.integers(0, 2)}), max_size=6)
others = st.lists(st.fixed_dictionaries({"k": st.integers(0, 3), "b": st.integers(0, 9)}), max_size=6)


@given(rows, others)
def test_rows_are_joined_where_what_they_share_agrees(left: list[dict[str, int]], right: list[dict[str, int]]) -> None:
    plain = [{**one, **other} for one in left for other in right if one["k"] == other["k"]]
    got = joined([left, right], 1_000)
    assert sorted(map(repr, map(sorted, map(dict.items, got)))) == sorted(
        map(repr, map(sorted, map(dict.items, plain)))
    )


def test_parameters_are_told_again_as_they_were_given() -> None:
    """As the store keeps them: a change of them is seen, and nothing else is."""
    values = recipe(exclude=[B])
    again = parse_params("recipe", values).model_dump(mode="json", exclude_defaults=True)
    assert parse_params("recipe", again).model_dump(mode="json", exclude_defaults=True) == again


WORDS = [
    "chef",
    "pool",
    "pool.token",
    "pool.0.0",
    "native",
    "",
    ".",
    "a b",
    "0x12",
    "²",
    CHEF,
    True,
    -1,
    2**300,
    None,
    [],
]
SIGNATURES = [
    "length()(uint256)",
    "info(uint256)(address token)",
    "l()((address a)[])",
    "E(address indexed a)",
    "f(",
    5,
]
steps_of_words = st.fixed_dictionaries(
    {"name": st.sampled_from(WORDS)},
    optional={
        **dict.fromkeys(("on", "same_as", "keep"), st.sampled_from(WORDS)),
        **dict.fromkeys(("get", "list", "count", "item", "event"), st.sampled_from(SIGNATURES)),
        "args": st.lists(st.sampled_from(WORDS), max_size=2),
        "where": st.dictionaries(st.sampled_from(["", "token", "x"]), st.sampled_from(WORDS), max_size=1),
        "given": st.lists(st.sampled_from(WORDS), max_size=1),
    },
)
holdings_of_words = st.dictionaries(
    st.sampled_from(["token", "owner", "amount", "receipt", "own", "bucket"]), st.sampled_from(WORDS), max_size=4
)


@given(st.lists(steps_of_words, max_size=3), st.lists(holdings_of_words, max_size=2))
def test_no_recipe_of_any_words_breaks_its_check(steps: list[Any], holdings: list[Any]) -> None:
    with suppress(ParamErrors):
        assert parse_params("recipe", recipe([POOL, *steps], [HELD, *holdings]))
