"""Models and migrations say the same, and every step can be taken back and forth with data in it."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, select, text

from indexer.model import Bucket
from indexer.store import flow_tables, open_store
from indexer.store import tables as t
from indexer.store.base import Commit
from indexer.store.migrate import HEAD, configuration, migrate, revision
from tests.contract.store_series import OWNERS, TOKENS, block, deployment

_DDL = text(
    "SELECT name, sql FROM sqlite_master"
    " WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'"
)


def _schema(connection: Connection) -> dict[str, list[str]]:
    rows = connection.execute(_DDL).all()
    return {
        name: sorted(part.strip() for part in re.split(r",(?![^()]*\))|\n", sql.replace('"', "")) if part.strip())
        for name, sql in rows
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


OLD = Path(__file__).parents[2] / "data" / "store" / "pre_0004.sql.gz"
"""A store that the code of `pre_0004` filled: reorgs, gaps, corrections, several cadences; beside it what it said."""


def _old_store(path: Path) -> dict[str, dict[str, Any]]:
    database = sqlite3.connect(path)
    database.executescript(gzip.decompress(OLD.read_bytes()).decode())
    database.close()
    said: dict[str, dict[str, Any]] = json.loads(OLD.with_name("pre_0004.json").read_text())
    return said


async def test_a_store_without_points_says_the_same_with_points_and_has_no_row_that_says_nothing_new(
    tmp_path: Path,
) -> None:
    expected = _old_store(tmp_path / "tvl.db")
    async with open_store("sqlite:///tvl.db", tmp_path) as store:
        assert await store.verify() == []
        for key, said in expected.items():
            series = await store.series(key)
            assert [await store.digest(key), await store.digest(key, 40)] == [said["digest"], said["digest_from_40"]]
            points = [[p.at.number, p.at.hash, str(p.status), p.reason] for p in series]
            assert points == [[number, hash_, status, reason] for number, hash_, _, status, reason in said["points"]]
            bases = [p.totals.get(Bucket.BASE) for p in series]
            assert [base and base.usd for base in bases] == said["usd"]
            assert (await store.found(key))[1] == said["searched"]


async def test_a_migrated_store_is_gone_on_with(tmp_path: Path) -> None:
    _old_store(tmp_path / "tvl.db")
    key = "dex@chain"
    async with open_store("sqlite:///tvl.db", tmp_path) as store:
        *_, ancestor, last = await store.heads("chain")
        newest = await store.snapshot(key)
        assert newest is not None
        ahead = replace(newest, at=replace(block(last.number + 1, 5), parent_hash=last.hash))
        await store.commit(Commit("chain", [ahead], heads=[ahead.at]))
        assert await store.snapshot(key) == ahead
        await store.commit(Commit("chain", supersede_above=ancestor))
        assert [point.at for point in await store.series(key, ancestor.number)] == [ancestor]
        assert await store.verify() == []


def test_a_block_that_was_final_for_one_deployment_is_final_for_all_and_evidence_stays(tmp_path: Path) -> None:
    expected = _old_store(tmp_path / "tvl.db")
    with create_engine(f"sqlite:///{tmp_path}/tvl.db").begin() as connection:
        before = connection.execute(text("SELECT count(*) FROM snapshot WHERE state = 'superseded'")).scalar_one()
        migrate(connection)
        after = connection.execute(text("SELECT count(*) FROM snapshot WHERE NOT live")).scalar_one()
        assert before == after > 0
        query = "SELECT p.hash, p.state FROM point AS p WHERE p.state <> 'superseded' AND p.chain_id = 1"
        states = {row.hash: row.state for row in connection.execute(text(query))}
    for said in (said for key, said in expected.items() if key.endswith("@chain")):
        assert all(states[hash_] in (state, "final") for _, hash_, state, _, _ in said["points"])


def test_a_step_back_spells_every_snapshot_out_again(tmp_path: Path) -> None:
    _old_store(tmp_path / "tvl.db")
    told = (
        "SELECT d.key, s.number, s.hash, s.parent_hash, s.timestamp, s.status, s.reason, s.methodology, t.bucket,"
        " t.usd, t.low, t.high, t.lines, t.left_out FROM snapshot AS s JOIN deployment AS d ON d.id = s.deployment_id"
        " LEFT JOIN total AS t ON t.snapshot_id = s.id WHERE s.state <> 'superseded' ORDER BY 1, 2, 9"
    )
    with create_engine(f"sqlite:///{tmp_path}/tvl.db").begin() as connection:
        before, schema = connection.execute(text(told)).all(), _schema(connection)
        migrate(connection)
        command.downgrade(configuration(connection), "pre_0004")
        assert connection.execute(text(told)).all() == before
        assert _schema(connection) == schema


SPELLED_OUT = text(
    "SELECT b.deployment_id, b.number, b.hash, b.live, p.token, f.amount_in, f.amount_out FROM flow AS f"
    " JOIN flow_block AS b ON b.id = f.block_id JOIN place AS p ON p.id = f.place_id ORDER BY 1, 2, 3, 5"
)


async def test_flows_and_heads_stay_the_same_through_a_step_back_and_forth(tmp_path: Path) -> None:
    key, places = "dex@chain", [(token, OWNERS[0], Bucket.BASE) for token in TOKENS]
    flows = [(block(n), {place: (n, 2**200 + i) for i, place in enumerate(places)}) for n in range(1, 1_200)]
    async with open_store("sqlite:///tvl.db", tmp_path) as store:
        await store.register([deployment(key), deployment("vault@chain")])
        await store.commit(Commit("chain", flows={key: flows, "vault@chain": flows[:3]}, heads=[block(1_199)]))
        await store.commit(Commit("chain", flows={key: [(block(9, 1), {places[0]: (9, 0)})]}))
        before = await store.flows(key, 0, 2_000)
    database = create_engine(f"sqlite:///{tmp_path}/tvl.db")
    with database.begin() as connection:
        rows = connection.execute(select(flow_tables.block_flows)).all()
        command.downgrade(configuration(connection), "pre_0007")
        spelled_out = connection.execute(SPELLED_OUT).all()
        assert len(spelled_out) == 1_199 * 3 + 3 * 3 + 1
        assert spelled_out[:2] == [
            (1, 1, block(1).hash, True, token, "1", str(2**200 + i)) for i, token in enumerate(TOKENS[:2])
        ]
        assert [row.live for row in spelled_out if row.number == 9] == [False] * 3 + [True]
        migrate(connection)
        assert connection.execute(select(flow_tables.block_flows)).all() == rows
    async with open_store("sqlite:///tvl.db", tmp_path) as store:
        assert await store.flows(key, 0, 2_000) == before
        assert (await store.heads("chain"))[0] == block(1_199)


def test_a_step_back_leaves_the_tables_of_that_version() -> None:
    with create_engine("sqlite://").begin() as stepped, create_engine("sqlite://").begin() as straight:
        migrate(stepped)
        command.downgrade(configuration(stepped), "pre_0007")
        command.upgrade(configuration(straight), "pre_0007")
        assert _schema(stepped) == _schema(straight)
