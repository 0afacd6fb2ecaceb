"""A recipe whose items are announced by events: what is found in logs, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from indexer.adapters.registry import adapter, parse_params
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Hash, Log, LogQuery, Status
from indexer.reads.plan import Answer, Ask, Failed
from indexer.testing import Contracts, drive
from tests.unit.adapters.recipe_values import AT, CHEF, A, B, C, amounts, find_all, read, recipe, step, token

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
