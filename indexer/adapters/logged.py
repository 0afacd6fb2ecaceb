"""Contracts that announce their pools: the logs of one event -> discoveries, each at the block of its log.

No logs may also mean a wrong address, so a reading asks the contract something that only such a contract answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.errors import CallFailed
from indexer.model import Address, BlockRef, Found, Hash, Status
from indexer.reads.decode import decode_types
from indexer.reads.plan import Answer, Ask, Failed, Log, LogQuery, Plan, need
from indexer.reads.types import abi_type, word_decoder


@dataclass(frozen=True, slots=True)
class Event:
    """An event by its first topic: the types of its indexed values, which stand first, and of those in the data."""

    whose: str
    topic: Hash
    indexed: tuple[str, ...]
    data: tuple[str, ...] = ()

    def values(self, log: Log) -> tuple[Any, ...]:
        """Its values, the indexed ones first. Raises CallFailed for a log of another layout."""
        try:
            words = [bytes.fromhex(topic[2:]) for topic in log.topics[1:]]
            indexed = [word_decoder(kind)(word) for kind, word in zip(self.indexed, words, strict=True)]
            return (*indexed, *decode_types(tuple(map(abi_type, self.data)), log.data))
        except ValueError as error:
            raise CallFailed(f"a log that announces a pool is not {self.whose}'s", tx=log.tx_hash) from error


@dataclass(frozen=True, slots=True)
class Logged:
    """What a contract announces by `event`: `found` makes a discovery of its values and block; it answers `probe`."""

    contract: Address
    event: Event
    found: Callable[[tuple[Any, ...], int], Found]
    probe: Ask

    def find(self, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
        """What was announced since, without what is known."""
        (logs,) = yield [LogQuery((self.contract,), ((self.event.topic,),), from_block, at.number)]
        names = {item.key for item in known}
        announced = (self.found(self.event.values(log), log.block_number) for log in need(logs))
        return list({item.key: item for item in announced if item.key not in names}.values())

    def check(self, probe: Answer, found: Sequence[object]) -> None:
        """Raises CallFailed where no such contract stands. A fork without the getter is believed once it has a pool."""
        if isinstance(probe, Failed) and (probe.status is Status.MISSING or not found):
            raise CallFailed(f"no {self.event.whose} contract: {probe.reason}", status=probe.status)


def since(found: Sequence[Found], at: BlockRef) -> list[Found]:
    """What was announced up to the block."""
    return [item for item in found if item.block <= at.number]
