"""The first tables: chains, deployments, tokens, snapshots, and what changed from one snapshot to the next."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from indexer.store.exact import ExactInteger

revision = "pre_0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE: dict[str, Any] = {"sqlite_where": sa.text("live = 1"), "postgresql_where": sa.text("live")}
CANONICAL: dict[str, Any] = {
    "sqlite_where": sa.text("state <> 'superseded'"),
    "postgresql_where": sa.text("state <> 'superseded'"),
}
TABLES = (
    *("chain", "head", "deployment", "found", "token", "position"),
    *("snapshot", "total", "holding", "quote", "quoted"),
)


def upgrade() -> None:
    create_chain_tables()
    create_deployment_tables()
    create_token_tables()
    create_snapshot_tables()
    create_holding_table()
    create_quote_tables()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def create_chain_tables() -> None:
    op.create_table(
        "chain",
        sa.Column("id", Id, primary_key=True),
        required("name", sa.Text()),
        sa.Column("requests", sa.BigInteger()),
        *optional_block("final"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "head",
        sa.Column("chain_id", Id, sa.ForeignKey("chain.id"), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        required("hash", sa.Text()),
        required("parent_hash", sa.Text()),
        required("timestamp", sa.BigInteger()),
    )


def create_deployment_tables() -> None:
    op.create_table(
        "deployment",
        sa.Column("id", Id, primary_key=True),
        required("key", sa.Text()),
        reference("chain_id", "chain.id"),
        *(required(name, sa.Text()) for name in ("protocol", "kind", "category", "params_json")),
        required("first_block", sa.BigInteger()),
        sa.Column("searched", sa.BigInteger()),
        *optional_block("cursor"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_deployment_chain_id", "deployment", ["chain_id"])
    op.create_table(
        "found",
        sa.Column("id", Id, primary_key=True),
        reference("deployment_id", "deployment.id"),
        required("key", sa.Text()),
        required("block", sa.BigInteger()),
        required("data", sa.Text()),
        sa.UniqueConstraint("deployment_id", "key"),
    )


def create_token_tables() -> None:
    op.create_table(
        "token",
        sa.Column("id", Id, primary_key=True),
        reference("chain_id", "chain.id"),
        required("address", sa.Text()),
        required("symbol", sa.Text()),
        sa.Column("decimals", sa.Integer()),
        required("symbol_raw", sa.Text()),
        required("content", sa.LargeBinary()),
        sa.UniqueConstraint("content"),
    )
    op.create_index("ix_token_chain_id_address", "token", ["chain_id", "address"])
    op.create_table(
        "position",
        sa.Column("id", Id, primary_key=True),
        reference("deployment_id", "deployment.id"),
        reference("token_id", "token.id"),
        required("owner", sa.Text()),
        required("bucket", sa.Text()),
        sa.UniqueConstraint("deployment_id", "token_id", "owner", "bucket"),
    )


def create_snapshot_tables() -> None:
    op.create_table(
        "snapshot",
        sa.Column("id", Id, primary_key=True),
        reference("deployment_id", "deployment.id"),
        required("number", sa.BigInteger()),
        required("hash", sa.Text()),
        required("parent_hash", sa.Text()),
        required("timestamp", sa.BigInteger()),
        *(required(name, sa.Text()) for name in ("state", "status", "reason", "methodology", "adapter")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_snapshot_canonical", "snapshot", ["deployment_id", "number"], unique=True, **CANONICAL)
    op.create_table(
        "total",
        sa.Column("snapshot_id", Id, sa.ForeignKey("snapshot.id"), primary_key=True),
        sa.Column("bucket", sa.Text(), primary_key=True),
        *(required(name, ExactInteger()) for name in ("usd", "low", "high")),
        *(required(name, sa.Integer()) for name in ("lines", "left_out")),
        sqlite_with_rowid=False,
    )


def create_holding_table() -> None:
    op.create_table(
        "holding",
        sa.Column("snapshot_id", Id, sa.ForeignKey("snapshot.id"), primary_key=True),
        sa.Column("position_id", Id, sa.ForeignKey("position.id"), primary_key=True),
        required("number", sa.BigInteger()),
        required("live", sa.Boolean()),
        sa.Column("amount", ExactInteger()),
        *(sa.Column(name, sa.Text()) for name in ("status", "reason", "receipt", "verdict")),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_holding_live", "holding", ["position_id", "number"], unique=True, **LIVE)


def create_quote_tables() -> None:
    op.create_table(
        "quote",
        sa.Column("id", Id, primary_key=True),
        required("content", sa.LargeBinary()),
        *(sa.Column(name, ExactInteger()) for name in ("price", "low", "high")),
        *(required(name, sa.Text()) for name in ("grade", "route", "steps")),
        required("updated_at", ExactInteger()),
        *(required(name, sa.Text()) for name in ("status", "reason", "flags")),
        sa.UniqueConstraint("content"),
    )
    op.create_table(
        "quoted",
        sa.Column("snapshot_id", Id, sa.ForeignKey("snapshot.id"), primary_key=True),
        sa.Column("token_id", Id, sa.ForeignKey("token.id"), primary_key=True),
        reference("deployment_id", "deployment.id"),
        required("number", sa.BigInteger()),
        required("live", sa.Boolean()),
        sa.Column("quote_id", Id, sa.ForeignKey("quote.id")),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_quoted_live", "quoted", ["deployment_id", "token_id", "number"], unique=True, **LIVE)


def required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def reference(name: str, target: str) -> sa.Column[Any]:
    return sa.Column(name, Id, sa.ForeignKey(target), nullable=False)


def optional_block(prefix: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(f"{prefix}_number", sa.BigInteger()),
        sa.Column(f"{prefix}_hash", sa.Text()),
        sa.Column(f"{prefix}_parent_hash", sa.Text()),
        sa.Column(f"{prefix}_timestamp", sa.BigInteger()),
    ]
