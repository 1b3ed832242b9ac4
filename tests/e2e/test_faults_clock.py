"""The host's clock is years off, or is set back and forth between runs: nothing is lost, the order is that in which
backups were made, and check says something sensible. (libfaketime stands in for the clock.)"""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from harness import compare

YEAR = 365


def preload():
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing: install the package faketime"
    return str(found[0])


def clock(days):
    """The environment of a run on a host whose clock is so many days ahead (or behind)."""
    return {"LD_PRELOAD": preload(), "FAKETIME": f"{days:+}d", "DONT_FAKE_MONOTONIC": "1"}


def year_of(backup_id):
    return int(backup_id.rpartition("-")[2][:4])


def now_year(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).year


@pytest.fixture
def history(cluster, pgstow, shop):
    """Backups by clocks that jump: (id, hash of the rows) in the order in which they were made."""
    made = []
    for n, days in enumerate((0, -6 * YEAR, 4 * YEAR, -YEAR, 0)):
        cluster.sql(f"UPDATE customer SET note = 'state {n}' WHERE id < 50", shop)
        backup = pgstow.backup(shop, "--no-cleanup", env=clock(days))
        assert year_of(backup) == now_year(days), "the clock was not set"
        made.append((backup, compare.row_hashes(cluster, shop)))
    assert len({backup for backup, _ in made}) == 5
    return made


def test_nothing_is_lost(cluster, pgstow, shop, database, history):
    """Each is there, whole, its own, and later ones are deduplicated against earlier ones."""
    assert sorted(pgstow.ids()) == sorted(backup for backup, _ in history)
    for days in (-8 * YEAR, 0, 8 * YEAR):
        pgstow.run("verify", "--level", "rebuild", env=clock(days))
    for n, (backup, rows) in enumerate(history):
        name = database()
        pgstow.restore(backup, shop, "--to-db", name, env=clock(-20 * YEAR if n % 2 else 20 * YEAR))
        assert compare.row_hashes(cluster, name) == rows
        if n:
            facts = pgstow.metadata(backup)
            assert facts["newBytes"] * 4 < facts["size"], f"{backup} was written anew"


def test_latest_is_the_one_made_last(pgstow, shop, history):
    assert pgstow.run("show", "latest", "--json").json["id"] == history[-1][0]
    # Also by a clock that is behind all of them.
    behind = pgstow.backup(shop, env=clock(-9 * YEAR))
    assert pgstow.run("show", "latest", "--json").json["id"] == behind


@pytest.mark.parametrize("days", [pytest.param(-9 * YEAR, marks=pytest.mark.slow), 0, 9 * YEAR])
def test_cleanup_by_a_clock_that_is_off(cluster, pgstow, shop, database, history, days):
    """The last good one stays whatever the clock, and what goes can be brought back."""
    pgstow.run("cleanup", "--yes", env=clock(days))
    left = pgstow.ids()
    assert history[-1][0] in left
    for backup, _ in history:
        if backup not in left:
            pgstow.run("undelete", backup, env=clock(days))
    for backup, rows in history:
        name = database()
        pgstow.restore(backup, shop, "--to-db", name)
        assert compare.row_hashes(cluster, name) == rows


def test_check_by_a_clock_that_is_off(pgstow, shop):
    """A backup of last week's is too old, one of next year's must not look young until then."""
    pgstow.backup(shop, env=clock(-10))
    pgstow.run("check", "--max-age", "26h", db=shop, expect="STALE").says(shop)
    pgstow.run("check", "--max-age", "12d", db=shop)
    pgstow.backup(shop, env=clock(400))
    pgstow.run("check", "--max-age", "26h", db=shop, expect="STALE").says("future", "clock")
    # Minutes are not made a fuss of.
    pgstow.run("check", "--max-age", "26h", db=shop, env=clock(400 - 0.01))


def test_a_running_backup_and_clocks(pgstow_faults, shop):
    """A session that seems to be of another year is no dead one while its process lives."""
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.read:stop", **clock(-3 * YEAR)}) as run:
        assert run.wait_stopped()
        for days in (-9 * YEAR, 9 * YEAR):
            pgstow_faults.run("backup", db=shop, env=clock(days), expect="BUSY")
        run.resume()
        first = run.wait().expect("OK").id
    assert pgstow_faults.ids() == [first]
    pgstow_faults.run("verify", "--level", "rebuild")
