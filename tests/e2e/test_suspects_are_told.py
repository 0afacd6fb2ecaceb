"""The daemon says when something turns suspect, once, and stores every number all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from devnet.desk import Desk
from indexer.model import Bucket
from indexer.run import daemon
from indexer.run.program import load_program
from tests.e2e.support import Setting, eventually, reached

pytestmark = [pytest.mark.anvil, pytest.mark.slow]

GIFT = 20_000_000 * 10**6  # USDC, to an escrow that holds 750,000 of it


async def test_a_leap_that_nothing_explains_is_told_once_and_stored_at_once(fresh: Setting) -> None:
    net, told = fresh.net, list[dict[str, Any]]()

    def keep(_: object, __: str, event: dict[str, Any]) -> str:
        told.append(dict(event))
        return ""

    config = fresh.configure()
    program = load_program(config)
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[keep])
    async with fresh.store(config) as store:
        running = asyncio.create_task(daemon.run(program, store, log))
        try:
            usdc = Desk(net, fresh.addresses).provide(fresh.addresses.users[0], "USDC", GIFT)
            for _ in range(2):
                await reached(store, net.block_number())
                net.mine()
            await reached(store, net.block_number())
            net.send(usdc, "transfer(address,uint256)", fresh.addresses.escrow, GIFT, sender=fresh.addresses.users[0])
            net.mine()
            leap = net.block_number()

            async def warned() -> bool:
                return any(line["event"] == "suspect" for line in told)

            await eventually(warned, "the leap is told")
            for _ in range(3):
                await reached(store, net.block_number())
                net.mine()
            await reached(store, net.block_number())
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        (point,) = await store.series("escrow@devnet", leap, leap)
    assert point.totals[Bucket.BASE].usd > 20_000_000 * 10**18
    suspects = [line for line in told if line["event"] == "suspect" and line["deployment"] == "escrow@devnet"]
    assert [(line["block"], line["rule"], line["token"]) for line in suspects] == [(leap, "jump", usdc)]
    assert "no complete transfer logs" in suspects[0]["reason"]
