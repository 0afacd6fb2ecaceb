"""What a check finds: fine, worth knowing, or wrong with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import click

from indexer.cli import exact
from indexer.errors import IndexerError, clean

_COLORS = {"ok": "green", "note": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report."""

    level: Literal["ok", "note", "problem"]
    what: str
    text: str
    hint: str = ""


def fine(what: str, text: str) -> Finding:
    """It works."""
    return Finding("ok", what, text)


def note(what: str, text: str, hint: str = "") -> Finding:
    """It works, but not for everything."""
    return Finding("note", what, text, hint)


def problem(what: str, text: str, hint: str = "") -> Finding:
    """It does not work."""
    return Finding("problem", what, text, hint)


def failed(what: str, error: IndexerError) -> Finding:
    """It raised."""
    return problem(what, str(error), error.next_step)


def worst(findings: Iterable[Finding]) -> bool:
    """Whether any is a problem."""
    return any(finding.level == "problem" for finding in findings)


def echo_findings(findings: Sequence[Finding]) -> None:
    """A line each on stdout, the hint below."""
    for finding in findings:
        label = click.style(finding.level.ljust(7), fg=_COLORS[finding.level])
        click.echo(f"{label}  {clean(finding.what)}: {clean(finding.text)}")
        if finding.hint:
            click.echo(f"{' ' * 9}{click.style('hint:', dim=True)} {clean(finding.hint)}")


def echo_findings_json(findings: Sequence[Finding]) -> None:
    """One JSON document on stdout."""
    exact.echo_json({"ok": not worst(findings), "findings": [asdict(finding) for finding in findings]})
