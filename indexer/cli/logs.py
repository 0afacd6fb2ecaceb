"""Structured log lines on stderr: aligned for people on a terminal, one JSON object a line in a pipe.

Every value passes `_tidy`: foreign text is cleaned and cut, secrets are taken out. What libraries write with the
standard `logging` goes the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from indexer.errors import FOREIGN_TEXT_BYTES, clean

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
TRACEBACK_BYTES = 16_384
Redact = Callable[[str], str]


def open_log(log_format: str | None, level: int, redact: Redact) -> FilteringBoundLogger:
    """A log in `console` or `json` format (None: what suits stderr), from `level` on.

    What other rooms and libraries write by themselves, with `structlog` or `logging`, goes the same way from now on.
    """
    on_terminal = sys.stderr.isatty()
    as_json = log_format == "json" or (log_format is None and not on_terminal)
    structlog.configure(
        processors=_processors(redact, _renderer(as_json, on_terminal)),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging(logging.INFO if level < logging.INFO else max(level, logging.WARNING))
    # Bound at once: a lazy logger would change its level with the next configuration.
    log: FilteringBoundLogger = structlog.get_logger().bind()
    return log


class _Stderr:
    """Whatever `sys.stderr` is when a line is written: a progress bar puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())


def _processors(redact: Redact, renderer: Processor) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _drop_none,
        _tidy(redact),
        renderer,
    ]


def _renderer(as_json: bool, colors: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _drop_none(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if value is not None}


def _tidy(redact: Redact) -> Processor:
    def tidy(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: _tidied(value, redact, key) for key, value in event.items()}

    return tidy


def _tidied(value: Any, redact: Redact, key: str = "") -> Any:
    """A value that may be written: numbers as they are, everything else as clean text, also inside containers."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {_tidied(str(name), redact): _tidied(item, redact) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tidied(item, redact) for item in value]
    if key == "exception":
        return "\n".join(clean(line) for line in redact(str(value))[-TRACEBACK_BYTES:].splitlines())
    return clean(redact(str(value)), FOREIGN_TEXT_BYTES)


class _Adopted(logging.Handler):
    """Passes records of the standard `logging` on to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record with its level and the name of who wrote it."""
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def _adopt_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.setLevel(level)
    if not any(isinstance(handler, _Adopted) for handler in root.handlers):
        root.addHandler(_Adopted())
