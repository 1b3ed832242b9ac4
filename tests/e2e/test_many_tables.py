"""Many small tables: they are asked for together, and each is still read as if it were alone."""

import re

import pytest

from harness import compare
from harness.cluster import wait_until
from harness.program import assert_nothing_visible

TABLES = 250
MANY = f"""
SELECT format('CREATE TABLE "odd "" %s" (id int PRIMARY KEY, "te;xt" text)', lpad(k::text, 3, '0'))
FROM generate_series(1, {TABLES}) k \\gexec
SELECT format('INSERT INTO "odd "" %s" SELECT i, %s || E''\\t\\\\'' || i FROM generate_series(1, %s) i',
              lpad(k::text, 3, '0'), k, k % 20) FROM generate_series(1, {TABLES}) k \\gexec
"""


@pytest.fixture
def many(database):
    return database(sql=MANY)


def rows_of(pgstow, backup):
    return {t["name"]: t["rows"] for t in pgstow.run("show", backup, "--tables", "--json").json["tableList"]}


def test_few_messages_for_many_tables(cluster, pgstow, database, many):
    """The readers ask for locks and rows of a hundred tables at once, and what comes back is what was there."""
    cluster.sql(f"ALTER DATABASE {many} SET log_statement = 'all'")
    start = cluster.log.stat().st_size
    backup = pgstow.backup(many, "--jobs", "2")
    said = cluster.log.read_text()[start:]
    cluster.sql(f"ALTER DATABASE {many} RESET log_statement")
    copies = re.findall(rf" {many} pgstow LOG:  statement: (LOCK TABLE ONLY .*)", said)
    assert sum(line.count("; COPY ") for line in copies) == TABLES
    assert len(copies) <= TABLES / 50
    assert rows_of(pgstow, backup) == {f'odd " {k:03}': k % 20 for k in range(1, TABLES + 1)}
    copy = f"{many}_copy"
    database.later(copy)
    pgstow.restore(backup, many, "--to-db", copy)
    assert compare.row_hashes(cluster, copy) == compare.row_hashes(cluster, many)


def test_a_waiter_among_many(cluster, pgstow_faults, many):
    """Somebody waits for one of those that are asked for together: that one is read on the connection that holds its
    lock, and the others as ever."""
    with pgstow_faults.start("backup", "--verbose", "--jobs", "2", db=many, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run, \
            cluster.session(many) as other:  # fmt: skip
        assert run.wait_stopped()
        mark = other.send("""ALTER TABLE "odd "" 130" ADD COLUMN late int DEFAULT 5""")
        wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
                   == "1", "nobody waits for the lock")  # fmt: skip
        run.resume()
        result = run.wait(60).expect("OK")
        assert "ERROR" not in other.wait(mark, 10)
    assert re.findall(r"lock on (.*): reading it on the locking", result.stderr) == ['public."odd "" 130"']
    assert rows_of(pgstow_faults, result.id) == {f'odd " {k:03}': k % 20 for k in range(1, TABLES + 1)}
    pgstow_faults.run("verify", result.id, "--level", "rebuild")


def test_one_of_many_cannot_be_read(cluster, pgstow, database):
    """The error names it, wherever it stands among those that are asked for together."""
    # pg_dump, which reads them too until its pipe is full, comes to the first table only.
    name = database(sql=f"""CREATE TABLE a_large AS SELECT repeat(md5(g::text), 100) FROM generate_series(1, 1000) g;
        CREATE TYPE mood AS ENUM ('good', 'bad');
        SELECT format('CREATE TABLE t%s (m mood)', k) FROM generate_series(101, {TABLES}) k \\gexec
        SELECT format('INSERT INTO t%s SELECT ''good''', k) FROM generate_series(101, {TABLES}) k \\gexec
        UPDATE t142 SET m = 'bad';
        DELETE FROM pg_enum WHERE enumlabel = 'bad'""")  # fmt: skip
    result = pgstow.run("backup", db=name, expect="DB")
    result.error_says(r"table public\.t142: .*invalid internal value for enum")
    assert_nothing_visible(pgstow)
