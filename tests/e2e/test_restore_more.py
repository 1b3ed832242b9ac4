"""restore: what is seldom, and then matters."""

import contextlib
import os
import re
import stat
import subprocess
import time

import pytest

from harness import compare, crossing
from harness.cluster import SLOWER, Cluster, wait_until
from harness.program import Pgstow, program


@pytest.fixture
def saved(pgstow, shop):
    return pgstow.backup(shop)


def others(cluster, name):
    return [db for db in cluster.databases() if "_pgstow_" in db and db.startswith(name)]


def test_what_belongs_to_the_database_comes_back_with_it(cluster, pgstow, shop, database):
    """A database that is gone and made again: owner, privileges, settings, limit and comment are in the backup."""
    ask = """SELECT pg_get_userbyid(datdba), datacl::text, datconnlimit, shobj_description(d.oid, 'pg_database'),
             (SELECT string_agg(coalesce(setrole::regrole::text, '-') || ':' || setconfig::text, ' ' ORDER BY 1)
              FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) FROM pg_database d WHERE datname = '{}'"""
    cluster.sql(f"""
        ALTER DATABASE {shop} OWNER TO fid_owner;
        REVOKE CONNECT, TEMP ON DATABASE {shop} FROM PUBLIC;
        GRANT CONNECT ON DATABASE {shop} TO fid_reader WITH GRANT OPTION;
        ALTER DATABASE {shop} SET work_mem = '7MB';
        ALTER DATABASE {shop} SET search_path = public, "odd ""x";
        ALTER ROLE fid_reader IN DATABASE {shop} SET statement_timeout = '3min';
        ALTER DATABASE {shop} CONNECTION LIMIT 17;
        COMMENT ON DATABASE {shop} IS E'it''s; a \\\\ comment 100%';
    """)
    before = cluster.rows(ask.format(shop))
    backup = pgstow.backup(shop)
    cluster.drop(shop)
    pgstow.restore(backup, shop)
    assert cluster.rows(ask.format(shop)) == before
    database.later(f"{shop}_else")
    pgstow.restore(backup, shop, "--to-db", f"{shop}_else", "--no-owner", "--no-privileges")
    found = cluster.rows(ask.format(f"{shop}_else"))[0]
    assert found[0] == "postgres" and found[1] == "" and found[2] == "17" and found[4] == before[0][4]


def test_an_id_is_never_taken_for_an_option(cluster, pgstow, database):
    """A database's name may begin with a dash; its backups' ids do not, or restore would only list."""
    name = database(name="-dash", sql="CREATE TABLE t AS SELECT generate_series(1, 10) AS a")
    backup = pgstow.backup(name)
    cluster.sql("INSERT INTO t VALUES (99)", name)
    pgstow.restore(backup, name, "--replace", "--yes")
    assert cluster.sql("SELECT count(*) FROM t", name) == "10"


@pytest.mark.parametrize("flags", [["--replace", "--yes"], ["--in-place", "--yes"], ["--to-db", "never_made"]])
def test_a_restore_of_no_backup_is_no_success(cluster, pgstow, shop, saved, flags):
    """A script whose variable is empty must not take the list of backups for a restore."""
    result = pgstow.run("restore", *flags, db=shop, expect="USAGE")
    result.says("which backup", "latest")
    assert "never_made" not in cluster.databases()


