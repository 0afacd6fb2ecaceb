"""Fact tables -> the shipped price catalog: `indexer/config/catalog/{feeds,tokens}/<chain>.toml`.

Reads four CSV tables of `tools/data/`, reviewed by people, and never asks a node or the web:

- `feeds.csv`: Chainlink's feeds: proxy, decimals, heartbeat and deviation as Chainlink publishes them in its reference
  data directory (https://reference-data-directory.vercel.app, behind docs.chain.link/data-feeds/price-feeds/addresses).
- `tokens.csv`: tokens and their routes, best first: `chainlink:RETH/ETH in WETH; rate:exchangeRate()(uint256) in WETH`.
- `chains.csv`: where the copy of the directory was read.
- `repositories.csv`: the commits of the public repositories that rows name as sources.

An address stands in two public sources, or is marked `one source only`. To change the catalog, change a row, then run

    python -m tools.price_catalog                                     # write the files
    python -m tools.price_catalog check                               # say what is wrong, or not up to date
    python -m tools.price_catalog compare arbitrum feeds-….json       # against a fresh copy of Chainlink's directory
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.config.types import checksum
from indexer.model import Address

DATA = Path(__file__).parent / "data"
CATALOG = Path(__file__).parents[1] / "indexer" / "config" / "catalog"
WIDTH = 125
MIN_HEARTBEAT_S = 60
"""Feeds that answer every few blocks publish less; a promise below a minute says no more than one of a minute."""

SUBJECT = {
    "aave_oracle": "oracle",
    "chainlink": "feed",
    "curve_lp": "pool",
    "erc4626": "asset",
    "fixed": "price",
    "rate": "call",
    "wrapped": "in",
}
"""What stands behind the colon of a route, by its kind."""

FEEDS_HEAD = f"""
Chainlink price feeds on {{title}}: proxies, never the aggregators behind them, and none of the variants that sell the \
right to the update (SVR). Written by tools/price_catalog.py from tools/data/feeds.csv: change it there.
decimals, heartbeat_s, deviation_bps: Chainlink's reference data directory (the JSON behind \
docs.chain.link/data-feeds/price-feeds/addresses), copy of {{date}} in {{directory}}; deviation rounded up to a basis \
point, heartbeats below {MIN_HEARTBEAT_S} s set to it.
Above an entry: where else its address stands. Read on chain: description and decimals answered by the proxy, in \
euler-xyz/oracle-checks data/<chain id>/chainlink/feeds.json.
"""

TOKENS_HEAD = """
Tokens on {title} and their routes to a price, best first. A route is one step; `in` is the unit of its answer: \
another entry of this file, priced by its own routes, or USD when absent. Feeds are in feeds/{chain}.toml. Written by \
tools/price_catalog.py from tools/data/tokens.csv: change it there.
Above an entry: two public sources of its address and decimals. Receipts of Aave and Compound, and bridged dollars \
beside native ones, are `wrapped`: their contract owes the token inside one for one, and the price says so by grade B.
"""

NUMBERS = ("args", "coins", "decimals", "growth_yearly_bps")
_PARAMETER = re.compile(r" (args|call|coins|decimals|growth_rate|growth_since|growth_yearly_bps|in|target) ")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_UNSOURCED = (Address("0x" + "00" * 20), Address("0x" + "bb" * 20))
"""Marks by convention, not contracts: the coin itself, and bitcoin as a unit of account."""


class TableError(Exception):
    """A row of a table that cannot be used. The message names it and what would be right."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed behind its proxy; `sources` are those beside Chainlink's directory."""

    chain: str
    pair: str
    address: str
    decimals: int
    heartbeat_s: int
    deviation_bps: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """One token, its routes in the order they are tried, and the sources of its address."""

    chain: str
    group: str
    symbol: str
    address: str
    decimals: int
    routes: tuple[Mapping[str, Any], ...]
    sources: tuple[str, ...]
    note: str
    pegged: str


@dataclass(frozen=True, slots=True)
class Tables:
    """All facts, in the order of their files."""

    feeds: Sequence[Feed]
    tokens: Sequence[Token]
    chains: Mapping[str, Mapping[str, str]]
    commits: Mapping[str, str]


