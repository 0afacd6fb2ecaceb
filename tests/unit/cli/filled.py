"""A small store with everything in it that a verb must be able to show, and the configuration that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.model import (
    Address,
    BlockRef,
    Bucket,
    Grade,
    Hash,
    Holding,
    Quote,
    Snapshot,
    Status,
    Step,
    Token,
)
from indexer.store import open_store
from indexer.store.base import Commit, DeploymentRow, Store
from indexer.units import PRICE_DECIMALS
from indexer.valuation.value import judge, totals, value

GENESIS = 1_767_225_600  # 2026-01-01T00:00:00Z
USDX, EVIL, OWNER, FEED = (Address("0x" + digit * 40) for digit in "1234")
HOSTILE = "[red]\x1b[2J\u202eUSD\n,=1+1"
DOLLAR = 10**PRICE_DECIMALS
TRAFFIC = {"eth_getBlockByNumber": 4, "eth_call": 9}
CONFIG = """\
[store]
url = "sqlite:///tvl.db"
[chains.ethereum]
chain_id = 1
native = { symbol = "ETH" }
endpoints = ["http://127.0.0.1:9/"]
[chains.base]
chain_id = 8453
native = { symbol = "ETH" }
endpoints = ["http://127.0.0.1:9/"]
"""


def write_config(folder: Path, text: str = CONFIG) -> Path:
    """The configuration of the store in `folder`."""
    file = folder / "config.toml"
    file.write_text(text)
    return file


def store_in(folder: Path) -> Store:
    """The store that `write_config` leads to."""
    return open_store("sqlite:///tvl.db", folder)


def block(number: int, chain: str = "ethereum", step_s: int = 600) -> BlockRef:
    """Block `number`, so many seconds times its number after the first of January 2026."""
    return BlockRef(number, _hash(chain, number), _hash(chain, number - 1), GENESIS + number * step_s)


def row(protocol: str, chain: str = "ethereum") -> DeploymentRow:
    """A deployment of a protocol."""
    return DeploymentRow(f"{protocol}@{chain}", protocol, chain, "token_balances", "yield", "{}", 0)


def snapshot(deployment: str, at: BlockRef, amount: int | None = 1_500_000, symbol: str = "USDX") -> Snapshot:
    """`amount` raw units (6 decimals) of a dollar token at $1.25, and some of a token without a price.

    None: the amount could not be had.
    """
    held = Holding(USDX, amount, OWNER, Bucket.BASE, *(() if amount is not None else (Status.HELD, "it reverts")))
    holdings = [held, Holding(EVIL, 7, OWNER)]
    quotes = {USDX: _quote(at)}
    tokens = {USDX: Token(USDX, symbol, 6), EVIL: Token(EVIL, HOSTILE, 18)}
    lines = value(holdings, quotes, tokens)
    return Snapshot(deployment, at, lines, quotes, tokens, totals(lines), *judge(lines), "1", "token_balances@1")


def gap(deployment: str, at: BlockRef, reason: str = "nothing answers") -> Snapshot:
    """A block of which nothing could be read."""
    return Snapshot(deployment, at, (), {}, {}, {}, Status.GAP, reason, "1", "token_balances@1")


async def fill(store: Store, chain: str, rows: Sequence[DeploymentRow], snapshots: Sequence[Snapshot]) -> None:
    """Commit snapshots of one chain in the order given, the head with them."""
    await store.register(rows)
    for one in snapshots:
        await store.commit(Commit(chain, [one], heads=[one.at], requests=3, traffic=TRAFFIC))


def _quote(at: BlockRef) -> Quote:
    step = Step("chainlink", FEED, 125_000_000, 8, at.timestamp - 90, 17)
    low, high = DOLLAR * 124 // 100, DOLLAR * 126 // 100
    return Quote(USDX, DOLLAR * 125 // 100, low, high, Grade.A, "chainlink:USDX/USD", (step,))


def _hash(chain: str, number: int) -> Hash:
    return Hash("0x" + (chain.encode().hex() + f"{number % 2**64:016x}").rjust(64, "0"))
