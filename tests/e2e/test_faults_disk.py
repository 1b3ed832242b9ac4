"""Full disks: a clear error, nothing half, and the next run succeeds once there is room."""

import os
import re
import stat

import pytest

from harness.mounts import SmallDisk


@pytest.fixture(scope="module")
def bulky(cluster):
    """12 MB that do not compress well."""
    name = cluster.create("bulky", sql="""CREATE TABLE b AS SELECT g AS id, sha512(g::text::bytea) ||
        sha512((-g)::text::bytea) AS x FROM generate_series(1, 60000) g""")
    yield name
    cluster.drop(name)


def test_the_repositorys_disk_is_full(pgstow, bulky, shop):
    with SmallDisk(pgstow.repo, "3m"):
        small = pgstow.backup(shop)
        result = pgstow.run("backup", db=bulky, expect="REPO_FULL")
        result.error_says(re.escape(str(pgstow.repo)), "space|full")
        assert pgstow.manifests() == [small] and pgstow.ids() == [small]
        pgstow.run("verify", small, "--level", "rebuild")


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


def test_export_to_a_full_disk(pgstow, bulky):
    backup = pgstow.backup(bulky)
    with SmallDisk(pgstow.folder / "out", "2m") as disk:
        result = pgstow.run("export", backup, "--format", "custom", "-o", disk / "x.dump", expect=None)
        assert result.status not in (0, 1), str(result)
        result.error_says("space|full")
        assert not (disk / "x.dump").exists()


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
