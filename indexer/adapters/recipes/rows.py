"""A program and a block -> the rows of every name, in one round of questions a level.

A value that cannot be had is `Lost`, and everything that needs it is lost too: no row disappears. What an earlier block
taught is not asked again. Talks to no node: it is a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from indexer.adapters.recipes.join import joined
from indexer.adapters.recipes.memory import Memory
from indexer.adapters.recipes.program import Lost, Node, Program, Row
from indexer.errors import CallFailed
from indexer.model import Address, Hash, LogQuery, Status
from indexer.reads.encode import encoder
from indexer.reads.plan import Answer, Ask, Call, Failed, Plan, need

Key: TypeAlias = Any


@dataclass(slots=True)
class Task:
    """A row, the contract that is asked, and what it is asked; or why nothing can be."""

    row: Row
    target: Any
    asks: Sequence[Call] = ()
    lost: Lost | None = None


@dataclass(slots=True)
class Reading:
    """Rows by name, and every answer of this block."""

    program: Program
    memory: Memory
    rows: dict[str, list[Row]]
    answers: dict[Key, Answer] = field(default_factory=dict)

    def joined(self, names: Sequence[str]) -> list[Row]:
        """The rows of several names, each with each that agrees with it."""
        return joined([self.rows.get(name, []) for name in names], self.program.max_items)

    def asked(self, asks: Sequence[Ask]) -> Plan[None]:
        """Have the answers of all, in one round; what was answered is not asked again."""
        unknown = {key(ask): ask for ask in asks if key(ask) not in self.answers}
        if unknown:
            self.answers.update(zip(unknown, (yield list(unknown.values())), strict=True))


def key(ask: Ask) -> Key:
    """A question with the types of its answer: bytes may be read in more than one way."""
    return (ask, ask.function.outputs) if isinstance(ask, Call) else ask


def rows_of(program: Program, memory: Memory, since: int | None = None) -> Plan[Reading]:
    """The rows of all names at the memory's block; with `since`, only of what is kept, and logs from there on.

    Raises CallFailed for more items than the recipe allows, and for logs that cannot be had.
    """
    reading = Reading(program, memory, {name: list(rows) for name, rows in program.constants.items()})
    for level in program.levels:
        nodes = [node for node in level if since is None or node.searched]
        tasks = [[_task(reading, node, row) for row in reading.joined(node.after)] for node in nodes]
        queries = [
            None if since is None else _query(node, each, since, memory.block)
            for node, each in zip(nodes, tasks, strict=True)
        ]
        calls = [
            ask for node, each in zip(nodes, tasks, strict=True) for task in each for ask in _open(memory, node, task)
        ]
        yield from reading.asked([*filter(None, queries), *calls])
        for node, each, query in zip(nodes, tasks, queries, strict=True):
            if query is not None:
                memory.keep_logs(node, need(reading.answers[query]))
            rows = [row for task in each for row in _extended(reading, node, task)]
            reading.rows.setdefault(node.name, []).extend(_bounded(program, node, rows))
    return reading


def _task(reading: Reading, node: Node, row: Row) -> Task:
    target = node.on.of(row)
    given = [target, *(arg.of(row) for arg in node.args), *([row[node.count]] if node.count else [])]
    lost = next((value for value in given if isinstance(value, Lost)), None)
    if lost is not None or node.function is None:
        return Task(row, target, lost=lost)
    try:
        return Task(row, target, [node.function(*each) for each in _arguments(reading.program, node, given)])
    except ValueError as error:
        return Task(row, target, lost=Lost(target, Failed(Status.MALFORMED, str(error))))


def _arguments(program: Program, node: Node, given: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The arguments of each question: of an item, with each index in place of the count."""
    if not node.count:
        return iter([given])
    *before, count = given
    if count > program.max_items:
        raise CallFailed(f"{before[0]} says it has {count} of {node.name!r}, more than max_items")
    return iter([(*before, index) for index in range(count)])


