"""What is particular to each kind: the cases that its contracts, forks and attackers know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from indexer.adapters.base import PART
from indexer.adapters.numbered import POOLS_A_ROUND
from indexer.adapters.registry import adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Bucket, Found, Hash, Holding, Status
from indexer.reads.plan import Answer, Ask, Call, Failed, Log, LogQuery, NativeBalance, Plan
from indexer.testing import Contracts, drive

AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)


def addr(n: int) -> Address:
    return Address(f"0x{n:040x}")


FACTORY, PAIR, OTHER, A, B, VAULT, POOL, A_TOKEN, DEBT = (addr(n) for n in range(1, 10))


def read(kind: str, params: Mapping[str, Any], table: Any, found: list[Found] | None = None) -> list[Holding]:
    return drive(adapter(kind).read(parse_params(kind, params), found or [], AT), answering(table))


def find(kind: str, params: Mapping[str, Any], table: Any, known: list[Found] | None = None) -> list[Found]:
    return drive(adapter(kind).discover(parse_params(kind, params), known or [], 1, AT), answering(table))


def answering(table: Any) -> Any:
    return table if callable(table) else Contracts(table)


def pair(reserves: Answer = (10, 20, 0), token0: Address = A, token1: Address = B) -> dict[str, Any]:
    return {"token0": token0, "token1": token1, "getReserves": reserves}


# token_balances


def test_the_native_coin_is_asked_for_as_such() -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> int:
        asked.append(ask)
        return 5

    (held,) = read("token_balances", {"owners": [A], "tokens": [NATIVE]}, answer)
    assert asked == [NativeBalance(A)]
    assert (held.token, held.amount, held.owner) == (NATIVE, 5, A)


def test_balances_go_into_the_bucket_and_under_the_receipt_that_are_configured() -> None:
    params = {"owners": [A], "tokens": [B], "bucket": "staking", "receipt": OTHER}
    (held,) = read("token_balances", params, {B: {"balanceOf": 7}})
    assert (held.bucket, held.receipt) == (Bucket.STAKING, OTHER)


def test_in_pairs_each_owner_is_asked_for_its_own_tokens_only() -> None:
    def owners_number(ask: Call) -> int:
        return int.from_bytes(ask.data[-32:], "big")

    table = {A: {"balanceOf": owners_number}, B: {"balanceOf": owners_number}}
    held = read("token_balances", {"pairs": [[POOL, A], [VAULT, A], [VAULT, B]]}, table)
    assert [(h.owner, h.token, h.amount) for h in held] == [(POOL, A, 7), (VAULT, A, 6), (VAULT, B, 6)]


def test_an_excluded_token_is_not_asked_for() -> None:
    (held,) = read("token_balances", {"owners": [VAULT], "tokens": [A, B], "exclude": [B]}, {A: {"balanceOf": 3}})
    assert (held.token, held.amount) == (A, 3)


@pytest.mark.parametrize("amount", [2**256 - 1, 2**255])
def test_a_balance_that_no_token_can_have_is_held(amount: int) -> None:
    (held,) = read("token_balances", {"owners": [A], "tokens": [B]}, {B: {"balanceOf": amount}})
    assert (held.status, held.amount) == (Status.HELD, None)
    assert str(amount) in held.reason


def test_a_balance_of_nothing_is_zero_and_stands() -> None:
    (held,) = read("token_balances", {"owners": [A], "tokens": [B]}, {B: {"balanceOf": 0}})
    assert (held.status, held.amount) == (Status.OK, 0)


# uniswap_v2


def test_a_large_factory_is_discovered_in_bounded_rounds() -> None:
    """200 rounds are what the engine grants a plan."""
    count, new = 1_000_000, 5 * POOLS_A_ROUND
    plan = adapter("uniswap_v2").discover(parse_params("uniswap_v2", {"factory": FACTORY}), known_pairs(count), 1, AT)
    found, sizes = driven(plan, lambda ask: count + new if name_of(ask) == "allPairsLength" else pair_answer(ask))
    assert len(found) == new
    assert sizes == [1, *[POOLS_A_ROUND, 2 * POOLS_A_ROUND] * 5]
    assert 1 + 2 * PART // POOLS_A_ROUND < 200


def driven(plan: Plan[list[Found]], answer: Callable[[Ask], Answer]) -> tuple[list[Found], list[int]]:
    """A plan's result, and how many questions each of its rounds had."""
    sizes: list[int] = []
    try:
        asks = next(plan)
        while True:
            sizes.append(len(asks))
            asks = plan.send([answer(ask) for ask in asks])
    except StopIteration as stop:
        return stop.value, sizes


