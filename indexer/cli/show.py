"""`tvl show`: what the store holds of a protocol, as a table, JSON or CSV; one snapshot with every factor.

Reads the store alone: no endpoint is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Unpack

import click

from indexer.cli import barsheet, exact, page, sheet, why
from indexer.cli.headline import (
    Judgement,
    echo_headline,
    echo_latest,
    judge_stored,
    latest,
    quality_settings,
    verdict_json,
)
from indexer.cli.lastgood import LastGood, of_snapshot
from indexer.cli.options import Options, Verb
from indexer.cli.profiled import Definition, profile_options, show_profile, wanted
from indexer.cli.stored import block_before, deployments_of, explained, points_of
from indexer.cli.when import LATEST, CadenceType, Moment, MomentType, refuse_backwards
from indexer.config.types import Cadence
from indexer.errors import UnknownName
from indexer.model import Address, Snapshot, State
from indexer.run.changes import Explained
from indexer.run.series import Series, combine, row, thin
from indexer.store.base import DeploymentRow, Point, Store
from indexer.valuation.verdicts import QualitySettings

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
    judged: Judgement


@dataclass(frozen=True, slots=True)
class Form:
    """How it is shown: long tables whole, as JSON, as CSV; by default a page."""

    everything: bool
    json: bool
    csv: bool


@click.command("show", cls=Verb)
@click.argument("protocol")
@click.option("--from", "start", type=MomentType(), metavar="WHEN", help="First point: a block, a date, or -90d.")
@click.option("--to", "end", type=MomentType(), metavar="WHEN", help="Last point: a block, a date, or -1d.")
@click.option("--every", type=CadenceType(), metavar="STEP", help="One point for each STEP: blocks, or a bar: 1h, 1d.")
@click.option("--each", is_flag=True, help="Each deployment by itself, instead of their sum.")
@click.option("--at", type=MomentType(), metavar="WHEN", help="One snapshot: the last at or before WHEN.")
@click.option(
    "--explain", is_flag=True, help="Every amount, price and answer of a snapshot; with --from why it changed."
)
@profile_options
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
    **definition: Unpack[Definition],
) -> None:
    """Show what is stored of PROTOCOL: its series, one snapshot (--at, --explain), or why it changed.

    PROTOCOL is a name (aave-v3) or a deployment (aave-v3@ethereum). A protocol with several deployments is shown as
    their sum, hour by hour unless --every says otherwise, and only at points at which each of them has a number; how
    many had to be left out is told. --each shows them one by one.

    --profile counts the stored readings of one moment under a named definition: base, gross, net, redeemable, llama,
    verifiable, constant-price. PROTOCOL may then be `all`.

    With --every as a time, each row is a bar: open, high, low, close, and the mean and median over time, in which a
    value counts as long as it held. --explain with --from or --to splits the change between two points into flow,
    price, yield, debt, scope, method and residual, which add up to it exactly.

    \b
      tvl show aave-v3 --from -30d --every 1d
      tvl show aave-v3@ethereum --at 2026-01-01 --explain
      tvl show aave-v3 --profile net --against base
      tvl show aave-v3 --explain --from -30d --to -1d
      tvl show aave-v3 --from 2026-01-01 --csv > aave.csv
    """
    asked = Asked(protocol, start, end, every, at or (LATEST if explain else None), each)
    form = Form(everything, as_json, as_csv)
    _refuse_mixtures(asked, form, at, explain=explain, profiled=any(definition.values()))
    if any(definition.values()):
        show_profile(options, wanted(protocol, at or LATEST, definition), everything, as_json)
    elif explain and (start or end):
        _echo_why(options, protocol, start, end or LATEST, everything=everything, as_json=as_json)
    elif asked.at:
        _echo_snapshots(asyncio.run(_snapshots(options, asked, asked.at)), form, explain)
    else:
        _echo_series(protocol, *asyncio.run(_series(options, asked)), form)
        if not (end or as_json or as_csv):
            echo_latest(asyncio.run(latest(options, protocol)))


def _refuse_mixtures(asked: Asked, form: Form, at: Moment | None, *, explain: bool, profiled: bool) -> None:
    """Raises UsageError for options that cannot be had together."""
    span, every = asked.start or asked.end, asked.every
    if form.json and form.csv:
        raise click.UsageError("--json and --csv exclude each other.")
    if (at and span) or ((at or explain) and every):
        raise click.UsageError("--at and --explain exclude --every, and --at excludes --from and --to.")
    if profiled and (span or every or explain or form.csv or asked.each):
        raise click.UsageError("--profile shows one moment, as a page or as JSON: it takes --at, not a series.")
    refuse_backwards(asked.start, asked.end)


def _echo_snapshots(snapshots: list[Kept], form: Form, explain: bool) -> None:
    if form.json:
        exact.echo_json([_json(kept) for kept in snapshots])
    elif form.csv:
        sheet.echo_holdings_csv([kept.one for kept in snapshots])
    else:
        _echo_pages(snapshots, explain, form.everything)


def _echo_series(protocol: str, series: Mapping[str, Series], timed: barsheet.Bars, form: Form) -> None:
    if form.json:
        sheet.echo_series_json(protocol, series, timed)
    elif form.csv:
        sheet.echo_series_csv(series)
    elif timed:
        barsheet.echo_bars(timed, form.everything)
    else:
        sheet.echo_series(series, form.everything)


def _echo_why(
    options: Options, protocol: str, start: Moment | None, end: Moment, *, everything: bool, as_json: bool
) -> None:
    many = asyncio.run(_explained(options, protocol, start, end))
    if as_json:
        exact.echo_json(why.explained_json(protocol, many))
    else:
        why.echo_explained(protocol, many, everything)


async def _explained(options: Options, protocol: str, start: Moment | None, end: Moment) -> list[Explained]:
    options.log("error")
    async with options.store(options.settings()) as store:
        return await explained(store, await deployments_of(store, protocol), start, end)


def _json(kept: Kept) -> exact.Json:
    return exact.snapshot(kept.one, kept.state, kept.last_good) | {"verdict": verdict_json(kept.judged)}


def _echo_pages(snapshots: list[Kept], explain: bool, everything: bool) -> None:
    for kept in snapshots:
        page.echo_snapshot(kept.one, kept.state, kept.last_good, everything=everything)
        click.echo()
        echo_headline(kept.judged)
        if explain:
            click.echo()
            page.echo_factors(kept.one)
        click.echo()


async def _snapshots(options: Options, asked: Asked, at: Moment) -> list[Kept]:
    """The snapshot of each deployment at the moment. Raises UnknownName where none has one."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, asked.protocol)
        settings = quality_settings(options)
        found = [kept for row in rows if (kept := await _snapshot(store, row, at, settings))]
    if not found:
        raise UnknownName(
            f"nothing of {asked.protocol} is stored at or before {at.text}", hint="`tvl status` tells what is stored."
        )
    return found


