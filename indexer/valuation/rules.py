"""The rules by which stored numbers are judged, one small function each, in one table.

A rule looks at evidence and says what it found; it never changes a number, drops one, or asks a node. A new rule is a
function and a row of `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from indexer.model import Address, Bucket, Grade, Line, Quote, Status
from indexer.units import USD_DECIMALS, usd_text
from indexer.valuation.books import Entry, Place, worth
from indexer.valuation.history import Path, base_usd, path, seen, weighted_median
from indexer.valuation.jumps import BPS, jumps
from indexer.valuation.pools import counter_liquidity, is_sided, pools_of
from indexer.valuation.profiles import by_balance
from indexer.valuation.verdicts import Evidence, Finding, QualitySettings

TROUBLE = (Status.HELD, Status.MALFORMED, Status.MISSING, Status.SUSPECT)
MARKET = (Grade.C, Grade.D)
"""Grades of prices that a market makes, or that somebody declared."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule under its name; `means` says what it looks for."""

    name: str
    means: str
    judge: Callable[[Evidence, QualitySettings], Iterator[Finding]]


def gap(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """Nothing of the deployment could be read."""
    one = evidence.book.snapshot
    if one.status is Status.GAP:
        yield Finding("gap", Status.GAP, None, one.reason)


def held(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """A number that cannot be had, or that its own reading does not believe: one finding a token."""
    told: dict[Address, Line] = {}
    for line in evidence.book.snapshot.lines:
        if line.status in TROUBLE:
            told.setdefault(line.holding.token, line)
    for token, line in told.items():
        status = Status.SUSPECT if line.status is Status.SUSPECT else Status.HELD
        yield Finding("held", status, token, line.reason, line.usd or 0, excludes=False)


def in_and_out(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """An amount far above its median that came shortly before the snapshot and left shortly after."""
    at = evidence.book.snapshot.at.timestamp
    now = seen(evidence.book.snapshot)
    around = (*evidence.before, now, *evidence.after)
    window = [one for one in around if abs(one.at.timestamp - at) <= settings.median_s]
    for token, sight in now.sights.items():
        if sight.amount and _heavy(evidence, sight.usd, settings):
            above = _visit(path(window, evidence.flown, token), at, sight.amount, settings)
            if above is not None:
                usd = (sight.usd or 0) * above // sight.amount
                brief = f"within {settings.brief_s // 60} minutes before, and left as soon after"
                reason = f"{usd_text(usd)} above its median of a day came {brief}"
                yield Finding("in_and_out", Status.SUSPECT, token, reason, usd)


def _visit(steps: Path, at: int, amount: int, settings: QualitySettings) -> int | None:
    """By how much an amount is above its time-weighted median, if it was so for a brief time only; else None."""
    median = weighted_median(steps, at - settings.median_s, max(at, steps[-1][0])) if steps else None
    if median is None or amount * BPS < median * (BPS + settings.spike_bps):
        return None
    usual = median * (BPS + settings.spike_bps // 2)
    low = [time - at for time, level in steps if level * BPS <= usual]
    came = any(-settings.brief_s <= seconds < 0 for seconds in low)
    left = any(0 < seconds <= settings.brief_s for seconds in low)
    return amount - median if came and left else None


def flash(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """Much came and left within one block since the last snapshot: no number shows it, the logs do."""
    if not evidence.before:
        return
    since, now = evidence.before[-1].at.number, seen(evidence.book.snapshot)
    worst: dict[Address, tuple[int, int]] = {}
    for flow in (flow for span in evidence.flown for flow in span.items):
        if since < flow.at.number <= now.at.number and flow.bucket is Bucket.BASE:
            through = min(flow.amount_in, flow.amount_out)
            worst[flow.token] = max(worst.get(flow.token, (0, 0)), (through, flow.at.number))
    for token, (through, number) in sorted(worst.items()):
        sight = now.of(token)
        if sight.amount and through * BPS >= sight.amount * settings.spike_bps:
            usd = (sight.usd or 0) * through // sight.amount
            reason = f"{usd_text(usd)} came and left within block {number}; the amount at its end is not moved by it"
            yield Finding("flash", Status.OK, token, reason, usd, excludes=False)


def own_token(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """Most of the base is in tokens that the protocol issues for itself."""
    lines = [line for line in _base_lines(evidence) if line.holding.token in evidence.own]
    usd, base = sum(line.usd or 0 for line in lines), base_usd(evidence.book.snapshot)
    if usd and usd * BPS > base * settings.own_token_bps:
        for token in dict.fromkeys(line.holding.token for line in lines):
            reason = f"{_percent(usd, base)} of the base is in the protocol's own tokens"
            yield Finding("own_token", Status.SUSPECT, token, reason, usd)


def depth(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """A token priced by a market, worth more than all that stands against it there."""
    for token, usd in _worth_by_token(evidence).items():
        quote = evidence.book.snapshot.quotes.get(token)
        if quote is None or quote.grade not in MARKET or not _heavy(evidence, usd, settings):
            continue
        against = _against(evidence, quote)
        if against is not None and usd > against * settings.depth_times:
            reason = f"{usd_text(usd)} by a market's price, and {usd_text(against)} stands against it there"
            yield Finding("depth", Status.SUSPECT, token, reason, usd)


def _against(evidence: Evidence, quote: Quote) -> int | None:
    """What stands against a token in the market that priced it, or in stored pools, whichever is more."""
    from indexer.pricing.compose import depth_of

    there = depth_of(quote)
    stored = counter_liquidity(evidence.claims, (evidence.book.chain, quote.token))
    known = [stored] if stored is not None else []
    if there is not None:
        known.append(there.numerator * 10**USD_DECIMALS // there.denominator)
    return max(known, default=None)


def lopsided(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """One side of constant-product pools worth many times the other: one of the prices is wrong."""
    if not is_sided(evidence.book):
        return
    for token, usd in _worth_by_token(evidence).items():
        if not _heavy(evidence, usd, settings):
            continue
        pools = pools_of(evidence.claims, (evidence.book.chain, token))
        own = [pool for pool in pools if pool[0].book.key == evidence.book.key]
        mine = worth(e for pool in own for e in pool if e.line.holding.token == token)
        others = worth(e for pool in own for e in pool) - mine
        if own and mine > others * settings.lopsided_times:
            reason = f"{usd_text(mine)} of it stands against {usd_text(others)} in pools whose sides are equal in value"
            yield Finding("lopsided", Status.SUSPECT, token, reason, usd)


def unheld(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """A contract that accounts for more than another stored reading shows to be there, with what it lent on."""
    for entry in _own_entries(evidence):
        seen = _really_held(evidence, entry)
        if seen is not None and entry.usd * BPS > seen * (BPS + settings.backing_bps):
            reason = f"{entry.line.holding.owner} accounts for {usd_text(entry.usd)}, {usd_text(seen)} is there"
            yield Finding("unheld", Status.SUSPECT, entry.line.holding.token, reason, entry.usd - seen)


def unbacked(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """A receipt held for more than all that is behind it, by its stored issuer's own account."""
    for token, usd in _worth_by_token(evidence).items():
        place = (evidence.book.chain, token)
        if not evidence.claims.behind.get(place) or not _heavy(evidence, usd, settings):
            continue
        claimed = worth(_holders(evidence, place))
        backing = _backing(evidence, place)
        if backing is not None and claimed * BPS > backing * (BPS + settings.backing_bps):
            reason = f"{usd_text(claimed)} of it is held by stored protocols, {usd_text(backing)} is behind it"
            yield Finding("unbacked", Status.SUSPECT, token, reason, usd)


def depositors(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """Receipts of this deployment that are in few stored hands. Holders that are not stored are not known."""
    for place in sorted({entry.receipt for entry in _own_entries(evidence) if entry.receipt}):
        group = evidence.claims.behind.get(place, ())
        behind = worth(group)
        hands: dict[Address, int] = {}
        for entry in _holders(evidence, place):
            hands[entry.line.holding.owner] = hands.get(entry.line.holding.owner, 0) + entry.usd
        top = sorted(hands.values(), reverse=True)[:3]
        if top and _heavy(evidence, behind, settings) and top[0] * BPS >= behind * settings.depositor_bps:
            shares = f"{_percent(top[0], behind)}, the first three {_percent(sum(top), behind)}"
            reason = f"one stored holder has of receipt {place[1]} {shares}"
            yield Finding("depositors", Status.SUSPECT, group[0].line.holding.token, reason, top[0])


def idle(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """A lending reserve of weight of which nothing is borrowed."""
    owed: dict[Address, int] = {}
    for line in evidence.book.snapshot.lines:
        if line.holding.bucket is Bucket.BORROWED and line.holding.amount is not None:
            owed[line.holding.token] = owed.get(line.holding.token, 0) + line.holding.amount
    for token, usd in _worth_by_token(evidence).items():
        if owed.get(token) == 0 and _heavy(evidence, usd, settings, settings.newcomer_bps):
            yield Finding("idle", Status.SUSPECT, token, f"none of {usd_text(usd)} is borrowed", usd)


RULES: tuple[Rule, ...] = (
    Rule("gap", "nothing of the deployment could be read at the block", gap),
    Rule("held", "a number that cannot be had, or that its own reading does not believe", held),
    Rule(
        "jump",
        "an amount or price that leaps between two snapshots, and that nothing explains (see also `newcomer` "
        "and `vanished`, which are judged with it)",
        jumps,
    ),
    Rule(
        "in_and_out",
        "an amount far above its median that came shortly before the snapshot and left shortly after",
        in_and_out,
    ),
    Rule("flash", "much that came and left within one block: told, and in no number", flash),
    Rule("own_token", "a base that is mostly the protocol's own tokens", own_token),
    Rule("depth", "a token priced by a market, worth more than what stands against it there", depth),
    Rule("lopsided", "a constant-product pool whose sides differ in value many times", lopsided),
    Rule("unheld", "an account of more than another stored reading shows to be there", unheld),
    Rule("unbacked", "a receipt held for more than all that is behind it", unbacked),
    Rule("depositors", "a receipt in few stored hands", depositors),
    Rule("idle", "a lending reserve of weight of which nothing is borrowed", idle),
)

NAMES: tuple[str, ...] = tuple(sorted({rule.name for rule in RULES} | {"newcomer", "vanished"}))
"""Every name that a finding may bear."""


def _base_lines(evidence: Evidence) -> list[Line]:
    lines = evidence.book.snapshot.lines
    return [line for line in lines if line.holding.bucket is Bucket.BASE and line.status is Status.OK]


def _worth_by_token(evidence: Evidence) -> dict[Address, int]:
    found: dict[Address, int] = {}
    for line in _base_lines(evidence):
        found[line.holding.token] = found.get(line.holding.token, 0) + (line.usd or 0)
    return found


def _own_entries(evidence: Evidence) -> list[Entry]:
    """The judged base, as the graph of claims knows it."""
    base = (e for e in evidence.claims.entries if e.line.holding.bucket is Bucket.BASE and e.counts)
    return [entry for entry in base if entry.book.key == evidence.book.key]


def _really_held(evidence: Evidence, entry: Entry) -> int | None:
    """What other deployments see of an account's owner by plain balance queries: the asset and receipts of others.

    None where the account is itself such a balance, or where nobody else looks at its asset.
    """
    if not by_balance(entry, evidence.claims):
        return None
    beside = evidence.claims.by_owner.get((entry.book.chain, entry.line.holding.owner), ())
    base = (other for other in beside if other.line.holding.bucket is Bucket.BASE and other.counts)
    others = [other for other in base if other.book.key != entry.book.key]
    owned = [other for other in others if not by_balance(other, evidence.claims)]
    if not any(other.position == entry.position for other in owned):
        return None
    return worth({other.position: other for other in owned if other.place != entry.receipt}.values())


def _holders(evidence: Evidence, place: Place) -> list[Entry]:
    """Who holds a token in stored deployments, with a value."""
    held = evidence.claims.by_place.get(place, ())
    return [entry for entry in held if entry.counts and entry.line.holding.bucket is Bucket.BASE]


def _backing(evidence: Evidence, place: Place) -> int | None:
    """What a receipt's issuers hold and lent out for it; None where any of it has no value."""
    behind = evidence.claims.behind.get(place, ())
    lenders = {(entry.book.key, entry.place) for entry in behind}
    owed = [
        other
        for place_lent in {entry.place for entry in behind}
        for other in evidence.claims.by_place[place_lent]
        if other.line.holding.bucket is Bucket.BORROWED and (other.book.key, other.place) in lenders
    ]
    together = [*behind, *owed]
    return worth(together) if together and all(entry.counts for entry in together) else None


def _heavy(evidence: Evidence, usd: int | None, settings: QualitySettings, share_bps: int = 0) -> bool:
    """Whether something is a part of the base that is judged by itself."""
    return bool(usd) and (usd or 0) * BPS >= base_usd(evidence.book.snapshot) * (share_bps or settings.least_share_bps)


def _percent(part: int, whole: int) -> str:
    return f"{part * 1000 // whole / 10} %" if whole else "all"