def known_pairs(count: int) -> list[Found]:
    return [Found(str(count - 1), 1, {"pool": PAIR, "index": count - 1, "token0": A, "token1": B})]


def name_of(ask: Ask) -> str:
    assert isinstance(ask, Call)
    return ask.function.name


def pair_answer(ask: Ask) -> Address:
    if isinstance(ask, Call) and ask.function.name == "allPairs":
        return addr(10_000 + int.from_bytes(ask.data[4:], "big"))
    return A if name_of(ask) == "token0" else B


def test_a_factory_of_impossible_size_is_refused_before_it_is_walked() -> None:
    with pytest.raises(CallFailed, match="says it has"):
        find("uniswap_v2", {"factory": FACTORY}, {FACTORY: {"allPairsLength": 2**256 - 1}})


def test_a_pair_created_after_the_block_is_absent_and_not_a_failure() -> None:
    found = [Found(str(i), 99, {"pool": p, "index": i, "token0": A, "token1": B}) for i, p in enumerate((PAIR, OTHER))]
    held = read("uniswap_v2", {"factory": FACTORY}, {FACTORY: {"allPairsLength": 1}, PAIR: pair()}, found)
    assert {h.owner for h in held} == {PAIR}


def test_pairs_that_were_not_found_yet_make_an_error_that_says_so() -> None:
    with pytest.raises(CallFailed, match="3 pools, of which 0 were found"):
        read("uniswap_v2", {"factory": FACTORY}, {FACTORY: {"allPairsLength": 3}})


def test_a_factory_that_is_none_is_an_error_and_not_an_empty_protocol() -> None:
    with pytest.raises(CallFailed, match="no code"):
        read("uniswap_v2", {"factory": FACTORY}, {})


def test_a_pair_with_a_missing_token_is_held_not_zero() -> None:
    table = {FACTORY: {"allPairsLength": 1, "allPairs": PAIR}, PAIR: {**pair(), "token1": Failed(Status.HELD, "no")}}
    found = find("uniswap_v2", {"factory": FACTORY}, table)
    (held,) = read("uniswap_v2", {"factory": FACTORY}, table, found)
    assert held == Holding(PAIR, None, PAIR, status=Status.HELD, reason="no")


def test_the_zero_address_as_a_token_never_passes_for_the_native_coin() -> None:
    (held,) = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair(token0=NATIVE)})
    assert (held.token, held.status) == (PAIR, Status.MALFORMED)


def test_a_pair_of_one_token_is_malformed() -> None:
    (held,) = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair(token0=B)})
    assert (held.token, held.status) == (PAIR, Status.MALFORMED)


def test_both_holdings_of_a_pair_carry_the_pair_as_their_receipt() -> None:
    held = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair()})
    assert [(h.token, h.amount, h.receipt) for h in held] == [(A, 10, PAIR), (B, 20, PAIR)]


def test_a_pair_taken_off_the_list_is_not_counted_any_more() -> None:
    found = [Found(p, 1, {"pool": p, "token0": A, "token1": B}) for p in (PAIR, OTHER)]
    held = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair(), OTHER: pair()}, found)
    assert {h.owner for h in held} == {PAIR}


