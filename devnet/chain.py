"""An anvil with contracts on it: deploys, sends and calls by Solidity signature, from unlocked accounts.
Transactions wait until `mine` puts them into one block, in the order sent; it raises if one reverted."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from eth_hash.auto import keccak

from devnet.anvil import CHAIN_ID, GENESIS_TIMESTAMP, HISTORY, Anvil
from devnet.artifacts import Artifact
from devnet.codec import Signature
from devnet.errors import DevnetError, RevertedError, RpcError
from devnet.process import Guarded

BLOCK_GAS_LIMIT = 60_000_000
CALL_GAS = 5_000_000
DEPLOY_GAS = 12_000_000
MAX_FEE_WEI = 100 * 10**9
NO_LIBRARIES: Mapping[str, str] = {}


class Devnet(Anvil):
    """A local chain whose blocks, hashes and addresses are the same at every run that does the same."""

    def __init__(self, process: Guarded, port: int, scratch: tempfile.TemporaryDirectory[str]) -> None:
        super().__init__(process, port, scratch)
        self.accounts: tuple[str, ...] = tuple(self.rpc("eth_accounts"))
        self._pending: list[str] = []
        self._nonces: dict[str, int] = defaultdict(int)
        self._refresh_nonces()

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
        """As `Anvil.start`, with a block gas limit of 60 million."""
        return super().start(
            port=port,
            chain_id=chain_id,
            accounts=accounts,
            genesis_timestamp=genesis_timestamp,
            history=history,
            extra_args=["--gas-limit", str(BLOCK_GAS_LIMIT), *extra_args],
        )

    def deploy(
        self,
        artifact: Artifact,
        *arguments: Any,
        libraries: Mapping[str, str] = NO_LIBRARIES,
        sender: str | None = None,
    ) -> str:
        """The address a contract will stand at once the next block is mined; it may be used at once."""
        creator = sender or self.accounts[0]
        address = contract_address(creator, self._nonces[creator])
        self._submit({"from": creator, "data": artifact.creation(arguments, libraries)}, DEPLOY_GAS)
        return address

    def send(
        self,
        to: str,
        signature: str,
        *arguments: Any,
        sender: str | None = None,
        value: int = 0,
        gas: int = CALL_GAS,
    ) -> str:
        """Submit a call for the next block; its transaction hash. An empty signature just sends ether."""
        data = Signature.parse(signature).encode(arguments) if signature else "0x"
        caller = sender or self.accounts[0]
        return self._submit({"from": caller, "to": to, "data": data, "value": hex(value)}, gas)

    def call(
        self, to: str, signature: str, *arguments: Any, at: int | str = "latest", sender: str | None = None
    ) -> Any:
        """The decoded answer of a view, "balanceOf(address)(uint256)": one value, or a tuple of several.

        `at` is a block number, tag, or 32-byte hash. Raises RpcError when it reverts.
        """
        function = Signature.parse(signature)
        request = {"to": to, "data": function.encode(arguments)} | ({"from": sender} if sender else {})
        return function.decode(self.rpc("eth_call", request, block_name(at)))

    def mine_at(self, timestamp: int) -> None:
        """Mine one block with all that is pending. Raises RevertedError for the first that failed."""
        pending, self._pending = self._pending, []
        super().mine_at(timestamp)
        if pending:
            self._check(pending)

    def transact(self, to: str, signature: str, *arguments: Any, sender: str | None = None, value: int = 0) -> str:
        """`send` and `mine` one block 12 seconds later; the transaction hash. Raises RevertedError."""
        transaction = self.send(to, signature, *arguments, sender=sender, value=value)
        self.mine()
        return transaction

    def reorg(self, depth: int, transactions: Sequence[tuple[dict[str, Any], int]] = ()) -> None:
        super().reorg(depth, transactions)
        self._refresh_nonces()

    def rollback(self, n: int = 1) -> None:
        super().rollback(n)
        self._refresh_nonces()

    def revert(self, snapshot: str) -> None:
        super().revert(snapshot)
        self._refresh_nonces()

    def _submit(self, transaction: dict[str, Any], gas: int) -> str:
        sender = transaction["from"]
        fees = {"maxFeePerGas": hex(MAX_FEE_WEI), "maxPriorityFeePerGas": "0x0"}
        numbers = {"gas": hex(gas), "nonce": hex(self._nonces[sender])}
        submitted = str(self.rpc("eth_sendTransaction", transaction | fees | numbers))
        self._nonces[sender] += 1
        self._pending.append(submitted)
        return submitted

    def _check(self, submitted: Sequence[str]) -> None:
        receipts = {each["transactionHash"]: each for each in self.rpc("eth_getBlockReceipts", "latest")}
        for transaction in submitted:
            if transaction not in receipts:
                raise DevnetError(f"{transaction} was left out of the block", "mine before the block is full")
            if receipts[transaction]["status"] != "0x1":
                raise RevertedError(transaction, self._reason(transaction))

    def _reason(self, transaction_hash: str) -> str:
        """Why it failed: the same call again on the state it left."""
        found = self.rpc("eth_getTransactionByHash", transaction_hash)
        request = {"from": found["from"], "to": found["to"], "data": found["input"], "value": found["value"]}
        try:
            self.rpc("eth_call", request, "latest")
        except RpcError as error:
            return error.reason
        return "it would succeed now; probably it ran out of gas or its order in the block mattered"

    def _refresh_nonces(self) -> None:
        counts = self.batch([("eth_getTransactionCount", [account, "latest"]) for account in self.accounts])
        self._nonces.update(zip(self.accounts, (int(count, 16) for count in counts), strict=True))
        self._pending.clear()


def block_name(at: int | str) -> str | dict[str, str]:
    """How JSON-RPC names a block: hex number, tag, or an EIP-1898 object for a hash."""
    if isinstance(at, int):
        return hex(at)
    return {"blockHash": at} if len(at) == 66 else at


def contract_address(creator: str, nonce: int) -> str:
    """Where CREATE puts a contract: the last 20 bytes of keccak(rlp([creator, nonce]))."""
    body = b"\x94" + bytes.fromhex(creator[2:]) + _rlp_integer(nonce)
    return "0x" + keccak(bytes([0xC0 + len(body)]) + body)[12:].hex()


def _rlp_integer(number: int) -> bytes:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) == 1 and raw[0] < 0x80:
        return raw
    return bytes([0x80 + len(raw)]) + raw
