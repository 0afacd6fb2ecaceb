"""A token's stored past -> which of its jumps nothing explains: by price, by units, by both, gone, or newly come.

A jump is measured against the last level that was believed, however long ago: what nothing corroborates is not
believed by waiting. Units are corroborated by transfer logs, a price by the pools that trade the token. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.model import Address, Status
from indexer.units import decimal_text, usd_text
from indexer.valuation.history import Seen, Sight, net_flow, seen
from indexer.valuation.pools import pool_ratio
from indexer.valuation.verdicts import Evidence, Finding, QualitySettings

BPS = 10_000


def jumps(evidence: Evidence, settings: QualitySettings) -> Iterator[Finding]:
    """What is still unexplained at the judged snapshot, and what of its own jumps is explained."""
    if not evidence.before or evidence.book.snapshot.status is Status.GAP:
        return
    now = seen(evidence.book.snapshot)
    everything = [*evidence.before, now]
    for token in sorted({token for one in everything for token in one.sights}):
        yield from _walk(evidence, everything, token, settings)


def _walk(
    evidence: Evidence, everything: Sequence[Seen], token: Address, settings: QualitySettings
) -> Iterator[Finding]:
    """Follow a token from one believed level to the next; what is open at the end is told.

    Where snapshots were left out between two, the difference is drift: leaps are always between neighbours.
    """
    believed: Seen | None = None
    found: Finding | None = None
    for here in everything:
        sight = here.of(token)
        if sight.amount is None or (sight.amount and (sight.price is None or sight.usd is None)):
            continue
        drifted = not here.follows and found is None
        pair = None if believed is None or drifted else Pair(evidence, believed, here, token, here is everything[-1])
        found = pair.finding(settings) if pair else None
        if found is None or found.status is Status.OK:
            believed = here
            found = found if here is everything[-1] else None
    if found:
        yield found


@dataclass(frozen=True, slots=True)
class Pair:
    """A token at the last believed level and later. `judged`: the later one is the snapshot that is being judged."""

    evidence: Evidence
    then: Seen
    later: Seen
    token: Address
    judged: bool

    @property
    def before(self) -> Sight:
        """The token then."""
        return self.then.of(self.token)

    @property
    def after(self) -> Sight:
        """The token later."""
        return self.later.of(self.token)

    def finding(self, settings: QualitySettings) -> Finding | None:
        """What is to be said of the change; None where it is an everyday one."""
        rule = _rule(self, settings)
        if not rule:
            return None
        parts = [part for part in (_units(self, settings), _price(self, settings)) if part]
        before, after = self.before.usd or 0, self.after.usd or 0
        span = f"{usd_text(before)} at block {self.then.at.number}, now {usd_text(after)}"
        status = Status.OK if all(good for good, _ in parts) else Status.SUSPECT
        reason = "; ".join([span, *(text for _, text in parts)])
        return Finding(rule, status, self.token, reason, abs(after - before), after > before)


def _rule(pair: Pair, settings: QualitySettings) -> str:
    """The name of the rule that a change falls under; none where it is too small or of too little weight.

    Where there was nothing at all before, there is nothing to compare with.
    """
    before, after = pair.before, pair.after
    if not before.amount:
        began = not pair.then.base_usd
        return "newcomer" if not began and _heavy(after, pair.later, settings.newcomer_bps) else ""
    if not after.amount:
        return "vanished" if _heavy(before, pair.then, settings.vanished_bps) else ""
    share_bps = settings.least_share_bps
    heavy = _heavy(before, pair.then, share_bps) or _heavy(after, pair.later, share_bps)
    jumped = _apart(before.amount, after.amount, settings.units_times) or _price_jumped(before, after, settings)
    return "jump" if heavy and jumped else ""


def _units(pair: Pair, settings: QualitySettings) -> tuple[bool, str] | None:
    """Whether the change of units is explained, and by what; None where there is none to explain."""
    before, after = pair.before.amount or 0, pair.after.amount or 0
    if before and after and not _apart(before, after, settings.units_times):
        return None
    change, places = after - before, pair.before.places | pair.after.places
    moved = net_flow(pair.evidence.flown, places, pair.then.at, pair.later.at)
    told = f"units changed by {_amount(pair, change)}"
    if moved is None:
        return False, f"{told}, and no complete transfer logs are stored that could explain it"
    if abs(change - moved) * BPS <= abs(change) * settings.explained_bps:
        return True, f"{told}, as the transfer logs say"
    return False, f"{told}, of which the transfer logs explain {_amount(pair, moved)}"


def _price(pair: Pair, settings: QualitySettings) -> tuple[bool, str] | None:
    """Whether the change of price is corroborated; None where there is none to corroborate."""
    if not _price_jumped(pair.before, pair.after, settings):
        return None
    before, after = pair.before.price or 0, pair.after.price or 0
    told = f"price changed to {after * 100 // before / 100} times"
    place = (pair.evidence.book.chain, pair.token)
    sides = pool_ratio(pair.evidence.claims, place) if pair.judged else None
    if sides is None:
        return False, f"{told}, on the word of its own source alone: no stored pool trades it"
    mine, others = sides
    agrees = abs(mine - others) * BPS <= max(mine, others) * settings.pool_agrees_bps
    text = f"the pools that trade it hold {usd_text(mine)} of it against {usd_text(others)}"
    return agrees, f"{told}, {'and' if agrees else 'but'} {text}"


def _price_jumped(before: Sight, after: Sight, settings: QualitySettings) -> bool:
    return bool(before.price and after.price and _apart(before.price, after.price, settings.price_times))


def _apart(a: int, b: int, times: int) -> bool:
    return max(a, b) >= min(a, b) * times


def _heavy(sight: Sight, seen_then: Seen, share_bps: int) -> bool:
    return (sight.usd or 0) * BPS >= seen_then.base_usd * share_bps and bool(sight.usd)


def _amount(pair: Pair, raw: int) -> str:
    """Raw units as whole tokens, where the judged snapshot knows the token's decimals."""
    known = pair.evidence.book.snapshot.tokens.get(pair.token)
    return decimal_text(raw, known.decimals) if known and known.decimals is not None else f"raw {raw}"
