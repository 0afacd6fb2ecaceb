"""Brings a database to the schema of this version, by Alembic on a connection that is given to it.

A database that is up to date costs one query and no import of Alembic. One from a newer version, or of another program,
is refused before anything in it is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from indexer.errors import StoreIncompatible, StoreUnusable, clean

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "pre_0008"
"""The newest revision. `pre_` ones come before new code starts; `post_` ones may follow when no old code runs."""


def revision(connection: Connection) -> str | None:
    """The database's revision; None where it is empty. Raises StoreUnusable where other things are in it."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)
    if tables:
        raise StoreUnusable("the database holds tables of another program", tables=clean(", ".join(tables[:5]), 100))
    return None


def migrate(connection: Connection, target: str = "head") -> None:
    """Upgrade (or, for tests and emergencies, downgrade) to `target`. Raises StoreIncompatible."""
    from alembic import command

    config = configuration(connection)
    refuse_newer(revision(connection), config)
    step = command.downgrade if target == "base" else command.upgrade
    step(config, target)


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, bound to a connection. It needs no file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "indexer.store:migrations")
    config.attributes["connection"] = connection
    return config


def refuse_newer(found: str | None, config: Config) -> None:
    """Raises StoreIncompatible where `found` is no revision of ours."""
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreIncompatible(
            "the store was written by a newer version of this program", found=clean(found, 32), known=HEAD
        )
