"""Runs migrations on the connection that `indexer.store.migrate` hands over, inside its transaction."""

from alembic import context

from indexer.store.flow_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
