"""Answers to `eth_getLogs` -> the logs that any of several queries finds, and of which blocks anything came.

An answer may hold other logs than were asked for: what no query asks for is skipped by its contract and topics, before
anything else of it is looked at. Or it may not, and is refused then. Knows no endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from indexer.chain.log_parse import Matcher
from indexer.errors import EndpointError, Verdict, WrongFork
from indexer.model import Log, LogQuery

ANY_BLOCK = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sifted:
    """The logs that were asked for, in chain order; the hashes of the blocks that any log was of; how many were not
    asked for."""

    logs: list[Log]
    hashes: frozenset[str]
    skipped: int = 0


Sift: TypeAlias = Callable[[Any], Sifted]
"""Raises EndpointError (MALFORMED)."""


def strictly(query: LogQuery) -> Sift:
    """Of an answer that may hold nothing else than what one query finds, whatever its range."""
    matcher = Matcher(LogQuery(query.addresses, query.topics, 0, ANY_BLOCK))

    def sift(answer: Any) -> Sifted:
        logs = _parsed(matcher, answer)
        return Sifted(logs, frozenset({log.block_hash for log in logs}))

    return sift


class Sieve:
    """Keeps, of any logs of any blocks, those of several queries, whatever the queries' ranges say."""

    def __init__(self, queries: Sequence[LogQuery]) -> None:
        wanted = [_Wanted.by(query) for query in queries]
        self._names = frozenset[str]().union(*(one.names for one in wanted))
        self._is_named = all(one.names for one in wanted)
        self._of_any = [one for one in wanted if not one.events]
        self._by_event = {
            event: [one for one in wanted if not one.events or event in one.events]
            for event in frozenset[str]().union(*(one.events for one in wanted))
        }
        self._parser = Matcher(LogQuery((), (), 0, ANY_BLOCK))

    def sift(self, answer: Any) -> Sifted:
        """Raises EndpointError (MALFORMED) where it is no list of logs, or one that is wanted is malformed."""
        if not isinstance(answer, list):
            raise malformed("not a list of logs")
        try:
            hashes = frozenset({document["blockHash"] for document in answer})
            found = [one for one in self._named(answer, hashes) if self._finds(one["address"], one["topics"])]
            seen = frozenset({text.lower() for text in hashes})
        except (KeyError, TypeError, AttributeError, IndexError):
            raise malformed("something else than logs in their list") from None
        return Sifted(_parsed(self._parser, found), seen, len(answer) - len(found))

    def _named(self, answer: list[Any], hashes: Iterable[str]) -> list[Any]:
        """Those with a name in them that some query asks for: most have none. All, where names are in capitals."""
        names, texts = self._names, "".join([*hashes, *[one["address"] for one in answer]])
        if not self._is_named or texts != texts.lower():
            return answer
        return [one for one in answer if one["address"] in names or not names.isdisjoint(one["topics"])]

    def _finds(self, address: str, topics: Sequence[str]) -> bool:
        """As they stand there, which is in lower case as a rule; else in lower case."""
        return self._asks(address, topics) or self._asks(address.lower(), [topic.lower() for topic in topics])

    def _asks(self, emitter: str, topics: Sequence[str]) -> bool:
        """Whether a query finds a log of this contract with these topics."""
        for wanted in self._by_event.get(topics[0] if topics else "", self._of_any):
            if (not wanted.emitters or emitter in wanted.emitters) and len(topics) >= wanted.least_topics:
                for place, some in wanted.places:
                    if topics[place] not in some:
                        break
                else:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one query asks for; `events` are its first topics, `places` the others of which not any will do.

    Each log that it finds has one of the `names`; without any, they are not known.
    """

    emitters: frozenset[str]
    events: frozenset[str]
    least_topics: int
    places: tuple[tuple[int, frozenset[str]], ...]

    @classmethod
    def by(cls, query: LogQuery) -> _Wanted:
        places = [(i, frozenset[str](some)) for i, some in enumerate(query.topics) if some is not None and i > 0]
        return cls(frozenset(query.addresses), frozenset(first_topics(query)), len(query.topics), tuple(places))

    @property
    def names(self) -> frozenset[str]:
        return self.emitters or (self.places[-1][1] if self.places else self.events)


def first_topics(query: LogQuery) -> Sequence[str]:
    """The events a query asks for; none where it takes any."""
    return (query.topics[0] if query.topics else None) or ()


def malformed(what: str) -> EndpointError:
    """What is said of an answer that is not what was asked for."""
    return EndpointError(what, verdict=Verdict.MALFORMED, method="eth_getLogs")


def _parsed(matcher: Matcher, answer: Any) -> list[Log]:
    try:
        return matcher.parse(answer)
    except WrongFork:
        raise malformed("logs of two forks in one answer") from None
