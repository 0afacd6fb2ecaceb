"""What travels between the rooms: blocks, logs, tokens, holdings, quotes, valued lines, snapshots.

Plain frozen records without behaviour beyond naming themselves. Amounts, prices and USD are exact integers;
`indexer.units` holds their scales. Nothing here talks to a node or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

Address = NewType("Address", str)
"""`0x` and 40 lower-case hex digits. Checksums are shown at the edge only (CLI, exports)."""

Hash = NewType("Hash", str)
"""`0x` and 64 lower-case hex digits."""

NATIVE = Address("0x" + "0" * 40)
"""The chain's own coin, where a token address is asked for."""


class Status(StrEnum):
    """How far a number can be trusted to be one."""

    OK = "ok"
    MISSING = "missing"  # no code at the address, though there should be
    NOT_APPLICABLE = "not_applicable"  # not deployed yet at this block
    MALFORMED = "malformed"  # answered, but not with what the ABI says
    UNPRICED = "unpriced"  # no route to USD is configured
    SUSPECT = "suspect"  # a number, kept out of the headline
    HELD = "held"  # it should be there and cannot be had: see the reason
    GAP = "gap"  # nothing of the deployment could be read at this block


class State(StrEnum):
    """How final the block of a row is."""

    PROVISIONAL = "provisional"
    SAFE = "safe"
    FINAL = "final"
    SUPERSEDED = "superseded"


class Bucket(StrEnum):
    """What a holding is to its protocol (DefiLlama's meanings)."""

    BASE = "base"
    BORROWED = "borrowed"
    STAKING = "staking"
    POOL2 = "pool2"
    VESTING = "vesting"
    TREASURY = "treasury"
    OWN = "own"


class Grade(StrEnum):
    """Where a price comes from, best first."""

    A = "A"  # fresh oracle
    B = "B"  # oracle x on-chain rate
    C = "C"  # time-weighted price with depth
    D = "D"  # spot, or a declared peg
    U = "U"  # none


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block, by number and hash. Every read is `at` one. `timestamp` in seconds since 1970, UTC."""

    number: int
    hash: Hash
    parent_hash: Hash
    timestamp: int

    def __str__(self) -> str:
        return f"{self.number} ({self.hash[:10]})"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Logs of `addresses` whose topics match, in blocks `from_block` to `to_block`, both included.

    `topics` as in `eth_getLogs`: a position is None (any) or a tuple of alternatives. The range never passes the
    block of the plan that asks. An empty `addresses` means any contract.
    """

    addresses: tuple[Address, ...]
    topics: tuple[tuple[Hash, ...] | None, ...]
    from_block: int
    to_block: int


class Log(NamedTuple):
    """One event, in chain order by (block_number, log_index). A tuple: a backfill makes millions of them."""

    address: Address
    topics: tuple[Hash, ...]
    data: bytes
    block_number: int
    block_hash: Hash
    tx_hash: Hash
    log_index: int


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20, or the native coin. `decimals` is None where the contract does not say one in 0..77.

    `symbol` is safe to show (cleaned, at most 32 characters); `symbol_raw` is what the contract answered, in hex.
    """

    address: Address
    symbol: str
    decimals: int | None
    symbol_raw: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """`amount` raw units of `token` that `owner` holds (or owes, in `borrowed`) for a deployment's users.

    Unique in a reading by (token, owner, bucket). `amount` is None exactly when `status` is not OK, and then
    `reason` says why. `receipt` is the token that the deployment issues as a claim on this holding, if it does.
    """

    token: Address
    amount: int | None
    owner: Address
    bucket: Bucket = Bucket.BASE
    status: Status = Status.OK
    reason: str = ""
    receipt: Address | None = None


class Flow(NamedTuple):
    """Raw units of `token` that came to `owner` and left it in the block `at`, as the token's logs say.

    Gross: what came and went within the block is in both. Unique in a deployment by (at.number, token, owner, bucket).
    A tuple, as `Log` is.
    """

    at: BlockRef
    token: Address
    owner: Address
    bucket: Bucket
    amount_in: int
    amount_out: int


@dataclass(frozen=True, slots=True)
class Step:
    """One on-chain answer a price was made of: enough to ask for it again.

    `source` is the oracle kind, `target` the contract, `answer` its raw integer with `decimals`.
    `updated_at` is the oracle's own time; None where the answer is the state of the block itself, whichever that is.
    """

    source: str
    target: Address
    answer: int
    decimals: int
    updated_at: int | None
    round: int = 0

    def time(self, at: BlockRef) -> int:
        """When the answer was true, asked at a block."""
        return at.timestamp if self.updated_at is None else self.updated_at


@dataclass(frozen=True, slots=True)
class Quote:
    """USD price of one whole token at a block, scaled by `units.PRICE_DECIMALS`.

    `price`, `low`, `high` are None exactly when `status` is not OK. `route` names the way taken, such as
    `erc4626 > chainlink:DAI/USD`. `flags` are guards that fired without holding the price back.
    """

    token: Address
    price: int | None
    low: int | None
    high: int | None
    grade: Grade
    route: str
    steps: tuple[Step, ...] = ()
    status: Status = Status.OK
    reason: str = ""
    flags: tuple[str, ...] = ()

    @property
    def updated_at(self) -> int | None:
        """When the oldest of the steps was updated; None where all are of the block itself, or there is none."""
        return min((step.updated_at for step in self.steps if step.updated_at is not None), default=None)

    def time(self, at: BlockRef) -> int:
        """When the oldest of the steps was true, asked at a block."""
        return min((step.time(at) for step in self.steps), default=at.timestamp)

    def age_s(self, at: BlockRef) -> int:
        """Seconds of block time since the oldest step was updated."""
        return at.timestamp - self.time(at)


@dataclass(frozen=True, slots=True)
class Line:
    """A holding valued: `usd`, `low`, `high` scaled by `units.USD_DECIMALS`, None where `status` is not OK.

    The status is the holding's own, or the quote's, or HELD where the token has no usable decimals.
    """

    holding: Holding
    usd: int | None
    low: int | None
    high: int | None
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """Sum of the valued lines of one bucket, in USD scaled by `units.USD_DECIMALS`; `left_out` lines are not in it."""

    usd: int
    low: int
    high: int
    lines: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One deployment at one block: what was read, what it is worth, and how far it can be trusted.

    `quotes` and `tokens` hold exactly the tokens of `lines` (quotes: those with a route). A GAP has no lines.
    """

    deployment: str
    at: BlockRef
    lines: tuple[Line, ...]
    quotes: Mapping[Address, Quote]
    tokens: Mapping[Address, Token]
    totals: Mapping[Bucket, Total]
    status: Status
    reason: str
    methodology: str
    adapter: str


@dataclass(frozen=True, slots=True)
class Found:
    """Something a deployment's discovery found (a pair, a pool, a vault), kept and never found again.

    `key` is unique in the deployment, `data` JSON values. `block` is where it was created (known from a log)
    or first seen (by a getter); a reorg below it forgets it.
    """

    key: str
    block: int
    data: Mapping[str, str | int | bool] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.key)
