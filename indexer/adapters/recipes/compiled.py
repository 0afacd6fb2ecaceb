"""Parameters that carry the program they were compiled to: two are the same if they say the same."""

from __future__ import annotations

from pydantic import PrivateAttr

from indexer.adapters.base import Params
from indexer.adapters.recipes.program import Program


class Compiled(Params):
    """Parameters with their program. They may stand in sets, though there are tables among them."""

    _program: Program = PrivateAttr()
    _said: str = PrivateAttr()

    @property
    def program(self) -> Program:
        """What is read."""
        return self._program

    def carry(self, program: Program) -> None:
        """Take the program of these parameters, once."""
        self._program, self._said = program, self.model_dump_json()

    def __hash__(self) -> int:
        return hash(self._said)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Compiled) and other._said == self._said
