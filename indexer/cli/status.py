"""`tvl status`: how far each chain and each deployment has come, and what is wrong with it.

Reads the store alone; ages are against the clock of this machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from indexer.cli import exact
from indexer.cli.lastgood import LastGood, of_snapshot
from indexer.cli.options import Options, Verb
from indexer.cli.table import echo_table, numbers, status_cell, words
from indexer.cli.text import duration, short, total_usd
from indexer.config.types import checksum
from indexer.model import Address, BlockRef, Bucket, Quote, Snapshot, Status
from indexer.store.base import ChainState, DeploymentRow, Point, Store

if TYPE_CHECKING:
    from indexer.config.schema import Settings
    from indexer.pricing.guards import Finding


@dataclass(frozen=True, slots=True)
class HeldPrice:
    """A price that the last snapshot holds back, and what it was when it last was good."""

    quote: Quote
    symbol: str
    at: BlockRef
    last: LastGood | None


@dataclass(frozen=True, slots=True)
class ThinPrice:
    """A token of which a chain's deployments together hold too much for the pool that prices it."""

    chain: str
    token: Address
    symbol: str
    deployments: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a deployment stands: its last point, its snapshots counted by status, and its held prices."""

    deployment: DeploymentRow
    last: Point | None
    counts: Counter[Status]
    held: Sequence[HeldPrice] = ()
    newest: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The store's state at one moment of the clock."""

    now: int
    chains: list[ChainState]
    standings: list[Standing]
    thin: list[ThinPrice]


