"""Rows -> holdings: one round of balances, and amounts as they were said.

A balance is asked for once; amounts of one token and owner add up, each counted once by where it was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from indexer.adapters.parts import balance_of, holding, token_in
from indexer.adapters.recipes.program import Counted, Lost, Row
from indexer.adapters.recipes.rows import Reading, key
from indexer.errors import CallFailed
from indexer.model import NATIVE, Address, Bucket, Holding, Status
from indexer.reads.plan import Answer, Failed, Plan

COIN = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
"""How contracts name the native coin where a token's address is asked for: https://eips.ethereum.org/EIPS/eip-7528"""

LOST = "lost"
"""Origin of what cannot be had."""

Place: TypeAlias = tuple[Address, Address, Bucket]


@dataclass(slots=True)
class Claim:
    """What is held at one place: answers by their origin, each counted once."""

    receipt: Address | None
    answers: dict[Any, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """One row of an output: where, and which amount (None: the balance is to be asked)."""

    place: Place
    receipt: Address | None
    origin: Any = None
    amount: Answer = None


def holdings_of(reading: Reading) -> Plan[list[Holding]]:
    """All that the outputs count. Raises CallFailed where an event that should be there was never seen."""
    held = [_held(output, row) for output in reading.program.outputs for row in reading.joined(output.after)]
    _check_events(reading)
    balances = {each.place: balance_of(*each.place[:2]) for each in held if each.amount is None}
    yield from reading.asked(list(balances.values()))
    return _summed(held, {place: reading.answers[key(ask)] for place, ask in balances.items()})


def _held(output: Counted, row: Row) -> Held:
    """A row's holding. Of what cannot be had, the contract that was asked stands in for token and owner."""
    token, owner = _token(output, row), output.owner.of(row)
    receipt = output.receipt.of(row) if output.receipt else None
    bucket = _bucket(output, token, row)
    for value in (token, owner, receipt, bucket):
        if isinstance(value, Lost):
            return Held((value.contract, value.contract, output.bucket), None, LOST, value.failed)
    place = Address(token), Address(owner), cast(Bucket, bucket)
    if output.amount is None:
        return Held(place, receipt)
    name = output.amount.column.partition(".")[0]
    return Held(place, receipt, (output.amount.column, row.get(f"{name}#")), _amount(output.amount.of(row)))


def _token(output: Counted, row: Row) -> Any:
    """The token; the native coin only where the recipe itself names it, or says how contracts do."""
    expr, value = output.token, output.token.of(row)
    if expr.fixed or isinstance(value, Lost):
        return value
    if value == COIN or (value == NATIVE and output.zero_is_native):
        return NATIVE
    token = token_in(value)
    asked = row[f"{expr.column.partition('.')[0]}#"][0]
    return Lost(asked, token) if isinstance(token, Failed) else token


def _bucket(output: Counted, token: Any, row: Row) -> Bucket | Lost:
    """Where a holding goes: own tokens to staking, pairs with one of them to pool2."""
    if not output.own or isinstance(token, Lost):
        return output.bucket
    if token in output.own:
        return Bucket.STAKING
    sides = [row[side] for side in output.sides]
    unknown = [side for side in sides if isinstance(side, Lost)]
    if len(unknown) == 1:
        return unknown[0]
    return output.bucket if output.own.isdisjoint(side for side in sides if isinstance(side, str)) else Bucket.POOL2


def _amount(value: Any) -> Answer:
    if isinstance(value, Lost):
        return value.failed
    return value if value >= 0 else Failed(Status.MALFORMED, f"a negative amount: {value}")


def _check_events(reading: Reading) -> None:
    """No log at all may also mean a wrong address, or a search that began too late: that is no total."""
    for node in reading.program.nodes:
        searched = node.event is not None and all(node.where.values()) and reading.joined(node.after)
        if searched and not reading.rows[node.name]:
            raise CallFailed(
                f"no log gave a {node.name!r} yet", hint="Check the contract, the event and `first_block`."
            )


def _summed(held: Iterable[Held], balances: dict[Place, Answer]) -> list[Holding]:
    claims: dict[Place, Claim] = {}
    for each in held:
        answer = balances[each.place] if each.amount is None else each.amount
        claims.setdefault(each.place, Claim(each.receipt)).answers[each.origin] = answer
    return [
        holding(token, owner, _sum(list(claim.answers.values())), bucket, claim.receipt)
        for (token, owner, bucket), claim in claims.items()
    ]


def _sum(answers: Sequence[Answer]) -> Answer:
    """All amounts together; the first failure where one is missing."""
    failed = [answer for answer in answers if isinstance(answer, Failed)]
    return failed[0] if failed else sum(answers)
