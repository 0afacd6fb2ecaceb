"""A log that the next one hides: what pairs add up, and how feeds number their rounds, shows that it was left out."""

from __future__ import annotations

import random
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import EndpointError, Verdict
from indexer.model import BlockRef
from indexer.reads.ledger.audit import Difference, audit, prove
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.ledger.rules import Way
from indexer.reads.source import CallKey
from tests.unit.reads.ledger_nodes import ROUND, Node, agree, asks, follow, ledger_of, proven
from tests.unit.reads.ledger_worlds import AGGREGATOR, KEYS, PAIR, PAIRS, World, key_of

RESERVES, OTHERS = (key_of(PAIR.getReserves, pair) for pair in PAIRS)
HIDEABLE = (RESERVES, OTHERS, ROUND)
MUTE = {*PAIRS, AGGREGATOR}
DICE = random.Random(7)


def happened(node: Node, deed: str) -> BlockRef:
    """A block in which nothing else happens."""
    node.world.number, node.world.logs = node.world.number + 1, []
    getattr(node.world, deed)(DICE)
    return node.keep()


async def hidden_then_hidden_by_the_next(node: Node, ledger: Ledger, deed: str, key: CallKey) -> BlockRef:
    """A deed whose log the node leaves out, some blocks, and a deed with its log. The first of the blocks."""
    while (guilty := happened(node, deed)) and node.worlds[guilty.number].answers()[key] == before(node, guilty, key):
        await ledger.follow([guilty])
    node.hidden.add((guilty.number, 0))
    await ledger.follow([guilty])
    await follow(node, ledger, 3, play=False)
    told = False
    while not told:
        at = happened(node, deed)
        await ledger.follow([at])
        told = node.worlds[at.number].answers()[key] != before(node, at, key)
    return guilty


def before(node: Node, at: BlockRef, key: CallKey) -> bytes:
    return node.worlds[at.number - 1].answers()[key]


@pytest.mark.parametrize(
    ("deed", "key", "keeps"), [("sync", RESERVES, "price"), ("sync", RESERVES, "reserve"), ("answer", ROUND, "price")]
)
async def test_a_log_left_out_that_the_next_one_hides_is_found_at_its_block(
    deed: str, key: CallKey, keeps: str
) -> None:
    node = Node(World(5, keeps))
    ledger = await proven(node, *KEYS)
    guilty = await hidden_then_hidden_by_the_next(node, ledger, deed, key)
    await follow(node, ledger, 3, key, play=False)
    (found,) = await audit(ledger, [key], node.block(node.world.number))
    assert (found.key, found.first, found.exact) == (key, guilty.number, True)
    assert ledger.way(key) is Way.TIMED
    for number in range(guilty.number, node.world.number + 1):
        await agree(node, ledger, node.block(number), key)


@pytest.mark.parametrize(("deed", "key"), [("sync", RESERVES), ("answer", ROUND)])
async def test_a_range_in_which_the_next_log_hides_one_left_out_is_not_believed(deed: str, key: CallKey) -> None:
    node = Node()
    ledger = ledger_of(node)
    await agree(node, ledger, node.block(0), *KEYS)
    await follow(node, ledger, 40)
    await hidden_then_hidden_by_the_next(node, ledger, deed, key)
    await prove(ledger, node.block(node.world.number))
    assert {one for one in HIDEABLE if ledger.way(one) is Way.TIMED} == {key}


@pytest.mark.parametrize("keeps", ["nothing", "something else"])
async def test_a_pair_that_adds_up_nothing_or_something_else_is_believed_as_before(keeps: str) -> None:
    node = Node(World(5, keeps))
    ledger = await proven(node, *KEYS)
    for _ in range(4):
        await follow(node, ledger, 20, *KEYS)
        assert await audit(ledger, [RESERVES, OTHERS], node.block(node.world.number)) == []
    node.asked.clear()
    await follow(node, ledger, 20, *KEYS)
    assert await audit(ledger, [RESERVES, OTHERS], node.block(node.world.number)) == []
    assert {key for _, key in node.asked if key not in KEYS} == set(), "it is not asked again for what it does not keep"


async def test_a_sum_whose_beginning_can_no_longer_be_read_begins_anew() -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    read, now = node.fetch, node.world.number

    async def pruned(questions: object, at: BlockRef) -> object:
        if at.number < now:
            raise EndpointError("pruned", verdict=Verdict.PRUNED)
        return await read(questions, at)  # type: ignore[arg-type]

    node.fetch = pruned  # type: ignore[assignment, method-assign]
    assert await audit(ledger, [RESERVES], node.block(now)) == []
    guilty = await hidden_then_hidden_by_the_next(node, ledger, "sync", RESERVES)
    (found,) = await audit(ledger, [RESERVES], node.block(node.world.number))
    assert found.first == guilty.number


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), keeps=st.sampled_from(["price", "reserve"]), place=st.randoms(use_true_random=False))
async def test_whichever_such_log_is_left_out_each_answer_given_out_is_right_or_found(
    seed: int, keeps: str, place: random.Random
) -> None:
    """Audited every six blocks: what is wrong at a block is said to be wrong since that block, or since one before."""
    node = Node(World(seed, keeps))
    ledger = await proven(node, *HIDEABLE)
    start, given_out, found = node.world.number, dict[int, list[object]](), list[Difference]()
    guilty = start + place.randrange(1, 30)
    for number in range(start + 1, start + 49):
        at = node.mine()
        if number == guilty and (mute := [log.log_index for log in node.world.logs if log.address in MUTE]):
            node.hidden.add((number, place.choice(mute)))
        await ledger.follow([at])
        given_out[number] = list(await ledger.fetch(asks(*HIDEABLE), at))
        if number % 6 == 0:
            found += await audit(ledger, HIDEABLE, at)
    found += await audit(ledger, HIDEABLE, node.block(node.world.number))
    since = {one.key: one.first for one in found}
    for number, answers in given_out.items():
        truth = node.worlds[number].answers()
        for key, answer in zip(HIDEABLE, answers, strict=True):
            assert answer == truth[key] or since.get(key, number + 1) <= number


@pytest.mark.parametrize(("deed", "key"), [("sync", RESERVES), ("answer", ROUND)])
async def test_a_reorg_takes_back_what_was_summed_and_what_was_skipped(deed: str, key: CallKey) -> None:
    node = Node()
    ledger = await proven(node, *KEYS)
    ancestor, before_it = node.block(node.world.number), deepcopy(node.world)
    await hidden_then_hidden_by_the_next(node, ledger, deed, key)
    ledger.rewind(ancestor)
    node.world = before_it
    node.hidden.clear()
    await follow(node, ledger, 6, *KEYS)
    assert await audit(ledger, HIDEABLE, node.block(node.world.number)) == []
    ledger.rewind(node.block(node.world.number - 3))
    node.world = deepcopy(node.worlds[node.world.number - 3])
    guilty = await hidden_then_hidden_by_the_next(node, ledger, deed, key)
    (found,) = await audit(ledger, HIDEABLE, node.block(node.world.number))
    assert (found.key, found.first) == (key, guilty.number)
