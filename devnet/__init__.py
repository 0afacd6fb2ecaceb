"""A local Ethereum chain of real protocol contracts, for tests and demonstrations. See devnet/README.md.

with Devnet.start() as net:
    addresses = deploy_protocols(net)
    net.call(addresses.token("USDC"), "totalSupply()(uint256)")
"""

from devnet.addresses import Addresses
from devnet.anvil import Anvil
from devnet.chain import Devnet
from devnet.errors import DevnetError, NotInstalledError, NotStartedError, RevertedError, RpcError
from devnet.protocols import deploy_protocols

__all__ = [
    "Addresses",
    "Anvil",
    "Devnet",
    "DevnetError",
    "NotInstalledError",
    "NotStartedError",
    "RevertedError",
    "RpcError",
    "deploy_protocols",
]
