"""Models and migrations say the same, and every step can be taken back and forth with data in it."""

from __future__ import annotations

import re

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, select, text

from indexer.store import flow_tables
from indexer.store import tables as t
from indexer.store.migrate import HEAD, configuration, migrate, revision

_DDL = text(
    "SELECT name, sql FROM sqlite_master"
    " WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'"
)


def _schema(connection: Connection) -> dict[str, list[str]]:
    rows = connection.execute(_DDL).all()
    return {
        name: sorted(part.strip() for part in re.split(r",(?![^()]*\))|\n", sql) if part.strip()) for name, sql in rows
    }


def test_a_migrated_database_is_what_the_models_say() -> None:
    migrated, made = create_engine("sqlite://"), create_engine("sqlite://")
    with migrated.begin() as connection, made.begin() as other:
        migrate(connection)
        models = flow_tables.metadata
        models.create_all(other)
        assert compare_metadata(MigrationContext.configure(connection), models) == []
        assert _schema(connection) == _schema(other)


def test_upgrade_downgrade_upgrade_with_data_in_it() -> None:
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        connection.execute(insert(t.chain), {"name": "ethereum"})
        migrate(connection, "base")
        assert revision(connection) is None
        assert list(_schema(connection)) == []
        migrate(connection)
        assert revision(connection) == HEAD
        assert connection.execute(select(t.chain)).all() == []


def test_migrating_again_changes_nothing() -> None:
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        connection.execute(insert(t.chain), {"name": "ethereum"})
        migrate(connection)
        assert connection.execute(select(t.chain.c.name)).scalars().all() == ["ethereum"]


def test_the_newest_revision_is_the_one_that_the_code_expects_and_all_are_named_pre_or_post() -> None:
    with create_engine("sqlite://").connect() as connection:
        scripts = ScriptDirectory.from_config(configuration(connection))
    assert scripts.get_heads() == [HEAD]
    assert all(script.revision.startswith(("pre_", "post_")) for script in scripts.walk_revisions())
