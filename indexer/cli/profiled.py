"""`tvl show --profile`: one moment of a protocol under a named definition, and how it differs from another one.

Reads the store alone: the same stored readings, counted in another way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import click

from indexer.cli import exact
from indexer.cli.options import Options
from indexer.cli.stored import deployments_of, time_at
from indexer.cli.table import FIRST_ROWS, echo_foreign, echo_table, numbers, words
from indexer.cli.text import iso, usd
from indexer.cli.when import Moment, MomentType
from indexer.config.types import checksum
from indexer.errors import UnknownName
from indexer.model import Quote
from indexer.run.books import Shelf, shelf
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.books import Place
from indexer.valuation.claims import Claims
from indexer.valuation.profiles import (
    PROFILES,
    TOGGLES,
    Counted,
    Part,
    Profile,
    apply,
    difference,
    reasons,
    total,
    with_toggles,
)

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("--profile", metavar="NAME", help="At one moment, under another definition: net, llama, verifiable …"),
    click.option("--against", metavar="NAME", help="With --profile: explain the difference to another one."),
    click.option(
        "--toggle",
        "toggles",
        multiple=True,
        metavar="NAME",
        help="A switch of --profile llama, such as staking.",
    ),
    click.option("--prices-at", type=MomentType(), metavar="WHEN", help="The base date of --profile constant-price."),
)

EVERYTHING = "all"
"""In a protocol's place: every stored protocol together."""


class Definition(TypedDict):
    """The options of a profile, as they were given."""

    profile: str | None
    against: str | None
    toggles: tuple[str, ...]
    prices_at: Moment | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which profile of what, and against which other."""

    protocol: str
    at: Moment
    profile: Profile
    against: Profile | None
    prices_at: Moment | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A protocol under one or two profiles. `counted` of the second is empty where none was asked for."""

    wanted: Wanted
    shelf: Shelf
    counted: list[Counted]
    other: list[Counted]


def profile_options(command: F) -> F:
    """Give a command the options of a profile."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def wanted(protocol: str, at: Moment, given: Definition) -> Wanted:
    """The profiles by their names, DefiLlama's with the toggles. Raises UsageError for what cannot be."""
    if given["profile"] is None:
        raise click.UsageError("--against, --toggle and --prices-at need --profile.")
    profile = _profile(given["profile"], given["toggles"])
    against = _profile(given["against"], given["toggles"]) if given["against"] else None
    chosen = [one for one in (profile, against) if one]
    if given["toggles"] and all(one.name in PROFILES for one in chosen):
        raise click.UsageError("--toggle is for --profile llama.")
    if any(one.base_prices for one in chosen) != (given["prices_at"] is not None):
        raise click.UsageError("--profile constant-price and --prices-at need each other.")
    return Wanted(protocol, at, profile, against, given["prices_at"])


def show_profile(options: Options, asked: Wanted, everything: bool, as_json: bool) -> None:
    """Count it and show it."""
    shown = asyncio.run(profiled(options, asked))
    if as_json:
        echo_profiled_json(shown)
    else:
        echo_profiled(shown, everything)


async def profiled(options: Options, asked: Wanted) -> Shown:
    """Count it. Raises UnknownName for a protocol of which nothing is stored then."""
    options.log("error")
    async with options.store(options.settings()) as store:
        rows = await _rows(store, asked.protocol)
        one = await shelf(store, await time_at(store, rows, asked.at))
        prices = await _base_prices(store, rows, asked.prices_at)
    keys, claims = {row.key for row in rows}, Claims(one.books)
    if not any(book.key in keys for book in one.books):
        raise UnknownName(
            f"nothing of {asked.protocol} is stored at {asked.at.text}", hint="`tvl status` tells what is stored."
        )
    first, second = (
        apply(profile, claims, lambda entry: entry.book.key in keys, prices) if profile else []
        for profile in (asked.profile, asked.against)
    )
    return Shown(asked, one, first, second)


def echo_profiled(shown: Shown, everything: bool) -> None:
    """The page."""
    profile, against = shown.wanted.profile, shown.wanted.against
    click.secho(f"{shown.wanted.protocol}  {profile.name}", bold=True)
    click.echo(f"{profile.means}; at {iso(shown.shelf.time)}")
    click.echo(f"total {usd(total(shown.counted))}")
    _echo_counted(shown.counted, everything)
    _echo_parts("Left out", reasons(shown.counted))
    if against:
        _echo_parts(f"Against {against.name}: {usd(total(shown.other))}", _parts(shown))
    for key, why in shown.shelf.lacking.items():
        echo_foreign(f"not in it: {key}: {why}")


