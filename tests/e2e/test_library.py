"""The C library, used by a program of its own: examples/embed.c."""

import json
import subprocess

from harness import compare
from harness.program import program


def run_embed(pgstow, db, copy):
    embed = program("examples/embed", "PGSTOW_EMBED_BIN")
    command = [str(embed), pgstow.cluster.url(db), str(pgstow.repo), copy]
    return subprocess.run(command, env=pgstow.environment(), cwd=pgstow.folder, capture_output=True, text=True,
                          timeout=120)  # fmt: skip


def test_embed(cluster, pgstow, database):
    source = database(sql="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 5000) g")
    copy = cluster.fresh_name("embedded")
    database.later(copy)
    done = run_embed(pgstow, source, copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5000 rows of 1 tables" in done.stdout
    assert f"restored into {copy}, then deleted" in done.stdout
    compare.assert_same(cluster, source, copy)
    assert pgstow.ids() == []


def test_errors_reach_the_caller(cluster, pgstow):
    done = run_embed(pgstow, "no_such_database", "copy")
    assert done.returncode == 1
    assert "DB_NOT_FOUND" in done.stderr and "hint: " in done.stderr, done.stderr




def test_inspect(cluster, pgstow, database):
    """examples/inspect.c: validate and diff, as JSON; errors come with their report."""
    db = database(sql="CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);"
                      "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)")  # fmt: skip
    pgstow.backup(db)
    cluster.sql("INSERT INTO c VALUES (2, 77); ALTER TABLE c ADD CONSTRAINT lost FOREIGN KEY (p) REFERENCES p NOT VALID", db)
    inspect = program("examples/inspect", "PGSTOW_INSPECT_BIN")
    done = subprocess.run([str(inspect), cluster.url(db), str(pgstow.repo)], env=pgstow.environment(), cwd=pgstow.folder,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 1 and "INVALID" in done.stderr, done.stdout + done.stderr
    report, changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert report["isValid"] is False and [e["object"] for e in report["errors"]] == ["lost"]
    assert changes["b"] == "live"
    assert [(t["name"], t["added"]) for t in changes["tables"]] == [("c", 1)]
    cluster.sql("DELETE FROM c WHERE id = 2", db)
    done = subprocess.run([str(inspect), cluster.url(db), str(pgstow.repo)], env=pgstow.environment(), cwd=pgstow.folder,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[0])["isValid"] is True
