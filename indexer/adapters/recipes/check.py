"""A recipe -> a program, or everything that is wrong with it, each with its path.

Every name stands before its use and has the type that is needed there; every step leads to a holding; an amount is read
at its block. Asks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

from indexer.adapters.recipes.nodes import count_node, event_node, fits, getter_node, item_node, list_node, same_node
from indexer.adapters.recipes.program import Counted, Expr, Node, Path, Program, Row
from indexer.adapters.recipes.schema import Output, Recipe, Step
from indexer.adapters.recipes.signature import Field, find
from indexer.config.types import parse_address
from indexer.model import NATIVE, Address
from indexer.reads.types import abi_type

_WORD = re.compile(r"0x[0-9a-fA-F]{64}")
SIDES = ("token0()(address)", "token1()(address)")


class RecipeProblems(ValueError):
    """Everything that is wrong with a recipe: where, and a sentence that says what would be right."""

    def __init__(self, problems: Sequence[tuple[Path, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(sentence for _, sentence in problems))


def compiled(recipe: Recipe) -> Program:
    """The program of a recipe. Raises RecipeProblems."""
    compiler = _Compiler(recipe)
    program = compiler.program()
    if compiler.problems:
        raise RecipeProblems(compiler.problems)
    return program


@dataclass(slots=True)
class _Known:
    """What a name stands for: the fields of a constant, or the nodes that give it; and all names behind it."""

    fields: tuple[Field, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    behind: set[str] = field(default_factory=set)


class _Compiler:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.problems: list[tuple[Path, str]] = []
        self.known = {name: _Known(_constant_fields(rows)) for name, rows in recipe.contracts.items()}
        self.nodes: list[Node] = []
        self.used: set[str] = set()
        self.amounts: dict[str, Path] = {}

    def program(self) -> Program:
        for i, step in enumerate(self.recipe.steps):
            self._step(step, ("steps", i))
        outputs = [c for i, output in enumerate(self.recipe.holdings) for c in self._output(output, ("holdings", i))]
        self._decide_what_is_kept()
        self._check_reach(outputs)
        return Program(
            constants={name: _constant_rows(name, rows) for name, rows in self.recipe.contracts.items()},
            levels=self._levels(),
            outputs=tuple(outputs),
            exclude=frozenset(self.recipe.exclude),
            max_items=self.recipe.max_items,
        )

    @contextmanager
    def _at(self, path: Path) -> Iterator[None]:
        """A ValueError inside becomes a problem at the path."""
        try:
            yield
        except ValueError as error:
            self.problems.append((path, str(error)))

    # steps

    def _step(self, step: Step, path: Path) -> None:
        if step.name in self.recipe.contracts or step.name == "native":
            self.problems.append(((*path, "name"), f"{step.name!r} stands for something else already"))
            return
        on = self._asked(step, path)
        args = [self._value(arg, (*path, "args", i)) for i, arg in enumerate(step.args)]
        made: list[Node] = []
        if on is not None and None not in args:
            made = self._nodes_of(step, on, [arg for arg in args if arg is not None], path)
        behind = self._names([step.on or step.same_as, *step.args, *step.given])
        for node in made:
            with self._at(path):
                node.after = self._minimal([*behind, *([node.count] if node.count else [])])
                self._add(node, behind)
        if made:
            self._where(step, made[-1], (*path, "where"))
        self.known.setdefault(step.name, _Known())

    def _asked(self, step: Step, path: Path) -> Expr | None:
        """The contract that a step asks, or the value it takes over."""
        for i, name in enumerate(step.given):
            if name not in self.known:
                self.problems.append(((*path, "given", i), f"no {name!r} before this"))
            self.used.add(name)
        if step.on is not None:
            return self._value(step.on, (*path, "on"), "address")
        return self._value(step.same_as, (*path, "same_as"))

    def _nodes_of(self, step: Step, on: Expr, args: Sequence[Expr], path: Path) -> list[Node]:
        """A step's questions; fewer where one of them is wrong."""
        if step.same_as is not None:
            return [replace(same_node(step, on), path=path)]
        made: list[Node] = []
        makers: dict[str, Callable[..., Node]] = {"get": getter_node, "list": list_node}
        makers |= {"count": count_node, "item": item_node, "event": event_node}
        for key, maker in makers.items():
            text = getattr(step, key)
            if text is not None:
                with self._at((*path, key)):
                    node = maker(step, text, on) if key == "event" else maker(step, text, on, args)
                    made.append(replace(node, path=path, keep=bool(step.keep)))
        if step.event is not None and not self._from_configuration_or_event(str(step.on)):
            self.problems.append(((*path, "on"), "logs are searched for once: name contracts, or what an event named"))
        return _counting(made, f"{step.name}#{path[1]}") if step.count is not None else made

    def _add(self, node: Node, behind: set[str]) -> None:
        known = self.known.setdefault(node.name, _Known())
        known.nodes.append(node)
        known.behind |= behind | {name for each in node.after for name in (each, *self.known[each].behind)}
        self.nodes.append(node)

    def _where(self, step: Step, node: Node, path: Path) -> None:
        node.where = {}
        for key, wanted in step.where.items():
            with self._at((*path, key)):
                column = f"{node.name}.{key}" if key else node.name
                kind = self._use(node, column, key.split(".") if key else [])
                values = wanted if isinstance(wanted, tuple) else (wanted,)
                node.where |= {column: frozenset(v for value in values for v in self._constants(value, kind))}

    def _constants(self, value: Any, kind: str) -> list[Any]:
        """What a `where` may name: a literal, or contracts."""
        if isinstance(value, str) and value in self.recipe.contracts:
            self.used.add(value)
            return [one[""] for one in self.recipe.contracts[value] if "" in one]
        literal = _literal(value)
        if literal is None or not fits(literal.kind, kind):
            raise ValueError(f"expected contracts, or a literal of type {kind}")
        return [literal.literal]

    # values

    def _value(self, given: Any, path: Path, want: str | None = None) -> Expr | None:
        """A name or literal as an expression; None where it is none, which is a problem then."""
        with self._at(path):
            expr = _literal(given) or self._named(str(given))
            if expr and want and not fits(expr.kind, want):
                raise ValueError(f"is {expr.kind}, where {want} is needed")
            return expr
        return None

    def _named(self, text: str) -> Expr | None:
        """The value of a name; None where the step of that name is wrong itself, which was told already."""
        name, _, rest = text.partition(".")
        if name not in self.known:
            raise ValueError(f"no {name[:40]!r} before this; there is: {', '.join(self._visible())}")
        self.used.add(name)
        known, path = self.known[name], rest.split(".") if rest else []
        if name in self.recipe.contracts:
            return Expr(find(known.fields, path)[1].type, text)
        kinds = {self._use(node, text, path) for node in known.nodes}
        if len(kinds) > 1:
            raise ValueError(f"is of more than one type: {', '.join(sorted(kinds))}")
        return Expr(kinds.pop(), text, fixed=False) if kinds else None

    def _use(self, node: Node, column: str, path: Sequence[str]) -> str:
        """Note that a value of an answer is used. Its type."""
        positions, found = find(node.fields, path)
        if found.element is not None or found.parts:
            raise ValueError(f"is {found.type}: say which part of it")
        node.columns[column], node.kinds[column] = positions, found.type
        return found.type

    def _visible(self) -> list[str]:
        return ["native", *(name for name in self.known if "#" not in name)]

    def _names(self, given: Iterable[Any]) -> set[str]:
        """The names in expressions, as far as they are known."""
        return {name for value in given if (name := str(value).partition(".")[0]) in self.known}

    def _minimal(self, names: Iterable[str]) -> tuple[str, ...]:
        """Without those that stand behind another of them: their columns are in its rows already."""
        names = set(names)
        behind = {name for each in names for name in self.known[each].behind}
        self._check_join(sorted(names - behind))
        return tuple(sorted(names - behind))

    def _check_join(self, names: Sequence[str]) -> None:
        """Raises ValueError where items of two names could not be told to belong together.

        So it is where steps of one name build on different things, and what they share is not the same for all.
        """
        for one, other in combinations(names, 2):
            pairs = product(self.known[one].nodes, self.known[other].nodes)
            if len({frozenset(self._all_behind(a) & self._all_behind(b)) for a, b in pairs}) > 1:
                raise ValueError(f"{one!r} and {other!r} have sources of different kinds: build both on one name")

    def _all_behind(self, node: Node) -> set[str]:
        return {name for each in node.after for name in (each, *self.known[each].behind)}

    # outputs

    def _output(self, output: Output, path: Path) -> list[Counted]:
        tokens = [output.token] if isinstance(output.token, str) else output.token
        amount = self._value(output.amount, (*path, "amount")) if output.amount else None
        if amount is not None and not amount.kind.startswith(("uint", "int")):
            self.problems.append(((*path, "amount"), f"is {amount.kind}, where an integer is needed"))
        elif amount is not None:
            self.amounts[amount.column] = (*path, "amount")
        receipt = self._value(output.receipt, (*path, "receipt"), "address") if output.receipt else None
        return [c for token in tokens if (c := self._counted(output, token, amount, receipt, path)) is not None]

    def _counted(
        self, output: Output, token: str, amount: Expr | None, receipt: Expr | None, path: Path
    ) -> Counted | None:
        about = self._value(token, (*path, "token"), "address")
        owner = self._owner(output, amount, path)
        if about is None or owner is None:
            return None
        own = self._own(output, (*path, "own"))
        sides = self._sides(token, about) if own else ()
        given = [token, output.owner or owner.column, output.amount or "", output.receipt or ""]
        with self._at(path):
            after = self._minimal({*self._names(given), *sides})
            return Counted(after, about, owner, output.bucket, amount, receipt, own, sides, output.zero_is_native)
        return None

    def _owner(self, output: Output, amount: Expr | None, path: Path) -> Expr | None:
        """Who is named, or else who is asked for the amount."""
        if output.owner is not None:
            return self._value(output.owner, (*path, "owner"), "address")
        if amount is None or not amount.column:
            return None
        owners = {node.on for node in self.known[amount.column.partition(".")[0]].nodes}
        if len(owners) == 1:
            return owners.pop()
        self.problems.append(((*path, "owner"), "is needed"))
        return None

    def _own(self, output: Output, path: Path) -> frozenset[Address]:
        if output.own is None:
            return frozenset()
        self.used.add(output.own)
        with self._at(path):
            if output.own not in self.recipe.contracts:
                raise ValueError(f"no contracts {output.own!r}")
        return frozenset(one[""] for one in self.recipe.contracts.get(output.own, ()) if "" in one)

    def _sides(self, token: str, about: Expr) -> tuple[str, ...]:
        """Questions for the two tokens of a pair, if the token is one."""
        names = []
        for i, text in enumerate(SIDES):
            name = f"{token}#side{i}"
            node = getter_node(Step(name="side", on=token, get=text), text, about, ())
            behind = self._names([token])
            self._add(replace(node, name=name, after=self._minimal(behind), columns={name: (0,)}), behind)
            self.nodes[-1].kinds[name] = "address"
            names.append(name)
        return tuple(names)

    # the whole

    def _decide_what_is_kept(self) -> None:
        """Items and sides of pairs, if nothing in them can change; other getters where the recipe says so."""
        for node in self.nodes:
            if node.role in ("count", "same"):
                node.keep = False
            elif node.event is not None:
                self._refuse_amounts(node, "of an event, which is no amount at a block")
            else:
                self._decide(node)

    def _decide(self, node: Node) -> None:
        wanted = self._asked_to_keep(node)
        can = self._is_stable(node) and all(abi_type(kind).is_word for kind in node.kinds.values())
        if wanted and node.keep:
            self._refuse_amounts(node, "kept, and not read at its block: give its step keep = false")
            if not can or node.role == "list":
                self.problems.append(((*node.path, "keep"), "only plain values of what is itself kept can be kept"))
        node.keep = can and wanted and not self._amounts_of(node)

    def _asked_to_keep(self, node: Node) -> bool:
        said = self.recipe.steps[int(node.path[1])].keep if node.path else True
        return bool(said) if said is not None else node.role == "item"

    def _is_stable(self, of: Node) -> bool:
        """Whether all that the node builds on is kept (the count of its own items is asked anew)."""
        behind = {each for name in of.after for each in (name, *self.known[name].behind)}
        return all(
            node.discovers or node.role in ("count", "same") for name in behind for node in self.known[name].nodes
        )

    def _amounts_of(self, node: Node) -> list[str]:
        return [column for column in node.columns if column in self.amounts]

    def _refuse_amounts(self, node: Node, why: str) -> None:
        self.problems += [(self.amounts[column], f"is {why}") for column in self._amounts_of(node)]

    def _from_configuration_or_event(self, text: str) -> bool:
        name = text.partition(".")[0]
        known = self.known.get(name, _Known())
        return all(node.event is not None for node in known.nodes)

    def _check_reach(self, outputs: Sequence[Counted]) -> None:
        names = {name for output in outputs for name in output.after}
        reached = names | {behind for name in names for behind in self.known[name].behind}
        if self.problems:
            return
        for i, step in enumerate(self.recipe.steps):
            if step.name not in reached:
                self.problems.append((("steps", i), f"{step.name!r} leads to no holding"))
        for name in self.recipe.contracts:
            if name not in self.used:
                self.problems.append((("contracts", name), "is used nowhere"))

    def _levels(self) -> tuple[tuple[Node, ...], ...]:
        """Nodes that can be asked together, after those they build on."""
        depth: dict[str, int] = dict.fromkeys(self.recipe.contracts, 0)
        for node in self.nodes:
            here = 1 + max((depth.get(name, 0) for name in node.after), default=0)
            depth[node.name] = max(here, depth.get(node.name, 0))
        ordered: dict[int, list[Node]] = {}
        for node in self.nodes:
            ordered.setdefault(depth[node.name], []).append(node)
        return tuple(tuple(ordered[level]) for level in sorted(ordered))


