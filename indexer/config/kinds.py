"""The name of a kind -> what implements it: ours from a table of modules, those of other packages by entry point.

Ours are imported when first asked for, and their names cannot be taken by another package. Knows nothing of what a kind
does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from indexer.errors import ConfigError, UnknownName, clean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kinds(Generic[T]):
    """All kinds of one sort. `ours` are class names by kind, which is its module's name in `package` too.

    Other packages offer theirs in the entry point group `group`, as a class or an instance of `base`.
    """

    package: str
    group: str
    base: type[Any]
    ours: Mapping[str, str]
    shipped: Callable[[], Sequence[str]] = tuple
    """Names of kinds that are ours too, and made from data: by `make`."""
    make: Callable[[str], Any] | None = None

    def names(self) -> tuple[str, ...]:
        """Every kind that can be used here, ours and of other packages, in alphabetical order."""
        return tuple(sorted({*self.ours, *self.shipped(), *(point.name for point in entry_points(group=self.group))}))

    def load(self, kind: str) -> T:
        """What a kind is done by. Raises UnknownName, and ConfigError where another package's cannot be used."""
        if kind in self.ours:
            return self._checked(kind, getattr(import_module(f"{self.package}.{kind}"), self.ours[kind])())
        if self.make and kind in self.shipped():
            return self._checked(kind, self.make(kind))
        for point in entry_points(group=self.group):
            if point.name == kind:
                return self._checked(kind, _loaded(point))
        close = get_close_matches(kind, self.names(), n=1)
        guess = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(self.names())}"
        raise UnknownName(f"no kind {clean(kind, 64)!r}; {guess}", hint="Correct the `kind` in the configuration.")

    def _checked(self, kind: str, found: Any) -> T:
        if not isinstance(found, self.base) or getattr(found, "kind", None) != kind:
            raise ConfigError(f"the kind {kind!r} of the group {self.group} is no {self.base.__name__} of that kind")
        return cast("T", found)


def _loaded(point: EntryPoint) -> Any:
    try:
        thing = point.load()
        return thing() if isinstance(thing, type) else thing
    except Exception as error:  # another package's code: whatever it raises, the operator must learn which one it is
        reason = clean(f"{type(error).__name__}: {error}")
        raise ConfigError(f"the kind {point.name!r} of {point.value} does not load: {reason}") from error
