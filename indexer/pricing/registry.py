"""Kind -> oracle, and a table of a configuration -> its checked parameters.

Ours are imported when first asked for; others come by the entry point group `indexer.oracles`. Never reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from indexer.errors import ConfigError, clean
from indexer.pricing.base import Oracle, OracleParams

GROUP = "indexer.oracles"
"""Entry point group by which another package offers an oracle."""

_OURS: Mapping[str, str] = {
    "aave_oracle": "AaveOracle",
    "api3": "Api3",
    "balancer_weighted": "BalancerWeighted",
    "chainlink": "Chainlink",
    "chronicle": "Chronicle",
    "curve_lp": "CurveLp",
    "erc4626": "Erc4626",
    "fixed": "Fixed",
    "pyth": "Pyth",
    "rate": "Rate",
    "remote": "Remote",
    "solidly_lp": "SolidlyLp",
    "uniswap_v2_lp": "UniswapV2Lp",
    "uniswap_v3_twap": "UniswapV3Twap",
    "wrapped": "Wrapped",
}


def kinds() -> tuple[str, ...]:
    """Every known kind, ours and installed ones, sorted."""
    return tuple(sorted({*_OURS, *_installed()}))


@cache
def oracle(kind: str) -> Oracle[Any]:
    """The oracle of a kind. Raises ConfigError where there is none, or an installed one cannot be used."""
    if kind in _OURS:
        made: Oracle[Any] = getattr(import_module(f"indexer.pricing.{kind}"), _OURS[kind])()
        return made
    if kind in _installed():
        return _load(_installed()[kind])
    raise ConfigError(f"no oracle kind {clean(kind, 64)!r}; known: {', '.join(kinds())}")


def parse_params(kind: str, table: Mapping[str, Any]) -> OracleParams:
    """The parameters of a route. Raises ConfigError that names every wrong key."""
    try:
        params: OracleParams = oracle(kind).params.model_validate(dict(table))
    except ValidationError as error:
        problems = tuple(_problem(e) for e in error.errors(include_url=False, include_input=False))
        raise ConfigError(f"{kind}: " + "; ".join(problems), kind=kind) from None
    return params


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = clean(error["msg"].removeprefix("Value error, "))
    return f"{where}: {message}" if where else message


@cache
def _installed() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _load(point: EntryPoint) -> Oracle[Any]:
    try:
        made = point.load()()
    except Exception as error:  # any package may be installed, and any may be broken
        raise ConfigError(f"oracle {point.name}: {point.value} cannot be loaded: {clean(str(error))}") from error
    if not isinstance(made, Oracle):
        raise ConfigError(f"oracle {point.name}: {point.value} is not an indexer.pricing.base.Oracle")
    return made
