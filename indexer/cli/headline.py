"""Verdicts as people read them, and as JSON: the headline, what it leaves out and why, and each finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from indexer.cli import exact
from indexer.cli.options import Options
from indexer.cli.stored import deployments_of
from indexer.cli.table import FIRST_ROWS, Cell, Styled, echo_foreign, echo_table, numbers, status_cell, words
from indexer.cli.text import usd
from indexer.config.types import checksum
from indexer.model import Snapshot, Status
from indexer.run.books import Shelf, shelf
from indexer.run.evidence import Judged, judged
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.quality import worst
from indexer.valuation.rollup import median
from indexer.valuation.rollup import together as summed
from indexer.valuation.rules import NAMES
from indexer.valuation.verdicts import Finding, QualitySettings, Verdict

QUICK_LINES, QUICK_BOOKS = 5_000, 100
"""Snapshots of more holdings, and in stores of more deployments, are judged by `tvl quality` alone."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A snapshot with its verdict."""

    row: DeploymentRow
    snapshot: Snapshot
    judged: Judged

    @property
    def verdict(self) -> Verdict:
        """What is thought of it."""
        return self.judged.verdict


def quality_settings(options: Options) -> QualitySettings:
    """The thresholds as configured. Raises ConfigError."""
    return QualitySettings.parse(options.settings().quality, NAMES)


async def judge_stored(
    store: Store,
    row: DeploymentRow,
    snapshot: Snapshot,
    settings: QualitySettings,
    books: Shelf | None = None,
) -> Judgement:
    """Judge a stored snapshot beside everybody's books: those given, or those of its time."""
    beside = books or await shelf(store, snapshot.at.timestamp, chain=row.chain)
    return Judgement(row, snapshot, await judged(store, row, snapshot, beside, settings))


def together(judgements: Sequence[Judgement], settings: QualitySettings) -> tuple[int, int | None, Status]:
    """Headline, median and worst status of a protocol's deployments."""
    at = max(one.snapshot.at.timestamp for one in judgements)
    day = median(summed({one.row.key: one.judged.base for one in judgements}), at, settings.median_s)
    return sum(one.verdict.headline.usd for one in judgements), day, worst(one.verdict.status for one in judgements)


def echo_headline(one: Judgement) -> None:
    """`headline $x, median of a day $y`, and below it what was left out of it and why."""
    head = one.verdict.headline
    status = status_cell(one.verdict.status)
    click.secho("Headline", bold=True)
    click.echo(f"{usd(head.usd)}  {click.style(status.text, fg=status.color)}  median of 24 h {usd(head.median_usd)}")
    for part in head.left_out[:FIRST_ROWS]:
        echo_foreign(f"without {usd(part.usd)} of {part.symbol or checksum(part.token)}: {part.reason}", "  ")
    if len(head.left_out) > FIRST_ROWS:
        click.echo(f"  … and {len(head.left_out) - FIRST_ROWS} more")


async def latest(options: Options, protocol: str) -> list[Judgement]:
    """The newest snapshot of each deployment, judged; not where that would take long."""
    settings = quality_settings(options)
    async with options.store(options.settings()) as store:
        if len(await store.deployments()) > QUICK_BOOKS:
            return []
        newest = [(row, await store.snapshot(row.key)) for row in await deployments_of(store, protocol)]
        books = await shelf(store)
        return [
            await judge_stored(store, row, one, settings, books)
            for row, one in newest
            if one is not None and len(one.lines) <= QUICK_LINES
        ]


def echo_latest(found: Sequence[Judgement]) -> None:
    """A line a deployment: the headline now, and what it leaves out."""
    for one in found:
        head, at = one.verdict.headline, one.verdict.at
        said = f"headline of {one.row.key} at block {at.number}: {usd(head.usd)}, median of 24 h {usd(head.median_usd)}"
        echo_foreign(said + _without(one))


def _without(one: Judgement) -> str:
    """What the headline leaves out, and the reason of the largest part."""
    parts = one.verdict.headline.left_out
    if not parts:
        return ""
    value = sum(part.usd or 0 for part in parts)
    blank = sum(part.usd is None for part in parts)
    told = [f"without {usd(value)}"] if value else []
    told += [f"{blank} without a value"] if blank else []
    return f", {', '.join(told)}: {one.verdict.reason or parts[0].reason}"


def echo_findings(one: Judgement, everything: bool) -> None:
    """A line for each finding."""
    rows: list[list[Cell]] = [
        [
            status_cell(finding.status) if finding.status is not Status.OK else Styled("note", "cyan"),
            finding.rule,
            _symbol(one, finding),
            usd(finding.usd) if finding.usd else "-",
            finding.reason,
        ]
        for finding in (one.verdict.findings if everything else one.verdict.findings[:FIRST_ROWS])
    ]
    if rows:
        echo_table([*words("verdict", "rule", "token"), *numbers("in question"), *words("why")], rows)
    if not everything and len(one.verdict.findings) > FIRST_ROWS:
        click.echo(f"… and {len(one.verdict.findings) - FIRST_ROWS} more (--all)")


def verdict_json(one: Judgement) -> exact.Json:
    """A verdict with every finding."""
    verdict = one.verdict
    return {
        "deployment": verdict.deployment,
        "block": exact.block(verdict.at),
        "status": str(verdict.status),
        "reason": verdict.reason,
        "headline": {
            "usd": exact.usd(verdict.headline.usd),
            "median_24h_usd": exact.usd(verdict.headline.median_usd),
            "left_out": [
                {"token": checksum(p.token), "symbol": p.symbol, "usd": exact.usd(p.usd), "reason": p.reason}
                for p in verdict.headline.left_out
            ],
        },
        "tokens": {checksum(token): str(status) for token, status in verdict.tokens.items()},
        "findings": [_finding_json(one, finding) for finding in verdict.findings],
    }


def _finding_json(one: Judgement, finding: Finding) -> exact.Json:
    return {
        "rule": finding.rule,
        "status": str(finding.status),
        "token": finding.token and checksum(finding.token),
        "symbol": _symbol(one, finding),
        "usd": exact.usd(finding.usd),
        "left_out_of_headline": finding.status is Status.SUSPECT and finding.excludes,
        "reason": finding.reason,
    }


def _symbol(one: Judgement, finding: Finding) -> str:
    if finding.token is None:
        return ""
    token = one.snapshot.tokens.get(finding.token)
    return (token.symbol if token else "") or checksum(finding.token)
