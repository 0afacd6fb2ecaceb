"""Checks that an oracle states, judged: fine, flag, or hold, each with its reason.

Every threshold stands in `GuardSettings` with its default and why. A judge is a pure function of the evidence and the
block: it never clamps a value, never drops one, never asks a node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar

from indexer.errors import ConfigError, clean
from indexer.model import BlockRef
from indexer.units import decimal_text

YEAR_S = 31_556_952
"""Mean Gregorian year, in seconds."""


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Thresholds of the guards. Shares and tolerances are in basis points (1 bps = 0.01 %)."""

    grace_s: int = 600
    """How late past its heartbeat a source may be. Of 11,600 rounds of four mainnet feeds (2022-2024) the latest came
    208 s late; three times that leaves room for a congested chain and still catches a dead feed in minutes."""

    future_s: int = 60
    """How far ahead of the block a source's own clock may be: publishers stamp off-chain, at most seconds ahead."""

    max_decimals: int = 36
    """Most decimals an answer may have: known sources have 8 or 18; more is a wrong contract."""

    new_phase_rounds: int = 24
    """How many rounds a feed's aggregator counts as new: look. A replaced one is where decimals and pairs go wrong; at
    an update an hour this is a day, in which a fault would have shown."""

    sequencer_grace_s: int = 3_600
    """How long after an L2's sequencer is back its feeds stay held: the wait Chainlink's own example uses, in which
    late updates and liquidations land."""

    min_supply_shares: int = 1
    """Fewest whole shares a vault must have issued: below it, a gift of dust sets the rate (a vault with one wei of
    shares and 2,000 gifted crvUSD had no rate worth the name)."""

    agreement_bps: int = 10
    """How far a vault's rate of one share and of all its shares may differ. Rounding explains less than a basis point
    of any usual vault; more is a fee on exit, a cap or a manipulated vault."""

    growth_flag_bps: int = 100
    """Rate above its declared growth by this much: look. A cap that is itself wrong must not move the price: the
    wstETH cap of 2026-03-10 sat 2.85 % below the true rate."""

    growth_hold_bps: int = 1_000
    """Rate above its declared growth by this much: hold. A donation moved wUSDM by 60 % in one transaction."""

    confidence_hold_bps: int = 200
    """Widest confidence interval of a publisher network, against its price. Liquid pairs publish below 0.1 %;
    past 2 % publishers disagree (BTC at 5,402 USD in 2021 came with a wide one)."""

    min_cardinality: int = 2
    """Fewest observations a pool must keep for a time-weighted price: with one, the window cannot be what was asked."""

    backing_flag_times: int = 10
    """Value held at a pool's price over what stands on the pool's other side, so many times: look. Sound staking tokens
    and dollars are held for ten times their largest pool, and no price of a pool says what such a heap would fetch."""

    backing_hold_times: int = 1_000
    """As above: hold. ezETH, sound on 2024-04-24, was worth 3.2 billion USD against a pool of 27 million, 118 times; a
    billion of a token made up beside a pool of 100 dollars is ten million times."""

    divergence_flag_bps: int = 200
    """Two sources of one token apart by this much: look."""

    divergence_hold_bps: int = 500
    """Two sources apart by this much, and no third agrees with the first: hold. A real depeg shows in all of them;
    ten usual deviation thresholds of 0.5 % lie between."""

    observe: frozenset[str] = field(default_factory=frozenset)
    """Guards that only flag, by name: how a new guard earns trust before it may hold."""

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> GuardSettings:
        """The settings of a configuration's table; what it leaves out has its default. Raises ConfigError for all
        that is wrong: unknown names, numbers that are none or below 0, guards that do not exist."""
        observe = table.get("observe", ())
        numbers = {name: value for name, value in table.items() if name != "observe"}
        problems = [problem for name, value in numbers.items() if (problem := _number_problem(name, value))]
        if isinstance(observe, str) or not isinstance(observe, Iterable):
            problems.append("observe: expected a list of guards")
        else:
            unknown = [str(name) for name in observe if name not in guard_names()]
            problems += [f"observe: no guard {clean(n, 64)!r}; there are: {', '.join(guard_names())}" for n in unknown]
        if problems:
            raise ConfigError("; ".join(problems))
        return cls(**numbers, observe=frozenset(observe))


def guard_names() -> tuple[str, ...]:
    """Every guard, in alphabetical order."""
    return tuple(sorted({check.guard for check in Check.__subclasses__()}))


