"""JSON of `eth_getLogs` -> Log records that answer the query, or MALFORMED.

Each log must be in the range, of an address and topics asked for, of a mined block; doubles are dropped. Knows no
endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, starmap
from operator import attrgetter, getitem
from typing import Any, TypeVar

from indexer.chain.blocks import hash32, quantity
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import Address, Hash, Log, LogQuery

MOST_TOPICS = 4
MOST_SEEN = 4_096
"""Texts that are remembered from one answer to the next: contracts and holders come again, hashes do not."""

T = TypeVar("T")

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


class Matcher:
    """Parses and checks the answers to one query. A text that stands there often is checked once."""

    def __init__(self, query: LogQuery) -> None:
        self._first, self._last = query.from_block, query.to_block
        self._least_topics = len(query.topics)
        wanted = [*query.topics, *[None] * MOST_TOPICS][:MOST_TOPICS]
        self._emitters = _Seen(_asked_for(_address, query.addresses or None))
        self._hashes, self._numbers, self._indices = _Seen(hash32), _Seen(self._in_range), _Seen(quantity)
        anything = _Seen(hash32)
        self._topics = [anything if some is None else _Seen(_asked_for(hash32, some)) for some in wanted]
        self._seen: list[dict[Any, Any]] = [self._emitters, *self._topics, self._hashes, self._numbers, self._indices]

    def parse(self, answer: Any) -> list[Log]:
        """The logs of an answer, in chain order. Raises EndpointError (MALFORMED) where one does not belong."""
        if not isinstance(answer, list):
            raise _malformed("not a list of logs")
        for seen in self._seen:
            if len(seen) > MOST_SEEN:
                seen.clear()
        try:
            logs = self._logs(answer)
        except (KeyError, TypeError, AttributeError):
            raise _malformed("not a log") from None
        return merge([logs])

    def _logs(self, documents: list[Any]) -> list[Log]:
        """Column by column. Raises KeyError, TypeError or AttributeError for what is no log at all."""
        if any([document.get("removed") for document in documents]):
            raise _malformed("a log that was removed")
        emitters, numbers, hashes, indices = self._emitters, self._numbers, self._hashes, self._indices
        columns = (
            [emitters[document["address"]] for document in documents],
            [self._topics_of(document["topics"]) for document in documents],
            _data([document["data"] for document in documents]),
            [numbers[document["blockNumber"]] for document in documents],
            [hashes[document["blockHash"]] for document in documents],
            [hashes[document["transactionHash"]] for document in documents],
            [indices[document["logIndex"]] for document in documents],
        )
        return list(starmap(Log, zip(*columns, strict=True)))

    def _topics_of(self, texts: Any) -> tuple[Hash, ...]:
        if not isinstance(texts, list) or not self._least_topics <= len(texts) <= MOST_TOPICS:
            raise _malformed("a log with other topics than were asked for")
        return tuple(map(getitem, self._topics, texts))

    def _in_range(self, value: Any) -> int:
        number = quantity(value)
        if not self._first <= number <= self._last:
            raise _malformed("a log outside of the range asked for")
        return number


class _Seen(dict[Any, T]):
    """What a check makes of each text of an answer. The check raises EndpointError."""

    __slots__ = ("_check",)

    def __init__(self, check: Callable[[Any], T]) -> None:
        self._check = check

    def __missing__(self, value: Any) -> T:
        made = self[value] = self._check(value)
        return made


def _asked_for(check: Callable[[Any], T], some: Iterable[T] | None) -> Callable[[Any], T]:
    """The same check, which also refuses all but some, and gives those very ones back; None: any will do."""
    if some is None:
        return check
    wanted = {one: one for one in some}

    def checked(value: Any) -> T:
        found = wanted.get(value) or wanted.get(check(value))
        if found is None:
            raise _malformed("a log that was not asked for")
        return found

    return checked


def merge(parts: Iterable[Sequence[Log]]) -> list[Log]:
    """All logs in chain order, each once. Raises WrongFork where two parts are of different forks."""
    logs = sorted(chain.from_iterable(parts), key=attrgetter("block_number", "log_index"))
    merged: list[Log] = []
    for log in logs:
        last = merged[-1] if merged else None
        if last is not None and last.block_number == log.block_number:
            if last.block_hash != log.block_hash:
                raise WrongFork("logs of two forks in one answer", block=log.block_number)
            if last.log_index == log.log_index:
                if last != log:
                    raise _malformed("two logs at one place")
                continue
        merged.append(log)
    return merged


def _address(value: Any) -> Address:
    lower = value.lower() if isinstance(value, str) else ""
    if not _ADDRESS.fullmatch(lower):
        raise _malformed("not an address")
    return Address(lower)


def _data(values: list[Any]) -> list[bytes]:
    """Raises AttributeError where one is no text."""
    if not all([value.startswith("0x") for value in values]):
        raise _malformed("not the data of a log")
    try:
        return [bytes.fromhex(value[2:]) for value in values]
    except ValueError:
        raise _malformed("not the data of a log") from None


def _malformed(what: str) -> EndpointError:
    return EndpointError(what, verdict=Verdict.MALFORMED, method="eth_getLogs")
