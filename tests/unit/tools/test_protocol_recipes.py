"""Rows of getters and events become recipes where it is sure which value is which, and none where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.adapters.registry import parse_params
from indexer.model import NATIVE
from tools.protocol_recipes import KINDS
from tools.protocol_rows import LeftOut, Row, read_rows

ONE, TWO, DAI = ("0x" + digit * 40 for digit in "123")


def row(kind: str, bucket: str = "tvl", **params: Any) -> Row:
    return Row("some", "ethereum", 1, kind, bucket, params, "projects/some/index.js")


def getters(*sigs: str, **balance: Any) -> Row:
    told = [{"sig": sig, "targets": [ONE]} for sig in sigs]
    return row("getter_then_balance", getters=told, balance_of=balance)


def events(*told: str, **fixed: Any) -> Row:
    logs = [{"targets": [ONE], "event": event, "from_block": 50 + i} for i, event in enumerate(told)]
    return row("event_then_balance", logs=logs, **fixed)


def recipe(one: Row) -> dict[str, Any]:
    (reading,) = KINDS[one.kind](one)
    assert parse_params(reading.kind, reading.params)
    return dict(reading.params)


def sources(params: dict[str, Any]) -> list[dict[str, str]]:
    return [{key: step[key] for key in step if key not in ("name", "on")} for step in params["steps"]]


def test_a_token_that_a_contract_names_and_holds_is_a_getter_and_its_balance() -> None:
    params = recipe(getters("token() returns (address)", tokens="derived", owners=[ONE]))
    assert sources(params) == [{"get": "token()(address)"}]
    assert [(h["token"], h["owner"]) for h in params["holdings"]] == [(["found1"], "asked1")]


def test_a_count_and_the_getter_by_index_after_it_are_one_step() -> None:
    info = "info(uint256) returns (address lpToken, uint256 a, address rewardToken)"
    params = recipe(getters("length() returns (uint256)", info, tokens="derived", owners=[TWO]))
    (source,) = sources(params)
    assert (source["count"], source["item"]) == (
        "length()(uint256)",
        "info(uint256)(address lpToken, uint256 a, address rewardToken)",
    )
    assert params["holdings"][0]["token"] == ["found1.lpToken"]
    assert params["contracts"][params["holdings"][0]["owner"]] == [TWO]


def test_known_tokens_are_counted_in_the_owners_that_a_list_names() -> None:
    params = recipe(getters("vaults() returns (address[])", owner="derived", fixed_tokens=[DAI]))
    (holding,) = params["holdings"]
    assert (params["contracts"][holding["token"]], holding["owner"]) == ([DAI], "found1")


def test_owners_without_tokens_hold_the_native_coin() -> None:
    (holding,) = recipe(getters("feeRecipient() returns (address)", owner="derived"))["holdings"]
    assert holding == {"token": "native", "owner": "found1"}


@pytest.mark.parametrize(
    "sigs",
    [
        ["items(uint256) returns (address token)"],
        ["list(uint256 from, uint256 to) returns (address[])"],
        ["total() returns (uint256)"],
        ["pair() returns (address, address)"],
        ["info() returns (address stakedToken, address otherToken)"],
        ["info() returns (address token, address elsewhere)"],
        ["no signature"],
    ],
)
def test_getters_whose_values_nobody_named_are_left_out(sigs: list[str]) -> None:
    with pytest.raises(LeftOut):
        recipe(getters(*sigs, tokens="derived", owners=[ONE]))


def test_a_pool_and_its_tokens_are_told_by_their_names_in_an_event() -> None:
    event = "event PoolCreated(address poolAddress, uint256 fee, address tokenA, address tokenB, address creator)"
    params = recipe(events(event, event))
    assert sources(params) == [{"event": event.removeprefix("event ")}]
    assert [(h["token"], h["owner"]) for h in params["holdings"]] == [
        (["found1.tokenA", "found1.tokenB"], "found1.poolAddress")
    ]


def test_a_search_begins_at_the_first_block_of_the_first_event() -> None:
    made, other = "A(address pool, address token)", "B(address vault, address asset)"
    (reading,) = KINDS["event_then_balance"](events(made, other))
    assert (reading.first_block, len(reading.params["steps"])) == (50, 2)


@pytest.mark.parametrize(
    ("event", "fixed"),
    [
        ("A(address one, address two)", {}),
        ("A(address token, address one, address two)", {}),
        ("A(address vault)", {}),
        ("A(address token)", {"fixed_tokens": [DAI], "fixed_owners": [TWO]}),
        ("A(address token, address reserve)", {"fixed_owners": [TWO]}),
        ("", {}),
    ],
)
def test_events_whose_values_nobody_named_are_left_out(event: str, fixed: dict[str, list[str]]) -> None:
    with pytest.raises(LeftOut):
        recipe(events(event, **fixed))


def test_what_is_staked_keeps_its_bucket() -> None:
    one = getters("token() returns (address)", tokens="derived", owners=[ONE])
    (reading,) = KINDS[one.kind](row(one.kind, "staking", **one.params))
    assert reading.params["holdings"][0]["bucket"] == "staking"


def test_troves_without_a_named_collateral_hold_the_native_coin() -> None:
    params = recipe(row("liquity_v1", troves=[{"trove_manager": ONE}, {"trove_manager": TWO, "collateral_token": DAI}]))
    assert [trove["token"] for trove in params["troves"]] == [NATIVE, DAI]
    assert recipe(row("liquity_v2", collateral_registries=[ONE]))["registries"] == [ONE]


def test_most_of_the_registry_s_getters_and_nearly_half_of_its_events_are_recipes() -> None:
    read = dict.fromkeys(KINDS, 0)
    rows = [one for one in read_rows() if one.live and one.kind in KINDS]
    for one in rows:
        try:
            recipe(one)
        except LeftOut:
            continue
        read[one.kind] += 1
    share = {kind: read[kind] / sum(one.kind == kind for one in rows) for kind in KINDS}
    assert share["getter_then_balance"] > 0.7
    assert share["event_then_balance"] > 0.4
