"""Small books made by hand: whole dollars, tokens by one letter, prices in dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from indexer.model import Address, BlockRef, Bucket, Grade, Hash, Holding, Quote, Snapshot, Status, Step, Token
from indexer.units import to_price
from indexer.valuation.books import Book
from indexer.valuation.value import judge, totals, value

USD = 10**18
DAY = 1_767_225_600  # 2026-01-01T00:00:00Z
DECIMALS = 6
ONE = 10**DECIMALS

ROUTES = {"share": "erc4626 > chainlink:X/USD", "pool": "uniswap_v3_twap > chainlink:X/USD", "feed": "chainlink:X/USD"}
Held = tuple[str, int | None] | tuple[str, int | None, str] | tuple[str, int | None, str, str]
"""Token, whole units (None: could not be had), owner, bucket; an owner `>R` also says that R is the receipt."""


def address(name: str) -> Address:
    """An address that spells a short name."""
    return Address("0x" + name.encode().hex().rjust(40, "0"))


def block(number: int, timestamp: int | None = None) -> BlockRef:
    """A block; twelve seconds after the one before unless its time is given."""
    digits = f"{number:064x}"
    return BlockRef(
        number,
        Hash("0x" + digits),
        Hash("0x" + digits[1:] + "f"),
        DAY + number * 12 if timestamp is None else timestamp,
    )


def holding(token: str, whole: int | None, owner: str = "o", bucket: str = "base") -> Holding:
    """Some of a token; see `Held`."""
    name, _, receipt = owner.partition(">")
    status = Status.OK if whole is not None else Status.HELD
    return Holding(
        token=address(token),
        amount=None if whole is None else whole * ONE,
        owner=address(name or "o"),
        bucket=Bucket(bucket),
        status=status,
        reason="" if whole is not None else "it reverts",
        receipt=address(receipt) if receipt else None,
    )


def quote(token: str, usd: Fraction | int | None, at: BlockRef, grade: Grade = Grade.A, route: str = "feed") -> Quote:
    """A price in dollars; None: it is held."""
    price = None if usd is None else to_price(Fraction(usd))
    status = Status.OK if price is not None else Status.HELD
    reason = "" if price is not None else "stale"
    step = Step("chainlink", address(token), price or 0, 36, at.timestamp)
    return Quote(address(token), price, price, price, grade, ROUTES.get(route, route), (step,), status, reason)


def snapshot(
    key: str,
    held: Sequence[Held],
    prices: Mapping[str, Fraction | int | Quote | None] | None = None,
    at: BlockRef | None = None,
    adapter: str = "token_balances@1",
) -> Snapshot:
    """A snapshot; tokens without a price given are worth a dollar."""
    at = at or block(100)
    holdings = [holding(*one) for one in held]
    names = sorted({one[0] for one in held})
    given = {name: (prices or {}).get(name, 1) for name in names}
    quotes = {
        address(name): price if isinstance(price, Quote) else quote(name, price, at) for name, price in given.items()
    }
    tokens = {address(name): Token(address(name), name, DECIMALS) for name in names}
    lines = value(holdings, quotes, tokens)
    return Snapshot(key, at, lines, quotes, tokens, totals(lines), *judge(lines), "1", adapter)


def book(
    protocol: str,
    held: Sequence[Held],
    prices: Mapping[str, Fraction | int | Quote | None] | None = None,
    *,
    chain: str = "ethereum",
    category: str = "other",
    at: BlockRef | None = None,
    adapter: str = "token_balances@1",
    params: Mapping[str, object] | None = None,
) -> Book:
    """A deployment's book."""
    one = snapshot(f"{protocol}@{chain}", held, prices, at, adapter)
    return Book(protocol, chain, category, one, params or {})
