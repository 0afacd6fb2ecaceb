"""What the functions that read rows of the registry are made of: readings, buckets, lists of addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.model import Address
from tools.protocol_rows import LeftOut, Row

BUCKETS = {
    "tvl": "base",
    "borrowed": "borrowed",
    "staking": "staking",
    "pool2": "pool2",
    "vesting": "vesting",
    "ownTokens": "own",
    "treasury": "treasury",
}
"""The registry's keys of a calculation -> our buckets."""

OWNED = ("treasury", "entities")
"""Folders of the registry for what belongs to a protocol, or to a company, and not to its users."""

PRICED = "priced"
"""In place of a list of tokens: every token that the program prices on the chain."""

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one of our kinds reads a row: its parameters, and the block from which it can."""

    kind: str
    params: Params
    first_block: int = 0


def bucket_of(row: Row) -> str:
    """Our bucket of a row's balances."""
    owned = row.slug.partition("/")[0] in OWNED or bool(row.params.get("is_treasury"))
    return "treasury" if row.bucket == "tvl" and owned else BUCKETS[row.bucket]


def listed(addresses: Sequence[Address]) -> list[Address]:
    return list(dict.fromkeys(addresses))


def filled(addresses: Sequence[Address]) -> list[Address]:
    """A list that must say something. Raises LeftOut."""
    if not addresses:
        raise LeftOut("its owners or tokens are not in the registry")
    return listed(addresses)


def some(key: str, addresses: Sequence[Address]) -> dict[str, list[Address]]:
    return {key: listed(addresses)} if addresses else {}


def excluded(addresses: Sequence[Address]) -> dict[str, list[Address]]:
    return some("exclude", addresses)


def base_only(row: Row) -> int:
    """The first block of a row of a kind that counts for base. Raises LeftOut for rows of other buckets."""
    if bucket_of(row) != "base":
        raise LeftOut(f"counted as {bucket_of(row)}, and its kind counts base")
    return first_block(row)


def first_block(row: Row) -> int:
    block = row.params.get("from_block") or 0
    return block if isinstance(block, int) and block >= 0 else 0
