"""Named definitions of TVL over the same stored readings: what each counts, and why it leaves out what it does.

A definition is a row of the table `PROFILES`: rules that an entry must pass, in order, and whose prices count. The
difference of two definitions is told in parts that add up to it exactly. Pure: nothing is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.model import Bucket, Grade, Quote, Status
from indexer.units import usd_value
from indexer.valuation.books import OURS, Entry, Place
from indexer.valuation.claims import Claims

Rule = Callable[[Entry, Claims], str]
"""Why an entry is left out; empty where it is not."""

DAY_S = 86_400

BALANCE_QUERIES: Mapping[str, Mapping[str, str]] = {
    "token_balances": {},
    "uniswap_v3": {},
    "aave_v2": {},
    "aave_v3": {},
    "compound_v2": {},
    "compound_v3": {},
    "euler_v2": {},
    "fraxlend": {},
    "iziswap": {},
    "morpho_blue": {},
    "uniswap_v4": {},
    "uniswap_v2": {"amounts": "balances"},
    "erc4626": {"amount": "held"},
}
"""Kinds whose base is read by `balanceOf` or as a native balance, and the parameters they need for that."""

YIELD = frozenset({"yield", "yield-aggregator"})
LIQUID_STAKING = frozenset({"liquid-staking"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One definition. `apart` are categories whose protocols count alone, but not in a sum over several protocols."""

    name: str
    means: str
    rules: tuple[Rule, ...]
    apart: frozenset[str] = frozenset()
    base_prices: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """An entry under a profile: what it adds, and why it adds nothing where it does not."""

    entry: Entry
    usd: int
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for which two profiles differ, and by how much the second is more."""

    reason: str
    usd: int
    entries: int


def apply(
    profile: Profile,
    claims: Claims,
    scope: Callable[[Entry], bool] = lambda _: True,
    base_prices: Mapping[Place, Quote] | None = None,
) -> list[Counted]:
    """Every entry of a scope under a profile, in the order of the claims' entries.

    `base_prices` are the quotes of the base date, for a profile that takes them: a token without one is left out.
    """
    several = len({entry.book.protocol for entry in claims.entries if scope(entry)}) > 1
    away = profile.apart if several else frozenset()
    return [_counted(profile, claims, entry, away, base_prices or {}) for entry in claims.entries if scope(entry)]


def total(counted: Iterable[Counted]) -> int:
    """What a profile adds up to, in USD of `units.USD_DECIMALS`."""
    return sum(one.usd for one in counted)


def reasons(counted: Iterable[Counted]) -> list[Part]:
    """What a profile leaves out, by reason, at its stored value; the largest first. What has no value adds 0."""
    return _parts((one.left_out, one.entry.usd if one.entry.counts else 0) for one in counted if one.left_out)


def difference(first: Sequence[Counted], second: Sequence[Counted]) -> list[Part]:
    """Why the second profile says another sum than the first, over the same entries: the parts add up exactly."""
    changes = (_change(a, b) for a, b in zip(first, second, strict=True))
    return _parts((reason, usd) for reason, usd in changes if reason)


def with_toggles(profile: Profile, toggles: Iterable[str]) -> Profile:
    """DefiLlama's profile with some of its switches on. Raises KeyError for a switch that it does not have."""
    chosen = {toggle: TOGGLES[toggle] for toggle in toggles}
    buckets = {Bucket.BASE} | {on for on in chosen.values() if isinstance(on, Bucket)}
    kept = profile.apart - frozenset().union(*(on for on in chosen.values() if isinstance(on, frozenset)))
    named = ", ".join([profile.name, *sorted(chosen)])
    return replace(profile, name=named, rules=(in_buckets(*buckets), *profile.rules[1:]), apart=kept)


def valued(entry: Entry, claims: Claims) -> str:
    """Only what has a value."""
    return "" if entry.counts else f"no value: {entry.line.status}"


def in_buckets(*buckets: Bucket) -> Rule:
    """Only these buckets."""

    def rule(entry: Entry, claims: Claims) -> str:
        bucket = entry.line.holding.bucket
        return "" if bucket in buckets else f"bucket {bucket}"

    return rule


def not_claimed(entry: Entry, claims: Claims) -> str:
    """No receipts of tracked deployments."""
    issuers = claims.issuers(entry.place) if claims.is_receipt(entry) else []
    return f"claim on {', '.join(issuers)}" if issuers else ""


def once(entry: Entry, claims: Claims) -> str:
    """Each balance for one deployment only."""
    return "balance of another deployment" if claims.is_repeated(entry) else ""


def plain(entry: Entry, claims: Claims) -> str:
    """No token that is a share of something else."""
    return "" if claims.is_plain(entry) else "share of something else"


