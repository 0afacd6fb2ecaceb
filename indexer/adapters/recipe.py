"""A protocol written down as steps in TOML: enumerate, get, hold. For the long tail that needs no code.

What a recipe says is checked like code when it is loaded; how it is read stands in `recipes`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from indexer.adapters.base import Adapter
from indexer.adapters.recipes.check import RecipeProblems, compiled
from indexer.adapters.recipes.compiled import Compiled
from indexer.adapters.recipes.memory import Memory
from indexer.adapters.recipes.outputs import holdings_of
from indexer.adapters.recipes.program import Path, Program
from indexer.adapters.recipes.rows import rows_of
from indexer.adapters.recipes.schema import Recipe as RecipeText
from indexer.model import BlockRef, Found, Holding
from indexer.reads.plan import Plan


class RecipeParams(Compiled, RecipeText):
    """A recipe and its program."""

    @model_validator(mode="after")
    def _compile(self) -> RecipeParams:
        try:
            self.carry(compiled(self))
        except RecipeProblems as error:
            raise all_at_once(error.problems) from None
        return self


class Recipe(Adapter[RecipeParams]):
    """Steps give rows of values; holdings say what the rows mean. What the recipe says cannot change is kept."""

    kind = "recipe"
    version = 1
    counts = "What the recipe says: balances of tokens in contracts, or amounts that contracts answer."
    params = RecipeParams

    def discover(
        self, params: RecipeParams, known: Sequence[Found], from_block: int, at: BlockRef
    ) -> Plan[list[Found]]:
        return (yield from discovery(params.program, known, from_block, at))

    def read(self, params: RecipeParams, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
        return (yield from reading(params.program, found, at))


def discovery(program: Program, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
    """What a program can keep at `at` beyond what is known."""
    memory = Memory.of(known, at.number)
    yield from rows_of(program, memory, since=from_block)
    return memory.new


def reading(program: Program, found: Sequence[Found], at: BlockRef) -> Plan[list[Holding]]:
    """A program's holdings at `at`."""
    rows = yield from rows_of(program, Memory.of(found, at.number))
    return (yield from holdings_of(rows))


def all_at_once(problems: Sequence[tuple[Path, str]]) -> ValidationError:
    """Problems as the error that pydantic tells beside its own."""
    details = [
        InitErrorDetails(type=PydanticCustomError("recipe", "{told}", {"told": told}), loc=path, input=None)
        for path, told in problems
    ]
    return ValidationError.from_exception_data("recipe", details)