def test_a_factory_that_lists_a_pair_twice_counts_it_once_and_from_the_first_time_on() -> None:
    found = [Found(str(i), 99, {"pool": PAIR, "index": i, "token0": A, "token1": B}) for i in (0, 1)]
    held = read("uniswap_v2", {"factory": FACTORY}, {FACTORY: {"allPairsLength": 1}, PAIR: pair()}, found)
    assert [(h.token, h.amount) for h in held] == [(A, 10), (B, 20)]


def test_a_listed_pair_that_does_not_name_its_tokens_is_asked_again() -> None:
    assert find("uniswap_v2", {"pairs": [PAIR]}, {}) == []
    (item,) = find("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair()})
    assert item.data["token1"] == B


def test_reserves_that_do_not_decode_hold_both_tokens() -> None:
    held = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: pair(reserves=Failed(Status.MALFORMED, "32 bytes"))})
    assert [(h.token, h.amount, h.status) for h in held] == [(A, None, "malformed"), (B, None, "malformed")]


@pytest.mark.parametrize("words", [(10, 20), (10, 20, 1_700_000_000), (2**200, 20, 1_700_000_000)])
def test_reserves_are_read_in_every_shape_that_forks_answer_them_in(words: tuple[int, ...]) -> None:
    """Two words or three, of uint112 or of Solidly's uint256."""
    answer = b"".join(word.to_bytes(32, "big") for word in words)
    held = read("uniswap_v2", {"pairs": [PAIR]}, {PAIR: {**pair(), "getReserves": decoded(answer)}})
    assert [(h.token, h.amount) for h in held] == [(A, words[0]), (B, words[1])]


def decoded(answer: bytes) -> Callable[[Call], Answer]:
    return lambda call: call.function.decode(answer)


def test_a_factory_of_pools_is_asked_for_pools() -> None:
    params = {"factory": FACTORY, "listing": "pools"}
    table = {FACTORY: {"allPoolsLength": 1, "allPools": PAIR}, PAIR: pair()}
    assert [h.amount for h in read("uniswap_v2", params, table, find("uniswap_v2", params, table))] == [10, 20]


@pytest.mark.parametrize(("excluded", "left"), [(A, [(PAIR, B)]), (PAIR, [])])
def test_an_excluded_token_or_pool_is_not_counted(excluded: Address, left: list[tuple[Address, Address]]) -> None:
    held = read("uniswap_v2", {"pairs": [PAIR], "exclude": [excluded]}, {PAIR: pair()})
    assert [(h.owner, h.token) for h in held] == left


# uniswap_v3


def created(data: bytes, *topics: str) -> Log:
    return Log(FACTORY, tuple(map(Hash, topics)), data, 50, AT.hash, Hash("0x" + "03" * 32), 0)


PADDING = "0x" + "00" * 12
GOOD_TOPICS = ("0x" + "00" * 32, PADDING + A[2:], PADDING + B[2:], "0x" + "00" * 32)
GOOD_DATA = encode(["int24", "address"], [60, POOL])


def logs_of(*logs: Log) -> Any:
    return lambda ask: list(logs) if isinstance(ask, LogQuery) else Failed(Status.HELD, "execution reverted")


def test_pools_are_asked_of_the_factory_alone_and_only_from_the_block_on() -> None:
    asked: list[Ask] = []
    plan = adapter("uniswap_v3").discover(parse_params("uniswap_v3", {"factory": FACTORY}), [], 77, AT)
    drive(plan, lambda ask: asked.append(ask) or [])
    created_topic = "0x" + keccak(b"PoolCreated(address,address,uint24,int24,address)").hex()
    assert asked == [LogQuery((FACTORY,), ((Hash(created_topic),),), 77, AT.number)]


def test_a_pool_is_found_at_the_block_of_its_log() -> None:
    (item,) = find("uniswap_v3", {"factory": FACTORY}, logs_of(created(GOOD_DATA, *GOOD_TOPICS)))
    assert (item.key, item.block, dict(item.data)) == (POOL, 50, {"pool": POOL, "token0": A, "token1": B})


