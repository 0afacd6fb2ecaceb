"""Every error this program raises on purpose. The first question the tree answers is "try again?".

IndexerError
├── Permanent                will not get better by itself
│   ├── ConfigError          settings that cannot work (all problems at once)
│   ├── UnknownName          a protocol, chain or token that is not configured
│   ├── WrongChain           an endpoint that serves another chain
│   ├── FinalityBroken       the chain replaced a block that we hold as final
│   ├── CallFailed           a contract did not give the answer a plan needs
│   ├── StoreInUse           another daemon writes to this store
│   ├── StoreIncompatible    the store was written by a newer version
│   └── StoreUnusable        read-only, full, not a database
└── Transient                may succeed if tried again
    ├── EndpointError        one endpoint answered with a failure: see its verdict
    ├── ChainUnavailable     no endpoint of a chain answers
    ├── WrongFork            the block is no longer on the chain
    └── StoreBusy            another process holds the write lock
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar

FOREIGN_TEXT_BYTES = 512
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff]+"
)
"""Control characters, and format characters that hide text or turn its direction."""


def clean(text: str, limit: int = FOREIGN_TEXT_BYTES) -> str:
    """Foreign text made safe for a log line: no control or bidi characters, at most `limit` bytes of UTF-8."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text.strip()
    kept = _CONTROL.sub(" ", text[: limit * 2]).strip()
    return kept.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


class IndexerError(Exception):
    """Something this program knows how to name. `hint` says what to do next; `context` says where it was.

    The class docstring's first line is the message where none is given.
    """

    hint: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "", **context: object) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.next_step = hint or self.hint
        self.context = {name: value for name, value in context.items() if value is not None}
        super().__init__(self.message)

    def __str__(self) -> str:
        where = " ".join(f"{name}={value}" for name, value in self.context.items())
        return f"{self.message} [{where}]" if where else self.message


class Permanent(IndexerError):
    """It will not get better by itself."""


class Transient(IndexerError):
    """It may succeed if tried again."""


class ConfigError(Permanent):
    """The configuration cannot work."""

    hint = "Correct the lines named above, then run `tvl check`."


class UnknownName(Permanent):
    """No such name in the configuration."""

    hint = "`tvl status` lists what is configured."


class WrongChain(Permanent):
    """The endpoint serves another chain."""

    hint = "Correct the endpoint's URL, or the chain it stands under in the configuration."


class FinalityBroken(Permanent):
    """The chain replaced a block that was final."""

    hint = "Nothing was rolled back. Compare the endpoints before you remove any row."


class CallFailed(Permanent):
    """A contract did not give the answer that was needed."""

    hint = "Check the address and the kind with `tvl check PROTOCOL`."


class StoreInUse(Permanent):
    """Another daemon is writing to this store."""

    hint = "Stop the other `tvl run`, or give this one its own store."


class StoreIncompatible(Permanent):
    """The store was written by a newer version of this program."""

    hint = "Upgrade tvl-indexer, or use another store."


class StoreUnusable(Permanent):
    """The store cannot be written."""

    hint = "Check the path, its permissions and the free space; then start again: it resumes where it stopped."


class StoreBusy(Transient):
    """Another process holds the store's write lock."""


class ChainUnavailable(Transient):
    """No endpoint of the chain answers."""

    hint = "Check the endpoints with `tvl check`; the daemon goes on by itself when one answers."


class WrongFork(Transient):
    """The block is no longer on the chain."""


class Verdict(StrEnum):
    """What a failed reply means for the next step."""

    SPLIT = "SPLIT"  # ask for less
    RATE = "RATE"  # wait, then ask again
    QUOTA = "QUOTA"  # the endpoint's budget is gone for long
    MISSING_TIP = "MISSING_TIP"  # the block is not there yet
    PRUNED = "PRUNED"  # the state is not there any more
    WRONG_FORK = "WRONG_FORK"  # the block is not on the endpoint's chain
    REVERT = "REVERT"  # the contract reverted
    GASCAP = "GASCAP"  # out of gas: of the call, or of the batch around it
    TIMEOUT = "TIMEOUT"
    AUTH = "AUTH"
    UNSUPPORTED = "UNSUPPORTED"  # the method or parameter is not offered
    SERVER = "SERVER"
    MALFORMED = "MALFORMED"  # not an answer to what was asked


class EndpointError(Transient):
    """One endpoint answered a request with a failure.

    `verdict` says what follows from it; `retry_after_s` is the wait it asked for. The text is the provider's, cleaned;
    the endpoint is named by its label, never by its URL.
    """

    def __init__(
        self,
        message: str,
        *,
        verdict: Verdict,
        retry_after_s: float | None = None,
        data: str | None = None,
        hint: str = "",
        **context: object,
    ) -> None:
        super().__init__(clean(message), hint=hint, verdict=verdict, **context)
        self.verdict = verdict
        self.retry_after_s = retry_after_s
        self.data = data
