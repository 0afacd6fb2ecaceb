"""Many plans -> one plan: advanced in lock-step, those that fail kept as failures. Never talks to a node."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

from indexer.errors import CallFailed, IndexerError, clean
from indexer.model import Address
from indexer.reads.plan import Answer, Ask, Call, Elsewhere, LogQuery, NativeBalance, Plan

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Outcome: TypeAlias = V | CallFailed
Question: TypeAlias = tuple[Address, bytes, tuple[str, ...] | None] | NativeBalance | LogQuery | Elsewhere
"""An ask by its content. A call's goes with the types its answer is decoded to: bytes may be read in two ways."""


def gather(plans: Sequence[Plan[V]]) -> Plan[list[Outcome[V]]]:
    """The outcomes of `plans`, in order: the result of each, or the CallFailed it raised.

    For a few plans that ask different things: what two of them ask in one round stands in it twice.
    """
    running = [_Running(plan) for plan in plans]
    while waiting := [run for run in running if not run.done]:
        if len(waiting) == 1:
            waiting[0].step((yield waiting[0].asks))
            continue
        replies = iter((yield [ask for run in waiting for ask in run.asks]))
        for run in waiting:
            run.step(list(islice(replies, len(run.asks))))
    return [run.outcome for run in running]


def lockstep(
    first: Iterable[K], start: Callable[[K], Plan[V]], follow: Callable[[V], Iterable[K]]
) -> Plan[dict[K, Outcome[V]]]:
    """Outcomes of the plans of `first`, and of all that `follow` names as results come in; each key started once.

    A round holds what all running plans ask next and nobody asked before.
    """
    answers: dict[Question, Answer] = {}
    outcomes: dict[K, Outcome[V]] = {}
    running = {key: _Running(start(key)) for key in first}
    while running:
        questions = _unanswered(running.values(), answers)
        if questions:
            replies = yield list(questions.values())
            answers.update(zip(questions, replies, strict=True))
        finished = {key: run.outcome for key, run in running.items() if run.advance(answers)}
        outcomes.update(finished)
        running = {key: run for key, run in running.items() if key not in finished}
        for key in _named(finished.values(), follow):
            if key not in outcomes and key not in running:
                running[key] = _Running(start(key))
    return outcomes


def _named(finished: Iterable[Outcome[V]], follow: Callable[[V], Iterable[K]]) -> Iterable[K]:
    for outcome in finished:
        if not isinstance(outcome, CallFailed):
            yield from follow(outcome)


def _unanswered(running: Iterable[_Running[V]], answers: Mapping[Question, Answer]) -> dict[Question, Ask]:
    asked: dict[Question, Ask] = {}
    for run in running:
        asked.update(zip(run.questions(), run.asks, strict=True))
    return {question: ask for question, ask in asked.items() if question not in answers} if answers else asked


@dataclass(slots=True, init=False)
class _Running(Generic[V]):
    """One plan on its way: what it asks now, and in the end its outcome."""

    plan: Plan[V]
    asks: Sequence[Ask]
    outcome: Outcome[V]
    done: bool

    def __init__(self, plan: Plan[V]) -> None:
        self.plan = plan
        self.done = False
        self.step(None)

    def questions(self) -> list[Question]:
        """What it asks now, comparable with what others ask."""
        return [_question(ask) for ask in self.asks]

    def advance(self, answers: Mapping[Question, Answer]) -> bool:
        """Send what was answered, as long as everything it asks was; whether it has come to its end."""
        while not self.done and all(map(answers.__contains__, questions := self.questions())):
            self.step([answers[question] for question in questions])
        return self.done

    def step(self, replies: Sequence[Answer] | None) -> None:
        """Send the answers to what it asks (None at the start), and note what it asks next."""
        try:
            asks = next(self.plan) if replies is None else self.plan.send(replies)
            self.asks = asks if isinstance(asks, tuple) else list(asks)
        except StopIteration as stop:
            self._finish(stop.value)
        except CallFailed as failure:
            self._finish(failure)
        except IndexerError:
            raise
        except Exception as error:  # a source from another package: its fault holds its own route, not the block
            self._finish(CallFailed(f"{type(error).__name__}: {clean(str(error), 200)}"))

    def _finish(self, outcome: Outcome[V]) -> None:
        self.outcome, self.asks, self.done = outcome, [], True


def _question(ask: Ask) -> Question:
    return (ask.target, ask.data, ask.function.outputs) if isinstance(ask, Call) else ask
