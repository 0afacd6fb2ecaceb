"""The flows of a deployment in a block are one row; heads need no index beside their rows. Some blocks at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from indexer.store.exact import ExactInteger

revision = "pre_0008"
down_revision = "pre_0007"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE: dict[str, Any] = {"sqlite_where": sa.text("live = 1"), "postgresql_where": sa.text("live")}
ABANDONED: dict[str, Any] = {"sqlite_where": sa.text("live = 0"), "postgresql_where": sa.text("NOT live")}
AT_ONCE = 500

Row = sa.Row[Any]


def upgrade() -> None:
    flow_block, flow = (reflected(name) for name in ("flow_block", "flow"))
    block_flows = op.create_table("block_flows", *columns_of_a_block(), required("flows", sa.Text()))
    for blocks in parts(flow_block):
        said: dict[int, list[tuple[int, str, str]]] = {block.id: [] for block in blocks}
        query = sa.select(flow).where(flow.c.block_id.in_(said)).order_by(flow.c.block_id, flow.c.place_id)
        for row in op.get_bind().execute(query):
            said[row.block_id].append((row.place_id, str(int(row.amount_in)), str(int(row.amount_out))))
        texts = {block_id: json.dumps(flows, separators=(",", ":")) for block_id, flows in said.items()}
        op.bulk_insert(block_flows, [columns(block) | {"flows": texts[block.id]} for block in blocks])
    op.create_index("uq_block_flows_live", "block_flows", ["deployment_id", "number"], unique=True, **LIVE)
    op.create_index("ix_block_flows_abandoned", "block_flows", ["deployment_id", "number"], **ABANDONED)
    for table in (flow, flow_block):
        op.drop_table(table.name)
    keep_heads(with_rowid=False)


def downgrade() -> None:
    block_flows = reflected("block_flows")
    flow_block = op.create_table("flow_block", *columns_of_a_block(), sa.UniqueConstraint("deployment_id", "hash"))
    flow = op.create_table(
        "flow",
        sa.Column("block_id", Id, sa.ForeignKey("flow_block.id"), primary_key=True),
        sa.Column("place_id", Id, sa.ForeignKey("place.id"), primary_key=True),
        *(required(name, ExactInteger()) for name in ("amount_in", "amount_out")),
        sqlite_with_rowid=False,
    )
    last = 0
    for blocks in parts(block_flows):
        op.bulk_insert(flow_block, [columns(block) for block in blocks])
        new = op.get_bind().execute(sa.select(flow_block).where(flow_block.c.id > last)).all()
        ids = {(row.deployment_id, row.hash): row.id for row in new}
        rows = [one for block in blocks for one in spelled_out(ids[block.deployment_id, block.hash], block.flows)]
        op.bulk_insert(flow, rows)
        last = max(ids.values())
    op.create_index("uq_flow_block_live", "flow_block", ["deployment_id", "number"], unique=True, **LIVE)
    op.drop_table("block_flows")
    keep_heads(with_rowid=True)


def keep_heads(*, with_rowid: bool) -> None:
    """In SQLite only: by their key alone, or by a number of their own and an index beside it."""
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("head", recreate="always", table_kwargs={"sqlite_with_rowid": with_rowid}):
            pass


def columns_of_a_block() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", Id, primary_key=True),
        sa.Column("deployment_id", Id, sa.ForeignKey("deployment.id"), nullable=False),
        required("number", sa.BigInteger()),
        *(required(name, sa.Text()) for name in ("hash", "parent_hash")),
        required("timestamp", sa.BigInteger()),
        required("live", sa.Boolean()),
    ]


def columns(block: Row) -> dict[str, Any]:
    names = ("deployment_id", "number", "hash", "parent_hash", "timestamp", "live")
    return {name: getattr(block, name) for name in names}


def spelled_out(block_id: int, flows: str) -> Iterator[dict[str, Any]]:
    for place_id, came, went in json.loads(flows):
        yield {"block_id": block_id, "place_id": place_id, "amount_in": int(came), "amount_out": int(went)}


def parts(table: sa.Table) -> Iterator[Sequence[Row]]:
    """Some rows at a time, in the order of their ids."""
    query = sa.select(table).order_by(table.c.id).limit(AT_ONCE)
    rows = op.get_bind().execute(query).all()
    while rows:
        yield rows
        rows = op.get_bind().execute(query.where(table.c.id > rows[-1].id)).all()


def reflected(name: str) -> sa.Table:
    """As it is in the middle of this step, whatever later versions make of it."""
    return sa.Table(name, sa.MetaData(), autoload_with=op.get_bind(), resolve_fks=False)


def required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
