"""A built catalog -> what share of the registry it covers: a page of the documentation, and a report for maintainers.

Counts rows, not value: nobody can know from here what a protocol holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tools.protocol_catalog import Result
from tools.protocol_rows import Row

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "coverage.md"
FEWEST_ROWS = 20
"""Chains with fewer rows share a line."""

REMEDIES = {
    "which of the values": "a recipe written by hand for each protocol",
    "its functions take arguments": "a recipe written by hand for each protocol",
    "an event that is known by its hash": "the event's signature, then a recipe",
    "positions of its owners are NFTs": "a kind that values Uniswap positions",
    "its tokens are found by a web service": "prices for the chain: then its owners are asked for what is priced",
    "the chain is not in the catalog": "a row in `catalog/chains.toml`",
    "`aave_v2` refuses `registry`": "`registry` as a parameter of the kind",
    "a part of the calculation is code": "a look at the adapter's source",
    "another part of the same number": "whatever brings that part",
    "a curator's vaults": "the factories of those makers",
    "malformed address": "the right address: what was recorded is none",
    "a fork of Compound V2": "a parameter, or a recipe",
    "a farm with functions": "a recipe",
    "troves with functions": "a recipe",
    "no kind reads it": "a kind",
}
"""What would bring the rows of a reason, by how the reason begins."""

HEAD = """\
# What the protocol catalog covers

Written by `python -m tools.protocol_catalog`; a test fails when it is not true.

The measure is a registry of real deployments: what the adapters of
[DefiLlama-Adapters](https://github.com/DefiLlama/DefiLlama-Adapters) at commit 1eb4e81 (22 August 2026) were recorded
to read, one row for each protocol, chain, kind of reading and bucket. Counted are the rows that are whole, alive and of
an EVM chain. A row is covered if the catalog has a deployment that reads the same contracts, and whose parameters the
program accepts. Shares are of rows, not of value, and say nothing of prices: a token without a route stays unpriced and
is shown so. Addresses are carried over from the registry and were not checked on chain: `tvl check NAME` does that.
"""


def page(result: Result) -> str:
    """The page, in Markdown."""
    covered, rows = len(result.rows) - len(result.left), len(result.rows)
    names, chains = {entry.name for entry in result.entries}, {entry.chain for entry in result.entries}
    told = (
        f"**{covered:,} of {rows:,} rows ({_share(covered, rows)}) are covered**, by {len(result.entries):,} "
        f"deployments of {len(names):,} protocols on {len(chains)} chains."
    )
    parts = [
        ("By kind", ["kind in the registry", "read by"], _kind_rows(result)),
        ("By chain", ["chain"], _chain_rows(result)),
    ]
    tables = [f"## {title}\n\n{_table([*first, *COUNTED], rows)}" for title, first, rows in parts]
    return "\n".join([HEAD, told + "\n", *tables, f"## What is left out\n\n{_reasons(result)}"])


COUNTED = ("rows", "covered", "share")


def report(result: Result) -> str:
    """Every reason with the kinds of the registry that it concerns, the most frequent first."""
    counted = Counter((result.rows[i].kind, reason) for i, reason in result.left.items())
    left = [f"{times:5} {kind}: {reason}" for (kind, reason), times in counted.most_common()]
    return "\n".join([*left, *(f"by hand, waiting: {told}" for told in result.waiting)])


def _kind_rows(result: Result) -> Iterator[list[str]]:
    readers: dict[str, set[str]] = {}
    for entry in result.entries:
        for i in entry.rows:
            readers.setdefault(result.rows[i].kind, set()).add(f"`{entry.reading.kind}`")
    for kind, counts in _counted(result, lambda row: row.kind):
        yield [f"`{kind}`", ", ".join(sorted(readers.get(kind, ()))) or "-", *counts]


def _chain_rows(result: Result) -> Iterator[list[str]]:
    frequent = {chain for chain, times in Counter(row.chain_id for row in result.rows).items() if times >= FEWEST_ROWS}
    for chain, counts in _counted(result, lambda row: _chain(row, result, frequent)):
        yield [chain, *counts]


def _chain(row: Row, result: Result, frequent: set[int]) -> str:
    name = result.chains.get(row.chain_id)
    if name and row.chain_id in frequent:
        return name
    return f"others with fewer than {FEWEST_ROWS} rows" if name else "chains that are not in the catalog"


def _counted(result: Result, of: Callable[[Row], str]) -> Iterator[tuple[str, list[str]]]:
    """Rows, covered rows and their share, by what `of` says of a row; the most rows first."""
    rows = Counter(of(row) for row in result.rows)
    left = Counter(of(result.rows[i]) for i in result.left)
    for name, times in sorted(rows.items(), key=lambda item: (-item[1], item[0])):
        yield name, [f"{times:,}", f"{times - left[name]:,}", _share(times - left[name], times)]


def _reasons(result: Result) -> str:
    counted = Counter(result.left.values())
    kinds: dict[str, Counter[str]] = {}
    for i, reason in result.left.items():
        kinds.setdefault(reason, Counter())[result.rows[i].kind] += 1
    rows = [
        [reason, f"{times:,}", ", ".join(f"`{kind}` {n}" for kind, n in _most(kinds[reason])), _remedy(reason)]
        for reason, times in _most(counted)
    ]
    return _table(["reason", "rows", "kinds in the registry", "what would bring them"], rows)


def _remedy(reason: str) -> str:
    return next((remedy for start, remedy in REMEDIES.items() if reason.startswith(start)), "a look at each")


def _most(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    marks = ["---:" if title in COUNTED else "---" for title in titles]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (titles, marks, *rows))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
