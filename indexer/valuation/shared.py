"""Deployments as configured -> contracts that more than one of them counts, before anything is read.

Goes by the addresses in their parameters: what a factory or a market leads to is only known once it is read, and is
found then, from the stored holdings (`Claims.shared`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.model import Address

TOKENS = frozenset(
    {
        "tokens",
        "token",
        "assets",
        "asset",
        "underlying",
        "receipt",
        "receipts",
        "own_tokens",
        "own",
        "native",
        "exclude",
    }
)
"""Parameters that name what is held or issued, not who holds it. (`…_factories` are where others are found.)"""

TOLD = 5
"""As many deployments are named in a sentence."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class Listing:
    """A deployment as the configuration says it: `params` are the adapter's, as JSON values."""

    key: str
    chain: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SharedContract:
    """A contract that several deployments of a chain count."""

    chain: str
    contract: Address
    deployments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.deployments[:TOLD])}{self._more()} count what {self.contract} holds"

    def _more(self) -> str:
        return f" and {len(self.deployments) - TOLD} more" if len(self.deployments) > TOLD else ""


def shared_contracts(listings: Iterable[Listing]) -> list[SharedContract]:
    """Contracts that several deployments of a chain name, unless all list their tokens and have none in common."""
    named: dict[tuple[str, Address], list[tuple[str, set[Address]]]] = {}
    for listing in sorted(listings, key=lambda one: one.key):
        for contract, tokens in _held(listing.params).items():
            named.setdefault((listing.chain, contract), []).append((listing.key, tokens))
    found = [SharedContract(*place, _meeting(group)) for place, group in sorted(named.items()) if len(group) > 1]
    return [one for one in found if one.deployments]


def _meeting(group: Sequence[tuple[str, set[Address]]]) -> tuple[str, ...]:
    """Those of a group that may count the same tokens as another one of it. No tokens: any."""
    return tuple(
        key
        for key, tokens in group
        if any(key != other and (not tokens or not theirs or tokens & theirs) for other, theirs in group)
    )


def _held(params: Mapping[str, Any]) -> dict[Address, set[Address]]:
    """The contracts that a deployment names, each with the tokens that it counts of it; none where it does not say."""
    listed = set(_addresses(params.get("tokens")))
    held = {contract: set(listed) for contract in _contracts({k: v for k, v in params.items() if not _is_pairs(v)})}
    for value in params.values():
        for owner, token in value if _is_pairs(value) else ():
            held.setdefault(Address(owner.lower()), set()).add(Address(token.lower()))
    return held


def _is_pairs(value: Any) -> bool:
    """Whether it lists owners, each with a token."""
    pairs = isinstance(value, list | tuple) and bool(value)
    return pairs and all(isinstance(one, list | tuple) and len(one) == 2 and _are_addresses(one) for one in value)


def _are_addresses(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) and _ADDRESS.fullmatch(value) for value in values)


def _contracts(params: Mapping[str, Any]) -> Iterator[Address]:
    for name, value in params.items():
        if name not in TOKENS and not name.endswith("_factories"):
            yield from _addresses(value)


def _addresses(value: Any) -> Iterator[Address]:
    """Every address in a JSON value, but the zero address."""
    if isinstance(value, str):
        if _ADDRESS.fullmatch(value) and int(value, 16):
            yield Address(value.lower())
    elif isinstance(value, Mapping):
        yield from _contracts(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _addresses(item)