async def _snapshot(store: Store, row: DeploymentRow, at: Moment, settings: QualitySettings) -> Kept | None:
    number = await block_before(store, row.key, at)
    one = await store.snapshot(row.key, number) if number is not None else None
    if one is None:
        return None
    (point,) = await store.series(row.key, one.at.number, one.at.number)
    last_good = await of_snapshot(store, row.chain, one)
    return Kept(one, point.state, last_good, await judge_stored(store, row, one, settings))


async def _series(options: Options, asked: Asked) -> tuple[Mapping[str, Series], barsheet.Bars]:
    """The series of each deployment, or of their sum under the protocol's name; with bars where the grid is of time."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, asked.protocol)
        points = {row.key: await points_of(store, row.key, asked.start, asked.end) for row in rows}
        spans = {key: (some[0].at.timestamp, some[-1].at.timestamp) for key, some in points.items() if some}
        apart = len(rows) == 1 or asked.each
        every_s = asked.every.seconds if asked.every else 0
        timed = await barsheet.bars_of(store, _named(asked.protocol, spans, apart), every_s) if every_s else {}
    if apart:
        found = {key: Series(tuple(row([p]) for p in _thinned(some, asked.every)), {}) for key, some in points.items()}
        return found, timed
    return {asked.protocol: combine(points, _grid(rows, asked.every))}, timed


def _named(protocol: str, spans: Mapping[str, tuple[int, int]], apart: bool) -> Mapping[str, barsheet.Spans]:
    """Each deployment's time under its own name, or all of them under the protocol's."""
    return {key: {key: span} for key, span in spans.items()} if apart else {protocol: spans}


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
