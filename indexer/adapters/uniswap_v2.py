"""Uniswap V2 and its forks: pairs of a factory -> both reserves of each pair.

Pairs are found once through the factory's getters; a reading is one round over all of them.
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/factory
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import model_validator

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, ask_groups, exactly_one
from indexer.adapters.pools import Pool, balances_of, find_listed, find_tokens, pool_data, pool_holdings, pools_of
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan, address, uint

PAIRS_A_ROUND = 2_000
STEPS = 64
"""A discovery takes at most so many steps of two rounds: the steps of a very large factory are larger."""

PAIRS_LIMIT = 10_000_000
"""More pairs than any chain's factory has: a larger number is a broken answer."""


class UniswapV2Params(Params):
    """A factory with all its pairs, or a list of pairs."""

    factory: ContractAddress | None = None
    """The factory: every pair it ever created is counted."""
    pairs: Addresses = ()
    """The pairs to count, in place of a factory."""
    amounts: Literal["reserves", "balances"] = "reserves"
    """`reserves`: what the pair answers for. `balances`: what it holds, with tokens sent to it by mistake or gift."""

    @model_validator(mode="after")
    def _one_source(self) -> UniswapV2Params:
        exactly_one(factory=self.factory, pairs=self.pairs)
        return self


class UniswapV2(Adapter[UniswapV2Params]):
    """Reserves are the default: a balance can be raised by anyone for one block, and `skim` takes it back."""

    kind = "uniswap_v2"
    version = 1
    counts = "Both tokens of every pair: the reserves that liquidity providers can withdraw."
    params = UniswapV2Params

    def discover(
        self, params: UniswapV2Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.factory is None:
            return (yield from find_listed(params.pairs, known, at.number))
        (length,) = yield _length(params)
        new: list[Found] = []
        for indexes in _steps(_found_pairs(known), _pair_count(length)):
            new += yield from _find_pairs(params.factory, indexes, at.number)
        return new

    def read(self, params: UniswapV2Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        pools = yield from pools_of(found, params.pairs)
        counted, *answers = yield from ask_groups([_length(params), *(_asks(pool, params) for pool in pools)])
        count = _all_found(_pair_count(counted[0]), found) if params.factory else PAIRS_LIMIT
        pairs = zip(pools, answers, strict=True)
        return [h for pool, answer in pairs if pool.index < count for h in _holdings(pool, answer)]


def _length(params: UniswapV2Params) -> list[Ask]:
    return [interface("uniswap_v2_factory").allPairsLength(params.factory)] if params.factory else []


def _pair_count(answer: Answer) -> int:
    """How many pairs a factory says it has. Raises CallFailed for none and for nonsense."""
    if uint(answer) > PAIRS_LIMIT:
        raise CallFailed(f"the factory says it has {answer} pairs")
    return uint(answer)


def _steps(start: int, stop: int) -> Iterator[range]:
    size = max(PAIRS_A_ROUND, -(-(stop - start) // STEPS))
    for first in range(start, stop, size):
        yield range(first, min(first + size, stop))


def _find_pairs(factory: Address, indexes: range, block: int) -> Plan[list[Found]]:
    """The pairs at these indexes of a factory, with their tokens, in two rounds."""
    answers = yield [interface("uniswap_v2_factory").allPairs(factory, i) for i in indexes]
    pairs = [address(answer) for answer in answers]
    tokens = yield from find_tokens(pairs)
    return [Found(str(i), block, pool_data(p, tokens[p], index=i)) for i, p in zip(indexes, pairs, strict=True)]


def _found_pairs(found: Sequence[Found]) -> int:
    return 1 + max((int(item.data["index"]) for item in found if "index" in item.data), default=-1)


def _all_found(count: int, found: Sequence[Found]) -> int:
    """`count`, if all the factory's pairs are among those found. Raises CallFailed where discovery is behind."""
    if count > _found_pairs(found):
        raise CallFailed(f"the factory has {count} pairs, of which {_found_pairs(found)} were found: discover first")
    return count


def _asks(pool: Pool, params: UniswapV2Params) -> list[Ask]:
    if isinstance(pool.tokens, Failed) or params.amounts == "balances":
        return balances_of(pool)
    return [interface("uniswap_v2_pair").getReserves(pool.address)]


def _holdings(pool: Pool, answers: Sequence[Answer]) -> list[Holding]:
    return pool_holdings(pool, _amounts(*answers), receipt=pool.address)


def _amounts(*answers: Answer) -> Sequence[Answer]:
    """Two amounts: from two balances, or from one `getReserves`."""
    if len(answers) != 1:
        return answers
    return answers * 2 if isinstance(answers[0], Failed) else answers[0][:2]
