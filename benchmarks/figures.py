"""What a benchmark says: a figure beside its floor. Timing of awaitables, medians, and the table of all.

CPU time is this process's alone, all its threads: the replaying server has its own.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from indexer.run.collector import look_seldom


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement, in milliseconds of the clock and of the processor."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` and `floor` are in `unit`; where more is better, the ratio is turned round."""

    name: str
    unit: str
    value: float
    floor: float
    note: str = ""
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """How many times the floor's effort it takes."""
        return self.floor / self.value if self.more_is_better else self.value / self.floor

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"ratio": round(self.ratio, 2)}


async def timed(work: Awaitable[object]) -> Sample:
    """Await once, after a collection, so that no sample pays for the garbage of the one before."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return Sample((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def median(samples: Iterable[Sample]) -> Sample:
    """The middle one by each clock."""
    kept = list(samples)
    return Sample(statistics.median(s.wall_ms for s in kept), statistics.median(s.cpu_ms for s in kept))


def total(samples: Iterable[Sample]) -> Sample:
    """All together."""
    kept = list(samples)
    return Sample(sum(s.wall_ms for s in kept), sum(s.cpu_ms for s in kept))


def print_figures(figures: Sequence[Figure], as_json: bool) -> None:
    """The table, or JSON."""
    print(json.dumps([figure.row() for figure in figures], indent=2) if as_json else table(figures))


def quiet() -> None:
    """No log lines between the figures: writing them is not what is measured. The rest of the process is as `tvl`'s."""
    look_seldom()
    structlog.configure(processors=[lambda *_: ""], logger_factory=structlog.ReturnLoggerFactory())


def table(figures: Sequence[Figure]) -> str:
    """Figures as Markdown."""
    lines = ["| what | unit | floor | figure | ratio | |", "|---|---|--:|--:|--:|---|"]
    lines += [
        f"| {f.name} | {f.unit} | {_number(f.floor)} | {_number(f.value)} | {f.ratio:.1f} | {f.note} |" for f in figures
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.1f}"