@pytest.mark.parametrize(
    "log",
    [
        created(GOOD_DATA[:40], *GOOD_TOPICS),
        created(GOOD_DATA, *GOOD_TOPICS[:2]),
        created(b"\xff" * 64, *GOOD_TOPICS),
        created(GOOD_DATA, GOOD_TOPICS[0], "0x" + "ff" * 32, *GOOD_TOPICS[2:]),
    ],
    ids=["short data", "too few topics", "dirty data", "dirty topic"],
)
def test_a_log_of_another_layout_is_an_error_with_the_transaction(log: Log) -> None:
    with pytest.raises(CallFailed, match=r"not Uniswap V3's.*0x0303"):
        find("uniswap_v3", {"factory": FACTORY}, logs_of(log))


def test_logs_that_cannot_be_had_stop_the_discovery() -> None:
    with pytest.raises(CallFailed, match="range too wide"):
        find("uniswap_v3", {"factory": FACTORY}, lambda _: Failed(Status.HELD, "range too wide"))


def test_no_pools_and_no_factory_is_an_error_and_not_an_empty_protocol() -> None:
    with pytest.raises(CallFailed, match="no Uniswap V3 contract"):
        read("uniswap_v3", {"factory": FACTORY}, {FACTORY: {}})


def test_a_fork_without_the_getter_is_believed_once_it_has_a_pool() -> None:
    found = [Found(POOL, 50, {"pool": POOL, "token0": A, "token1": B})]
    held = read("uniswap_v3", {"factory": FACTORY}, {FACTORY: {}, A: {"balanceOf": 1}, B: {"balanceOf": 2}}, found)
    assert [(h.amount, h.receipt) for h in held] == [(1, None), (2, None)]


def test_a_factory_without_code_is_an_error_whatever_was_found() -> None:
    found = [Found(POOL, 50, {"pool": POOL, "token0": A, "token1": B})]
    with pytest.raises(CallFailed, match="no code"):
        read("uniswap_v3", {"factory": FACTORY}, {A: {"balanceOf": 1}, B: {"balanceOf": 2}}, found)


def test_a_pool_created_after_the_block_is_absent() -> None:
    found = [Found(POOL, AT.number + 1, {"pool": POOL, "token0": A, "token1": B})]
    assert read("uniswap_v3", {"factory": FACTORY}, {FACTORY: {"feeAmountTickSpacing": 60}}, found) == []


@pytest.mark.parametrize(
    ("events", "signature", "indexed", "data"),
    [
        ("algebra", "Pool(address,address,address)", 0, encode(["address"], [POOL])),
        ("slipstream", "PoolCreated(address,address,int24,address)", 1, encode(["address"], [POOL])),
    ],
)
def test_forks_that_announce_their_pools_otherwise_are_found_by_their_own_event(
    events: str, signature: str, indexed: int, data: bytes
) -> None:
    asked: list[Ask] = []
    topics = ("0x" + keccak(signature.encode()).hex(), *GOOD_TOPICS[1:3], *GOOD_TOPICS[3 : 3 + indexed])

    def answer(ask: Ask) -> list[Log]:
        asked.append(ask)
        return [created(data, *topics)]

    (item,) = find("uniswap_v3", {"factory": FACTORY, "events": events}, answer)
    assert asked == [LogQuery((FACTORY,), ((Hash(topics[0]),),), 1, AT.number)]
    assert dict(item.data) == {"pool": POOL, "token0": A, "token1": B}


# erc4626


def test_a_vault_that_changes_its_asset_gets_a_line_of_the_new_one() -> None:
    before, after = (
        read("erc4626", {"vaults": [VAULT]}, {VAULT: {"asset": asset, "totalAssets": 9}}) for asset in (A, B)
    )
    assert [h.token for h in before] == [A]
    assert [h.token for h in after] == [B]


