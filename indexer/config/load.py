"""A TOML file, the environment and the shipped catalog -> settings, or every problem at once with its line.

Reads files and environment variables; never talks to a node. Secrets stay in `Secret` from the first step on.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from indexer.config.lines import Path as KeyPath
from indexer.config.lines import line_numbers, line_of
from indexer.config.protocols import mistakes, selected
from indexer.config.schema import Select, Settings
from indexer.errors import ConfigError, clean

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where in the file, and a sentence that says what would be right."""

    path: KeyPath
    message: str


@dataclass(slots=True)
class Draft:
    """A configuration under examination. Whoever finds a problem adds it; `settings` is None if it has no shape yet."""

    file: Path
    lines: Mapping[KeyPath, int]
    settings: Settings | None = None
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str) -> None:
        """Note a problem of the value at `path`; the first one of a value is enough."""
        if all(path != known.path for known in self.problems):
            self.problems.append(Problem(path, clean(message)))

    def checked(self) -> Settings:
        """The settings, if nothing is wrong with them. Raises ConfigError that tells every problem."""
        if self.problems or self.settings is None:
            raise ConfigError("\n".join([f"{self.file} cannot be used:", *self._sentences()]))
        return self.settings

    def _sentences(self) -> list[str]:
        placed = [(line_of(p.path, self.lines) or 0, p) for p in self.problems]
        return [
            f"  line {line}: {_dotted(p.path)}: {p.message}" if line else f"  {_dotted(p.path)}: {p.message}"
            for line, p in sorted(placed, key=lambda pair: pair[0])
        ]


def load(file: Path, environ: Mapping[str, str] = os.environ) -> Draft:
    """Read a configuration. Raises ConfigError where there is no readable TOML; all else is a problem of the draft."""
    text = _read(file)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", hint="Correct the line, then try again.") from None
    draft = Draft(file, line_numbers(text))
    own = _expand(content, (), environ, draft)
    try:
        draft.settings = Settings.model_validate(_with_catalog(own))
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            draft.add(_user_path(one["loc"]), _sentence(one))
        return draft
    _check_names(draft, draft.settings)
    draft.settings = _with_selected(draft, draft.settings)
    return draft


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{file} is larger than {_MAX_BYTES} bytes")
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist", hint="`tvl init` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from None


def _expand(value: Any, path: KeyPath, environ: Mapping[str, str], draft: Draft) -> Any:
    """`${NAME}` and `${NAME:-default}` in every string replaced from the environment."""
    if isinstance(value, dict):
        return {key: _expand(item, (*path, key), environ, draft) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, i), environ, draft) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        found = environ.get(match[1], match[2])
        if not found:
            draft.add(
                path, f"the environment variable {match[1]} is not set; export it, or give ${{{match[1]}:-default}}"
            )
        return found or ""

    return _VARIABLE.sub(replacement, value)


def _with_catalog(own: dict[str, Any]) -> dict[str, Any]:
    """The configuration laid over the catalog's rows of the chains it names."""
    used = own.get("chains", {})
    if not isinstance(used, dict):
        return own
    merged = dict(own)
    merged["chains"] = {name: _over(catalog("chains").get(name, {}), chain) for name, chain in used.items()}
    for part in ("feeds", "tokens"):
        merged[part] = {name: _over(catalog(f"{part}/{name}"), own.get(part, {}).get(name, {})) for name in used}
        merged[part] |= {name: rows for name, rows in own.get(part, {}).items() if name not in used}
    return merged


def _over(base: Mapping[str, Any], own: Any) -> Any:
    return {**base, **own} if isinstance(own, dict) else own


@cache
def catalog(name: str) -> dict[str, Any]:
    """The rows of one shipped file, such as `chains` or `feeds/ethereum`; none where there is no such file."""
    file = resources.files("indexer.config") / "catalog" / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


def _check_names(draft: Draft, settings: Settings) -> None:
    """What one value alone cannot show: chains that are not there, deployments that share a key."""
    seen: dict[str, int] = {}
    for i, deployment in enumerate(settings.protocols):
        if deployment.chain not in settings.chains:
            draft.add(("protocols", i, "chain"), f"no [chains.{deployment.chain}] in this file")
        if deployment.key in seen:
            draft.add(("protocols", i), f"{deployment.key} stands here twice: tell them apart by `label`")
        seen[deployment.key] = i
    for name, chain in settings.chains.items():
        if not chain.endpoints:
            draft.add(("chains", name), 'needs `endpoints`, such as ["https://…"]')


def _with_selected(draft: Draft, settings: Settings) -> Settings:
    """The settings with the deployments that they select from the catalog, behind their own."""
    select = settings.select
    if select == Select():
        return settings
    for mistake in mistakes(select, list(settings.chains)):
        draft.add(("select", *mistake.path), str(mistake))
    rows = selected(select, settings.chains, settings.protocols)
    return settings.model_copy(update={"protocols": (*settings.protocols, *rows)})


def _user_path(loc: Sequence[str | int]) -> KeyPath:
    """Pydantic's location as the user wrote it."""
    return tuple(part for part in loc if part not in ("params", "[key]"))


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key; check its spelling"
    if error["type"] == "missing":
        return "is missing"
    text: str = error["msg"]
    return text.removeprefix("Value error, ")


def _dotted(path: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "file"
