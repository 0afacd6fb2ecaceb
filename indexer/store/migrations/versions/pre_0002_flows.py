"""Gross flows: places, the blocks in which something came or went, and in which blocks that is all known."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from indexer.store.exact import ExactInteger

revision = "pre_0002"
down_revision = "pre_0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE: dict[str, Any] = {"sqlite_where": sa.text("live = 1"), "postgresql_where": sa.text("live")}


def upgrade() -> None:
    op.create_table(
        "place",
        sa.Column("id", Id, primary_key=True),
        of("deployment"),
        *(required(name, sa.Text()) for name in ("token", "owner", "bucket")),
        sa.UniqueConstraint("deployment_id", "token", "owner", "bucket"),
    )
    create_flow_tables()
    op.create_table(
        "covered",
        sa.Column("id", Id, primary_key=True),
        of("deployment"),
        *(required(name, sa.BigInteger()) for name in ("first", "last")),
        required("places", sa.Text()),
    )
    op.create_index("ix_covered_deployment_id_last", "covered", ["deployment_id", "last"])


def create_flow_tables() -> None:
    op.create_table(
        "flow_block",
        sa.Column("id", Id, primary_key=True),
        of("deployment"),
        required("number", sa.BigInteger()),
        *(required(name, sa.Text()) for name in ("hash", "parent_hash")),
        required("timestamp", sa.BigInteger()),
        required("live", sa.Boolean()),
        sa.UniqueConstraint("deployment_id", "hash"),
    )
    op.create_index("uq_flow_block_live", "flow_block", ["deployment_id", "number"], unique=True, **LIVE)
    op.create_table(
        "flow",
        sa.Column("block_id", Id, sa.ForeignKey("flow_block.id"), primary_key=True),
        sa.Column("place_id", Id, sa.ForeignKey("place.id"), primary_key=True),
        *(required(name, ExactInteger()) for name in ("amount_in", "amount_out")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("covered", "flow", "flow_block", "place"):
        op.drop_table(table)


def required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def of(table: str) -> sa.Column[Any]:
    return sa.Column(f"{table}_id", Id, sa.ForeignKey(f"{table}.id"), nullable=False)
