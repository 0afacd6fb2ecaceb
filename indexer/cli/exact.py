"""Records as JSON values without loss: amounts, prices and USD are decimal strings, addresses carry their checksum.

A number that could not be had is null, beside the status and the reason; never 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from indexer.cli.text import iso
from indexer.config.types import checksum
from indexer.model import BlockRef, Bucket, Line, Quote, Snapshot, State, Step, Token, Total
from indexer.units import PRICE_DECIMALS, USD_DECIMALS, decimal_text

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


def snapshot(one: Snapshot, state: State | None = None) -> Json:
    """A snapshot with every holding and every quote."""
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
        "quotes": [_quote(quote, one.tokens.get(quote.token), one.at) for quote in one.quotes.values()],
    }


def _holding(line: Line, token: Token | None) -> Json:
    held = line.holding
    decimals = token.decimals if token else None
    whole = None if held.amount is None or decimals is None else decimal_text(held.amount, decimals)
    return {
        "token": checksum(held.token),
        "symbol": token.symbol if token else "",
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


def _quote(quote: Quote, token: Token | None, at: BlockRef) -> Json:
    return {
        "token": checksum(quote.token),
        "symbol": token.symbol if token else "",
        "usd": price(quote.price),
        "low": price(quote.low),
        "high": price(quote.high),
        "grade": str(quote.grade),
        "route": quote.route,
        "updated_at": quote.updated_at,
        "age_s": quote.age_s(at) if quote.price is not None else None,
        "status": str(quote.status),
        "reason": quote.reason,
        "flags": list(quote.flags),
        "steps": [_step(step) for step in quote.steps],
    }


def _step(step: Step) -> Json:
    return {
        "source": step.source,
        "target": checksum(step.target),
        "answer": str(step.answer),
        "decimals": step.decimals,
        "updated_at": step.updated_at,
        "round": str(step.round),
    }
