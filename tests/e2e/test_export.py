"""export: a stock archive that pg_restore reads without pgstow."""

import subprocess

import pytest

from harness import compare
from harness.cluster import E2E
from harness.program import Pgstow


@pytest.fixture(scope="module")
def exported(cluster, module_folder):
    """The fidelity database, its backup, and the archive as a file."""
    program = Pgstow(cluster, module_folder)
    program.source = cluster.create("export_fidelity")
    cluster.load(E2E / "fidelity.sql", program.source)
    program.backup_id = program.backup(program.source)
    program.archive = module_folder / "out.dump"
    program.run("export", program.backup_id, "--format", "custom", "-o", program.archive)
    yield program
    drop(cluster, program.source)


def drop(cluster, name):
    cluster.sql("ALTER SUBSCRIPTION fid_subscription DISABLE; DROP SUBSCRIPTION fid_subscription", name)
    cluster.drop(name)


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_file(cluster, exported, jobs):
    """With -j pg_restore seeks: every entry's place must be right."""
    copy = cluster.create()
    cluster.tool("pg_restore", "-e", *(["-j", jobs] if jobs else []), "-d", copy, exported.archive)
    compare.assert_same(cluster, exported.source, copy)
    drop(cluster, copy)


def test_standard_output(cluster, exported):
    """As a pipe it cannot seek; stock pg_restore reads it from a pipe too."""
    copy = cluster.create()
    with exported.start("export", exported.backup_id, "--format", "custom", "-o", "-") as run:
        restore = subprocess.run(
            [cluster.bin / "pg_restore", "-e", "-d", copy], stdin=run.process.stdout, stderr=subprocess.PIPE,
            env=cluster.environment(copy), timeout=300,
        )  # fmt: skip
        run.process.stdout.close()
        status = run.process.wait(60)
        errors = run.process.stderr.read()
        run.process.stderr.close()
    assert status == 0, errors
    assert restore.returncode == 0, restore.stderr.decode()
    compare.assert_same(cluster, exported.source, copy)
    drop(cluster, copy)


def test_the_archive_lists_as_stock(cluster, exported, module_folder):
    """The same table of contents, entry by entry, as pg_dump's own."""
    stock = module_folder / "stock.dump"
    cluster.tool("pg_dump", "-Fc", "-f", stock, database=exported.source)
    entries = [
        [line for line in cluster.tool("pg_restore", "-l", path).stdout.decode().splitlines() if line[:1] != ";"]
        for path in (stock, exported.archive)
    ]
    assert entries[0] == entries[1] and len(entries[0]) > 300


def test_parts_of_the_archive(cluster, exported, database):
    """pg_restore picks one table out of the file."""
    copy = database(sql="CREATE SCHEMA app; CREATE TABLE app.worn (id int PRIMARY KEY, k int, t text, u uuid)")
    cluster.tool("pg_restore", "-e", "-d", copy, "-n", "app", "-t", "worn", "--data-only", exported.archive)
    ask = "SELECT count(*), md5(string_agg(md5(id::text || t), '' ORDER BY id)) FROM app.worn"
    assert cluster.sql(ask, copy) == cluster.sql(ask, exported.source)


def test_plain_sql_from_the_archive(cluster, exported, module_folder):
    """pg_restore -f - gives what pg_dump would have printed."""
    sql = module_folder / "out.sql"
    cluster.tool("pg_restore", "-f", sql, exported.archive)
    with open(sql, "rb") as f:
        unlike = compare.differences(compare.dump_lines(cluster, exported.source), compare.count_lines(f))
    assert not unlike, unlike


def test_an_existing_file_is_not_overwritten(exported):
    size = exported.archive.stat().st_size
    exported.run("export", exported.backup_id, "--format", "custom", "-o", exported.archive, expect="EXISTS")
    assert exported.archive.stat().st_size == size


def test_nothing_else_on_standard_output(exported):
    result = exported.run("export", exported.backup_id, "--format", "custom", "-o", "-")
    assert result.stdout_bytes.startswith(b"PGDMP")
    assert result.stdout_bytes[11:12] != b""
    whole = exported.archive.read_bytes()
    assert abs(len(result.stdout_bytes) - len(whole)) < max(len(whole) * 0.02, 4096)


def test_private_by_mode(exported):
    assert exported.archive.stat().st_mode & 0o077 == 0


def test_unknown_format(exported):
    exported.run("export", exported.backup_id, "--format", "tarball", "-o", "-", expect="USAGE").error_says("custom")


def test_json_result(exported, module_folder):
    out = module_folder / "json.dump"
    doc = exported.run("export", exported.backup_id, "--format", "custom", "-o", out, "--json").json
    assert doc["id"] == exported.backup_id and doc["bytes"] == out.stat().st_size
