"""How far a long work is: a bar with rate and ETA on a terminal, a log line every few seconds in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from structlog.typing import FilteringBoundLogger

LINE_EVERY_S = 10.0


class Meter(Protocol):
    """Told of every step of a named part of the work."""

    def begin(self, name: str, total: int) -> None:
        """A part begins."""

    def step(self, name: str) -> None:
        """One of its steps is done."""


@contextmanager
def meter(log: FilteringBoundLogger) -> Iterator[Meter]:
    """What suits stderr."""
    if not sys.stderr.isatty():
        yield Lines(log)
        return
    with _bars() as bars:
        yield Bars(bars)


class Bars:
    """A bar for each part."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, name: str, total: int) -> None:
        """Show its bar."""
        self._tasks[name] = self._progress.add_task(name, total=total, rate="")

    def step(self, name: str) -> None:
        """Move its bar."""
        task = self._tasks[name]
        speed = self._progress.tasks[task].speed
        self._progress.update(task, advance=1, rate=f"{speed:.1f}/s" if speed else "")


class Lines:
    """A log line for each part, every `LINE_EVERY_S` at most, and one when it is done."""

    def __init__(self, log: FilteringBoundLogger, every_s: float = LINE_EVERY_S) -> None:
        self._log, self._every_s = log, every_s
        self._parts: dict[str, _Part] = {}

    def begin(self, name: str, total: int) -> None:
        """Note when it began."""
        self._parts[name] = _Part(total, time.monotonic())

    def step(self, name: str) -> None:
        """Write a line if it is time for one."""
        part, now = self._parts[name], time.monotonic()
        part.done += 1
        if part.done == part.total or now - part.told_at >= self._every_s:
            part.told_at = now
            self._log.info("progress", part=name, done=part.done, total=part.total, **part.pace(now))


class _Part:
    def __init__(self, total: int, now: float) -> None:
        self.total, self.began_at, self.told_at, self.done = total, now, now, 0

    def pace(self, now: float) -> dict[str, float | int]:
        """Steps a second so far, and how long the rest takes at that rate."""
        rate = self.done / max(now - self.began_at, 1e-9)
        return {"per_s": round(rate, 2), "eta_s": round((self.total - self.done) / rate)}


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