def _query(node: Node, tasks: Sequence[Task], since: int, block: int) -> LogQuery | None:
    """What asks for a node's logs; None where nothing can match."""
    emitters = tuple(sorted({task.target for task in tasks if task.lost is None}))
    if node.event is None or not emitters or not all(node.where.values()):
        return None
    topics = [(node.event.topic,), *(_alternatives(node, i) for i in node.event.indexed)]
    while topics[-1] is None:
        topics.pop()
    return LogQuery(emitters, tuple(topics), since, block)


def _alternatives(node: Node, position: int) -> tuple[Hash, ...] | None:
    """The topics that a `where` allows at an indexed field; None for any."""
    column = next((c for c in node.where if node.columns[c] == (position,)), None)
    if column is None:
        return None
    encode = encoder((node.kinds[column],))
    return tuple(sorted(Hash("0x" + encode((value,)).hex()) for value in node.where[column]))


def _open(memory: Memory, node: Node, task: Task) -> list[Call]:
    return [ask for ask in task.asks if memory.answer(node, ask) is None]


def _extended(reading: Reading, node: Node, task: Task) -> Iterator[Row]:
    """A row with what was answered: once, or once an item. Only those that the recipe wants."""
    for origin, values in _items(reading, node, task):
        if _is_wanted(reading.program, node, values):
            yield {**task.row, **values, f"{node.name}#": origin}


def _items(reading: Reading, node: Node, task: Task) -> Iterator[tuple[Any, Row]]:
    """Each item with where it comes from (contract first): two of one origin are the same."""
    if task.lost is not None:
        yield (task.lost.contract, node.name), dict.fromkeys(node.columns, task.lost)
    elif node.role == "same":
        yield (task.target, node.on.column), dict.fromkeys(node.columns, task.target)
    elif node.event is not None:
        for name, values in reading.memory.logs(node, task.target):
            yield (task.target, name), values
    for ask in task.asks:
        kept = reading.memory.answer(node, ask)
        answers = [kept] if kept is not None else _parts(node, task.target, reading.answers[key(ask)])
        if kept is None and node.role != "list":
            reading.memory.keep(node, ask, answers[0])
        for i, values in enumerate(answers):
            yield (task.target, ask.data, i), values


def _is_wanted(program: Program, node: Node, values: Row) -> bool:
    named = {value for value in values.values() if isinstance(value, str)}
    if node.path and not program.exclude.isdisjoint(named):
        return False
    checked = [(values[column], wanted) for column, wanted in node.where.items()]
    return all(isinstance(value, Lost) or value in wanted for value, wanted in checked)


def _parts(node: Node, target: Address, answer: Answer) -> list[Row]:
    """The used values of an answer; of a list, of each element."""
    try:
        return [{column: _at(item, place) for column, place in node.columns.items()} for item in _each(node, answer)]
    except (LookupError, TypeError):
        answer = Failed(Status.MALFORMED, f"the answer has not all that {node.name!r} needs")
    except _Lost as lost:
        answer = lost.failed
    return [dict.fromkeys(node.columns, Lost(target, answer))]


class _Lost(Exception):
    def __init__(self, failed: Failed) -> None:
        self.failed = failed
        super().__init__()


def _each(node: Node, answer: Answer) -> list[Any]:
    """An answer as a tuple of its outputs; a list's elements as tuples of their fields."""
    if isinstance(answer, Failed):
        raise _Lost(answer)
    assert node.function is not None
    outputs = answer if len(node.function.outputs or ()) > 1 else (answer,)
    if node.role != "list":
        return [outputs]
    lists = [outputs[i] for i in node.zipped]
    if len({len(each) for each in lists}) != 1:
        raise _Lost(Failed(Status.MALFORMED, f"the lists of {node.name!r} are of different lengths"))
    return list(zip(*lists, strict=True)) if len(lists) > 1 or not node.fields[0].name else list(lists[0])


def _at(item: Any, place: Sequence[int]) -> Any:
    for position in place:
        item = item[position]
    return item


def _bounded(program: Program, node: Node, rows: list[Row]) -> list[Row]:
    if len(rows) > program.max_items:
        raise CallFailed(f"there are {len(rows)} of {node.name!r}, more than max_items ({program.max_items})")
    return rows
