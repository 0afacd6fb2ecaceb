"""What turns suspect is told once, beside the daemon; what goes wrong in judging stays there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from indexer.model import Snapshot
from indexer.run.watch import WAITING, watch
from indexer.store import open_store
from indexer.store.base import DeploymentRow, Store
from indexer.valuation.verdicts import QualitySettings
from tests.unit.valuation.stocks import Held, block, snapshot

KEY = "vault@ethereum"
ROW = DeploymentRow(KEY, "vault", "ethereum", "token_balances", "yield", "{}", 0)


def at(number: int, dai: int) -> Snapshot:
    held: list[Held] = [("dai", dai), ("eth", 50)]
    return snapshot(KEY, held, {}, block(number))


async def told(store: Store, snapshots: list[Any], forget: int | None = None) -> list[dict[str, Any]]:
    """What the log says of snapshots that are seen one after another."""
    with capture_logs() as lines:
        one = watch([ROW], store, structlog.get_logger(), QualitySettings())
        async with one.judging():
            for i, each in enumerate(snapshots):
                if i == forget:
                    await one.caught_up()
                    one.forget_above(block(0))
                one.see([each])
            await one.caught_up()
    return [line for line in lines if line["event"] in ("suspect", "could not be judged")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("sqlite:///tvl.db", tmp_path)


async def test_a_leap_is_told_once_while_it_lasts(store: Store) -> None:
    async with store:
        await store.register([ROW])
        lines = await told(store, [at(1, 100), at(2, 100), at(3, 900), at(4, 900), at(5, 900)])
    assert [(line["log_level"], line["block"], line["rule"], line["usd"]) for line in lines] == [
        ("warning", 3, "jump", "$800.00")
    ]


async def test_a_leap_that_was_over_is_told_when_it_comes_again(store: Store) -> None:
    async with store:
        await store.register([ROW])
        lines = await told(store, [at(1, 100), at(2, 900), at(3, 100), at(4, 900)])
    assert [line["block"] for line in lines] == [2, 4]


async def test_what_a_reorg_took_back_is_no_past(store: Store) -> None:
    async with store:
        await store.register([ROW])
        assert await told(store, [at(1, 100), at(2, 900)], forget=1) == []


async def test_a_snapshot_that_cannot_be_judged_is_told_and_the_next_one_is_judged(store: Store) -> None:
    async with store:
        await store.register([ROW])
        broken = snapshot(KEY, [("dai", 100)], {}, block(2))
        object.__setattr__(broken, "quotes", None)
        lines = await told(store, [at(1, 100), broken, at(3, 900)])
    assert [(line["event"], line["block"]) for line in lines] == [("could not be judged", 2), ("suspect", 3)]


async def test_a_judge_that_is_late_lets_the_oldest_go(store: Store) -> None:
    async with store:
        await store.register([ROW])
        with capture_logs() as lines:
            one = watch([ROW], store, structlog.get_logger(), QualitySettings())
            one.see([at(1, 1)])
            for number in range(2, WAITING + 3):
                one.see([at(number, 1000)])
            async with one.judging():
                await one.caught_up()
    assert lines == []
