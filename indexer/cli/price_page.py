"""One token's price as a page for people, or as JSON: the quote, the answers behind it, and the routes not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from indexer.cli import exact
from indexer.cli.lastgood import LastGood
from indexer.cli.page import step_text
from indexer.cli.table import Cell, Styled, echo_foreign, echo_table, numbers, words
from indexer.cli.text import amount_text, duration, iso, short
from indexer.cli.tokens import Meant
from indexer.config.types import checksum
from indexer.model import Address, BlockRef, Grade, Quote
from indexer.pricing.compose import Candidate, Priced, Refused, Settled
from indexer.pricing.guards import apart_bps, percent
from indexer.units import PRICE_DECIMALS, to_price

_COLORS = {"taken": "green", "witness": "cyan", "not used": "yellow"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A token, and what was found out about it at a block: its own routes first, then those of what it counts in.

    `last` is what is shown beside the held ones; `symbols` are the configuration's names of the chain's tokens.
    """

    meant: Meant
    at: BlockRef
    settled: Mapping[Address, Settled]
    symbols: Mapping[Address, str]
    last: Mapping[Address, LastGood] = field(default_factory=dict)

    @property
    def quote(self) -> Quote:
        """The token's own quote."""
        return self.settled[self.meant.address].quote

    def symbol(self, token: Address) -> str:
        """What a token is called here."""
        return self.symbols.get(token) or short(checksum(token))


def echo_price(asked: Asked, *, explain: bool) -> None:
    """The page; with every route and step if `explain`."""
    token, at = asked.meant, asked.at
    click.echo(f"{click.style(token.symbol, bold=True)}  {checksum(token.address)}  {token.chain.name}")
    click.echo(f"block {at.number}  {iso(at.timestamp)}  {at.hash}\n")
    _echo_quote(asked)
    if explain:
        for address, settled in asked.settled.items():
            _echo_routes(asked.symbol(address), settled, at)


def echo_price_json(asked: Asked) -> None:
    """Everything, exact: the quote, its last good value where it is held, and the routes of every token on the way."""
    token, at = asked.meant, asked.at
    exact.echo_json(
        {
            "chain": token.chain.name,
            "block": exact.block(at),
            "quote": exact.quote(asked.quote, token.symbol, at),
            "last_good": _last_json(asked, token.address),
            "tokens": [
                {
                    "token": checksum(address),
                    "symbol": asked.symbols.get(address, ""),
                    "last_good": _last_json(asked, address),
                    "routes": [_route_json(settled, i, asked.at) for i in range(len(settled.candidates))],
                }
                for address, settled in asked.settled.items()
            ],
        }
    )


def outcome(settled: Settled, i: int) -> tuple[str, str]:
    """What became of one route: `taken`, `held`, `witness`, `not used`, `refused` or `absent`; and why."""
    candidate = settled.candidates[i]
    tried = candidate.tried
    if isinstance(tried, Refused):
        return "absent" if tried.absent else "refused", tried.reason
    if i == settled.taken:
        return ("taken", "") if settled.exact else ("held", settled.quote.reason)
    if candidate.last_resort:
        return "not used", "a last resort: it answers only where no other source exists yet"
    if tried.grade >= Grade.D:
        return "not used", f"graded {tried.grade}: it bears no witness"
    return "witness", _distance(tried, settled)


def _distance(witness: Priced, settled: Settled) -> str:
    taken = None if settled.taken is None else settled.candidates[settled.taken].tried
    if not isinstance(taken, Priced):
        return ""
    return f"{percent(apart_bps(witness.price, taken.price))} apart from the one taken"


def _last_json(asked: Asked, token: Address) -> exact.Json | None:
    last = asked.last.get(token)
    return last.json(asked.at) if last else None


def _echo_quote(asked: Asked) -> None:
    quote, at = asked.quote, asked.at
    if quote.price is None or quote.low is None or quote.high is None:
        echo_foreign(f"price   {quote.status}: {quote.reason}")
        _echo_last(asked)
    else:
        price, low, high = (f"${amount_text(value, PRICE_DECIMALS)}" for value in (quote.price, quote.low, quote.high))
        click.echo(f"price   {click.style(price, bold=True)}  ({low} to {high})")
        click.echo(f"grade   {quote.grade}")
        click.echo(f"age     {duration(quote.age_s(at))}")
    echo_foreign(f"route   {quote.route}")
    for flag in quote.flags:
        echo_foreign(f"flag    {flag}")


def _echo_last(asked: Asked) -> None:
    """The token's own last good price; where none is known, those of the held tokens that it counts in."""
    own = asked.last.get(asked.meant.address)
    if own or not asked.last:
        click.echo(f"        {own.text(asked.at) if own else 'no last good price is known'}")
        return
    for token, last in asked.last.items():
        echo_foreign(f"{asked.symbol(token)}: {last.text(asked.at)}", "        ")


def _echo_routes(symbol: str, settled: Settled, at: BlockRef) -> None:
    click.echo()
    click.secho(f"Routes of {symbol}", bold=True)
    rows = [_cells(settled, i) for i in range(len(settled.candidates))]
    echo_table([*words("", "route"), *numbers("price"), *words("grade", "")], rows)
    for candidate in settled.candidates:
        _echo_steps(candidate, at)


def _cells(settled: Settled, i: int) -> list[Cell]:
    tried = settled.candidates[i].tried
    word, why = outcome(settled, i)
    first: list[Cell] = [Styled(word, _COLORS.get(word, "red")), tried.route]
    if isinstance(tried, Refused):
        return [*first, "-", "-", why]
    return [*first, f"${amount_text(to_price(tried.price), PRICE_DECIMALS)}", str(tried.grade), why]


def _echo_steps(candidate: Candidate, at: BlockRef) -> None:
    tried = candidate.tried
    if tried.steps:
        echo_foreign(tried.route, "  ")
    for step in tried.steps:
        echo_foreign(step_text(step, at), "    ")
    for flag in tried.flags if isinstance(tried, Priced) else ():
        echo_foreign(f"flag: {flag}", "    ")


def _route_json(settled: Settled, i: int, at: BlockRef) -> exact.Json:
    tried = settled.candidates[i].tried
    word, why = outcome(settled, i)
    given = tried if isinstance(tried, Priced) else None
    return {
        "route": tried.route,
        "outcome": word,
        "reason": why,
        "usd": given and exact.price(to_price(given.price)),
        "low": given and exact.price(to_price(given.low)),
        "high": given and exact.price(-to_price(-given.high)),
        "grade": given and str(given.grade),
        "flags": list(given.flags) if given else [],
        "steps": [exact.step(step, at) for step in tried.steps],
    }
