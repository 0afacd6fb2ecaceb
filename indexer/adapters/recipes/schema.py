"""What a recipe may say: named contracts, steps, holdings. Shapes only; `check` sees whether they fit together.

Names are lower-case; a literal is an address, 32 bytes in hex, an integer or a boolean.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from indexer.adapters.base import Params
from indexer.adapters.parts import Addresses
from indexer.config.types import parse_address
from indexer.model import Address, Bucket

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


def _records(given: Any) -> tuple[dict[str, Address], ...]:
    """Raises ValueError for anything else, and for what is listed twice."""
    items = given if isinstance(given, list | tuple) else [given]
    records = tuple(_record(item) for item in items)
    if len({tuple(sorted(record.items())) for record in records}) != len(records):
        raise ValueError("something is listed twice")
    if len({tuple(sorted(record)) for record in records}) > 1:
        raise ValueError("all tables of a list need the same keys")
    return records


def _record(item: Any) -> dict[str, Address]:
    if not isinstance(item, dict):
        return {"": parse_address(item)}
    if item.keys() != {""} and (not item or not all(str(key).isidentifier() for key in item)):
        raise ValueError('expected tables such as {vault = "0x…", lens = "0x…"}')
    return {key: parse_address(value) for key, value in item.items()}


Value = bool | int | str
"""A name such as `chef` or `pool.lpToken`, or a literal."""

Contracts = Annotated[tuple[dict[str, Address], ...], BeforeValidator(_records)]
"""One address, a list of addresses, or a list of tables of addresses; as tables, a plain address under the key `""`."""

SOURCES = ("get", "list", "count", "event", "same_as")


class Step(Params):
    """One thing to find out, under a name. Steps of one name add up: each is another source of the same."""

    name: Name
    """What later steps and holdings call it: `pool`, and its fields `pool.lpToken` or `pool.0`."""
    on: str | None = None
    """The contract that is asked (or that emits): a name, or an address."""
    get: str | None = None
    """A getter: one value (or several) for each contract and argument."""
    list: str | None = None
    """A getter that answers a list: one item an element. Several lists side by side are one of tuples."""
    count: str | None = None
    """A getter that answers how many items there are."""
    item: str | None = None
    """With `count`: the getter of one item; its last argument is the index, from 0."""
    event: str | None = None
    """An event: one item a log, from the deployment's first block on."""
    same_as: str | None = None
    """Nothing is asked: what another name stands for, under this one too (to add it up with other sources)."""
    args: tuple[Value, ...] = ()
    """Arguments of the getter: names or literals; those of `count` and `item` stand before the index."""
    where: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    """Only items whose field (`""` where there is but one) is this value, or one of these."""
    given: tuple[Name, ...] = ()
    """Names that must have an item as well (such as a step that filters by `where`)."""
    keep: bool = False
    """Whether the answers of `get` or `item` are kept and never asked again: only where they can never change."""

    @model_validator(mode="after")
    def _one_source(self) -> Step:
        if sum(getattr(self, source) is not None for source in SOURCES) != 1:
            raise ValueError("give exactly one of: get, list, count (with item), event, same_as")
        if (self.on is None) != (self.same_as is not None):
            raise ValueError("`on` says who is asked: it is needed, but for same_as")
        if (self.count is None) != (self.item is None):
            raise ValueError("count and item go together")
        if self.event is not None and (self.args or self.keep):
            raise ValueError("an event has no args, and is always kept")
        return self


class Output(Params):
    """What the steps mean: an amount of a token that an owner holds, in a bucket."""

    token: str | tuple[str, ...]
    """The token, or several: names, addresses, or `native`."""
    owner: str | None = None
    """Who holds it. Without `amount` its balance is asked; with it, default is the contract that said the amount."""
    amount: str | None = None
    """The integer that is the amount, in raw units of the token. Without it: `balanceOf(owner)`."""
    bucket: Bucket = Bucket.BASE
    """What it is to the protocol; only an `amount` can be `borrowed`."""
    receipt: str | None = None
    """The token that is a claim on this holding."""
    zero_is_native: bool = False
    """Whether a getter or event that names the zero address as token means the native coin."""
    own: Name | None = None
    """Contracts that are the protocol's own tokens: they go to `staking`, pairs with one of them to `pool2`."""

    @model_validator(mode="after")
    def _complete(self) -> Output:
        if self.amount is None and self.owner is None:
            raise ValueError("give owner (its balance is counted), or amount")
        if self.amount is None and self.bucket is Bucket.BORROWED:
            raise ValueError("a balance is held, not owed: give an amount")
        if self.amount is not None and not isinstance(self.token, str):
            raise ValueError("an amount is of one token")
        return self


class Recipe(Params):
    """A protocol in steps: enumerate, get, hold."""

    contracts: dict[Name, Contracts]
    """What is known from the start, by name: an address, a list of them, or a list of tables of addresses."""
    steps: tuple[Step, ...] = Field((), max_length=100)
    """What is found out, in order; a step uses only names that stand before it."""
    holdings: tuple[Output, ...] = Field(min_length=1, max_length=100)
    """What is counted."""
    exclude: Addresses = ()
    """Items that name one of these addresses are left out (such as the zero address, or a worthless token)."""
    max_items: int = Field(10_000, ge=1, le=1_000_000)
    """More items of one step than this are an error, and never a smaller total."""
