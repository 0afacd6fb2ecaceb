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
from indexer.model import BlockRef, Hash, Log, LogQuery


@dataclass(frozen=True, slots=True)
class Answers:
    """Headers and logs as an endpoint gave them: of these blocks in order, by these parts in order.

    Not `by_hash`: each part's answer may be of another moment, when a block was not there yet.
    """

    selection: Selection
    blocks: Sequence[BlockRef]
    headers: Sequence[Any]
    logs: Sequence[Any]
    by_hash: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A block's logs, in order. Not `complete`: its header's filter allows, or asks for, more than came.

    `doubtful`: it need not do that; filters of full blocks allow nearly anything. `by_filter`: it is complete by the
    filter's word alone. `is_true`: whether the filter has a log that came, if any did; on some chains it has none.
    """

    logs: list[Log]
    complete: bool
    doubtful: bool
    by_filter: bool
    is_true: bool | None


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
    for log in sifted[0].logs if len(sifted) == 1 else merge([one.logs for one in sifted]):
        ours[log.block_hash].append(log)
    headers = dict(zip(ours, answers.headers, strict=True))
    found = {
        hash_: _found(answers, headers[hash_], logs, [hash_ in one.hashes for one in sifted])
        for hash_, logs in ours.items()
    }
    return Sorted(found, sum(one.skipped for one in sifted))


def _found(answers: Answers, header: Any, logs: list[Log], came: Sequence[bool]) -> Found:
    """`came`: by which parts there came any log of the block."""
    bloom, parts = bloom_of(header), answers.selection.parts
    is_true = may_contain(bloom, LogQuery((logs[0].address,), (), 0, 0)) if logs else None
    if answers.selection.whole:
        missing = leaves_out(bloom, answers.logs[0])
        return Found(logs, not missing, missing, not all(came), is_true)
    is_of_then = all(came) or (answers.by_hash and any(came))
    silent = [] if is_of_then else [part.query for part, any_came in zip(parts, came, strict=True) if not any_came]
    allowed = [query for query in silent if may_contain(bloom, query)]
    doubtful = bool(allowed) and (answers.selection.wide or not all(says_little(bloom, query) for query in allowed))
    return Found(logs, not allowed, doubtful, bool(silent), is_true)