def test_what_a_vault_answers_for_and_what_lies_in_it_are_different_questions() -> None:
    table = {VAULT: {"asset": A, "totalAssets": 1_000}, A: {"balanceOf": 30}}
    (told,) = read("erc4626", {"vaults": [VAULT]}, table)
    (held,) = read("erc4626", {"vaults": [VAULT], "amount": "held"}, table)
    assert (told.amount, held.amount, told.receipt) == (1_000, 30, VAULT)


def test_a_vault_of_the_zero_address_is_malformed_and_not_ether() -> None:
    (held,) = read("erc4626", {"vaults": [VAULT]}, {VAULT: {"asset": NATIVE, "totalAssets": 10**24}})
    assert (held.token, held.status, held.amount) == (VAULT, Status.MALFORMED, None)


def test_a_vault_without_code_leaves_the_others_alone() -> None:
    missing, fine = read("erc4626", {"vaults": [OTHER, VAULT]}, {VAULT: {"asset": A, "totalAssets": 9}})
    assert (missing.token, missing.status) == (OTHER, Status.MISSING)
    assert (fine.token, fine.amount) == (A, 9)


# aave_v3


def market(a_token: Address, stable: Address, variable: Address) -> dict[Address, dict[str, Any]]:
    struct = ((0,), 1, 1, 1, 1, 1, 1, 0, a_token, stable, variable, addr(99), 0, 0, 0)
    tokens = {A: {"balanceOf": 40}, DEBT: {"totalSupply": 60}, OTHER: {"totalSupply": 5}}
    return {POOL: {"getReservesList": (A,), "getReserveData": struct}, **tokens}


def test_base_is_what_lies_in_the_a_token_and_borrowed_is_the_supply_of_the_debt_tokens() -> None:
    table = market(A_TOKEN, OTHER, DEBT)
    held = read("aave_v3", {"pool": POOL}, table, find("aave_v3", {"pool": POOL}, table))
    assert [(h.token, h.amount, h.owner, h.bucket, h.receipt) for h in held] == [
        (A, 40, A_TOKEN, Bucket.BASE, A_TOKEN),
        (A, 5, OTHER, Bucket.BORROWED, None),
        (A, 60, DEBT, Bucket.BORROWED, None),
    ]


def test_a_market_without_stable_debt_is_not_asked_for_it() -> None:
    table = market(A_TOKEN, NATIVE, DEBT)
    held = read("aave_v3", {"pool": POOL}, table, find("aave_v3", {"pool": POOL}, table))
    assert [h.owner for h in held] == [A_TOKEN, DEBT]


def test_a_reserve_listed_anew_with_other_tokens_is_found_anew_and_read_only_there() -> None:
    old = market(A_TOKEN, OTHER, DEBT)
    known = find("aave_v3", {"pool": POOL}, old)
    new = market(addr(70), NATIVE, DEBT)
    later = find("aave_v3", {"pool": POOL}, new, known)
    assert len(later) == 1
    assert {h.owner for h in read("aave_v3", {"pool": POOL}, new, [*known, *later])} == {addr(70), DEBT}
    assert {h.owner for h in read("aave_v3", {"pool": POOL}, old, [*known, *later])} == {A_TOKEN, OTHER, DEBT}


def test_a_reserve_that_was_not_found_yet_is_held() -> None:
    (held,) = read("aave_v3", {"pool": POOL}, market(A_TOKEN, NATIVE, DEBT))
    assert (held.token, held.status) == (A, Status.HELD)
    assert "discover" in held.reason


def test_a_reserve_without_a_token_is_malformed() -> None:
    found = find("aave_v3", {"pool": POOL}, market(A_TOKEN, NATIVE, DEBT))
    (held,) = read("aave_v3", {"pool": POOL}, market(NATIVE, NATIVE, NATIVE), found)
    assert (held.token, held.status) == (A, Status.MALFORMED)
