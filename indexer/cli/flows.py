"""`tvl flows`: what came in, what went out and what the rest of the change was, interval by interval; and the measures.

Reads the store alone: no endpoint is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from indexer.cli import exact
from indexer.cli.barsheet import bar_json
from indexer.cli.options import Options, Verb
from indexer.cli.stored import chosen_of, explained
from indexer.cli.table import FIRST_ROWS, echo_table, numbers, words
from indexer.cli.text import iso, usd
from indexer.cli.when import LATEST, CadenceType, Moment, MomentType, refuse_backwards
from indexer.cli.why import NAMES, part_names, percent, ratio_json, signed, sum_json
from indexer.config.types import Cadence
from indexer.run.changes import WHOLE_SPAN, Explained, Sum, by_interval, whole
from indexer.run.measured import Measured, measure
from indexer.store.base import DeploymentRow
from indexer.valuation.measures import Movement, Revalued, organic_growth
from indexer.valuation.rollup import HOLDS_S, Bar

_HELP_SPAN = "a block, a date, or -90d."


@dataclass(frozen=True, slots=True)
class Told:
    """All that the verb shows."""

    name: str
    intervals: Mapping[int, Sum]
    whole: Sum
    protocols: Mapping[str, Sum]
    measured: Measured


@click.command("flows", cls=Verb)
@click.argument("protocol", required=False)
@click.option("--chain", metavar="NAME", help="Everything on a chain, or a protocol there.")
@click.option("--category", metavar="NAME", help="Everything of a category.")
@click.option(
    "--from", "start", type=MomentType(), metavar="WHEN", help=f"Begin at the last point before: {_HELP_SPAN}"
)
@click.option("--to", "end", type=MomentType(), metavar="WHEN", help=f"End at the last point before: {_HELP_SPAN}")
@click.option(
    "--every", type=CadenceType(), metavar="STEP", help="A row for each STEP: 1h, 1d, or blocks of one chain."
)
@click.option("--all", "everything", is_flag=True, help="Do not cut long tables.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.pass_obj
def flows(
    options: Options,
    *,
    protocol: str | None,
    chain: str | None,
    category: str | None,
    start: Moment | None,
    end: Moment | None,
    every: Cadence | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Show what flowed into and out of PROTOCOL, a chain, a category or everything, and what else changed its value.

    In and out are gross where the token's logs are stored, each flow at the price of its time. Elsewhere they are the
    difference of the amounts at both ends of each step, at the mid price; the last column says which. The measures
    below are of the whole span: --json has all of them.

    \b
      tvl flows aave-v3 --from -30d --every 1d
      tvl flows --category lending --from 2026-01-01 --to 2026-02-01 --json
    """
    refuse_backwards(start, end)
    told = asyncio.run(_told(options, (protocol, chain, category), (start, end or LATEST), every or WHOLE_SPAN))
    if as_json:
        exact.echo_json(_json(told))
    else:
        _echo(told, everything)


async def _told(
    options: Options,
    chosen: tuple[str | None, str | None, str | None],
    span: tuple[Moment | None, Moment],
    every: Cadence,
) -> Told:
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await chosen_of(store, *chosen)
        if every.blocks and len({row.chain for row in rows}) > 1:
            raise click.UsageError("These deployments are on several chains: give --every as a time (1h, 1d).")
        many = await explained(store, rows, *span, every)
        measured = await measure(store, many, every)
    _note_silent(rows, many, measured.end)
    intervals = {measured.start: whole(many)} if every is WHOLE_SPAN else by_interval(many)
    name = " ".join(part for part in chosen if part) or "everything"
    return Told(name, intervals, whole(many), _by_protocol(many), measured)


def _note_silent(rows: Sequence[DeploymentRow], many: Sequence[Explained], end: int) -> None:
    """What a reader of a sum must know: who is not in it, and who is in it with an old value."""
    told = {one.row.key: one for one in many}
    for row in rows:
        one = told.get(row.key)
        if one is None:
            click.echo(f"{row.key} has nothing stored then and is left out", err=True)
        elif end - one.closing.at.timestamp > HOLDS_S:
            click.echo(
                f"{row.key} has nothing newer than {iso(one.closing.at.timestamp)} and stays as it was", err=True
            )


