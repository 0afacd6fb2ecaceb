"""One log query -> several smaller ones that together ask the same.

Before asking: addresses and topics cut to what nodes take. After a refusal: by the hint in its text, if that is
strictly smaller and inside of what was asked; else by halves, down to one block, one address, one topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import TypeVar

from indexer.model import LogQuery

MOST_PARTS = 64
_RANGE = re.compile(r"\[ ?0x([0-9a-f]{1,16}) ?[,\-] ?0x([0-9a-f]{1,16}) ?\]", re.IGNORECASE)
_NUMBER = re.compile(r"\b(\d{1,3}(?:,\d{3})+|\d{1,9})(k?)\b", re.IGNORECASE)
_RESULTS = re.compile(r"\b(results?|logs (matched|returned)|events|records|size|bytes|[kmg]b)\b", re.IGNORECASE)

T = TypeVar("T")


def chunks(query: LogQuery, most_addresses: int, most_topics: int) -> Iterator[LogQuery]:
    """The query with at most so many addresses, and alternatives in each topic, at a time."""
    addresses = _cut(query.addresses, most_addresses) or [()]
    positions = [[None] if topics is None else _cut(topics, most_topics) for topics in query.topics]
    for some in addresses:
        for topics in product(*positions):
            yield replace(query, addresses=some, topics=topics)


def split(query: LogQuery, text: str) -> list[LogQuery]:
    """Smaller queries in the place of one that was refused with this text. Empty: it cannot be cut."""
    length = query.to_block - query.from_block + 1
    if length > 1:
        return _by_range(query, _hint(query, text) or (length + 1) // 2)
    if len(query.addresses) > 1:
        return [replace(query, addresses=half) for half in _halves(query.addresses)]
    widest = max(range(len(query.topics)), key=lambda i: len(query.topics[i] or ()), default=0)
    alternatives = query.topics[widest] if query.topics else None
    if alternatives is None or len(alternatives) < 2:
        return []
    before, after = query.topics[:widest], query.topics[widest + 1 :]
    return [replace(query, topics=(*before, half, *after)) for half in _halves(alternatives)]


def is_about_results(text: str) -> bool:
    """Whether the refusal is about how much was found, not about how many blocks were asked for."""
    return _RESULTS.search(text) is not None


def _by_range(query: LogQuery, span: int) -> list[LogQuery]:
    starts = range(query.from_block, query.to_block + 1, span)
    return [replace(query, from_block=start, to_block=min(start + span - 1, query.to_block)) for start in starts]


def _hint(query: LogQuery, text: str) -> int | None:
    """Blocks that the provider says it takes; None where it says nothing that is smaller and sensible."""
    length = query.to_block - query.from_block + 1
    proposed = _RANGE.search(text)
    if proposed:
        first, last = int(proposed[1], 16), int(proposed[2], 16)
        numbers = [last - first + 1] if query.from_block <= first <= last <= query.to_block else []
    elif is_about_results(text):
        numbers = []
    else:
        numbers = [int(n.replace(",", "")) * (1_000 if k else 1) for n, k in _NUMBER.findall(text)]
    return max((n for n in numbers if length // MOST_PARTS < n < length), default=None)


def _cut(items: Sequence[T], most: int) -> list[tuple[T, ...]]:
    return [tuple(items[i : i + most]) for i in range(0, len(items), most)]


def _halves(items: Sequence[T]) -> list[tuple[T, ...]]:
    return _cut(items, (len(items) + 1) // 2)