def _number_problem(name: str, value: object) -> str:
    known = [setting.name for setting in fields(GuardSettings) if setting.name != "observe"]
    if name not in known:
        return f"{clean(name, 64)}: no such setting; there are: {', '.join([*known, 'observe'])}"
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if good else f"{name}: expected a whole number from 0 on"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a guard found: `hold` or only look, and why."""

    guard: str
    reason: str
    hold: bool = True

    def __str__(self) -> str:
        return f"{self.guard}: {self.reason}"


class Check(ABC):
    """Evidence of one kind, and the guard that judges it. `guard` is its name in settings, flags and reasons."""

    __slots__ = ()
    guard: ClassVar[str]

    @abstractmethod
    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        """None where all is well."""

    def hold(self, reason: str) -> Finding:
        """A finding that holds the price back."""
        return Finding(self.guard, reason)

    def flag(self, reason: str) -> Finding:
        """A finding that lets the price pass, marked."""
        return Finding(self.guard, reason, hold=False)


def judge(checks: Iterable[Check], at: BlockRef, settings: GuardSettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Problems and flags, as text, that the guards find in `checks`; an observed guard's problems are flags."""
    problems: list[str] = []
    flags: list[str] = []
    for check in checks:
        finding = check.judge(at, settings)
        if finding is not None:
            held = finding.hold and finding.guard not in settings.observe
            (problems if held else flags).append(str(finding))
    return tuple(problems), tuple(flags)


@dataclass(frozen=True, slots=True)
class Fresh(Check):
    """A source that promises an update every `heartbeat_s`, last updated at `updated_at` (block time decides)."""

    guard: ClassVar[str] = "stale"
    updated_at: int
    heartbeat_s: int
    grace_s: int | None = None

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        grace = settings.grace_s if self.grace_s is None else self.grace_s
        age = at.timestamp - self.updated_at
        if age <= self.heartbeat_s + grace:
            return None
        return self.hold(f"last updated {age} s ago, heartbeat {self.heartbeat_s} s + {grace} s grace")


@dataclass(frozen=True, slots=True)
class Timestamped(Check):
    """A source's own time: neither 0 (a round that never completed) nor ahead of the block."""

    guard: ClassVar[str] = "timestamp"
    updated_at: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.updated_at == 0:
            return self.hold("never updated (updatedAt is 0)")
        ahead = self.updated_at - at.timestamp
        return self.hold(f"updated {ahead} s after the block") if ahead > settings.future_s else None


@dataclass(frozen=True, slots=True)
class Positive(Check):
    """An answer that can be a price."""

    guard: ClassVar[str] = "positive"
    answer: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        return self.hold(f"answer {self.answer} is no price") if self.answer <= 0 else None


@dataclass(frozen=True, slots=True)
class Bounded(Check):
    """An answer strictly inside what its source can report; at a bound the true price may be anywhere beyond."""

    guard: ClassVar[str] = "bounds"
    answer: Fraction
    low: Fraction | None
    high: Fraction | None

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.low is not None and self.answer <= self.low:
            return self.hold(f"answer {_text(self.answer)} is at or below its lower bound {_text(self.low)}")
        if self.high is not None and self.answer >= self.high:
            return self.hold(f"answer {_text(self.answer)} is at or above its upper bound {_text(self.high)}")
        return None


@dataclass(frozen=True, slots=True)
class Decimals(Check):
    """The scale of an answer: as configured, and one that a price can have."""

    guard: ClassVar[str] = "decimals"
    decimals: int
    expected: int | None = None

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.expected is not None and self.decimals != self.expected:
            return self.hold(f"{self.decimals} decimals, {self.expected} configured")
        if not 0 <= self.decimals <= settings.max_decimals:
            return self.hold(f"{self.decimals} decimals, 0 to {settings.max_decimals} can be")
        return None


@dataclass(frozen=True, slots=True)
class Described(Check):
    """The pair that a feed says it prices, against the configured one; blanks and case do not count."""

    guard: ClassVar[str] = "pair"
    described: str
    expected: str

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if _squeezed(self.described) == _squeezed(self.expected):
            return None
        return self.hold(f"describes itself as {clean(self.described, 64)!r}, configured is {self.expected!r}")


@dataclass(frozen=True, slots=True)
class Phased(Check):
    """A proxy's round id: the aggregator's place in its line (the phase), and that aggregator's own round below it.

    Ids without a phase are of feeds without a proxy. https://docs.chain.link/data-feeds/historical-data
    """

    guard: ClassVar[str] = "phase"
    round_id: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        phase, own = divmod(self.round_id, 2**64)
        if phase <= 1 or own > settings.new_phase_rounds:
            return None
        return self.flag(f"the aggregator of phase {phase} is new, this is its round {own}")


@dataclass(frozen=True, slots=True)
class SequencerUp(Check):
    """An L2's uptime feed: `answer` 0 is up, 1 is down, since `started_at` (0: no valid round)."""

    guard: ClassVar[str] = "sequencer"
    answer: int
    started_at: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.answer != 0 or self.started_at == 0:
            return self.hold("the sequencer is down" if self.answer else "its uptime feed has no round yet")
        up_s = at.timestamp - self.started_at
        if up_s > settings.sequencer_grace_s:
            return None
        return self.hold(f"the sequencer is up for {up_s} s only, {settings.sequencer_grace_s} s grace")


