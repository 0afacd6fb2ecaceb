"""Snapshots of a deployment in the order of their blocks -> why its value changed from the first to the last.

Chain-linked: the change is explained from each stored snapshot to the next and the parts are added up, so that flow is
additive over adjoining intervals. Pure: never looks anything up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from indexer.model import Address, BlockRef, Bucket, Flow, Line, Quote, Snapshot, Status, Token
from indexer.units import usd_scale
from indexer.valuation.parts import NOTHING, Move, Part, Parts, Worth, split, sum_parts

Place = tuple[Address, Address, Bucket]
"""What a holding is of: token, owner, bucket."""

LOGS, END_POINTS, BOTH = "logs", "end points", "logs and end points"
"""How the changes of units are known: from the token's logs, from the amounts at both ends, or some so, some so."""

_NOTES_KEPT = 5
_NOT_THERE_YET = (Status.NOT_APPLICABLE, Status.MISSING)
"""A contract that had no code, and then has, began in between."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Flows of a range of blocks, and the places of which the range's logs are all there."""

    items: Collection[Flow] = ()
    complete: Collection[Place] = ()


NO_MOVES = Moves()
Ledger = Callable[[int, int], Moves]
"""The flows after one block, up to and with another."""


@dataclass(frozen=True, slots=True)
class Change:
    """Why the value of one token in one bucket changed. USD as in `Parts`: `closing - opening` is `parts.change`.

    Values are what the totals count: nothing for a holding that is left out. Amounts are raw units, as last known;
    `basis` is empty where none moved.
    """

    deployment: str
    token: Token
    bucket: Bucket
    opening: int
    closing: int
    opening_amount: int
    closing_amount: int
    parts: Parts
    basis: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """What changed between two snapshots. `opened` is None where nothing was stored before: it opens with nothing.

    `skipped` snapshots between them were gaps: what they would have told is in the step to the next.
    """

    deployment: str
    opened: BlockRef | None
    closed: BlockRef | None
    changes: tuple[Change, ...]
    skipped: int

    def total(self, bucket: Bucket = Bucket.BASE) -> Parts:
        """The parts of one bucket."""
        return sum_parts(change.parts for change in self.changes if change.bucket is bucket)


@dataclass(frozen=True, slots=True)
class _Stand:
    """A place at a snapshot. `worth` is None while an amount or a price was never known; `counted` is in the totals."""

    line: Line
    worth: Worth | None
    counted: int


@dataclass(slots=True)
class _Account:
    """What is gathered of a place since the last cut."""

    opening: int = 0
    opening_amount: int = 0
    parts: Parts = NOTHING
    bases: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)


_EMPTY: Mapping[Place, _Stand] = {}


