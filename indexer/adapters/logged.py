"""Contracts that announce their pools: the logs of one event -> discoveries, each at the block of its log.

No logs may also mean a wrong address, so a reading asks the contract something that only such a contract answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.adapters.parts import ask_groups
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
    """What a contract announces by `event`: `found` makes discoveries of its values and block; it answers `probe`."""

    contract: Address
    event: Event
    found: Callable[[tuple[Any, ...], int], Iterable[Found]]
    probe: Ask

    def find(self, known: Sequence[Found], from_block: int, at: BlockRef) -> Plan[list[Found]]:
        """What was announced since, without what is known."""
        (logs,) = yield [LogQuery((self.contract,), ((self.event.topic,),), from_block, at.number)]
        names = {item.key for item in known}
        new: dict[str, Found] = {}
        for log in need(logs):
            for item in self.found(self.event.values(log), log.block_number):
                if item.key not in names:
                    new.setdefault(item.key, item)
        return list(new.values())

    def check(self, probe: Answer, found: Sequence[object]) -> None:
        """Raises CallFailed where no such contract stands. A fork without the getter is believed once it has a pool."""
        if isinstance(probe, Failed) and (probe.status is Status.MISSING or not found):
            raise CallFailed(f"no {self.event.whose} contract: {probe.reason}", status=probe.status)


def since(found: Sequence[Found], at: BlockRef) -> list[Found]:
    """The pools that were announced up to the block."""
    return [item for item in found if item.block <= at.number and "pool" in item.data]


def read_logged(
    announced: Logged, pools: Sequence[Found], asks: Callable[[Found], Sequence[Ask]]
) -> Plan[list[list[Answer]]]:
    """What each pool is asked, in one round with the probe. Raises CallFailed where no such contract stands."""
    probe, *answers = yield from ask_groups([[announced.probe], *map(asks, pools)])
    announced.check(probe[0], pools)
    return answers
