"""`tvl share`: each protocol's part of a category, a chain or everything, what of it flows made, and concentration.

Reads the store alone: no endpoint is asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain as chained
from typing import Any

import click

from indexer.cli import exact
from indexer.cli.options import Options, Verb
from indexer.cli.stored import chosen_of, explained, last_at, newest_of, refuse_blocks
from indexer.cli.table import FIRST_ROWS, echo_table, numbers, words
from indexer.cli.text import iso, usd
from indexer.cli.when import Moment, MomentType, refuse_backwards
from indexer.cli.why import percent, ratio_json
from indexer.config.types import parse_address
from indexer.errors import UnknownName
from indexer.model import Address, Bucket, Line, Snapshot
from indexer.run.changes import whole
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.measures import concentration, flow_adjusted_shares, share_of, shares
from indexer.valuation.rollup import HOLDS_S

_OWN = (Bucket.STAKING, Bucket.VESTING, Bucket.OWN)


class AddressType(click.ParamType[Address]):
    """A token's address on the command line."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse, or fail as a wrong option does."""
        try:
            return parse_address(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class Standing:
    """A protocol among others. `since` is its share at the beginning, `by_flows` what flows alone made of that."""

    protocol: str
    usd: int
    share: Fraction | None
    since: Fraction | None
    by_flows: Fraction | None
    own: Fraction | None
    receipts: Fraction | None
    stable: Fraction | None
    tokens: Fraction | None


@dataclass(frozen=True, slots=True)
class Field:
    """All protocols, the largest first, and the deployments that have no recent enough value."""

    name: str
    at: int
    standings: Sequence[Standing]
    total: int
    hhi: Fraction
    silent: Sequence[str]


@click.command("share", cls=Verb)
@click.option("--chain", metavar="NAME", help="Among what is on a chain.")
@click.option("--category", metavar="NAME", help="Among what is of a category.")
@click.option("--at", type=MomentType(), metavar="WHEN", default="latest", help="A block, a date, or -90d.")
@click.option("--from", "start", type=MomentType(), metavar="WHEN", help="Also the shares since then, by flows alone.")
@click.option("--token", "tokens", type=AddressType(), multiple=True, metavar="ADDRESS", help="A token of a group.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long tables.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.pass_obj
def share(
    options: Options,
    *,
    chain: str | None,
    category: str | None,
    at: Moment,
    start: Moment | None,
    tokens: tuple[Address, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Show each protocol's share of the base value of a category, a chain, or everything in the store.

    `by flows` is what the flows since --from alone would have made of the share there was: prices left out. `own` is
    the part in tokens that the protocol also stakes or owns as its own, `receipts` the part in receipts of what is
    stored, `stable` that in stablecoins (tokens that are `pegged` in the catalog or the configuration), and `tokens`
    that in the --token group, each by its address. HHI is the sum of the squared shares: 1 is one protocol alone.

    \b
      tvl share --category lending
      tvl share --chain ethereum --at 2026-02-01 --from 2026-01-01
    """
    refuse_backwards(start, at)
    field = asyncio.run(_field(options, (chain, category), (start, at), frozenset(tokens)))
    if as_json:
        exact.echo_json(_json(field))
    else:
        _echo(field, start is not None, bool(tokens), everything)


async def _field(
    options: Options,
    chosen: tuple[str | None, str | None],
    span: tuple[Moment | None, Moment],
    tokens: frozenset[Address],
) -> Field:
    options.log("error")
    (start, at), settings = span, options.settings()
    async with options.store(settings) as store:
        rows = await chosen_of(store, None, *chosen)
        stable = frozenset(token for chain in {row.chain for row in rows} for token in settings.stablecoins(chain))
        refuse_blocks(rows, start, at)
        newest = await newest_of(store, rows) or 0
        found = {row.key: await _snapshot(store, row, at, newest) for row in rows}
        there = [row for row in rows if found[row.key]]
        if not there:
            raise UnknownName(f"nothing is stored of {at.text}", hint="`tvl status` tells what is stored.")
        openings, flowed = await _flows(store, there, start, at) if start and there else ({}, {})
    snapshots: dict[str, list[Snapshot]] = defaultdict(list)
    for row in there:
        snapshots[row.protocol] += [one for one in [found[row.key]] if one]
    return Field(
        name=" ".join(part for part in chosen if part) or "everything",
        at=max((one.at.timestamp for one in chained(*snapshots.values())), default=0),
        standings=_standings(snapshots, openings, flowed, stable, tokens),
        total=sum(map(_worth, snapshots.values())),
        hhi=concentration(shares({name: _worth(some) for name, some in snapshots.items()}).values()),
        silent=[row.key for row in rows if not found[row.key]],
    )


async def _snapshot(store: Store, row: DeploymentRow, at: Moment, newest: int) -> Snapshot | None:
    """What was last stored at or before a moment; None where that is too old to speak."""
    block = await last_at(store, row.key, at, newest)
    asked = at.time(newest)
    if block is None or (asked is not None and asked - block.timestamp > HOLDS_S):
        return None
    return await store.snapshot(row.key, block.number)


async def _flows(
    store: Store, rows: Sequence[DeploymentRow], start: Moment, at: Moment
) -> tuple[dict[str, int], dict[str, int]]:
    """What each protocol opened with, and its net flow since; nothing where not all of them were stored then."""
    openings: dict[str, int] = defaultdict(int)
    flowed: dict[str, int] = defaultdict(int)
    for one in await explained(store, rows, start, at):
        if one.opening is None:
            click.echo(f"{one.row.key} was not stored at {start.text}: there are no shares since then", err=True)
            return {}, {}
        made = whole([one])
        openings[one.row.protocol] += made.opening
        flowed[one.row.protocol] += made.parts.flow
    return openings, flowed


def _standings(
    snapshots: Mapping[str, Sequence[Snapshot]],
    openings: Mapping[str, int],
    flowed: Mapping[str, int],
    stable: frozenset[Address],
    tokens: frozenset[Address],
) -> list[Standing]:
    now = shares({name: _worth(some) for name, some in snapshots.items()})
    since, by_flows = shares(openings), flow_adjusted_shares(openings, flowed)
    receipts = {line.holding.receipt for line in _lines(chained(*snapshots.values())) if line.holding.receipt}
    standings = [
        Standing(
            protocol=name,
            usd=_worth(some),
            share=now.get(name),
            since=since.get(name),
            by_flows=by_flows.get(name),
            own=share_of(_lines(some), _own(some)),
            receipts=share_of(_lines(some), receipts),
            stable=share_of(_lines(some), stable),
            tokens=share_of(_lines(some), tokens) if tokens else None,
        )
        for name, some in snapshots.items()
    ]
    return sorted(standings, key=lambda one: (-one.usd, one.protocol))


def _own(snapshots: Iterable[Snapshot]) -> set[Address]:
    """Tokens that the protocol stakes, vests or owns as its own."""
    return {line.holding.token for line in _lines(snapshots) if line.holding.bucket in _OWN}


def _lines(snapshots: Iterable[Snapshot]) -> list[Line]:
    return [line for one in snapshots for line in one.lines]


def _worth(snapshots: Iterable[Snapshot]) -> int:
    totals = [one.totals.get(Bucket.BASE) for one in snapshots]
    return sum(total.usd for total in totals if total)


def _echo(field: Field, has_start: bool, has_tokens: bool, everything: bool) -> None:
    click.secho(f"{field.name}  {iso(field.at)}", bold=True)
    shown = field.standings if everything else field.standings[:FIRST_ROWS]
    since, tokens = (["at --from", "by flows"] if has_start else []), (["tokens"] if has_tokens else [])
    rows = [_row(one, has_start, has_tokens) for one in shown]
    echo_table([*words("protocol"), *numbers("value", "share", *since, "own", "receipts", "stable", *tokens)], rows)
    if len(shown) < len(field.standings):
        click.echo(f"… and {len(field.standings) - len(shown)} more (--all)")
    click.echo()
    click.echo(f"total {usd(field.total)}, HHI {_hhi(field.hhi)}")
    for key in field.silent:
        click.echo(f"{key} has no value then and is left out", err=True)


def _row(one: Standing, has_start: bool, has_tokens: bool) -> list[str]:
    since = [_part(one.since), _part(one.by_flows)] if has_start else []
    tokens = [_part(one.tokens)] if has_tokens else []
    kept = [_part(part) for part in (one.own, one.receipts, one.stable)]
    return [one.protocol, usd(one.usd), _part(one.share), *since, *kept, *tokens]


def _part(part: Fraction | None) -> str:
    return percent(part).lstrip("+")


def _hhi(hhi: Fraction) -> str:
    thousandths = round(hhi * 10_000)
    return f"{thousandths // 10_000}.{thousandths % 10_000:04d}"


def _json(field: Field) -> exact.Json:
    return {
        "name": field.name,
        "at": field.at,
        "time": iso(field.at),
        "total": exact.usd(field.total),
        "hhi": ratio_json(field.hhi),
        "left_out": list(field.silent),
        "protocols": [
            {"protocol": one.protocol, "usd": exact.usd(one.usd)}
            | {name: ratio_json(getattr(one, name)) for name in _RATIOS}
            for one in field.standings
        ],
    }


_RATIOS = ("share", "since", "by_flows", "own", "receipts", "stable", "tokens")
