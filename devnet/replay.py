"""A recorded mainnet block -> the same block on an anvil that holds the state before it: same logs, gas, bloom filter.
Its hash is another one, for state that the block did not touch is not there."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devnet.anvil import Anvil
from devnet.fixture import Expected, Fixture, expected_calls

SLOT_S = 12


@dataclass(frozen=True, slots=True)
class Replay:
    """A block to be mined: the state `before`, its signed transactions in order, and what mainnet `expected` after it.

    `header` has mainnet's own fields, in JSON-RPC's names.
    """

    before: Fixture
    header: Mapping[str, str]
    hardfork: str
    transactions: Sequence[str]
    expected: tuple[Expected, ...]

    @classmethod
    def load(cls, path: Path) -> Replay:
        """From gzipped JSON. Raises KeyError for another kind of file."""
        content = json.loads(gzip.decompress(path.read_bytes()))["replay"]
        expected = tuple(expected_calls(content["expected"]))
        return cls(Fixture.load(path), content["header"], content["hardfork"], content["raw_transactions"], expected)

    @property
    def number(self) -> int:
        """The block's."""
        return int(self.header["number"], 16)

    def start(self, empty: int = 0) -> Anvil:
        """An anvil at the block before. The state stands for so many `empty` blocks more: mine those first."""
        start = self.before.timestamp - SLOT_S * empty
        before = replace(self.before, block=self.number - 1 - empty, timestamp=start)
        limits = [
            "--gas-limit",
            str(self._int("gasLimit")),
            "--block-base-fee-per-gas",
            str(self._int("baseFeePerGas")),
        ]
        with tempfile.TemporaryDirectory() as folder:
            genesis = Path(folder) / "genesis.json"
            genesis.write_text(json.dumps(before.genesis()))
            flags = ["--init", str(genesis), "--number", str(before.block), "--hardfork", self.hardfork, *limits]
            return Anvil.start(chain_id=before.chain_id, accounts=1, genesis_timestamp=start, extra_args=flags)

    def mine(self, anvil: Anvil) -> dict[str, Any]:
        """The block, as the node gives it, mined on the one before."""
        anvil.rpc("anvil_setCoinbase", self.header["miner"])
        anvil.rpc("evm_setBlockGasLimit", self.header["gasLimit"])
        anvil.rpc("anvil_setNextBlockBaseFeePerGas", self.header["baseFeePerGas"])
        for transaction in self.transactions:
            anvil.rpc("eth_sendRawTransaction", transaction)
        anvil.mine_at(self._int("timestamp"))
        return anvil.block()

    def _int(self, name: str) -> int:
        return int(self.header[name], 16)
