"""The daemon says when something turns suspect, once, and stores every number all the same.

A ledger that is young is not trusted yet: what it explains, it explains a little later.
"""

from __future__ import annotations

import asyncio

import pytest

from devnet.desk import Desk
from indexer.cli.headline import judge_stored
from indexer.model import Bucket, Status
from indexer.run import daemon
from indexer.run.program import load_program
from indexer.valuation.verdicts import QualitySettings
from tests.e2e.support import Setting, Told, eventually, reached

pytestmark = [pytest.mark.anvil, pytest.mark.slow]

GIFT = 20_000_000 * 10**6  # USDC, to an escrow that holds 750,000 of it


@pytest.mark.parametrize("ledger", [False, True], ids=["without logs", "with the ledger's logs"])
async def test_a_leap_is_stored_at_once_told_once_and_cleared_by_logs_that_come_later(
    fresh: Setting, ledger: bool
) -> None:
    net, told = fresh.net, Told()

    async def warned() -> bool:
        return bool(told.of("suspect"))

    keys = f"ledger = {str(ledger).lower()}"
    config = fresh.configure(change=lambda text: text.replace('every = "block"', f'every = "block"\n{keys}'))
    program = load_program(config)
    async with fresh.store(config) as store:
        running = asyncio.create_task(daemon.run(program, store, told.log))
        try:
            usdc = Desk(net, fresh.addresses).provide(fresh.addresses.users[0], "USDC", GIFT)
            for _ in range(8):
                await reached(store, net.block_number())
                net.mine()
            await reached(store, net.block_number())
            net.send(usdc, "transfer(address,uint256)", fresh.addresses.escrow, GIFT, sender=fresh.addresses.users[0])
            net.mine()
            leap = net.block_number()

            for _ in range(3):
                await reached(store, net.block_number())
                net.mine()
            await reached(store, net.block_number())
            await eventually(warned, "the leap is told")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        (point,) = await store.series("escrow@devnet", leap, leap)
        (row,) = [row for row in await store.deployments() if row.key == "escrow@devnet"]
        one = await store.snapshot("escrow@devnet", leap)
        assert one is not None
        verdict = (await judge_stored(store, row, one, QualitySettings())).verdict
    assert point.totals[Bucket.BASE].usd > 20_000_000 * 10**18
    suspects = [line for line in told.of("suspect") if line["deployment"] == "escrow@devnet"]
    assert [(line["block"], line["rule"], line["token"]) for line in suspects] == [(leap, "jump", usdc)]
    assert "no complete transfer logs" in suspects[0]["reason"], "the ledger is not trusted yet at that block"
    assert [(f.rule, f.status) for f in verdict.findings] == [("jump", Status.OK if ledger else Status.SUSPECT)]
