"""Series and holdings as tables for people, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import click

from indexer.cli import exact
from indexer.cli.barsheet import Bars, bars_json
from indexer.cli.table import FIRST_ROWS, Cell, echo_table, numbers, status_cell, words
from indexer.cli.text import buckets_of, iso, total_usd, usd
from indexer.errors import clean
from indexer.model import Bucket, Snapshot, Status
from indexer.run.series import Row, Series

_FORMULA = ("=", "+", "-", "@")


def echo_series(series: Mapping[str, Series], everything: bool) -> None:
    """A table for each series, the newest row last."""
    for name, one in series.items():
        click.secho(name, bold=True)
        _echo_rows(one.rows, everything)
        for note in _notes(one):
            click.echo(note, err=True)


def echo_series_json(protocol: str, series: Mapping[str, Series], timed: Bars) -> None:
    """One JSON document; each row with its blocks, and totals as exact decimal text; bars where there are some."""
    told = [
        {"name": name, "lacking": dict(one.lacking), "points": [_row_json(row) for row in one.rows]}
        | ({"bars": bars_json(timed[name])} if name in timed else {})
        for name, one in series.items()
    ]
    exact.echo_json({"protocol": protocol, "series": told})


def echo_series_csv(series: Mapping[str, Series]) -> None:
    """A line a row; `block` and `block_hash` are empty in a sum over several deployments."""
    buckets = buckets_of(row.totals for one in series.values() for row in one.rows)
    columns = [f"{bucket}_{part}" for bucket in buckets for part in ("usd", "low", "high", "left_out")]
    lines = [_row_csv(name, row, buckets) for name, one in series.items() for row in one.rows]
    _echo_csv(["name", "time", "timestamp", "block", "block_hash", "status", "state", *columns, "reason"], lines)
    for note in [note for one in series.values() for note in _notes(one)]:
        click.echo(note, err=True)


def echo_holdings_csv(snapshots: Sequence[Snapshot]) -> None:
    """A line a holding, with the fields of the JSON."""
    lines: list[list[object]] = []
    header: list[str] = []
    for one in snapshots:
        for holding in exact.snapshot(one)["holdings"]:
            header = ["deployment", "block", "block_hash", "time", *holding]
            lines.append([one.deployment, one.at.number, one.at.hash, iso(one.at.timestamp), *holding.values()])
    _echo_csv(header, lines)


def _echo_rows(rows: Sequence[Row], everything: bool) -> None:
    shown = rows if everything else rows[-FIRST_ROWS:]
    if not rows:
        click.echo("no stored points in this range")
        return
    buckets = buckets_of(row.totals for row in rows)
    alone = all(len(row.points) == 1 for row in rows)
    if len(shown) < len(rows):
        click.echo(f"… {len(rows) - len(shown)} earlier points (--all)")
    columns = [*numbers(*(["block"] if alone else [])), *words("time"), *numbers(*buckets, "low", "high")]
    cells = [_cells(row, buckets, alone) for row in shown]
    echo_table([*columns, *words("status", "state", "reason")], cells)


def _cells(row: Row, buckets: Sequence[Bucket], alone: bool) -> list[Cell]:
    base = row.totals.get(Bucket.BASE)
    bounds = [usd(base.low), usd(base.high)] if base and (base.lines or not base.left_out) else ["-", "-"]
    values = [total_usd(row.totals.get(b)) if row.status is not Status.GAP else "?" for b in buckets]
    block = [str(row.points[0].at.number)] if alone else []
    return [*block, iso(row.timestamp), *values, *bounds, status_cell(row.status), str(row.state), row.reason]


def _row_json(row: Row) -> exact.Json:
    return {
        "time": iso(row.timestamp),
        "timestamp": row.timestamp,
        "blocks": {point.deployment: exact.block(point.at) for point in row.points},
        "status": str(row.status),
        "reason": row.reason,
        "state": str(row.state),
        "totals": exact.totals(row.totals),
    }


def _row_csv(name: str, row: Row, buckets: Sequence[Bucket]) -> list[object]:
    block = [row.points[0].at.number, row.points[0].at.hash] if len(row.points) == 1 else [None, None]
    totals = exact.totals(row.totals)
    values = [totals.get(bucket, {}).get(part) for bucket in buckets for part in ("usd", "low", "high", "left_out")]
    return [name, iso(row.timestamp), row.timestamp, *block, row.status, row.state, *values, row.reason]


def _notes(series: Series) -> list[str]:
    """What a reader of a sum must know: where it could not be made."""
    return [
        f"{key} has no point at {count} of the grid's points: there is no sum there"
        for key, count in series.lacking.items()
    ]


def _echo_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_csv_cell(value) for value in line] for line in lines)
    click.echo(text.getvalue(), nl=False)


def _csv_cell(value: object) -> object:
    """Foreign text must not become a formula in a spreadsheet. https://owasp.org/www-community/attacks/CSV_Injection"""
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return clean(value) if isinstance(value, str) else value
    return "'" + clean(value)


def _is_number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdecimal()
