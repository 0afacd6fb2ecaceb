"""Points: one row a block, with the roster of deployments that were read there; a snapshot only where it is another.

Snapshots that say what the one before says are taken away, the others refer to their point. Cursors go: a chain's head
says the same. One deployment after the other, some rows at a time. The file keeps its size; freed pages are used again.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from alembic import op

from indexer.store.runs import ids_in, runs_text

revision = "pre_0006"
down_revision = "pre_0005"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE: dict[str, Any] = {"sqlite_where": sa.text("live = 1"), "postgresql_where": sa.text("live")}
CANONICAL: dict[str, Any] = {
    "sqlite_where": sa.text("state <> 'superseded'"),
    "postgresql_where": sa.text("state <> 'superseded'"),
}
AUTOINCREMENT = {"sqlite_autoincrement": True}
SUPERSEDED = "superseded"
AT_ONCE = 500

Row = sa.Row[Any]


def upgrade() -> None:
    create_point_tables()
    with op.batch_alter_table("snapshot") as snapshot:
        snapshot.add_column(sa.Column("point_id", Id))
        snapshot.add_column(sa.Column("live", sa.Boolean()))
    Upgrade(op.get_bind()).run()
    op.drop_index("uq_snapshot_canonical", "snapshot")
    with op.batch_alter_table("snapshot", table_kwargs=AUTOINCREMENT) as snapshot:
        snapshot.alter_column("point_id", existing_type=Id, nullable=False)
        snapshot.alter_column("live", existing_type=sa.Boolean(), nullable=False)
        snapshot.create_foreign_key("fk_snapshot_point_id", "point", ["point_id"], ["id"])
        for name in ("hash", "parent_hash", "timestamp", "state"):
            snapshot.drop_column(name)
    op.create_index("uq_snapshot_live", "snapshot", ["deployment_id", "number"], unique=True, **LIVE)
    op.add_column("chain", sa.Column("writes", sa.BigInteger()))
    for name in ("number", "hash", "parent_hash", "timestamp"):
        op.drop_column("deployment", f"cursor_{name}")


def create_point_tables() -> None:
    op.create_table(
        "roster",
        sa.Column("id", Id, primary_key=True),
        required("deployments", sa.Text()),
        sa.UniqueConstraint("deployments"),
    )
    op.create_table(
        "member",
        sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), primary_key=True),
        sa.Column("roster_id", Id, sa.ForeignKey("roster.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point",
        sa.Column("id", Id, primary_key=True),
        reference("chain"),
        required("number", sa.BigInteger()),
        *(required(name, sa.Text()) for name in ("hash", "parent_hash")),
        required("timestamp", sa.BigInteger()),
        required("state", sa.Text()),
        reference("roster"),
    )
    op.create_index("ix_point_chain_id_number", "point", ["chain_id", "number"])
    op.create_index("ix_point_canonical", "point", ["roster_id", "number"], **CANONICAL)


class Upgrade:
    """Makes points of snapshots, and takes the idle ones away."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        (self._deployment, self._snapshot, self._total, self._roster, self._member, self._point) = tables(
            connection, "deployment", "snapshot", "total", "roster", "member", "point"
        )
        self._changes = tables(connection, "holding", "quoted")
        self._rosters: dict[frozenset[int], int] = {}

    def run(self) -> None:
        chains: dict[int, list[int]] = defaultdict(list)
        for row in self._connection.execute(sa.select(self._deployment.c.id, self._deployment.c.chain_id)).all():
            chains[row.chain_id].append(row.id)
        for chain_id, deployments in chains.items():
            self._write_points(chain_id, deployments)
            for deployment in deployments:
                self._settle(chain_id, deployment)
            self._keep_superseded(chain_id, deployments)

    def _write_points(self, chain_id: int, deployments: Collection[int]) -> None:
        """A point for every block with a canonical snapshot."""
        at_once = max(AT_ONCE // len(deployments), 16)
        series = [self._canonical(deployment, at_once) for deployment in deployments]
        waiting: list[dict[str, Any]] = []
        for _, of_number in groupby(heapq.merge(*series, key=attrgetter("number")), key=attrgetter("number")):
            by_hash: dict[str, list[Row]] = defaultdict(list)
            for row in of_number:
                by_hash[row.hash].append(row)
            waiting += [self._point_of(chain_id, rows) for rows in by_hash.values()]
            if len(waiting) >= AT_ONCE:
                self._connection.execute(sa.insert(self._point), waiting)
                waiting = []
        if waiting:
            self._connection.execute(sa.insert(self._point), waiting)

    def _canonical(self, deployment: int, at_once: int) -> Iterator[Row]:
        s, after = self._snapshot.c, -1
        query = sa.select(self._snapshot).where(
            s.deployment_id == deployment, s.state != sa.literal_column("'superseded'")
        )
        while rows := self._connection.execute(query.where(s.number > after).order_by(s.number).limit(AT_ONCE)).all():
            yield from rows
            after = rows[-1].number

    def _point_of(self, chain_id: int, rows: Collection[Row]) -> dict[str, Any]:
        """A block is final for all if it is for one."""
        first, states = next(iter(rows)), {row.state for row in rows}
        return {
            "chain_id": chain_id,
            **{name: getattr(first, name) for name in ("number", "hash", "parent_hash", "timestamp")},
            "state": "final" if "final" in states else first.state,
            "roster_id": self._roster_id(frozenset(row.deployment_id for row in rows)),
        }

    def _roster_id(self, members: frozenset[int]) -> int:
        if members not in self._rosters:
            new = sa.insert(self._roster).values(deployments=runs_text(members)).returning(self._roster.c.id)
            self._rosters[members] = roster_id = self._connection.execute(new).scalar_one()
            rows = [{"deployment_id": one, "roster_id": roster_id} for one in sorted(members)]
            self._connection.execute(sa.insert(self._member), rows)
        return self._rosters[members]

    def _settle(self, chain_id: int, deployment: int) -> None:
        """Canonical snapshots that say something new refer to their points; the others go."""
        last: Any = None
        for some in parts(self._canonical(deployment, AT_ONCE)):
            ids = [row.id for row in some]
            totals, changed = self._totals(ids), self._changed(ids)
            new: list[int] = []
            idle: list[int] = []
            for row in some:
                said = (row.status, row.reason, row.methodology, row.adapter, totals[row.id])
                (idle if said == last and row.id not in changed else new).append(row.id)
                last = said
            self._refer(chain_id, new, live=True)
            for table, column in ((self._total, self._total.c.snapshot_id), (self._snapshot, self._snapshot.c.id)):
                self._connection.execute(sa.delete(table).where(column.in_(idle)))

    def _totals(self, ids: Collection[int]) -> dict[int, set[tuple[Any, ...]]]:
        found: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
        for snapshot_id, *said in self._connection.execute(
            sa.select(self._total).where(self._total.c.snapshot_id.in_(ids))
        ):
            found[snapshot_id].add(tuple(said))
        return found

    def _changed(self, ids: Collection[int]) -> set[int]:
        queries = [
            sa.select(table.c.snapshot_id).where(table.c.snapshot_id.in_(ids)).distinct() for table in self._changes
        ]
        return {row_id for query in queries for row_id in self._connection.execute(query).scalars()}

    def _refer(self, chain_id: int, ids: Collection[int], *, live: bool) -> None:
        s, p = self._snapshot.c, self._point.c
        here = (p.chain_id == chain_id, p.number == s.number, p.hash == s.hash)
        point = sa.select(p.id).where(*here).scalar_subquery()
        self._connection.execute(sa.update(self._snapshot).where(s.id.in_(ids)).values(point_id=point, live=live))

    def _keep_superseded(self, chain_id: int, deployments: Collection[int]) -> None:
        """What abandoned blocks said refers to points too: superseded ones, where no canonical one has that hash."""
        s, after = self._snapshot.c, -1
        query = sa.select(self._snapshot).where(s.state == SUPERSEDED, s.deployment_id.in_(deployments)).order_by(s.id)
        while rows := self._connection.execute(query.where(s.id > after).limit(AT_ONCE)).all():
            for row in rows:
                self._abandon(chain_id, row)
            self._refer(chain_id, [row.id for row in rows], live=False)
            after = rows[-1].id

    def _abandon(self, chain_id: int, row: Row) -> None:
        p, r = self._point.c, self._roster.c
        here = (p.chain_id == chain_id, p.number == row.number, p.hash == row.hash)
        joined = self._point.join(self._roster, r.id == p.roster_id)
        query = sa.select(p.id, p.state, r.deployments).select_from(joined).where(*here)
        point = self._connection.execute(query).first()
        if point is None:
            self._connection.execute(sa.insert(self._point).values(self._point_of(chain_id, [row])))
        elif point.state == SUPERSEDED:
            roster_id = self._roster_id(frozenset([*ids_in(point.deployments), row.deployment_id]))
            self._connection.execute(sa.update(self._point).where(p.id == point.id).values(roster_id=roster_id))


def downgrade() -> None:
    for name, kind in (("number", sa.BigInteger()), ("hash", sa.Text()), ("parent_hash", sa.Text())):
        op.add_column("deployment", sa.Column(f"cursor_{name}", kind))
    op.add_column("deployment", sa.Column("cursor_timestamp", sa.BigInteger()))
    op.drop_column("chain", "writes")
    with op.batch_alter_table("snapshot") as snapshot:
        for name, kind in (("hash", sa.Text()), ("parent_hash", sa.Text()), ("timestamp", sa.BigInteger())):
            snapshot.add_column(sa.Column(name, kind))
        snapshot.add_column(sa.Column("state", sa.Text()))
    for statement in SPELLED_OUT:
        op.execute(statement)
    op.drop_index("uq_snapshot_live", "snapshot")
    with op.batch_alter_table("snapshot", table_kwargs=AUTOINCREMENT) as snapshot:
        for name, kind in (("hash", sa.Text()), ("parent_hash", sa.Text()), ("timestamp", sa.BigInteger())):
            snapshot.alter_column(name, existing_type=kind, nullable=False)
        snapshot.alter_column("state", existing_type=sa.Text(), nullable=False)
        snapshot.drop_constraint("fk_snapshot_point_id", type_="foreignkey")
        snapshot.drop_column("point_id")
        snapshot.drop_column("live")
    op.create_index("uq_snapshot_canonical", "snapshot", ["deployment_id", "number"], unique=True, **CANONICAL)
    for table in ("point", "member", "roster"):
        op.drop_table(table)


BEFORE = (
    "(SELECT max(earlier.number) FROM snapshot AS earlier WHERE earlier.deployment_id = {d} AND earlier.live"
    " AND earlier.state IS NULL AND earlier.number <= {n})"
)
SPELLED_OUT = (
    # A snapshot for every canonical point again. Those that were there have no state yet.
    "INSERT INTO snapshot (deployment_id, point_id, number, live, status, reason, methodology, adapter, state)"
    " SELECT m.deployment_id, p.id, p.number, s.live, s.status, s.reason, s.methodology, s.adapter, p.state"
    " FROM point AS p JOIN member AS m ON m.roster_id = p.roster_id JOIN snapshot AS s"
    " ON s.deployment_id = m.deployment_id AND s.live AND s.number = "
    + BEFORE.format(d="m.deployment_id", n="p.number")
    + " WHERE p.state <> 'superseded' AND s.number < p.number",
    "INSERT INTO total (snapshot_id, bucket, usd, low, high, lines, left_out)"
    " SELECT n.id, t.bucket, t.usd, t.low, t.high, t.lines, t.left_out FROM snapshot AS n JOIN snapshot AS s"
    " ON s.deployment_id = n.deployment_id AND s.live AND s.state IS NULL AND s.number = "
    + BEFORE.format(d="n.deployment_id", n="n.number")
    + " JOIN total AS t ON t.snapshot_id = s.id WHERE n.state IS NOT NULL",
    "UPDATE snapshot SET state = CASE WHEN live THEN (SELECT p.state FROM point AS p WHERE p.id = point_id)"
    " ELSE 'superseded' END",
    *(
        f"UPDATE snapshot SET {name} = (SELECT p.{name} FROM point AS p WHERE p.id = point_id)"
        for name in ("hash", "parent_hash", "timestamp")
    ),
)


def tables(connection: sa.Connection, *names: str) -> list[sa.Table]:
    """As they are in the middle of this step, whatever later versions make of them."""
    metadata = sa.MetaData()
    metadata.reflect(connection, only=names, resolve_fks=False)
    return [metadata.tables[name] for name in names]


def parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Some rows at a time."""
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def reference(table: str) -> sa.Column[Any]:
    return sa.Column(f"{table}_id", Id, sa.ForeignKey(f"{table}.id"), nullable=False)
