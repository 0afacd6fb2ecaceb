"""Each endpoint of a chain by itself: does it answer, for which chain, how fresh, how far back, and what does it offer.

Asks the endpoint alone, past the pool: a broken one must not hide behind its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from indexer.chain.base import Request
from indexer.chain.blocks import header_request, parse_header
from indexer.chain.rpc import Endpoint
from indexer.cli.finding import Finding, fine, note, problem
from indexer.cli.text import duration
from indexer.config.schema import ChainSettings
from indexer.config.secret import Secret
from indexer.errors import EndpointError, Verdict
from indexer.model import NATIVE, BlockRef

PATIENCE_S = 10.0
STALE_S = 600
STALE_BLOCKS = 50
_UNREACHABLE = "Is the URL right, is the endpoint up, and may this machine reach it?"
_HINTS = {
    Verdict.AUTH: "The endpoint refuses the key in its URL.",
    Verdict.QUOTA: "The endpoint's quota is used up.",
    Verdict.RATE: "Too many requests: give the chain `requests_per_second`, or try again later.",
}
Send = Callable[[Sequence[Request]], Awaitable[list[Any | EndpointError]]]


async def probe_endpoints(chain: str, settings: ChainSettings) -> AsyncIterator[Finding]:
    """What is to be said of each endpoint, in the order of the configuration."""
    for endpoint in settings.endpoints:
        async for finding in probe_endpoint(chain, settings, endpoint):
            yield finding


async def probe_endpoint(chain: str, settings: ChainSettings, url: Secret) -> AsyncIterator[Finding]:
    """One line if all is well; a line for each thing that is not."""
    endpoint = Endpoint(url, timeout_s=min(settings.timeout_s, PATIENCE_S))
    what = f"{chain} {endpoint.label}"
    try:
        async for finding in _questions(what, settings, endpoint.send):
            yield finding
    except EndpointError as error:
        yield problem(what, str(error), error.next_step or _HINTS.get(error.verdict, _UNREACHABLE))
    finally:
        await endpoint.close()


async def _questions(what: str, settings: ChainSettings, send: Send) -> AsyncIterator[Finding]:
    started = time.perf_counter()
    chain_id = await _ask(send, Request("eth_chainId"))
    latency_ms = round((time.perf_counter() - started) * 1000)
    if chain_id != hex(settings.chain_id):
        yield problem(
            what, f"serves chain {_number(chain_id)}, not {settings.chain_id}", "Correct the URL, or the chain."
        )
        return
    head = parse_header(await _ask(send, header_request("latest")))
    archive = await _has_archive(send, settings, head)
    age_s = max(0, int(time.time()) - head.timestamp)
    depth = "archive" if archive else "no archive"
    yield fine(what, f"block {head.number}, {duration(age_s)} old; {depth}; {latency_ms} ms")
    for finding in [
        _freshness(what, settings, age_s),
        await _finality(what, settings, send),
        await _multicall(what, settings, send),
        None if archive else note(what, "has no state of old blocks", "`tvl backfill` needs an archive endpoint."),
    ]:
        if finding:
            yield finding


def _freshness(what: str, settings: ChainSettings, age_s: int) -> Finding | None:
    if age_s <= max(STALE_S, STALE_BLOCKS * settings.block_time_s):
        return None
    return problem(
        what, f"its newest block is {duration(age_s)} old", "Is the node in sync, and is the clock here right?"
    )


async def _finality(what: str, settings: ChainSettings, send: Send) -> Finding | None:
    if not settings.finality.tags:
        return None
    try:
        parse_header(await _ask(send, header_request("finalized")))
    except EndpointError:
        hint = f"Use another endpoint, or finality = {{ tags = false, depth = {settings.finality.depth} }}."
        return problem(what, "does not tell the finalized block", hint)
    return None


async def _multicall(what: str, settings: ChainSettings, send: Send) -> Finding | None:
    if settings.multicall3 is None:
        return note(what, "no Multicall3 configured: contracts are asked one by one", "Set `multicall3` of the chain.")
    code = await _ask(send, Request("eth_getCode", (settings.multicall3.address, "latest")))
    if isinstance(code, str) and len(code) > 2:
        return None
    return problem(what, f"no contract at Multicall3's address {settings.multicall3.address}", "Correct `multicall3`.")


async def _has_archive(send: Send, settings: ChainSettings, head: BlockRef) -> bool:
    """Whether the state of an early block can still be read."""
    early = min(head.number, settings.multicall3.first_block if settings.multicall3 else 1)
    try:
        await _ask(send, Request("eth_getBalance", (NATIVE, hex(max(early, 1)))))
    except EndpointError:
        return False
    return True


async def _ask(send: Send, request: Request) -> Any:
    (answer,) = await send([request])
    if isinstance(answer, EndpointError):
        raise answer
    return answer


def _number(value: Any) -> str:
    try:
        return str(int(value, 16))
    except (TypeError, ValueError):
        return "of no number"
