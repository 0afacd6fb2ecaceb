"""What SQLite does when processes die, disks fill up, files are not what they should be, and others hold the lock."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from indexer.errors import StoreBusy, StoreIncompatible, StoreInUse, StoreUnusable
from indexer.store import open_store
from indexer.store import sqlite as sqlite_engine
from indexer.store.base import Commit, Store
from indexer.store.locks import FileLock
from indexer.store.sql import SqlStore
from indexer.store.sqlite import SqliteFile
from tests.contract.store_series import block, deployment, gap, plain

KEY = "dex@chain"
PROGRAM = Path(__file__).with_name("store_crash.py")
ROOT = Path(__file__).parents[2]


def crash(act: str, path: Path, count: int = 0) -> None:
    command = _command(act, path, count)
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _command(act: str, path: Path, count: int) -> list[str]:
    return [sys.executable, str(PROGRAM), act, str(path), str(count)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


async def fill(store: Store, last: int) -> None:
    await store.register([deployment(KEY)])
    for number in range(1, last + 1):
        at = block(number)
        await store.commit(Commit("chain", [plain(KEY, at, [number, 7])], heads=[at]))


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged_and_leaves_no_half_block(tmp_path: Path) -> None:
    crash("kill", tmp_path / "tvl.db", 20)


def test_two_processes_that_write_the_same_series_lose_nothing(tmp_path: Path) -> None:
    crash("compete", tmp_path / "tvl.db", 200)


def test_a_full_disk_stops_the_writer_clearly_and_it_resumes_when_there_is_room(tmp_path: Path) -> None:
    crash("starve", tmp_path / "tvl.db")


async def test_a_lease_is_refused_with_the_holders_pid_and_free_once_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    async with open_store(f"sqlite:///{path}") as store:
        command, pipe = _command("lease", path, 0), asyncio.subprocess.PIPE
        holder = await asyncio.create_subprocess_exec(*command, env=_environment(), stdout=pipe)
        try:
            assert holder.stdout is not None
            assert await holder.stdout.readuntil(b"held\n")
            with pytest.raises(StoreInUse, match=f"pid {holder.pid}"):
                async with store.lease("daemon"):
                    pass
        finally:
            holder.kill()
            await holder.wait()
        async with store.lease("daemon"):
            pass


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    path.write_bytes(b"not a database, but somebody's only copy" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="not a database"):
        await open_store(f"sqlite:///{path}").open()
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE invoice (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="another program"):
        await open_store(f"sqlite:///{path}").open()
    assert path.read_bytes() == before


async def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    async with open_store(f"sqlite:///{path}") as store:
        await fill(store, 2)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'pre_9999'")
    database.close()
    with pytest.raises(StoreIncompatible, match="pre_9999"):
        await open_store(f"sqlite:///{path}").open()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("pre_9999",)]
        assert database.execute("SELECT count(*) FROM snapshot").fetchone() == (2,)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder and its files may only be read; root, whom no permission stops, becomes nobody meanwhile."""
    files = list(folder.iterdir())
    for path in (*files, folder):
        path.chmod(0o555 if path is folder else 0o444)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for path in (folder, *files):
            path.chmod(0o755 if path is folder else 0o644)


async def test_a_read_only_file_is_named_as_such_and_the_store_resumes_when_it_can_be_written_again() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        url = f"sqlite:///{folder}/tvl.db"
        async with open_store(url) as store:
            await fill(store, 2)
        with read_only(folder), pytest.raises(StoreUnusable) as refused:
            async with open_store(url) as store:
                await fill(store, 3)
        assert "permissions" in refused.value.next_step
        async with open_store(url) as store:
            await fill(store, 3)
            assert (await store.chain_state("chain")).head == block(3)
            assert await store.verify() == []
    finally:
        shutil.rmtree(folder)


async def test_a_lock_that_another_process_keeps_is_busy_and_may_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    async with SqlStore(SqliteFile(path, patience_s=0.05)) as store:
        await fill(store, 1)
        other = FileLock(tmp_path / "tvl.db.lock")
        assert other.try_acquire()
        with pytest.raises(StoreBusy):
            await fill(store, 2)
        assert (await store.chain_state("chain")).head == block(1)
        other.release()
        await fill(store, 2)
        assert (await store.chain_state("chain")).head == block(2)