@click.command("status", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@click.pass_obj
def status(options: Options, as_json: bool) -> None:
    """Show the last block of each chain and how old it is, and each deployment's last snapshot.

    Lag is the age of the last block by this machine's clock. Gaps are blocks of which nothing could be read (a backfill
    tries them again); held are those of which a part could not be had. Requests and calls are what the last block's
    snapshots cost, and the requests by method those since the daemon's start. Folded calls are answered from logs,
    triggered ones read again after a log, timed ones read whenever they are asked. Audited snapshots were read once
    more when their block was final; corrected ones did not say the same and were replaced.
    """
    report = asyncio.run(_report(options))
    if as_json:
        exact.echo_json(_json(report))
        return
    if not report.standings:
        click.echo("Nothing is stored yet: `tvl run` follows the chains, `tvl backfill` fills in the past.")
        return
    _echo_chains(report)
    _echo_traffic(report)
    _echo_ways(report)
    click.echo()
    _echo_standings(report)
    _echo_held_prices(report)
    _echo_thin_prices(report)


async def _report(options: Options) -> Report:
    options.log("error")
    settings = options.settings()
    async with options.store(settings) as store:
        rows = await store.deployments()
        names = dict.fromkeys([*settings.chains, *(row.chain for row in rows)])
        chains = [await store.chain_state(name) for name in names]
        standings = [await _standing(store, row) for row in rows]
    return Report(int(time.time()), chains, standings, _thin_prices(settings, standings))


def _thin_prices(settings: Settings, standings: Sequence[Standing]) -> list[ThinPrice]:
    from indexer.cli.backing import heaps
    from indexer.pricing.guards import GuardSettings

    guards = GuardSettings.parse(settings.guards)
    by_chain: dict[str, list[Snapshot]] = {}
    for one in standings:
        by_chain.setdefault(one.deployment.chain, []).extend([one.newest] if one.newest else [])
    return [
        ThinPrice(chain, token, heap.symbol, heap.deployments, finding)
        for chain, newest in by_chain.items()
        for token, heap in heaps(newest).items()
        if (finding := heap.finding(guards))
    ]


async def _standing(store: Store, row: DeploymentRow) -> Standing:
    newest = await store.snapshot(row.key)
    if newest is None:
        return Standing(row, None, Counter())
    number = newest.at.number
    (last,) = await store.series(row.key, number, number)
    present = await store.present(row.key, 0, number)
    counts = Counter(status for _, status in present.values())
    return Standing(row, last, counts, await _held_prices(store, row.chain, newest), newest)


async def _held_prices(store: Store, chain: str, one: Snapshot) -> list[HeldPrice]:
    last = await of_snapshot(store, chain, one)
    return [
        HeldPrice(quote, one.tokens[token].symbol, one.at, last.get(token))
        for token, quote in one.quotes.items()
        if quote.price is None
    ]


def _echo_chains(report: Report) -> None:
    rows = []
    for chain in report.chains:
        head = chain.head
        rows.append(
            [
                chain.chain,
                str(head.number) if head else "-",
                duration(report.now - head.timestamp) if head else "-",
                str(chain.finalized.number) if chain.finalized else "-",
                *("-" if number is None else str(number) for number in (chain.requests, chain.calls)),
                str(chain.audited),
                str(chain.corrected),
            ]
        )
    named = numbers("head", "lag", "final", "requests", "calls", "audited", "corrected")
    echo_table([*words("chain"), *named], rows)


def _echo_traffic(report: Report) -> None:
    """What the daemon asked for since its start, most frequent first."""
    for chain in report.chains:
        methods = sorted(chain.traffic.items(), key=lambda item: (-item[1], item[0]))
        if methods:
            click.echo(f"{chain.chain} was asked for " + ", ".join(f"{name} {count}x" for name, count in methods))


def _echo_ways(report: Report) -> None:
    """How what was asked at the last block is answered at the next one."""
    for chain in report.chains:
        ways = ", ".join(f"{count} {way}" for way, count in sorted(chain.ways.items()))
        if ways:
            click.echo(f"Of the calls on {chain.chain}: {ways}")


def _echo_standings(report: Report) -> None:
    rows = []
    for one in report.standings:
        last = one.last
        rows.append(
            [
                one.deployment.key,
                str(last.at.number) if last else "-",
                duration(report.now - last.at.timestamp) if last else "-",
                total_usd(last.totals.get(Bucket.BASE)) if last and last.status is not Status.GAP else "?",
                status_cell(last.status) if last else "-",
                str(last.state) if last else "-",
                *(str(number) for number in (one.counts.total(), one.counts[Status.GAP], one.counts[Status.HELD])),
                last.reason if last else "nothing stored yet",
            ]
        )
    named = [*words("deployment"), *numbers("block", "age", "tvl"), *words("status", "state")]
    echo_table([*named, *numbers("snapshots", "gaps", "held"), *words("reason")], rows)


def _echo_held_prices(report: Report) -> None:
    """Each token once a chain, though many deployments hold it."""
    held = {(one.deployment.chain, price.quote.token): price for one in report.standings for price in one.held}
    if held:
        click.echo()
        click.secho("Held prices", bold=True)
        rows = [
            [chain, price.symbol or short(token), price.last.text(price.at) if price.last else "-", price.quote.reason]
            for (chain, token), price in held.items()
        ]
        echo_table(words("chain", "token", "last good", "reason"), rows)


def _echo_thin_prices(report: Report) -> None:
    if report.thin:
        click.echo()
        click.secho("Held at prices with too little behind them", bold=True)
        rows = [
            [one.chain, one.symbol or short(one.token), str(one.deployments), one.finding.reason] for one in report.thin
        ]
        echo_table([*words("chain", "token"), *numbers("deployments"), *words("")], rows)


def _json(report: Report) -> exact.Json:
    return {
        "now": report.now,
        "chains": [
            {
                "chain": chain.chain,
                "head": chain.head and exact.block(chain.head),
                "lag_s": report.now - chain.head.timestamp if chain.head else None,
                "finalized": chain.finalized and exact.block(chain.finalized),
                "requests": chain.requests,
                "calls": chain.calls,
                "traffic": dict(chain.traffic),
                "ways": dict(chain.ways),
                "audited": chain.audited,
                "corrected": chain.corrected,
            }
            for chain in report.chains
        ],
        "thin_prices": [
            {
                "chain": one.chain,
                "token": checksum(one.token),
                "symbol": one.symbol,
                "deployments": one.deployments,
                "reason": one.finding.reason,
                "beyond_hold": one.finding.hold,
            }
            for one in report.thin
        ],
        "deployments": [_standing_json(one, report.now) for one in report.standings],
    }


def _standing_json(one: Standing, now: int) -> exact.Json:
    last = one.last
    return {
        "deployment": one.deployment.key,
        "protocol": one.deployment.protocol,
        "chain": one.deployment.chain,
        "kind": one.deployment.kind,
        "block": last and exact.block(last.at),
        "age_s": now - last.at.timestamp if last else None,
        "status": last and str(last.status),
        "reason": last.reason if last else "nothing stored yet",
        "state": last and str(last.state),
        "totals": exact.totals(last.totals) if last else {},
        "snapshots": one.counts.total(),
        "gaps": one.counts[Status.GAP],
        "held": one.counts[Status.HELD],
        "held_prices": [
            exact.quote(price.quote, price.symbol, price.at)
            | {"last_good": price.last.json(price.at) if price.last else None}
            for price in one.held
        ],
    }
