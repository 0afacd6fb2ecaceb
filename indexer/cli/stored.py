"""What the verbs that read the store share: a name -> its deployments, and moments -> the points they mean."""

from __future__ import annotations

from collections.abc import Sequence

import click

from indexer.cli.when import Moment
from indexer.config.types import Cadence
from indexer.errors import UnknownName, clean
from indexer.model import BlockRef
from indexer.run.changes import WHOLE_SPAN, Explained, Stretch, explain
from indexer.store.base import DeploymentRow, Point, Store

FILL_HINT = "`tvl run` and `tvl backfill` fill the store; `tvl check PROTOCOL` reads without it."


async def deployments_of(store: Store, name: str) -> list[DeploymentRow]:
    """The deployments of a protocol, or the one of that key. Raises UnknownName."""
    rows = await store.deployments()
    chosen = [row for row in rows if name in (row.protocol, row.key)]
    if not chosen:
        there = ", ".join(sorted({row.protocol for row in rows})) or "nothing yet"
        raise UnknownName(
            f"the store has no protocol {clean(name, 64)!r}; it has: {there}",
            hint=FILL_HINT,
        )
    return chosen


async def points_of(store: Store, deployment: str, start: Moment | None, end: Moment | None) -> list[Point]:
    """The stored points from `start` to `end`, both included. `-90d` counts from the last stored point."""
    newest = await _newest(store, deployment)
    if newest is None:
        return []
    since = start.time(newest) if start else None
    until = end.time(newest) if end else None
    first = start.block if start and start.block is not None else 0
    if since is not None and (before := await store.last_read(deployment, time=since - 1)):
        first = before.number + 1
    points = await store.series(deployment, first, end.block if end else None)
    return [p for p in points if _within(p.at.timestamp, since, until)]


async def block_before(store: Store, deployment: str, moment: Moment) -> int | None:
    """The last stored block at or before a moment; None where there is none."""
    points = await points_of(store, deployment, None, moment)
    return points[-1].at.number if points else None


async def last_at(store: Store, deployment: str, moment: Moment, newest: int) -> BlockRef | None:
    """The block of the last snapshot at or before a moment, gaps left out. `-90d` counts from `newest`."""
    if moment.block is not None:
        return await store.last_read(deployment, block=moment.block)
    return await store.last_read(deployment, time=moment.time(newest))


async def newest_of(store: Store, rows: Sequence[DeploymentRow]) -> int | None:
    """The time of the newest snapshot of any of the deployments; None where there is none but gaps."""
    blocks = [await store.last_read(row.key) for row in rows]
    return max((at.timestamp for at in blocks if at), default=None)


async def chosen_of(store: Store, protocol: str | None, chain: str | None, category: str | None) -> list[DeploymentRow]:
    """The deployments of a protocol, a chain, a category, or all. Raises UnknownName where there are none."""
    rows = await deployments_of(store, protocol) if protocol else await store.deployments()
    chosen = [row for row in rows if chain in (None, row.chain) and category in (None, row.category)]
    if not chosen:
        there = ", ".join(sorted({f"{row.chain}/{row.category or '-'}" for row in rows})) or "nothing yet"
        raise UnknownName(f"the store has nothing of that; it has (chain/category): {there}", hint=FILL_HINT)
    return chosen


def refuse_blocks(rows: Sequence[DeploymentRow], *moments: Moment | None) -> None:
    """Raises UsageError for the number of a block where the deployments are on several chains."""
    if len({row.chain for row in rows}) > 1 and any(moment and moment.block is not None for moment in moments):
        raise click.UsageError("These deployments are on several chains: give a date or -90d instead of a block.")


async def explained(
    store: Store, rows: Sequence[DeploymentRow], start: Moment | None, end: Moment, every: Cadence = WHOLE_SPAN
) -> list[Explained]:
    """Why the value of each deployment changed from one moment to another. Raises UnknownName with what there is."""
    refuse_blocks(rows, start, end)
    newest = await newest_of(store, rows) or 0
    made = []
    for row in rows:
        closed = await last_at(store, row.key, end, newest)
        opened = await last_at(store, row.key, start, newest) if start else None
        if closed and (one := await explain(store, row, Stretch(opened, closed, start is not None), every)):
            made.append(one)
    if not made:
        names = ", ".join(row.key for row in rows[:5])
        raise UnknownName(f"nothing of {names} is stored at or before {end.text}", hint="`tvl status` tells what is.")
    return made


async def _newest(store: Store, deployment: str) -> int | None:
    """The time of the last stored point, a gap or not."""
    last = await store.last_read(deployment)
    after = await store.series(deployment, last.number if last else 0)
    return after[-1].at.timestamp if after else None


def _within(timestamp: int, since: int | None, until: int | None) -> bool:
    return (since is None or timestamp >= since) and (until is None or timestamp <= until)


async def time_at(store: Store, rows: Sequence[DeploymentRow], moment: Moment) -> int | None:
    """A moment as seconds since 1970; None for the latest. A block is one of these deployments'. Raises UnknownName."""
    if moment.timestamp is not None:
        return moment.timestamp
    if moment.block is None and moment.ago_s is None:
        return None
    found = [one.at.timestamp for row in rows if (one := await store.snapshot(row.key, moment.block))]
    if not found:
        raise UnknownName(f"nothing is stored at or before {moment.text}", hint="`tvl status` tells what is stored.")
    return max(found) - (moment.ago_s or 0)
