"""Logs that came with the look at the head are used where they are the block's own, all of them, and wanted."""

from __future__ import annotations

import pytest

from indexer.chain import log_filters
from indexer.chain.base import Replies
from indexer.chain.block_logs import BlockLogs
from indexer.chain.blocks import header_request
from indexer.model import BlockRef, LogQuery
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
    Node,
    Nodes,
    amounts,
    block,
    followed,
    foreign,
    log,
    logs_of,
    refusal,
    transfer,
)


async def looked(nodes: Nodes, read: BlockLogs, number: int, *blocks: BlockRef) -> None:
    """A look at blocks that may be there, with what rides along."""
    last = blocks[-1].number if blocks else number
    beside = read.ahead(number, last)
    replies = await nodes.send([*map(header_request, (block.number for block in blocks)), *beside])
    read.came(blocks, Replies(replies.items, replies.endpoint))
    nodes.sent.clear()


async def test_what_came_ahead_is_not_asked_for(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 1)
    at = node.mine(transfer(HOLDERS[0], 4), *foreign(3))
    await looked(nodes, read, at.number, at)
    assert amounts(await read(MANY, [at])) == [4]
    assert nodes.sent == []


async def test_a_filter_that_weighs_much_is_not_sent_for_blocks_that_are_perhaps_not_there(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filters, "AHEAD_BYTES", log_filters.LIGHT_BYTES)
    read = logs_of(Nodes([node]))
    await followed(node, read, 2, *foreign(400))
    assert read.ahead(3, 3) == []
    assert len(read.ahead(3, 3, block(3).hash)) == 2, "an announced block is there"


async def test_logs_of_another_block_of_that_number_are_asked_for_again_by_hash(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 4)
    at, other = block(5), node.twin("two")
    other.mine(transfer(HOLDERS[0], 5), fork="other")
    node.mine(transfer(HOLDERS[0], 4))
    read.ahead(5, 5)
    mixed = [node.answer(header_request(5)), [*other.logs[5]]]
    read.came([at], Replies(mixed, "one"))
    assert amounts(await read(MANY, [at])) == [4]
    assert nodes.sent[-1][0] == header_request(at.hash)
    assert nodes.distrusted == {}


async def test_no_logs_of_a_block_whose_filter_has_some_were_asked_for_too_early(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 1)
    read.ahead(2, 2)
    at = node.mine(transfer(HOLDERS[0], 4))
    read.came([at], Replies([node.answer(header_request(2)), []], "one"))
    assert amounts(await read(MANY, [at])) == [4]
    assert len(nodes.sent) == 2


async def test_an_error_for_a_block_that_is_not_there_is_nothing_amiss(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 1)
    for _ in range(5):
        assert len(read.ahead(2, 2)) == 1
        read.came([], Replies([refusal("invalid block range")], "one"))
    at = node.mine(transfer(HOLDERS[0], 4))
    await looked(nodes, read, 2, at)
    assert amounts(await read(MANY, [at])) == [4]
    assert nodes.sent == []


async def test_after_errors_for_blocks_that_are_there_logs_ride_along_ever_more_rarely(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 1)
    rode = 0
    for _ in range(100):
        at = node.mine(transfer(HOLDERS[0], 4))
        if read.ahead(at.number, at.number):
            rode += 1
            read.came([at], Replies([node.answer(header_request(at.hash)), refusal("no")], "one"))
        assert amounts(await read(MANY, [at])) == [4]
    assert rode == 6


async def test_several_blocks_that_came_at_once_are_served_one_by_one(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await followed(node, read, 1)
    blocks = [node.mine(transfer(HOLDERS[number], number), *foreign(2)) for number in range(1, 5)]
    blocks.insert(2, node.mine())
    blocks.sort(key=lambda at: at.number)
    await looked(nodes, read, 2, *blocks)
    assert [amounts(await read(MANY, [at])) for at in blocks] == [[1], [2], [3], [4], []]
    assert nodes.sent == []


async def test_logs_that_came_before_more_was_watched_for_are_not_used(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await read(FEW, [node.mine()])
    at = node.mine(transfer(HOLDERS[0], 4))
    await looked(nodes, read, 2, at)
    assert amounts(await read(MANY, [at])) == [4]
    assert len(nodes.sent) == 1


async def test_nothing_that_came_ahead_is_believed_only_where_the_filter_excludes_it(node: Node) -> None:
    nodes = Nodes([node])
    read = logs_of(nodes)
    await read(FEW, [node.mine(log(POOLS[1], (SYNC,), 5))])
    for bloom, requests in (("0x" + "00" * 256, 0), ("0x" + "fe" * 256, 1)):
        at = node.mine()
        node.blooms[at.number] = bloom
        await looked(nodes, read, at.number, at)
        assert await read(FEW, [at]) == []
        assert len(nodes.sent) == requests


async def test_on_a_chain_without_filters_an_empty_answer_that_came_ahead_is_not_believed(node: Node) -> None:
    """Some chains' headers have a filter of zeros, whatever was logged."""
    nodes = Nodes([node])
    read = logs_of(nodes)
    for number in range(4):
        at = node.mine(log(POOLS[1], (SYNC,), number))
        node.blooms[at.number] = "0x" + "00" * 256
        assert amounts(await read(FEW, [at])) == [number]
    at = node.mine(log(POOLS[1], (SYNC,), 9))
    node.blooms[at.number] = "0x" + "00" * 256
    read.ahead(at.number, at.number)
    read.came([at], Replies([node.answer(header_request(at.number)), []], "one"))
    assert amounts(await read(FEW, [at])) == [9], "the answer was of a moment before the block was there"


async def test_each_part_of_what_came_ahead_must_be_of_the_block(node: Node) -> None:
    """The parts of a batch may be answered by different machines, some of which lag behind."""
    read = logs_of(Nodes([node]))
    both = (FEW[0], LogQuery((), ((TRANSFER,), HOLDERS[:2]), 0, ANY_BLOCK))
    await read(both, [node.mine(log(POOLS[1], (SYNC,), 1))])
    at = node.mine(log(POOLS[1], (SYNC,), 2), transfer(HOLDERS[1], 3))
    answers = [node.answer(request) for request in [header_request(at.number), *read.ahead(at.number, at.number)]]
    read.came([at], Replies([*answers[:2], []], "one"))
    assert amounts(await read(both, [at])) == [2, 3]


async def test_contracts_that_are_seen_whole_and_silent_cost_no_second_request(node: Node) -> None:
    nodes, queries = Nodes([node]), (*MANY, OF_ONE)
    read = logs_of(nodes)
    await read(queries, [node.mine(transfer(HOLDERS[0], 1), *foreign(3))])
    for logs in ([transfer(HOLDERS[0], 2), log(POOLS[0], (OTHER,))], [log(STRANGER, (OTHER,), 2)], []):
        at = node.mine(*logs)
        node.blooms[at.number] = "0x" + "ff" * 256 if logs else "0x" + "00" * 256
        await looked(nodes, read, at.number, at)
        assert amounts(await read(queries, [at])) == [2] * bool(logs)
        assert nodes.sent == []
