"""A ledger gives out what follows from logs once it is proven, reads the rest, and finds what logs do not say."""

from __future__ import annotations

from copy import deepcopy

import pytest

from indexer.model import BlockRef, Hash, LogQuery
from indexer.reads.ledger.audit import audit, changed, rotation, settle
from indexer.reads.ledger.belief import Flaw
from indexer.reads.ledger.rules import Way
from indexer.reads.plan import Failed
from tests.unit.reads.ledger_nodes import (
    BALANCE,
    COUNT,
    OTHER,
    ROUND,
    SUPPLY,
    Node,
    agree,
    asks,
    follow,
    ledger_of,
    proven,
)
from tests.unit.reads.ledger_worlds import (
    AGGREGATOR,
    AROUND,
    ERC20,
    HOLDERS,
    KEYS,
    NOBODY,
    PROXY,
    REGISTRY,
    TOKENS,
    key_of,
    padded,
)


async def test_what_is_proven_is_not_asked_again_and_stays_right() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    assert {ledger.way(key) for key in KEYS if key != COUNT} == {Way.FOLDED}
    assert ledger.way(COUNT) is Way.TRIGGERED
    node.asked.clear()
    await follow(node, ledger, 40, *KEYS)
    assert {key for _, key in node.asked} <= {COUNT}


async def test_a_triggered_answer_is_read_after_a_log_and_only_then() -> None:
    node = Node()
    ledger = await proven(node, COUNT)
    await follow(node, ledger, 3, COUNT, play=False)
    node.asked.clear()
    await follow(node, ledger, 3, COUNT, play=False)
    assert node.asked == []
    node.world.number, node.world.logs = node.world.number + 1, []
    node.world.items += 1
    node.world.emit(REGISTRY, (padded(7),), b"")
    at = node.keep()
    await ledger.follow([at])
    await agree(node, ledger, at, COUNT)
    assert node.asked == [(at.number, COUNT)]


async def test_nothing_is_given_out_before_two_later_reads_agreed() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), BALANCE)
    await follow(node, ledger, 2, BALANCE, play=False)
    assert [number for number, _ in node.asked] == [0, 1, 2]
    await follow(node, ledger, 2, BALANCE, play=False)
    assert len(node.asked) == 3


async def test_a_balance_is_proven_only_by_reads_that_are_far_enough_apart_for_interest_to_show() -> None:
    node = Node()
    ledger = ledger_of(node, proof_s=100)
    await agree(node, ledger, node.block(0), BALANCE)
    await follow(node, ledger, 12, BALANCE, play=False)
    assert [number for number, key in node.asked] == list(range(10))


async def test_interest_that_accrues_without_logs_is_never_given_out_from_logs() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), SUPPLY)
    for _ in range(10):
        node.world.supplies[TOKENS[1]] += 3
        await follow(node, ledger, 1, SUPPLY, play=False)
    assert ledger.way(SUPPLY) is Way.TIMED
    assert "without a log" in ledger.belief.flaws[SUPPLY].reason


async def test_a_feed_that_never_logged_an_answer_is_read() -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), ROUND)
    await follow(node, ledger, 8, ROUND, play=False)
    assert ledger.way(ROUND) is Way.TIMED


async def test_a_fee_on_transfer_shows_at_the_first_transfer() -> None:
    node = Node()
    node.world.balances[TOKENS[1], HOLDERS[1]] = 1000
    ledger = ledger_of(node)
    await agree(node, ledger, node.keep(), BALANCE)
    await follow(node, ledger, 4, BALANCE, play=False)
    assert ledger.way(BALANCE) is Way.FOLDED
    node.world.number, node.world.logs = node.world.number + 1, []
    node.world.move(TOKENS[1], HOLDERS[1], HOLDERS[0], 100)
    node.world.balances[TOKENS[1], HOLDERS[0]] -= 2
    at = node.keep()
    await ledger.follow([at])
    await agree(node, ledger, at, BALANCE)
    (found,) = await settle(ledger, at.number)
    assert (found.key, found.first, found.exact) == (BALANCE, at.number, True)
    assert "a fee on transfer" in found.reason
    assert BALANCE in ledger.belief.flaws