def test_in_place_fails_and_is_run_again(cluster, folder, shop, database):
    """The old one is gone when it fails: that is said, and the next run takes its owner and settings over."""
    broken = Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    then = compare.snapshot(cluster, shop)
    saved = broken.backup(shop)
    ask = f"""SELECT pg_get_userbyid(datdba), datconnlimit, md5(shobj_description(d.oid, 'pg_database')), datacl::text,
              (SELECT setconfig::text FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
              FROM pg_database d WHERE datname = '{shop}'"""
    cluster.sql(f"""ALTER DATABASE {shop} OWNER TO fid_owner; ALTER DATABASE {shop} SET work_mem = '9MB';
                    ALTER DATABASE {shop} CONNECTION LIMIT 7; COMMENT ON DATABASE {shop} IS E'two\\nlines';
                    REVOKE TEMP ON DATABASE {shop} FROM PUBLIC""")
    properties = cluster.rows(ask)
    for action in ("error", "kill"):
        with broken.start("restore", saved, "--in-place", "--yes", db=shop,
                          env={"PGSTOW_FAULT": f"restore.copied:{action}"}) as run:  # fmt: skip
            result = run.wait()
        cluster.assert_no_clients()
        assert result.status != 0
        if action == "error":
            result.error_says(shop, "dropped", "again")
        assert not cluster.exists(shop)
        assert len(others(cluster, shop)) == 1
    broken.restore(saved, shop, "--in-place", "--yes")
    assert others(cluster, shop) == []
    assert cluster.rows(ask) == properties
    compare.assert_as_before(cluster, shop, then)


def test_pg_restore_as_a_command(cluster, pgstow, shop, saved, database):
    """A setting that is a command may run elsewhere: it gets everything by its standard input."""
    wrapper = pgstow.folder / "elsewhere"
    wrapper.write_text(f'#!/bin/sh\ncd / && exec "{cluster.bin}/pg_restore" "$@"\n')
    wrapper.chmod(0o755)
    database.later(f"{shop}_new")
    pgstow.restore(saved, shop, "--to-db", f"{shop}_new", env={"PGSTOW_PG_RESTORE": f"env {wrapper}"})
    compare.assert_same(cluster, shop, f"{shop}_new")


def test_a_partial_backup_is_told_where_it_would_replace(cluster, pgstow, shop):
    part = pgstow.backup(shop, "--exclude-table", "item")
    result = pgstow.run("restore", part, "--replace", "--dry-run", db=shop)
    result.says("exclude-table=item", "lost")


def test_prepared_transactions_are_named(cluster, pgstow, shop, saved):
    cluster.sql("BEGIN; CREATE TABLE later (a int); PREPARE TRANSACTION 'my transaction'", shop)
    try:
        result = pgstow.run("restore", saved, "--replace", "--yes", db=shop, expect="PREFLIGHT")
        result.error_says("my transaction")
    finally:
        cluster.sql("ROLLBACK PREPARED 'my transaction'", shop)


def test_connections_that_keep_coming_do_not_stop_a_replace(cluster, pgstow, shop, saved):
    """An application that reconnects at once: the swap happens, and it finds the new database."""
    script = pgstow.folder / "busy.sql"
    script.write_text("SELECT count(*) FROM customer;\n")
    with subprocess.Popen(
        ["sh", "-c", f'while :; do "{cluster.bin}/psql" -qAt -f {script}; done'], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=cluster.environment(shop), start_new_session=True,
    ) as busy:  # fmt: skip
        try:
            assert busy.stdout.readline()
            for _ in range(3):
                pgstow.restore(saved, shop, "--replace", "--yes")
                time.sleep(0.3)
        finally:
            os.killpg(busy.pid, 9)
            answers = busy.stdout.read().split()
    assert answers and set(answers) == {b"500"}
    assert others(cluster, shop) == []


