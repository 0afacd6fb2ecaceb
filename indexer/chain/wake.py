"""A WebSocket subscription to new heads -> a hint that wakes the follower's next poll. Never a source of blocks.

A clean close, an error or a silence leads to a new subscription; until it stands the follower polls as if there were
none. Neither the library's logs nor its errors, which carry the URL, get through.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any

from indexer.chain.limits import Sleep
from indexer.config.secret import Secret
from indexer.model import Hash

SLOWEST_RETRY_S = 60.0


class NewHeads:
    """A Wake over one endpoint, while it is entered as a context. `on_trouble` gets a sentence when it breaks off."""

    def __init__(
        self,
        url: Secret,
        *,
        silence_s: float = 60.0,
        retry_s: float = 1.0,
        on_trouble: Callable[[str], None] = lambda text: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._url, self._silence_s, self._retry_s = url, silence_s, retry_s
        self._on_trouble, self._sleep = on_trouble, sleep
        self._hint = asyncio.Event()
        self._told: Hash | None = None
        self._task: asyncio.Task[None] | None = None
        self.subscriptions = 0

    async def __aenter__(self) -> NewHeads:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def wait(self, timeout_s: float) -> Hash | None:
        """Return at a new head, or after the timeout. What the new head's hash is said to be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._hint.wait()
        self._hint.clear()
        told, self._told = self._told, None
        return told

    async def _run(self) -> None:
        retry_s = self._retry_s
        while True:
            heard = self.subscriptions
            self._on_trouble(f"{self._url.label}: {await self._listen()}")
            retry_s = self._retry_s if self.subscriptions > heard else min(SLOWEST_RETRY_S, retry_s * 2)
            await self._sleep(retry_s)

    async def _listen(self) -> str:
        """Subscribe and pass on hints until it ends. Returns why, without the library's words."""
        try:
            async with asyncio.timeout(self._silence_s) as watchdog:
                async for message in self._heads():
                    self._told = _hash_of(message)
                    self._hint.set()
                    watchdog.reschedule(asyncio.get_running_loop().time() + self._silence_s)
        except TimeoutError:
            return f"no new head for {self._silence_s:g} s, polling until it is subscribed again"
        except Exception as error:  # whatever the library raises: its text may carry the URL, so only its kind is told
            return f"the subscription failed ({type(error).__name__}), polling until it stands again"
        return "the subscription was closed, polling until it stands again"

    async def _heads(self) -> AsyncIterator[Any]:
        from web3 import AsyncWeb3

        async with AsyncWeb3(_quiet_provider(self._url)) as w3:
            await w3.eth.subscribe("newHeads")
            self.subscriptions += 1
            async for message in w3.socket.process_subscriptions():
                yield message


def _hash_of(message: Any) -> Hash | None:
    """The block's hash in a notification; None where there is none."""
    head = message.get("result") if isinstance(message, Mapping) else None
    found = head.get("hash") if isinstance(head, Mapping) else None
    return Hash(f"0x{found.hex().removeprefix('0x')}") if isinstance(found, bytes) and len(found) == 32 else None


def _quiet_provider(url: Secret) -> Any:
    """web3's WebSocket provider, knowing the label where it would show the URL."""
    from web3.providers.persistent import WebSocketProvider
    from websockets.asyncio.client import connect

    silent = logging.Logger("indexer.chain.wake", level=logging.CRITICAL + 1)

    class QuietProvider(WebSocketProvider):
        logger = silent

        async def _provider_specific_connect(self) -> None:
            self._ws = await connect(url.reveal(), logger=silent, max_size=2**20, proxy=None)

    return QuietProvider(url.label, max_connection_retries=1)
