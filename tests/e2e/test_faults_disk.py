"""Disks that are full, read-only or gone: a clear error, nothing half, and the next run succeeds."""

import os
import re
import stat

import pytest

from harness import compare
from harness.mounts import Mounted, SmallDisk


@pytest.fixture(scope="module")
def bulky(cluster):
    """12 MB that do not compress well."""
    name = cluster.create("bulky", sql="""CREATE TABLE b AS SELECT g AS id, sha512(g::text::bytea) ||
        sha512((-g)::text::bytea) AS x FROM generate_series(1, 60000) g""")
    yield name
    cluster.drop(name)


def test_the_repositorys_disk_is_full(pgstow, bulky, shop):
    """At the first backup and at a later one; each succeeds as soon as there is room."""
    disk = SmallDisk(pgstow.repo, "1m")
    with disk:
        result = pgstow.run("backup", db=bulky, expect="REPO_FULL")
        result.error_says(re.escape(str(pgstow.repo)), "space|full", "make room")
        assert pgstow.manifests() == [] and pgstow.ids() == []
        disk.resize("3m")
        small = pgstow.backup(shop)
        pgstow.run("backup", db=bulky, expect="REPO_FULL").error_says(re.escape(str(pgstow.repo)))
        assert pgstow.manifests() == [small] and pgstow.ids() == [small]
        pgstow.run("verify", small, "--level", "rebuild")
        disk.resize("40m")
        large = pgstow.backup(bulky)
        assert sorted(pgstow.ids()) == sorted([small, large])
        pgstow.run("verify", "--level", "rebuild")
        assert [name for name in pgstow.files() if name.startswith("sessions/")] == []


def test_what_goes_with_a_full_disk(cluster, pgstow, database, shop):
    """Whatever only reads. What has to be noted is not: a warning, or an error that changed nothing."""
    disk = SmallDisk(pgstow.repo, "20m")
    with disk:
        backup, second = pgstow.backup(shop), pgstow.backup(shop)
        disk.fill()
        before = pgstow.files()
        for back, args in (("full_disk_back", ["restore", backup, "--to-db", "full_disk_back"]),
                           (None, ["verify", "--level", "rebuild"]), (None, ["list"]), (None, ["check"])):  # fmt: skip
            if back:
                database.later(back)
            pgstow.run(*args, db=shop)
        compare.assert_same(cluster, shop, "full_disk_back")
        pgstow.run("verify").error_says("cannot be noted", "No space left")
        pgstow.run("export", backup, "--format", "custom", "-o", pgstow.folder / "x.dump")
        (pgstow.repo / "tmp" / "reserve").unlink()
        disk.fill("more")
        before = pgstow.files()
        for args in (["backup"], ["delete", backup, "--yes"], ["cleanup"]):
            pgstow.run(*args, db=shop, expect="REPO_FULL").error_says("space|full", "make room")
        assert pgstow.files() == before
        disk.empty()
        disk.empty("more")
        pgstow.run("delete", backup, "--yes")
        third = pgstow.backup(shop)
        assert pgstow.ids() == [second, third]
        pgstow.run("verify", "--level", "rebuild")


