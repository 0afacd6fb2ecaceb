"""Flows that go on to be covered: as far as a chain's ledger has folded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0005"
down_revision = "pre_0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("chain", sa.Column("folded_since", sa.Text()))
    op.add_column("chain", sa.Column("folded", sa.BigInteger()))
    op.create_table(
        "covering",
        sa.Column("deployment_id", ID, sa.ForeignKey("deployment.id"), primary_key=True),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("covering")
    op.drop_column("chain", "folded")
    op.drop_column("chain", "folded_since")
