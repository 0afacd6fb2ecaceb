"""A devnet for each test, played to where the test wants it; and one for all who only add blocks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devnet import Devnet, deploy_protocols
from devnet.scenario import scenario
from indexer.reads.ledger import audit
from indexer.run import bookkeeping
from tests.e2e.faults.trial import World
from tests.e2e.support import Setting

WAYS = {"by logs": "ledger_proof_s = 0", "by reads": "ledger = false"}
both_ways = pytest.mark.parametrize("fresh", WAYS, indirect=True)


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    """Every protocol stands and is funded; nothing has happened yet. Answered by logs, or by reads alone."""
    with Devnet.start() as net:
        yield Setting(net, deploy_protocols(net), tmp_path, WAYS[getattr(request, "param", "by logs")])


@pytest.fixture
def played(fresh: Setting) -> Setting:
    """The whole scenario has been played."""
    scenario(fresh.net, fresh.addresses)
    return fresh


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Every protocol, and a history of eighty blocks; each test goes on where the one before stopped."""
    with Devnet.start() as net:
        world = World(net, deploy_protocols(net), tmp_path_factory.mktemp("world"))
        net.mine(80)
        yield world


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is audited every four blocks."""
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 4)
    monkeypatch.setattr(audit, "SHARES", 1)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is audited."""
    monkeypatch.setattr(bookkeeping, "AUDIT_EVERY", 10**6)
    monkeypatch.setattr(bookkeeping, "FINAL_EVERY", 10**6)