def main(arguments: Sequence[str]) -> int:
    """Write, check or compare. The exit code is 1 where something is wrong."""
    tables = read()
    problems = list(check(tables))
    if arguments[:1] == ["compare"]:
        problems += compare(tables, arguments[1], json.loads(Path(arguments[2]).read_text("utf-8")))
    elif arguments == ["check"]:
        problems += [f"{path} is not what the tables say" for path, text in files(tables) if not _is(path, text)]
    elif not problems:
        for path, text in files(tables):
            path.write_text(text, "utf-8")
    print("\n".join(problems) or f"{len(tables.feeds)} feeds, {len(tables.tokens)} tokens")
    return 1 if problems else 0


def read(folder: Path = DATA) -> Tables:
    """The four tables. Raises TableError where a row has no shape."""
    return Tables(
        feeds=[_feed(row) for row in _rows(folder / "feeds.csv")],
        tokens=[_token(row) for row in _rows(folder / "tokens.csv")],
        chains={row["chain"]: row for row in _rows(folder / "chains.csv")},
        commits={row["repository"]: f"{row['commit']} ({row['date']})" for row in _rows(folder / "repositories.csv")},
    )


def parse_route(text: str) -> dict[str, Any]:
    """`chainlink:RETH/ETH in WETH` as a table of the catalog. Raises TableError."""
    kind, colon, rest = text.partition(":")
    if kind not in SUBJECT or not colon or not rest:
        raise TableError(f"{text!r} is no route: expected kind:subject, with kind one of {', '.join(SUBJECT)}")
    subject, *parameters = _PARAMETER.split(rest)
    route: dict[str, Any] = {"kind": kind, SUBJECT[kind]: subject}
    for key, value in zip(parameters[::2], parameters[1::2], strict=True):
        route[key] = _value(key, value)
    return route


def check(tables: Tables) -> Iterator[str]:
    """What is wrong with the facts among each other, one sentence each."""
    rows: list[Feed | Token] = [*tables.feeds, *tables.tokens]
    for row in rows:
        if row.address != checksum(Address(row.address.lower())):
            yield f"{_name(row)}: wrong checksum: {checksum(Address(row.address.lower()))} if the digits are right"
        unknown = {source.split()[0] for source in row.sources if "/" in source.split()[0]} - tables.commits.keys()
        yield from (f"{_name(row)}: {repository} is not in repositories.csv" for repository in sorted(unknown))
    for table in (tables.feeds, tables.tokens):
        keys = Counter(key for row in table for key in (_name(row), f"{row.chain} {row.address}"))
        yield from (f"{key} stands twice" for key, times in keys.items() if times > 1)
    yield from _unresolved(tables)


def compare(tables: Tables, chain: str, directory: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where the rows of a chain are not what a copy of Chainlink's directory says."""
    published = {str(entry.get("proxyAddress")).lower(): entry for entry in directory}
    problems = []
    for feed in (feed for feed in tables.feeds if feed.chain == chain):
        entry = published.get(feed.address.lower())
        if entry is None:
            problems.append(f"{_name(feed)}: {feed.address} is no longer published")
            continue
        says = (entry["decimals"], entry["heartbeat"], max(1, math.ceil(entry["threshold"] * 100 - 1e-9)))
        if says != (feed.decimals, feed.heartbeat_s, feed.deviation_bps):
            problems.append(f"{_name(feed)}: decimals, heartbeat, deviation are published as {says}")
    return problems


def files(tables: Tables) -> Iterator[tuple[Path, str]]:
    """Every file of the catalog's prices, and what it has to say."""
    for chain, facts in tables.chains.items():
        feeds = [feed for feed in tables.feeds if feed.chain == chain]
        tokens = [token for token in tables.tokens if token.chain == chain]
        head = _head(FEEDS_HEAD, facts) + _named(tables, feeds, facts["directory"])
        yield CATALOG / "feeds" / f"{chain}.toml", "\n\n".join([head, *map(_feed_entry, feeds)]) + "\n"
        head = _head(TOKENS_HEAD, facts) + _named(tables, tokens)
        yield CATALOG / "tokens" / f"{chain}.toml", "\n\n".join([head, *_token_entries(tokens)]) + "\n"


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, strict=True)


def _feed(row: Mapping[str, str]) -> Feed:
    return Feed(
        chain=row["chain"],
        pair=row["pair"],
        address=row["address"],
        decimals=int(row["decimals"]),
        heartbeat_s=int(row["heartbeat_s"]),
        deviation_bps=int(row["deviation_bps"]),
        sources=_listed(row["sources"]),
    )


