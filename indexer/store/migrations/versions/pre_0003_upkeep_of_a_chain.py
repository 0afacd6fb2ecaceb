"""What a chain's last snapshots cost in calls, its traffic by method, and how its audits ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0003"
down_revision = "pre_0002"
branch_labels = None
depends_on = None

NUMBERS = ("calls", "audited", "corrected")


def upgrade() -> None:
    for name in NUMBERS:
        op.add_column("chain", sa.Column(name, sa.BigInteger()))
    op.add_column("chain", sa.Column("traffic", sa.Text()))


def downgrade() -> None:
    for name in (*NUMBERS, "traffic"):
        op.drop_column("chain", name)