async def test_a_question_that_fails_is_asked_each_time() -> None:
    node, nobody = Node(), key_of(ERC20.balanceOf, NOBODY, HOLDERS[0])
    ledger = ledger_of(node)
    for _ in range(4):
        at = node.mine(play=False)
        await ledger.follow([at])
        (raw,) = await ledger.fetch(asks(nobody), at)
        assert isinstance(raw, Failed)
    assert len(node.asked) == 4


async def test_a_reorg_is_taken_back_and_the_new_branch_folded() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    ancestor = node.block(node.world.number)
    before = deepcopy(node.world)
    await follow(node, ledger, 5, *KEYS)
    ledger.rewind(ancestor)
    node.world = before
    node.asked.clear()
    for _ in range(5):
        node.world.block("another")
        await ledger.follow([node.keep()])
        await agree(node, ledger, node.block(node.world.number), *KEYS)
    assert {key for _, key in node.asked} <= {COUNT}


async def test_a_block_that_does_not_follow_starts_the_ledger_anew() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    node.mine()
    at = node.mine()
    assert await ledger.follow([at]) == []
    assert ledger.book.tracks == {}
    await agree(node, ledger, at, *KEYS)


async def test_another_block_than_those_followed_is_read_and_teaches_nothing() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    node.asked.clear()
    stranger = BlockRef(node.world.number, Hash("0x" + "9" * 64), padded(0), 0)
    await ledger.fetch(asks(*KEYS), stranger)
    assert len(node.asked) == len(KEYS)


async def test_an_earlier_block_is_answered_from_what_was_folded() -> None:
    node = Node()
    ledger = await proven(node, BALANCE, SUPPLY)
    await follow(node, ledger, 20, BALANCE, SUPPLY)
    node.asked.clear()
    for number in range(65, 80):
        await agree(node, ledger, node.block(number), BALANCE, SUPPLY)
    assert node.asked == []


async def test_logs_of_a_contract_that_is_seen_whole_answer_log_queries() -> None:
    node = Node()
    ledger = await proven(node, COUNT)
    first, last = node.world.number + 1, node.world.number + 20
    await follow(node, ledger, 20, COUNT)
    query = LogQuery((REGISTRY,), (), first, last)
    node.asked.clear()
    (logs,) = await ledger.fetch({query: query}, node.block(last))
    assert logs == [log for n in range(first, last + 1) for log in node.worlds[n].logs if log.address == REGISTRY]
    assert node.asked == []
    assert ledger.way(LogQuery((TOKENS[0],), (), first, last)) is Way.TIMED


async def test_an_audit_of_a_faithful_node_finds_nothing() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    keys = [key for turn in range(24) for key in rotation(ledger, turn)]
    assert set(keys) == {key for key in KEYS if ledger.way(key) is not Way.TIMED}
    assert await audit(ledger, keys, node.block(node.world.number)) == []
    assert changed(ledger, node.world.number) == []


@pytest.mark.parametrize("hidden_at", [1, 7, 19])
async def test_a_log_that_a_node_left_out_is_found_at_its_block(hidden_at: int) -> None:
    node = Node()
    ledger = await proven(node, BALANCE, SUPPLY)
    start = node.world.number
    for i in range(1, 21):
        node.world.number, node.world.logs = node.world.number + 1, []
        node.world.mint_to(TOKENS[1], HOLDERS[0], 10 + i)
        if i == hidden_at:
            node.hidden.add((node.world.number, 0))
        await ledger.follow([node.keep()])
    node.hidden.clear()
    at = node.block(node.world.number)
    assert BALANCE in changed(ledger, at.number)
    found = {one.key: one for one in await audit(ledger, [BALANCE, SUPPLY], at)}
    assert {key: (one.first, one.exact) for key, one in found.items()} == {
        BALANCE: (start + hidden_at, True),
        SUPPLY: (start + hidden_at, True),
    }
    assert "left out" in found[BALANCE].reason
    await agree(node, ledger, at, BALANCE, SUPPLY)
    await agree(node, ledger, node.block(start + hidden_at), BALANCE, SUPPLY)


