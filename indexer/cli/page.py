"""One snapshot as a page for people: totals, holdings, prices, what is left out and why; on request every factor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import click

from indexer.cli.lastgood import LastGood
from indexer.cli.table import FIRST_ROWS, Cell, echo_foreign, echo_table, numbers, status_cell, words
from indexer.cli.text import amount_text, buckets_of, duration, iso, short, total_usd, usd
from indexer.config.types import checksum
from indexer.model import Address, BlockRef, Line, Quote, Snapshot, State, Status, Step, Token
from indexer.units import PRICE_DECIMALS, USD_DECIMALS, decimal_text

T = TypeVar("T")

NOTHING: Mapping[Address, LastGood] = MappingProxyType({})


def echo_snapshot(
    one: Snapshot,
    state: State | None = None,
    last_good: Mapping[Address, LastGood] = NOTHING,
    *,
    everything: bool = False,
) -> None:
    """The page, with the `last_good` prices of tokens whose quote is held.

    Long lists are cut, and say so, unless `everything` is asked for.
    """
    _echo_head(one, state)
    if one.status is Status.GAP:
        return
    _echo_totals(one)
    _echo_holdings(one, everything)
    _echo_prices(one, last_good, everything)
    _echo_left_out(one, everything)


def echo_factors(one: Snapshot) -> None:
    """How each value came about: amount x price, and the on-chain answers each price was made of."""
    for token, lines in _by_token(one.lines):
        _echo_price(one.tokens.get(token), token, one.quotes.get(token), one.at)
        for line in lines:
            _echo_product(line, one.tokens.get(token), one.quotes.get(token))
        click.echo()


def _echo_head(one: Snapshot, state: State | None) -> None:
    status = status_cell(one.status)
    told = [click.style(one.deployment, bold=True), click.style(status.text, fg=status.color)]
    click.echo("  ".join([*told, *([str(state)] if state else []), f"read by {one.adapter}"]))
    click.echo(f"block {one.at.number}  {iso(one.at.timestamp)}  {one.at.hash}")
    if one.reason:
        echo_foreign(one.reason)
    click.echo()


def _echo_totals(one: Snapshot) -> None:
    rows = []
    for bucket in buckets_of([one.totals]):
        total = one.totals.get(bucket)
        bounds = [usd(total.low), usd(total.high)] if total and total.lines else ["-", "-"]
        counts = [str(total.lines), str(total.left_out)] if total else ["0", "0"]
        rows.append([str(bucket), total_usd(total), *bounds, *counts])
    echo_table([*words("bucket"), *numbers("value", "low", "high", "holdings", "left out")], rows)


def _echo_holdings(one: Snapshot, everything: bool) -> None:
    valued = sorted((line for line in one.lines if line.usd is not None), key=_by_value)
    rows = [
        [
            _symbol(one.tokens.get(line.holding.token), line.holding.token),
            amount_text(line.holding.amount, _decimals(one.tokens.get(line.holding.token))),
            str(line.holding.bucket),
            short(checksum(line.holding.owner)),
            usd(line.usd),
        ]
        for line in _first(valued, everything)
    ]
    if rows:
        _echo_title("Holdings, by value")
        echo_table([*words("token"), *numbers("amount"), *words("bucket", "owner"), *numbers("value")], rows)
        _echo_more(valued, everything)


def _echo_prices(one: Snapshot, last_good: Mapping[Address, LastGood], everything: bool) -> None:
    worth = {quote.token: 0 for quote in one.quotes.values()}
    for line in one.lines:
        worth[line.holding.token] = worth.get(line.holding.token, 0) + (line.usd or 0)
    quotes = sorted(one.quotes.values(), key=lambda quote: (-worth[quote.token], quote.token))
    rows = [
        [
            _symbol(one.tokens.get(quote.token), quote.token),
            _price(quote),
            str(quote.grade),
            duration(quote.age_s(one.at)) if quote.price is not None else "-",
            quote.route,
            ", ".join([*_last(last_good.get(quote.token), one.at), *quote.flags, *filter(None, [quote.reason])]),
        ]
        for quote in _first(quotes, everything)
    ]
    if rows:
        _echo_title("Prices")
        echo_table([*words("token"), *numbers("price"), *words("grade"), *numbers("age"), *words("route", "")], rows)
        _echo_more(quotes, everything)


def _echo_left_out(one: Snapshot, everything: bool) -> None:
    """What is in no total, with the reason; nothing of it is a zero."""
    left = [line for line in one.lines if line.status is not Status.OK]
    rows: list[list[Cell]] = [
        [
            status_cell(line.status),
            _symbol(one.tokens.get(line.holding.token), line.holding.token),
            checksum(line.holding.token),
            amount_text(line.holding.amount, _decimals(one.tokens.get(line.holding.token))),
            short(checksum(line.holding.owner)),
            line.reason,
        ]
        for line in _first(left, everything)
    ]
    if rows:
        _echo_title(f"Left out of the totals ({len(left)})")
        echo_table([*words("status", "token", "address"), *numbers("amount"), *words("owner", "reason")], rows)
        _echo_more(left, everything)


def _echo_price(token: Token | None, address: Address, quote: Quote | None, at: BlockRef) -> None:
    click.echo(f"{click.style(_symbol(token, address), bold=True)}  {checksum(address)}")
    if quote is None:
        click.echo("  price   none: no route to USD is configured")
        return
    if quote.price is None or quote.low is None or quote.high is None:
        echo_foreign(f"price   {quote.status}: {quote.reason}", "  ")
    else:
        low, high = (decimal_text(bound, PRICE_DECIMALS) for bound in (quote.low, quote.high))
        click.echo(f"  price   {decimal_text(quote.price, PRICE_DECIMALS)} USD  ({low} to {high})  grade {quote.grade}")
    echo_foreign(f"route   {quote.route}", "  ")
    for step in quote.steps:
        _echo_step(step, at)
    if quote.flags:
        echo_foreign(f"flags   {', '.join(quote.flags)}", "  ")


def _echo_step(step: Step, at: BlockRef) -> None:
    echo_foreign(step_text(step, at), "    ")


def step_text(step: Step, at: BlockRef) -> str:
    """One on-chain answer: who was asked, what it said, when it was said and how long before the block."""
    age = duration(at.timestamp - step.time(at))
    told = f"{step.source} {checksum(step.target)} answered {step.answer}"
    scaled = f" = {decimal_text(step.answer, step.decimals)}" if step.decimals else ""
    round_id = f", round {step.round}" if step.round else ""
    return f"{told}{scaled}, updated {iso(step.time(at))} ({age} before the block){round_id}"


def _echo_product(line: Line, token: Token | None, quote: Quote | None) -> None:
    """`amount x price = usd`, exactly."""
    where = f"{line.holding.bucket} of {checksum(line.holding.owner)}"
    decimals = _decimals(token)
    if line.usd is None or line.holding.amount is None or decimals is None or quote is None or quote.price is None:
        echo_foreign(f"{where}: {line.status}: {line.reason}", "  ")
        return
    amount, price = decimal_text(line.holding.amount, decimals), decimal_text(quote.price, PRICE_DECIMALS)
    counted = "" if line.status is Status.OK else f"  not counted: {line.status}: {line.reason}"
    echo_foreign(f"{where}: {amount} x {price} = {decimal_text(line.usd, USD_DECIMALS)} USD{counted}", "  ")


def _by_token(lines: Iterable[Line]) -> list[tuple[Address, list[Line]]]:
    """Lines of each token, the most valuable token first."""
    groups: dict[Address, list[Line]] = {}
    for line in sorted(lines, key=_by_value):
        groups.setdefault(line.holding.token, []).append(line)
    return sorted(groups.items(), key=lambda group: (-sum(line.usd or 0 for line in group[1]), group[0]))


def _by_value(line: Line) -> tuple[int, str, str]:
    return -(line.usd or 0), line.holding.token, line.holding.owner


def _symbol(token: Token | None, address: Address) -> str:
    return (token.symbol if token else "") or short(checksum(address))


def _decimals(token: Token | None) -> int | None:
    return token.decimals if token else None


def _price(quote: Quote) -> str:
    """At most six significant decimals, cut; exact ones are in JSON and in the factors."""
    if quote.price is None:
        return str(quote.status)
    return f"${amount_text(quote.price, PRICE_DECIMALS)}"


def _last(last: LastGood | None, at: BlockRef) -> list[str]:
    return [last.text(at)] if last else []


def _first(items: Sequence[T], everything: bool) -> Sequence[T]:
    return items if everything else items[:FIRST_ROWS]


def _echo_title(title: str) -> None:
    click.echo()
    click.secho(title, bold=True)


def _echo_more(items: Sequence[object], everything: bool) -> None:
    if not everything and len(items) > FIRST_ROWS:
        click.echo(f"… and {len(items) - FIRST_ROWS} more (--all)")
