"""Aligned columns on stdout: the same in a terminal and in a pipe, never cut to a width.

Every cell is cleaned on its way out, so that a token's name can neither move the cursor nor colour the screen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import click

from indexer.errors import clean
from indexer.model import Status

FIRST_ROWS = 30
"""As many rows of a long list are shown, unless all are asked for."""

_CELL_BYTES = 1024
_COLORS = {Status.OK: "green", Status.NOT_APPLICABLE: "cyan", Status.UNPRICED: "yellow", Status.SUSPECT: "yellow"}


@dataclass(frozen=True, slots=True)
class Styled:
    """A cell in a colour."""

    text: str
    color: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and on which side its cells begin."""

    title: str
    align: Literal["left", "right"] = "left"


Cell = str | Styled


def words(*titles: str) -> list[Column]:
    """Columns of words, aligned on the left."""
    return [Column(title) for title in titles]


def numbers(*titles: str) -> list[Column]:
    """Columns of numbers, aligned on the right."""
    return [Column(title, "right") for title in titles]


def status_cell(status: Status) -> Styled:
    """A status in its colour."""
    return Styled(str(status), _COLORS.get(status, "red"))


def echo_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """The rows under a dim line of titles."""
    tidy = [[_tidy(cell) for cell in row] for row in rows]
    widths = [max([_width(c.title), *(_width(row[i].text) for row in tidy)]) for i, c in enumerate(columns)]
    click.secho(_line([Styled(column.title, "") for column in columns], columns, widths), dim=True)
    for row in tidy:
        click.echo(_line(row, columns, widths))


def echo_foreign(text: str, indent: str = "") -> None:
    """One line of text that others wrote."""
    click.echo(indent + clean(text, _CELL_BYTES))


def _tidy(cell: Cell) -> Styled:
    styled = cell if isinstance(cell, Styled) else Styled(cell, "")
    return Styled(clean(styled.text, _CELL_BYTES), styled.color)


def _line(cells: Sequence[Styled], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return "  ".join(
        _padded(cell, column, width) for cell, column, width in zip(cells, columns, widths, strict=True)
    ).rstrip()


def _padded(cell: Styled, column: Column, width: int) -> str:
    space = " " * (width - _width(cell.text))
    shown = click.style(cell.text, fg=cell.color) if cell.color else cell.text
    return space + shown if column.align == "right" else shown + space


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    return sum(map(_columns_of, text))


def _columns_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
