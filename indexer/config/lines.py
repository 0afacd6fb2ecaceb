"""Where in a TOML text each key stands, so that an error can name its line.

Follows tables, arrays of tables, dotted and quoted keys; values are skipped, not read (tomllib reads them).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*\[(\[)?([^\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(.*)""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[][{}]|\n''', re.DOTALL
)


def line_numbers(text: str) -> dict[Path, int]:
    """Path of each table and key -> its line, counted from 1. Elements of an array of tables have integer parts."""
    found: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    for number, line in _outside_values(text):
        header = _HEADER.match(line)
        if header:
            table = _enter(_parts(header[2]), bool(header[1]), arrays)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(table + _parts(key[1]), number)
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a path, or of the nearest thing around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _enter(parts: Path, is_array: bool, arrays: dict[Path, int]) -> Path:
    parent: Path = ()
    for part in parts[:-1]:
        parent = (*parent, part)
        if parent in arrays:
            parent = (*parent, arrays[parent])
    path = (*parent, parts[-1])
    if not is_array:
        return path
    arrays[path] = arrays.get(path, -1) + 1
    return (*path, arrays[path])


def _parts(text: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


def _outside_values(text: str) -> Iterator[tuple[int, str]]:
    """The lines that begin outside a multi-line string, array or inline table."""
    outside, number, depth = {1}, 1, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        number += mark.count("\n")
        depth += (mark in "[{") - (mark in "]}")
        if mark == "\n" and depth == 0:
            outside.add(number)
    return ((n, line) for n, line in enumerate(text.split("\n"), 1) if n in outside)
