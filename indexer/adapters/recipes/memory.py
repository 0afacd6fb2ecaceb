"""Discoveries of a recipe: events that were found, and answers that need not be asked for again.

An answer is kept under its whole question, so that it can never stand for another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer.adapters.recipes.program import Node
from indexer.errors import CallFailed
from indexer.model import Address, Found, Hash, Log
from indexer.reads.decode import decode_types
from indexer.reads.plan import Call
from indexer.reads.types import abi_type, word_decoder

Values = dict[str, Any]


@dataclass(slots=True)
class Memory:
    """What is known, by key; and `new`, what this discovery added."""

    block: int
    known: dict[str, Found]
    new: list[Found] = field(default_factory=list)

    @classmethod
    def of(cls, found: Iterable[Found], block: int) -> Memory:
        return cls(block, {item.key: item for item in found})

    def answer(self, node: Node, ask: Call) -> Values | None:
        """The columns of an answer that was kept; None where there is none."""
        item = self.known.get(_call_key(node, ask)) if node.keep else None
        return None if item is None else _values(node, item)

    def keep(self, node: Node, ask: Call, values: Values) -> None:
        """Remember an answer, unless something in it could not be had."""
        data = _data(node, values)
        if node.keep and len(data) == len(set(_places(node))):
            self._add(Found(_call_key(node, ask), self.block, data))

    def logs(self, node: Node, emitter: Address) -> list[tuple[str, Values]]:
        """The items that a contract's logs named up to this block, with a name for each."""
        prefix = f"{_event_key(node)}:{emitter}:"
        items = [item for key, item in self.known.items() if key.startswith(prefix) and item.block <= self.block]
        return [(item.key, _values(node, item)) for item in sorted(items, key=lambda item: item.key)]

    def keep_logs(self, node: Node, logs: Sequence[Log]) -> None:
        """Remember what logs named. Raises CallFailed for a log of another layout."""
        for log in logs:
            values = _logged(node, log)
            if all(values[column] in wanted for column, wanted in node.where.items()):
                self._add(Found(f"{_event_key(node)}:{_log_name(log)}", log.block_number, _data(node, values)))

    def _add(self, item: Found) -> None:
        if item.key not in self.known:
            self.known[item.key] = item
            self.new.append(item)


def _call_key(node: Node, ask: Call) -> str:
    return f"{ask.target}:0x{ask.data.hex()}:{','.join(_places(node))}"


def _event_key(node: Node) -> str:
    assert node.event is not None
    return f"{node.name}:{node.event.topic[:18]}:{','.join(_places(node))}"


def _places(node: Node) -> list[str]:
    """Which parts of an answer are kept, and as what."""
    return [f"{'.'.join(map(str, place))}={node.kinds[column]}" for column, place in node.columns.items()]


def _log_name(log: Log) -> str:
    return f"{log.address}:{log.block_number}:{log.log_index}"


def _data(node: Node, values: Values) -> dict[str, str | int | bool]:
    """Values as JSON, by their places; without those that could not be had."""
    texts = zip(_places(node), (_text(values[column]) for column in node.columns), strict=True)
    return {place: text for place, text in texts if text is not None}


def _values(node: Node, item: Found) -> Values:
    places = zip(node.columns, _places(node), strict=True)
    return {column: _value(node.kinds[column], item.data[place]) for column, place in places}


def _text(value: Any) -> str | bool | None:
    """A value as JSON can hold it, whatever its size; None for what is no plain value."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        return str(value)
    return "0x" + value.hex() if isinstance(value, bytes) else None


def _value(kind: str, text: Any) -> Any:
    if kind.startswith(("uint", "int")):
        return int(text)
    return bytes.fromhex(text[2:]) if kind.startswith("bytes") else text


def _logged(node: Node, log: Log) -> Values:
    """The used values of a log."""
    shape = node.event
    assert shape is not None
    try:
        if len(log.topics) != 1 + len(shape.indexed):
            raise ValueError("another number of topics")
        data = decode_types(tuple(abi_type(shape.types[i]) for i in shape.plain), log.data)
        topics = [_topic(shape.types[i], topic) for i, topic in zip(shape.indexed, log.topics[1:], strict=True)]
    except ValueError as error:
        raise CallFailed(f"a log is not the event of {node.name!r}: {error}", tx=log.tx_hash) from error
    values = dict(zip((*shape.plain, *shape.indexed), (*data, *topics), strict=True))
    return {column: _inside(values, place) for column, place in node.columns.items()}


def _topic(kind: str, topic: Hash) -> Any:
    return word_decoder(kind)(bytes.fromhex(topic[2:]))


def _inside(values: Mapping[int, Any], place: Sequence[int]) -> Any:
    value: Any = values[place[0]]
    for position in place[1:]:
        if position >= len(value):
            raise CallFailed(f"a log's list has {len(value)} elements, where element {position} is needed")
        value = value[position]
    return value
