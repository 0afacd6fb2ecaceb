"""What can go wrong with a local chain, each with a hint of what to do next. Never raised for a wrong figure:
contracts that revert raise `RpcError` or `RevertedError` with the node's own words."""

from __future__ import annotations

from typing import Any


class DevnetError(Exception):
    """Root of this package's errors; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint


class NotInstalledError(DevnetError):
    """A binary or an npm package that the chain is made of is not there."""


class NotStartedError(DevnetError):
    """anvil ended, or did not answer in time, while it was starting."""


class RpcError(DevnetError):
    """The node answered an error: `code`, `reason` (its words), `data` (revert data where there is any)."""

    def __init__(self, method: str, code: int, reason: str, data: Any = None) -> None:
        super().__init__(f"{method}: {reason} ({code})")
        self.method = method
        self.code = code
        self.reason = reason
        self.data = data


class RevertedError(DevnetError):
    """A mined transaction failed; `transaction_hash` is its hash."""

    def __init__(self, transaction_hash: str, reason: str) -> None:
        super().__init__(f"transaction {transaction_hash} reverted: {reason}")
        self.transaction_hash = transaction_hash
