"""`tvl overlap`: what is counted twice, pair by pair, and what is left when each unit is counted once.

Reads the store alone: no endpoint is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import click

from indexer.cli import exact
from indexer.cli.options import Options, Verb
from indexer.cli.stored import deployments_of, time_at
from indexer.cli.table import FIRST_ROWS, echo_foreign, echo_table, numbers, words
from indexer.cli.text import iso, usd
from indexer.cli.when import LATEST, Moment, MomentType
from indexer.config.types import checksum
from indexer.run.books import Shelf, shelf
from indexer.valuation.books import Book, Place
from indexer.valuation.claims import Claims, Measures, Overlap, Shared

SCOPES: dict[str, Callable[[Book], str]] = {
    "protocol": lambda book: book.protocol,
    "category": lambda book: book.category,
    "chain": lambda book: book.chain,
    "total": lambda _: "all",
}
"""What is measured by itself; `total` is everything in the store."""


@dataclass(frozen=True, slots=True)
class Found:
    """The graph at a moment, and of which protocol it is asked (None: of all)."""

    protocol: str | None
    shelf: Shelf
    claims: Claims

    @property
    def rows(self) -> list[Overlap]:
        """The overlaps of all, or those that the protocol is in."""
        rows = self.claims.overlaps(SCOPES["protocol"])
        return [row for row in rows if self.protocol in (None, row.holder, row.issuer)]

    @property
    def shared(self) -> list[Shared]:
        """Balances that several deployments count; of the protocol's, where one is asked for."""
        mine = {book.key for book in self.claims.books if self.protocol in (None, book.protocol)}
        return [one for one in self.claims.shared() if mine & set(one.deployments)]

    def measures(self) -> Iterable[tuple[str, str, Measures]]:
        """Scope, name and measures: of the protocol, or of everything by every scope."""
        for scope, of in SCOPES.items() if self.protocol is None else [("protocol", SCOPES["protocol"])]:
            for name in sorted({of(book) for book in self.claims.books}):
                if self.protocol in (None, name):
                    yield scope, name, self.claims.measure(_named(of, name))


@click.command("overlap", cls=Verb)
@click.argument("protocol", required=False)
@click.option("--at", type=MomentType(), default=LATEST, metavar="WHEN", help="A block, a date, -1d. Default: latest.")
@click.option("--all", "everything", is_flag=True, help="Do not cut long tables.")
@click.option("--json", "as_json", is_flag=True, help="JSON; numbers are exact decimal strings.")
@click.pass_obj
def overlap(options: Options, *, protocol: str | None, at: Moment, everything: bool, as_json: bool) -> None:
    """Show what of PROTOCOL (default: of every protocol) is counted twice, and with whom.

    A holding whose token is a receipt of another stored protocol is a claim on what that one counts. gross: all that
    users brought, borrowed or not; base: what lies in each protocol; net: base without such claims; redeemable: net of
    plain tokens; the multiplier is gross to redeemable. The last snapshots at or before the moment are compared; one
    that is more than a day older is named and left out.

    \b
      tvl overlap
      tvl overlap yearn-v3 --at 2026-01-01
    """
    found = asyncio.run(_find(options, protocol, at))
    if as_json:
        exact.echo_json(_json(found))
    else:
        _echo(found, everything)


def _named(of: Callable[[Book], str], name: str) -> Callable[[Book], bool]:
    return lambda book: of(book) == name


async def _find(options: Options, protocol: str | None, at: Moment) -> Found:
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await deployments_of(store, protocol) if protocol else await store.deployments()
        one = await shelf(store, await time_at(store, rows, at))
    return Found(rows[0].protocol if protocol else None, one, Claims(one.books))


def _echo(found: Found, everything: bool) -> None:
    click.echo(f"at {iso(found.shelf.time)}, {len(found.shelf.books)} deployments")
    _echo_measures(found)
    _echo_pairs(found, everything)
    _echo_exposure(found, everything)
    _echo_shared(found.shared, everything)
    for key, why in found.shelf.lacking.items():
        echo_foreign(f"not in it: {key}: {why}")


def _echo_measures(found: Found) -> None:
    rows = [[scope, name, *_amounts(m), _times(m.multiplier), str(m.left_out)] for scope, name, m in found.measures()]
    if rows:
        columns = ["gross", "base", "net", "redeemable", "multiplier", "left out"]
        echo_table([*words("scope", "name"), *numbers(*columns)], rows)


