"""`tvl backfill`: what the command line asks for -> one job a chain, its progress and a summary."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from indexer.cli.failing import INTERRUPTED, Told
from indexer.cli.options import Options, Verb
from indexer.cli.progress import Meter, meter
from indexer.cli.table import echo_table, numbers, words
from indexer.cli.text import duration, iso
from indexer.cli.when import LATEST, CadenceType, Moment, MomentType, refuse_backwards, span_of
from indexer.config.types import Cadence
from indexer.model import Status

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from indexer.run.backfill import Job
    from indexer.run.costs import Effort
    from indexer.run.estimate import Estimate
    from indexer.run.known import Taken
    from indexer.run.live import LiveChain
    from indexer.run.program import Deployment, Program
    from indexer.store.base import Store

DAILY = Cadence(seconds=86_400)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be filled in."""

    names: tuple[str, ...]
    start: Moment
    end: Moment
    every: Cadence
    workers: int


@dataclass(slots=True)
class Summary:
    """What was done: points read and found there already, snapshots by status, requests sent."""

    read: int = 0
    there: int = 0
    requests: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)

    def add(self, taken: Taken | None) -> None:
        """Count a point; None is one that needed no reading."""
        if taken is None:
            self.there += 1
            return
        self.read += 1
        self.statuses.update(snapshot.status for snapshot in taken.snapshots)


@click.command("backfill", cls=Verb)
@click.argument("protocols", nargs=-1)
@click.option("--from", "start", type=MomentType(), required=True, metavar="WHEN", help="A block, a date, or -90d.")
@click.option("--to", "end", type=MomentType(), default=LATEST, metavar="WHEN", help="Default: the last final block.")
@click.option("--every", type=CadenceType(), default=DAILY, metavar="STEP", help="Blocks, or 1h, 1d. Default: 1d.")
@click.option("--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Blocks read at a time.")
@click.option(
    "--dry",
    is_flag=True,
    help="Read a few points and one range of logs, tell what all would cost, and store no snapshot.",
)
@click.pass_obj
def backfill(
    options: Options,
    *,
    protocols: tuple[str, ...],
    start: Moment,
    end: Moment,
    every: Cadence,
    workers: int,
    dry: bool,
) -> None:
    """Fill past blocks with snapshots of PROTOCOLS (default: all that are configured).

    Reads the last point first, then the whole span coarsely, then finer and finer, so that a chart is useful early.
    What is stored already is skipped: stop it whenever you like, and run the same command to go on. It may run beside
    `tvl run` on the same store. It needs endpoints that keep the state of old blocks (archive).

    \b
      tvl backfill --from -90d --every 1d --dry
      tvl backfill aave-v3 --from 2026-01-01 --to 2026-02-01 --every 1h
      tvl backfill uniswap-v2@ethereum --from 19000000 --to 19100000 --every 100
    """
    refuse_backwards(start, end)
    asked = Asked(protocols, start, end, every, workers)
    if dry:
        _echo_estimates(asyncio.run(_estimates(options, asked)), workers)
        return
    try:
        _echo_summary(asyncio.run(_fill(options, asked)))
    except KeyboardInterrupt:
        hint = "What was read is stored: run the same command again to go on."
        raise Told("interrupted", INTERRUPTED, hint) from None


async def _estimates(options: Options, asked: Asked) -> list[tuple[Job, Estimate]]:
    from indexer.run.estimate import estimate

    async with _opened(options, asked) as (jobs, store, _):
        return [(job, await estimate(job, store)) for job in jobs]


async def _fill(options: Options, asked: Asked) -> Summary:
    summary = Summary()
    async with _opened(options, asked) as (jobs, store, log):
        with meter(options.log()) as bars:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(_fill_chain(job, store, log, workers=asked.workers, bars=bars, summary=summary))
    return summary


async def _fill_chain(
    job: Job, store: Store, log: FilteringBoundLogger, *, workers: int, bars: Meter, summary: Summary
) -> None:
    from indexer.run.backfill import backfill as fill

    name = job.live.program.name
    bars.begin(name, len(job.grid))
    async for taken in fill(job, store, log, workers):
        summary.add(taken)
        bars.step(name)
    summary.requests += job.live.pool.stats.http


@asynccontextmanager
async def _opened(options: Options, asked: Asked) -> AsyncIterator[tuple[list[Job], Store, FilteringBoundLogger]]:
    """The store and one job a chain, with its endpoints open. Only trouble is logged: the bars tell the rest."""
    from indexer.run.live import open_chain

    program = options.program()
    log = options.log("warning")
    chosen = _by_chain(program, asked.names)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(options.store(program.settings))
        lives = {
            chain: await stack.enter_async_context(open_chain(program.chains[chain], log.bind(chain=chain)))
            for chain in chosen
        }
        yield [await _job(lives[chain], deployments, asked) for chain, deployments in chosen.items()], store, log


async def _job(live: LiveChain, deployments: tuple[Deployment, ...], asked: Asked) -> Job:
    from indexer.run.backfill import Job

    first_block = min(deployment.first_block for deployment in deployments)
    return Job(live, deployments, await span_of(live, asked.start, asked.end, first_block), asked.every)


def _by_chain(program: Program, names: tuple[str, ...]) -> Mapping[str, tuple[Deployment, ...]]:
    chosen = program.select(names)
    if not chosen:
        raise click.UsageError("The configuration has no [[protocols]] yet.")
    chains = dict.fromkeys(deployment.chain for deployment in chosen)
    return {chain: tuple(d for d in chosen if d.chain == chain) for chain in chains}


def _echo_estimates(estimates: list[tuple[Job, Estimate]], workers: int) -> None:
    columns = [
        *words("chain", "from", "to"),
        *numbers("points", "calls", "requests", "time", "calls a point", "by logs", "time"),
        *words("way"),
    ]
    rows = [
        [
            job.live.program.name,
            f"{job.span.first.number} {iso(job.span.first.timestamp)}",
            f"{job.span.last.number} {iso(job.span.last.timestamp)}",
            str(cost.points),
            str(cost.points * cost.calls),
            str(cost.by_reads.requests),
            _about(cost.by_reads, workers),
            str(cost.calls),
            "-" if cost.by_logs is None else str(cost.by_logs.requests),
            "-" if cost.by_logs is None else _about(cost.by_logs, workers),
            cost.mode,
        ]
        for job, cost in estimates
    ]
    echo_table(columns, rows)
    click.echo(
        "Nothing was stored. Points that share a block, or are there already, cost less than told. "
        f"The time is that of {workers} workers on endpoints as quick as now, without writing to the store.",
        err=True,
    )


def _about(effort: Effort, workers: int) -> str:
    """How long it takes, in whole seconds and not less than one."""
    return duration(max(1, round(effort.seconds(workers))))


def _echo_summary(summary: Summary) -> None:
    snapshots = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items())) or "none"
    click.echo(f"{summary.read} points read, {summary.there} needed no reading, {summary.requests} requests.")
    click.echo(f"Snapshots: {snapshots}. See them by `tvl show PROTOCOL`.")