def test_a_leftover_of_a_killed_restore_is_dropped(cluster, folder, shop):
    broken = Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    saved = broken.backup(shop)
    with broken.start("restore", saved, "--to-db", f"{shop}_new", db=shop, env={"PGSTOW_FAULT": "restore.copied:kill"}) as run:
        run.wait()
    cluster.assert_no_clients()
    assert not cluster.exists(f"{shop}_new")
    left = others(cluster, f"{shop}_new")
    assert len(left) == 1
    assert re.search(f"pgstow shadow of {shop}_new since 20", cluster.sql(
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{left[0]}'"))  # fmt: skip
    broken.restore(saved, shop, "--to-db", f"{shop}_new")
    assert others(cluster, f"{shop}_new") == []
    compare.assert_same(cluster, shop, f"{shop}_new")
    cluster.drop(f"{shop}_new")


def test_a_subscription_does_not_hold_what_failed(cluster, pgstow_faults, database):
    """The incomplete database of a restore that fails, and the one that a killed restore leaves, hold the archive's
    subscription already: they go all the same."""
    db = database(sql="CREATE TABLE t (id int PRIMARY KEY)")
    try:
        cluster.sql("CREATE SUBSCRIPTION held CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", db)
        args = ("restore", pgstow_faults.backup(db), "--to-db", f"{db}_new")
        failed = pgstow_faults.run(*args, db=db, expect=None, env={"PGSTOW_FAULT": "restore.pass3.done:error"})
        assert failed.status and "stays behind" not in failed.said and not others(cluster, db), failed
        with pgstow_faults.start(*args, db=db, env={"PGSTOW_FAULT": "restore.pass3.done:kill"}) as run:
            run.wait()
        cluster.assert_no_clients()
        assert subscriptions(cluster, *others(cluster, db)) == ["held"]
        done = pgstow_faults.run(*args, db=db)
        assert "stays behind" not in done.said and not others(cluster, db), done
        assert subscriptions(cluster, f"{db}_new") == ["held"]
    finally:
        for name in [name for name in cluster.databases() if name.startswith(db)]:
            cluster.sql(crossing.DROP_SUBSCRIPTIONS, name)
            cluster.drop(name)


def subscriptions(cluster, name):
    ask = f"SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = '{name}'"
    return [row[0] for row in cluster.rows(ask)]


ATTACHED = """
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN IF $1 = 10 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN $1; END $$;
CREATE TABLE m (id int, k int) PARTITION BY RANGE (k);
CREATE UNIQUE INDEX m_key ON m (id, k);
CREATE INDEX m_slow ON m (public.slow(k));
SELECT format('CREATE TABLE m_%s PARTITION OF m FOR VALUES FROM (%s) TO (%s) PARTITION BY RANGE (k)', i, i, i + 10),
       format('CREATE TABLE m_%s_only PARTITION OF m_%s DEFAULT', i, i) FROM generate_series(10, 30, 10) i \\gexec
CREATE TABLE refers (a int, b int, FOREIGN KEY (a, b) REFERENCES m (id, k));
INSERT INTO m SELECT i, 10 + i % 30 FROM generate_series(1, 6000) i;
INSERT INTO refers SELECT id, k FROM m;
"""


def test_indexes_are_attached_while_nothing_else_is_done(cluster, pgstow_faults, database):
    """pg_restore's workers would attach the indexes of partitions beside a foreign key that refers to the table; where
    the one has locked the table and the other the partition's index, the server ends one of them as a deadlock. Here
    the index is slow, and the foreign key is held before its last partition: by then all must be attached."""
    db = database(sql=ATTACHED)
    saved = pgstow_faults.backup(db)
    args = ("restore", saved, "--to-db", f"{db}_new", "--jobs", 4)
    database.later(f"{db}_new")
    with pgstow_faults.start(*args, db=db, env={"PGSTOW_FAULT": "restore.copied:stop"}) as run:
        assert run.wait_stopped()
        new = others(cluster, db)[0]
        with cluster.session(new) as holder:
            holder.run("SELECT pg_advisory_lock(7); BEGIN; LOCK TABLE m_30_only IN SHARE MODE;")
            run.resume()
            made = "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^m_.*only$'"
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation::regclass::text "
            wait_until(lambda: cluster.sql(made, new) == "5", "the other indexes are not made")
            with contextlib.suppress(AssertionError):  # it must not begin yet
                wait_until(lambda: cluster.sql(waiting + "= 'm_10_only'", new) != "0", "waits", 1 / SLOWER)
            holder.run("SELECT pg_advisory_unlock(7);")
            wait_until(lambda: cluster.sql(waiting + "= 'm_30_only'", new) == "1", "no foreign key")
            attached = cluster.sql("SELECT count(*) FROM pg_inherits WHERE inhrelid IN (SELECT indexrelid FROM pg_index)", new)
            holder.run("COMMIT;")
        run.wait().expect("OK")
    assert attached == "12"
    compare.assert_same(cluster, db, f"{db}_new")


def test_an_export_over_something_that_is_no_file(pgstow, shop, saved):
    fifo = pgstow.folder / "pipe"
    os.mkfifo(fifo)
    pgstow.run("export", saved, "--format", "custom", "-o", fifo, "--overwrite", expect="EXISTS")
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert [p.name for p in pgstow.folder.iterdir() if p.name.startswith("pipe")] == ["pipe"]


def test_indexes_are_made_beside_the_loading(cluster, pgstow, database):
    """What follows from the rows of a table alone is made once they are in; what may look elsewhere, and what
    failed, by pg_restore behind all rows."""
    name = database(sql="""
        CREATE TABLE customer (id int PRIMARY KEY, name text);
        CREATE TABLE "order (new)" (id int PRIMARY KEY, customer int REFERENCES customer, at date, EXCLUDE (at WITH =));
        INSERT INTO customer SELECT g, 'n' || g FROM generate_series(1, 2000) g;
        INSERT INTO "order (new)" SELECT g, g, date '2024-01-01' + g FROM generate_series(1, 1000) g;
        CREATE INDEX by_name ON customer (name DESC) INCLUDE (id) WITH (fillfactor = 70);
        CREATE INDEX by_lower ON customer (lower(name));
        CREATE INDEX of_some ON customer (name) WHERE id > 5;
        CREATE TABLE part (id int, at date) PARTITION BY RANGE (at);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        INSERT INTO part SELECT g, '2024-05-05' FROM generate_series(1, 100) g;
        CREATE UNIQUE INDEX of_part ON part (id, at);
        ALTER TABLE customer CLUSTER ON by_name""")
    backup = pgstow.backup(name)
    database.later(f"{name}_back")
    start = cluster.log.stat().st_size
    cluster.sql("ALTER SYSTEM SET log_statement = mod; ALTER SYSTEM SET log_line_prefix = '%p '; SELECT pg_reload_conf()")
    try:
        pgstow.run("restore", backup, "--to-db", f"{name}_back", "--jobs", "1", db=name)
    finally:
        cluster.sql("ALTER SYSTEM RESET log_statement; ALTER SYSTEM RESET log_line_prefix; SELECT pg_reload_conf()")
    statements = re.findall(r"^(\d+) LOG:  statement: (.*(?:\n\t.*)*)", cluster.log.read_bytes()[start:].decode(), re.M)
    # With one job it is one connection that loads; pg_restore's are others.
    loaders = {pid for pid, statement in statements if statement.startswith("COPY")}
    made_by = {}
    for pid, statement in statements:
        for what in re.findall(r"(?:CREATE (?:UNIQUE )?INDEX|ADD CONSTRAINT) (\"[^\"]+\"|\w+)", statement):
            assert made_by.setdefault(what, pid) == pid
    ours = {what for what, pid in made_by.items() if pid in loaders}
    assert {"customer_pkey", "by_name", "of_part", "part_1_id_at_idx"} < ours
    assert any("customer_fkey" in what for what in ours) and len(ours) == 6, made_by
    assert {"by_lower", "of_some"} < made_by.keys() - ours
    compare.assert_same(cluster, name, f"{name}_back")


def test_what_is_restored_survives_a_crash_of_the_server(folder):
    """Its sessions commit without waiting for the disk; the last of it waits for all of them."""
    server = Cluster(settings={"wal_writer_delay": "'10s'", "autovacuum": "off"})
    try:
        source, target = server.create(sql="""
            CREATE TABLE item AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 3000) g;
            ALTER TABLE item ADD PRIMARY KEY (id); CREATE VIEW seen AS SELECT * FROM item"""), server.create()
        here = Pgstow(server, folder)
        here.restore(here.backup(source), source, "--to-db", target)
        server.stop()  # at once
        server.start()
        compare.assert_same(server, source, target)
        assert int(server.sql("SELECT count(*) FROM pg_stats WHERE tablename = 'item'", target)) > 0
    finally:
        server.destroy()
