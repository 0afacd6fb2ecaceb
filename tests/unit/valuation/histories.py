"""Snapshots of a made-up deployment, block by block: by hand for examples, by hypothesis for properties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from indexer.model import (
    Address,
    BlockRef,
    Bucket,
    Flow,
    Grade,
    Hash,
    Holding,
    Quote,
    Snapshot,
    Status,
    Step,
    Token,
)
from indexer.units import PRICE_DECIMALS, USD_DECIMALS
from indexer.valuation.attribution import Moves, Place
from indexer.valuation.value import judge, totals, value

KEY = "pot@chain"
DOLLAR = 10**PRICE_DECIMALS
USD = 10**USD_DECIMALS
GOLD, SILVER, OTHER = (Address("0x" + digit * 40) for digit in "abc")
POT, JAR = (Address("0x" + digit * 40) for digit in "12")
DECIMALS = {GOLD: 18, SILVER: 6, OTHER: 0}
ONE = {token: 10**decimals for token, decimals in DECIMALS.items()}
LATE = Status.HELD, "stale for 7200 s"

Held = Mapping[Place, int | None]
Prices = Mapping[Address, "int | Quote | None"]


def at(number: int, fork: int = 0) -> BlockRef:
    """Block `number`, one every twelve seconds."""
    return BlockRef(number, _hash(number, fork), _hash(number - 1, fork), 1_700_000_000 + 12 * number)


def _hash(number: int, fork: int) -> Hash:
    return Hash(f"0x{number * 1000 + fork:064x}")


def place(token: Address, bucket: Bucket = Bucket.BASE, owner: Address = POT) -> Place:
    """A token in the pot."""
    return token, owner, bucket


def quote(token: Address, price: int | None, *steps: Step, route: str = "chainlink:X/USD") -> Quote:
    """A price on the price scale; None is a price that is held."""
    if price is None:
        return Quote(token, None, None, None, Grade.U, route, status=LATE[0], reason=LATE[1])
    return Quote(token, price, price, price, Grade.A, route, steps)


def receipt_quote(token: Address, rate: int, underlying: int) -> Quote:
    """`rate` (two decimals) x `underlying` dollars, as a vault's share is priced."""
    steps = (Step("erc4626", token, rate, 2, 0), Step("chainlink", OTHER, underlying, 0, 0))
    return quote(token, rate * underlying * DOLLAR // 100, *steps, route="erc4626 > chainlink:X/USD")


def snapshot(
    number: int, held: Held, prices: Prices, *, methodology: str = "1", adapter: str = "k@1", fork: int = 0
) -> Snapshot:
    """Raw amounts (None: could not be read) at prices: a number, a quote, or None for held. No entry: no route."""
    holdings = [_holding(*where, amount) for where, amount in held.items()]
    tokens = {token: Token(token, token[2:6], DECIMALS[token]) for token, _, _ in held}
    quotes = {t: p if isinstance(p, Quote) else quote(t, p) for t, p in prices.items() if t in tokens}
    lines = value(holdings, quotes, tokens)
    ordered = tuple(sorted(lines, key=lambda line: (line.holding.token, line.holding.owner, line.holding.bucket)))
    return Snapshot(KEY, at(number, fork), ordered, quotes, tokens, totals(lines), *judge(lines), methodology, adapter)


def gap(number: int) -> Snapshot:
    """A block of which nothing could be read."""
    return Snapshot(KEY, at(number), (), {}, {}, {}, Status.GAP, "nothing answers", "1", "k@1")


def suspect(one: Snapshot, token: Address) -> Snapshot:
    """The same with a token out of the totals, though it has a value."""
    lines = tuple(replace(x, status=Status.SUSPECT) if x.holding.token == token else x for x in one.lines)
    return replace(one, lines=lines, totals=totals(lines))


def _holding(token: Address, owner: Address, bucket: Bucket, amount: int | None) -> Holding:
    known = (Status.OK, "") if amount is not None else (Status.HELD, "it reverts")
    return Holding(token, amount, owner, bucket, *known)


def total_of(one: Snapshot, bucket: Bucket = Bucket.BASE) -> int:
    """What the snapshot itself says the bucket sums up to."""
    return one.totals[bucket].usd if bucket in one.totals else 0


@dataclass(frozen=True, slots=True)
class History:
    """Snapshots of consecutive blocks, and every flow there was, of the places whose logs are kept."""

    snapshots: Sequence[Snapshot]
    flows: Sequence[Flow]
    logged: frozenset[Place]

    def ledger(self, after: int, upto: int) -> Moves:
        """As a store answers."""
        return Moves([flow for flow in self.flows if after < flow.at.number <= upto], self.logged)


PLACES = [place(GOLD), place(SILVER), place(SILVER, owner=JAR), place(SILVER, Bucket.BORROWED), place(OTHER)]
amounts = st.integers(0, 10**30)
prices_of_any_size = st.integers(1, 10**6).map(lambda n: n * DOLLAR // 997)


@st.composite
def histories(draw: st.DrawFn, blocks: int = 8) -> History:
    """Deposits, withdrawals, rebases, price moves, reads and prices that fail, tokens that come and go, gaps, rules."""
    count = draw(st.integers(2, blocks))
    held = {where: draw(amounts) for where in draw(st.sets(st.sampled_from(PLACES), min_size=1))}
    prices: dict[Address, int | Quote | None] = {token: draw(prices_of_any_size) for token in DECIMALS}
    logged = draw(st.frozensets(st.sampled_from(PLACES)))
    flows: list[Flow] = []
    made: list[Snapshot] = []
    rules = 1
    for number in range(1, count + 1):
        flows += _move(draw, number, held)
        _change_the_world(draw, held, prices)
        rules += draw(st.integers(0, 20)) == 20
        made.append(_seen(draw, number, held, prices, rules))
    return History(made, flows, logged)


def _move(draw: st.DrawFn, number: int, held: dict[Place, int]) -> Iterable[Flow]:
    for where in sorted(draw(st.sets(st.sampled_from(sorted(held))))) if held else []:
        came = draw(amounts)
        went = draw(st.integers(0, held[where] + came))
        held[where] += came - went
        yield Flow(at(number), where[0], where[1], where[2], came, went)


def _change_the_world(draw: st.DrawFn, held: dict[Place, int], prices: dict[Address, int | Quote | None]) -> None:
    event = draw(st.sampled_from(["nothing", "price", "price", "rebase", "enter", "leave", "receipt"]))
    token = draw(st.sampled_from([GOLD, SILVER, OTHER]))
    if event == "price":
        prices[token] = draw(prices_of_any_size)
    elif event == "receipt":
        prices[token] = receipt_quote(token, draw(st.integers(1, 10**4)), draw(st.integers(1, 10**4)))
    elif event == "rebase" and held:
        where = draw(st.sampled_from(sorted(held)))
        held[where] = held[where] * draw(st.integers(90, 110)) // 100
    elif event == "enter":
        held.setdefault(draw(st.sampled_from(PLACES)), draw(amounts))
    elif event == "leave" and held:
        held.pop(draw(st.sampled_from(sorted(held))))


def _seen(draw: st.DrawFn, number: int, held: Held, prices: Prices, rules: int) -> Snapshot:
    trouble = draw(st.sampled_from(["none"] * 5 + ["gap", "price", "read", "suspect", "no route"]))
    token = draw(st.sampled_from([GOLD, SILVER, OTHER]))
    if trouble == "gap":
        return gap(number)
    if trouble == "price":
        prices = {**prices, token: None}
    if trouble == "no route":
        prices = {t: p for t, p in prices.items() if t != token}
    if trouble == "read":
        held = {where: None if where[0] == token else amount for where, amount in held.items()}
    one = snapshot(number, held, prices, methodology=str(rules))
    return suspect(one, token) if trouble == "suspect" else one
