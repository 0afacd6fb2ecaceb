"""What a judgement of stored numbers is made of: evidence, thresholds, findings and the verdict they come to.

Plain records. Thresholds stand in `QualitySettings` with their default and why; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from indexer.config.types import parse_address
from indexer.errors import ConfigError, clean
from indexer.model import Address, BlockRef, Grade, Status
from indexer.valuation.books import Book
from indexer.valuation.claims import Claims
from indexer.valuation.history import Flown, Seen


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Thresholds of the verdicts. Shares and tolerances are in basis points (100 bps are 1 %), times are multiples."""

    least_share_bps: int = 500
    """Smallest part of a deployment's base that is judged by itself: below a twentieth, even a tripling moves the whole
    by less than the tenth that a busy day does."""

    units_times: int = 3
    """Amount of a token that many times what it was (or that fraction) from one snapshot to the next: explain it.
    Above the doubling of a new vault's busy day, below the fivefold at which DefiLlama refuses a point."""

    price_times: int = 2
    """Price that many times what it was (or that fraction): a second source must say so. No oracle-priced token of
    weight doubled between two snapshots of an hour; tokens that price themselves do in one block."""

    explained_bps: int = 100
    """Part of a change of amounts that logs may leave unexplained: interest and fees accrue without a transfer."""

    pool_agrees_bps: int = 1_000
    """How far the two sides of a tracked pool may be apart in value and still bear witness to a price: fees and a
    trade or two; arbitrage closes more within minutes."""

    newcomer_bps: int = 2_000
    """Share of the base from which a token that was not there before must be explained. A listing grows into a fifth
    of a protocol; a worthless token with a price is there at once."""

    vanished_bps: int = 2_500
    """Share of the base whose disappearance must be explained: the quarter at which DefiLlama refuses a drop."""

    brief_s: int = 7_200
    """What came and went within this long was there for the snapshot, not for use. Snapshots are taken each hour or
    day; one before and one after show it."""

    spike_bps: int = 5_000
    """How far above its time-weighted median an amount must be to be such a visit."""

    own_token_bps: int = 5_000
    """Share of the base in the protocol's own tokens above which they are left out: most of it is then the issuer's
    own word for its own worth."""

    depth_times: int = 1
    """A token priced by a market may be worth this many times what stands on the other side of its tracked pools:
    more could not be sold at that price, nor at half of it."""

    lopsided_times: int = 10
    """One side of a constant-product pool worth this many times the other: the sides are equal in value wherever
    prices are right, so one of them is priced wrongly."""

    backing_bps: int = 200
    """How far claims may exceed what backs them, and accounts what is there: interest between two snapshots."""

    depositor_bps: int = 9_000
    """Share of a receipt in one stored holder's hands from which it is said (`depositors`)."""

    lookback_s: int = 2_592_000
    """How far back a jump is looked for that nothing explains since. Thirty days: what was stored before is taken as
    it stands, as the first snapshot of a store is."""

    median_s: int = 86_400
    """The time over which the median beside the headline is taken: a day covers every time zone's habits."""

    least_grade: str = "C"
    """The worst grade of price that the headline takes: D is a peg that somebody declared."""

    observe: frozenset[str] = frozenset({"idle", "depositors"})
    """Rules that only tell, by name: both describe whole kinds of honest protocols too."""

    own_tokens: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    """Tokens that a protocol issues for itself, by protocol; those in its `staking` and `own` buckets are known."""

    @classmethod
    def parse(cls, table: Mapping[str, Any], rules: Iterable[str]) -> QualitySettings:
        """The settings of a configuration's table; what it leaves out has its default. Raises ConfigError for all
        that is wrong with it."""
        known = {setting.name for setting in fields(cls)}
        problems = [
            f"{clean(name, 64)}: no such setting; there are: {', '.join(sorted(known))}"
            for name in table
            if name not in known
        ]
        values: dict[str, Any] = {}
        for name in known & set(table):
            try:
                values[name] = _parsed(name, table[name], frozenset(rules))
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise ConfigError("; ".join(sorted(problems)))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a snapshot is judged by: what was stored before and after it, flows, and everybody's books then.

    `before` and `after` are the deployment's own snapshots without gaps, oldest first, not necessarily each of them.
    `own` are tokens that the protocol issues for itself.
    """

    book: Book
    before: tuple[Seen, ...] = ()
    after: tuple[Seen, ...] = ()
    flown: tuple[Flown, ...] = ()
    claims: Claims = field(default_factory=lambda: Claims([]))
    own: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: of a token, or of the whole (`token` None).

    OK is worth knowing and counts: an explained jump, or a rule that only observes. SUSPECT tokens are kept out of the
    headline unless `excludes` is False: where something is missing there is nothing to keep out. `usd` is what is in
    question.
    """

    rule: str
    status: Status
    token: Address | None
    reason: str
    usd: int = 0
    excludes: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of the base that is not in the headline; `usd` is None where it has no value."""

    token: Address
    symbol: str
    usd: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The base at good prices and without suspects, and what was left out; the median is of the base over a day."""

    usd: int
    left_out: tuple[LeftOut, ...]
    median_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a snapshot can be believed. `tokens` are the judgements of those that are not simply OK."""

    deployment: str
    at: BlockRef
    status: Status
    reason: str
    tokens: Mapping[Address, Status]
    findings: tuple[Finding, ...]
    headline: Headline


def _parsed(name: str, value: Any, rules: frozenset[str]) -> Any:
    """A setting's value. Raises ValueError with what would be right."""
    if name == "least_grade":
        return Grade(value).value
    if name == "observe":
        if not isinstance(value, list) or not set(value) <= rules:
            raise ValueError(f"expected a list of rules; there are: {', '.join(sorted(rules))}")
        return frozenset(value)
    if name == "own_tokens":
        return _own_tokens(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("expected a whole number from 1 on")
    return value


def _own_tokens(value: Any) -> dict[str, tuple[Address, ...]]:
    if not isinstance(value, dict) or not all(isinstance(tokens, list) for tokens in value.values()):
        raise ValueError('expected lists of addresses by protocol, such as { curve = ["0x…"] }')
    return {str(protocol): tuple(parse_address(token) for token in tokens) for protocol, tokens in value.items()}
