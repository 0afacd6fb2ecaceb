"""One endpoint's answers to the parts of a selection -> the logs of each block, and whether some may be missing.

Every log must be of one of the blocks, by hash and by number: answers of one batch may be of different moments. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.chain.bloom import bloom_of, leaves_out, may_contain, says_little
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
    """A block's logs, in order. Not `complete`: its header's filter allows, or asks for, more than came.

    `doubtful`: it need not do that. Filters of full blocks allow nearly anything.
    """

    logs: list[Log]
    complete: bool
    doubtful: bool = False


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
    if answers.selection.whole:
        found = {hash_: _of_whole(headers[hash_], logs, answers.logs[0]) for hash_, logs in ours.items()}
    else:
        found = {hash_: _of(answers.selection, headers[hash_], logs, hash_ in seen) for hash_, logs in ours.items()}
    return Sorted(found, sum(one.skipped for one in sifted))


def _of(selection: Selection, header: Any, logs: list[Log], any_came: bool) -> Found:
    if any_came:
        return Found(logs, complete=True)
    bloom = bloom_of(header)
    allowed = [part.query for part in selection.parts if may_contain(bloom, part.query)]
    doubtful = selection.wide or not all(says_little(bloom, query) for query in allowed)
    return Found(logs, not allowed, bool(allowed) and doubtful)


def _of_whole(header: Any, logs: list[Log], documents: Sequence[Any]) -> Found:
    missing = leaves_out(bloom_of(header), documents)
    return Found(logs, not missing, missing)
