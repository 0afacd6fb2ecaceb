"""Why a value changed, as tables for people and as JSON without loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import click

from indexer.cli import exact
from indexer.cli.table import FIRST_ROWS, Cell, Column, echo_table, numbers, words
from indexer.cli.text import amount_text, iso, short, usd
from indexer.config.types import checksum
from indexer.model import BlockRef, Bucket, Token
from indexer.run.changes import Explained, Sum, sum_changes
from indexer.units import decimal_text
from indexer.valuation.attribution import Change
from indexer.valuation.measures import organic_growth
from indexer.valuation.parts import Parts

ALWAYS = ("flow", "price")
NAMES = {
    "flow": "flow",
    "price": "price",
    "yielded": "yield",
    "debt": "debt",
    "scope": "scope",
    "method": "method",
    "residual": "residual",
}
"""The parts in the order in which they are shown, by their field in `Parts`."""

_RATIO_DECIMALS = 18


def echo_explained(name: str, many: Sequence[Explained], everything: bool) -> None:
    """A section for each bucket: its deployments where there are several, and its tokens, the largest change first."""
    click.secho(name, bold=True)
    for one in many:
        click.echo(f"{one.row.key}: {span_text(one)}")
    changes = [change for one in many for change in one.changes]
    for bucket in [bucket for bucket in Bucket if any(change.bucket is bucket for change in changes)]:
        click.echo()
        click.secho(f"{bucket}", bold=True)
        if len(many) > 1:
            _echo_sums([(one.row.key, sum_changes(one.changes, bucket)) for one in many])
            click.echo()
        _echo_tokens([change for change in changes if change.bucket is bucket], len(many) > 1, everything)


def explained_json(name: str, many: Sequence[Explained]) -> exact.Json:
    """Every digit of every part: by bucket over all, and for each deployment by bucket and by token."""
    changes = [change for one in many for change in one.changes]
    return {
        "name": name,
        "buckets": _buckets_json(changes),
        "deployments": [
            {
                "deployment": one.row.key,
                "opened": one.opening and exact.block(one.opening.at),
                "closed": exact.block(one.closing.at),
                "gaps": sum(cut.made.skipped for cut in one.cuts),
                "buckets": _buckets_json(one.changes),
                "tokens": [_change_json(change) for change in one.changes],
            }
            for one in many
        ],
    }


def sum_json(one: Sum) -> exact.Json:
    """Both ends, the parts between them, and how they are known."""
    return {
        "opening": exact.usd(one.opening),
        "closing": exact.usd(one.closing),
        "change": exact.usd(one.parts.change),
        "parts": parts_json(one.parts),
        "gross_in": exact.usd(one.parts.gross_in),
        "gross_out": exact.usd(one.parts.gross_out),
        "organic_growth": ratio_json(organic_growth(one.parts, one.opening)),
        "basis": sorted(one.bases),
    }


def parts_json(parts: Parts) -> exact.Json:
    """The seven parts by name, in USD."""
    return {said: exact.usd(getattr(parts, name)) for name, said in NAMES.items()}


def ratio_json(ratio: Fraction | None) -> str | None:
    """A ratio as decimal text, rounded to 18 decimals; null where there is nothing to relate to."""
    return None if ratio is None else decimal_text(round(ratio * 10**_RATIO_DECIMALS), _RATIO_DECIMALS)


def percent(ratio: Fraction | None) -> str:
    """A ratio for people: `+12.34 %`, `-` where there is nothing to relate to."""
    if ratio is None:
        return "-"
    hundredths = round(ratio * 10_000)
    sign = "-" if hundredths < 0 else "+" if hundredths else ""
    return f"{sign}{abs(hundredths) // 100:,}.{abs(hundredths) % 100:02d} %"


def signed(value: int) -> str:
    """USD that came or went: `+$20.00`, `-$3.50`, `0` for exactly nothing."""
    return f"+{usd(value)}" if value > 0 else usd(value) if value else "0"


def part_names(many: Iterable[Parts]) -> list[str]:
    """The fields of `Parts` that are worth a column: flow and price, and what is not nothing everywhere."""
    some = list(many)
    return [name for name in NAMES if name in ALWAYS or any(getattr(parts, name) for parts in some)]


def span_text(one: Explained) -> str:
    """From which block to which."""
    return f"{_block_text(one.opening.at) if one.opening else 'nothing stored'} to {_block_text(one.closing.at)}"


def _block_text(at: BlockRef) -> str:
    return f"block {at.number} ({iso(at.timestamp)})"


def _echo_sums(rows: Sequence[tuple[str, Sum]]) -> None:
    names = part_names(one.parts for _, one in rows)
    cells = [[key, *_ends(one.opening, one.closing, one.parts, names)] for key, one in rows]
    echo_table([*words("deployment"), *_columns(names)], cells)


def _echo_tokens(changes: Sequence[Change], is_several: bool, everything: bool) -> None:
    ordered = sorted(changes, key=lambda change: -abs(change.parts.change))
    names = part_names(change.parts for change in changes)
    shown = ordered if everything else ordered[:FIRST_ROWS]
    rows = [_token_row(change, names, is_several) for change in shown]
    total = sum_changes(changes, changes[0].bucket)
    lead = ["all", *([""] if is_several else []), ""]
    rows.append([*lead, *_ends(total.opening, total.closing, total.parts, names), "", ""])
    deployment = words("deployment") if is_several else []
    echo_table([*words("token"), *deployment, *numbers("units"), *_columns(names), *words("known from", "")], rows)
    if len(shown) < len(ordered):
        click.echo(f"… and {len(ordered) - len(shown)} more (--all)")


def _token_row(change: Change, names: Sequence[str], is_several: bool) -> list[Cell]:
    units = amount_text(change.closing_amount - change.opening_amount, change.token.decimals)
    deployment: list[Cell] = [change.deployment] if is_several else []
    ends = _ends(change.opening, change.closing, change.parts, names)
    return [_symbol(change.token), *deployment, units, *ends, change.basis, "; ".join(change.notes)]


def _ends(opening: int, closing: int, parts: Parts, names: Sequence[str]) -> list[Cell]:
    return [usd(opening), *(signed(getattr(parts, name)) for name in names), usd(closing)]


def _columns(names: Sequence[str]) -> list[Column]:
    return numbers("opening", *(NAMES[name] for name in names), "closing")


def _symbol(token: Token) -> str:
    return token.symbol or short(checksum(token.address))


def _buckets_json(changes: Sequence[Change]) -> exact.Json:
    there = [bucket for bucket in Bucket if any(change.bucket is bucket for change in changes)]
    return {str(bucket): sum_json(sum_changes(changes, bucket)) for bucket in there}


def _change_json(change: Change) -> exact.Json:
    return {
        "token": checksum(change.token.address),
        "symbol": change.token.symbol,
        "decimals": change.token.decimals,
        "bucket": str(change.bucket),
        "opening_raw": str(change.opening_amount),
        "closing_raw": str(change.closing_amount),
        "opening": exact.usd(change.opening),
        "closing": exact.usd(change.closing),
        "change": exact.usd(change.parts.change),
        "parts": parts_json(change.parts),
        "gross_in": exact.usd(change.parts.gross_in),
        "gross_out": exact.usd(change.parts.gross_out),
        "basis": change.basis,
        "notes": list(change.notes),
    }
