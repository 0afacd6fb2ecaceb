"""One endpoint: JSON-RPC requests in, one answer or failure for each, in order.

Replies are matched by id, one to one; a batch with an id missing, doubled or foreign is refused whole. Keeps to the
endpoint's pace and batch size and learns both. Never retries elsewhere and never judges what an answer means.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from indexer.chain import wire
from indexer.chain.base import Request
from indexer.chain.failures import classify, from_error, from_text
from indexer.chain.limits import BatchSize, Clock, Pace, Sleep
from indexer.chain.verdicts import Failure
from indexer.config.redact import Redactor
from indexer.config.secret import Secret
from indexer.errors import EndpointError, Verdict

_OF_THE_WHOLE = frozenset({Verdict.SPLIT, Verdict.RATE, Verdict.QUOTA, Verdict.AUTH, Verdict.UNSUPPORTED})


@dataclass(slots=True)
class Traffic:
    """What went over the wire: JSON-RPC requests by method, HTTP requests, bytes each way."""

    requests: Counter[str] = field(default_factory=Counter)
    http: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.requests + other.requests,
            self.http + other.http,
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
        )


class Endpoint:
    """One URL. `label` names it in every text."""

    def __init__(
        self,
        url: Secret,
        *,
        timeout_s: float = 30.0,
        units_per_s: float | None = None,
        cost_by_method: Mapping[str, int] | None = None,
        most_items: int = 100,
        ceiling: int = wire.CEILING_BYTES,
        session: aiohttp.ClientSession | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.label = url.label
        self.pace = Pace(clock, units_per_s, cost_by_method or {})
        self.size = BatchSize(most_items)
        self.traffic = Traffic()
        self._url, self._timeout_s, self._ceiling, self._sleep = url, timeout_s, ceiling, sleep
        self._redact = Redactor()
        self._redact.hide(url.reveal())
        self._session, self._owned = session, session is None
        self._next_id = 1

    async def close(self) -> None:
        """Close the session, unless it was handed in."""
        if self._session is not None and self._owned:
            await self._session.close()
            self._session = None

    async def send(self, requests: Sequence[Request]) -> list[Any | EndpointError]:
        """Answers and failures in the order asked. Raises EndpointError where the endpoint failed as a whole.

        Goes out in as many HTTP requests as the endpoint's batch size asks for; what it calls too large in company is
        asked again alone, so that a SPLIT left in the list is about that one request.
        """
        bodies = [self._encode(request) for request in requests]
        slices = list(self.size.pack(bodies))
        if len(slices) == 1:
            return await self._send_slice(requests, bodies)
        parts = await asyncio.gather(
            *(self._send_slice(requests[part], bodies[part]) for part in slices), return_exceptions=True
        )
        answers: list[Any | EndpointError] = []
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            answers.extend(part)
        return answers

    async def _send_slice(self, requests: Sequence[Request], bodies: Sequence[bytes]) -> list[Any | EndpointError]:
        """One HTTP request; on "too large" two halves, down to one request alone."""
        size = sum(map(len, bodies))
        try:
            answers = await self._exchange(requests, bodies)
        except EndpointError as error:
            if error.verdict is not Verdict.SPLIT:
                raise
            if len(requests) == 1:
                return [error]
            return await self._halves(requests, bodies, size)
        if len(requests) == 1:
            return answers
        large = [i for i, answer in enumerate(answers) if _is(answer, Verdict.SPLIT) and not requests[i].optional]
        for i in large:
            answers[i] = (await self._send_slice([requests[i]], [bodies[i]]))[0]
        if not large:
            self.size.accepted(len(requests), size)
        elif not all(_is(answers[i], Verdict.SPLIT) for i in large):
            self.size.refused(len(requests), size)
        return answers

    async def _halves(
        self, requests: Sequence[Request], bodies: Sequence[bytes], size: int
    ) -> list[Any | EndpointError]:
        self.size.refused(len(requests), size)
        middle = len(requests) // 2
        first = await self._send_slice(requests[:middle], bodies[:middle])
        return first + await self._send_slice(requests[middle:], bodies[middle:])

    async def _exchange(self, requests: Sequence[Request], bodies: Sequence[bytes]) -> list[Any | EndpointError]:
        await self._keep_pace(requests)
        first = self._next_id
        self._next_id += len(requests)
        ids = [b'{"jsonrpc":"2.0","id":%d,%b' % (first + i, body) for i, body in enumerate(bodies)]
        body = ids[0] if len(ids) == 1 else b"[%b]" % b",".join(ids)
        self._count_sent(requests, len(body))
        response = await wire.post(self._http(), self._url, body, ceiling=self._ceiling)
        self.traffic.bytes_received += response.size
        try:
            answers = self._read(response, requests, first)
        except EndpointError as error:
            if error.verdict is Verdict.RATE:
                self.pace.objected(error.retry_after_s)
            raise
        self._note_pace(answers)
        return answers

    async def _keep_pace(self, requests: Sequence[Request]) -> None:
        cost = self.pace.cost(requests)
        while (wait_s := self.pace.wait_s(cost)) > 0:
            await self._sleep(wait_s)
        self.pace.spend(cost)

    def _note_pace(self, answers: Sequence[Any | EndpointError]) -> None:
        waits = [a.retry_after_s for a in answers if isinstance(a, EndpointError) and a.verdict is Verdict.RATE]
        if waits:
            self.pace.objected(max((wait for wait in waits if wait is not None), default=None))
        else:
            self.pace.accepted()

    def _read(self, response: wire.Response, requests: Sequence[Request], first: int) -> list[Any | EndpointError]:
        try:
            document = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            raise self._unreadable(response, requests[0]) from None
        if len(requests) == 1 and isinstance(document, list) and len(document) == 1:
            document = document[0]
        if len(requests) > 1 and isinstance(document, list):
            return self._match(document, response, requests, first)
        if not isinstance(document, dict) or ("error" not in document and "result" not in document):
            if response.status == 200:
                raise self._malformed("neither a result nor an error", requests[0])
            raise self._failed({"message": _words(document)}, response, requests[0])
        if len(requests) > 1 or (document.get("id") is None and document.get("error") is not None):
            raise self._whole(document, response, requests)
        return self._match([document], response, requests, first)

    def _match(
        self, documents: list[Any], response: wire.Response, requests: Sequence[Request], first: int
    ) -> list[Any | EndpointError]:
        if len(documents) != len(requests):
            raise self._whole(documents[0] if documents else None, response, requests)
        answers: list[Any | EndpointError] = [_NOTHING] * len(requests)
        for document in documents:
            place = document["id"] - first if isinstance(document, dict) and type(document.get("id")) is int else -1
            if not 0 <= place < len(requests) or answers[place] is not _NOTHING:
                raise self._malformed("an id that was not asked for, or twice", requests[0])
            answers[place] = self._answer(document, response, requests[place])
        return answers

    def _answer(self, document: dict[str, Any], response: wire.Response, request: Request) -> Any | EndpointError:
        error = document.get("error")
        if error is None:
            if "result" not in document:
                raise self._malformed("neither a result nor an error", request)
            return document["result"]
        if document.get("result") is not None:
            raise self._malformed("both a result and an error", request)
        return self._failed(error, response, request)

    def _whole(self, document: Any, response: wire.Response, requests: Sequence[Request]) -> EndpointError:
        """A reply of another number than asked. Only a refusal of the whole says something; the rest is refused."""
        if isinstance(document, dict) and document.get("error") is not None and document.get("result") is None:
            error = self._failed(document["error"], response, requests[0])
            if error.verdict in _OF_THE_WHOLE or response.status != 200:
                return error
        return self._malformed("another number of replies than requests", requests[0])

    def _unreadable(self, response: wire.Response, request: Request) -> EndpointError:
        head = response.body[:1]
        if response.status == 200 and (not response.body.strip() or head in b'{["'):
            return self._malformed("JSON that breaks off", request)
        failure = from_text(response.body, response.status, response.headers)
        return classify(failure, request, endpoint=self.label, redact=self._redact)

    def _failed(self, error: Any, response: wire.Response, request: Request) -> EndpointError:
        failure: Failure = from_error(error, response.status, response.headers)
        return classify(failure, request, endpoint=self.label, redact=self._redact)

    def _malformed(self, what: str, request: Request) -> EndpointError:
        return EndpointError(what, verdict=Verdict.MALFORMED, endpoint=self.label, method=request.method)

    def _encode(self, request: Request) -> bytes:
        return b'"method":%b,"params":%b}' % (orjson.dumps(request.method), orjson.dumps(request.params))

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = wire.open_session(self._timeout_s)
        return self._session

    def _count_sent(self, requests: Sequence[Request], size: int) -> None:
        self.traffic.http += 1
        self.traffic.bytes_sent += size
        self.traffic.requests.update(request.method for request in requests)


_NOTHING = object()


def _is(answer: Any, verdict: Verdict) -> bool:
    return isinstance(answer, EndpointError) and answer.verdict is verdict


def _words(document: Any) -> str:
    """What a JSON body that is not JSON-RPC says."""
    if not isinstance(document, dict):
        return str(document)
    return " ".join(str(document[key]) for key in ("message", "detail", "title", "reason", "status") if key in document)
