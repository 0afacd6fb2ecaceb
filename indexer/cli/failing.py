"""Errors as they are told on the terminal: what happened, what to do next, and the exit code.

Everything passes the redactor; a traceback is shown only on request.
"""

from __future__ import annotations

import traceback
from typing import IO, Any

import click

from indexer.config.redact import Redactor
from indexer.errors import ConfigError, IndexerError, Transient, UnknownName, clean

FAILED, USAGE, TRY_AGAIN, INTERRUPTED = 1, 2, 3, 130
REPORT = "This is a fault of the program. Please report it with what -v shows: secrets are taken out."


class Told(click.ClickException):
    """An error in words: `message`, a `hint` for the next step, and perhaps a traceback."""

    def __init__(self, message: str, exit_code: int, hint: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for the class, and reads the instance's
        self.hint = hint
        self.trace = trace

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to stderr."""
        if self.trace:
            click.echo(self.trace, err=True)
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", err=True)
        if self.hint:
            click.echo(f"{click.style('hint:', bold=True)} {self.hint}", err=True)


def told(error: Exception, redact: Redactor, verbose: bool) -> click.ClickException:
    """An error as it is shown. What is already for showing stays as it is."""
    error = _first(error)
    if isinstance(error, click.ClickException):
        return error
    trace = redact("".join(traceback.format_exception(error))) if verbose else ""
    if isinstance(error, IndexerError):
        return Told(_clean_lines(redact(str(error))), exit_code(error), redact(error.next_step), trace)
    return Told(f"unexpected {type(error).__name__}: {clean(redact(str(error)))}", FAILED, REPORT, trace)


def exit_code(error: IndexerError) -> int:
    """What a script learns of an error; see the end of `tvl --help`."""
    if isinstance(error, ConfigError | UnknownName):
        return USAGE
    return TRY_AGAIN if isinstance(error, Transient) else FAILED


def _first(error: Exception) -> Exception:
    """The first of several errors that came at once."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _clean_lines(text: str) -> str:
    """Clean text that may have lines of its own, as the problems of a configuration do."""
    return "\n".join(line[: len(line) - len(line.lstrip())] + clean(line) for line in text.split("\n"))
