"""Questions at a block -> answers, from logs where they follow from logs, from the node where they must be read.

A `Source` in front of another: what it has read once it folds from then on, and gives out where `Belief` says so.
Keeps nothing between runs: a pinned read makes it anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Protocol

from indexer.errors import EndpointError
from indexer.model import Address, BlockRef, Hash, Log, LogQuery
from indexer.reads.abi import interface
from indexer.reads.batch import Counted, Sent
from indexer.reads.ledger.belief import PROOF_S, Belief, Flaw
from indexer.reads.ledger.book import Book, Moves
from indexer.reads.ledger.reasons import SILENT, Dispute, explain
from indexer.reads.ledger.rules import ZERO, Surroundings, Way, is_feed, queries, rule_of
from indexer.reads.plan import Ask
from indexer.reads.source import CallKey, Key, Raw

KEPT_BLOCKS = 1_500
"""Blocks that are remembered: all that an audit may still find wrong."""


class LogSource(Protocol):
    """Where the logs of blocks come from."""

    async def __call__(self, queries: Sequence[LogQuery], blocks: Sequence[BlockRef]) -> list[Log]:
        """All logs of these blocks, which follow one another, that any of the queries asks for, in chain order.

        The queries' own ranges say nothing; the same object asks the same. Raises WrongFork where one of the blocks is
        not, or no more, on the chain.
        """


@dataclass(slots=True)
class Ledger:
    """One chain's answers up to the block `tip`. `around` learns the aggregators of feeds as they are met.

    `blocks` are those that are remembered, by number, the lowest first.

    `began` is the hash of the block at which it last started from nothing. `receipts` may have the logs of a block that
    a node left out.
    """

    source: Counted
    logs: LogSource
    around: Surroundings = field(default_factory=Surroundings)
    proof_s: InitVar[int] = PROOF_S
    kept: int = KEPT_BLOCKS
    receipts: LogSource | None = None
    book: Book = field(default_factory=Book)
    belief: Belief = field(init=False)
    blocks: dict[int, BlockRef] = field(default_factory=dict)
    began: Hash = ZERO
    _asked_at: BlockRef | None = None
    _asked: set[Key] = field(default_factory=set)
    _kept: list[Log] = field(default_factory=list)
    _kept_since: dict[Address, int] = field(default_factory=dict)
    _watching: tuple[int, tuple[LogQuery, ...]] = (-1, ())

    def __post_init__(self, proof_s: int) -> None:
        self.belief = Belief(self.book, proof_s)

    @property
    def sent(self) -> Sent:
        """What was read from the node, without the logs."""
        return self.source.sent

    @property
    def tip(self) -> BlockRef | None:
        """The last block that is folded; None before the first."""
        return self.blocks.get(self.book.tip)

    def start(self, at: BlockRef) -> None:
        """Forget everything, and begin at a block: what is read there is folded from the next one on."""
        self.book.begin(at.number)
        self.belief.doubts.clear()
        self.blocks, self.began = {at.number: at}, at.hash
        self._kept, self._kept_since, self._watching = [], {}, (-1, ())

    async def follow(self, blocks: Sequence[BlockRef]) -> list[tuple[BlockRef, Moves]]:
        """Fold blocks that follow the tip; where they do not, start anew at the last of them. What moved, by block.

        Raises WrongFork, ChainUnavailable or EndpointError where the logs cannot be had: then nothing has changed.
        """
        if not blocks:
            return []
        tip = self.tip
        if tip is None or blocks[0].parent_hash != tip.hash or not self.book.tracks:
            self.start(blocks[-1])
            return []
        if self._watching[0] != self.book.version:
            self._watch()
        logs = self._kept_by_block(await self.logs(self._watching[1], blocks))
        moved = [(block, self._fold(block, logs.pop(block.number, ()))) for block in blocks]
        self._forget(blocks[-1].number - self.kept)
        return [(block, moves) for block, moves in moved if moves]

    def _fold(self, block: BlockRef, logs: Sequence[Log]) -> Moves:
        moves = self.book.fold(block.number, block.timestamp, logs)
        self.blocks[block.number] = block
        for track in moves:
            if not track.moved:
                self.belief.first_moved(track, block)
        return moves

    def _watch(self) -> None:
        """What is asked of every block, and which contracts are seen whole: as long as the same is tracked."""
        watches = list(self.book.watches())
        self._watching = self.book.version, tuple(queries(watches))
        emitters = {watch.emitter for watch in watches if watch.event is None}
        self._kept_since = {emitter: self._kept_since.get(emitter, self.book.tip) for emitter in emitters}

    def _kept_by_block(self, logs: Iterable[Log]) -> dict[int, list[Log]]:
        """Logs by their blocks. Those of contracts of which all are seen are kept, too: they answer log queries."""
        by_block: dict[int, list[Log]] = {}
        for log in logs:
            by_block.setdefault(log.block_number, []).append(log)
            if log.address in self._kept_since:
                self._kept.append(log)
        return by_block

    def rewind(self, ancestor: BlockRef) -> None:
        """Take back all blocks above one of the chain's."""
        self.book.rewind(ancestor.number)
        self.blocks = {number: block for number, block in self.blocks.items() if number <= ancestor.number}
        self._kept = [log for log in self._kept if log.block_number <= ancestor.number]
        self.belief.rewind(ancestor.number)

    def _forget(self, number: int) -> None:
        if number >= next(iter(self.blocks)) + self.kept // 8:
            self.book.forget(number)
            self.blocks = {n: block for n, block in self.blocks.items() if n >= number}
            self._kept = [log for log in self._kept if log.block_number >= number]
            self._kept_since = {a: max(n, number - 1) for a, n in self._kept_since.items()}

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        """One raw answer a question, in order; only those that do not follow from logs are sent on."""
        if not self.blocks:
            self.start(at)
        if self.blocks.get(at.number) != at:
            return await self.source.fetch(questions, at)
        known = {key: raw for key in questions if (raw := self._known(key, at)) is not None}
        asked = {key: ask for key, ask in questions.items() if key not in known}
        if asked:
            raws = dict(zip(asked, await self.source.fetch(asked, at), strict=True))
            if at.number == self.book.tip:
                await self._learn(raws, at)
            known.update(raws)
        self._note(questions, at)
        return [known[key] for key in questions]

    def unchanged(self, keys: Collection[Key], since: BlockRef, at: BlockRef) -> bool:
        """Whether logs alone say that all these questions, asked at one block, have the same answers at the other.

        A log query of the blocks up to the one is that of the blocks up to the other, from where it ended.
        """
        if self.blocks.get(since.number) != since or self.blocks.get(at.number) != at:
            return False
        stand = all(self._stands(key, since.number, at.number) for key in keys)
        if stand:
            self._note(keys, at)
        return stand

    def _stands(self, key: Key, since: int, at: int) -> bool:
        if isinstance(key, LogQuery):
            return at <= since or self._logs_of(replace(key, from_block=since + 1, to_block=at)) == []
        track = self.book.tracks.get(key)
        return track is not None and track.trusted and (state := track.at(at)) is not None and state == track.at(since)

    def _known(self, key: Key, at: BlockRef) -> Raw | None:
        if isinstance(key, LogQuery):
            return self._logs_of(key)
        track = self.book.tracks.get(key)
        if track is None or not track.trusted:
            return None
        state = track.at(at.number)
        return None if state is None else track.rule.write(state)

    def _logs_of(self, query: LogQuery) -> list[Log] | None:
        """The answer to a log query, where every log of its contracts in its blocks was kept."""
        seen = all(self._kept_since.get(address, query.from_block) < query.from_block for address in query.addresses)
        if not query.addresses or not seen or query.to_block > self.book.tip:
            return None
        return [log for log in self._kept if _matches(query, log)]

    async def _learn(self, raws: Mapping[Key, Raw], at: BlockRef) -> None:
        """Prove the tracks whose questions were read, and track what was not yet."""
        new: dict[CallKey, bytes] = {}
        disputes: list[Dispute | None] = []
        for key, raw in raws.items():
            track = self.book.tracks.get(key)
            if track is not None:
                disputes.append(self.belief.weigh(track, raw, at, self.blocks.get(track.verified)))
            elif isinstance(raw, bytes) and isinstance(key, tuple) and key not in self.belief.flaws:
                new[key] = raw
        await self._settle([one for one in disputes if one is not None], at)
        await self._find_aggregators([key for key in new if is_feed(key)], at)
        for key, raw in new.items():
            rule = rule_of(key, self.around)
            state = rule.read(raw) if rule else None
            if rule is not None and state is not None and self.belief.may_fold(key, rule):
                self.book.open(key, rule, state, at.number, at.timestamp)

    async def _settle(self, disputes: Sequence[Dispute], at: BlockRef) -> None:
        """Mark what reads did not bear out: the question alone, or, where its token does it, all balances of that.

        Without logs to look at, nothing is said of tokens.
        """
        first = min((one.since for one in disputes if one.track.rule.may_accrue), default=at.number) + 1
        blocks = [self.blocks[number] for number in range(first, at.number + 1) if number in self.blocks]
        known = [one for one in disputes if one.track.rule.may_accrue and one.since in self.blocks]
        try:
            reasons = await explain(self.logs, self.receipts, known, blocks) if known else []
        except EndpointError:
            reasons = []
        for one in disputes:
            self.belief.mark(one.track.key, Flaw(SILENT, at.number))
        for one, reason in zip(known, reasons, strict=False):
            self.belief.blame(one.track, Flaw(reason, at.number))

    def amounts_known(self, key: Key) -> bool:
        """Whether all that came and went in a question's answer, since it is tracked, is known to be right."""
        track = self.book.tracks.get(key)
        return track is not None and track.trusted and track.state is not None

    async def _find_aggregators(self, keys: Sequence[CallKey], at: BlockRef) -> None:
        """Whose logs tell of new rounds: the aggregator behind each feed, or the feed itself where it names none."""
        feeds = [key[0] for key in keys]
        calls = [interface("aggregator_v3").aggregator(feed) for feed in feeds]
        if not calls:
            return
        asks: dict[Key, Ask] = {(call.target, call.data): call for call in calls}
        answers = [
            call.function.decode(raw) if isinstance(raw, bytes) else raw
            for call, raw in zip(calls, await self.source.fetch(asks, at), strict=True)
        ]
        found = {
            feed: Address(answer) if isinstance(answer, str) else feed
            for feed, answer in zip(feeds, answers, strict=True)
        }
        self.around = replace(self.around, aggregators={**self.around.aggregators, **found})

    def _note(self, questions: Iterable[Key], at: BlockRef) -> None:
        if at != self._asked_at:
            self._asked_at, self._asked = at, set()
        self._asked.update(questions)

    @property
    def ways(self) -> Counter[Way]:
        """How what was asked at the last block is answered at the next one."""
        return Counter(map(self.way, self._asked))

    def prospects(self) -> Counter[Way]:
        """How what was asked at the last block can be answered later on, once it is proven."""
        tracked = Counter(track.rule.way for track in self.book.tracks.values())
        return tracked + Counter({Way.TIMED: max(len(self._asked) - tracked.total(), 0)})

    def way(self, key: Key) -> Way:
        """How a question is answered at the next block."""
        if isinstance(key, LogQuery):
            return Way.FOLDED if self._logs_of(key) is not None else Way.TIMED
        track = self.book.tracks.get(key)
        return track.rule.way if track is not None and track.trusted else Way.TIMED


def _matches(query: LogQuery, log: Log) -> bool:
    if not query.from_block <= log.block_number <= query.to_block or log.address not in query.addresses:
        return False
    wanted = zip(query.topics, log.topics, strict=False)
    return len(log.topics) >= len(query.topics) and all(some is None or topic in some for some, topic in wanted)
