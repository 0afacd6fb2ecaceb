"""Names of kinds -> adapters, and what a configuration says of a kind -> its typed parameters.

Our own kinds, and the recipes that are shipped, are imported when first used; those of other packages come by the entry
point group "indexer.adapters" (`my_kind = "my_package.module:MyAdapter"`). A name of ours cannot be taken by another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

from indexer.adapters.base import Adapter, Params
from indexer.config.kinds import Kinds
from indexer.errors import ConfigError, clean

GROUP = "indexer.adapters"

OURS = {
    "aave_v2": "AaveV2",
    "aave_v3": "AaveV3",
    "balancer_v1": "BalancerV1",
    "balancer_v2": "BalancerV2",
    "balancer_v3": "BalancerV3",
    "compound_v2": "CompoundV2",
    "compound_v3": "CompoundV3",
    "curve": "Curve",
    "erc4626": "Erc4626",
    "euler_v2": "EulerV2",
    "fraxlend": "Fraxlend",
    "iziswap": "Iziswap",
    "morpho_blue": "MorphoBlue",
    "recipe": "Recipe",
    "token_balances": "TokenBalances",
    "trader_joe_lb": "TraderJoeLb",
    "uniswap_v2": "UniswapV2",
    "uniswap_v3": "UniswapV3",
    "uniswap_v4": "UniswapV4",
}
"""Kind, which is its module's name too, and the adapter's class."""

OUR_WORDS = {
    "missing": "is needed",
    "string_type": "expected text",
    "too_short": "expected at least one",
    "tuple_type": "expected a list",
}
"""What is said of pydantic's types of errors where its own sentence speaks of Python."""

Path = tuple[str | int, ...]


class ParamErrors(ConfigError):
    """The parameters of a kind cannot work.

    `problems` are all of them: where, as keys and list positions (`("vaults", 2)`; empty for the whole), and a
    sentence that says what would be right.
    """

    def __init__(self, kind: str, problems: Sequence[tuple[Path, str]]) -> None:
        self.problems = tuple(problems)
        told = "; ".join(f"{'.'.join(map(str, path)) or kind}: {sentence}" for path, sentence in problems)
        super().__init__(told, kind=kind)


def _shipped_kinds() -> tuple[str, ...]:
    """Imported when first needed, as every kind is."""
    from indexer.adapters.recipes.shipped import shipped_kinds

    return shipped_kinds()


def _shipped_adapter(kind: str) -> Adapter[Any]:
    from indexer.adapters.recipes.shipped import shipped_adapter

    return shipped_adapter(kind)


KINDS: Kinds[Adapter[Any]] = Kinds("indexer.adapters", GROUP, Adapter, OURS, _shipped_kinds, _shipped_adapter)


def kinds() -> tuple[str, ...]:
    """Every kind that can be used here, ours and of other packages, in alphabetical order."""
    return KINDS.names()


@cache
def adapter(kind: str) -> Adapter[Any]:
    """The adapter of a kind. Raises UnknownName, and ConfigError where another package's adapter does not load."""
    return KINDS.load(kind)


def parse_params(kind: str, values: Mapping[str, Any]) -> Params:
    """The typed parameters of a kind. Raises ParamErrors with every problem, and UnknownName for the kind."""
    model: type[Params] = adapter(kind).params
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ParamErrors(kind, _problems(error, tuple(model.model_fields))) from None


def _problems(error: ValidationError, known: Sequence[str]) -> list[tuple[Path, str]]:
    """Every problem, without a list's being too short when it is so for its wrong items."""
    told = [(tuple(e["loc"]), _sentence(e, known)) for e in error.errors()]
    inside = {path[:-1] for path, _ in told if path}
    return [(path, sentence) for path, sentence in told if not path or path not in inside]


def _sentence(error: Any, known: Sequence[str]) -> str:
    """What pydantic says of one problem, in our words."""
    if error["type"] == "extra_forbidden":
        close = get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"unknown key; did you mean {close[0]!r}?" if close else f"unknown key; there are: {', '.join(known)}"
    said = str(error["msg"]).removeprefix("Value error, ").replace("Input should be ", "expected ")
    return OUR_WORDS.get(error["type"]) or clean(said)
