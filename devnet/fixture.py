"""Turns a recorded state of Ethereum mainnet into a genesis file, so that an anvil can hold it.
Only the accounts and slots that were recorded are there; all else reads as zero: trust `expected` alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devnet.codec import Signature, split_types

GAS_LIMIT = "0x1c9c380"
_ZERO_HASH = "0x" + "00" * 32
_BLOCK_FORKS = (
    "homestead",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "berlin",
    "london",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A call whose answer mainnet gave: `data` and `answer` are 0x hex, `signature` as it was recorded."""

    to: str
    signature: str
    data: str
    answer: str


@dataclass(frozen=True, slots=True)
class Fixture:
    """A recorded state: `accounts` by address, each with balance, nonce, code and storage."""

    chain_id: int
    block: int
    timestamp: int
    accounts: Mapping[str, Mapping[str, Any]]
    expected: tuple[Expected, ...]

    @classmethod
    def load(cls, path: Path) -> Fixture:
        """From JSON, gzipped or not. Raises KeyError for another kind of file."""
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        return cls(
            chain_id=content["chain_id"],
            block=content["block"],
            timestamp=content["eval_timestamp"],
            accounts=content["accounts"],
            expected=tuple(expected_calls(content["expected"])),
        )

    def genesis(self) -> dict[str, Any]:
        """The state as a genesis file for `anvil --init`."""
        forks: dict[str, int] = {f"{name}Block": 0 for name in _BLOCK_FORKS}
        return {
            "config": {"chainId": self.chain_id, **forks, "shanghaiTime": 0, "cancunTime": 0},
            "number": hex(self.block),
            "timestamp": hex(self.timestamp),
            "gasLimit": GAS_LIMIT,
            "difficulty": "0x0",
            "nonce": "0x0",
            "extraData": "0x",
            "mixHash": _ZERO_HASH,
            "coinbase": "0x" + "00" * 20,
            "alloc": {address: _allocation(account) for address, account in self.accounts.items()},
        }


def expected_calls(recorded: Mapping[str, Mapping[str, str]]) -> Iterator[Expected]:
    """Recorded calls with their call data."""
    for address, answers in recorded.items():
        for call, answer in answers.items():
            yield Expected(address, call, _call_data(call), answer)


def _call_data(call: str) -> str:
    """Call data of "balanceOf(0xb0af…)", where values stand instead of types: addresses or whole numbers."""
    name, _, rest = call.partition("(")
    values = split_types(rest.removesuffix(")"))
    types = ["address" if value.startswith("0x") else "uint256" for value in values]
    arguments = [value if value.startswith("0x") else int(value) for value in values]
    return Signature.parse(f"{name}({','.join(types)})").encode(arguments)


def _allocation(account: Mapping[str, Any]) -> dict[str, Any]:
    storage = {_word(slot): _word(value) for slot, value in account["storage"].items()}
    return {
        "balance": account["balance"],
        "nonce": account["nonce"],
        "code": account["code"],
        "storage": storage,
    }


def _word(value: str) -> str:
    return f"0x{int(value, 16):064x}"
