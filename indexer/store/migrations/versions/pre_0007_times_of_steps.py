"""A quote's time is that of its steps: of the block itself where these have none."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from indexer.store.exact import ExactInteger

revision = "pre_0007"
down_revision = "pre_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("quote", "updated_at")


def downgrade() -> None:
    """The oldest time of the steps; 0 for quotes that are of the block itself, whose time no older version can tell."""
    with op.batch_alter_table("quote") as batch:
        batch.add_column(sa.Column("updated_at", ExactInteger(), server_default="0", nullable=False))
    with op.batch_alter_table("quote") as batch:
        batch.alter_column("updated_at", server_default=None)
    quote = sa.table("quote", *(sa.column(name) for name in ("id", "steps", "updated_at")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(quote.c.id, quote.c.steps)).all():
        times = [int(step[4]) for step in json.loads(row.steps) if step[4]]
        if times:
            connection.execute(sa.update(quote).where(quote.c.id == row.id).values(updated_at=str(min(times))))
