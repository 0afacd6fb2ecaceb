"""What every kind is made of: rounds asked in groups, balances, and answers turned into holdings.

A failed answer becomes a holding without an amount, with its status and reason: never 0, never dropped, never raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from indexer.adapters.base import ContractAddress
from indexer.model import NATIVE, Address, Bucket, Holding, Status
from indexer.reads.abi import interface
from indexer.reads.plan import Answer, Ask, Failed, NativeBalance, Plan

ABSURD = 1 << 255
"""No real balance is half of a uint256 or more: such an answer (often 2**256 - 1) is held."""

KEPT_HOLDINGS = 32_768
"""Holdings that are kept, because few of them change from one block to the next."""

SMALL_SET, LARGE_SET = 256, 20_000
"""Members of a set of pools of which many, and few, are kept as long as they are in use; of a larger one nothing is."""

KEPT_SMALL_SETS, KEPT_LARGE_SETS = 1_024, 32

T = TypeVar("T")


def kept_by_set(make: Callable[..., T]) -> Callable[..., T]:
    """A function of a set, its last argument, that is not worked out again for a set in use. For pure functions."""
    of_small, of_large = lru_cache(KEPT_SMALL_SETS)(make), lru_cache(KEPT_LARGE_SETS)(make)

    @wraps(make)
    def kept(*given: Any) -> T:
        size = len(given[-1])
        return (of_small if size <= SMALL_SET else of_large if size <= LARGE_SET else make)(*given)

    return kept


def _each_once(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    twice = sorted(address for address, times in Counter(addresses).items() if times > 1)
    if twice:
        raise ValueError(f"listed twice: {', '.join(twice)}")
    return addresses


Addresses = Annotated[tuple[ContractAddress, ...], AfterValidator(_each_once)]
"""Addresses in a configuration, each listed once."""


def exactly_one(**given: object) -> None:
    """Raises ValueError unless exactly one of the named parameters was given."""
    if sum(map(bool, given.values())) != 1:
        raise ValueError(f"give exactly one of: {', '.join(given)}")


def ask_groups(groups: Iterable[Sequence[Ask]]) -> Plan[list[list[Answer]]]:
    """One round of all groups' questions; the answers come back in the same groups."""
    groups = list(groups)
    asks = [ask for group in groups for ask in group]
    answers = iter((yield asks) if asks else ())
    return [list(islice(answers, len(group))) for group in groups]


def balance_of(token: Address, owner: Address) -> Ask:
    """What asks for `owner`'s balance of an ERC-20, or of the native coin."""
    return NativeBalance(owner) if token == NATIVE else interface("erc20").balanceOf(token, owner)


def token_in(answer: Answer) -> Address | Failed:
    """The ERC-20 that a contract names. The zero address is none: it must never pass for the native coin."""
    if isinstance(answer, Failed):
        return answer
    if answer == NATIVE:
        return Failed(Status.MALFORMED, "names the zero address as its token")
    return Address(answer)


@lru_cache(KEPT_HOLDINGS)
def holding(
    token: Address, owner: Address, answer: Answer, bucket: Bucket = Bucket.BASE, receipt: Address | None = None
) -> Holding:
    """The holding that a raw amount, or its failure, stands for."""
    if isinstance(answer, Failed):
        return Holding(token, None, owner, bucket, answer.status, answer.reason or answer.status, receipt)
    if answer >= ABSURD:
        return Holding(token, None, owner, bucket, Status.HELD, f"no real amount: {answer}", receipt)
    return Holding(token, answer, owner, bucket, receipt=receipt)


def unidentified(contract: Address, failed: Failed, bucket: Bucket = Bucket.BASE) -> Holding:
    """A contract whose token cannot be had: it stands in for the token itself, so that it is seen."""
    return Holding(contract, None, contract, bucket, failed.status, failed.reason or failed.status)
