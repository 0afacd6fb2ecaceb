"""`tvl quality`: how far the stored numbers can be believed, token by token, and the headline without what is suspect.

Reads the store alone: no endpoint is asked, and no verdict is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import click

from indexer.cli import exact
from indexer.cli.headline import (
    Judgement,
    echo_findings,
    echo_headline,
    judge_stored,
    quality_settings,
    together,
    verdict_json,
)
from indexer.cli.options import Options, Verb
from indexer.cli.stored import deployments_of, points_of, time_at
from indexer.cli.table import FIRST_ROWS, Cell, echo_table, numbers, status_cell, words
from indexer.cli.text import iso, usd
from indexer.cli.when import LATEST, CadenceType, Moment, MomentType, refuse_backwards
from indexer.config.types import Cadence
from indexer.errors import UnknownName
from indexer.run.books import shelf, snapshot_before
from indexer.run.series import thin
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.history import base_usd
from indexer.valuation.verdicts import QualitySettings


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose verdicts, and when: `at` one moment, or each in a range where it is None."""

    protocol: str | None
    at: Moment | None
    start: Moment | None
    end: Moment | None
    every: Cadence | None


@click.command("quality", cls=Verb)
@click.argument("protocol", required=False)
@click.option("--at", type=MomentType(), metavar="WHEN", help="A block, a date, -1d. Default: latest.")
@click.option("--from", "start", type=MomentType(), metavar="WHEN", help="Every stored snapshot from WHEN on.")
@click.option("--to", "end", type=MomentType(), metavar="WHEN", help="The last of them.")
@click.option("--every", type=CadenceType(), metavar="STEP", help="With --from: one for each STEP: blocks, or 1h, 1d.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long tables.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.pass_obj
def quality(
    options: Options,
    *,
    protocol: str | None,
    at: Moment | None,
    start: Moment | None,
    end: Moment | None,
    every: Cadence | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Show the verdict on each deployment of PROTOCOL (default: of all), at one moment or over time.

    ok: nothing speaks against it; suspect: a number that is kept out of the headline, with the reason; held: a number
    that cannot be had; gap: nothing could be read. The headline is the base at good prices and without suspects, beside
    the time-weighted median of the base over the day before. Thresholds: [quality] in the configuration. Who holds the
    receipts of a protocol is only known as far as the holders are stored protocols themselves.

    \b
      tvl quality
      tvl quality aave-v3 --at 2026-01-01
      tvl quality vaults --from -7d --every 1h --json
    """
    if at and (start or end or every):
        raise click.UsageError("--at is one moment: it excludes --from, --to and --every.")
    refuse_backwards(start, end)
    settings = quality_settings(options)
    over_time = bool(start or end or every)
    asked = Asked(protocol, (at or LATEST) if not over_time else None, start, end, every)
    found = asyncio.run(_judge(options, settings, asked))
    if as_json:
        exact.echo_json([verdict_json(one) for one in found])
    elif protocol is None or over_time:
        _echo_table(found, everything)
    else:
        _echo_pages(found, settings, everything)


async def _judge(options: Options, settings: QualitySettings, asked: Asked) -> list[Judgement]:
    """Verdicts at a moment, or of every snapshot in a range. Raises UnknownName where nothing is stored."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, asked.protocol) if asked.protocol else await store.deployments()
        if asked.at is not None:
            found = await _at(store, rows, asked.at, settings)
        else:
            found = [one for row in rows for one in await _over(store, row, asked, settings)]
    if not found:
        raise UnknownName("nothing is stored there", hint="`tvl status` tells what is stored.")
    return found


async def _at(store: Store, rows: Sequence[DeploymentRow], at: Moment, settings: QualitySettings) -> list[Judgement]:
    time = await time_at(store, rows, at)
    books = await shelf(store, time)
    snapshots = [(row, await snapshot_before(store, row.key, time)) for row in rows]
    return [await judge_stored(store, row, one, settings, books) for row, one in snapshots if one]


async def _over(store: Store, row: DeploymentRow, asked: Asked, settings: QualitySettings) -> list[Judgement]:
    points = await points_of(store, row.key, asked.start, asked.end)
    found = []
    for point in thin(points, asked.every) if asked.every else points:
        one = await store.snapshot(row.key, point.at.number)
        if one is not None:
            found.append(await judge_stored(store, row, one, settings))
    return found


def _echo_table(found: Sequence[Judgement], everything: bool) -> None:
    rows: list[list[Cell]] = [
        [
            one.row.key,
            str(one.verdict.at.number),
            iso(one.verdict.at.timestamp),
            status_cell(one.verdict.status),
            usd(one.verdict.headline.usd),
            usd(base_usd(one.snapshot)),
            usd(one.verdict.headline.median_usd),
            one.verdict.reason,
        ]
        for one in (found if everything else found[-FIRST_ROWS:])
    ]
    if len(rows) < len(found):
        click.echo(f"… {len(found) - len(rows)} earlier (--all)")
    columns = [*words("deployment"), *numbers("block"), *words("time", "verdict")]
    echo_table([*columns, *numbers("headline", "base", "median 24h"), *words("why")], rows)


def _echo_pages(found: Sequence[Judgement], settings: QualitySettings, everything: bool) -> None:
    for one in found:
        at = one.verdict.at
        click.echo(f"{click.style(one.row.key, bold=True)}  block {at.number}  {iso(at.timestamp)}")
        echo_headline(one)
        click.echo()
        echo_findings(one, everything)
        click.echo()
    if len(found) > 1:
        usd_all, median, status = together(found, settings)
        click.echo(f"{found[0].row.protocol} together: {usd(usd_all)}  {status}  median of 24 h {usd(median)}")
