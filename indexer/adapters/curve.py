"""Curve and its forks: pools of a registry or factory -> the balance of each coin that the pool answers for.

A registry names the coins, balances and LP token of a pool of any generation in the same words; listed pools are asked
themselves. The LP token of another pool counts as what it is. https://docs.curve.finance/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from indexer.adapters.floor import FactoryParams
from indexer.adapters.numbered import Numbered, NumberedPools
from indexer.adapters.parts import Addresses, ask_groups
from indexer.adapters.pools import Pool, Tokens, spread
from indexer.model import NATIVE, Address, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, Plan
from indexer.reads.types import WORD

ETHER = Address("0x" + "e" * 40)
"""What Curve calls the chain's own coin."""

MOST_COINS = 8


class CurveParams(FactoryParams):
    """A registry or factory with all its pools, or a list of pools."""

    pools: Addresses = ()
    """The pools to count, in place of a factory; those of the first generation (`coins(int128)`) need a registry."""


class Curve(NumberedPools[CurveParams]):
    """Balances are the pool's own books: without the fees that its administrator may take."""

    kind = "curve"
    version = 1
    counts = "Every coin of every pool, with the balance that the pool answers for."
    params = CurveParams

    def factory(self, params: CurveParams) -> Numbered:
        contract = interface("curve_registry")
        tokens_of = _coins_in(params.factory) if params.factory else coins_of_pools
        receipts_of = _lp_tokens_in(params.factory) if params.factory else None
        return Numbered(params.factory or NATIVE, contract.pool_count, contract.pool_list, tokens_of, receipts_of)

    def asks(self, pool: Pool, params: CurveParams) -> list[Ask]:
        if isinstance(pool.tokens, Failed):
            return []
        if params.factory:
            return [interface("curve_registry").get_balances.raw(params.factory, pool.address)]
        return [interface("curve_pool").balances(pool.address, i) for i in range(len(pool.tokens))]

    def amounts(self, pool: Pool, answers: Sequence[Answer]) -> Sequence[Answer]:
        """A registry answers with a list that is padded with zeros; a pool, with one number a coin."""
        if len(answers) != 1 or isinstance(pool.tokens, Failed):
            return answers
        return spread(pool, words(answers[0], len(pool.tokens)))

    def receipt(self, pool: Pool) -> Address | None:
        return pool.receipt


def words(answer: Answer, least: int) -> list[int] | Failed:
    """The numbers of a list of any length, fixed or not, of which there must be at least so many."""
    if isinstance(answer, Failed):
        return answer
    numbers = [int.from_bytes(answer[i : i + WORD], "big") for i in range(0, len(answer), WORD)]
    if numbers[:1] == [WORD] and numbers[1:2] == [len(numbers) - 2]:
        numbers = numbers[2:]
    if len(numbers) < least or len(answer) % WORD:
        return Failed(Status.MALFORMED, f"{len(answer)} bytes for a list of {least} numbers")
    return numbers


def _coins_in(registry: Address) -> Callable[[Sequence[Address]], Plan[dict[Address, Tokens | Failed]]]:
    """A plan that asks a registry for the coins of pools."""

    def plan(pools: Sequence[Address]) -> Plan[dict[Address, Tokens | Failed]]:
        answers = yield [interface("curve_registry").get_coins.raw(registry, pool) for pool in pools]
        return {pool: _named(words(answer, 2)) for pool, answer in zip(pools, answers, strict=True)}

    return plan


def _lp_tokens_in(registry: Address) -> Callable[[Sequence[Address]], Plan[dict[Address, Address]]]:
    """A plan that asks a registry for the LP tokens of pools; a factory does not know: its pools are their own."""

    def plan(pools: Sequence[Address]) -> Plan[dict[Address, Address]]:
        answers = yield [interface("curve_registry").get_lp_token(registry, pool) for pool in pools]
        named = zip(pools, answers, strict=True)
        return {pool: pool if isinstance(answer, Failed) or answer == NATIVE else answer for pool, answer in named}

    return plan


def coins_of_pools(pools: Sequence[Address]) -> Plan[dict[Address, Tokens | Failed]]:
    """Asks pools for one coin after the other. A pool ends where it has neither a coin nor a balance any more."""
    contract = interface("curve_pool")
    coins: dict[Address, list[Answer]] = {pool: [] for pool in pools}
    more = list(pools)
    for i in range(MOST_COINS):
        answers = yield from ask_groups([contract.coins(pool, i), contract.balances(pool, i)] for pool in more)
        told = {pool: pair for pool, pair in zip(more, answers, strict=True) if not _is_end(pair, i)}
        for pool, (coin, balance) in told.items():
            coins[pool].append(balance if isinstance(balance, Failed) else coin)
        more = list(told)
    return {pool: _first_failure(named) or _named([int(coin, 16) for coin in named]) for pool, named in coins.items()}


def _is_end(pair: Sequence[Answer], i: int) -> bool:
    return i > 0 and all(isinstance(answer, Failed) for answer in pair)


def _first_failure(named: Sequence[Answer]) -> Failed | None:
    return next((answer for answer in named if isinstance(answer, Failed)), None)


def _named(numbers: list[int] | Failed) -> Tokens | Failed:
    """Addresses up to the first zero, ether as the native coin."""
    if isinstance(numbers, Failed):
        return numbers
    end = numbers.index(0) if 0 in numbers else len(numbers)
    coins = tuple(Address(f"0x{number:040x}") for number in numbers[:end])
    if len(coins) < 2 or len(set(coins)) < len(coins) or max(map(len, coins)) > len(NATIVE):
        return Failed(Status.MALFORMED, f"names {len(set(coins))} coins of its own")
    return tuple(NATIVE if coin == ETHER else coin for coin in coins)
