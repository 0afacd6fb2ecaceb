"""A batch and what it takes to answer it: at which blocks it stands, and which failures it may be left with.

Judges answers by their verdicts alone; never asks anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.chain.base import Replies, Request
from indexer.chain.pins import pin_of
from indexer.errors import EndpointError, Verdict

ABOUT_THE_REQUEST = frozenset({Verdict.SPLIT, Verdict.REVERT, Verdict.GASCAP})
"""Failures that any endpoint would repeat."""
NOT_MENDED_BY_WAITING = frozenset({Verdict.PRUNED, Verdict.WRONG_FORK, Verdict.UNSUPPORTED, Verdict.TIMEOUT})
"""Failures that another endpoint may not have, and that no waiting mends."""
OF_THE_ENDPOINT = frozenset(
    {Verdict.RATE, Verdict.SERVER, Verdict.TIMEOUT, Verdict.QUOTA, Verdict.AUTH, Verdict.MALFORMED}
)
"""Failures that say nothing of the request, as a rule (see `may_stay`)."""
_HEAVY_METHODS = frozenset({"eth_call", "eth_getLogs"})
_HEADER_METHODS = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash"})


@dataclass(frozen=True, slots=True)
class Need:
    """A batch and what it takes to answer it: the highest and the lowest block it stands at, as far as known.

    `pins` is where each request stands. `existing` are the places where a `null` is no answer yet: headers of blocks
    that some endpoint has.
    """

    requests: Sequence[Request]
    avoid: str | None
    pins: Sequence[int | str | None]
    highest: int | None
    lowest: int | None
    existing: frozenset[int]

    @classmethod
    def of(cls, requests: Sequence[Request], numbers: Mapping[str, int], head: int | None, avoid: str | None) -> Need:
        """Read a batch. `numbers` tells the number of a block by its hash, `head` is the highest known."""
        pins = [None if request.optional else pin_of(request) for request in requests]
        places = {place: numbers.get(pin) if isinstance(pin, str) else pin for place, pin in enumerate(pins)}
        known = {place: number for place, number in places.items() if number is not None}
        existing = frozenset(
            place
            for place, number in known.items()
            if requests[place].method in _HEADER_METHODS and head is not None and number <= head
        )
        return cls(
            requests, avoid, pins, max(known.values(), default=None), min(known.values(), default=None), existing
        )

    @property
    def method(self) -> str:
        """What the batch is timed as."""
        return self.requests[0].method

    @property
    def heavy(self) -> bool:
        """Whether a timeout may be the requests' own fault: asked for less, they might be answered."""
        return all(request.method in _HEAVY_METHODS for request in self.requests)

    def soft(self, place: int, answer: Any) -> bool:
        """Whether another endpoint, or a moment's wait, may answer better."""
        if isinstance(answer, EndpointError):
            return answer.verdict not in ABOUT_THE_REQUEST and not self.requests[place].optional
        return answer is None and place in self.existing

    def whole(self, replies: Replies) -> bool:
        """Whether no answer could be had better elsewhere."""
        return not any(
            self.soft(place, answer)
            for place, answer in enumerate(replies.items)
            if answer is None or isinstance(answer, EndpointError)
        )

    def final(self, replies: Replies, *, last: bool = False) -> bool:
        """Whether all that is left is about the request: at once, or when the `last` wait has not mended it."""
        return not any(
            self.soft(place, answer) and not self._final(place, answer, last)
            for place, answer in enumerate(replies.items)
        )

    def waits_for_block(self, replies: Replies) -> bool:
        """Whether a block is missing that should be there within a block's time."""
        return any(
            self.soft(place, answer) and _missing(answer) and not self._final(place, answer, last=False)
            for place, answer in enumerate(replies.items)
        )

    def _final(self, place: int, answer: Any, last: bool) -> bool:
        """A tag that is not there need not come; a header by hash is of another fork; the rest gets its time."""
        if _missing(answer):
            return last or self.pins[place] is None or (answer is None and isinstance(self.pins[place], str))
        return answer.verdict in NOT_MENDED_BY_WAITING or (last and may_stay(answer))


def _missing(answer: Any) -> bool:
    return answer is None or answer.verdict is Verdict.MISSING_TIP


def own_failure(request: Request, answer: Any) -> bool:
    """Whether a failure among the answers is the endpoint's, not the request's, and matters."""
    return isinstance(answer, EndpointError) and answer.verdict in OF_THE_ENDPOINT and not request.optional


def may_stay(error: EndpointError) -> bool:
    """Whether an endpoint's failure may be about the request: too slow, or in unknown words."""
    return error.verdict is Verdict.TIMEOUT or "unknown" in error.context
