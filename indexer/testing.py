"""Fakes and drivers for tests of adapters and oracles, ours and yours.

`drive` runs one plan against any function that answers questions; `Contracts` is such a function, made of a table.
Nothing here is used at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from indexer.model import Address, Status
from indexer.reads.plan import Answer, Ask, Call, Elsewhere, Failed, Lent, Plan

T = TypeVar("T")
Table: TypeAlias = Mapping[Address, Mapping[str, Any]]


def drive(plan: Plan[T], answer: Callable[[Ask], Answer]) -> T:
    """Run a plan to its end, each question answered by `answer`."""
    try:
        asks = next(plan)
        while True:
            asks = plan.send([answer(ask) for ask in asks])
    except StopIteration as stop:
        result: T = stop.value
        return result


class Contracts:
    """Contracts by address, each a table of what its functions answer: a value, or a function of the call.

    An address that is not there has no code; a function that is not there reverts. `asked` keeps every call, in order.
    `lent` are prices on other chains, by chain and token, whatever the time asked for.
    """

    def __init__(self, table: Table, lent: Mapping[tuple[str, Address], Lent] | None = None) -> None:
        self.table = table
        self.lent = lent or {}
        self.asked: list[Ask] = []

    def __call__(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if isinstance(ask, Elsewhere):
            return self.lent.get((ask.chain, ask.token), Failed(Status.MISSING, "no block there yet"))
        if not isinstance(ask, Call) or ask.target not in self.table:
            return Failed(Status.MISSING, "no code")
        answer = self.table[ask.target].get(ask.function.name, Failed(Status.HELD, "execution reverted"))
        return answer(ask) if callable(answer) else answer
