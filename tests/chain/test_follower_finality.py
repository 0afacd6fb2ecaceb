"""What is final: by the chain's tag or by depth, never back, and never given up."""

from __future__ import annotations

import pytest

from devnet import Anvil, faults
from devnet.proxy import Document, FaultProxy
from indexer.config.secret import Secret
from indexer.errors import FinalityBroken
from tests.chain.chain_support import Index, PoolMaker, follower_on, settle

pytestmark = pytest.mark.anvil


async def test_final_blocks_are_told_by_the_chains_own_tag(finalizing: Anvil, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(5)
    await settle(follower, index)
    assert index.final is not None
    assert index.final.number == finalizing.block_number() - 2
    assert follower.safe is not None
    assert follower.safe.number == finalizing.block_number() - 1


async def test_without_tags_a_block_is_final_at_its_depth(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    proxy.fault(faults.edit(_without_tags))
    index, follower = Index(), follower_on(pool_of(proxy), finality_depth=7)
    await settle(follower, index, 2)
    anvil.mine(20)
    await settle(follower, index)
    assert index.final is not None
    assert index.final.number == anvil.block_number() - 7


def _without_tags(replies: list[Document]) -> list[Document]:
    problem = {"code": -32602, "message": "invalid block tag"}
    return (
        [replies[0], *({"id": reply["id"], "error": problem} for reply in replies[1:])]
        if len(replies) == 3
        else replies
    )


async def test_a_reorg_past_the_final_block_ends_the_follower_with_everything_kept(
    finalizing: Anvil, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(10)
    await settle(follower, index)
    kept = list(index.blocks)
    finalizing.reorg(6)
    with pytest.raises(FinalityBroken):
        await settle(follower, index)
    assert index.blocks == kept
    with pytest.raises(FinalityBroken):
        await follower.step()


async def test_a_shorter_chain_is_never_followed_below_the_final_block(finalizing: Anvil, pool_of: PoolMaker) -> None:
    index, follower = Index(), follower_on(pool_of(finalizing.url))
    await settle(follower, index, 2)
    finalizing.mine(10)
    await settle(follower, index)
    finalizing.rollback(8)
    await settle(follower, index, 12)
    assert index.reorgs == []


async def test_one_endpoint_that_replaces_final_blocks_does_not_stop_the_chain(
    finalizing: Anvil, pool_of: PoolMaker
) -> None:
    with Anvil.start(extra_args=["--slots-in-an-epoch", "1"]) as other:
        other.mine(10)
        other.mine(40, dt=13)
        async with FaultProxy(finalizing.url) as place, FaultProxy(finalizing.url, key="two") as twin:
            pool = pool_of(place, twin)
            index, follower = Index(), follower_on(pool)
            await settle(follower, index, 2)
            used = place if follower.source == Secret(place.url).label else twin
            used.upstream = other.url
            await settle(follower, index, 10)
            finalizing.mine(3)
            await settle(follower, index, 10)
            assert index.matches(finalizing)
            assert index.reorgs == []


async def test_a_final_block_above_the_head_is_not_believed(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    index, follower = Index(), follower_on(pool_of(proxy, second))
    for place in (proxy, second):
        place.fault(faults.asks(_final_is_latest_latest_is_older))
    await settle(follower, index, 4)
    assert index.final is None


def _final_is_latest_latest_is_older(document: Document) -> None:
    if document["params"][:1] == ["finalized"]:
        document["params"][0] = "latest"
    elif document["params"][:1] == ["latest"]:
        document["params"][0] = "0x10"


async def test_a_final_block_that_moves_back_changes_nothing(finalizing: Anvil, pool_of: PoolMaker) -> None:
    async with FaultProxy(finalizing.url) as place:
        index, follower = Index(), follower_on(pool_of(place))
        await settle(follower, index, 2)
        final = index.final
        assert final is not None

        def older(document: Document) -> None:
            if document["params"][:1] == ["finalized"]:
                document["params"][0] = hex(final.number - 5)

        place.fault(faults.asks(older))
        await settle(follower, index, 4)
        assert index.final == follower.finalized == final
