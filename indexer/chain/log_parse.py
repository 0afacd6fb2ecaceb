"""JSON of `eth_getLogs` -> Log records that answer the query, or MALFORMED.

Each log must be in the range, of an address and topics asked for, of a mined block; doubles are dropped. Knows no
endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from indexer.chain.blocks import hash32, quantity
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import Address, Hash, Log, LogQuery

T = TypeVar("T")

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


class Matcher:
    """Parses and checks the answers to one query."""

    def __init__(self, query: LogQuery) -> None:
        self._first, self._last = query.from_block, query.to_block
        self._addresses = frozenset(query.addresses)
        self._places = len(query.topics)
        self._wanted = [(i, frozenset(topics)) for i, topics in enumerate(query.topics) if topics is not None]
        self._hashes: dict[str, Hash] = {}
        self._emitters: dict[str, Address] = {}
        self._numbers: dict[str, int] = {}

    def parse(self, answer: Any) -> list[Log]:
        """The logs of an answer, in chain order. Raises EndpointError (MALFORMED) where one does not belong."""
        if not isinstance(answer, list):
            raise _malformed("not a list of logs")
        for known in (self._hashes, self._emitters, self._numbers):
            known.clear()
        return merge([[self._log(document) for document in answer]])

    def _log(self, document: Any) -> Log:
        if not isinstance(document, dict) or document.get("removed"):
            raise _malformed("not a log, or one that was removed")
        log = Log(
            address=_once(self._emitters, _address, document.get("address")),
            topics=self._own_topics(document.get("topics")),
            data=_data(document.get("data")),
            block_number=_once(self._numbers, quantity, document.get("blockNumber")),
            block_hash=_once(self._hashes, hash32, document.get("blockHash")),
            tx_hash=_once(self._hashes, hash32, document.get("transactionHash")),
            log_index=quantity(document.get("logIndex")),
        )
        if not self._first <= log.block_number <= self._last:
            raise _malformed("a log outside of the range asked for")
        if not self._matches(log):
            raise _malformed("a log that was not asked for")
        return log

    def _matches(self, log: Log) -> bool:
        if self._addresses and log.address not in self._addresses:
            return False
        topics = log.topics
        if len(topics) < self._places:
            return False
        return not any([topics[place] not in wanted for place, wanted in self._wanted])

    def _own_topics(self, value: Any) -> tuple[Hash, ...]:
        if not isinstance(value, list) or len(value) > 4:
            raise _malformed("not the topics of a log")
        hashes = self._hashes
        return tuple([_once(hashes, hash32, topic) for topic in value])


def _once(known: dict[str, T], check: Callable[[Any], T], value: Any) -> T:
    """What a check makes of a text, made once however often it stands in the answer."""
    made = known.get(value) if isinstance(value, str) else None
    if made is None:
        made = known[value] = check(value)
    return made


def merge(parts: Iterable[Sequence[Log]]) -> list[Log]:
    """All logs in chain order, each once. Raises WrongFork where two parts are of different forks."""
    logs = sorted((log for part in parts for log in part), key=lambda log: (log.block_number, log.log_index))
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


def _data(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise _malformed("not the data of a log")
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        raise _malformed("not the data of a log") from None


def _malformed(what: str) -> EndpointError:
    return EndpointError(what, verdict=Verdict.MALFORMED, method="eth_getLogs")
