"""What stands on the local chain that is read: contracts that no one should call, as bare code."""

from __future__ import annotations

from dataclasses import dataclass

from devnet.chain import Devnet
from indexer.model import Address, BlockRef
from indexer.reads.witness import ARBSYS

LOOP = "0x5b600056"
"""JUMPDEST PUSH1 0 JUMP: burns all the gas it is given."""
RETURN_MEGABYTE = "0x621000006000f3"
"""PUSH3 2**20 PUSH1 0 RETURN."""
REVERT_MEGABYTE = "0x621000006000fd"
ANSWER_42 = "0x602a60005260206000f3"
ANSWER_NOTHING = "0x00"
ONE_IF_400K_GAS = "0x5a62061a8010600e5760006000fd5b600160005260206000f3"
"""GAS PUSH3 400000 LT PUSH1 14 JUMPI, revert; JUMPDEST, return 1."""
ONE_IF_2M_GAS = "0x5a621e8480106013576002600052602060" + "00f35b600160005260206000f3"
"""GAS PUSH3 2000000 LT PUSH1 19 JUMPI, return 2; JUMPDEST, return 1."""
OFFCHAIN_LOOKUP = "0x63556f183060e01b60005260046000fd"
ARBSYS_CODE = "0x36600410601457436103e80160005260206000f35b6103e860043503406000526020" + "6000f3"
ARBSYS_SHIFT = 1_000
"""Our ArbSys answers the EVM's number plus this, as Arbitrum's differs from the number that contracts see."""


@dataclass(frozen=True)
class ReadsChain:
    """The chain and where things are on it; `early` is before Multicall3, `at` the block that is read."""

    net: Devnet
    tokens: tuple[Address, ...]
    holder: Address
    early: BlockRef
    at: BlockRef


def placed(number: int) -> Address:
    return Address(f"0x{0xC0DE:036x}{number:04x}")


HONEST, BURNER, RETURN_BOMB, REVERT_BOMB, SILENT, NO_CODE, NEEDS_400K, TWO_FACED, LOOKUP = map(placed, range(9))

CODES = {
    HONEST: ANSWER_42,
    BURNER: LOOP,
    RETURN_BOMB: RETURN_MEGABYTE,
    REVERT_BOMB: REVERT_MEGABYTE,
    SILENT: ANSWER_NOTHING,
    NEEDS_400K: ONE_IF_400K_GAS,
    TWO_FACED: ONE_IF_2M_GAS,
    LOOKUP: OFFCHAIN_LOOKUP,
    ARBSYS: ARBSYS_CODE,
}


def block_ref(net: Devnet, which: int | str = "latest") -> BlockRef:
    found = net.block(which)
    number, timestamp = int(found["number"], 16), int(found["timestamp"], 16)
    return BlockRef(number, found["hash"], found["parentHash"], timestamp)