def _by_protocol(many: Sequence[Explained]) -> dict[str, Sum]:
    """The whole span of each protocol, the largest first."""
    names = dict.fromkeys(one.row.protocol for one in many)
    sums = {name: whole([one for one in many if one.row.protocol == name]) for name in names}
    return dict(sorted(sums.items(), key=lambda item: -item[1].closing))


def _echo(told: Told, everything: bool) -> None:
    click.secho(told.name, bold=True)
    _echo_sums("from", {iso(start): one for start, one in told.intervals.items()}, told, everything)
    if len(told.protocols) > 1:
        click.echo()
        _echo_sums("protocol", told.protocols, told, everything)
    click.echo()
    _echo_measures(told)


def _echo_sums(lead: str, sums: Mapping[str, Sum], told: Told, everything: bool) -> None:
    """A row for each sum and one for all: the newest last, the largest first."""
    names = [name for name in part_names(one.parts for one in sums.values()) if name != "flow"]
    rows = [_row(name, one, names) for name, one in sums.items()]
    shown = rows if everything else rows[-FIRST_ROWS:] if lead == "from" else rows[:FIRST_ROWS]
    if len(shown) < len(rows):
        click.echo(f"… {len(rows) - len(shown)} more rows (--all)")
    if len(rows) > 1:
        shown = [*shown, _row("all", told.whole, names)]
    parts = [NAMES[name] for name in names]
    titles = numbers("opening", "in", "out", "net flow", "of opening", *parts, "closing")
    echo_table([*words(lead), *titles, *words("known from")], shown)


def _row(lead: str, one: Sum, names: Sequence[str]) -> list[str]:
    parts = one.parts
    gross = [usd(parts.gross_in), usd(parts.gross_out), signed(parts.flow), percent(organic_growth(parts, one.opening))]
    others = [signed(getattr(parts, name)) for name in names]
    return [lead, usd(one.opening), *gross, *others, usd(one.closing), ", ".join(sorted(one.bases))]


def _echo_measures(told: Told) -> None:
    measured = told.measured
    click.secho(f"Measures, {iso(measured.start)} to {iso(measured.end)}", bold=True)
    rows = [
        ["organic growth", percent(organic_growth(told.whole.parts, told.whole.opening))],
        ["time-weighted mean", usd(measured.mean)],
        ["at opening prices", _constant_text(measured.constant)],
        *([name, _moved_text(moved)] for name, moved in measured.moved.items()),
    ]
    if fall := measured.fall:
        rows.append(["below the peak", f"{percent(-fall.now)} of {usd(fall.peak)} at {iso(fall.peak_at)}"])
        rows.append(["deepest fall", percent(-fall.deepest)])
    echo_table(words("measure", ""), rows)


def _constant_text(constant: Revalued | None) -> str:
    if constant is None:
        return "- (not everything was stored at the beginning)"
    return usd(constant.usd) + (f" ({constant.left_out} holdings had no price then)" if constant.left_out else "")


def _moved_text(moved: Movement | None) -> str:
    return f"{signed(moved.usd)}  {percent(moved.relative)}" if moved else "- (the series does not reach back)"


def _json(told: Told) -> exact.Json:
    return {
        "name": told.name,
        "intervals": [
            {"start": start, "time": iso(start)} | sum_json(one) | _bar_json(told.measured.bars.get(start))
            for start, one in told.intervals.items()
        ],
        "whole": sum_json(told.whole),
        "protocols": [{"protocol": name} | sum_json(one) for name, one in told.protocols.items()],
        "measures": _measures_json(told.measured),
    }


def _bar_json(bar: Bar | None) -> exact.Json:
    return {"bar": bar_json(bar)} if bar else {}


def _measures_json(measured: Measured) -> exact.Json:
    constant, fall = measured.constant, measured.fall
    return {
        "from": measured.start,
        "to": measured.end,
        "time_weighted_mean": exact.usd(measured.mean),
        "at_opening_prices": constant and {"usd": exact.usd(constant.usd), "left_out": constant.left_out},
        "changes": {
            name: moved and {"usd": exact.usd(moved.usd), "relative": ratio_json(moved.relative)}
            for name, moved in measured.moved.items()
        },
        "drawdown": fall
        and {
            "peak": exact.usd(fall.peak),
            "peak_time": iso(fall.peak_at),
            "now": ratio_json(fall.now),
            "deepest": ratio_json(fall.deepest),
        },
    }
