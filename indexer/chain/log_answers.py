"""One endpoint's answers to the parts of a selection -> the logs of each block, and whether some may be missing.

Every log must be of one of the blocks, by hash and by number: answers of one batch may be of different moments. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.chain.bloom import bloom_of, leaves_out, may_contain
from indexer.chain.log_filters import Selection
from indexer.chain.log_parse import merge
from indexer.chain.log_sieve import malformed
from indexer.model import BlockRef, Hash, Log


@dataclass(frozen=True, slots=True)
class Answers:
    """Headers and logs as an endpoint gave them: of these blocks in order, by these parts in order."""

    selection: Selection
    blocks: Sequence[BlockRef]
    headers: Sequence[Any]
    logs: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A block's logs, in order. Not `complete`: its header's filter allows, or asks for, more than came."""

    logs: list[Log]
    complete: bool


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was found, by block; and how many logs came that nobody asked for."""

    found: Mapping[Hash, Found]
    skipped: int


def sort_out(answers: Answers) -> Sorted:
    """Raises EndpointError (MALFORMED) where a log is malformed, was not asked for, or is of another block."""
    sifted = [part.sift(logs) for part, logs in zip(answers.selection.parts, answers.logs, strict=True)]
    ours: dict[Hash, list[Log]] = {block.hash: [] for block in answers.blocks}
    numbers = {block.hash: block.number for block in answers.blocks}
    seen = frozenset[str]().union(*(one.hashes for one in sifted))
    if not seen <= ours.keys():
        raise malformed("a log of another block")
    if any(numbers.get(log.block_hash) != log.block_number for one in sifted for log in one.logs):
        raise malformed("a log with another block's number")
    for log in merge([one.logs for one in sifted]):
        ours[log.block_hash].append(log)
    headers = dict(zip(ours, answers.headers, strict=True))
    found = {hash_: Found(logs, _complete(answers, headers[hash_], hash_ in seen)) for hash_, logs in ours.items()}
    return Sorted(found, sum(one.skipped for one in sifted))


def _complete(answers: Answers, header: Any, any_came: bool) -> bool:
    bloom = bloom_of(header)
    if answers.selection.whole:
        return not leaves_out(bloom, answers.logs[0])
    return any_came or not any(may_contain(bloom, part.query) for part in answers.selection.parts)
