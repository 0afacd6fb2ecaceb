"""A bridged token -> the price that its original has on another chain, a little earlier.

The block there is the last one at or before our block's time less `lag_s`, so that any two who ask have the same. What
a bridge would pay out is not asked: the price says so by one grade less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from pydantic import Field

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Quote, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, OracleParams, Reading
from indexer.pricing.guards import Fresh
from indexer.reads.plan import Elsewhere, Lent, Plan, need
from indexer.units import PRICE_DECIMALS, from_price

LAG_S = 1_200
"""Ethereum finalises in 13 to 19 minutes, and nodes without an archive keep the states of 25 minutes: between the two,
nobody waits and nobody needs an archive."""

_GRADES = tuple(Grade)


class RemoteParams(OracleParams):
    """Where the original is priced."""

    chain: str = Field(description="the other chain, as it is named in the configuration")
    token: ContractAddress = Field(description="the token there, with routes of its own on that chain; or its symbol")
    lag_s: int = Field(
        default=LAG_S, ge=0, le=86_400, description="how long before our block; until that time is final there, we wait"
    )

    @property
    def abroad(self) -> tuple[tuple[str, Address], ...]:
        """The token there."""
        return ((self.chain, self.token),)


class Remote(Oracle[RemoteParams]):
    """The other chain's quote, a grade lower, aged by the time between the blocks."""

    kind = "remote"
    params = RemoteParams

    def label(self, params: RemoteParams) -> str:
        """The other chain beside the kind; the route there shows in the steps."""
        return f"{self.kind}:{params.chain}"

    def read(self, token: Address, params: RemoteParams, at: BlockRef) -> Plan[Reading]:
        """One question. Raises CallFailed where the price is held there."""
        (answer,) = yield [Elsewhere(params.chain, params.token, at.timestamp - params.lag_s)]
        lent: Lent = need(answer)
        quote, there = lent.quote, lent.at
        if quote.price is None or quote.low is None or quote.high is None:
            raise CallFailed(f"held on {params.chain} at block {there.number}: {quote.reason}", status=Status.HELD)
        price = from_price(quote.price)
        taken = Step(self.label(params), params.token, quote.price, PRICE_DECIMALS, there.timestamp, there.number)
        return Reading(
            combine=_always(price),
            of=(),
            grade=_one_lower(quote.grade),
            steps=(taken, *(_dated(step, taken.source, there) for step in quote.steps)),
            label=self.label(params),
            tolerance=max(1 - from_price(quote.low) / price, from_price(quote.high) / price - 1, _width(quote)),
            checks=(Fresh(there.timestamp, params.lag_s),),
            flags=tuple(f"{params.chain}: {flag}" for flag in quote.flags),
        )


def _dated(step: Step, source: str, there: BlockRef) -> Step:
    """A step of the other chain: what is of the block itself there, is of that block here."""
    return replace(step, source=f"{source}:{step.source}", updated_at=step.time(there))


def _always(price: Fraction) -> Callable[[Sequence[Fraction]], Fraction]:
    return lambda _: price


def _width(quote: Quote) -> Fraction:
    """The other chain's rounding: half a unit of its last digit is not known."""
    return Fraction(1, quote.price or 1)


def _one_lower(grade: Grade) -> Grade:
    """A becomes B and so on; D stays what it is, for U is no price."""
    return _GRADES[min(_GRADES.index(grade) + 1, _GRADES.index(Grade.D))]
