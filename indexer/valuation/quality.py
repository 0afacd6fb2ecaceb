"""Evidence -> a verdict on a stored snapshot (ok, suspect, held, gap) with reasons, and the headline without suspects.

Derived from rows when it is asked for, never written into them, so that a row stays a function of its block alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from indexer.model import Address, Bucket, Grade, Line, Status
from indexer.valuation.rules import RULES
from indexer.valuation.verdicts import Evidence, Finding, Headline, LeftOut, QualitySettings, Verdict

WORSE = (Status.OK, Status.SUSPECT, Status.HELD, Status.GAP)
"""What a verdict can be, the best first."""


def judge(evidence: Evidence, settings: QualitySettings, median_usd: int | None = None) -> Verdict:
    """What is to be thought of a snapshot. `median_usd` is shown beside the headline."""
    findings = tuple(_as_set(finding, settings) for rule in RULES for finding in rule.judge(evidence, settings))
    status = worst(finding.status for finding in findings)
    return Verdict(
        deployment=evidence.book.key,
        at=evidence.book.snapshot.at,
        status=status,
        reason="; ".join(_reasons(evidence, findings, status))[:1000],
        tokens=_tokens(findings),
        findings=findings,
        headline=headline(evidence, findings, settings, median_usd),
    )


def headline(
    evidence: Evidence, findings: Iterable[Finding], settings: QualitySettings, median_usd: int | None = None
) -> Headline:
    """The base without suspects and without prices of too low a grade; what has no value is left out too, and named."""
    suspects: dict[Address, str] = {}
    for finding in findings:
        if finding.status is Status.SUSPECT and finding.excludes and finding.token is not None:
            suspects.setdefault(finding.token, f"{finding.rule}: {finding.reason}")
    usd, left_out = 0, []
    for line in evidence.book.snapshot.lines:
        if line.holding.bucket is Bucket.BASE and line.status is not Status.NOT_APPLICABLE:
            why = _why_not(evidence, line, suspects, settings)
            usd += 0 if why else line.usd or 0
            left_out += [_left_out(evidence, line, why)] if why else []
    return Headline(usd, tuple(sorted(left_out, key=lambda one: (-(one.usd or 0), one.token))), median_usd)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of several judgements; OK where there is none."""
    return max(statuses, key=WORSE.index, default=Status.OK)


def _as_set(finding: Finding, settings: QualitySettings) -> Finding:
    """A rule that only observes tells, and nothing follows from it."""
    if finding.rule not in settings.observe or finding.status is not Status.SUSPECT:
        return finding
    return replace(finding, status=Status.OK, reason=f"observed: {finding.reason}", excludes=False)


def _reasons(evidence: Evidence, findings: Sequence[Finding], status: Status) -> list[str]:
    """Why it is as bad as it is, the largest sums first."""
    found = [finding for finding in findings if finding.status is status is not Status.OK]
    found.sort(key=lambda finding: -finding.usd)
    return [f"{finding.rule}: {_about(evidence, finding)}" for finding in found]


def _about(evidence: Evidence, finding: Finding) -> str:
    token = evidence.book.snapshot.tokens.get(finding.token) if finding.token else None
    return f"{token.symbol}: {finding.reason}" if token and token.symbol else finding.reason


def _tokens(findings: Iterable[Finding]) -> dict[Address, Status]:
    found: dict[Address, Status] = {}
    for finding in findings:
        if finding.token is not None and finding.status is not Status.OK:
            found[finding.token] = worst([finding.status, found.get(finding.token, Status.OK)])
    return found


def _why_not(evidence: Evidence, line: Line, suspects: dict[Address, str], settings: QualitySettings) -> str:
    if line.status is not Status.OK:
        return f"{line.status}: {line.reason}"
    if line.holding.token in suspects:
        return suspects[line.holding.token]
    quote = evidence.book.snapshot.quotes.get(line.holding.token)
    low = quote is not None and quote.grade > Grade(settings.least_grade)
    return f"price of grade {quote.grade}" if quote and low else ""


def _left_out(evidence: Evidence, line: Line, why: str) -> LeftOut:
    token = evidence.book.snapshot.tokens.get(line.holding.token)
    return LeftOut(line.holding.token, token.symbol if token else "", line.usd, why)
