"""Small recipes over made-up contracts, and what they find, hold, or are told is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from indexer.adapters.registry import ParamErrors, adapter, parse_params
from indexer.model import Address, BlockRef, Found, Hash, Holding
from indexer.reads.plan import Answer
from indexer.testing import Contracts, drive

AT = BlockRef(100, Hash("0x" + "01" * 32), Hash("0x" + "02" * 32), 1_700_000_000)


def addr(n: int) -> Address:
    return Address(f"0x{n:040x}")


CHEF, OTHER, A, B, C, SHARE = (addr(n) for n in range(1, 7))
POOL = {"name": "pool", "on": "chef", "count": "length()(uint256)", "item": "info(uint256)(address token, uint256 sum)"}
KEPT = {**POOL, "keep": True}
HELD = {"token": "pool.token", "owner": "chef"}


def recipe(steps: Sequence[dict[str, Any]] = (POOL,), holdings: Any = (HELD,), **more: Any) -> dict[str, Any]:
    return {"contracts": {"chef": CHEF}, "steps": list(steps), "holdings": list(holdings), **more}


def step(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "on": "chef", **keys}


def find_all(values: dict[str, Any], answer: Any, known: Sequence[Found] = (), at: BlockRef = AT) -> list[Found]:
    return drive(adapter("recipe").discover(parse_params("recipe", values), known, 1, at), answer)


def read(values: dict[str, Any], answer: Any, found: Sequence[Found] = ()) -> list[Holding]:
    source = Contracts(answer) if isinstance(answer, dict) else answer
    return drive(adapter("recipe").read(parse_params("recipe", values), found, AT), source)


def problems(values: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ParamErrors) as caught:
        parse_params("recipe", values)
    return dict(caught.value.problems)


def by_index(items: Sequence[Answer]) -> Any:
    return lambda call: items[int.from_bytes(call.data[-32:], "big")]


def token(balance: Answer) -> dict[str, Any]:
    return {"balanceOf": balance}


def amounts(holdings: Sequence[Holding]) -> dict[tuple[str, str], int | None]:
    return {(h.token, h.owner): h.amount for h in holdings}


# what is told of a wrong recipe
