"""`tvl show`: what the store holds of a protocol, as a table, JSON or CSV; one snapshot with every factor.

Reads the store alone: no endpoint is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import click

from indexer.cli import exact, page, sheet
from indexer.cli.lastgood import LastGood, of_snapshot
from indexer.cli.options import Options, Verb
from indexer.cli.stored import block_before, deployments_of, points_of
from indexer.cli.when import LATEST, CadenceType, Moment, MomentType, refuse_backwards
from indexer.config.types import Cadence
from indexer.errors import UnknownName
from indexer.model import Address, Snapshot, State
from indexer.run.series import Series, combine, row, thin
from indexer.store.base import DeploymentRow, Point, Store

GRID = Cadence(seconds=3600)
"""Over which deployments on several chains are summed where no other grid is asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a protocol is to be shown."""

    protocol: str
    start: Moment | None
    end: Moment | None
    every: Cadence | None
    at: Moment | None
    each: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored snapshot, how final it is, and what its held prices were when they last were good."""

    one: Snapshot
    state: State
    last_good: Mapping[Address, LastGood]


@click.command("show", cls=Verb)
@click.argument("protocol")
@click.option("--from", "start", type=MomentType(), metavar="WHEN", help="First point: a block, a date, or -90d.")
@click.option("--to", "end", type=MomentType(), metavar="WHEN", help="Last point: a block, a date, or -1d.")
@click.option("--every", type=CadenceType(), metavar="STEP", help="One point for each STEP: blocks, or 1h, 1d.")
@click.option("--each", is_flag=True, help="Each deployment by itself, instead of their sum.")
@click.option("--at", type=MomentType(), metavar="WHEN", help="One snapshot: the last at or before WHEN.")
@click.option("--explain", is_flag=True, help="With --at (default: latest): every amount, price and on-chain answer.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long tables.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV, exact too; a series has a row a point, --at a row a holding.")
@click.pass_obj
def show(
    options: Options,
    *,
    protocol: str,
    start: Moment | None,
    end: Moment | None,
    every: Cadence | None,
    each: bool,
    at: Moment | None,
    explain: bool,
    everything: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what is stored of PROTOCOL: its series, or one snapshot (--at, --explain).

    PROTOCOL is a name (aave-v3) or a deployment (aave-v3@ethereum). A protocol with several deployments is shown as
    their sum, hour by hour unless --every says otherwise, and only at points at which each of them has a number; how
    many had to be left out is told. --each shows them one by one.

    \b
      tvl show aave-v3 --from -30d --every 1d
      tvl show aave-v3@ethereum --at 2026-01-01 --explain
      tvl show aave-v3 --from 2026-01-01 --csv > aave.csv
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    if (at or explain) and (start or end or every):
        raise click.UsageError("--at and --explain show one snapshot: they exclude --from, --to and --every.")
    refuse_backwards(start, end)
    asked = Asked(protocol, start, end, every, at or (LATEST if explain else None), each)
    if asked.at:
        snapshots = asyncio.run(_snapshots(options, asked, asked.at))
        if as_json:
            exact.echo_json([exact.snapshot(kept.one, kept.state, kept.last_good) for kept in snapshots])
        elif as_csv:
            sheet.echo_holdings_csv([kept.one for kept in snapshots])
        else:
            _echo_pages(snapshots, explain, everything)
        return
    series = asyncio.run(_series(options, asked))
    if as_json:
        sheet.echo_series_json(protocol, series)
    elif as_csv:
        sheet.echo_series_csv(series)
    else:
        sheet.echo_series(series, everything)


def _echo_pages(snapshots: list[Kept], explain: bool, everything: bool) -> None:
    for kept in snapshots:
        page.echo_snapshot(kept.one, kept.state, kept.last_good, everything=everything)
        if explain:
            click.echo()
            page.echo_factors(kept.one)
        click.echo()


async def _snapshots(options: Options, asked: Asked, at: Moment) -> list[Kept]:
    """The snapshot of each deployment at the moment. Raises UnknownName where none has one."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, asked.protocol)
        found = [kept for row in rows if (kept := await _snapshot(store, row, at))]
    if not found:
        raise UnknownName(
            f"nothing of {asked.protocol} is stored at or before {at.text}", hint="`tvl status` tells what is stored."
        )
    return found


async def _snapshot(store: Store, row: DeploymentRow, at: Moment) -> Kept | None:
    number = await block_before(store, row.key, at)
    one = await store.snapshot(row.key, number) if number is not None else None
    if one is None:
        return None
    (point,) = await store.series(row.key, one.at.number, one.at.number)
    return Kept(one, point.state, await of_snapshot(store, row.chain, one))


async def _series(options: Options, asked: Asked) -> Mapping[str, Series]:
    """The series of each deployment, or of their sum under the protocol's name."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, asked.protocol)
        points = {row.key: await points_of(store, row.key, asked.start, asked.end) for row in rows}
    if len(rows) == 1 or asked.each:
        return {key: Series(tuple(row([p]) for p in _thinned(some, asked.every)), {}) for key, some in points.items()}
    return {asked.protocol: combine(points, _grid(rows, asked.every))}


def _thinned(points: list[Point], every: Cadence | None) -> list[Point]:
    return thin(points, every) if every else points


def _grid(rows: list[DeploymentRow], every: Cadence | None) -> Cadence:
    """On one chain the points are of the same blocks; numbers of blocks of several chains have nothing in common."""
    one_chain = len({row.chain for row in rows}) == 1
    if every and every.blocks and not one_chain:
        raise click.UsageError(
            "These deployments are on several chains: give --every as a time (1h, 1d), or use --each."
        )
    return every or (Cadence(blocks=1) if one_chain else GRID)
