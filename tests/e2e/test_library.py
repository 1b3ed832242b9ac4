"""The C library, used by a program of its own: examples/embed.c."""

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


