"""One devnet with a history of eighty blocks, shared by all faults: each goes on where the one before stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devnet import Devnet, deploy_protocols
from tests.e2e.faults.trial import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Devnet.start() as net:
        world = World(net, deploy_protocols(net), tmp_path_factory.mktemp("faults"))
        net.mine(80)
        yield world
