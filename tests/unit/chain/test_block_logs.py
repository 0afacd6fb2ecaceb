"""A block's logs are asked for by contract or by event, whichever weighs less, and none is left out or let in."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.chain import log_filters
from indexer.chain.base import Replies
from indexer.chain.block_logs import BlockLogs
from indexer.errors import EndpointError, Verdict
from indexer.model import LogQuery
from tests.unit.chain.log_nodes import (
    ANY_BLOCK,
    FEW,
    HOLDERS,
    MANY,
    OF_ONE,
    OTHER,
    POOLS,
    STRANGER,
    SYNC,
    TRANSFER,
    Json,
    Node,
    Nodes,
    amounts,
    followed,
    foreign,
    log,
    logs_of,
    refusal,
    transfer,
)


async def test_few_contracts_are_asked_for_by_name(node: Node) -> None:
    nodes = Nodes([node])
    at = node.mine(log(POOLS[1], (SYNC,), 5), log(STRANGER, (SYNC,), 6))
    assert amounts(await logs_of(nodes)(FEW, [at])) == [5]
    assert nodes.filters[0]["address"] == list(POOLS[:2])


async def test_many_contracts_are_asked_for_by_event_and_the_logs_of_others_are_skipped(node: Node) -> None:
    nodes = Nodes([node])
    ours = [transfer(HOLDERS[3], 1, STRANGER), log(POOLS[9], (SYNC,), 2)]
    others = [*foreign(20), log(STRANGER, (SYNC,), 98), log(POOLS[0], (OTHER,), 97), log(STRANGER, (), 96)]
    found = await logs_of(nodes)(MANY, [node.mine(*ours, *others)])
    assert amounts(found) == [1, 2]
    assert {key: value for key, value in nodes.filters[0].items() if key != "blockHash"} == {
        "topics": [[TRANSFER, SYNC]]
    }


async def test_every_log_of_a_contract_that_is_seen_whole_still_comes(node: Node) -> None:
    read = logs_of(Nodes([node]))
    at = node.mine(log(STRANGER, (), 1), log(STRANGER, (OTHER,), 2), transfer(HOLDERS[0], 3), *foreign(3))
    assert amounts(await read((*MANY, OF_ONE), [at])) == [1, 2, 3, 99, 99, 99]


async def test_blocks_so_full_that_their_logs_weigh_more_than_the_filter_are_asked_for_by_contract(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    for _ in range(3):
        assert amounts(await read(MANY, [node.mine(transfer(HOLDERS[0], 4), *foreign(400))])) == [4]
    assert ["address" in one or len(one["topics"]) > 1 for one in nodes.filters] == [False, *[True] * 4]


async def test_it_is_looked_again_later_whether_blocks_are_less_full(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filters, "PROBE_EVERY", 3)
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 2, *foreign(400))
    await followed(node, read, 4)
    assert nodes.filters[-1]["topics"] == [[TRANSFER, SYNC]]


async def test_an_endpoint_that_wants_contracts_named_gets_them(node: Node) -> None:
    def named(filter_: Json, logs: list[Json]) -> Any:
        is_named = "address" in filter_ or len(filter_["topics"]) > 1
        return logs if is_named else refusal("specify an address in your request")

    node.mend = named
    nodes = Nodes([node])
    read = logs_of(nodes)
    assert amounts(await read(MANY, [node.mine(transfer(HOLDERS[0], 4), *foreign(2))])) == [4]
    nodes.sent.clear()
    assert amounts(await read(MANY, [node.mine(transfer(HOLDERS[0], 5))])) == [5]
    assert len(nodes.sent) == 1
    assert nodes.distrusted == {}


async def test_several_blocks_are_asked_for_by_event_only_where_it_is_known_what_they_weigh(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await read(FEW, [node.mine()])
    await read(MANY, [])
    nodes.sent.clear()
    assert len(read.ahead(2, 4)) == 2, "nobody knows yet"
    read.came([], Replies([[], []], "one"))
    await followed(node, read, 1, *foreign(6))
    assert len(read.ahead(3, 5)) == 1
    read.came([], Replies([[]], "one"))
    assert len(read.ahead(3, 66)) == 2, "so many would weigh too much"


async def test_an_endpoint_that_gives_no_whole_block_is_asked_by_event_as_before(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes([node])
    read = await whole_blocks(node, nodes, monkeypatch, 4)
    node.mend = lambda filter_, logs: logs if "topics" in filter_ else refusal("too many results")
    at = node.mine(transfer(HOLDERS[0], 4), *foreign(2))
    assert amounts(await read(MANY, [at])) == [4]
    monkeypatch.setattr(log_filters, "PROVE_EVERY", 100)
    nodes.sent.clear()
    assert amounts(await followed(node, read, 3, transfer(HOLDERS[0], 4))) == [4]
    assert nodes.filters[-1]["topics"] == [[TRANSFER, SYNC]]


HOSTILE: dict[str, Any] = {
    "no log": 7,
    "a log without topics": {"address": STRANGER, "blockHash": "0x"},
    "topics that are a number": log(STRANGER, ()) | {"topics": 3},
    "a topic that is a list": log(STRANGER, ()) | {"topics": [["0x"]]},
    "an address that is none": log(STRANGER, (TRANSFER, HOLDERS[0])) | {"address": None},
    "a log of another block": transfer(HOLDERS[0], 1) | {"blockHash": "0x" + "9" * 64},
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_logs_among_those_of_others_make_their_endpoint_distrusted(node: Node, what: str) -> None:
    at = node.mine(transfer(HOLDERS[0], 4), *foreign(2))
    honest = node.twin("two")
    place = {"blockNumber": hex(at.number), "blockHash": at.hash, "transactionHash": at.hash, "logIndex": "0x9"}
    evil = place | HOSTILE[what] if isinstance(HOSTILE[what], dict) else HOSTILE[what]
    node.mend = lambda _, logs: [*logs, evil]
    nodes = Nodes([node, honest])
    assert amounts(await logs_of(nodes)(MANY, [at])) == [4]
    assert list(nodes.distrusted) == ["one"]


@pytest.mark.parametrize("field", ["data", "logIndex", "transactionHash", "blockNumber"])
async def test_logs_of_others_are_not_looked_at_beyond_what_tells_that_they_are(node: Node, field: str) -> None:
    strange = [one | {field: "�" * 9} for one in foreign(3)]
    node.mend = lambda _, logs: [one | {field: "\x00"} if one["address"] == STRANGER else one for one in logs]
    nodes = Nodes([node])
    assert amounts(await logs_of(nodes)(MANY, [node.mine(transfer(HOLDERS[0], 4), *strange)])) == [4]
    assert nodes.distrusted == {}


async def test_names_in_capital_letters_are_found_as_well(node: Node) -> None:
    node.mend = lambda _, logs: [
        one | {"address": f"0x{one['address'][2:].upper()}", "topics": [f"0x{t[2:].upper()}" for t in one["topics"]]}
        for one in logs
    ]
    found = await logs_of(Nodes([node]))(MANY, [node.mine(transfer(HOLDERS[0], 4, POOLS[0xE]), *foreign(2))])
    assert (amounts(found), found[0].address, found[0].topics[1]) == ([4], POOLS[0xE], HOLDERS[0])


async def whole_blocks(node: Node, nodes: Nodes, monkeypatch: pytest.MonkeyPatch, blocks: int) -> BlockLogs:
    """A reader that asks for every block whole from the next one on, and has seen that this proves something."""
    monkeypatch.setattr(log_filters, "PROVE_EVERY", 1)
    read = logs_of(nodes)
    for _ in range(blocks):
        at = node.mine(transfer(HOLDERS[0], 1), *foreign(2), log(STRANGER, (OTHER,)))
        for other in nodes.nodes[1:]:
            other.mine(transfer(HOLDERS[0], 1), *foreign(2), log(STRANGER, (OTHER,)))
        assert amounts(await read(MANY, [at])) == [1]
    return read


async def test_a_log_that_was_left_out_of_a_whole_block_is_told_by_its_filter(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Node("two")
    nodes = Nodes([node, honest])
    read = await whole_blocks(node, nodes, monkeypatch, 6)
    logs = [transfer(HOLDERS[0], 1), transfer(HOLDERS[5], 2), *foreign(3)]
    honest.mine(*logs)
    at = node.mine(*logs)
    del node.logs[at.number][1]
    assert amounts(await read(MANY, [at])) == [1, 2]
    assert list(nodes.distrusted) == ["one"]
    assert {} in [{k: v for k, v in one.items() if k != "blockHash"} for one in nodes.filters]


async def test_on_a_chain_whose_filters_hold_more_than_its_logs_nobody_is_distrusted(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filters, "PROVE_EVERY", 1)
    nodes = Nodes([node])
    read = logs_of(nodes)
    for _ in range(4):
        at = node.mine(transfer(HOLDERS[0], 4), *foreign(2))
        node.blooms[at.number] = "0x" + "ff" * 256
        assert amounts(await read(MANY, [at])) == [4]
    assert nodes.distrusted == {}
    assert len(nodes.sent) == 5, "one block is asked for twice, and no block whole after that"


async def test_an_only_endpoint_that_leaves_out_what_it_never_did_before_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes([node])
    read = await whole_blocks(node, nodes, monkeypatch, 6)
    at = node.mine(transfer(HOLDERS[0], 1), transfer(HOLDERS[5], 2))
    del node.logs[at.number][1]
    assert amounts(await read(MANY, [at])) == [1]
    assert list(nodes.distrusted) == ["one"]


async def test_a_block_without_logs_whose_filter_has_some_is_asked_for_elsewhere(node: Node) -> None:
    at = node.mine(transfer(HOLDERS[0], 4))
    nodes = Nodes([node, node.twin("two")])
    node.logs[at.number].clear()
    assert amounts(await logs_of(nodes)(MANY, [at])) == [4]
    assert list(nodes.distrusted) == ["one"]


async def test_two_endpoints_that_both_talk_nonsense_are_an_error(node: Node) -> None:
    node.mend = lambda *_: "nonsense"
    nodes = Nodes([node, node])
    with pytest.raises(EndpointError) as raised:
        await logs_of(nodes)(MANY, [node.mine()])
    assert raised.value.verdict is Verdict.MALFORMED


async def test_filters_so_full_that_they_allow_anything_send_a_block_elsewhere_only_now_and_then(node: Node) -> None:
    nodes = Nodes([node, Node("two")])
    read = logs_of(nodes)
    for _ in range(32):
        at = node.mine()
        node.blooms[at.number] = "0x" + "fe" * 256
        nodes.nodes[1] = node.twin("two")
        assert await read(FEW, [at]) == []
    assert len(nodes.sent) == 32 + 2
    assert nodes.distrusted == {}


async def test_what_is_wanted_of_few_contracts_is_asked_for_in_one_request(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    queries = (FEW[0], LogQuery(POOLS[:1], ((TRANSFER,), HOLDERS[:2]), 0, ANY_BLOCK))
    logs = [log(POOLS[1], (SYNC,), 2), transfer(HOLDERS[1], 3), transfer(HOLDERS[9], 4), log(POOLS[1], (OTHER,), 5)]
    assert amounts(await read(queries, [node.mine(*logs)])) == [2, 3]
    assert [one["address"] for one in nodes.filters] == [list(POOLS[:2])]
