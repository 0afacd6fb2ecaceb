"""Uniswap V3 and its forks: pools that a factory's logs name -> both balances of each pool.

Pools are found once, from `PoolCreated` logs; a reading is one round over all of them. V3 keeps no reserves: a pool's
tokens are its balances. https://docs.uniswap.org/contracts/v3/reference/core/UniswapV3Factory
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import model_validator

from indexer.adapters.base import Adapter, ContractAddress, Params
from indexer.adapters.parts import Addresses, ask_groups, exactly_one, token_in
from indexer.adapters.pools import Pool, balances_of, find_listed, pool_data, pool_holdings, pools_of, two_tokens
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Hash, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.decode import decode_types
from indexer.reads.plan import Answer, Ask, Failed, Log, LogQuery, Plan, need
from indexer.reads.types import abi_type, word_decoder

FEE_OF_EVERY_FACTORY = 3_000


class UniswapV3Params(Params):
    """A factory with all its pools, or a list of pools."""

    factory: ContractAddress | None = None
    """The factory: every pool it ever created is counted, found by its `PoolCreated` logs."""
    pools: Addresses = ()
    """The pools to count, in place of a factory."""

    @model_validator(mode="after")
    def _one_source(self) -> UniswapV3Params:
        exactly_one(factory=self.factory, pools=self.pools)
        return self


class UniswapV3(Adapter[UniswapV3Params]):
    """The positions are NFTs, so that no token is a claim on a pool's balances."""

    kind = "uniswap_v3"
    version = 1
    counts = "Both tokens that every pool holds: liquidity of all ranges, and fees not yet collected."
    params = UniswapV3Params

    def discover(
        self, params: UniswapV3Params, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        if params.factory is None:
            return (yield from find_listed(params.pools, known, at.number))
        created = interface("uniswap_v3_factory").events["PoolCreated"]
        (logs,) = yield [LogQuery((params.factory,), ((created,),), from_block, at.number)]
        names = {item.key for item in known}
        new = {item.key: item for item in map(_pool_created, need(logs)) if item.key not in names}
        return list(new.values())

    def read(self, params: UniswapV3Params, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        existing = [item for item in found if params.pools or item.block <= at.number]
        pools = yield from pools_of(existing, params.pools)
        probe, *answers = yield from ask_groups([_probe(params), *map(balances_of, pools)])
        _check_factory(probe, pools)
        return [h for pool, answer in zip(pools, answers, strict=True) for h in pool_holdings(pool, answer)]


def _pool_created(log: Log) -> Found:
    """What a `PoolCreated` log found. Raises CallFailed for a log of another layout."""
    try:
        _, pool = decode_types((abi_type("int24"), abi_type("address")), log.data)
        tokens = _topic_token(log.topics[1]), _topic_token(log.topics[2])
    except (ValueError, IndexError) as error:
        raise CallFailed("a PoolCreated log is not Uniswap V3's", tx=log.tx_hash) from error
    return Found(pool, log.block_number, pool_data(pool, two_tokens(*tokens)))


def _topic_token(topic: Hash) -> Address | Failed:
    return token_in(word_decoder("address")(bytes.fromhex(topic[2:])))


def _probe(params: UniswapV3Params) -> list[Ask]:
    """Asks the factory something only a factory answers: no logs may also mean a wrong address."""
    if params.factory is None:
        return []
    return [interface("uniswap_v3_factory").feeAmountTickSpacing(params.factory, FEE_OF_EVERY_FACTORY)]


def _check_factory(probe: Sequence[Answer], pools: Sequence[Pool]) -> None:
    """Raises CallFailed where there is no factory. A fork without that getter is believed once it has a pool."""
    for answer in probe:
        if isinstance(answer, Failed) and (answer.status is Status.MISSING or not pools):
            raise CallFailed(f"no Uniswap V3 factory: {answer.reason}", status=answer.status)
