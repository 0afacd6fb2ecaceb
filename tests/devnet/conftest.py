"""One deployed chain for all tests of this folder; each test finds it as it was deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devnet import Addresses, Devnet, deploy_protocols
from devnet.desk import Desk


@pytest.fixture(scope="session")
def deployed() -> Iterator[tuple[Devnet, Addresses]]:
    with Devnet.start() as net:
        yield net, deploy_protocols(net)


@pytest.fixture
def net(deployed: tuple[Devnet, Addresses]) -> Iterator[Devnet]:
    chain, _ = deployed
    snapshot = chain.snapshot()
    yield chain
    chain.revert(snapshot)


@pytest.fixture
def addresses(deployed: tuple[Devnet, Addresses]) -> Addresses:
    return deployed[1]


@pytest.fixture
def desk(net: Devnet, addresses: Addresses) -> Desk:
    return Desk(net, addresses)
