"""The logs of the replaying server's chain: what a real one would emit where the made-up state changes.

A contract that changes in a block says so: a pair by Sync and two transfers, a pool by two, a vault by one, a feed by
AnswerUpdated. Amounts are the differences of the answers before and after, so that folding them gives the answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from benchmarks.load import PRICED_TOKENS, Kind, Load, address, two_tokens
from indexer.model import Address
from indexer.reads.abi import interface, topic

Answer = Callable[[bytes, bytes, int], bytes]
Json = dict[str, Any]

_ERC20, _PAIR, _FEED = interface("erc20"), interface("uniswap_v2_pair"), interface("aggregator_v3")
_TRANSFER, _SYNC, _ANSWERED = _ERC20.events["Transfer"], topic("Sync(uint112,uint112)"), _FEED.events["AnswerUpdated"]
_TRADER = "0x" + "7" * 64


class Chronicle:
    """Logs by block, of all contracts of a load.

    `answer` is what a contract answers at a block; it changes in those that are `phase` off a multiple of `period`. In
    every block so many logs are `foreign`: of contracts that nobody reads.
    """

    def __init__(
        self,
        load: Load,
        answer: Answer,
        phase: Callable[[bytes], int],
        period: int,
        hash_of: Callable[[int], str],
        *,
        foreign: int = 0,
    ) -> None:
        self._answer, self._period, self._hash_of, self._foreign = answer, period, hash_of, foreign
        self._changing: dict[int, list[tuple[Kind, int, Address]]] = {}
        for kind in (Kind.PAIR, Kind.POOL, Kind.VAULT, Kind.FEED):
            for index, contract in enumerate(load.addresses(kind)):
                place = phase(_bytes(contract)) % period
                self._changing.setdefault(place, []).append((kind, index, contract))
        self.block = lru_cache(4_096)(self._block)
        self.whole_block = lru_cache(64)(self._whole_block)
        self._found: dict[str, list[Json]] = {}

    def find(self, filter_: Json, first: int, last: int) -> list[Json]:
        """The answer to an `eth_getLogs`; the same question is looked up."""
        key = f"{first} {last} {filter_.get('address')} {filter_.get('topics')}"
        if key not in self._found:
            if len(self._found) > 256:
                self._found.clear()
            addresses = frozenset(filter_.get("address") or ())
            topics = [None if wanted is None else frozenset(wanted) for wanted in filter_.get("topics") or ()]
            logs_of = self.block if addresses or len(topics) > 1 else self.whole_block
            self._found[key] = [
                log for n in range(first, last + 1) for log in logs_of(n) if _matches(log, addresses, topics)
            ]
        return self._found[key]

    def _whole_block(self, number: int) -> list[Json]:
        """The block's own logs, and behind them the foreign ones."""
        own = self.block(number)
        made = [_foreign(number, i) for i in range(self._foreign)]
        place = self._place(number)
        return [*own, *(log | place | {"logIndex": hex(len(own) + i)} for i, log in enumerate(made))]

    def _place(self, number: int) -> Json:
        place = {"blockNumber": hex(number), "blockHash": self._hash_of(number), "transactionIndex": "0x7f"}
        return place | {"transactionHash": "0x" + "1" * 64}

    def _block(self, number: int) -> list[Json]:
        changed = self._changing.get(number % self._period, ())
        logs = [log for kind, index, contract in changed for log in self._of(kind, index, contract, number)]
        place = self._place(number)
        return [log | place | {"logIndex": hex(i)} for i, log in enumerate(logs)]

    def _of(self, kind: Kind, index: int, contract: Address, number: int) -> Iterator[Json]:
        if kind is Kind.FEED:
            said = self._answer(_bytes(contract), _FEED.latestRoundData.selector, number)
            yield _log(contract, (_ANSWERED, _hex(said[32:64]), _hex(said[:32])), said[96:128])
            return
        if kind is Kind.PAIR:
            yield _log(contract, (_SYNC,), self._answer(_bytes(contract), _PAIR.getReserves.selector, number)[:64])
        tokens = (index % PRICED_TOKENS,) if kind is Kind.VAULT else two_tokens(kind, index)
        for token in tokens:
            yield from self._transfer(address(Kind.TOKEN, token), contract, number)

    def _transfer(self, token: Address, holder: Address, number: int) -> Iterator[Json]:
        call = _ERC20.balanceOf(token, holder)
        before, after = (int.from_bytes(self._answer(_bytes(token), call.data, n), "big") for n in (number - 1, number))
        ends = (_TRADER, "0x" + holder[2:].rjust(64, "0"))
        yield _log(
            token, (_TRANSFER, *(ends if after > before else ends[::-1])), abs(after - before).to_bytes(32, "big")
        )


FOREIGN_EVENTS = (
    (15, _TRANSFER, 2, 1),
    (3, _SYNC, 0, 2),
    (3, topic("Swap(address,uint256,uint256,uint256,uint256,address)"), 2, 4),
    (2, topic("Swap(address,address,int256,int256,uint160,uint128,int24)"), 2, 5),
    (2, topic("Deposit(address,uint256)"), 1, 1),
    (8, topic("Approval(address,address,uint256)"), 2, 1),
    (7, topic("Something(address,bytes32)"), 1, 3),
)
"""Of forty logs of a busy block: how many, which event, how many more topics, how many words of data."""

_TURNS = [kind for kind in FOREIGN_EVENTS for _ in range(kind[0])]


def _foreign(number: int, index: int) -> Json:
    """A log of one of two hundred contracts, between addresses of which half come again."""
    _, event, indexed, size = _TURNS[index % len(_TURNS)]
    noise = hashlib.sha256(f"{number} {index}".encode()).digest()
    contract = hashlib.sha256(b"foreign%d" % (noise[0] % 200)).hexdigest()[:40]
    ends = [noise[i : i + 20] if noise[i] % 2 else bytes([noise[i], 7] * 10) for i in range(1, indexed + 1)]
    topics = (event, *(_hex(end.rjust(32, b"\0")) for end in ends))
    return _log(Address(f"0x{contract}"), topics, noise * size)


def _log(contract: Address, topics: tuple[str, ...], data: bytes) -> Json:
    return {"address": contract, "topics": list(topics), "data": _hex(data), "removed": False}


def _matches(log: Json, addresses: frozenset[str], topics: list[frozenset[str] | None]) -> bool:
    if addresses and log["address"] not in addresses:
        return False
    if len(log["topics"]) < len(topics):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(topics, log["topics"], strict=False))


def _bytes(contract: str) -> bytes:
    return bytes.fromhex(contract[2:])


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
