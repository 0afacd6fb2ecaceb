"""What tests of logs begin with."""

from __future__ import annotations

import pytest

from tests.unit.chain.log_nodes import Node


@pytest.fixture
def node() -> Node:
    return Node("one")
