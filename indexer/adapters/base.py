"""The contract of an adapter: one kind of protocol contracts, turned into holdings.

An adapter is parameters and two plans. It never talks to a node, keeps no state between blocks, and reads the same
answers into the same holdings for ever; a change in what it counts raises its `version`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from indexer.config.types import parse_address
from indexer.model import Address, BlockRef, Found, Holding
from indexer.reads.plan import Plan

ContractAddress = Annotated[Address, AfterValidator(parse_address)]
"""An address in a configuration: a wrong EIP-55 checksum is an error; kept lower-case."""


class Params(BaseModel):
    """Base of an adapter's parameters: frozen, and unknown keys are an error. A parameter's docstring describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


PART = 20_000
"""A discovery that finds so many or more may not be done: it is asked again, with what it found among the known."""

P = TypeVar("P", bound=Params)


class Adapter(ABC, Generic[P]):
    """One kind of contracts. `kind` is its name in a configuration; `counts` says in one sentence what it counts."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    counts: ClassVar[str]
    params: type[P]

    def discover(self, params: P, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
        """What exists at `at` beyond `known`; logs need only be asked from `from_block` on. Default: nothing.

        One that has much to find may return a part of it, of at least `PART` discoveries.
        """
        yield from ()
        return []

    def touched_by(self, params: P) -> Mapping[Address, tuple[Address, ...]]:
        """Contracts whose every change shows in a log, and the contracts that emit it.

        Calls to them are made again only after such a log. Default: none. A contract whose answers also change with
        time, or in silence, must not be here; what follows from logs exactly (balances, reserves) need not be.
        """
        return {}

    @abstractmethod
    def read(self, params: P, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        """The holdings at `at`, given all that was `found` so far (possibly also later than `at`).

        A part that cannot be had is a Holding with its status and reason. Raises CallFailed where nothing can be.
        """
