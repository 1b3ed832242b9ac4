"""PostgreSQL ends in the middle: stopped at once, or a backend killed, which takes all others along. A loud error,
the old database as it was, nothing half; the next run works."""

import os
import signal
import time

import pytest

from harness import compare
from harness.cluster import SLOWER, Cluster, SqlError, wait_until
from harness.errors import kind_of, status_of
from harness.program import Pgstow, assert_nothing_visible, process_state, program
from harness.sites import parent_of

SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer, t text);
INSERT INTO customer SELECT g, 'name ' || g FROM generate_series(1, 300) g;
INSERT INTO item SELECT g, 1 + g % 300, md5(g::text) FROM generate_series(1, 4000) g;
"""
CHANGE = "DELETE FROM item WHERE id % 3 = 0; UPDATE customer SET name = 'changed' WHERE id < 100"
LOST = ("CONNECT", "TOOL_FAILED", "DB_CHANGED", "DB")
REPLACE, MERGE = ["--replace", "--yes"], ["--merge", "mirror"]


@pytest.fixture(scope="module")
def mortal():
    """A server of this file's own. It writes to the disk as little as the others: only the processes die."""
    server = Cluster()
    yield server
    server.destroy()


@pytest.fixture
def here(mortal, folder):
    """The program, and a shop on that server."""
    here = Pgstow(mortal, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    here.shop = mortal.create(sql=SHOP)
    mortal.sql("CHECKPOINT")
    yield here
    mortal.drop(*[name for name in mortal.databases() if name.startswith(here.shop)])


def stop_at_once(cluster):
    """As pg_ctl stop -m immediate; and up again."""
    cluster.stop(signal.SIGQUIT)
    cluster.start()


def kill_a_backend(cluster):
    """kill -9 of one of ours: the postmaster ends all others, and recovers."""
    pid = cluster.sql(f"SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'pgstow'")
    os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + 60 * SLOWER
    while True:
        try:
            # The old server answers until the postmaster has seen it.
            if cluster.sql(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == "0":
                return
        except SqlError:
            pass
        assert time.monotonic() < deadline, "the server does not come back"
        time.sleep(0.02)


def kill_the_postmaster(cluster):
    """kill -9 of the postmaster alone: each backend ends its transaction by itself, which the WAL may not hear of."""
    cluster.sql("SELECT pg_logical_emit_message(true, 'pgstow', '')")  # what was done until here is in it
    of = [int(p) for p in os.listdir("/proc") if p.isdigit() and parent_of(p) == cluster.process.pid]
    cluster.stop(signal.SIGKILL)
    wait_until(lambda: not any(process_state(pid) for pid in of), "the server's processes stay")
    cluster.start()


ENDS = {"stopped": stop_at_once, "backend killed": kill_a_backend, "postmaster killed": kill_the_postmaster}


def run_to(here, point, how, *args):
    """Stopped at a point, the server ended, and then on."""
    with here.start(*args, db=here.shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped(), point
        ENDS[how](here.cluster)
        run.resume()
        return run.wait(60)


def failed_clearly(result):
    assert result.status in [status_of(k) for k in LOST], f"{kind_of(result.status)}: {result}"
    assert "pgstow: " in result.stderr, str(result)


BACKUP_POINTS = [("backup.start.toc", "stopped"), ("backup.read", "backend killed"), ("backup.opened", "stopped")]


@pytest.mark.parametrize("point, how", BACKUP_POINTS)
def test_a_backup(here, point, how):
    failed_clearly(run_to(here, point, how, "backup"))
    assert_nothing_visible(here)
    backup = here.backup(here.shop)
    here.run("verify", "--level", "rebuild")
    assert here.ids() == [backup]


def prepared(here):
    backup = here.backup(here.shop)
    then = compare.row_hashes(here.cluster, here.shop)
    here.cluster.sql(CHANGE, here.shop)
    here.cluster.sql("CHECKPOINT")
    return backup, then, compare.row_hashes(here.cluster, here.shop), here.cluster.databases()


def restored(here, args, points):
    """The old database is there, whole, whenever it was not said that the new one is."""
    backup, then, now, databases = prepared(here)
    for point, how in points:
        result = run_to(here, point, how, "restore", backup, *args)
        is_new = compare.row_hashes(here.cluster, here.shop) == then
        assert is_new or compare.row_hashes(here.cluster, here.shop) == now, point
        if result.status == 0:
            assert is_new, point
        else:
            failed_clearly(result)
        if is_new:
            here.cluster.sql(CHANGE, here.shop)
    here.restore(backup, here.shop, *args)
    assert compare.row_hashes(here.cluster, here.shop) == then
    assert here.cluster.databases() == databases, "a database was left behind"
    assert here.cluster.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgstow%'", here.shop) == ""


@pytest.mark.parametrize("args, points", [
    pytest.param(["--replace", "--yes"], [("restore.pass1.done", "stopped"), ("restore.pass3.done", "backend killed")], id="replace"),
    pytest.param(["--merge", "mirror"], [("merge.stage.table", "backend killed"), ("merge.checked", "stopped"), ("merge.written", "postmaster killed")], id="merge"),
])  # fmt: skip
def test_a_restore(here, args, points):
    restored(here, args, points)


def test_a_restore_into_a_new_database(here):
    backup, then, _, databases = prepared(here)
    name = f"{here.shop}_new"
    failed_clearly(run_to(here, "restore.copied", "stopped", "restore", backup, "--to-db", name))
    assert not here.cluster.exists(name), "half a database under the name of a whole one"
    here.run("restore", backup, "--to-db", name, db=here.shop)
    assert compare.row_hashes(here.cluster, name) == then
    assert here.cluster.databases() == databases | {name}


@pytest.mark.slow
@pytest.mark.parametrize("how", list(ENDS))
def test_a_backup_anywhere(here, how):
    listing = here.folder / "points"
    here.run("backup", "--repo", here.folder / "other", db=here.shop, repo=False, env={"PGSTOW_FAULT_LIST": listing})
    points = list(dict.fromkeys(p for p in listing.read_text().split() if p.startswith(("backup.", "writer."))))
    assert len(points) >= 12, points
    failures = 0
    for point in points:
        seen = here.ids() if here.repo.exists() else []
        result = run_to(here, point, how, "backup")
        if result.status != 0:
            failures += 1
            failed_clearly(result)
            assert here.repo.exists() is False or here.ids() == seen, point
        here.backup(here.shop)
        here.run("verify", "--level", "data")
    assert failures >= 6


@pytest.mark.slow
@pytest.mark.parametrize("how", list(ENDS))
@pytest.mark.parametrize("args, prefix", [(REPLACE, "restore."), (MERGE, "merge.")], ids=["replace", "merge"])
def test_a_restore_anywhere(here, args, prefix, how):
    backup = here.backup(here.shop)
    listing = here.folder / "points"
    here.cluster.sql(CHANGE, here.shop)
    here.run("restore", backup, *args, db=here.shop, env={"PGSTOW_FAULT_LIST": listing})
    points = list(dict.fromkeys(p for p in listing.read_text().split() if p.startswith(prefix)))
    assert len(points) >= 5, points
    restored(here, args, [(point, how) for point in points])
