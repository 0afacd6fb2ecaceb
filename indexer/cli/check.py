"""`tvl check`: is everything there that the program needs; or one protocol, read now and told whole.

Writes no snapshot. The contributor's loop: change five lines of TOML, look, change again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from indexer.cli import exact, page
from indexer.cli.finding import echo_findings, echo_findings_json, worst
from indexer.cli.options import Options, Verb
from indexer.cli.when import LATEST, Moment, MomentType, head_or_before
from indexer.model import BlockRef, Snapshot, Status

if TYPE_CHECKING:
    from indexer.run.program import ChainProgram, Deployment

_GOOD = (Status.OK, Status.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Looked:
    """The deployments of one chain at a block, and what it cost to read them.

    `ways` counts what was asked by how it is answered when the chain is followed: folded, triggered, or timed.
    """

    at: BlockRef
    snapshots: tuple[Snapshot, ...]
    calls: int
    requests: int
    ms: int
    ways: Mapping[str, int]


@click.command("check", cls=Verb)
@click.argument("protocols", nargs=-1)
@click.option("--at", type=MomentType(), default=LATEST, metavar="WHEN", help="A block, a date, -1d. Default: latest.")
@click.option("--explain", is_flag=True, help="Every amount, price and on-chain answer.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long lists.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.pass_context
def check(
    ctx: click.Context, *, protocols: tuple[str, ...], at: Moment, explain: bool, everything: bool, as_json: bool
) -> None:
    """Test the set-up; or read PROTOCOLS once, now or --at some moment, and show what would be stored.

    Without a protocol: the configuration, every endpoint (chain, age of the head, archive, finality, Multicall3), the
    price of every configured token, and the store. With protocols: holdings, prices with their source and age, totals,
    what is left out and why, and what it cost to read. No snapshot is stored. The exit code is 1 if anything is wrong.

    \b
      tvl check
      tvl check aave-v3
      tvl check uniswap-v2@ethereum --at 2026-01-01 --explain
    """
    options = ctx.ensure_object(Options)
    if protocols:
        good = _check_protocols(options, protocols, at, (explain, everything, as_json))
    else:
        good = _check_setup(options, as_json)
    if not good:
        ctx.exit(1)


def _check_protocols(options: Options, protocols: tuple[str, ...], at: Moment, form: tuple[bool, bool, bool]) -> bool:
    explain, everything, as_json = form
    looked = asyncio.run(_look(options, protocols, at))
    if as_json:
        exact.echo_json([_json(one) for one in looked])
    else:
        for one in looked:
            _echo(one, explain, everything)
    return all(snapshot.status in _GOOD for one in looked for snapshot in one.snapshots)


def _check_setup(options: Options, as_json: bool) -> bool:
    from indexer.cli.setup import findings_of_setup

    findings = asyncio.run(findings_of_setup(options))
    if as_json:
        echo_findings_json(findings)
    else:
        echo_findings(findings)
    return not worst(findings)


async def _look(options: Options, protocols: tuple[str, ...], at: Moment) -> list[Looked]:
    """Each chain's part of the protocols. Raises UnknownName before anything is asked."""
    program = options.program()
    chosen = program.select(protocols)
    return [
        await _look_at_chain(options, program.chains[name], [d for d in chosen if d.chain == name], at)
        for name in dict.fromkeys(deployment.chain for deployment in chosen)
    ]


async def _look_at_chain(options: Options, chain: ChainProgram, due: list[Deployment], at: Moment) -> Looked:
    from indexer.run.known import Known
    from indexer.run.live import open_chain
    from indexer.run.snapshot import take

    started = time.perf_counter()
    async with open_chain(chain, options.log("warning")) as live:
        ledger = live.ledger()
        source = ledger or live.reader
        taken = await take(chain, source, await head_or_before(at, live), due, Known(), clock=live.clock)
    ms = round((time.perf_counter() - started) * 1000)
    ways = {str(way): count for way, count in sorted(ledger.prospects().items())} if ledger else {}
    return Looked(taken.at, taken.snapshots, taken.calls, taken.requests, ms, ways)


def _echo(looked: Looked, explain: bool, everything: bool) -> None:
    for snapshot in looked.snapshots:
        page.echo_snapshot(snapshot, everything=everything)
        if explain:
            click.echo()
            page.echo_factors(snapshot)
        click.echo()
    click.echo(f"{looked.calls} calls in {looked.requests} requests, {looked.ms} ms. Nothing was stored.")
    if looked.ways:
        ways = ", ".join(f"{count} {way}" for way, count in looked.ways.items())
        click.echo(f"When followed, of what is asked: {ways}.")


def _json(looked: Looked) -> exact.Json:
    return {
        "block": exact.block(looked.at),
        "snapshots": [exact.snapshot(snapshot) for snapshot in looked.snapshots],
        "cost": {"calls": looked.calls, "requests": looked.requests, "ms": looked.ms, "ways": dict(looked.ways)},
    }