class Attributor:
    """Takes one snapshot after the other, and tells at any of them what changed since the last time it was asked.

    A holding that is held for a while is carried: its last known amount and price, so that what it does meanwhile
    stays flow, price or yield. What leaves the totals and comes back to them is scope.

    `created` says in which block a contract was first there, where that is known: what comes with it is flow, and what
    is otherwise new is scope. `ledger` gives the flows.
    """

    def __init__(
        self, deployment: str, ledger: Ledger | None = None, created: Mapping[Address, int] | None = None
    ) -> None:
        self._deployment = deployment
        self._ledger = ledger
        self._created = created or {}
        self._last: Snapshot | None = None
        self._stands: Mapping[Place, _Stand] = _EMPTY
        self._tokens: dict[Address, Token] = {}
        self._begin(None)

    def take(self, snapshot: Snapshot) -> None:
        """The next snapshot. A gap tells nothing: it is counted, and the next one is compared with the last."""
        if snapshot.status is Status.GAP:
            self._skipped += 1
            return
        last, self._last = self._last, snapshot
        self._tokens.update(snapshot.tokens)
        moves = self._ledger(last.at.number, snapshot.at.number) if self._ledger and last else NO_MOVES
        step = _Step(last, snapshot, moves, self._created)
        stands = {_place(line): step.stand(line, self._stands.get(_place(line))) for line in snapshot.lines}
        for place in self._stands.keys() | stands.keys():
            self._account(place, step, self._stands.get(place), stands.get(place))
        self._stands = stands

    def cut(self) -> Attribution:
        """What changed since the last cut, or since before the first snapshot; and begin anew."""
        places: dict[tuple[Address, Bucket], list[Place]] = defaultdict(list)
        for place in sorted(self._accounts.keys() | self._stands.keys()):
            places[place[0], place[2]].append(place)
        changes = tuple(self._change(*key, some) for key, some in places.items())
        made = Attribution(
            self._deployment, self._opened, self._last.at if self._last else None, changes, self._skipped
        )
        self._begin(made.closed)
        return made

    def _begin(self, opened: BlockRef | None) -> None:
        self._opened = opened
        self._skipped = 0
        self._accounts: dict[Place, _Account] = {}
        for place, stand in self._stands.items():
            self._accounts[place] = _Account(stand.counted, stand.worth.amount if stand.worth else 0)

    def _account(self, place: Place, step: _Step, before: _Stand | None, after: _Stand | None) -> None:
        moves = step.moves(place)
        if before is after and not moves:
            return
        account = self._accounts.setdefault(place, _Account())
        account.parts += step.parts(place, before, after, moves)
        if moves or _amount(before) != _amount(after):
            account.bases.add(END_POINTS if moves is None else LOGS)
        for note in step.notes(place, before, after):
            account.notes.setdefault(note)

    def _change(self, token: Address, bucket: Bucket, places: Collection[Place]) -> Change:
        accounts = [self._accounts.get(place, _Account()) for place in places]
        stands = [stand for place in places if (stand := self._stands.get(place))]
        bases = set().union(*(account.bases for account in accounts))
        return Change(
            deployment=self._deployment,
            token=self._tokens.get(token, Token(token, "", None)),
            bucket=bucket,
            opening=sum(account.opening for account in accounts),
            closing=sum(stand.counted for stand in stands),
            opening_amount=sum(account.opening_amount for account in accounts),
            closing_amount=sum(_amount(stand) for stand in stands),
            parts=sum_parts(account.parts for account in accounts),
            basis=BOTH if len(bases) > 1 else next(iter(bases), ""),
            notes=tuple(dict.fromkeys(note for account in accounts for note in account.notes))[:_NOTES_KEPT],
        )


