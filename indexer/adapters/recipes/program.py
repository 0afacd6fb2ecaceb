"""A checked recipe, ready to be read: questions in levels, and what their answers mean.

Only records. A *row* maps columns to values: `pool.lpToken` is a column; `pool#` says where the row's item came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from indexer.adapters.recipes.signature import Field
from indexer.model import Address, Bucket, Hash
from indexer.reads.abi import Function
from indexer.reads.plan import Failed

Row: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]
Role = Literal["get", "list", "count", "item", "event", "same"]


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that cannot be had, and the contract that was asked for it."""

    contract: Address
    failed: Failed


@dataclass(frozen=True, slots=True)
class Expr:
    """A value in a row (by its column), or a literal. `kind` is its ABI type; `fixed`: it stands in the recipe."""

    kind: str
    column: str = ""
    literal: Any = None
    fixed: bool = True

    def of(self, row: Row) -> Any:
        return row[self.column] if self.column else self.literal


@dataclass(frozen=True, slots=True)
class EventShape:
    """How a log is told and taken apart: its topic, and by position of a field whether it is a topic or data."""

    topic: Hash
    indexed: tuple[int, ...]
    plain: tuple[int, ...]
    types: tuple[str, ...]


@dataclass(slots=True)
class Node:
    """One question a row of what stands before it (of an item: one an index).

    `columns` are the values that are used, by where they stand in the answer (a tuple of its outputs) or, of a list, in
    one element; `zipped` are the outputs that hold a list's elements. `after` are the names whose rows, joined, are
    asked for; `count` is the column of an item's count. `path` is empty for questions that the recipe does not name.
    """

    name: str
    role: Role
    on: Expr
    fields: tuple[Field, ...]
    function: Function | None = None
    event: EventShape | None = None
    args: tuple[Expr, ...] = ()
    after: tuple[str, ...] = ()
    where: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    columns: dict[str, tuple[int, ...]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    keep: bool = False
    searched: bool = False
    count: str = ""
    zipped: tuple[int, ...] = ()
    path: Path = ()

    @property
    def discovers(self) -> bool:
        """Whether its answers are kept: those of events always are. (`searched`: or whether such answers need it.)"""
        return self.keep or self.event is not None


@dataclass(frozen=True, slots=True)
class Counted:
    """One output: for each row of `after` what is held of `token`. `sides` are columns of a pair's two tokens."""

    after: tuple[str, ...]
    token: Expr
    owner: Expr
    bucket: Bucket
    amount: Expr | None = None
    receipt: Expr | None = None
    own: frozenset[Address] = frozenset()
    sides: tuple[str, ...] = ()
    zero_is_native: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """Constants as rows, nodes in the order in which they can be asked, outputs."""

    constants: Mapping[str, Sequence[Row]]
    levels: tuple[tuple[Node, ...], ...]
    outputs: tuple[Counted, ...]
    exclude: frozenset[Address]
    max_items: int

    @property
    def nodes(self) -> list[Node]:
        return [node for level in self.levels for node in level]
