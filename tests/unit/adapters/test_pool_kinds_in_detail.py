"""What is particular to the kinds of pools beyond Uniswap's: the cases that their contracts and attackers know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from eth_abi import encode

from indexer.adapters.curve import ETHER
from indexer.adapters.registry import ParamErrors, adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Found, Hash, Holding, Status
from indexer.reads.plan import Call, Failed
from indexer.testing import Contracts, drive

AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)
VAULT, POOL, OTHER, A, B, C, LP = (Address(f"0x{n:040x}") for n in range(0x11, 0x18))
POOL_ID = POOL + "00" * 11 + "05"
REVERTED = Failed(Status.HELD, "execution reverted")


def read(kind: str, params: Mapping[str, Any], table: Any) -> list[Holding]:
    """Found and read."""
    one, given, answers = adapter(kind), parse_params(kind, params), Contracts(table)
    found: list[Found] = drive(one.discover(given, [], 1, AT), answers)
    return drive(one.read(given, found, AT), answers)


# vaults that hold the tokens of many pools


def books(tokens: Any, amounts: Any) -> list[Holding]:
    table = {VAULT: {"WETH": A, "getPoolTokens": (tokens, amounts, 7)}}
    return read("balancer_v2", {"vault": VAULT, "pools": [POOL_ID]}, table)


def test_a_pools_own_share_among_its_tokens_is_no_holding() -> None:
    assert [(h.token, h.amount, h.receipt) for h in books((A, POOL, B), (5, 2**111, 6))] == [(A, 5, POOL), (B, 6, POOL)]


@pytest.mark.parametrize(
    ("tokens", "amounts"),
    [((A, B), (1,)), ((A, A), (1, 2)), ((A, NATIVE), (1, 2))],
    ids=["lists of two lengths", "a token twice", "the zero address"],
)
def test_books_that_contradict_themselves_are_malformed_and_no_amount_is_taken_from_them(
    tokens: tuple[Address, ...], amounts: tuple[int, ...]
) -> None:
    (held,) = books(tokens, amounts)
    assert (held.token, held.amount, held.status) == (POOL, None, Status.MALFORMED)


def test_a_pool_of_which_the_vault_knows_nothing_is_held() -> None:
    table = {VAULT: {"WETH": A, "getPoolTokens": REVERTED}}
    (held,) = read("balancer_v2", {"vault": VAULT, "pools": [POOL_ID]}, table)
    assert (held.owner, held.status, held.reason) == (POOL, Status.HELD, "execution reverted")


@pytest.mark.parametrize("text", ["0x12", POOL, "0x" + "g" * 64])
def test_a_pool_id_is_thirty_two_bytes(text: str) -> None:
    with pytest.raises(ParamErrors, match="expected a pool id"):
        parse_params("balancer_v2", {"vault": VAULT, "pools": [text]})


def test_raw_balances_of_balancer_v3_are_read_and_not_the_scaled_ones() -> None:
    table = {VAULT: {"getVaultExtension": A, "getPoolTokenInfo": ((A, B), (), (5, 6), (5 * 10**18, 6 * 10**18))}}
    held = read("balancer_v3", {"vault": VAULT, "pools": [POOL]}, table)
    assert [(h.token, h.amount, h.owner) for h in held] == [(A, 5, POOL), (B, 6, POOL)]


# curve


def coins(*named: Address) -> dict[str, Any]:
    def at(values: Any) -> Any:
        def answer(call: Call) -> Any:
            i = int.from_bytes(call.data[4:], "big")
            return values[i] if i < len(values) else REVERTED

        return answer

    return {"coins": at(named), "balances": at([100 + i for i, _ in enumerate(named)])}


def test_ether_is_the_native_coin_in_a_curve_pool() -> None:
    held = read("curve", {"pools": [POOL]}, {POOL: coins(ETHER, A)})
    assert [(h.token, h.amount) for h in held] == [(NATIVE, 100), (A, 101)]


def test_a_pool_of_eight_coins_has_all_of_them() -> None:
    named = [Address(f"0x{n:040x}") for n in range(50, 58)]
    assert [h.token for h in read("curve", {"pools": [POOL]}, {POOL: coins(*named)})] == named


@pytest.mark.parametrize("table", [{}, {POOL: {}}, {POOL: coins(A)}, {POOL: coins(A, A)}])
def test_a_contract_that_is_no_curve_pool_is_seen_and_not_counted(table: Any) -> None:
    (held,) = read("curve", {"pools": [POOL]}, table)
    assert (held.token, held.amount) == (POOL, None)
    assert held.status is not Status.OK


def told(kind: str, values: list[Any]) -> bytes:
    return encode([kind], [values])


@pytest.mark.parametrize("form", ["[2]", "[4]", "[8]", "[]"])
def test_lists_of_a_registry_are_read_in_every_length(form: str) -> None:
    size = int(form[1:-1] or 2)
    listed = told(f"address{form}", [A, B] + [NATIVE] * (size - 2))
    amounts = told(f"uint256{form}", [7, 9] + [0] * (size - 2))
    table = registry(listed, amounts)
    assert [(h.token, h.amount, h.receipt) for h in read("curve", {"factory": VAULT}, table)] == [
        (A, 7, LP),
        (B, 9, LP),
    ]


def registry(listed: bytes, amounts: bytes) -> dict[Address, dict[str, Any]]:
    pool = {"pool_count": 1, "pool_list": POOL, "get_coins": listed, "get_balances": amounts, "get_lp_token": LP}
    return {VAULT: pool}


@pytest.mark.parametrize("amounts", [b"", bytes(32), bytes(63), encode(["uint256[]"], [[1]])])
def test_a_list_that_is_too_short_is_malformed_for_every_coin(amounts: bytes) -> None:
    held = read("curve", {"factory": VAULT}, registry(told("address[2]", [A, B]), amounts))
    assert [(h.token, h.amount) for h in held] == [(A, None), (B, None)]
    assert {h.status for h in held} == {Status.MALFORMED}


def test_a_factory_whose_pools_are_their_own_lp_tokens_does_not_name_any() -> None:
    table = registry(told("address[2]", [A, B]), told("uint256[2]", [1, 2]))
    del table[VAULT]["get_lp_token"]
    assert {h.receipt for h in read("curve", {"factory": VAULT}, table)} == {POOL}


# balancer v1


def test_tokens_that_were_unbound_are_not_counted_any_more() -> None:
    def pool(*tokens: Address) -> dict[Address, dict[str, Any]]:
        return {POOL: {"getCurrentTokens": tokens, "getBalance": 5}}

    before, after = (read("balancer_v1", {"pools": [POOL]}, pool(*tokens)) for tokens in ((A, B), (B,)))
    assert [h.token for h in before] == [A, B]
    assert [h.token for h in after] == [B]


def test_a_pool_without_code_leaves_the_others_alone() -> None:
    table = {POOL: {"getCurrentTokens": (A,), "getBalance": 5}}
    missing, fine = read("balancer_v1", {"pools": [OTHER, POOL]}, table)
    assert (missing.owner, missing.status) == (OTHER, Status.MISSING)
    assert (fine.token, fine.amount) == (A, 5)


def test_a_factory_that_is_none_is_an_error_and_not_an_empty_protocol() -> None:
    one, given = adapter("balancer_v1"), parse_params("balancer_v1", {"factory": VAULT})
    with pytest.raises(CallFailed, match="no Balancer V1 contract"):
        drive(one.read(given, [], AT), Contracts({VAULT: {}}))
