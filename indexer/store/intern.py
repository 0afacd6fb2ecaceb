"""Gives tokens, positions and quotes their row ids, writing those that are new.

Part of a write transaction: nobody else writes meanwhile. Never changes a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, select

from indexer.errors import clean
from indexer.model import Address, Line, Quote, Snapshot, Token
from indexer.store import tables as t
from indexer.store.deltas import Ids, Interned, Made, Memory, Prices, Said, State, Tokens
from indexer.store.engine import insert
from indexer.store.rows import REASON_BYTES, Columns, Content, content_of, quote_columns, tidy_token, token_columns
from indexer.store.snapshots import token_of
from indexer.valuation.value import NoRate, Rate, other_places, rate

_ASKED_AT_ONCE = 500


def intern(connection: Connection, memory: Memory, deployment_id: int, chain_id: int, snapshot: Snapshot) -> State:
    """The state that a snapshot describes. Raises ValueError where it contradicts itself."""
    before = memory.interned.get(deployment_id)
    tokens = _tokens(connection, memory, chain_id, snapshot.tokens, before)
    if not snapshot.quotes.keys() <= tokens.ids.keys():
        raise ValueError(f"{snapshot.deployment} at {snapshot.at}: a quote for a token that is not in the snapshot")
    now = None if before is None else _like(connection, memory, before, tokens, snapshot)
    if now is None:
        prices = _priced(connection, memory, tokens, snapshot.quotes)
        lines = _keyed_lines(snapshot, tokens.ids, prices.rates)
        by_key = _position_ids(connection, memory, deployment_id, lines)
        ids = [by_key[key] for key in lines]
        now = Interned(tokens, prices, snapshot.lines, ids, dict(zip(ids, lines.values(), strict=True)))
    memory.interned[deployment_id] = now
    return State(now.holdings, now.prices.ids, dict(snapshot.totals), _said(snapshot), now.made)


def _said(snapshot: Snapshot) -> Said:
    return snapshot.status.value, clean(snapshot.reason, REASON_BYTES), snapshot.methodology, snapshot.adapter


def _tokens(
    connection: Connection, memory: Memory, chain_id: int, named: Mapping[Address, Token], before: Interned | None
) -> Tokens:
    if before is not None and before.tokens.named == named:
        return before.tokens
    kept = {address: tidy_token(token) for address, token in named.items()}
    ids = memory.tokens.setdefault(chain_id, Ids())
    _learn(connection, ids, _Tokens(t.token, t.token.c.chain_id, chain_id), kept.values())
    return Tokens(named, kept, {address: ids.by_key[token] for address, token in kept.items()})


def _priced(connection: Connection, memory: Memory, tokens: Tokens, quotes: Mapping[Address, Quote]) -> Prices:
    rows = _quote_ids(connection, memory, quotes.values())
    ids = {tokens.ids[address]: rows[quote] for address, quote in quotes.items()}
    return Prices(quotes, ids, {address: rate(quotes.get(address), token) for address, token in tokens.kept.items()})


def _like(
    connection: Connection, memory: Memory, before: Interned, tokens: Tokens, snapshot: Snapshot
) -> Interned | None:
    """Lines of the same positions in the same order: only what is another line, or at another rate, is looked at.

    None where they are of other positions.
    """
    lines, olds = snapshot.lines, before.lines
    if tokens is not before.tokens or len(lines) != len(olds):
        return None
    prices = _priced_again(connection, memory, tokens, snapshot.quotes, before.prices)
    rates = prices.rates
    anew = set(other_places(lines, olds))
    if prices is not before.prices:
        moved = {address for address, found in rates.items() if found != before.prices.rates[address]}
        anew |= {i for i, line in enumerate(lines) if line.holding.token in moved}
    if any(_place(lines[i]) != _place(olds[i]) for i in anew):
        return None
    contents = {before.ids[i]: content_of(lines[i], rates[lines[i].holding.token]) for i in sorted(anew)}
    made = Made(before.holdings, contents.keys())
    holdings = {**before.holdings, **contents} if contents else before.holdings
    return Interned(tokens, prices, lines, before.ids, holdings, made)


def _priced_again(
    connection: Connection, memory: Memory, tokens: Tokens, quotes: Mapping[Address, Quote], before: Prices
) -> Prices:
    """Prices of the same tokens: the same quote has the same row, and gives the same rate."""
    if quotes.keys() != before.quotes.keys():
        return _priced(connection, memory, tokens, quotes)
    moved = {address: quote for address, quote in quotes.items() if quote is not before.quotes[address]}
    if not moved:
        return before
    rows = _quote_ids(connection, memory, moved.values())
    ids = {tokens.ids[address]: rows[quote] for address, quote in moved.items()}
    rates = {address: rate(quote, tokens.kept[address]) for address, quote in moved.items()}
    return Prices(quotes, {**before.ids, **ids}, {**before.rates, **rates})


def _place(line: Line) -> tuple[str, str, str]:
    held = line.holding
    return held.token, held.owner, held.bucket


PositionKey = tuple[int, str, str]
"""Token, owner and bucket; a Bucket is equal to its text."""

Rates = Mapping[Address, Rate | NoRate]


def _keyed_lines(snapshot: Snapshot, token_ids: Mapping[Address, int], rates: Rates) -> dict[PositionKey, Content]:
    lines: dict[PositionKey, Content] = {}
    for line in snapshot.lines:
        held = line.holding
        if held.token not in rates:
            raise ValueError(f"{snapshot.deployment} at {snapshot.at}: no token for the line of {held.token}")
        lines[token_ids[held.token], held.owner, held.bucket] = content_of(line, rates[held.token])
    if len(lines) != len(snapshot.lines) or len({key[0] for key in lines}) != len(token_ids):
        raise ValueError(f"{snapshot.deployment} at {snapshot.at}: two lines for one position, or a token without any")
    return lines


def _position_ids(
    connection: Connection, memory: Memory, deployment_id: int, keys: Collection[PositionKey]
) -> Mapping[Any, int]:
    ids = memory.positions.setdefault(deployment_id, Ids())
    _learn(connection, ids, _Positions(t.position, t.position.c.deployment_id, deployment_id), keys)
    return ids.by_key


@dataclass(frozen=True, slots=True)
class _Kind(ABC):
    """A table of things with natural keys; of interest are those whose `scope` column is `within`."""

    table: Table
    scope: Column[Any]
    within: int

    @abstractmethod
    def columns(self, key: Any) -> Columns: ...

    @abstractmethod
    def key(self, row: Row[Any]) -> Any: ...


class _Tokens(_Kind):
    def columns(self, key: Token) -> Columns:
        return token_columns(key, self.within)

    def key(self, row: Row[Any]) -> Token:
        return token_of(row)


class _Positions(_Kind):
    def columns(self, key: PositionKey) -> Columns:
        token_id, owner, bucket = key
        return {"deployment_id": self.within, "token_id": token_id, "owner": owner, "bucket": str(bucket)}

    def key(self, row: Row[Any]) -> PositionKey:
        return (row.token_id, row.owner, row.bucket)


def _learn(connection: Connection, ids: Ids, kind: _Kind, keys: Collection[Any]) -> None:
    """Make `ids` hold every key: ask for rows above its mark, then write what is still missing."""
    if all(map(ids.by_key.__contains__, keys)):
        return
    _refresh(connection, ids, kind)
    missing = [key for key in keys if key not in ids.by_key]
    if missing:
        connection.execute(insert(connection, kind.table), [kind.columns(key) for key in missing])
        _refresh(connection, ids, kind)


def _refresh(connection: Connection, ids: Ids, kind: _Kind) -> None:
    row_id = kind.table.c.id
    query = select(kind.table).where(kind.scope == kind.within, row_id > ids.mark).order_by(row_id)
    for row in connection.execute(query):
        ids.by_key[kind.key(row)] = ids.mark = row.id


def _quote_ids(connection: Connection, memory: Memory, quotes: Iterable[Quote]) -> dict[Quote, int]:
    ids: dict[Quote, int] = {}
    new: dict[Quote, Columns] = {}
    for quote in quotes:
        known = memory.quote_id(quote)
        if known is None:
            new[quote] = quote_columns(quote)
        else:
            ids[quote] = known
    if new:
        rows = _quote_rows(connection, {columns["content"]: columns for columns in new.values()})
        learned = {quote: rows[columns["content"]] for quote, columns in new.items()}
        memory.keep_quotes(learned)
        ids.update(learned)
    return ids


def _quote_rows(connection: Connection, wanted: Mapping[bytes, Columns]) -> dict[bytes, int]:
    there = _quotes_there(connection, list(wanted))
    missing = [columns for content, columns in wanted.items() if content not in there]
    if missing:
        connection.execute(insert(connection, t.quote), missing)
        there |= _quotes_there(connection, [columns["content"] for columns in missing])
    return there


def _quotes_there(connection: Connection, contents: list[bytes]) -> dict[bytes, int]:
    there: dict[bytes, int] = {}
    for start in range(0, len(contents), _ASKED_AT_ONCE):
        part = contents[start : start + _ASKED_AT_ONCE]
        query = select(t.quote.c.content, t.quote.c.id).where(t.quote.c.content.in_(part))
        there.update((content, row_id) for content, row_id in connection.execute(query))
    return there
