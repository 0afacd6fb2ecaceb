"""No text of any kind carries the key in an endpoint's URL."""

from __future__ import annotations

import gc
import json
import logging
import traceback

import pytest

from devnet import faults
from devnet.proxy import FaultProxy
from indexer.chain.base import Request
from indexer.chain.failures import classify, from_error
from indexer.chain.health import Trouble
from indexer.config.redact import Redactor
from indexer.config.secret import Secret
from indexer.errors import ChainUnavailable, Verdict
from tests.chain.chain_support import BROKEN, FOUR, PoolMaker, Time

pytestmark = pytest.mark.anvil


async def test_no_key_is_in_any_text_whatever_fails(
    proxy: FaultProxy, pool_of: PoolMaker, caplog: pytest.LogCaptureFixture, troubles: list[Trouble], time_: Time
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for act in [*BROKEN.values(), faults.status(401), faults.drip(0.05), faults.status(402)]:
        for url in (proxy.url, f"http://127.0.0.1:9/v3/{proxy.key}", f"http://127.0.0.1:{proxy.port}/ {proxy.key}\n"):
            proxy.heal()
            proxy.fault(act)
            pool = pool_of(url, timeout_s=0.2)
            try:
                await pool.send(FOUR)
            except ChainUnavailable as error:
                texts += traceback.format_exception(error)
                texts += [repr(link) + str(link.__dict__) for link in _chain_of(error)]
            texts += [repr(pool.health()), repr(pool.stats), repr(pool)]
    gc.collect()
    text = json.dumps([texts, caplog.text, repr(troubles)])
    assert len(text) > 10_000
    assert proxy.key not in text


def _chain_of(error: BaseException | None) -> list[BaseException]:
    """An exception with all that hangs on it, shown or not."""
    if error is None:
        return []
    return [error, *_chain_of(error.__cause__), *_chain_of(error.__context__)]


async def test_a_provider_that_quotes_its_own_url_cannot_put_the_key_into_an_error() -> None:
    url = Secret("https://user:CANARYPASSWORD@node.example/v3/CANARYKEY0123456789")
    said = from_error(
        {"code": -32000, "message": f"missing trie node at {url.reveal()} for CANARYKEY0123456789"}, 200, {}
    )
    redact = Redactor()
    redact.hide(url.reveal())
    error = classify(said, Request("eth_call"), endpoint=url.label, redact=redact)
    assert error.verdict is Verdict.PRUNED
    assert "CANARY" not in f"{error} {error.message} {error.context}"
