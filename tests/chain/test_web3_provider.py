"""web3.py over our pool: its API, our failover, and nothing that writes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError, Web3RPCError

from devnet import Anvil, faults
from devnet.proxy import FaultProxy
from indexer.chain.provider import PoolProvider
from indexer.config.types import checksum
from indexer.model import Address
from tests.chain.chain_support import PoolMaker

pytestmark = pytest.mark.anvil


CONTRACT = Address("0x" + "ee" * 20)


def web3_over(pool: object) -> AsyncWeb3:  # type: ignore[type-arg]
    return AsyncWeb3(PoolProvider(pool), middleware=[])  # type: ignore[arg-type]


async def test_web3_reads_through_a_failing_endpoint(
    anvil: Anvil, proxy: FaultProxy, second: FaultProxy, pool_of: PoolMaker
) -> None:
    w3 = web3_over(pool_of(proxy, second))
    proxy.fault(faults.status(503), after=1)
    assert await w3.is_connected()
    assert await w3.eth.get_block_number() == 30
    assert (await w3.eth.get_block(7))["number"] == 7


async def test_web3_asks_once_a_call(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    w3 = web3_over(pool_of(proxy))
    for _ in range(3):
        await w3.eth.call({"to": "0x" + "11" * 20, "data": "0x"}, 5)
    assert proxy.posts == 4


async def test_a_revert_reaches_web3_as_one(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    anvil.rpc("anvil_setCode", CONTRACT, "0x60006000fd")
    with pytest.raises((ContractLogicError, Web3RPCError)):
        await web3_over(pool_of(proxy)).eth.call({"to": checksum(CONTRACT)})


async def test_a_contract_cannot_make_us_fetch_a_url(anvil: Anvil, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    offchain_lookup = "0x556f1830" + "00" * 12 + "ee" * 20 + "00" * 160
    proxy.fault(faults.error(3, "execution reverted", offchain_lookup), method="eth_call")
    before = proxy.posts
    with pytest.raises(Exception, match=r".") as caught:
        await web3_over(pool_of(proxy)).eth.call({"to": checksum(CONTRACT)})
    assert "http" not in str(caught.value)
    assert proxy.posts == before + 2


@pytest.mark.parametrize("method", ["eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "eth_newFilter"])
async def test_what_does_not_only_read_is_refused(method: str, proxy: FaultProxy, pool_of: PoolMaker) -> None:
    with pytest.raises(ValueError, match="only reads"):
        await PoolProvider(pool_of(proxy)).make_request(method, ["0x"])  # type: ignore[arg-type]
    assert proxy.posts == 0


def test_the_chain_room_does_not_load_web3() -> None:
    rooms = "indexer.chain.pool, indexer.chain.follower, indexer.chain.logs, indexer.chain.clock, indexer.chain.wake"
    check = f"import sys, {rooms}; sys.exit('web3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
