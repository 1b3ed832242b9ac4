"""export: a stock archive that pg_restore reads without pgstow."""

import gzip
import json
import subprocess
import sys

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


def by_workers(cluster, database, archive, jobs):
    """But for what is behind the rows: attaching the partitions of an index is where stock pg_restore's own workers
    can meet in a deadlock."""
    if jobs == 1:
        cluster.tool("pg_restore", "-e", "-d", database, archive)
        return
    cluster.tool("pg_restore", "-e", "-j", jobs, "--section=pre-data", "--section=data", "-d", database, archive)
    cluster.tool("pg_restore", "-e", "--section=post-data", "-d", database, archive)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file(cluster, exported, jobs):
    """With -j pg_restore seeks: every entry's place must be right."""
    copy = cluster.create()
    by_workers(cluster, copy, exported.archive, jobs)
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


# ---------------------------------------------------------------- directory, plain, compressed

def test_compressed(cluster, exported, module_folder):
    out = module_folder / "packed.dump"
    exported.run("export", exported.backup_id, "-o", out, "--compression", "1")
    assert out.stat().st_size < 0.8 * exported.archive.stat().st_size
    copy = cluster.create()
    by_workers(cluster, copy, out, 4)
    compare.assert_same_rows(cluster, exported.source, copy)
    drop(cluster, copy)


def test_a_directory(cluster, exported, module_folder):
    """By the slash at its end; the files' names are those that pg_dump gives."""
    stock, ours = module_folder / "stock", module_folder / "ours"
    cluster.tool("pg_dump", "-Fd", "-Z0", "-f", stock, database=exported.source)
    exported.run("export", exported.backup_id, "-o", f"{ours}/")
    copy = cluster.create()
    by_workers(cluster, copy, ours, 4)
    compare.assert_same_rows(cluster, exported.source, copy)
    drop(cluster, copy)
    assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in stock.iterdir())
    for path in ours.iterdir():
        if path.name.startswith("blob"):
            assert path.read_bytes() == (stock / path.name).read_bytes()
    assert all(p.stat().st_mode & 0o077 == 0 for p in [ours, *ours.iterdir()])


def test_a_compressed_directory(cluster, exported, module_folder):
    ours = module_folder / "packed"
    ours.mkdir()
    exported.run("export", exported.backup_id, "-F", "directory", "-Z", "6", "-o", ours)
    assert {p.name for p in ours.iterdir() if p.suffix != ".gz"} == {"toc.dat", "blobs.toc"}
    text = [cluster.tool("pg_restore", "-f", "-", path).stdout for path in (exported.archive, ours)]
    unlike = compare.differences(*(compare.count_lines(t.splitlines(True)) for t in text))
    assert not unlike, unlike


def test_a_folder_is_replaced_only_on_request(exported, module_folder):
    ours = module_folder / "again"
    args = ("export", exported.backup_id, "-F", "directory", "-o", ours)
    exported.run(*args)
    (ours / "1.dat").write_text("old")
    exported.run(*args, expect="EXISTS")
    exported.run(*args, "--overwrite")
    # Nobody's own files go with an earlier export.
    for own in ("notes.txt", "more.dat"):
        (ours / own).write_text("mine") if own == "notes.txt" else (ours / own).mkdir()
        before = sorted(p.name for p in ours.iterdir())
        exported.run(*args, "--overwrite", expect="EXISTS").error_says("holds more")
        assert sorted(p.name for p in ours.iterdir()) == before
        (ours / own).unlink() if own == "notes.txt" else (ours / own).rmdir()
    exported.run(*args, "--overwrite")
    assert not (ours / "1.dat").exists() and (ours / "toc.dat").exists()
    other = module_folder / "other"
    other.mkdir()
    (other / "precious").write_text("")
    exported.run("export", exported.backup_id, "-F", "directory", "-o", other, "--overwrite", expect="EXISTS")
    assert [p.name for p in module_folder.glob("again*")] == ["again"] and (other / "precious").exists()


