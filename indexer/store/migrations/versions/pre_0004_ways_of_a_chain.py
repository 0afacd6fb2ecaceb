"""How a chain's calls are answered: folded, triggered or timed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pre_0004"
down_revision = "pre_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chain", sa.Column("ways", sa.Text()))


def downgrade() -> None:
    op.drop_column("chain", "ways")