async def test_a_tool_that_keeps_the_databases_own_lock_is_busy_too(tmp_path: Path) -> None:
    path = tmp_path / "tvl.db"
    async with SqlStore(SqliteFile(path, patience_s=0.05)) as store:
        await fill(store, 1)
        tool = sqlite3.connect(path, isolation_level=None)
        tool.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await fill(store, 2)
        tool.close()
        await fill(store, 2)
        assert (await store.chain_state("chain")).head == block(2)


async def test_a_cancelled_commit_is_whole_or_absent_and_the_store_goes_on(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/tvl.db") as store:
        await fill(store, 1)
        for number in range(2, 30):
            at = block(number)
            commit = Commit("chain", [plain(KEY, at, [5])], heads=[at])
            task = asyncio.create_task(store.commit(commit))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            head = (await store.chain_state("chain")).head
            assert head is not None
            assert max(await store.present(KEY, 0, 99)) == head.number
        await fill(store, 40)
        assert await store.verify() == []


async def test_many_tasks_commit_at_once_and_none_is_lost(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/tvl.db") as store:
        await store.register([deployment(KEY)])
        commits = [Commit("chain", [plain(KEY, block(number), [number % 4, 1])]) for number in range(1, 41)]
        await asyncio.gather(*(store.commit(commit) for commit in commits))
        assert len(await store.present(KEY, 0, 99)) == 40
        assert await store.verify() == []


@pytest.mark.parametrize(("version", "warnings"), [((3, 51, 2), 1), ((3, 51, 3), 0)])
async def test_an_sqlite_with_the_wal_reset_bug_is_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], warnings: int
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    sqlite_engine.warn_once.cache_clear()
    with structlog.testing.capture_logs() as logs:
        for name in ("a.db", "b.db"):
            async with open_store(f"sqlite:///{tmp_path}/{name}"):
                pass
    assert [entry["event"] for entry in logs] == ["sqlite_is_old"] * warnings


TAMPERING = {
    "a total": ("UPDATE total SET usd = '1' WHERE snapshot_id = 2", "the total of base is 1"),
    "an amount": ("UPDATE holding SET amount = '99' WHERE snapshot_id = 2", "its lines sum up to"),
    "an amount's exactness": ("UPDATE holding SET amount = '1e77' WHERE snapshot_id = 2", "makes no sense"),
    "a change that is none": (
        "INSERT INTO holding SELECT 3, position_id, 3, 1, amount, status, reason, receipt, verdict FROM holding"
        " WHERE snapshot_id = 1 AND amount = '7'",
        "say what was there before",
    ),
    "a snapshot that is needed": ("DELETE FROM snapshot WHERE id = 1", "nothing is said at block 1"),
    "a snapshot that is not": (
        "INSERT INTO snapshot (id, deployment_id, point_id, number, live, status, reason, methodology, adapter)"
        " SELECT 9, deployment_id, 5, 5, 1, status, reason, methodology, adapter FROM snapshot WHERE id = 4",
        "says nothing new",
    ),
    "a state": ("UPDATE point SET state = 'superseded' WHERE number = 2", "without a point"),
    "a point's block": ("UPDATE point SET number = 7 WHERE number = 2", "without a point"),
    "a point twice": (
        "INSERT INTO point SELECT 9, chain_id, 2, '0x1', parent_hash, timestamp, state, roster_id FROM point"
        " WHERE number = 2",
        "two canonical points",
    ),
    "who was read": ("UPDATE roster SET deployments = '[[1,2]]' WHERE id = 1", "which its members are not"),
    "who may be read": ("UPDATE point SET roster_id = 2 WHERE number = 2", "not on the chain"),
    "a side of a fork": ("UPDATE holding SET live = 0 WHERE snapshot_id = 3", "not of the block or fork"),
    "a head": ("UPDATE head SET hash = '0x0' WHERE number = 2", "does not follow block 2"),
    "finality": ("UPDATE chain SET final_number = 2", "finalized block contradicts"),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_verify_finds_what_was_tampered_with(tmp_path: Path, what: str) -> None:
    statement, complaint = TAMPERING[what]
    path = tmp_path / "tvl.db"
    async with open_store(f"sqlite:///{path}") as store:
        await fill(store, 3)
        await store.commit(Commit("chain", [gap(KEY, block(4)), gap(KEY, block(5))]))
        await store.register([deployment("dex@other", "other")])
        await store.commit(Commit("other", [plain("dex@other", block(1), [1])]))
        assert await store.verify() == []
    database = sqlite3.connect(path)
    assert database.execute(statement).rowcount > 0
    database.commit()
    database.close()
    async with open_store(f"sqlite:///{path}") as store:
        assert any(complaint in problem for problem in await store.verify()), await store.verify()
