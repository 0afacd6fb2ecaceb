"""The contract of an oracle: one kind of on-chain price source, turned into a reading.

A reading is a rate with its evidence: what one whole token is worth in terms of other tokens, or of USD. The router
composes readings into quotes. An oracle never talks to a node and never judges: it states checks, guards judge them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from indexer.config.types import parse_address
from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.guards import Check
from indexer.reads.plan import Answer, Plan, uint
from indexer.units import MAX_TOKEN_DECIMALS

USD: Literal["USD"] = "USD"
"""Where a route ends: the unit of account, which is no token."""


def parse_unit(text: str) -> Address | Literal["USD"]:
    """A configured `in`: `USD`, or the address of a token. Raises ValueError."""
    return USD if text == USD else parse_address(text)


ContractAddress = Annotated[Address, AfterValidator(parse_address)]
"""An address in a configuration: a wrong EIP-55 checksum is an error; kept lower-case."""

Unit = Annotated[str, AfterValidator(parse_unit)]
"""What a source prices in: `USD`, or the address of a token that has its own routes."""


class OracleParams(BaseModel):
    """Base of an oracle's parameters: frozen, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False)

    @property
    def of(self) -> tuple[Address, ...]:
        """The tokens whose prices the source is declared to need; others may show only when it is read."""
        return ()

    @property
    def abroad(self) -> tuple[tuple[str, Address], ...]:
        """The chains and tokens of theirs whose prices the source needs."""
        return ()


class QuotedParams(OracleParams):
    """Parameters of a source that prices in USD, or in one other token."""

    in_: Unit = Field(default=USD, alias="in", description="what the answer counts: USD, or a token with own routes")

    @property
    def of(self) -> tuple[Address, ...]:
        """The token it prices in; none for USD."""
        return () if self.in_ == USD else (Address(self.in_),)


@dataclass(frozen=True, slots=True)
class Reading:
    """One oracle's answer for one token at one block.

    `combine` turns the exact USD prices of the tokens in `of` (in that order; none for a USD feed) into the exact USD
    price of one whole token; it does not fall when a price rises. `tolerance` is the relative half-width the source
    itself admits (deviation threshold, confidence), as a fraction of the price. `depth` is what stands on the other
    side of a market that gave the rate, in whole tokens of the one in `of`; None where the rate is no market's.
    `checks` are what the guards have to judge. `problems` are reasons not to trust it (hold); `flags` are reasons to
    look.
    """

    combine: Callable[[Sequence[Fraction]], Fraction]
    of: tuple[Address, ...]
    grade: Grade
    steps: tuple[Step, ...]
    label: str
    tolerance: Fraction = Fraction(0)
    depth: Fraction | None = None
    checks: tuple[Check, ...] = ()
    problems: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


P = TypeVar("P", bound=OracleParams)


class Oracle(ABC, Generic[P]):
    """One kind of price source. `kind` is its name in a route.

    `feed`: somebody outside the chain writes its answer, so that it stands still while an L2's sequencer is down.
    `last_resort`: it answers only where no earlier route of the token exists yet.
    """

    kind: ClassVar[str]
    feed: ClassVar[bool] = False
    last_resort: ClassVar[bool] = False
    params: type[P]

    def label(self, params: P) -> str:
        """How a route names this source, such as `chainlink:ETH/USD`."""
        return self.kind

    @abstractmethod
    def read(self, token: Address, params: P, at: BlockRef) -> Plan[Reading]:
        """The reading of `token` at `at`. Raises CallFailed (with a reason) where the source gives none."""

    def earlier(self, params: P, step: Step, at: BlockRef) -> Plan[list[Reading]]:
        """What the source answered up to `step`, the newest first, to be shown beside a price that is held.

        Default: nothing. For sources that keep their past answers where a call can reach them.
        """
        yield from ()
        return []


def times(rate: Fraction) -> Callable[[Sequence[Fraction]], Fraction]:
    """A `combine` for a fixed rate: times the price of the one token it is quoted in, or of USD."""
    return lambda prices: rate * prices[0] if prices else rate


def scaled(answer: int, decimals: int) -> Fraction:
    """An integer answer as the rational number it stands for."""
    scale: int = 10**decimals
    return Fraction(answer, scale)


def scale_of(answer: Answer) -> int:
    """A contract's `decimals()`, at most 77. Raises CallFailed where it is none or beyond."""
    decimals = uint(answer)
    if decimals > MAX_TOKEN_DECIMALS:
        raise CallFailed(f"decimals {decimals}: beyond {MAX_TOKEN_DECIMALS}", status=Status.MALFORMED)
    return decimals
