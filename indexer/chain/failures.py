"""Any reply that is not an answer -> one EndpointError, its verdict taken from the table in `verdicts`.

Reads what providers send in whatever shape: JSON-RPC errors, bare JSON, HTML, plain text. Keeps the data of a revert
and the wait that was asked for; cuts every foreign text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from indexer.chain.base import Request
from indexer.chain.verdicts import UNKNOWN, Failure, decide
from indexer.errors import EndpointError, clean

TEXT_LIMIT = 2_048
DATA_LIMIT = 16_384


def classify(failure: Failure, request: Request, *, endpoint: str, redact: Callable[[str], str] = str) -> EndpointError:
    """The error that a failed reply stands for, its words without secrets.

    Its context has `unknown` where the table does not know the words.
    """
    row = decide(failure, request)
    return EndpointError(
        redact(failure.text) or f"HTTP {failure.status}",
        verdict=row.verdict,
        retry_after_s=retry_after_s(failure),
        data=failure.data,
        endpoint=endpoint,
        method=clean(request.method),
        code=failure.code or None,
        http=failure.status if failure.status != 200 else None,
        unknown=True if row is UNKNOWN and failure.code and failure.status < 500 else None,
    )


def from_error(error: Any, status: int, headers: Mapping[str, str]) -> Failure:
    """The failure in the `error` member of a JSON-RPC reply, however the provider shaped it."""
    if not isinstance(error, dict):
        return Failure(status, 0, _cut(error), None, headers)
    message, detail = error.get("message"), error.get("data")
    data = _revert_data(detail)
    words = [message if message is not None else error.get("error", "")]
    if isinstance(detail, str) and not detail.startswith("0x"):
        words.append(detail)
    code = error.get("code")
    if isinstance(code, str) and re.fullmatch(r"-?\d{1,9}", code):
        code = int(code)
    return Failure(status, code if type(code) is int else 0, _cut(" ".join(map(str, words))), data, headers)


def from_text(body: bytes, status: int, headers: Mapping[str, str]) -> Failure:
    """The failure in a body that is no JSON: of a page of HTML only the title counts, the rest is prose."""
    text = body[: 4 * TEXT_LIMIT].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        title = re.search(r"<title[^>]*>(.{0,200}?)</title", text, re.IGNORECASE | re.DOTALL)
        text = f"a page of HTML: {title[1].strip() if title else 'untitled'}"
    return Failure(status, 0, _cut(text), None, headers)


def retry_after_s(failure: Failure) -> float | None:
    """The wait that the reply asks for, by header or in words; at most an hour. None: it does not say."""
    asked = _header_wait(failure.headers)
    if asked is None and (words := _WAIT.search(failure.text)):
        scale = 0.001 if words["unit"].lower().startswith("ms") else 1.0
        asked = float(words["count"]) * scale
    return None if asked is None else min(max(asked, 0.0), 3_600.0)


def _header_wait(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
        return float(value)
    until, now = _http_date(value), _http_date(headers.get("Date", ""))
    return until - now if until is not None and now is not None else None


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _cut(value: Any) -> str:
    """The head and the tail of a text: providers wrap the node's words in their own."""
    text = str(value)
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT // 2]} … {text[-TEXT_LIMIT // 2 :]}"


def _revert_data(detail: Any) -> str | None:
    """The bytes a contract reverted with, as hex: plain, inside an object, or after a word (`Reverted 0x…`)."""
    if isinstance(detail, dict):
        return _revert_data(detail.get("data"))
    found = (
        re.match(r"(?:Reverted )?(0x(?:[0-9a-fA-F]{2})*)$", detail[:DATA_LIMIT]) if isinstance(detail, str) else None
    )
    return found[1] if found else None


_WAIT = re.compile(
    r"(?:try again|retry|wait|backoff)[^.\d]{0,30}?(?P<count>\d{1,6}(?:\.\d{1,3})?) ?(?P<unit>ms|milli|s\b|sec|second)",
    re.IGNORECASE,
)
