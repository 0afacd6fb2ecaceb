"""A ledger that follows a random chain as the daemon does: what it gave out for every block, beside the node's word.

Reorgs are taken back; what an audit finds is corrected from the first wrong block on. Mines while nobody reads.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from devnet import Addresses, Devnet
from devnet.traders import Traders
from indexer.chain.blocks import headers
from indexer.model import BlockRef
from indexer.reads.abi import function, interface
from indexer.reads.batch import Counted, Sent
from indexer.reads.ledger.audit import SHARES, Difference
from indexer.reads.ledger.ledger import Ledger
from indexer.reads.plan import Ask, Call
from indexer.reads.source import CallKey, Key, Raw
from indexer.run import bookkeeping
from indexer.run.bookkeeping import Bookkeeper
from indexer.run.known import Known
from indexer.run.live import LiveChain
from indexer.run.snapshot import take
from indexer.run.standing import Standing
from tests.chain.restless import Restless

ANY = function("any()")
DEEPEST = 12
FINAL_DEPTH = 8
HAPPENINGS = {"trade": 12, "deeds": 12, "vanish": 1, "rest": 1, "reorg": 1, "fork": 2, "take": 1, "new_token": 1}
TIMES_S = (0, 2, 12, 12, 60, 120)
"""From one block to the next."""


@dataclass
class Passing:
    """The node, as the ledger asks it: counts what is passed on, and remembers every call."""

    reader: Counted
    passed: int = 0
    calls: dict[CallKey, None] = field(default_factory=dict)

    @property
    def sent(self) -> Sent:
        return self.reader.sent

    async def fetch(self, questions: Mapping[Key, Ask], at: BlockRef) -> Sequence[Raw]:
        self.passed += len(questions)
        self.calls.update((key, None) for key in questions if isinstance(key, tuple))
        return await self.reader.fetch(questions, at)


@dataclass
class Seen:
    """What happened, counted."""

    happenings: Counter[str] = field(default_factory=Counter)
    blocks: int = 0
    given: int = 0
    read: int = 0
    first_wrong: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    deepest: int = 0

    @property
    def folded(self) -> int:
        return self.given - self.read


class Life:
    """One chain's life, drawn from a seed, and the ledger beside it."""

    def __init__(self, net: Devnet, addresses: Addresses, live: LiveChain, ledger: Ledger, seed: int) -> None:
        self.net, self.live, self.seen = net, live, Seen()
        self.dice = random.Random(seed)
        self.source = Passing(live.reader)
        ledger.source = self.source
        self.books = Bookkeeper(ledger, Standing(ledger))
        self.traders = Traders(net, addresses, seed=seed)
        self.restless = Restless(net, addresses, self.dice, lambda token: token in ledger.belief.distrusted)
        self.addresses = addresses
        self.truth: dict[int, dict[CallKey, Raw]] = {}
        self.wrong: dict[int, set[CallKey]] = {}

    @property
    def ledger(self) -> Ledger:
        return self.books.ledger

    async def begin(self) -> None:
        """The first block that is followed: everything that a snapshot asks, and every balance that may move."""
        self.restless.settle_in()
        at = await self.live.head()
        await take(self.live.program, self.ledger, at, self.live.program.deployments, Known())
        await self._give(at)

    def _balances(self) -> list[CallKey]:
        aave = [
            name for one in self.addresses.aave.reserves.values() for name in (one.a_token, one.variable_debt_token)
        ]
        tokens = [*self.restless.tokens, *aave, *(token.address for token in self.addresses.tokens.values())]
        erc20 = interface("erc20")
        supplies = [erc20.totalSupply(token) for token in tokens]
        calls = [erc20.balanceOf(token, holder) for token in tokens for holder in self.restless.actors]
        return [(call.target, call.data) for call in [*calls, *supplies]]

    async def live_on(self, blocks: int) -> None:
        """Until so many blocks were mined; then until every answer has been audited."""
        start = self.net.block_number()
        while self.net.block_number() - start < blocks:
            happening = self.dice.choices(list(HAPPENINGS), list(HAPPENINGS.values()))[0]
            self.seen.happenings[happening] += 1
            await getattr(self, f"_{happening}")()
        for _ in range(SHARES + 2):
            self.net.mine(bookkeeping.AUDIT_EVERY)
            await self._follow(together=True)

    async def _new_token(self) -> None:
        self.restless.another_token()
        await self._follow()

    async def _trade(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.traders.step(self.dice.choice(TIMES_S))
        await self._follow()

    async def _deeds(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.restless.step(self.dice.choice(TIMES_S))
        await self._follow()

    async def _vanish(self) -> None:
        self.net.mine()
        self.restless.vanish_or_return()
        await self._follow()

    async def _rest(self) -> None:
        self.net.mine(self.dice.randint(1, 40))
        await self._follow()

    async def _reorg(self) -> None:
        """Empty blocks in the place of the last ones."""
        if depth := self._depth():
            self.net.reorg(depth)
            self.restless.went_back()
        await self._follow()

    async def _fork(self) -> None:
        """Other blocks in the place of the last ones, more or fewer."""
        if depth := self._depth():
            self.net.rollback(depth)
            self.restless.went_back()
        for _ in range(self.dice.randint(1, DEEPEST)):
            self.dice.choice((self.traders, self.restless)).step(self.dice.choice(TIMES_S))
        await self._follow()

    def _depth(self) -> int:
        depth = min(self.dice.randint(1, DEEPEST), len(self.truth) - 1)
        self.seen.deepest = max(self.seen.deepest, depth)
        return depth

    async def _take(self) -> None:
        """The whole snapshot by logs is that of reads; what is newly discovered is asked from now on."""
        at, program = self.ledger.tip, self.live.program
        assert at is not None
        by_logs = await take(program, self.ledger, at, program.deployments, Known())
        by_reads = await take(program, self.live.reader, at, program.deployments, Known())
        assert by_logs.snapshots == by_reads.snapshots or self.wrong.get(at.number)

    async def _follow(self, *, together: bool | None = None) -> None:
        """As the daemon: each block by itself, or several at once; a reorg is taken back before."""
        ancestor = await self._ancestor()
        if ancestor != self.ledger.tip:
            self.books.rewind(ancestor)
            for rows in (self.truth, self.wrong):
                for number in [number for number in rows if number > ancestor.number]:
                    del rows[number]
        new = await headers(self.live.pool, range(ancestor.number + 1, self.net.block_number() + 1))
        together = self.dice.random() < 0.3 if together is None else together
        for part in [new] if together else [[block] for block in new]:
            for block in part:
                self.books.note(block)
            await self.books.catch_up()
            for block in part:
                await self._give(block)
            await self._audit()

    async def _ancestor(self) -> BlockRef:
        """The last block that was followed and is still on the chain."""
        number = min(self.ledger.book.tip, self.net.block_number())
        while self.ledger.blocks[number].hash != self.net.block(number)["hash"]:
            number -= 1
        return self.ledger.blocks[number]

    async def _give(self, at: BlockRef) -> None:
        """Give out every answer at a block, and ask the node."""
        self.source.calls.update((key, None) for key in self._balances())
        asks: dict[Key, Ask] = {key: Call(*key, ANY) for key in self.source.calls}
        passed = self.source.passed
        given = await self.ledger.fetch(asks, at)
        self.seen.read += self.source.passed - passed
        self.seen.given += len(asks)
        self.seen.blocks += 1
        truth = await self.live.reader.fetch(asks, at)
        self.truth[at.number] = dict(zip(self.source.calls, truth, strict=True))
        self.seen.first_wrong += self._compare(at.number, self.source.calls, given)

    def _compare(self, number: int, keys: Mapping[CallKey, None], given: Sequence[Raw]) -> int:
        truth = self.truth[number]
        wrong = {key for key, raw in zip(keys, given, strict=True) if raw != truth[key]}
        self.wrong.pop(number, None)
        if wrong:
            self.wrong[number] = wrong
        return len(wrong)

    async def _audit(self) -> None:
        for final in (None, self.ledger.blocks.get(self.ledger.book.tip - FINAL_DEPTH)):
            differences = await self.books.audit(final)
            self.seen.reasons.update(one.reason for one in differences)
            if differences:
                await self._correct(differences)

    async def _correct(self, differences: Sequence[Difference]) -> None:
        """Give out anew what was given since the first wrong block."""
        for number in range(min(one.first for one in differences), self.ledger.book.tip + 1):
            if number in self.truth:
                keys = dict.fromkeys(self.truth[number])
                asks: dict[Key, Ask] = {key: Call(*key, ANY) for key in keys}
                self._compare(number, keys, await self.ledger.fetch(asks, self.ledger.blocks[number]))