@dataclass(frozen=True, slots=True)
class Supplied(Check):
    """Shares in issue, in raw units of a token with `decimals`; `floor` (raw) where configured."""

    guard: ClassVar[str] = "supply"
    supply: int
    decimals: int
    floor: int | None = None

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        floor = settings.min_supply_shares * 10**self.decimals if self.floor is None else self.floor
        if self.supply >= max(floor, 1):
            return None
        issued, least = (decimal_text(amount, self.decimals) for amount in (self.supply, floor))
        return self.hold(f"only {issued} in issue, at least {least} needed")


@dataclass(frozen=True, slots=True)
class Agreeing(Check):
    """Two rates of one contract that must be the same one: of one share, and of all shares."""

    guard: ClassVar[str] = "agreement"
    one: Fraction
    all: Fraction
    rounding: Fraction = Fraction(0)

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        allowed = min(self.one, self.all) * settings.agreement_bps / 10_000 + self.rounding
        if abs(self.one - self.all) <= allowed:
            return None
        return self.hold(f"one share is worth {_text(self.one)}, of all shares each {_text(self.all)}")


@dataclass(frozen=True, slots=True)
class Growing(Check):
    """A share rate against the most it was declared to grow: `reference` at `since`, `yearly_bps` a year on top."""

    guard: ClassVar[str] = "growth"
    rate: Fraction
    reference: Fraction
    since: int
    yearly_bps: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        elapsed = max(at.timestamp - self.since, 0)
        most = self.reference * (1 + Fraction(self.yearly_bps * elapsed, 10_000 * YEAR_S))
        excess_bps = (self.rate / most - 1) * 10_000
        if excess_bps < settings.growth_flag_bps:
            return None
        reason = f"rate {_text(self.rate)} is {percent(excess_bps)} above the {_text(most)} it can have earned"
        return self.hold(reason) if excess_bps >= settings.growth_hold_bps else self.flag(reason)


@dataclass(frozen=True, slots=True)
class Confident(Check):
    """A publisher network's confidence half-width, against its price (both raw, one scale)."""

    guard: ClassVar[str] = "confidence"
    half_width: int
    price: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.half_width * 10_000 <= settings.confidence_hold_bps * self.price:
            return None
        return self.hold(f"confidence ±{self.half_width} of {self.price}: over {percent(settings.confidence_hold_bps)}")


@dataclass(frozen=True, slots=True)
class Observed(Check):
    """The observations that a pool keeps for its time-weighted price."""

    guard: ClassVar[str] = "window"
    cardinality: int

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.cardinality >= settings.min_cardinality:
            return None
        return self.hold(f"the pool keeps {self.cardinality} observations, at least {settings.min_cardinality} needed")


@dataclass(frozen=True, slots=True)
class Deep(Check):
    """Counter-liquidity behind a market price, in whole tokens of the unit it prices in."""

    guard: ClassVar[str] = "depth"
    depth: Fraction
    least: Fraction

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        return self.hold(f"depth {_text(self.depth)}, {_text(self.least)} needed") if self.depth < self.least else None


@dataclass(frozen=True, slots=True)
class Backed(Check):
    """What is held of a token at the price of a pool, and what the pool has to pay for it with; both in USD."""

    guard: ClassVar[str] = "backing"
    held: Fraction
    depth: Fraction

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        if self.held <= self.depth * settings.backing_flag_times:
            return None
        reason = f"{_text(self.held, 2)} USD held at a price with {_text(self.depth, 2)} USD behind it"
        return self.hold(reason) if self.held > self.depth * settings.backing_hold_times else self.flag(reason)


@dataclass(frozen=True, slots=True)
class Diverging(Check):
    """The price of the route taken, and of the others that can bear witness; `names` are theirs, in order."""

    guard: ClassVar[str] = "divergence"
    price: Fraction
    others: tuple[Fraction, ...]
    names: tuple[str, ...]

    def judge(self, at: BlockRef, settings: GuardSettings) -> Finding | None:
        apart = [apart_bps(self.price, other) for other in self.others]
        if not apart or max(apart) <= settings.divergence_flag_bps:
            return None
        worst = max(range(len(apart)), key=apart.__getitem__)
        reason = f"{percent(apart[worst])} apart from {self.names[worst]} ({_text(self.others[worst])} USD)"
        corroborated = min(apart) <= settings.divergence_flag_bps
        return self.flag(reason) if corroborated or apart[worst] <= settings.divergence_hold_bps else self.hold(reason)


def apart_bps(a: Fraction, b: Fraction) -> Fraction:
    """How far two prices are apart, in basis points of the lower one."""
    return (max(a, b) / min(a, b) - 1) * 10_000


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _text(value: Fraction, places: int = 12) -> str:
    """Rounded down to 12 places, for people."""
    return decimal_text(value.numerator * 10**places // value.denominator, places)


def percent(bps: Fraction | int) -> str:
    """Basis points as `2.85 %`, cut after two places."""
    whole = int(Fraction(bps))
    return f"{decimal_text(whole, 2)} %"
