"""Many plans at one block -> their results, in lock-step: one merged round of questions after another.

A question that was answered at a block is never asked again there, whichever plan asks. What one plan raises is that
plan's failure; the others go on. Only a block that cannot be read as a whole ends them all.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from indexer.errors import IndexerError, Permanent, clean
from indexer.model import BlockRef, Status
from indexer.reads.plan import Answer, Ask, LogQuery, Plan
from indexer.reads.source import Key, Questions, Raw, Source

MAX_ROUNDS = 200
"""More rounds than any honest plan takes: one that asks on and on is stopped here."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plan has no result. `error` is what it raised."""

    status: Status
    reason: str
    error: Exception


@dataclass(slots=True)
class Stats:
    """Rounds that were asked, questions of all plans, and the distinct ones among them, which were sent."""

    rounds: int = 0
    asked: int = 0
    distinct: int = 0


@dataclass(slots=True)
class Session:
    """Everything that was answered at one block. Plans run in it share the answers, also of earlier runs.

    `asked` are the questions of each plan by its name, in order.
    """

    source: Source
    at: BlockRef
    stats: Stats = field(default_factory=Stats)
    answers: dict[Key, Raw] = field(default_factory=dict)
    asked: dict[Hashable, list[Key]] = field(default_factory=dict)

    async def run(self, plans: Mapping[K, Plan[T]]) -> dict[K, T | Failure]:
        """Each plan's result, or its failure. Raises Transient where the block cannot be read as a whole."""
        running = {key: _Running(key, plan, self.at, self.asked.setdefault(key, [])) for key, plan in plans.items()}
        for one in running.values():
            one.advance(None)
        try:
            while waiting := [one for one in running.values() if one.outcome is None]:
                await self._answer(waiting)
                for one in waiting:
                    one.advance(one.asks.decoded(map(self.answers.__getitem__, one.asks.keys)))
        finally:
            for one in running.values():
                one.plan.close()
        return {key: one.result() for key, one in running.items()}

    async def _answer(self, waiting: Sequence[_Running[Any]]) -> None:
        """One round: everything that is asked and not known yet."""
        questions: dict[Key, Ask] = {}
        for one in waiting:
            questions.update(one.asks.by_key)
        if self.answers:
            questions = {key: ask for key, ask in questions.items() if key not in self.answers}
        self.stats.asked += sum(len(one.asks) for one in waiting)
        if questions:
            self.stats.rounds += 1
            self.stats.distinct += len(questions)
            raws = await self.source.fetch(questions, self.at)
            self.answers.update(zip(questions, raws, strict=True))


async def rounds(source: Source, plans: Mapping[K, Plan[T]], at: BlockRef) -> dict[K, T | Failure]:
    """Run plans at a block on their own. See `Session.run`."""
    return await Session(source, at).run(plans)


@dataclass(slots=True)
class _Running(Generic[T]):
    """A plan on its way: what it asks now, and in the end its outcome."""

    name: Hashable
    plan: Plan[T]
    at: BlockRef
    asked: list[Key]
    asks: Questions = field(default_factory=Questions)
    taken: int = 0
    outcome: tuple[T] | Failure | None = None

    def advance(self, answers: Sequence[Answer] | None) -> None:
        """Send the answers (None at the start) and note what the plan asks next."""
        try:
            asks = next(self.plan) if answers is None else self.plan.send(answers)
            self.asks = Questions.of(asks)
            self.asked += self.asks.keys
            self._check()
        except StopIteration as stop:
            self.outcome = (stop.value,)
        except Exception as error:
            self.outcome = self._failure(error)

    def result(self) -> T | Failure:
        assert self.outcome is not None, "asked for the result of a plan that still runs"
        return self.outcome if isinstance(self.outcome, Failure) else self.outcome[0]

    def _check(self) -> None:
        self.taken += 1
        if self.taken > MAX_ROUNDS:
            raise RuntimeError(f"asked {MAX_ROUNDS} rounds without coming to an end")
        if LogQuery in self.asks.kinds and any(_is_later(ask, self.at) for ask in self.asks):
            raise ValueError("asked for logs of blocks after its own")

    def _failure(self, error: Exception) -> Failure:
        """What the plan raised, as its failure. What it did not raise on purpose is a bug, and logged as one."""
        if isinstance(error, Permanent):
            status = error.context.get("status")
            return Failure(status if isinstance(status, Status) else Status.HELD, error.message, error)
        if not isinstance(error, IndexerError):
            _log.error("the plan of %s failed", self.name, exc_info=error)
        return Failure(Status.HELD, clean(f"{type(error).__name__}: {error}"), error)


def _is_later(ask: Ask, at: BlockRef) -> bool:
    return isinstance(ask, LogQuery) and ask.to_block > at.number
