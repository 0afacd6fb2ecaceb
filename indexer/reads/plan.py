"""What a plan may ask and what it is sent: calls, log queries and prices of other chains; answers and failures.

A plan is a generator: it yields whole rounds of questions, is sent the answers in the same order, and returns its
result. It does no I/O and cannot tell whether a node, a recording or a ledger answered.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Log, LogQuery, Quote, Status

if TYPE_CHECKING:
    from indexer.reads.abi import Function

__all__ = [
    "Answer",
    "Ask",
    "Call",
    "Elsewhere",
    "Failed",
    "Lent",
    "Log",
    "LogQuery",
    "NativeBalance",
    "Plan",
    "address",
    "need",
    "uint",
]


@dataclass(frozen=True, slots=True)
class Call:
    """One `eth_call` at the plan's block. Two calls are the same question if target and data are equal."""

    target: Address
    data: bytes
    function: Function = field(compare=False)

    def __str__(self) -> str:
        return f"{self.function.name} of {self.target}"


@dataclass(frozen=True, slots=True)
class NativeBalance:
    """The native coin that `owner` holds at the plan's block, in wei."""

    owner: Address


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The price of a token on another chain, at that chain's last block at or before a time.

    The same answer whenever it is asked: whoever gives it waits until that block is final.
    """

    chain: str
    token: Address
    timestamp: int


@dataclass(frozen=True, slots=True)
class Lent:
    """The quote of a token on its own chain, and the block it is of."""

    quote: Quote
    at: BlockRef


@dataclass(frozen=True, slots=True)
class Failed:
    """An answer that is not one: no code (MISSING), a revert (HELD), bytes that are not the ABI's (MALFORMED)."""

    status: Status
    reason: str


Ask: TypeAlias = Call | NativeBalance | LogQuery | Elsewhere
Answer: TypeAlias = Any
"""What `Function.decode` gives for a Call, int for a NativeBalance, list[Log] for a LogQuery, Lent for an Elsewhere; or
`Failed`."""

T = TypeVar("T")
Plan: TypeAlias = Generator[Sequence[Ask], Sequence[Answer], T]


def uint(answer: Answer) -> int:
    """The integer a plan needs. Raises CallFailed where the call failed."""
    return int(need(answer))


def address(answer: Answer) -> Address:
    """The address a plan needs, lower-case. Raises CallFailed where the call failed."""
    return Address(need(answer))


def need(answer: Answer) -> Any:
    """Any answer that a plan cannot do without. Raises CallFailed where the call failed."""
    if isinstance(answer, Failed):
        raise CallFailed(answer.reason, status=answer.status)
    return answer
