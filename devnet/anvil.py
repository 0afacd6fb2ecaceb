"""Starts and stops a plain anvil on loopback and speaks to it: mining, reorganisations, snapshots, state.
Knows no contracts; `devnet.chain.Devnet` adds those."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devnet.binary import find_anvil
from devnet.errors import NotStartedError
from devnet.fixture import Fixture
from devnet.process import Guarded
from devnet.rpc import JsonRpc, Request

HOST = "127.0.0.1"
START_PATIENCE_S = 60.0
CHAIN_ID = 31337
GENESIS_TIMESTAMP = 1_700_000_000
HISTORY = 3_000


class Anvil:
    """A running anvil. Use it as a context manager, or call `stop`; it also ends when this process does.

    It mines only when told (`mine`), so that blocks and their timestamps are the caller's.
    """

    def __init__(self, process: Guarded, port: int, scratch: tempfile.TemporaryDirectory[str]) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._process = process
        self.scratch = Path(scratch.name)  # all that anvil writes, gone when it is stopped
        self._scratch = scratch
        self._rpc = JsonRpc(HOST, port)
        self.rpc("anvil_setLoggingEnabled", False)

    @classmethod
    def start(
        cls,
        *,
        port: int | None = None,
        chain_id: int = CHAIN_ID,
        accounts: int = 10,
        genesis_timestamp: int = GENESIS_TIMESTAMP,
        history: int = HISTORY,
        extra_args: Sequence[str] = (),
    ) -> Self:
        """A ready anvil on `port` (None: a free one, chosen by the kernel).

        The state of the last `history` blocks can be called. It is kept in memory, half a megabyte a block if
        all protocols stand (by itself anvil writes each to disk from block 500 on, and leaves it there).
        `extra_args` are anvil's own flags (`--slots-in-an-epoch 1`, `--init FILE` …).
        Raises NotInstalledError without an anvil, NotStartedError with its last words if it does not come up.
        """
        flags = ["--host", HOST, "--port", str(port or 0), "--no-mining", "--order", "fifo"]
        flags += ["--chain-id", str(chain_id), "--accounts", str(accounts), "--balance", "1000000"]
        flags += ["--timestamp", str(genesis_timestamp), "--prune-history", str(history)]
        anvil, scratch = str(find_anvil()), tempfile.TemporaryDirectory(prefix="devnet-")
        process = Guarded([anvil, *flags, "--cache-path", scratch.name, *extra_args])
        try:
            return cls(process, _listening_port(process), scratch)
        except BaseException:
            process.stop()
            scratch.cleanup()
            raise

    @classmethod
    def from_fixture(cls, path: Path, *, port: int | None = None) -> Self:
        """An anvil that holds a recorded mainnet state (see `devnet.fixture`), at its block and its time."""
        fixture = Fixture.load(path)
        with tempfile.TemporaryDirectory() as folder:
            genesis = Path(folder) / "genesis.json"
            genesis.write_text(json.dumps(fixture.genesis()))
            return cls.start(
                port=port,
                chain_id=fixture.chain_id,
                accounts=1,
                genesis_timestamp=fixture.timestamp,
                extra_args=["--init", str(genesis), "--number", str(fixture.block)],
            )

    def stop(self) -> None:
        self._rpc.close()
        self._process.stop()
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def rpc(self, method: str, *params: Any) -> Any:
        """The `result` of a JSON-RPC request. Raises RpcError for an error answer."""
        return self._rpc.call(method, *params)

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results of many requests sent as one, in their order. Raises RpcError for the first error."""
        return self._rpc.batch(requests)

    def block_number(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def block(self, which: int | str = "latest") -> dict[str, Any]:
        """A block as the node gives it, by number, tag or hash. Raises KeyError when there is none."""
        by_hash = isinstance(which, str) and len(which) == 66
        name = hex(which) if isinstance(which, int) else which
        found: dict[str, Any] | None = self.rpc(
            "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber", name, False
        )
        if found is None:
            raise KeyError(which)
        return found

    def timestamp(self) -> int:
        """The latest block's timestamp."""
        return int(self.block()["timestamp"], 16)

    def mine(self, n: int = 1, dt: int = 12) -> None:
        """Mine `n` blocks, each `dt` seconds after the one before; pending transactions go into the first."""
        self.mine_at(self.timestamp() + dt)
        if n > 1:
            self.rpc("anvil_mine", hex(n - 1), hex(dt))

    def mine_at(self, timestamp: int) -> None:
        """Mine one block at that time."""
        self.rpc("evm_mine", timestamp)

    def reorg(self, depth: int, transactions: Sequence[tuple[dict[str, Any], int]] = ()) -> None:
        """Replace the last `depth` blocks by as many new ones with other hashes (same heights).

        `transactions` are (transaction object, index of the new block) pairs; the old ones are gone.
        """
        self.rpc("anvil_reorg", depth, [[transaction, index] for transaction, index in transactions])

    def rollback(self, n: int = 1) -> None:
        """Take the last `n` blocks off the chain."""
        self.rpc("anvil_rollback", n)
        self._restore_base_fee()

    def snapshot(self) -> str:
        """A name for the present state, for `revert`."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot; it can be used once."""
        self.rpc("evm_revert", snapshot)
        self._restore_base_fee()

    def _restore_base_fee(self) -> None:
        """Going back, anvil forgets to take the base fee with it: the same blocks would get other hashes."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(next_base_fee(self.block())))


def next_base_fee(block: Mapping[str, Any]) -> int:
    """The base fee of the block after this one, in wei. Source: EIP-1559."""
    base_fee, used = int(block["baseFeePerGas"], 16), int(block["gasUsed"], 16)
    target = int(block["gasLimit"], 16) // 2
    if used > target:
        return base_fee + max(base_fee * (used - target) // target // 8, 1)
    return base_fee - base_fee * (target - used) // target // 8


def _listening_port(process: Guarded) -> int:
    """The port anvil says it listens on. Raises NotStartedError if it ends or says nothing in time."""
    guard = threading.Timer(START_PATIENCE_S, process.kill)
    guard.start()
    try:
        for line in process.lines():
            if line.startswith("Listening on "):
                process.drain()
                return int(line.rsplit(":", 1)[1])
    finally:
        guard.cancel()
    raise NotStartedError(f"anvil did not start: {process.last_words()}", "is the port in use, or a flag unknown?")