def test_a_full_repository_is_freed(cluster, pgstow, database, bulky, shop):
    """Not one byte is free, and nobody moves anything away: delete and cleanup have room of their own."""
    disk = SmallDisk(pgstow.repo, "24m")
    with disk:
        first, kept = pgstow.backup(bulky), pgstow.backup(shop)
        reserve = pgstow.repo / "tmp" / "reserve"
        assert (reserve.stat().st_size, reserve.stat().st_blocks * 512) == (256 << 10, 256 << 10)
        # It is no object: nobody lists, checks or copies it.
        assert "reserve" not in pgstow.run("verify", "--json").stdout + pgstow.run("list", "--json").stdout
        pgstow.run("copy", "--all", "--to", pgstow.folder / "copied")
        assert "reserve" not in {p.name for p in (pgstow.folder / "copied").rglob("*") if "tmp" not in p.parts}
        disk.fill()
        pgstow.run("backup", db=shop, expect="REPO_FULL")
        pgstow.run("cleanup", "--dry-run")
        assert reserve.stat().st_size == 256 << 10
        # Wrongly, and back: that takes room too. What is left is kept for the next step.
        pgstow.run("delete", first, "--yes")
        assert 64 << 10 <= reserve.stat().st_size < 256 << 10 and os.statvfs(disk.path).f_bavail == 0
        pgstow.run("undelete", first)
        pgstow.run("delete", first, "--yes")
        assert os.statvfs(disk.path).f_bavail == 0
        freed = pgstow.run("cleanup", "--trash-days", "0", "--json").json
        assert freed["purged"] == [first] and freed["freed"]["bytes"] > 4 << 20
        assert reserve.stat().st_size == 256 << 10
        pgstow.run("verify", "--level", "rebuild")
        last = pgstow.backup(shop)
        assert pgstow.ids() == [kept, last]
        assert [name for name in pgstow.files() if name.startswith(("tmp/", "sessions/", "trash/"))] == []
        copy = cluster.fresh_name("freed")
        database.later(copy)
        pgstow.restore(last, shop, "--to-db", copy)
        compare.assert_same(cluster, shop, copy)
    pgstow.run("verify", "--level", "rebuild", repo=pgstow.folder / "copied")


def test_the_temporary_folder_is_full(cluster, pgstow, shop):
    """What a restore hands to pg_restore lies there for a while."""
    backup = pgstow.backup(shop)
    cluster.sql("DELETE FROM item WHERE id > 10", shop)
    before, databases = compare.snapshot(cluster, shop), cluster.databases()
    disk = SmallDisk(pgstow.folder / "temporary", "1m")
    with disk:
        disk.fill()
        env = {"TMPDIR": str(disk.path)}
        result = pgstow.run("restore", backup, "--replace", "--yes", db=shop, env=env, expect="IO")
        result.error_says(re.escape(str(disk.path)), "No space left")
        compare.assert_as_before(cluster, shop, before)
        assert cluster.databases() == databases
        disk.empty()
        pgstow.run("restore", backup, "--replace", "--yes", db=shop, env=env)
        assert list(disk.path.iterdir()) == []
    assert cluster.sql("SELECT count(*) FROM item", shop) == "8000"


def test_the_servers_disk_is_full(cluster, pgstow, bulky):
    """A database in a tablespace on a small disk."""
    backup = pgstow.backup(bulky)
    with SmallDisk(cluster.folder / "small_disk", "11m") as disk:
        if cluster.user:
            os.chown(disk, cluster.user.pw_uid, cluster.user.pw_gid)
        cluster.sql(f"CREATE TABLESPACE small_disk LOCATION '{disk}'")
        cluster.sql("CREATE DATABASE on_small_disk TEMPLATE template0 TABLESPACE small_disk")
        try:
            result = pgstow.run("restore", backup, "--to-db", "on_small_disk", db=bulky, expect="DB_FULL")
            result.error_says("space|full")
        finally:
            cluster.drop("on_small_disk")
            cluster.sql("DROP TABLESPACE small_disk")
    (cluster.folder / "small_disk").rmdir()


@pytest.mark.parametrize("form", ["custom", "directory", "plain", "json", "csv", "upsert"])
def test_export_to_a_full_disk(pgstow, bulky, form):
    backup = pgstow.backup(bulky)
    disk = SmallDisk(pgstow.folder / "out", "2m")
    with disk:
        args = ["export", backup, "--format", form, "-o", disk.path / "x"]
        result = pgstow.run(*args, expect=None)
        assert result.status not in (0, 1), str(result)
        result.error_says("space|full")
        assert list(disk.path.iterdir()) == []
        disk.resize("60m")
        pgstow.run(*args)
        assert (disk.path / "x").exists()


