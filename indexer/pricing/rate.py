"""Any share rate that a contract answers with: `stEthPerToken()(uint256)` -> how much of `in` one token is worth.

For wrapped staking tokens, cTokens and the like: a signature in the configuration instead of code. Guards hold a rate
above what it was declared to earn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from pydantic import Field, field_validator, model_validator

from indexer.config.types import parse_address
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, BlockRef, Grade, Status, Step
from indexer.pricing.base import ContractAddress, Oracle, QuotedParams, Reading, Unit, scaled, times
from indexer.pricing.growth import GrowthParams
from indexer.pricing.guards import Positive
from indexer.reads.abi import Function, function
from indexer.reads.plan import Plan, need

_INTEGER = re.compile(r"u?int\d*")


class RateParams(QuotedParams, GrowthParams):
    """One call and how its answer is read."""

    in_: Unit = Field(alias="in", description="what the rate counts: USD, or a token with routes of its own")
    call: str = Field(max_length=256, description="signature with its answer, such as stEthPerToken()(uint256)")
    target: ContractAddress | None = Field(default=None, description="the contract asked; default: the token itself")
    args: tuple[int | str | bool, ...] = Field(default=(), description="arguments of the call")
    output: int = Field(default=0, ge=0, description="which of several answers is the rate, counted from 0")
    decimals: int = Field(default=18, ge=0, le=77, description="scale of the answer: whole `in` for one whole token")

    @field_validator("call")
    @classmethod
    def _signature(cls, call: str) -> str:
        function(call)
        return call

    @model_validator(mode="after")
    def _fits(self) -> RateParams:
        asked = function(self.call)
        outputs = asked.outputs or ()
        if self.output >= len(outputs) or not _INTEGER.fullmatch(outputs[self.output]):
            raise ValueError(f"output {self.output} of {self.call} is not an integer")
        try:
            asked(NATIVE, *_values(asked, self.args))
        except Exception as error:  # whatever the ABI encoder refuses
            raise ValueError(f"args do not fit {asked.signature}: {error}") from None
        return self


class Rate(Oracle[RateParams]):
    """The rate at the block, graded B: an on-chain rate on top of another token's price."""

    kind = "rate"
    params = RateParams

    def label(self, params: RateParams) -> str:
        """The function's name beside the kind."""
        return f"rate:{function(params.call).name}"

    def read(self, token: Address, params: RateParams, at: BlockRef) -> Plan[Reading]:
        """One round of one call. Raises CallFailed where it is not answered with an integer."""
        asked = _function(params.call)
        target = params.target or token
        (reply,) = yield [asked(target, *_values(asked, params.args))]
        answer = _answer(asked, need(reply), params.output)
        rate = scaled(answer, params.decimals)
        return Reading(
            combine=times(rate),
            of=params.of,
            grade=Grade.B,
            steps=(Step(self.kind, target, answer, params.decimals, None),),
            label=self.label(params),
            tolerance=Fraction(1, answer) if answer > 0 else Fraction(0),
            checks=(Positive(answer), *params.growth_checks(rate)),
        )


@cache
def _function(signature: str) -> Function:
    return function(signature)


def _values(asked: Function, args: Sequence[int | str | bool]) -> list[Any]:
    """Arguments as the encoder wants them. Raises ValueError for other than as many as the call has."""
    return [_value(kind, arg) for kind, arg in zip(asked.inputs, args, strict=True)]


def _value(kind: str, arg: int | str | bool) -> Any:
    if kind == "address":
        return parse_address(str(arg))
    return bytes.fromhex(str(arg).removeprefix("0x")) if kind.startswith("bytes") else arg


def _answer(asked: Function, reply: Any, output: int) -> int:
    value = reply[output] if len(asked.outputs or ()) > 1 and isinstance(reply, Sequence) else reply
    if not isinstance(value, int):
        raise CallFailed(f"{asked.name} answered no integer", status=Status.MALFORMED)
    return value
