"""A token that its own contract redeems one to one: wrapped ether, aTokens -> the price of what it wraps.

Not a peg: the contract owes the other token. Where the contract names it, the name is checked at every block.
"""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field, field_validator

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, OracleParams, Reading, times
from indexer.reads.abi import function
from indexer.reads.plan import Ask, Plan, address


class WrappedParams(OracleParams):
    """What is wrapped."""

    in_: ContractAddress = Field(alias="in", description="the token inside, with routes of its own")
    call: str | None = Field(
        default=None, description="call of the token that must answer `in`, such as asset()(address)"
    )

    @field_validator("call")
    @classmethod
    def _signature(cls, call: str | None) -> str | None:
        if call is not None and (function(call).inputs, function(call).outputs) != ((), ("address",)):
            raise ValueError("must be a call without arguments that answers one address, such as asset()(address)")
        return call

    @property
    def of(self) -> tuple[Address, ...]:
        """The token inside."""
        return (self.in_,)


class Wrapped(Oracle[WrappedParams]):
    """One for one, graded B at best."""

    kind = "wrapped"
    params = WrappedParams

    def read(self, token: Address, params: WrappedParams, at: BlockRef) -> Plan[Reading]:
        """At most one call. Raises CallFailed where the contract names another token."""
        asks: list[Ask] = [function(params.call)(token)] if params.call else []
        for answer in (yield asks):
            if address(answer) != params.in_:
                raise CallFailed(f"it wraps {address(answer)}, configured is {params.in_}", status=Status.MALFORMED)
        steps = (Step(self.kind, token, 1, 0, None),)
        return Reading(times(Fraction(1)), params.of, Grade.B, steps, self.kind)
