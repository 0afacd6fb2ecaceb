"""What people write for a moment -> a block: a number, a date, `-90d`, or `latest`.

Dates are UTC. `-90d` counts back from the end of what there is (the last block, the last stored point), never from the
clock on the wall, so that the same data gives the same answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from indexer.cli.text import iso
from indexer.config.types import Cadence, parse_cadence
from indexer.errors import clean
from indexer.model import BlockRef

if TYPE_CHECKING:
    from indexer.run.grid import Span
    from indexer.run.live import LiveChain

EXPECTED = "a block (19000000), a date (2026-01-01 or 2026-01-01T12:00:00Z, UTC), -90d, or latest"
_BLOCK = re.compile(r"\d{1,15}(_\d{3})*")
_AGO = re.compile(r"-(\d{1,6})([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Moment:
    """One of: a `block` number, a `timestamp`, seconds `ago`. The end of what there is when it is none of them."""

    text: str
    block: int | None = None
    timestamp: int | None = None
    ago_s: int | None = None

    def time(self, end_timestamp: int) -> int | None:
        """The moment as seconds since 1970; None where it is a block."""
        if self.block is not None:
            return None
        return self.timestamp if self.timestamp is not None else end_timestamp - (self.ago_s or 0)


LATEST = Moment("latest")


def parse_moment(text: str) -> Moment:
    """A moment as people write it. Raises ValueError with what would be right."""
    text = text.strip()
    if text in ("latest", "now"):
        return LATEST
    if _BLOCK.fullmatch(text):
        return Moment(text, block=int(text))
    if ago := _AGO.fullmatch(text):
        return Moment(text, ago_s=int(ago[1]) * _UNIT_S[ago[2]])
    return Moment(text, timestamp=_timestamp(text))


def refuse_backwards(start: Moment | None, end: Moment | None) -> None:
    """Raises UsageError where the start is seen to lie after the end before anything is looked up."""
    for a, b in _comparable(start, end):
        if a is not None and b is not None and a > b:
            raise click.UsageError(f"--from {start and start.text} lies after --to {end and end.text}.")


def _comparable(start: Moment | None, end: Moment | None) -> list[tuple[int | None, int | None]]:
    if start is None or end is None:
        return []
    return [(start.block, end.block), (start.timestamp, end.timestamp), (end.ago_s, start.ago_s)]


async def block_of(moment: Moment, live: LiveChain, end: BlockRef) -> BlockRef | None:
    """The block of a moment: the first at or after a time. None where it lies after `end`."""
    if moment.block is None and moment.timestamp is None and moment.ago_s is None:
        return end
    found = await _looked_up(moment, live, end)
    return found if found is not None and found.number <= end.number else None


async def head_or_before(moment: Moment, live: LiveChain) -> BlockRef:
    """The block of a moment, up to the newest one. Raises UsageError where it lies after that."""
    head = await live.head()
    found = await block_of(moment, live, head)
    if found is None:
        raise click.UsageError(f"--at {moment.text} lies after the newest block of {live.program.name}, {head.number}.")
    return found


async def span_of(live: LiveChain, start: Moment, end: Moment, first_block: int) -> Span:
    """The blocks from one moment to another, inside `first_block` and the last final block. Raises UsageError."""
    from indexer.run.grid import Span

    final = await live.final()
    first = await block_of(start, live, final)
    if first is None:
        raise click.UsageError(
            f"--from {start.text} lies after the last final block of {live.program.name}, {final.number} "
            f"({iso(final.timestamp)})."
        )
    if first.number < first_block:
        first = await block_of(Moment("first", block=first_block), live, final) or final
    last = await block_of(end, live, final) or final
    if first.number > last.number:
        raise click.UsageError(f"--from is block {first.number}, after --to: block {last.number}.")
    return Span(first, last)


async def _looked_up(moment: Moment, live: LiveChain, end: BlockRef) -> BlockRef | None:
    time = moment.time(end.timestamp)
    if time is not None:
        return await live.clock.first_at_or_after(time)
    assert moment.block is not None
    return await live.clock.block(moment.block) if moment.block <= end.number else None


def _timestamp(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{clean(text, 64)!r} is not {EXPECTED}") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp())


class MomentType(click.ParamType[Moment]):
    """A moment on the command line."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        """Parse, or fail as a wrong option does."""
        if isinstance(value, Moment):
            return value
        try:
            return parse_moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class CadenceType(click.ParamType[Cadence]):
    """A distance between points on the command line: blocks, or block time."""

    name = "cadence"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Cadence:
        """Parse, or fail as a wrong option does."""
        if isinstance(value, Cadence):
            return value
        try:
            return parse_cadence(value)
        except ValueError:
            self.fail(f"{clean(str(value), 64)!r} is not blocks (100) or block time (5m, 1h, 1d)", param, ctx)