def test_export_to_a_full_pipe_end(pgstow, shop):
    backup = pgstow.backup(shop)
    with open("/dev/full", "wb") as full:
        result = pgstow.run("export", backup, "--format", "custom", "-o", "-", stdout=full, expect=None)
    assert result.status not in (0, 1), str(result)


def test_the_id_cannot_be_printed(pgstow, shop):
    """Standard output is full: the caller never sees the id, so it is not called a success."""
    with open("/dev/full", "wb") as full:
        result = pgstow.run("backup", db=shop, stdout=full, expect=None)
    assert result.status != 0, str(result)


def test_repository_modes_after_errors(pgstow, bulky):
    """What a failed run leaves is as private as what a good one makes."""
    with SmallDisk(pgstow.repo, "1m"):
        pgstow.run("backup", db=bulky, expect="REPO_FULL")
        for path in pgstow.repo.rglob("*"):
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


# ---------------------------------------------------------------- mounts


def test_a_read_only_repository(cluster, pgstow, database, shop):
    """Everything that only reads works; what would write says why it cannot."""
    with Mounted(pgstow.repo, pgstow.folder / "behind") as mounted:
        backup = pgstow.backup(shop)
        mounted.read_only()
        before = pgstow.files()
        for args in (["list"], ["show", backup], ["check"], ["verify", "--level", "rebuild"],
                     ["export", backup, "--format", "plain", "-o", pgstow.folder / "x.sql"]):  # fmt: skip
            pgstow.run(*args)
        database.later("read_only_back")
        pgstow.run("restore", backup, "--to-db", "read_only_back", db=shop)
        compare.assert_same(cluster, shop, "read_only_back")
        for args in (["backup"], ["delete", backup, "--yes"]):
            result = pgstow.run(*args, db=shop, expect="REPO_PERMISSION")
            result.error_says("read-only", "mount the file system", re.escape(str(pgstow.repo)))
        assert pgstow.files() == before
        mounted.read_only(False)
        pgstow.backup(shop)
        pgstow.run("verify", "--level", "rebuild")


@pytest.mark.parametrize("point", ["writer.open.session", "backup.read", "writer.commit.manifest"])
def test_a_mount_that_vanishes_during_a_backup(cluster, pgstow_faults, shop, point):
    """What was begun there ends there, whole or not at all: nothing is written beside it, into the empty folder
    that the mount has left."""
    with Mounted(pgstow_faults.repo, pgstow_faults.folder / "behind") as mounted:
        first = pgstow_faults.backup(shop)
        cluster.sql("UPDATE item SET price = price + 1", shop)
        with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
            assert run.wait_stopped()
            mounted.vanish()
            run.resume()
            result = run.wait(60)
        assert list(pgstow_faults.repo.iterdir()) == []
        pgstow_faults.run("list", expect="REPO_NOT_FOUND")
        mounted.bring()
        assert pgstow_faults.ids() == ([first, result.id] if result.status == 0 else [first])
        pgstow_faults.run("verify", "--level", "rebuild")
        pgstow_faults.backup(shop)


@pytest.mark.parametrize("point", ["restore.planned", "restore.pass1.done", "restore.copied"])
def test_a_mount_that_vanishes_during_a_restore(cluster, pgstow_faults, shop, point):
    with Mounted(pgstow_faults.repo, pgstow_faults.folder / "behind") as mounted:
        backup = pgstow_faults.backup(shop)
        then = compare.row_hashes(cluster, shop)
        cluster.sql("DELETE FROM item WHERE id > 10", shop)
        now = compare.row_hashes(cluster, shop)
        with pgstow_faults.start("restore", backup, "--replace", "--yes", db=shop,
                                 env={"PGSTOW_FAULT": f"{point}:stop"}) as run:  # fmt: skip
            assert run.wait_stopped()
            mounted.vanish()
            run.resume()
            result = run.wait(60)
        assert compare.row_hashes(cluster, shop) == (then if result.status == 0 else now)
        mounted.bring()
        pgstow_faults.run("restore", backup, "--replace", "--yes", db=shop)
        assert compare.row_hashes(cluster, shop) == then
