"""A step of a recipe -> the question it asks, with checked types. Raises ValueError with a sentence.

What a name stands for is the business of `check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.adapters.recipes.program import EventShape, Expr, Node
from indexer.adapters.recipes.schema import Step
from indexer.adapters.recipes.signature import Field, Signature, find, parse_event, parse_function
from indexer.reads.abi import Function, topic
from indexer.reads.types import abi_type

INDEX = "uint256"


def getter_node(step: Step, text: str, on: Expr, args: Sequence[Expr]) -> Node:
    """One value (or several) a row."""
    signature = parse_function(text)
    _check_args([field.type for field in signature.inputs], args)
    return Node(step.name, "get", on, signature.outputs, function_of(signature), args=tuple(args))


def list_node(step: Step, text: str, on: Expr, args: Sequence[Expr]) -> Node:
    """One item an element: of the one array there is, or of several side by side."""
    node = getter_node(step, text, on, args)
    arrays = [(i, field.element) for i, field in enumerate(node.fields) if field.element is not None]
    if not arrays:
        raise ValueError(f"answers no list: expected such as {text.partition('(')[0]}()(address[])")
    ((first, element), *more) = arrays
    if more:
        fields = tuple(replace(e, name=node.fields[i].name) for i, e in arrays)
        return replace(node, role="list", fields=fields, zipped=tuple(i for i, _ in arrays))
    return replace(node, role="list", fields=element.parts or (element,), zipped=(first,))


def count_node(step: Step, text: str, on: Expr, args: Sequence[Expr]) -> Node:
    """How many items there are."""
    node = getter_node(step, text, on, args)
    _, field = find(node.fields, ["0"])
    if not field.type.startswith("uint") or not field.is_word:
        raise ValueError(f"answers {field.type} for a count: expected uint256")
    return replace(node, role="count")


def item_node(step: Step, text: str, on: Expr, args: Sequence[Expr]) -> Node:
    """One item an index, which is the last argument."""
    node = getter_node(step, text, on, [*args, Expr(INDEX)])
    return replace(node, role="item", args=tuple(args))


def same_node(step: Step, what: Expr) -> Node:
    """What is known by another name."""
    return Node(step.name, "same", what, (Field("", what.kind),))


def event_node(step: Step, text: str, on: Expr) -> Node:
    """One item a log. An indexed value of no fixed size is only its hash."""
    signature = parse_event(text)
    fields = tuple(_logged(field) for field in signature.outputs)
    indexed = tuple(i for i, field in enumerate(fields) if field.indexed)
    plain = tuple(i for i, field in enumerate(fields) if not field.indexed)
    topic0 = topic(f"{signature.name}({','.join(field.type for field in signature.outputs)})")
    shape = EventShape(topic0, indexed, plain, tuple(field.type for field in fields))
    return Node(step.name, "event", on, fields, event=shape)


def function_of(signature: Signature) -> Function:
    """What asks for it."""
    inputs, outputs = ([field.type for field in fields] for fields in (signature.inputs, signature.outputs))
    return Function(signature.name, inputs, outputs)


def fits(kind: str, want: str) -> bool:
    """Whether a value of one type can stand for another: the same, or both unsigned (or signed) integers."""
    if kind == want:
        return True
    plain = abi_type(kind).is_word and abi_type(want).is_word
    return plain and any(kind.startswith(word) and want.startswith(word) for word in ("uint", "int"))


def _logged(field: Field) -> Field:
    if field.indexed and not field.is_word:
        return Field(field.name, "bytes32", indexed=True)
    return field


def _check_args(wanted: Sequence[str], args: Sequence[Expr]) -> None:
    if len(wanted) != len(args):
        told = ", ".join(wanted) or "none"
        raise ValueError(f"takes {len(wanted)} arguments ({told}) and is given {len(args)}")
    for want, arg in zip(wanted, args, strict=True):
        if not fits(arg.kind, want):
            raise ValueError(f"takes {want} where it is given {arg.kind}")