def graded(least: Grade) -> Rule:
    """Only prices of a grade, or a better one."""

    def rule(entry: Entry, claims: Claims) -> str:
        quote = entry.quote
        return "" if quote is None or quote.grade <= least else f"price of grade {quote.grade}"

    return rule


def fresh(limit_s: int) -> Rule:
    """Only prices that are not older than that, by block time."""

    def rule(entry: Entry, claims: Claims) -> str:
        quote = entry.quote
        old = quote is not None and quote.age_s(entry.book.snapshot.at) > limit_s
        return f"price older than {limit_s // 3600} h" if old else ""

    return rule


def by_balance(entry: Entry, claims: Claims) -> str:
    """Only what a plain balance query says."""
    needed = BALANCE_QUERIES.get(entry.book.kind)
    if needed is not None and all(entry.book.params.get(name) == value for name, value in needed.items()):
        return ""
    return f"read by more than a balance query ({entry.book.kind})"


TOGGLES: Mapping[str, Bucket | frozenset[str]] = {
    "staking": Bucket.STAKING,
    "pool2": Bucket.POOL2,
    "borrowed": Bucket.BORROWED,
    "vesting": Bucket.VESTING,
    "treasury": Bucket.TREASURY,
    "doublecounted": YIELD,
    "liquidstaking": LIQUID_STAKING,
}
"""DefiLlama's switches: buckets that are added, and categories that are not left out of sums any more."""

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "base",
            "what users hold in each protocol's own contracts, whatever it is a claim on",
            (in_buckets(Bucket.BASE), valued),
        ),
        Profile(
            "gross",
            "all that users brought, with what they borrowed, staked and put into pools of the own token",
            (in_buckets(*OURS), valued),
        ),
        Profile(
            "net",
            "base without receipts of tracked deployments: each unit where it was first deposited",
            (in_buckets(Bucket.BASE), valued, not_claimed, once),
        ),
        Profile(
            "redeemable",
            "net of plain tokens alone (total value redeemable, TVR)",
            (in_buckets(Bucket.BASE), valued, not_claimed, once, plain),
        ),
        Profile(
            "llama",
            "DefiLlama's rules: base; prices of some confidence, at most a day old; yield aggregators and liquid "
            "staking left out of sums over several protocols",
            (in_buckets(Bucket.BASE), valued, graded(Grade.D), fresh(DAY_S)),
            apart=YIELD | LIQUID_STAKING,
        ),
        Profile(
            "verifiable",
            "base that plain balance queries alone show (vTVL)",
            (in_buckets(Bucket.BASE), valued, by_balance),
        ),
        Profile(
            "constant-price",
            "base at the prices of a base date: what is left of a change is amounts",
            (in_buckets(Bucket.BASE),),
            base_prices=True,
        ),
    )
}


def _counted(
    profile: Profile, claims: Claims, entry: Entry, away: frozenset[str], prices: Mapping[Place, Quote]
) -> Counted:
    if entry.book.category in away:
        return Counted(entry, 0, f"category {entry.book.category}, left out of sums")
    for rule in profile.rules:
        if why := rule(entry, claims):
            return Counted(entry, 0, why)
    return _at_base_price(entry, prices.get(entry.place)) if profile.base_prices else Counted(entry, entry.usd)


def _at_base_price(entry: Entry, quote: Quote | None) -> Counted:
    token = entry.book.snapshot.tokens.get(entry.line.holding.token)
    amount = entry.line.holding.amount
    if amount is None or entry.line.holding.status is not Status.OK:
        return Counted(entry, 0, f"no amount: {entry.line.holding.status}")
    if quote is None or quote.price is None or token is None or token.decimals is None:
        return Counted(entry, 0, "no price at the base date")
    return Counted(entry, usd_value(amount, token.decimals, quote.price))


def _change(a: Counted, b: Counted) -> tuple[str, int]:
    """Why an entry adds another sum, and how much more; no reason where it adds the same."""
    if a.left_out and b.left_out:
        return "", 0
    if b.left_out:
        return f"left out: {b.left_out}", -a.usd
    if a.left_out:
        return f"counted: {a.left_out}", b.usd
    return ("price of the base date" if a.usd != b.usd else ""), b.usd - a.usd


def _parts(changes: Iterable[tuple[str, int]]) -> list[Part]:
    sums: dict[str, tuple[int, int]] = {}
    for reason, usd in changes:
        so_far = sums.get(reason, (0, 0))
        sums[reason] = so_far[0] + usd, so_far[1] + 1
    parts = [Part(reason, usd, count) for reason, (usd, count) in sums.items()]
    return sorted(parts, key=lambda part: (-abs(part.usd), part.reason))