class _Step:
    """From one snapshot to the next."""

    def __init__(self, last: Snapshot | None, snapshot: Snapshot, moves: Moves, created: Mapping[Address, int]) -> None:
        self._last = last
        self._snapshot = snapshot
        self._created = created
        self._moves: dict[Place, list[Move]] = {place: [] for place in moves.complete}
        for flow in moves.items:
            place = (flow.token, flow.owner, flow.bucket)
            if place in self._moves:
                at_close = flow.at.number == snapshot.at.number
                self._moves[place].append(Move(flow.amount_in, flow.amount_out, at_close))
        self._rules = _rules_changed(last, snapshot)

    def moves(self, place: Place) -> list[Move] | None:
        """What the logs say of a place; None where they are not all there."""
        return self._moves.get(place)

    def stand(self, line: Line, before: _Stand | None) -> _Stand:
        """A line of the later snapshot, with what it does not know carried from before.

        An amount that could not be read moves on by what the logs say. A token without a route has no value at all.
        """
        token = line.holding.token
        quote, known = self._snapshot.quotes.get(token), self._snapshot.tokens.get(token)
        if before is not None and before.line == line and self._same(token, quote) and not self.moves(_place(line)):
            return before
        counted = (line.usd or 0) if line.status is Status.OK else 0
        if quote is None or line.holding.status is Status.NOT_APPLICABLE:
            return _Stand(line, None, counted)
        carried = before.worth if before else None
        amount = line.holding.amount
        if amount is None and carried is not None:
            moves = self.moves(_place(line)) or []
            amount = carried.amount + sum(move.amount_in - move.amount_out for move in moves)
        if quote.price is not None and known is not None and known.decimals is not None:
            worth = None if amount is None else Worth(amount, quote.price, usd_scale(known.decimals), quote)
            return _Stand(line, worth, counted)
        worth = replace(carried, amount=amount) if carried and amount is not None else None
        return _Stand(line, worth, counted)

    def parts(self, place: Place, before: _Stand | None, after: _Stand | None, moves: list[Move] | None) -> Parts:
        """Why what the totals count of a place changed."""
        change = _counted(after) - _counted(before)
        old, new = before.worth if before else None, after.worth if after else None
        made = self._split(place, before, after, moves)
        aside = change - ((new.usd if new else 0) - (old.usd if old else 0))
        if not aside:
            return made
        if _is_counted(before) and _is_counted(after):
            return made + Parts(residual=aside)
        return made + Parts(scope=aside)

    def notes(self, place: Place, before: _Stand | None, after: _Stand | None) -> list[str]:
        """What else a reader must know of a place."""
        said = [self._rules] if self._rules else []
        if before is None and self._last is not None:
            said.append("created" if self._is_created(place[1]) else "newly tracked")
        if after is None:
            said.append("no longer tracked")
        if _is_counted(before) and after is not None and not _is_counted(after):
            said.append(f"left out: {after.line.status}: {after.line.reason}")
        if before is not None and not _is_counted(before) and _is_counted(after):
            said.append("counted again" if before.worth else "valued for the first time")
        return said

    def _split(self, place: Place, before: _Stand | None, after: _Stand | None, moves: list[Move] | None) -> Parts:
        old, new = before.worth if before else None, after.worth if after else None
        moves = None if place[2] is Bucket.BORROWED else moves
        if old is None and new is None:
            return NOTHING
        if old is not None and new is not None and old.scale != new.scale:
            gone, come = replace(old, amount=0), replace(new, amount=0)
            return split(old, gone, (), Part.METHOD) + split(come, new, (), Part.METHOD)
        if old is not None and new is not None:
            return split(old, new, moves or (), self._rest(place, moves))
        rest = Part.METHOD if self._rules else Part.SCOPE
        if old is None and new is not None:
            return self._entry(place, before, new, moves, rest)
        assert old is not None
        return split(old, replace(old, amount=0), moves or (), rest)

    def _entry(self, place: Place, before: _Stand | None, new: Worth, moves: list[Move] | None, rest: Part) -> Parts:
        """Units that were not valued before: flow where their contract is new, or as far as the logs tell."""
        began = before.line.holding.status in _NOT_THERE_YET if before else self._is_created(place[1])
        if began and not self._rules:
            rest = Part.DEBT if place[2] is Bucket.BORROWED else Part.FLOW
        told = moves if before is None and moves else ()
        return split(replace(new, amount=0), new, told, rest)

    def _rest(self, place: Place, moves: list[Move] | None) -> Part:
        """What units are that no log tells of."""
        if self._rules:
            return Part.METHOD
        if place[2] is Bucket.BORROWED:
            return Part.DEBT
        return Part.FLOW if moves is None else Part.YIELD

    def _is_created(self, owner: Address) -> bool:
        block = self._created.get(owner)
        return block is not None and self._last is not None and self._last.at.number < block <= self._snapshot.at.number

    def _same(self, token: Address, quote: Quote | None) -> bool:
        last = self._last
        if last is None or self._snapshot.tokens.get(token) != last.tokens.get(token):
            return False
        before = last.quotes.get(token)
        return before is quote or before == quote


def attribute(
    deployment: str,
    snapshots: Iterable[Snapshot],
    ledger: Ledger | None = None,
    created: Mapping[Address, int] | None = None,
) -> Attribution:
    """From the first of the snapshots, the opening, to the last. See `Attributor`."""
    attributor = Attributor(deployment, ledger, created)
    is_opened = False
    for snapshot in snapshots:
        attributor.take(snapshot)
        if not is_opened and snapshot.status is not Status.GAP:
            attributor.cut()
            is_opened = True
    return attributor.cut()


def _place(line: Line) -> Place:
    return line.holding.token, line.holding.owner, line.holding.bucket


def _amount(stand: _Stand | None) -> int:
    return stand.worth.amount if stand and stand.worth else 0


def _counted(stand: _Stand | None) -> int:
    return stand.counted if stand else 0


def _is_counted(stand: _Stand | None) -> bool:
    return stand is not None and stand.line.status is Status.OK


def _rules_changed(last: Snapshot | None, snapshot: Snapshot) -> str:
    if last is None:
        return ""
    pairs = [("methodology", last.methodology, snapshot.methodology), ("adapter", last.adapter, snapshot.adapter)]
    return ", ".join(f"{what} {old} became {new}" for what, old, new in pairs if old != new)
