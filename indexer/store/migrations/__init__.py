"""The schema's history, for Alembic. A revision is named `pre_` (before new code starts) or `post_` (after)."""
