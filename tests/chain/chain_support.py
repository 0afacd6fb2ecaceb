"""What the tests of endpoints and chains share: a clock of their own, and the type of the pool fixture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from indexer.chain.pool import Pool

DAY_S = 86_400
PoolMaker = Callable[..., Pool]


class Time:
    """A clock that moves when somebody sleeps, and remembers each sleep."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
