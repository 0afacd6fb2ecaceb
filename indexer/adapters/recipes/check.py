"""A recipe -> a program, or everything that is wrong with it, each with its path.

Every name stands before its use and has the type that is needed there; every step leads to a holding; an amount is read
at its block. Asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from indexer.adapters.recipes.nodes import count_node, event_node, getter_node, item_node, list_node, same_node
from indexer.adapters.recipes.program import Counted, Expr, Node, Path, Program, Row
from indexer.adapters.recipes.schema import Output, Recipe, Step
from indexer.adapters.recipes.scope import Known, Scope, use
from indexer.adapters.recipes.signature import find
from indexer.model import Address
from indexer.reads.types import abi_type

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


class _Compiler:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.problems: list[tuple[Path, str]] = []
        self.scope = Scope(recipe.contracts)
        self.nodes: list[Node] = []
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
        if step.name in self.scope.used:
            self.problems.append(((*path, "name"), f"{step.name!r} is used already: all its sources stand before that"))
            return
        on = self._asked(step, path)
        args = [self._value(arg, (*path, "args", i)) for i, arg in enumerate(step.args)]
        made: list[Node] = []
        if on is not None and None not in args:
            made = self._nodes_of(step, on, [arg for arg in args if arg is not None], path)
        behind = self.scope.names([step.on or step.same_as, *step.args, *step.given])
        for node in made:
            with self._at(path):
                node.after = self.scope.joined([*behind, *([node.count] if node.count else [])])
                self._add(node, behind)
        if made:
            self._where(step, made[-1], (*path, "where"))
        self.scope.known.setdefault(step.name, Known())

    def _asked(self, step: Step, path: Path) -> Expr | None:
        """The contract that a step asks, or the value it takes over."""
        for i, name in enumerate(step.given):
            if name not in self.scope.known:
                self.problems.append(((*path, "given", i), f"no {name!r} before this"))
            self.scope.used.add(name)
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
        if step.event is not None and not self.scope.told_by_logs_alone(str(step.on)):
            self.problems.append(((*path, "on"), "logs are searched for once: name contracts, or what an event named"))
        return _counting(made, f"{step.name}#{path[1]}") if step.count is not None else made

    def _add(self, node: Node, behind: set[str]) -> None:
        self.scope.add(node, behind)
        self.nodes.append(node)

    def _where(self, step: Step, node: Node, path: Path) -> None:
        node.where = {}
        for key, wanted in step.where.items():
            with self._at((*path, key)):
                column = f"{node.name}.{key}" if key else node.name
                kind = use(node, column, key.split(".") if key else [])
                values = wanted if isinstance(wanted, tuple) else (wanted,)
                node.where |= {column: frozenset(v for value in values for v in self.scope.constants(value, kind))}

    def _value(self, given: Any, path: Path, want: str | None = None) -> Expr | None:
        """A name or literal as an expression; None where it is none, which is a problem then."""
        with self._at(path):
            return self.scope.value(given, want)
        return None

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
            after = self.scope.joined({*self.scope.names(given), *sides})
            return Counted(after, about, owner, output.bucket, amount, receipt, own, sides, output.zero_is_native)
        return None

    def _owner(self, output: Output, amount: Expr | None, path: Path) -> Expr | None:
        """Who is named, or else who is asked for the amount."""
        if output.owner is not None:
            return self._value(output.owner, (*path, "owner"), "address")
        if amount is None or not amount.column:
            return None
        owners = {node.on for node in self.scope.known[amount.column.partition(".")[0]].nodes}
        if len(owners) == 1:
            return owners.pop()
        self.problems.append(((*path, "owner"), "is needed"))
        return None

    def _own(self, output: Output, path: Path) -> frozenset[Address]:
        if output.own is None:
            return frozenset()
        self.scope.used.add(output.own)
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
            behind = self.scope.names([token])
            after = self.scope.joined(behind)
            self._add(replace(node, name=name, after=after, columns={name: (0,)}, keep=True), behind)
            self.nodes[-1].kinds[name] = "address"
            names.append(name)
        return tuple(names)

    # the whole

    def _decide_what_is_kept(self) -> None:
        """Answers that the recipe says cannot change, and what must be asked to come to them."""
        for node in self.nodes:
            if node.event is not None:
                self._refuse_amounts(node, "of an event, which is no amount at a block")
            elif node.keep and node.role != "count":
                self._check_kept(node)
        kept = [node for node in self.nodes if node.discovers]
        behind = {name for node in kept for name in self.scope.behind(node)}
        for node in self.nodes:
            node.searched = node.discovers or node.name in behind

    def _check_kept(self, node: Node) -> None:
        self._refuse_amounts(node, "kept, and not read at its block: its step says keep = true")
        if node.role in ("list", "same") or not all(abi_type(kind).is_word for kind in node.kinds.values()):
            self.problems.append(((*node.path, "keep"), "only plain values of get and item can be kept"))

    def _amounts_of(self, node: Node) -> list[str]:
        return [column for column in node.columns if column in self.amounts]

    def _refuse_amounts(self, node: Node, why: str) -> None:
        self.problems += [(self.amounts[column], f"is {why}") for column in self._amounts_of(node)]

    def _check_reach(self, outputs: Sequence[Counted]) -> None:
        names = {name for output in outputs for name in output.after}
        reached = names | {behind for name in names for behind in self.scope.known[name].behind}
        if self.problems:
            return
        for i, step in enumerate(self.recipe.steps):
            if step.name not in reached:
                self.problems.append((("steps", i), f"{step.name!r} leads to no holding"))
        for name in self.recipe.contracts:
            if name not in self.scope.used:
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
    return [replace(count, name=name, columns={name: (0,)}, kinds={name: kind}, keep=False), replace(item, count=name)]


def _constant_rows(name: str, records: Sequence[Mapping[str, Address]]) -> list[Row]:
    return [
        {f"{name}#": i, **{f"{name}.{key}" if key else name: value for key, value in record.items()}}
        for i, record in enumerate(records)
    ]
