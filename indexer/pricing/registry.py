"""Kind -> oracle, and a table of a configuration -> its checked parameters.

Ours are imported when first asked for; others come by the entry point group `indexer.oracles`. Never reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from indexer.config.kinds import Kinds
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


KINDS: Kinds[Oracle[Any]] = Kinds("indexer.pricing", GROUP, Oracle, _OURS)


def kinds() -> tuple[str, ...]:
    """Every known kind, ours and installed ones, sorted."""
    return KINDS.names()


@cache
def oracle(kind: str) -> Oracle[Any]:
    """The oracle of a kind. Raises UnknownName, and ConfigError where another package's cannot be used."""
    return KINDS.load(kind)


def parse_params(kind: str, table: Mapping[str, Any]) -> OracleParams:
    """The parameters of a route. Raises ConfigError that names every wrong key, and UnknownName for the kind."""
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