def _amounts(m: Measures) -> list[str]:
    return [usd(m.gross), usd(m.base), usd(m.net), usd(m.redeemable)]


def _echo_pairs(found: Found, everything: bool) -> None:
    bases = {
        name: m.base for scope, name, m in Found(None, found.shelf, found.claims).measures() if scope == "protocol"
    }
    told = [_sentence(row, bases[row.holder]) for row in found.rows]
    if told:
        _echo_title("Counted twice")
    _echo_lines(told, everything)


def _sentence(row: Overlap, base: int) -> str:
    share = f"{row.usd * 1000 // base / 10} %" if base else "-"
    twice = "itself" if row.issuer == row.holder else row.issuer
    behind = "" if row.layer == 1 else f", behind {row.layer - 1} other claim{'s' if row.layer > 2 else ''}"
    return f"of {row.holder}'s {usd(base)}, {usd(row.usd)} ({share}) is already in {twice}{behind}"


def _echo_exposure(found: Found, everything: bool) -> None:
    """The plain tokens behind one protocol."""
    if found.protocol is None:
        return
    ((_, _, m),) = found.measures()
    symbols = {entry.place: entry.symbol for entry in found.claims.entries}
    rows = [[symbols[place], place[0], checksum(place[1]), usd(value)] for place, value in _largest(m)]
    if rows:
        _echo_title("Exposure: the tokens behind it")
        echo_table([*words("token", "chain", "address"), *numbers("value")], rows if everything else rows[:FIRST_ROWS])


def _largest(m: Measures) -> list[tuple[Place, int]]:
    return sorted(m.exposure.items(), key=lambda item: (-item[1], item[0]))


def _echo_shared(shared: Sequence[Shared], everything: bool) -> None:
    if shared:
        _echo_title("One balance, several deployments")
    _echo_lines([_shared_text(one) for one in shared], everything)


def _shared_text(one: Shared) -> str:
    chain, owner, _ = one.position
    counted = ", ".join(one.deployments)
    return f"{one.symbol} of {checksum(owner)} on {chain} is counted by {counted}: {usd(one.usd)} more than once"


def _echo_lines(lines: Sequence[str], everything: bool) -> None:
    for line in lines if everything else lines[:FIRST_ROWS]:
        echo_foreign(line)
    if not everything and len(lines) > FIRST_ROWS:
        click.echo(f"… and {len(lines) - FIRST_ROWS} more (--all)")


def _echo_title(title: str) -> None:
    click.echo()
    click.secho(title, bold=True)


def _times(multiplier: Fraction | None) -> str:
    """Two decimals, rounded down."""
    if multiplier is None:
        return "-"
    whole, cents = divmod(multiplier.numerator * 100 // multiplier.denominator, 100)
    return f"{whole}.{cents:02}"


def _json(found: Found) -> exact.Json:
    return {
        "time": iso(found.shelf.time),
        "timestamp": found.shelf.time,
        "blocks": {book.key: exact.block(book.snapshot.at) for book in found.claims.books},
        "lacking": found.shelf.lacking,
        "measures": [_measures_json(scope, name, m) for scope, name, m in found.measures()],
        "overlaps": [
            {"holder": row.holder, "issuer": row.issuer, "layer": row.layer, "usd": exact.usd(row.usd)}
            for row in found.rows
        ],
        "shared": [_shared_json(one) for one in found.shared],
    }


def _measures_json(scope: str, name: str, m: Measures) -> exact.Json:
    ratio = m.multiplier
    return {
        "scope": scope,
        "name": name,
        "gross": exact.usd(m.gross),
        "base": exact.usd(m.base),
        "inner": exact.usd(m.inner),
        "net": exact.usd(m.net),
        "redeemable": exact.usd(m.redeemable),
        "multiplier": None if ratio is None else [str(ratio.numerator), str(ratio.denominator)],
        "exposure": [
            {"chain": chain, "token": checksum(token), "usd": exact.usd(value)} for (chain, token), value in _largest(m)
        ],
        "left_out": m.left_out,
    }


def _shared_json(one: Shared) -> exact.Json:
    chain, owner, token = one.position
    return {
        "chain": chain,
        "owner": checksum(owner),
        "token": checksum(token),
        "symbol": one.symbol,
        "deployments": list(one.deployments),
        "usd": exact.usd(one.usd),
    }
