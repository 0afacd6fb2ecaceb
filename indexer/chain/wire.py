"""One HTTP request to an endpoint -> status, headers, body, or an EndpointError.

The body is decompressed here, in bounded steps: neither a bomb nor a slow drip holds the program. Redirects are not
followed. No exception of the HTTP library leaves this module: their texts carry the URL.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from indexer.config.secret import Secret
from indexer.errors import EndpointError, Verdict

CEILING_BYTES = 64 * 2**20
_STEP_BYTES = 2**20
_MOST_MEMBERS = 16
_BOMB_RATIO = 200
_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "is of an authority that is not trusted",
    20: "is of an authority that is not trusted",
    21: "comes without the intermediate certificates",
    62: "is of another host",
    64: "is of another address",
}
"""OpenSSL's verify codes (https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/) in words of our own: its texts
name the host, which may be a secret."""
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, decompressed. `size` is what went over the wire, in bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int


def open_session(timeout_s: float) -> aiohttp.ClientSession:
    """A session as this module needs it: kept connections, no cookies, no decompression, one total timeout."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=75, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(10.0, timeout_s)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=2**19,
    )


async def post(session: aiohttp.ClientSession, url: Secret, body: bytes, *, ceiling: int = CEILING_BYTES) -> Response:
    """Send one body. Raises EndpointError: TIMEOUT, SERVER (no connection, broken off), MALFORMED (unreadable)."""
    trouble: EndpointError
    try:
        async with session.post(url.reveal(), data=body, headers=_HEADERS, allow_redirects=False) as response:
            return await _read(response, url, ceiling)
    except EndpointError as error:
        trouble = error
    except TimeoutError:
        trouble = EndpointError("no whole answer in time", verdict=Verdict.TIMEOUT, endpoint=url.label)
    except aiohttp.ClientSSLError as error:
        trouble = _untrusted(error, url)
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError) as error:
        trouble = EndpointError(f"no connection: {_kind(error)}", verdict=Verdict.SERVER, endpoint=url.label)
    except (aiohttp.ClientError, ValueError) as error:
        trouble = EndpointError(f"not HTTP: {_kind(error)}", verdict=Verdict.MALFORMED, endpoint=url.label)
    # Raised outside of the handlers, so that the library's exception does not travel along as its context.
    raise trouble.with_traceback(None)


async def _read(response: aiohttp.ClientResponse, url: Secret, ceiling: int) -> Response:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    chunks, total = [], 0
    source = response.content.iter_any()
    if encoding == "identity":
        plain: AsyncIterator[bytes] = source
    elif encoding in ("gzip", "x-gzip", "deflate"):
        plain = _inflate(source, url)
    else:
        raise EndpointError(f"an encoding not asked for: {encoding}", verdict=Verdict.MALFORMED, endpoint=url.label)
    async for chunk in plain:
        total += len(chunk)
        if total > ceiling:
            response.close()
            raise _too_large(url, ceiling, response.content.total_bytes)
        chunks.append(chunk)
    return Response(response.status, response.headers, b"".join(chunks), response.content.total_bytes)


async def _inflate(source: AsyncIterator[bytes], url: Secret) -> AsyncIterator[bytes]:
    """Decompress step by step, giving way to other tasks between the steps."""
    inflater, members = None, 0
    async for data in source:
        pending = data
        while pending:
            if inflater is None:
                inflater, members = _inflater(pending), members + 1
            if members > _MOST_MEMBERS:
                raise _broken(url, f"more than {_MOST_MEMBERS} compressed members in one answer")
            try:
                yield inflater.decompress(pending, _STEP_BYTES)
            except zlib.error:
                raise _broken(url, "not the encoding it says") from None
            pending = inflater.unconsumed_tail
            if inflater.eof:
                pending, inflater = inflater.unused_data, None
            await asyncio.sleep(0)
    if inflater is not None:
        raise _broken(url, "a compressed answer that breaks off")


def _inflater(head: bytes) -> zlib._Decompress:
    """For gzip and zlib by their first byte; what begins otherwise is the bare deflate that some servers send."""
    return zlib.decompressobj(wbits=47 if head[0] == 0x1F or head[0] & 0x0F == 8 else -15)


def _too_large(url: Secret, ceiling: int, received: int) -> EndpointError:
    """Asking for less helps, unless the answer is nearly nothing blown up: that is a bomb."""
    bomb = received * _BOMB_RATIO < ceiling
    verdict = Verdict.MALFORMED if bomb else Verdict.SPLIT
    return EndpointError(f"an answer of more than {ceiling} bytes", verdict=verdict, endpoint=url.label)


def _broken(url: Secret, what: str) -> EndpointError:
    return EndpointError(what, verdict=Verdict.MALFORMED, endpoint=url.label)


def _untrusted(error: aiohttp.ClientSSLError, url: Secret) -> EndpointError:
    """No TLS, or not with whom the URL says. No retry mends that, nor is anything sent without."""
    cause = getattr(error, "certificate_error", None)
    if cause is None:
        text, hint = "no TLS connection", "Does the endpoint speak http where its URL says https?"
    else:
        text = f"its TLS certificate {_CERTIFICATE.get(getattr(cause, 'verify_code', 0), 'cannot be trusted')}"
        hint = "Renew the endpoint's certificate; for an authority of your own, set SSL_CERT_FILE to its certificate."
    return EndpointError(text, verdict=Verdict.SERVER, endpoint=url.label, hint=hint, tls=_kind(error))


def _kind(error: Exception) -> str:
    """The kind of an exception, for its text may carry the URL."""
    cause = getattr(error, "os_error", None)
    return type(cause or error).__name__
