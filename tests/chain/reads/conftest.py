"""One local chain for the reads: Multicall3, tokens, and contracts that no one should call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devnet.artifacts import own
from devnet.chain import Devnet
from devnet.protocols.multicall3 import place_multicall3
from indexer.model import Address
from tests.chain.reads.hostile_world import CODES, ReadsChain, block_ref


@pytest.fixture(scope="module")
def reads_chain() -> Iterator[ReadsChain]:
    with Devnet.start() as net:
        holder = net.accounts[0]
        tokens = tuple(net.deploy(own("TestToken"), f"Token {i}", f"T{i}", 18) for i in range(3))
        net.mine()
        for i, token in enumerate(tokens):
            net.send(token, "mint(address,uint256)", holder, 1_000 + i)
        net.mine(3)
        early = block_ref(net)
        net.mine()
        place_multicall3(net)
        for address, code in CODES.items():
            net.rpc("anvil_setCode", address, code)
        net.mine(2)
        yield ReadsChain(net, tuple(Address(t.lower()) for t in tokens), Address(holder.lower()), early, block_ref(net))
