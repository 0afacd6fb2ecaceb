"""Shipped recipes -> adapters: a TOML file of the catalog with parameters is a kind like any other.

A file says what it counts, which parameters it takes, and its steps. Parameters that are contracts are names in it;
others stand in it as `$name`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, Field, create_model, model_validator

from indexer.adapters.base import Adapter, ContractAddress
from indexer.adapters.parts import Addresses
from indexer.adapters.recipe import all_at_once, discovery, reading
from indexer.adapters.recipes.check import RecipeProblems, compiled
from indexer.adapters.recipes.compiled import Compiled
from indexer.adapters.recipes.program import Path
from indexer.adapters.recipes.schema import Contracts, Recipe
from indexer.adapters.recipes.signature import parse_event, parse_function
from indexer.config.load import catalog
from indexer.model import Address, BlockRef, Bucket, Found, Holding
from indexer.reads.plan import Plan

EXCLUDE = "Whatever names one of these addresses (a token, a pool, the zero address) is left out."


def shipped_kinds() -> tuple[str, ...]:
    """The kinds that are shipped recipes."""
    folder = resources.files("indexer.config") / "catalog" / "recipes"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


class ShippedParams(Compiled):
    """Parameters of a shipped recipe, and the program they make."""

    template: ClassVar[Mapping[str, Any]] = {}
    exclude: Addresses = Field((), description=EXCLUDE)

    @model_validator(mode="after")
    def _compile(self) -> ShippedParams:
        self._check_sources()
        try:
            self.carry(compiled(Recipe.model_validate(_filled(self))))
        except RecipeProblems as error:
            raise all_at_once([_of_parameter(self.template, *problem) for problem in error.problems]) from None
        return self

    def _check_sources(self) -> None:
        """Raises ValueError where nothing at all was given to be asked."""
        asked = {str(step.get("on", step.get("same_as"))).partition(".")[0] for step in self.template["steps"]}
        sources = asked & set(self.template["parameters"])
        if not any(getattr(self, source) for source in sources):
            raise ValueError(f"give at least one of: {', '.join(sorted(sources))}")


class ShippedRecipe(Adapter[ShippedParams]):
    """A recipe of the catalog."""

    def discover(
        self, params: ShippedParams, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        return (yield from discovery(params.program, known, from_block, at))

    def read(self, params: ShippedParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        return (yield from reading(params.program, found, at))


def shipped_adapter(kind: str) -> ShippedRecipe:
    """The adapter of a shipped recipe. Raises KeyError where there is none."""
    content = catalog(f"recipes/{kind}")
    about = {"kind": kind, "version": content["version"], "counts": content["counts"], "__doc__": content["about"]}
    adapter = cast(type[ShippedRecipe], type(kind, (ShippedRecipe,), {**about, "params": _params_model(kind, content)}))
    return adapter()


def _params_model(kind: str, content: Mapping[str, Any]) -> type[ShippedParams]:
    fields: dict[str, Any] = {name: _field(one) for name, one in content["parameters"].items()}
    model = create_model(f"{kind}_params", __base__=ShippedParams, __doc__=content["about"], **fields)
    model.template = content
    return model


def _field(parameter: Mapping[str, Any]) -> tuple[Any, Any]:
    """A parameter's type, with its description and default."""
    kind, about, default = parameter["type"], parameter["about"], parameter.get("default", ...)
    if kind == "addresses" and default is ...:
        return Addresses, Field(description=about, min_length=1)
    if kind == "addresses":
        return Addresses, Field((), description=about)
    if kind == "tables":
        return Annotated[Contracts, AfterValidator(_tables_of(parameter["fields"]))], Field(description=about)
    types = {"address": ContractAddress, "function": Function, "event": Event, "bucket": Bucket}
    return types[kind], Field(Bucket(default) if kind == "bucket" else default, description=about)


def _function(text: str) -> str:
    parse_function(text)
    return text


def _event(text: str) -> str:
    parse_event(text)
    return text


Function = Annotated[str, AfterValidator(_function)]
Event = Annotated[str, AfterValidator(_event)]


def _tables_of(fields: Sequence[str]) -> Any:
    def check(records: tuple[dict[str, Address], ...]) -> tuple[dict[str, Address], ...]:
        if not records or any(set(record) != set(fields) for record in records):
            example = ", ".join(f'{field} = "0x…"' for field in fields)
            raise ValueError(f"expected a list of tables such as {{{example}}}")
        return records

    return check


def _filled(params: ShippedParams) -> dict[str, Any]:
    """The recipe with the values of its parameters."""
    template = params.template
    kinds = {name: parameter["type"] for name, parameter in template["parameters"].items()}
    contracts = {
        name: getattr(params, name) for name, kind in kinds.items() if kind in ("address", "addresses", "tables")
    }
    texts = {f"${name}": str(getattr(params, name)) for name in kinds if name not in contracts}
    body = {key: _replaced(template[key], texts) for key in ("steps", "holdings", "max_items") if key in template}
    fixed = template.get("contracts", {})
    return {**body, "contracts": {**contracts, **fixed}, "exclude": params.exclude}


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_replaced(item, texts) for item in value)
    return texts.get(value, value) if isinstance(value, str) else value


def _of_parameter(template: Mapping[str, Any], path: Path, sentence: str) -> tuple[Path, str]:
    """A problem of the recipe as one of the parameter that stands there, or of the whole."""
    value: Any = template
    for part in path:
        if isinstance(value, dict) and part not in value:
            break
        value = value[part]
    if isinstance(value, str) and value.startswith("$"):
        return (value[1:],), sentence
    return (), f"{'.'.join(map(str, path))} {sentence}"
