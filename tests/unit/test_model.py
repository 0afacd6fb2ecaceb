"""What records say of themselves."""

from __future__ import annotations

from indexer.model import Address, BlockRef, Grade, Hash, Quote, Step

POOL = Address("0x" + "22" * 20)


def test_an_answer_that_is_the_blocks_own_state_is_as_old_as_the_block_that_it_is_used_at() -> None:
    feed, rate = Step("chainlink", POOL, 1, 8, 1_000), Step("erc4626", POOL, 1, 18, None)
    early, late = (BlockRef(n, Hash("0x"), Hash("0x"), 1_060 + n) for n in (0, 40))
    for steps, ages in {(rate,): (0, 0), (): (0, 0), (feed, rate): (60, 100), (feed,): (60, 100)}.items():
        quote = Quote(POOL, 1, 1, 1, Grade.A, "r", steps)
        assert (quote.age_s(early), quote.age_s(late)) == ages
    assert rate.time(late) == late.timestamp
