"""Pools of two tokens or more: which ones, asked once and kept as discoveries.

A pool that does not name different tokens is still listed, so that a reading can say that it is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from sys import intern

from indexer.adapters.base import Params
from indexer.adapters.parts import (
    KEPT_HOLDINGS,
    Addresses,
    ask_groups,
    balance_of,
    holding,
    kept_by_set,
    token_in,
    unidentified,
)
from indexer.model import Address, Found, Holding, Status
from indexer.reads.abi import Function, interface
from indexer.reads.plan import Answer, Ask, Failed, Plan

Tokens = tuple[Address, ...]

TokensOf = Callable[[Sequence[Address]], Plan[dict[Address, Tokens | Failed]]]
"""A plan that asks pools for their tokens: of each pool its tokens, or why they cannot be had."""

UNKNOWN = Failed(Status.HELD, "its tokens are not known")


class PoolParams(Params):
    """What the parameters of every kind of pools share."""

    exclude: Addresses = ()
    """Tokens and pools that are not counted."""

    def counted(self, holdings: Iterable[Holding]) -> list[Holding]:
        """The holdings but those of an excluded token or pool."""
        if not self.exclude:
            return list(holdings)
        left_out = frozenset(self.exclude)
        return [h for h in holdings if h.token not in left_out and h.owner not in left_out]


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A pool and its tokens, or why they cannot be had. `index` is its place in a factory.

    `receipt` is the token of claims on it, where that is known and not the pool itself. The same discovery is the same
    object, and another object is another pool: so sets of them are told apart at once.
    """

    address: Address
    tokens: Tokens | Failed = UNKNOWN
    index: int = 0
    receipt: Address | None = None


def pools_of(
    found: Iterable[Found], listed: Sequence[Address] = (), tokens_of: TokensOf | None = None
) -> Plan[tuple[Pool, ...]]:
    """The pools found so far, each address once. If any are `listed`: exactly these, found or not.

    A round is asked only if there are pools whose tokens were not had before.
    """
    pools, unknown = _pools(tuple(listed), tuple(found))
    if not unknown:
        return pools
    tokens = yield from (tokens_of or token_pairs)(unknown)
    return tuple([_named(pool, tokens[pool.address]) if pool.address in tokens else pool for pool in pools])


@kept_by_set
def _pools(listed: tuple[Address, ...], found: tuple[Found, ...]) -> tuple[tuple[Pool, ...], Sequence[Address]]:
    """The pools, and which of them have not named their tokens."""
    pools: dict[Address, Pool] = {}
    for pool in map(pool_of, found):
        pools.setdefault(pool.address, pool)
    if listed:
        pools = {address: pools[address] if address in pools else Pool(address) for address in listed}
    return tuple(pools.values()), [pool.address for pool in pools.values() if isinstance(pool.tokens, Failed)]


@lru_cache(KEPT_HOLDINGS)
def _named(pool: Pool, tokens: Tokens | Failed) -> Pool:
    return replace(pool, tokens=tokens)


@lru_cache(KEPT_HOLDINGS)
def pool_of(item: Found) -> Pool:
    """The pool that a discovery stands for."""
    data = item.data
    tokens = tuple([Address(str(value)) for key, value in data.items() if key.startswith("token")])
    receipt = Address(str(data["receipt"])) if data.get("receipt") else None
    return Pool(Address(str(data["pool"])), tokens or UNKNOWN, int(data.get("index", 0)), receipt)


def pool_data(
    pool: Address, tokens: Tokens | Failed, receipt: Address | None = None, **more: int
) -> dict[str, str | int | bool]:
    """A pool as the data of a discovery: `pool`, `token0`, `token1` and so on, and its `receipt`, if it is given."""
    named = {} if isinstance(tokens, Failed) else {f"token{i}": intern(token) for i, token in enumerate(tokens)}
    return {"pool": pool, **named, **({"receipt": receipt} if receipt else {}), **more}


def find_listed(
    listed: Sequence[Address], known: Sequence[Found], block: int, tokens_of: TokensOf | None = None
) -> Plan[list[Found]]:
    """Discoveries of the listed pools not known yet; one that does not name its tokens is asked again next time."""
    names = {item.key for item in known}
    new = [pool for pool in listed if pool not in names]
    tokens = (yield from (tokens_of or token_pairs)(new)) if new else {}
    return [Found(p, block, pool_data(p, named)) for p, named in tokens.items() if not isinstance(named, Failed)]


def token_pairs(pools: Sequence[Address]) -> Plan[dict[Address, Tokens | Failed]]:
    """`token0` and `token1` of each pool, in one round."""
    contract = interface("uniswap_v2_pair")
    return asked_of(contract.token0, contract.token1)(pools)


def asked_of(*getters: Function) -> TokensOf:
    """A plan that asks each pool for its tokens by one getter each, in one round."""

    def plan(pools: Sequence[Address]) -> Plan[dict[Address, Tokens | Failed]]:
        answers = yield from ask_groups([getter(pool) for getter in getters] for pool in pools)
        return {pool: different_tokens(answer) for pool, answer in zip(pools, answers, strict=True)}

    return plan


def different_tokens(answers: Iterable[Answer]) -> Tokens | Failed:
    """The ERC-20 tokens that a pool names, each another one; or why these are not."""
    named: list[Address] = []
    for answer in answers:
        token = token_in(answer)
        if isinstance(token, Failed):
            return token
        named.append(token)
    return tuple(named) if len(set(named)) == len(named) else Failed(Status.MALFORMED, "it names a token twice")


@lru_cache(KEPT_HOLDINGS)
def balances_of(pool: Pool) -> Sequence[Ask]:
    """What asks for a pool's balance of each of its tokens; nothing where they are not known."""
    return () if isinstance(pool.tokens, Failed) else tuple([balance_of(token, pool.address) for token in pool.tokens])


def pool_holdings(pool: Pool, amounts: Sequence[Answer], receipt: Address | None = None) -> list[Holding]:
    """A pool's holdings, one a token, or the one that says that its tokens are not known."""
    if isinstance(pool.tokens, Failed):
        return [unidentified(pool.address, pool.tokens)]
    pairs = zip(pool.tokens, amounts, strict=True)
    return [holding(token, pool.address, amount, receipt=receipt) for token, amount in pairs]


def spread(pool: Pool, answer: Answer) -> Sequence[Answer]:
    """One answer with the amounts of all the pool's tokens, as an amount of each; its failure is that of each."""
    if isinstance(pool.tokens, Failed):
        return ()
    return [answer] * len(pool.tokens) if isinstance(answer, Failed) else list(answer)[: len(pool.tokens)]


def told_holdings(pool: Address, tokens: Answer, amounts: Answer) -> list[Holding]:
    """What a pool, or its vault, says that it holds: lists of tokens and of amounts, of one length.

    A share of the pool's own is no holding of it. A token named twice, or lists that do not match, are malformed.
    """
    named = tokens if isinstance(tokens, Failed) else different_tokens(tokens)
    if isinstance(named, Failed) or isinstance(amounts, Failed):
        return [unidentified(pool, named if isinstance(named, Failed) else amounts)]
    if len(named) != len(amounts):
        return [unidentified(pool, Failed(Status.MALFORMED, f"names {len(named)} tokens and {len(amounts)} amounts"))]
    pairs = zip(named, amounts, strict=True)
    return [holding(token, pool, amount, receipt=pool) for token, amount in pairs if token != pool]
