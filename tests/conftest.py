"""What holds for the whole suite: its options, and that no key of an endpoint leaks."""

from __future__ import annotations

import hypothesis
import pytest

from tests import canary

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")  # no test is about time: a busy machine fails none


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak", "the random life of tests/e2e/test_soak.py")
    group.addoption("--soak-seconds", type=float, default=60.0, help="how long it lasts")
    group.addoption("--soak-seed", type=int, default=1, help="which life it is")
    group = parser.getgroup("ledger", "the random chain of tests/chain/test_ledger_devnet.py")
    group.addoption("--ledger-blocks", type=int, default=250, help="how long it gets")
    group.addoption("--ledger-seed", type=int, default=1, help="which chain it is")
    group.addoption("--ledger-lacks", type=int, default=60, help="of so many logs a node leaves out one")
    group = parser.getgroup("crowd", "the blocks full of logs of tests/e2e/test_untrue_nodes.py")
    group.addoption("--crowd-blocks", type=int, default=110, help="how many there are")
    group.addoption("--crowd-seed", type=int, default=42, help="which logs are left out")


def pytest_configure(config: pytest.Config) -> None:
    canary.pytest_configure(config)