def echo_profiled_json(shown: Shown) -> None:
    """One JSON document."""
    against = shown.wanted.against
    document: exact.Json = {
        "protocol": shown.wanted.protocol,
        "profile": shown.wanted.profile.name,
        "means": shown.wanted.profile.means,
        "time": iso(shown.shelf.time),
        "timestamp": shown.shelf.time,
        "usd": exact.usd(total(shown.counted)),
        "left_out": [_part_json(part) for part in reasons(shown.counted)],
        "holdings": [_counted_json(one) for one in shown.counted],
        "lacking": shown.shelf.lacking,
    }
    if against:
        document["against"] = {
            "profile": against.name,
            "usd": exact.usd(total(shown.other)),
            "parts": [_part_json(part) for part in _parts(shown)],
        }
    exact.echo_json(document)


def _profile(name: str, toggles: Sequence[str]) -> Profile:
    if name not in PROFILES:
        raise click.UsageError(f"there is no profile {name!r}; there are: {', '.join(PROFILES)}")
    if unknown := [toggle for toggle in toggles if toggle not in TOGGLES]:
        raise click.UsageError(f"there is no toggle {unknown[0]!r}; there are: {', '.join(TOGGLES)}")
    return with_toggles(PROFILES[name], toggles) if name == "llama" and toggles else PROFILES[name]


async def _rows(store: Store, protocol: str) -> list[DeploymentRow]:
    rows = await store.deployments()
    named = any(protocol in (row.protocol, row.key) for row in rows)
    return rows if protocol == EVERYTHING and rows and not named else await deployments_of(store, protocol)


async def _base_prices(
    store: Store, rows: Sequence[DeploymentRow], prices_at: Moment | None
) -> Mapping[Place, Quote] | None:
    """Every price that was stored at the base date, the asked deployments' own before others'."""
    if prices_at is None:
        return None
    then = await shelf(store, await time_at(store, rows, prices_at))
    own = {row.key for row in rows}
    books = sorted(then.books, key=lambda book: book.key in own)
    return {(book.chain, token): quote for book in books for token, quote in book.snapshot.quotes.items()}


def _parts(shown: Shown) -> list[Part]:
    """What has to be added to the other profile's sum to make this one's."""
    return difference(shown.other, shown.counted)


def _echo_counted(counted: Sequence[Counted], everything: bool) -> None:
    rows = [
        [one.entry.symbol, str(one.entry.line.holding.bucket), one.entry.book.key, usd(one.usd)]
        for one in sorted(counted, key=lambda one: -one.usd)
        if not one.left_out
    ]
    if rows:
        echo_table(
            [*words("token", "bucket", "deployment"), *numbers("value")], rows if everything else rows[:FIRST_ROWS]
        )
        if not everything and len(rows) > FIRST_ROWS:
            click.echo(f"… and {len(rows) - FIRST_ROWS} more (--all)")


def _echo_parts(title: str, parts: Sequence[Part]) -> None:
    if parts or title.startswith("Against"):
        click.echo()
        click.secho(title, bold=True)
    if parts:
        rows = [[part.reason, usd(part.usd), str(part.entries)] for part in parts]
        echo_table(
            [*words("why"), *numbers("value", "holdings")], [*rows, ["together", usd(sum(p.usd for p in parts)), ""]]
        )


def _part_json(part: Part) -> exact.Json:
    return {"reason": part.reason, "usd": exact.usd(part.usd), "holdings": part.entries}


def _counted_json(one: Counted) -> exact.Json:
    held = one.entry.line.holding
    return {
        "deployment": one.entry.book.key,
        "block": one.entry.book.snapshot.at.number,
        "block_hash": one.entry.book.snapshot.at.hash,
        "token": checksum(held.token),
        "symbol": one.entry.symbol,
        "owner": checksum(held.owner),
        "bucket": str(held.bucket),
        "usd": None if one.left_out else exact.usd(one.usd),
        "stored_usd": exact.usd(one.entry.line.usd),
        "left_out": one.left_out,
    }
