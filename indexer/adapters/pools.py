"""Pools of two tokens: which two, asked once and kept as discoveries.

A pool that does not name two different tokens is still listed, so that a reading can say that it is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from indexer.adapters.parts import KEPT_HOLDINGS, ask_groups, balance_of, holding, token_in, unidentified
from indexer.model import Address, Found, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan

Tokens = tuple[Address, Address]

UNKNOWN = Failed(Status.HELD, "its tokens are not known")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool and its two tokens, or why they cannot be had. `index` is its place in a factory."""

    address: Address
    tokens: Tokens | Failed = UNKNOWN
    index: int = 0


def pools_of(found: Iterable[Found], listed: Sequence[Address] = ()) -> Plan[list[Pool]]:
    """The pools found so far, each address once. If any are `listed`: exactly these, found or not.

    A round is asked only if there are pools whose tokens were not had before.
    """
    pools: dict[Address, Pool] = {}
    for pool in map(_pool, found):
        pools.setdefault(pool.address, pool)
    if listed:
        pools = {address: pools[address] if address in pools else Pool(address) for address in listed}
    unknown = [pool.address for pool in pools.values() if isinstance(pool.tokens, Failed)]
    if unknown:
        for address, tokens in (yield from find_tokens(unknown)).items():
            pools[address] = replace(pools[address], tokens=tokens)
    return list(pools.values())


def _pool(item: Found) -> Pool:
    data = item.data
    index = int(data.get("index", 0))
    if "token0" not in data:
        return Pool(Address(str(data["pool"])), index=index)
    return _named(str(data["pool"]), str(data["token0"]), str(data["token1"]), index)


@lru_cache(KEPT_HOLDINGS)
def _named(pool: str, token0: str, token1: str, index: int) -> Pool:
    return Pool(Address(pool), (Address(token0), Address(token1)), index)


def pool_data(pool: Address, tokens: Tokens | Failed, **more: int) -> dict[str, str | int | bool]:
    """A pool as the data of a discovery."""
    named = {} if isinstance(tokens, Failed) else {"token0": tokens[0], "token1": tokens[1]}
    return {"pool": pool, **named, **more}


def find_listed(listed: Sequence[Address], known: Sequence[Found], block: int) -> Plan[list[Found]]:
    """Discoveries of the listed pools not known yet; one that does not name its tokens is asked again next time."""
    names = {item.key for item in known}
    new = [pool for pool in listed if pool not in names]
    tokens = (yield from find_tokens(new)) if new else {}
    return [Found(p, block, pool_data(p, pair)) for p, pair in tokens.items() if not isinstance(pair, Failed)]


def find_tokens(pools: Sequence[Address]) -> Plan[dict[Address, Tokens | Failed]]:
    """The two tokens of each pool, or why they cannot be had, in one round."""
    contract = interface("uniswap_v2_pair")
    answers = yield from ask_groups((contract.token0(pool), contract.token1(pool)) for pool in pools)
    return {pool: two_tokens(*pair) for pool, pair in zip(pools, answers, strict=True)}


def two_tokens(answer0: Answer, answer1: Answer) -> Tokens | Failed:
    """Two different ERC-20 tokens, or why these are not."""
    token0, token1 = token_in(answer0), token_in(answer1)
    if isinstance(token0, Failed):
        return token0
    if isinstance(token1, Failed):
        return token1
    return (token0, token1) if token0 != token1 else Failed(Status.MALFORMED, "its two tokens are the same")


def balances_of(pool: Pool) -> list[Ask]:
    """What asks for a pool's balance of each of its tokens; nothing where they are not known."""
    return [] if isinstance(pool.tokens, Failed) else [balance_of(token, pool.address) for token in pool.tokens]


def pool_holdings(pool: Pool, amounts: Sequence[Answer], receipt: Address | None = None) -> list[Holding]:
    """A pool's two holdings, or the one that says that its tokens are not known."""
    if isinstance(pool.tokens, Failed):
        return [unidentified(pool.address, pool.tokens)]
    pairs = zip(pool.tokens, amounts, strict=True)
    return [holding(token, pool.address, amount, receipt=receipt) for token, amount in pairs]