async def test_a_rebase_is_told_from_a_change_of_one_holder() -> None:
    node = Node()
    for holder in HOLDERS[:2]:
        node.world.balances[TOKENS[1], holder] = 10**6
    node.keep()
    ledger = await proven(node, BALANCE, OTHER)
    node.world.balances[TOKENS[1], HOLDERS[0]] += 5
    node.world.balances[TOKENS[1], HOLDERS[1]] += 5
    at = node.mine(play=False)
    await ledger.follow([at])
    first, second = await audit(ledger, [BALANCE, OTHER], at)
    assert "rebases" in first.reason
    assert second.first == at.number
    assert ledger.belief.flaws.keys() >= {BALANCE, OTHER}


async def test_a_silent_mint_is_told_with_its_block() -> None:
    node = Node()
    ledger = await proven(node, BALANCE, OTHER)
    await follow(node, ledger, 3, play=False)
    node.world.balances[TOKENS[1], HOLDERS[0]] += 5
    guilty = node.mine(play=False)
    await ledger.follow([guilty])
    for _ in range(6):
        await ledger.follow([node.mine(play=False)])
    (found,) = await audit(ledger, [BALANCE, OTHER], node.block(node.world.number))
    assert (found.key, found.first, found.exact) == (BALANCE, guilty.number, True)
    assert found.reason == "it changed without a log that says so"


async def test_a_feed_with_a_new_aggregator_is_followed_there() -> None:
    node = Node()
    ledger = await proven(node, ROUND)
    ledger.around = type(AROUND)(AROUND.wrapped, {PROXY: TOKENS[2]}, AROUND.touched_by)
    node.world.round = (node.world.round[0] + 1, 77, node.world.timestamp)
    at = node.mine(play=False)
    await ledger.follow([at])
    (found,) = await audit(ledger, [ROUND], at)
    assert found.key == ROUND
    assert ROUND not in ledger.belief.flaws
    await follow(node, ledger, 40, ROUND)
    assert ledger.around.aggregators[PROXY] == AGGREGATOR
    assert ledger.way(ROUND) is Way.FOLDED


async def test_what_is_said_to_be_unchanged_between_two_blocks_is_what_the_node_says_at_both() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    first = node.world.number
    await follow(node, ledger, 30, *KEYS)
    stood = 0
    for since in range(first, node.world.number + 1):
        for at in range(first, node.world.number + 1):
            for key in KEYS:
                if ledger.unchanged([key], node.block(since), node.block(at)):
                    stood += since != at
                    assert node.worlds[since].answers()[key] == node.worlds[at].answers()[key]
    assert stood, "nothing ever stood"


async def test_what_was_asked_of_another_fork_or_never_is_not_said_to_be_unchanged() -> None:
    node = Node()
    ledger = await proven(node, BALANCE)
    at, before = node.block(node.world.number), node.block(node.world.number - 1)
    assert ledger.unchanged([BALANCE], at, at)
    assert not ledger.unchanged([BALANCE], BlockRef(before.number, padded(77), before.parent_hash, 0), at)
    assert not ledger.unchanged([BALANCE, OTHER], at, at)


async def test_a_question_that_is_read_again_is_not_said_to_be_unchanged() -> None:
    node = Node()
    ledger = await proven(node, BALANCE)
    at = node.block(node.world.number)
    ledger.belief.mark(BALANCE, Flaw("it changes without a log that says so", at.number))
    assert not ledger.unchanged([BALANCE], at, at)
