"""Interest on debts, which no log tells: how long it may hide behind a proof, and that the rows come right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from devnet.desk import Desk
from devnet.proxy import FaultProxy
from indexer.run.program import load_program
from tests.e2e.support import (
    Setting,
    Told,
    digests,
    eventually,
    following,
    index_each,
    only,
    reached,
)

pytestmark = pytest.mark.anvil

A_QUARTER_HOUR, SOME_HOURS = 10**8, 3 * 10**7
"""Units of WBTC owed: the interest of the first is a unit in 14 minutes, that of the second in two and a half hours."""


async def lent(setting: Setting, debt: int, blocks: int, dt: int) -> list[str]:
    """A debt of so many units, followed for so many blocks: what the daemon told of logs and answers that differ.

    Ends when the rows at every block are those of plain reads.
    """
    told, only_aave = Told(), partial(only, names=["aave-v3"], is_priced=False)
    Desk(setting.net, setting.addresses).borrow(setting.addresses.users[0], "WBTC", debt)
    setting.net.mine()
    async with FaultProxy(setting.net.url) as proxy:
        config = setting.configure("proxied.toml", url=proxy.url, change=only_aave)
        clean = setting.configure("clean.toml", change=only_aave)
        async with setting.store(config) as store, following(load_program(config), store, told.log):
            start = setting.net.block_number()
            await reached(store, start)
            for _ in range(blocks):
                async with proxy.quiet():
                    setting.net.mine(dt=dt)
                await reached(store, setting.net.block_number())
            last = setting.net.block_number()
            await index_each(clean, range(start, last + 1))

            async def mended() -> bool:
                return await digests(config, start, last) == await digests(clean, start, last)

            await eventually(mended, "the rows are those of plain reads")
            assert await store.verify() == []
    return [str(event) for event in told.of("logs and answers differ")]


@pytest.mark.usefixtures("often")
async def test_without_proof_interest_of_minutes_is_believed_too_soon_and_the_rows_are_mended(fresh: Setting) -> None:
    (told,) = await lent(fresh, A_QUARTER_HOUR, blocks=32, dt=60)
    assert fresh.addresses.aave.reserves["WBTC"].variable_debt_token in told
    assert "without a log" in told


@pytest.mark.usefixtures("never")
async def test_with_the_proof_of_an_hour_interest_of_minutes_is_never_believed(fresh: Setting) -> None:
    assert await lent(replace(fresh, chain="audit_one_in = 0"), A_QUARTER_HOUR, blocks=40, dt=120) == []


@pytest.mark.usefixtures("often")
async def test_interest_that_outlasts_every_proof_is_found_when_it_shows_and_the_rows_are_mended(
    fresh: Setting,
) -> None:
    (told,) = await lent(replace(fresh, chain=""), SOME_HOURS, blocks=32, dt=600)
    assert fresh.addresses.aave.reserves["WBTC"].variable_debt_token in told
