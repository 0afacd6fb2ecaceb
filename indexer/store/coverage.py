"""In which blocks all flows of a deployment's places are known: spans that are over, and one that goes on.

The one that goes on reaches as far as the chain's ledger has folded, so that a block in which nothing of a deployment
moved writes nothing of it. Plain functions on the connection of somebody's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, select, update

from indexer.model import BlockRef
from indexer.store import flow_tables as f
from indexer.store import tables as t
from indexer.store.engine import insert, upsert
from indexer.store.runs import ids_in, runs_text

NOBODY = "[]"

_C, _G = f.covered.c, f.covering.c
_AROUND = (_C.deployment_id == bindparam("of"), _C.last >= bindparam("since"), _C.first <= bindparam("upto"))
_TOUCHING = select(f.covered).where(*_AROUND)
_COVER = update(f.covered).where(_C.id == bindparam("row")).values(first=bindparam("since"), last=bindparam("upto"))


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks in which all flows of some places are known; `places` is JSON, runs of their ids."""

    first: int
    last: int
    places: str


class Coverage:
    """One deployment's, inside one write transaction. `folded` is the chain's last folded block before it."""

    def __init__(self, connection: Connection, deployment: int, folded: int | None) -> None:
        self._connection, self._deployment = connection, deployment
        self._folded = -1 if folded is None else folded

    def add(self, span: Span) -> None:
        """One more span; joined with those of the same places that it touches."""
        first, last, text = span.first, span.last, span.places
        if last < first or text == NOBODY:
            return
        around = {"of": self._deployment, "since": first - 1, "upto": last + 1}
        same = [row for row in self._connection.execute(_TOUCHING, around) if row.places == text]
        first, last = min([first, *(row.first for row in same)]), max([last, *(row.last for row in same)])
        if not same:
            self._insert([Span(first, last, text)])
            return
        if len(same) > 1:
            self._connection.execute(delete(f.covered).where(_C.id.in_([row.id for row in same[1:]])))
        self._connection.execute(_COVER, {"row": same[0].id, "since": first, "upto": last})

    def go_on(self, first: int, places: str) -> None:
        """From a block on, what goes on is of these places; what went on before is over."""
        self.settle()
        if places == NOBODY:
            self._connection.execute(delete(f.covering).where(_G.deployment_id == self._deployment))
            return
        new = upsert(self._connection, f.covering, ("deployment_id",), ("first", "places"))
        self._connection.execute(new, {"deployment_id": self._deployment, "first": first, "places": places})

    def settle(self) -> None:
        """What goes on becomes a span as far as it reached, and goes on behind it."""
        row = self._connection.execute(select(f.covering).where(_G.deployment_id == self._deployment)).first()
        if row is not None and row.first <= self._folded:
            self.add(Span(row.first, self._folded, row.places))
            behind = update(f.covering).where(_G.deployment_id == self._deployment)
            self._connection.execute(behind.values(first=self._folded + 1))

    def cut(self, first: int, last: int, places: Set[int] | None) -> None:
        """Of these places (None: all) nothing is known in these blocks; of others, and around them, as before."""
        self.settle()
        around = (_C.deployment_id == self._deployment, _C.first <= last, _C.last >= first)
        for row in self._connection.execute(select(f.covered).where(*around)).all():
            self._connection.execute(delete(f.covered).where(_C.id == row.id))
            others = _without(row.places, places) if places is not None else NOBODY
            parts = [Span(row.first, first - 1, row.places), Span(last + 1, row.last, row.places)]
            parts.append(Span(max(row.first, first), min(row.last, last), others))
            self._insert([span for span in parts if span.first <= span.last and span.places != NOBODY])

    def _insert(self, spans: Iterable[Span]) -> None:
        of = {"deployment_id": self._deployment}
        rows = [of | {"first": one.first, "last": one.last, "places": one.places} for one in spans]
        if rows:
            self._connection.execute(insert(self._connection, f.covered), rows)


def end_all(connection: Connection, chain_id: int, folded: int | None) -> None:
    """What went on at any deployment of a chain is over: another ledger begins."""
    for row in connection.execute(select(f.covering).where(_G.deployment_id.in_(_of(chain_id)))).all():
        Coverage(connection, row.deployment_id, folded).go_on(0, NOBODY)


def supersede(connection: Connection, chain_id: int, ancestor: BlockRef) -> None:
    """Nothing is known any more of a chain's blocks above the ancestor; what goes on, goes on from there."""
    ours, number = _of(chain_id), ancestor.number
    connection.execute(delete(f.covered).where(_C.deployment_id.in_(ours), _C.first > number))
    connection.execute(update(f.covered).where(_C.deployment_id.in_(ours), _C.last > number).values(last=number))
    connection.execute(update(f.covering).where(_G.deployment_id.in_(ours), _G.first > number).values(first=number + 1))
    back = update(t.chain).where(t.chain.c.id == chain_id, t.chain.c.folded > number)
    connection.execute(back.values(folded=number))


def spans(connection: Connection, deployment: int, from_block: int, to_block: int) -> list[Span]:
    """All spans that reach into a range, in the order of their first blocks."""
    over = select(_C.first, _C.last, _C.places).where(
        _C.deployment_id == deployment, _C.last >= from_block, _C.first <= to_block
    )
    joined = f.covering.join(t.deployment, t.deployment.c.id == _G.deployment_id).join(t.chain)
    reached = func.coalesce(t.chain.c.folded, -1)
    goes_on = (
        select(_G.first, reached, _G.places)
        .select_from(joined)
        .where(and_(_G.deployment_id == deployment, _G.first <= to_block, reached >= _G.first, reached >= from_block))
    )
    rows = [*connection.execute(over), *connection.execute(goes_on)]
    return sorted((Span(*row) for row in rows), key=lambda span: span.first)


def complete(connection: Connection, deployment: int, from_block: int, to_block: int) -> list[int]:
    """Ids of the places whose spans, put together, leave nothing of the range out."""
    reached: dict[int, int] = {}
    for span in spans(connection, deployment, from_block, to_block):
        for place_id in ids_in(span.places):
            upto = reached.get(place_id, from_block - 1)
            if span.first <= upto + 1:
                reached[place_id] = max(upto, span.last)
    return [place_id for place_id, upto in reached.items() if upto >= to_block]


def _of(chain_id: int) -> Select[tuple[int]]:
    return select(t.deployment.c.id).where(t.deployment.c.chain_id == chain_id)


def _without(text: str, places: Set[int]) -> str:
    """The runs of ids that are left of some."""
    return runs_text(one for one in ids_in(text) if one not in places)
