"""F25: an endpoint that answers for the right block from another block's state. No witness in the call can see it.

What was stored is compared with a second reading once its block is final, and put right, or marked as in doubt.
"""

from __future__ import annotations

import pytest

from devnet import faults
from devnet.configuration import FINALITY_DEPTH
from tests.e2e.faults.trial import ESCROW, Trial, World, prepared, running, until

pytestmark = pytest.mark.anvil

ALL = "audit_one_in = 1"


async def lied_to(trial: Trial, blocks: int) -> None:
    """The first endpoint lies about every block, the first one stored included, from the start."""
    lie = trial.proxies[0].fault(faults.stale_state(), method="eth_call")
    await trial.arrived()
    for _ in range(blocks):
        await trial.trade()
        await trial.arrived()
    assert lie.taken
    last = trial.net.block_number()
    assert (
        await trial.store.digest(ESCROW, trial.first, last) != (await trial.clean(range(trial.first, last + 1)))[ESCROW]
    )


async def final_until(trial: Trial, block: int) -> None:
    """More blocks, so that this one becomes final, and is audited."""
    for _ in range(block + FINALITY_DEPTH - trial.net.block_number()):
        await trial.trade()
        await trial.arrived()
    await trial.is_final(block)


async def test_a_lie_that_passed_is_put_right_when_its_blocks_are_final(world: World) -> None:
    async with prepared(world, more=ALL) as trial, running(trial):
        await lied_to(trial, 3)
        trial.proxies[0].heal()
        await final_until(trial, trial.first + 3)
        await trial.same_as_without()
        (told, *_) = trial.heard("a stored snapshot is put right", level="error", block=trial.first + 3)
        assert "holding" in told["differs"]
        state = await trial.store.chain_state("devnet")
        assert state.corrected >= 4
        assert state.audited >= 4 * 6
        assert trial.tells_no_key()


async def test_a_lie_of_one_endpoint_among_three_is_outvoted_while_it_goes_on(world: World) -> None:
    async with prepared(world, 3, more=ALL) as trial, running(trial):
        await lied_to(trial, 3)
        last = trial.first + 3
        await final_until(trial, last)
        await trial.same_as_without(last)
        await until(lambda: bool(trial.heard("endpoint trouble", trouble="distrusted")), "the liar is named")
        assert trial.heard("a stored snapshot is put right", level="error")
        assert trial.tells_no_key()


async def test_where_two_endpoints_contradict_each_other_the_block_is_a_gap_until_they_agree(world: World) -> None:
    async with prepared(world, 2, more=ALL) as trial, running(trial):
        await lied_to(trial, 2)
        await final_until(trial, trial.first + 2)
        gaps = await trial.gaps()
        assert {trial.first, trial.first + 1, trial.first + 2} <= set(gaps)
        assert all("endpoints do not agree on the state of this block" in reason for reason in gaps.values())
        assert trial.heard("a stored snapshot is in doubt", level="error")
        assert await trial.store.verify() == []
        trial.proxies[0].heal()
        await trial.fill_gaps()
        await trial.same_as_without(trial.first + 2)


async def test_without_audits_nothing_is_read_twice(world: World) -> None:
    async with prepared(world, more="audit_one_in = 0\nledger = false") as trial, running(trial):
        await trial.arrived()
        before = trial.proxies[0].count("eth_call")
        await final_until(trial, trial.first)
        blocks = trial.net.block_number() - trial.first
        per_block = (trial.proxies[0].count("eth_call") - before) / blocks
        state = await trial.store.chain_state("devnet")
        assert (state.audited, per_block) == (0, state.requests)