def test_plain_sql(cluster, exported, module_folder):
    """As pg_dump prints it, and one transaction for psql -1, large objects and all."""
    out = module_folder / "plain.sql"
    exported.run("export", exported.backup_id, "-o", out)
    copy = cluster.create()
    cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", out, database=copy)
    compare.assert_same(cluster, exported.source, copy)
    drop(cluster, copy)
    with open(out, "rb") as f:
        lines = compare.count_lines(f)
    unlike = compare.differences(compare.dump_lines(cluster, exported.source), lines)
    # pg_dump has a transaction around the large objects, this has one around everything.
    assert unlike in ("", "- \n2 lines missing, 0 added", "+ \n0 lines missing, 2 added"), unlike


def test_plain_sql_fails_as_a_whole(cluster, exported, module_folder, database):
    out = module_folder / "fails.sql"
    exported.run("export", exported.backup_id, "-o", out)
    copy = database(sql="CREATE SCHEMA zoo; CREATE MATERIALIZED VIEW app_first AS SELECT 1")
    cluster.sql("CREATE SCHEMA app", copy)
    done = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", out, database=copy, check=False)
    assert done.returncode == 3
    assert cluster.sql("SELECT count(*) FROM pg_largeobject_metadata", copy) == "0"


def test_gzip_by_name(exported, module_folder):
    plain, packed = module_folder / "a.sql", module_folder / "a.sql.gz"
    for out in (plain, packed):
        exported.run("export", exported.backup_id, "-o", out)
    lines = [compare.count_lines(f) for f in (open(plain, "rb"), gzip.open(packed))]
    assert lines[0] == lines[1] and sum(lines[0].values()) > 1000
    exported.run("export", exported.backup_id, "-F", "custom", "-o", module_folder / "b.sql.gz", expect="USAGE")
    exported.run("export", exported.backup_id, "-Z", "0", "-o", module_folder / "b.sql.gz", expect="USAGE")


def test_plain_needs_pg_restore(exported, module_folder):
    out = module_folder / "none.sql"
    exported.run("export", exported.backup_id, "-o", out, env={"PGSTOW_PG_RESTORE": "/nowhere/pg_restore"}, expect="TOOL_MISSING")
    broken = module_folder / "broken"
    broken.write_text("#!/bin/sh\n[ \"$1\" = --version ] && exec pg_restore --version\necho 'pg_restore: error: no good' >&2\nexit 1\n")
    broken.chmod(0o755)
    exported.run("export", exported.backup_id, "-o", out, env={"PGSTOW_PG_RESTORE": broken}, expect="TOOL_FAILED").error_says("no good")
    assert not list(module_folder.glob("none.sql*"))


def test_a_part(cluster, exported, module_folder):
    out = module_folder / "part.dump"
    exported.run("export", exported.backup_id, "--table", "app.worn", "-o", out)
    listed = cluster.tool("pg_restore", "-l", out).stdout.decode()
    assert listed.count("TABLE DATA") == 1 and "TABLE DATA app worn" in listed


def test_the_reader_in_python_agrees(exported):
    """Written from docs/format.md alone, it gives the same archive byte by byte, and the same rows."""
    ours = exported.run("export", exported.backup_id, "-F", "custom", "-o", "-").stdout_bytes
    reader = [sys.executable, "-B", E2E.parents[1] / "tools" / "read_pgstow.py", exported.repo]
    read = lambda *args: subprocess.run([*reader, *args], check=True, stdout=subprocess.PIPE).stdout
    assert exported.backup_id in read().decode()
    assert read(exported.backup_id, "--archive") == ours
    worn = next(line for line in read(exported.backup_id).decode().split("\n") if line.startswith("app.worn\t"))
    assert read(exported.backup_id, "app.worn").count(b"\n") == int(worn.split("\t")[1]) > 0
    relations = [json.loads(line) for line in read(exported.backup_id, "relations").splitlines()]
    assert "worn" in {r["name"] for r in relations} and all(r["columns"] is not None for r in relations)
