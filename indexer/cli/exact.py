"""Records as JSON values without loss: amounts, prices and USD are decimal strings, addresses carry their checksum.

A number that could not be had is null, beside the status and the reason; never 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from indexer.cli.text import iso
from indexer.config.types import checksum
from indexer.model import Address, BlockRef, Bucket, Line, Quote, Snapshot, State, Step, Token, Total
from indexer.units import PRICE_DECIMALS, USD_DECIMALS, decimal_text

if TYPE_CHECKING:
    from indexer.cli.lastgood import LastGood

Json = dict[str, Any]


def echo_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def usd(value: int | None) -> str | None:
    """USD to the last unit, as decimal text."""
    return None if value is None else decimal_text(value, USD_DECIMALS)


def price(value: int | None) -> str | None:
    """USD per whole token to the last unit, as decimal text."""
    return None if value is None else decimal_text(value, PRICE_DECIMALS)


def block(at: BlockRef) -> Json:
    """A block by number and hash, with its time."""
    return {"number": at.number, "hash": at.hash, "timestamp": at.timestamp, "time": iso(at.timestamp)}


def totals(by_bucket: Mapping[Bucket, Total]) -> Json:
    """Each bucket's sum, and how many holdings are in it and left out of it."""
    return {
        str(bucket): {
            "usd": usd(total.usd) if total.lines or not total.left_out else None,
            "low": usd(total.low) if total.lines or not total.left_out else None,
            "high": usd(total.high) if total.lines or not total.left_out else None,
            "holdings": total.lines,
            "left_out": total.left_out,
        }
        for bucket, total in by_bucket.items()
    }


def snapshot(one: Snapshot, state: State | None = None, last_good: Mapping[Address, LastGood] | None = None) -> Json:
    """A snapshot with every holding and every quote; beside a held one its last good price, where it is given."""
    return {
        "deployment": one.deployment,
        "block": block(one.at),
        "status": str(one.status),
        "reason": one.reason,
        "state": state and str(state),
        "adapter": one.adapter,
        "methodology": one.methodology,
        "totals": totals(one.totals),
        "holdings": [_holding(line, one.tokens.get(line.holding.token)) for line in one.lines],
        "quotes": [
            quote(said, _symbol(one.tokens.get(token)), one.at) | _last(token, last_good, one.at)
            for token, said in one.quotes.items()
        ],
    }


def _last(token: Address, last_good: Mapping[Address, LastGood] | None, at: BlockRef) -> Json:
    return {} if last_good is None or token not in last_good else {"last_good": last_good[token].json(at)}


def _symbol(token: Token | None) -> str:
    return token.symbol if token else ""


def _holding(line: Line, token: Token | None) -> Json:
    held = line.holding
    decimals = token.decimals if token else None
    whole = None if held.amount is None or decimals is None else decimal_text(held.amount, decimals)
    return {
        "token": checksum(held.token),
        "symbol": _symbol(token),
        "decimals": decimals,
        "amount_raw": None if held.amount is None else str(held.amount),
        "amount": whole,
        "bucket": str(held.bucket),
        "owner": checksum(held.owner),
        "receipt": held.receipt and checksum(held.receipt),
        "usd": usd(line.usd),
        "low": usd(line.low),
        "high": usd(line.high),
        "status": str(line.status),
        "reason": line.reason,
    }


def quote(quote: Quote, symbol: str, at: BlockRef) -> Json:
    """A quote with every answer it was made of."""
    return {
        "token": checksum(quote.token),
        "symbol": symbol,
        "usd": price(quote.price),
        "low": price(quote.low),
        "high": price(quote.high),
        "grade": str(quote.grade),
        "route": quote.route,
        "updated_at": quote.time(at),
        "age_s": quote.age_s(at) if quote.price is not None else None,
        "status": str(quote.status),
        "reason": quote.reason,
        "flags": list(quote.flags),
        "steps": [step(one, at) for one in quote.steps],
    }


def step(step: Step, at: BlockRef) -> Json:
    """One on-chain answer."""
    return {
        "source": step.source,
        "target": checksum(step.target),
        "answer": str(step.answer),
        "decimals": step.decimals,
        "updated_at": step.time(at),
        "round": str(step.round),
    }
