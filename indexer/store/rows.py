"""Records of `indexer.model` to the columns they are kept in, and back, to the last unit.

Pure. Foreign text is cleaned on its way in (no control characters: PostgreSQL refuses NUL); clean text stays as it is.
What a line is worth is not kept where holding, quote and token say it: only a line that differs has a verdict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from indexer.errors import clean
from indexer.model import (
    Address,
    BlockRef,
    Bucket,
    Found,
    Grade,
    Hash,
    Holding,
    Line,
    Quote,
    Status,
    Step,
    Token,
    Total,
)
from indexer.valuation.value import NoRate, Rate, Worth, rate, worth

Columns = dict[str, Any]

REASON_BYTES = 2048
_ROUTE_BYTES = 4096
_SYMBOL_BYTES = 128
_OF_BLOCK = ("number", "hash", "parent_hash", "timestamp")
_TEXT: Mapping[str, str] = {status: status.value for status in Status}
"""Plain text of a status, the same object each time: that is compared and hashed soonest."""


Content = tuple[int | None, str, str, str | None, str | None]
"""What a holding says at a snapshot: amount, status, reason, receipt, and the verdict where its line has one."""


def content_of(line: Line, at: Rate | NoRate) -> Content:
    """What is kept of a line, given the rate of its token."""
    holding = line.holding
    derived = worth(holding, at)
    as_derived = (line.usd, line.low, line.high, line.status, line.reason) == derived
    reason = clean(holding.reason, REASON_BYTES) if holding.reason else ""
    verdict = None if as_derived else _verdict(line, derived)
    return holding.amount, _TEXT[holding.status], reason, holding.receipt, verdict


def line_of(holding: Holding, verdict: str | None, quote: Quote | None, token: Token) -> Line:
    """A line made again of what was kept."""
    derived = worth(holding, rate(quote, token))
    if verdict is None:
        return Line(holding, *derived)
    status, reason, *amounts = json.loads(verdict)
    usd, low, high = (None if a is None else int(a) for a in amounts) if amounts else derived[:3]
    return Line(holding, usd, low, high, Status(status), reason)


def _verdict(line: Line, derived: Worth) -> str:
    said: list[str | None] = [line.status.value, clean(line.reason, REASON_BYTES)]
    amounts = (line.usd, line.low, line.high)
    if amounts != derived[:3]:
        said += [None if amount is None else str(amount) for amount in amounts]
    return json.dumps(said, separators=(",", ":"))


def tidy_token(token: Token) -> Token:
    """A token with a symbol that every engine takes. Almost always the same object."""
    symbol = clean(token.symbol, _SYMBOL_BYTES)
    if symbol == token.symbol:
        return token
    return Token(token.address, symbol, token.decimals, token.symbol_raw)


def token_columns(token: Token, chain_id: int) -> Columns:
    """A tidy token's columns; its content names the chain too."""
    said = [chain_id, token.address, token.symbol, token.decimals, token.symbol_raw]
    return {
        "chain_id": chain_id,
        "address": token.address,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "symbol_raw": token.symbol_raw,
        "content": _digest(said),
    }


def quote_columns(quote: Quote) -> Columns:
    """A quote's columns. Its content leaves out the token: tokens with the same quote share it."""
    columns: Columns = {
        "price": quote.price,
        "low": quote.low,
        "high": quote.high,
        "grade": quote.grade.value,
        "route": clean(quote.route, _ROUTE_BYTES),
        "steps": json.dumps([_step_list(step) for step in quote.steps], separators=(",", ":")),
        "status": quote.status.value,
        "reason": clean(quote.reason, REASON_BYTES),
        "flags": json.dumps(quote.flags, separators=(",", ":")),
    }
    return {"content": _digest(list(columns.values())), **columns}


def quote_of(token: Address, row: Row[Any]) -> Quote:
    """The quote in a row that has the quote table's columns."""
    return Quote(
        token=token,
        price=row.price,
        low=row.low,
        high=row.high,
        grade=Grade(row.grade),
        route=row.route,
        steps=tuple(_step_of(said) for said in json.loads(row.steps)),
        status=Status(row.status),
        reason=row.reason,
        flags=tuple(json.loads(row.flags)),
    )


def _step_list(step: Step) -> list[str | int]:
    updated_at = "" if step.updated_at is None else str(step.updated_at)
    return [step.source, step.target, str(step.answer), step.decimals, updated_at, str(step.round)]


def _step_of(said: list[Any]) -> Step:
    source, target, answer, decimals, updated_at, round_ = said
    return Step(source, Address(target), int(answer), decimals, int(updated_at) if updated_at else None, int(round_))


def _digest(said: list[Any]) -> bytes:
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).digest()


def block_columns(at: BlockRef, prefix: str = "") -> Columns:
    """A block's four columns, each with a prefix."""
    return {
        f"{prefix}number": at.number,
        f"{prefix}hash": at.hash,
        f"{prefix}parent_hash": at.parent_hash,
        f"{prefix}timestamp": at.timestamp,
    }


def block_of(row: Any, prefix: str = "") -> BlockRef | None:
    """The block in a row's prefixed columns; None where there is none."""
    number, hash_, parent_hash, timestamp = (getattr(row, f"{prefix}{name}") for name in _OF_BLOCK)
    return None if number is None else BlockRef(number, Hash(hash_), Hash(parent_hash), timestamp)


def total_columns(bucket: Bucket, total: Total) -> Columns:
    """A bucket's total."""
    return {
        "bucket": bucket.value,
        "usd": total.usd,
        "low": total.low,
        "high": total.high,
        "lines": total.lines,
        "left_out": total.left_out,
    }


def total_of(row: Row[Any]) -> Total:
    """The total in a row of the total table."""
    return Total(row.usd, row.low, row.high, row.lines, row.left_out)


def found_columns(found: Found) -> Columns:
    """A discovery; integers of any size survive in its JSON."""
    return {"key": found.key, "block": found.block, "data": json.dumps(dict(found.data), separators=(",", ":"))}


def found_of(row: Row[Any]) -> Found:
    """The discovery in a row of the found table."""
    return Found(row.key, row.block, json.loads(row.data))
