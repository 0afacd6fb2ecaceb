"""What a read contradicts: whether the node, one balance or its token is to blame, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from indexer.errors import EndpointError, Verdict
from indexer.model import Address, BlockRef, Log, LogQuery
from indexer.reads.ledger.audit import audit, settle
from indexer.reads.ledger.rules import Way
from tests.unit.reads.ledger_nodes import (
    BALANCE,
    OTHER,
    SUPPLY,
    Node,
    agree,
    follow,
    ledger_of,
    proven,
)
from tests.unit.reads.ledger_worlds import (
    ERC20,
    HOLDERS,
    TOKENS,
    key_of,
)


def silently(node: Node, amount: int, holder: Address = HOLDERS[0]) -> BlockRef:
    """A block in which a balance changes and nothing says so."""
    node.world.balances[TOKENS[1], holder] += amount
    return node.mine(play=False)


def minted(node: Node, holder: Address, amount: int) -> BlockRef:
    node.world.number, node.world.logs = node.world.number + 1, []
    node.world.mint_to(TOKENS[1], holder, amount)
    return node.keep()


async def test_a_silent_change_that_shows_at_the_next_log_is_dated_where_it_began() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), BALANCE)
    await follow(node, ledger, 4, BALANCE, play=False)
    guilty = silently(node, 5)
    await ledger.follow([guilty])
    await follow(node, ledger, 6, play=False)
    at = minted(node, HOLDERS[0], 100)
    await ledger.follow([at])
    await agree(node, ledger, at, BALANCE)
    assert BALANCE in ledger.belief.doubts
    (found,) = await settle(ledger, at.number)
    assert (found.key, found.first, found.exact) == (BALANCE, guilty.number, True)
    for number in range(guilty.number, at.number + 1):
        await agree(node, ledger, node.block(number), BALANCE)


async def test_when_one_balance_changes_in_silence_no_other_of_its_token_is_believed() -> None:
    node = Node()
    third = key_of(ERC20.balanceOf, TOKENS[1], HOLDERS[2])
    ledger = await proven(node, BALANCE, OTHER, SUPPLY)
    await ledger.follow([guilty := silently(node, 5)])
    await follow(node, ledger, 3, play=False)
    (found,) = await audit(ledger, [BALANCE], at := node.block(node.world.number))
    assert found.first == guilty.number
    node.asked.clear()
    await agree(node, ledger, at, BALANCE, OTHER, SUPPLY, third)
    assert {key for _, key in node.asked} == {BALANCE, OTHER, SUPPLY, third}
    assert await settle(ledger, at.number) == []
    assert ledger.belief.flaws.keys() == {BALANCE, OTHER, SUPPLY}
    await follow(node, ledger, 5, BALANCE, OTHER, SUPPLY, third)
    assert {ledger.way(key) for key in (BALANCE, OTHER, SUPPLY, third)} == {Way.TIMED}


async def test_what_a_balance_of_the_same_token_gave_out_wrong_is_dated_too() -> None:
    node = Node()
    ledger = await proven(node, BALANCE, OTHER)
    await ledger.follow([silently(node, 1, HOLDERS[1])])
    await follow(node, ledger, 2, play=False)
    await ledger.follow([silently(node, 1)])
    at = node.block(node.world.number)
    (first,) = await audit(ledger, [BALANCE], at)
    (second,) = await settle(ledger, at.number)
    assert (first.key, first.first, second.key, second.first) == (BALANCE, at.number, OTHER, at.number - 3)


async def test_interest_of_one_holder_that_shows_makes_the_small_balance_beside_it_read() -> None:
    node = Node()
    ledger = ledger_of(node, proof_s=100)
    await agree(node, ledger, node.block(0), BALANCE, OTHER)
    for _ in range(2):
        await ledger.follow([at := silently(node, 7)])
        await agree(node, ledger, at, BALANCE, OTHER)
    assert ledger.belief.flaws.keys() == {BALANCE, OTHER}
    assert "without a log" in ledger.belief.flaws[OTHER].reason


async def test_an_answer_from_an_older_state_accuses_nobody() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), BALANCE, OTHER)
    at = minted(node, HOLDERS[0], 100)
    await ledger.follow([at])
    right, node.worlds[at.number] = node.worlds[at.number], node.worlds[0]
    await agree(node, ledger, at, BALANCE)
    node.worlds[at.number] = right
    assert (ledger.belief.flaws, ledger.belief.distrusted) == ({}, {})
    await follow(node, ledger, 4, BALANCE, OTHER, play=False)
    assert ledger.way(BALANCE) is Way.FOLDED


async def test_a_first_answer_from_an_older_state_accuses_nobody() -> None:
    node = Node()
    first = minted(node, HOLDERS[0], 100)
    ledger = ledger_of(node)
    ledger.start(first)
    right, node.worlds[first.number] = node.worlds[first.number], node.worlds[0]
    await agree(node, ledger, first, BALANCE, OTHER)
    node.worlds[first.number] = right
    await follow(node, ledger, 4, BALANCE, OTHER, play=False)
    assert (ledger.belief.flaws, ledger.belief.distrusted) == ({}, {})
    assert {ledger.way(BALANCE), ledger.way(OTHER)} == {Way.FOLDED}


async def test_given_answers_that_an_older_state_contradicts_are_believed_again_after_an_audit() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), BALANCE, OTHER)
    await follow(node, ledger, 4, BALANCE, OTHER, play=False)
    at = minted(node, HOLDERS[0], 100)
    await ledger.follow([at])
    right, node.worlds[at.number] = node.worlds[at.number], node.worlds[0]
    await agree(node, ledger, at, BALANCE)
    node.worlds[at.number] = right
    assert await settle(ledger, at.number) == []
    assert (ledger.belief.flaws, ledger.belief.doubts) == ({}, {})
    await follow(node, ledger, 4, BALANCE, play=False)
    assert ledger.way(BALANCE) is Way.FOLDED


async def test_a_log_left_out_while_a_balance_is_proven_accuses_that_balance_and_not_its_token() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), BALANCE, OTHER)
    await follow(node, ledger, 1, BALANCE, OTHER, play=False)
    at = minted(node, HOLDERS[0], 100)
    node.hidden.add((at.number, 0))
    await ledger.follow([at])
    node.hidden.clear()
    await agree(node, ledger, at, BALANCE, OTHER)
    assert ledger.belief.flaws.keys() == {BALANCE}
    assert "left out" in ledger.belief.flaws[BALANCE].reason
    await follow(node, ledger, 4, OTHER, play=False)
    assert ledger.way(OTHER) is Way.FOLDED


async def test_where_no_reason_can_be_had_only_the_question_that_differs_is_read() -> None:
    async def pruned(queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        raise EndpointError("pruned history unavailable", verdict=Verdict.PRUNED)

    node = Node()
    ledger = ledger_of(node, proof_s=100)
    await agree(node, ledger, node.block(0), BALANCE, OTHER)
    await follow(node, ledger, 1, BALANCE, OTHER, play=False)
    await ledger.follow([at := silently(node, 5)])
    ledger.logs = pruned
    await agree(node, ledger, at, BALANCE, OTHER)
    assert (ledger.belief.flaws.keys(), ledger.belief.distrusted) == ({BALANCE}, {})


async def test_an_error_that_cancels_out_and_comes_back_is_dated_at_its_first_block() -> None:
    node = Node()
    ledger = await proven(node, BALANCE)
    start = node.world.number
    for amount in (3, -3, 0, 0, 5, 0):
        await ledger.follow([silently(node, amount)])
    (found,) = await audit(ledger, [BALANCE], node.block(node.world.number))
    assert found.first == start + 1


async def test_a_reorg_takes_a_doubt_back_with_the_block_that_raised_it() -> None:
    node = Node()
    ledger = await proven(node, BALANCE)
    before, ancestor = deepcopy(node.world), node.block(node.world.number)
    await ledger.follow([silently(node, 5)])
    await ledger.follow([at := minted(node, HOLDERS[0], 1)])
    ledger.belief.doubt(ledger.book.tracks[BALANCE], at.number)
    ledger.rewind(ancestor)
    node.world = before
    assert ledger.belief.doubts == {}
    await follow(node, ledger, 4, BALANCE, play=False)
    assert ledger.way(BALANCE) is Way.FOLDED