def _counting(made: Sequence[Node], name: str) -> list[Node]:
    """A count and its item, tied by the column of the count; nothing where one of them is wrong."""
    if len(made) < 2:
        return []
    count, item = made
    kind = find(count.fields, ["0"])[1].type
    return [replace(count, name=name, columns={name: (0,)}, kinds={name: kind}), replace(item, count=name)]


def _constant_fields(records: Sequence[Mapping[str, Address]]) -> tuple[Field, ...]:
    return tuple(Field(key, "address") for key in (records[0] if records else {"": NATIVE}))


def _constant_rows(name: str, records: Sequence[Mapping[str, Address]]) -> list[Row]:
    return [
        {f"{name}#": i, **{f"{name}.{key}" if key else name: value for key, value in record.items()}}
        for i, record in enumerate(records)
    ]


def _literal(given: Any) -> Expr | None:
    """A literal as an expression, or None where it must be a name. Raises ValueError for a wrong checksum."""
    if isinstance(given, bool):
        return Expr("bool", literal=given)
    if isinstance(given, int):
        return Expr("uint256" if given >= 0 else "int256", literal=given)
    if given == "native":
        return Expr("address", literal=NATIVE)
    if isinstance(given, str) and _WORD.fullmatch(given):
        return Expr("bytes32", literal=bytes.fromhex(given[2:]))
    if isinstance(given, str) and given.startswith("0x"):
        return Expr("address", literal=parse_address(given))
    return None
