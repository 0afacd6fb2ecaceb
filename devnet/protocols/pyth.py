"""Puts Pyth on a devnet: the mock of its published SDK, compiled, and prices brought to it as publishers' users do."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from devnet.artifacts import own
from devnet.chain import Devnet

VALID_S = 60
_PRICE = "(int64,uint64,int32,uint256)"


@dataclass(frozen=True, slots=True)
class PythPrice:
    """`price` and its half-width `conf` times 10**`expo`, published at `time`."""

    price: int
    conf: int
    expo: int
    time: int


def deploy_pyth(net: Devnet) -> str:
    """The contract; an update costs nothing."""
    return net.deploy(own("MockPyth"), VALID_S, 0)


def push(net: Devnet, pyth: str, feed_id: str, new: PythPrice) -> None:
    """Bring a price to the chain, in the next block."""
    said = (new.price, new.conf, new.expo, new.time)
    update = encode([f"(bytes32,{_PRICE},{_PRICE})", "uint64"], [(bytes.fromhex(feed_id[2:]), said, said), 0])
    net.send(pyth, "updatePriceFeeds(bytes[])", [update])
