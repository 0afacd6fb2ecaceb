"""Values that settings are made of, parsed strictly: addresses, durations, cadences.

Each parser takes the text of a configuration and raises ValueError with a sentence that says what would be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eth_hash.auto import keccak

from indexer.model import Address

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DURATION = re.compile(r"(\d+)(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def checksum(address: Address) -> str:
    """EIP-55 form of an address, for people. https://eips.ethereum.org/EIPS/eip-55"""
    digits = address[2:]
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(m, 16) > 7 else d for d, m in zip(digits, marks, strict=False))


def parse_address(text: str) -> Address:
    """A configured address, lower-case. Mixed case must be its right EIP-55 checksum. Raises ValueError."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise ValueError("not an address: expected 0x and 40 hex digits")
    address = Address(text.lower())
    if text not in (address, checksum(address)) and text[2:] != text[2:].upper():
        raise ValueError(f"wrong checksum: if the digits are right, it is {checksum(address)}")
    return address


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `5m`, `1h`, `1d`, `2w`. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"not a duration: {text!r}; expected a number and s, m, h, d or w, such as 5m")
    return int(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a snapshot is due: every `blocks` blocks, or every `seconds` of block time (one of them is 0).

    A pure function of the chain, so that daemon and backfill agree on every block.
    """

    blocks: int = 0
    seconds: int = 0

    def due(self, number: int, timestamp: int, parent_timestamp: int) -> bool:
        """Whether the block is the first at or after a grid point: of block numbers, or of time since 1970."""
        if self.blocks:
            return number % self.blocks == 0
        return timestamp // self.seconds > parent_timestamp // self.seconds

    def __str__(self) -> str:
        return f"{self.blocks} blocks" if self.blocks else f"{self.seconds}s"


def parse_cadence(value: str | int) -> Cadence:
    """`1` or `"10 blocks"` (blocks), `"5m"` (block time), `"block"` (each). Raises ValueError."""
    text = str(value).strip()
    if text == "block":
        return Cadence(blocks=1)
    count = re.fullmatch(r"(\d+)(?: blocks?)?", text)
    if count and int(count[1]):
        return Cadence(blocks=int(count[1]))
    return Cadence(seconds=parse_duration(text))