def _token(row: Mapping[str, str]) -> Token:
    return Token(
        chain=row["chain"],
        group=row["group"],
        symbol=row["symbol"],
        address=row["address"],
        decimals=int(row["decimals"]),
        routes=tuple(parse_route(text) for text in _listed(row["routes"])),
        sources=_listed(row["sources"]),
        note=row["note"],
        pegged=row["pegged"],
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split("; ") if part)


def _value(key: str, text: str) -> Any:
    if key not in NUMBERS:
        return text
    if not all(part.isdigit() for part in text.split(",")):
        raise TableError(f"{key} {text!r}: expected whole numbers")
    return [int(part) for part in text.split(",")] if key == "args" else int(text)


def _unresolved(tables: Tables) -> Iterator[str]:
    """Names in routes that no row explains, and feeds that no route uses."""
    pairs = {_name(feed) for feed in tables.feeds}
    symbols = {_name(token) for token in tables.tokens}
    steps = [(token, route) for token in tables.tokens for route in token.routes]
    for token, route in steps:
        for key in ("in", "asset"):
            if key in route and f"{token.chain} {route[key]}" not in symbols:
                yield f"{_name(token)}: {key} {route[key]!r} is no token of {token.chain}"
        if "feed" in route and f"{token.chain} {route['feed']}" not in pairs:
            yield f"{_name(token)}: {route['feed']!r} is no feed of {token.chain}"
    used = {f"{token.chain} {route['feed']}" for token, route in steps if "feed" in route}
    yield from (f"{pair}: no token uses the feed" for pair in sorted(pairs - used))


def _key(row: Feed | Token) -> str:
    return row.pair if isinstance(row, Feed) else row.symbol


def _name(row: Feed | Token) -> str:
    return f"{row.chain} {_key(row)}"


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def _head(paragraphs: str, facts: Mapping[str, str]) -> str:
    return _comment(*paragraphs.format(**facts).strip().splitlines())


def _named(tables: Tables, rows: Iterable[Feed | Token], *more: str) -> str:
    """The commits of the repositories that a file's rows name."""
    named = {source.split()[0] for row in rows for source in (*row.sources, *more)} & tables.commits.keys()
    return "\n" + _comment(
        "; ".join(f"{name} at {tables.commits[name]}" for name in sorted(named, key=str.lower)) + "."
    )


def _comment(*paragraphs: str) -> str:
    lines = [textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False) for text in paragraphs]
    return "\n".join(f"# {line}" for paragraph in lines for line in paragraph)


def _feed_entry(feed: Feed) -> str:
    held = feed.heartbeat_s < MIN_HEARTBEAT_S
    return "\n".join(
        [
            _comment("; ".join(feed.sources) or "one source only: Chainlink's directory"),
            f"[{_quoted(feed.pair)}]",
            f'address = "{feed.address}"',
            f"decimals = {feed.decimals}",
            f"heartbeat_s = {max(feed.heartbeat_s, MIN_HEARTBEAT_S)}" + (f" # {feed.heartbeat_s}" if held else ""),
            f"deviation_bps = {feed.deviation_bps}",
        ]
    )


def _token_entries(tokens: Iterable[Token]) -> Iterator[str]:
    group = ""
    for token in tokens:
        if token.group != group:
            yield f"# ---- {token.group}"
        group = token.group
        yield _token_entry(token)


def _token_entry(token: Token) -> str:
    alone = len(token.sources) < 2 and token.address.lower() not in _UNSOURCED
    remarks = ["; ".join(token.sources) + ("; one source only" if alone else ""), *([token.note] if token.note else [])]
    routes = [f"{{ {', '.join(f'{key} = {_toml(value)}' for key, value in route.items())} }}" for route in token.routes]
    listed = f"[ {routes[0]} ]" if len(routes) == 1 else "[\n" + "".join(f"  {route},\n" for route in routes) + "]"
    return "\n".join(
        [
            _comment(*remarks),
            f"[{token.symbol if _BARE_KEY.fullmatch(token.symbol) else _quoted(token.symbol)}]",
            f'address = "{token.address}"',
            f"decimals = {token.decimals}",
            *([f'pegged = "{token.pegged}"'] if token.pegged else []),
            f"routes = {listed}",
        ]
    )


def _toml(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
