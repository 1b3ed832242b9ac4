"""What doctor finds, and that its remedies are the right ones: each is applied as it stands."""

import contextlib
import os
import socket
import subprocess
import time

import pytest

from harness import compare
from harness.cluster import SLOWER, Cluster, as_user, free_port, quote_ident, server_user
from harness.errors import status_of
from harness.program import Pgstow, assert_nothing_visible
from harness.tools import TOOL, script

LEVELS = {"ok", "note", "warning", "problem"}


def findings(pgstow, db, expect="OK", **kwargs):
    """What doctor --json finds: for each title the findings of that title."""
    doc = pgstow.run("doctor", "--json", db=db, expect=expect, **kwargs).json
    assert doc["ready"] is (expect == "OK")
    by_title = {}
    for finding in doc["findings"]:
        assert set(finding) == {"level", "title", "detail", "remedy"}, finding
        assert finding["level"] in LEVELS and finding["title"] and finding["detail"], finding
        assert finding["remedy"] or finding["level"] in ("ok", "note"), f"no remedy: {finding}"
        by_title.setdefault(finding["title"], []).append(finding)
    assert any(f["level"] == "problem" for fs in by_title.values() for f in fs) is (expect != "OK")
    return by_title


def only(found, title, level):
    """The one finding of a title, which has this level."""
    assert [f["level"] for f in found.get(title, [])] == [level], found
    return found[title][0]


# ---------------------------------------------------------------- privileges

# Everything that a backup user may lack: schemas, odd names, sequences, partitions, row security, large
# objects of an ordinary owner and of a superuser.
GUARDED = """
CREATE SCHEMA "Odd; Schema" AUTHORIZATION doctor_owner;
CREATE TABLE "Odd; Schema"."Ta""ble" (a int);
INSERT INTO "Odd; Schema"."Ta""ble" SELECT generate_series(1, 500);
ALTER TABLE "Odd; Schema"."Ta""ble" OWNER TO doctor_owner;
CREATE SCHEMA hidden;
CREATE TABLE hidden.one AS SELECT g AS id, g % 7 AS who FROM generate_series(1, 700) g;
ALTER TABLE hidden.one ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON hidden.one USING (who = 3);
CREATE SEQUENCE hidden.numbers START 99;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted SELECT generate_series(1, 99);
SELECT lo_from_bytea(88001, 'of a superuser');
SELECT lo_from_bytea(88002, 'of an owner');
ALTER LARGE OBJECT 88002 OWNER TO doctor_owner;
"""
READER = "Doctor's Reader"


@pytest.fixture
def guarded(cluster, database):
    cluster.sql(f"""DROP ROLE IF EXISTS pgstow_backup, {quote_ident(READER)}, doctor_owner;
                    CREATE ROLE doctor_owner LOGIN; CREATE ROLE {quote_ident(READER)} LOGIN""")
    name = database(sql=GUARDED)
    yield name
    cluster.drop(name, f"{name}_copy")
    cluster.sql(f"DROP ROLE IF EXISTS pgstow_backup, {quote_ident(READER)}, doctor_owner")


def assert_backs_up(cluster, pgstow, name, user):
    """As this user, and the whole: restored by a superuser it equals the original."""
    backup = pgstow.backup(cluster.url(name, user))
    pgstow.restore(backup, name, "--to-db", f"{name}_copy")
    compare.assert_same(cluster, name, f"{name}_copy")


def test_the_grants_for_a_backup_user(cluster, pgstow, guarded):
    """Printed to a superuser, run as they stand, they are enough for a backup of everything."""
    remedy = only(findings(pgstow, guarded), "backup user", "note")["remedy"]
    assert "SUPERUSER" not in remedy and "pgstow_backup" in remedy
    text = pgstow.run("doctor", db=guarded).stdout
    printed = [line.strip() for line in text.splitlines()]
    assert all(line in printed for line in remedy.splitlines()), "the text has other statements than --json"

    # Without them: refused, with the table's name.
    role, *grants = remedy.splitlines()
    cluster.sql(role, guarded)
    result = pgstow.run("backup", db=cluster.url(guarded, "pgstow_backup"), expect="DB_PERMISSION")
    result.error_says('Ta""ble|hidden|parted', "doctor")
    assert_nothing_visible(pgstow)

    cluster.sql("\n".join(grants), guarded)
    found = findings(pgstow, cluster.url(guarded, "pgstow_backup"))
    assert only(found, "privileges", "ok") and "backup user" not in found
    assert_backs_up(cluster, pgstow, guarded, "pgstow_backup")


def test_the_grants_that_a_user_lacks(cluster, pgstow, guarded):
    """Printed to a user who may not read all: what is missing, and how to give it."""
    url = cluster.url(guarded, READER)
    found = findings(pgstow, url, "PREFLIGHT")
    missing = only(found, "privileges", "problem")
    assert "hidden.one" in missing["detail"] and "hidden.numbers" in missing["detail"]
    assert '"Odd; Schema"."Ta""ble"' in missing["detail"] and "backup user" not in found
    remedies = [f["remedy"] for title in ("privileges", "large objects", "row security") for f in found[title]]
    assert len(remedies) == 3

    pgstow.run("backup", db=url, expect="DB_PERMISSION").error_says("permission denied")
    assert_nothing_visible(pgstow)
    for remedy in remedies:
        cluster.sql(remedy, guarded)
    assert only(findings(pgstow, url), "privileges", "ok")
    assert_backs_up(cluster, pgstow, guarded, READER)


@pytest.mark.parametrize("table", ["hidden.one", '"Odd; Schema"."Ta""ble"', "parted_low"])
def test_each_forbidden_table_is_named(cluster, pgstow, guarded, table):
    reader = quote_ident(READER)
    cluster.sql(f"""GRANT pg_read_all_data TO {reader}; ALTER ROLE {reader} BYPASSRLS;
                    GRANT doctor_owner TO {reader}; GRANT SELECT ON LARGE OBJECT 88001 TO {reader}""", guarded)
    found = findings(pgstow, cluster.url(guarded, READER))
    assert only(found, "privileges", "ok")
    # pg_read_all_data cannot be taken away for one table: so grant all but one.
    cluster.sql(f"""REVOKE pg_read_all_data, doctor_owner FROM {reader};
                    GRANT USAGE ON SCHEMA hidden, "Odd; Schema" TO {reader};
                    GRANT SELECT ON ALL TABLES IN SCHEMA public, hidden, "Odd; Schema" TO {reader};
                    GRANT SELECT ON ALL SEQUENCES IN SCHEMA hidden TO {reader};
                    GRANT SELECT ON LARGE OBJECT 88002 TO {reader};
                    REVOKE SELECT ON {table} FROM {reader}""", guarded)
    problem = only(findings(pgstow, cluster.url(guarded, READER), "PREFLIGHT"), "privileges", "problem")
    assert table in problem["detail"] and " 1 " in problem["detail"], problem
    result = pgstow.run("backup", db=cluster.url(guarded, READER), expect="DB_PERMISSION")
    result.error_says(table.split(".")[-1].strip('"').replace('""', '.*'))
    assert_nothing_visible(pgstow)
    pgstow.backup(cluster.url(guarded, READER), "--exclude-table", table)


def test_row_security(cluster, pgstow, guarded):
    """Rows that this user would not see: doctor says so, backup refuses, and the remedy helps."""
    reader = quote_ident(READER)
    cluster.sql(f"""GRANT pg_read_all_data TO {reader}; GRANT doctor_owner TO {reader};
                    GRANT SELECT ON LARGE OBJECT 88001 TO {reader}""", guarded)
    problem = only(findings(pgstow, cluster.url(guarded, READER), "PREFLIGHT"), "row security", "problem")
    assert "hidden.one" in problem["detail"]
    pgstow.run("backup", db=cluster.url(guarded, READER), expect="DB_PERMISSION").error_says("row-level security")
    assert_nothing_visible(pgstow)
    cluster.sql(problem["remedy"], guarded)
    assert_backs_up(cluster, pgstow, guarded, READER)


def test_subscriptions(cluster, pgstow, guarded):
    """pg_dump leaves them out for users who are not superusers: said before it happens."""
    cluster.sql("CREATE SUBSCRIPTION doctor_sub CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", guarded)
    try:
        assert "subscriptions" not in findings(pgstow, guarded)
        found = findings(pgstow, cluster.url(guarded, READER), "PREFLIGHT")
        assert "superuser" in only(found, "subscriptions", "warning")["remedy"]
    finally:
        cluster.sql("ALTER SUBSCRIPTION doctor_sub SET (slot_name = NONE); DROP SUBSCRIPTION doctor_sub", guarded)


# ---------------------------------------------------------------- tools


@pytest.mark.parametrize("tool", sorted(TOOL))
@pytest.mark.parametrize("how", ["missing", "too old", "not it"])
def test_tools(cluster, pgstow, shop, tool, how):
    """One tool is not there, too old or something else: a problem of this one, and the others are fine."""
    path = pgstow.folder / "nowhere" / tool
    if how == "too old":
        path = script(pgstow.folder, tool, f"echo '{tool} (PostgreSQL) 9.3.4'\n")
    if how == "not it":
        path = script(pgstow.folder, tool, "echo hello\n")
    result = pgstow.run("doctor", "--json", db=shop, env={TOOL[tool]: path}, expect=None)
    found = {f["title"]: f for f in result.json["findings"]}
    if how == "too old" and tool != "pg_dump":
        return  # psql and pg_restore of any version may do; test_errors.py has what they are refused for
    assert result.status == status_of("PREFLIGHT"), str(result)
    assert found[tool]["level"] == "problem" and str(path) in found[tool]["detail"] + found[tool]["remedy"]
    assert all(found[other]["level"] == "ok" for other in TOOL if other != tool)
    if tool == "pg_dump":
        kind = {"missing": "TOOL_MISSING", "too old": "TOOL_VERSION"}.get(how)
        failed = pgstow.run("backup", db=shop, env={TOOL[tool]: path}, expect=kind)
        assert failed.status != 0
        assert_nothing_visible(pgstow)


# ---------------------------------------------------------------- locks

MANY = 1500


@pytest.fixture(scope="module")
def cramped(module_folder):
    """A server whose lock table is as small as it gets."""
    server = Cluster({"max_locks_per_transaction": 10, "max_connections": 10, "max_wal_senders": 0,
                      "max_worker_processes": 0, "wal_level": "minimal", "autovacuum_max_workers": 1,
                      "max_prepared_transactions": 0, "max_replication_slots": 0})  # fmt: skip
    server.many = server.create(sql=f"""
        DO $$ BEGIN FOR i IN 1 .. {MANY} LOOP
            EXECUTE format('CREATE TABLE t%s (a int)', i);
            IF i % 20 = 0 THEN COMMIT; END IF;
        END LOOP; END $$; INSERT INTO t7 SELECT generate_series(1, 1000)""")  # fmt: skip
    yield server
    server.destroy()


def test_too_few_locks(cramped, folder):
    """What doctor warns of is what happens; what it recommends is enough."""
    there = Pgstow(cramped, folder)
    warning = only(findings(there, cramped.many), "locks", "warning")
    assert "max_locks_per_transaction" in warning["detail"]
    result = there.run("backup", db=cramped.many, expect=None, timeout=60)
    assert result.status in (status_of("DB"), status_of("TOOL_FAILED")), str(result)
    assert "max_locks_per_transaction" in result.stderr.partition("hint:")[2], str(result)
    assert_nothing_visible(there)

    setting = warning["remedy"].removeprefix("set ").partition(" and ")[0]
    cramped.sql(f"ALTER SYSTEM SET {setting}")
    cramped.restart()
    assert only(findings(there, cramped.many), "locks", "ok")
    tables = there.metadata(there.backup(cramped.many, "--jobs", "4"))["tables"]
    assert tables == MANY


# ---------------------------------------------------------------- poolers


class Pgbouncer:
    """A private one before the server, with a pool of this mode and size."""

    def __init__(self, cluster, folder, mode, size, user="postgres", round_robin=False):
        self.user, self.port = user, free_port()
        own = folder / f"bouncer-{self.port}"
        own.mkdir(mode=0o755)
        (own / "ini").write_text(
            f"[databases]\n* = host={cluster.host} port={cluster.port} user={user}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n"
            f"server_round_robin = {int(round_robin)}\n"
        )
        self.log = open(own / "log", "wb")
        self.process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", own / "ini"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            cwd="/", **as_user(server_user() if os.geteuid() == 0 else None),
        )  # fmt: skip
        deadline = time.monotonic() + 10 * SLOWER
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline and self.process.poll() is None, (own / "log").read_text()
            time.sleep(0.02)

    def url(self, database):
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.mark.parametrize("mode, size, level", [
    ("transaction", 10, "problem"), ("statement", 10, "problem"), ("session", 10, "note"),
    pytest.param("transaction", 1, "warning", marks=pytest.mark.slow),
    pytest.param("session", 1, "warning", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_pooler(cluster, pgstow, shop, mode, size, level):
    """Seen, told apart, and never in the way of the other answers."""
    with Pgbouncer(cluster, pgstow.folder, mode, size) as pool:
        found = findings(pgstow, pool.url(shop), "PREFLIGHT" if level == "problem" else "OK")
        finding = only(found, "connection", level)
        assert "pool" in finding["detail"]
        if mode == "transaction" and level == "problem":
            assert "transaction" in finding["detail"] and "session" in finding["remedy"]
        assert found["privileges"] and found["pg_dump"]
    assert only(findings(pgstow, shop), "connection", "ok")


def test_a_backup_through_a_pooler(cluster, pgstow, shop):
    """In session mode it is right; in transaction mode it is refused."""
    copy = f"{shop}_copy"
    with Pgbouncer(cluster, pgstow.folder, "transaction", 20) as pool:
        pgstow.run("backup", db=pool.url(shop), expect="PREFLIGHT").error_says("transaction mode", "session mode")
        assert_nothing_visible(pgstow)
    with Pgbouncer(cluster, pgstow.folder, "session", 20) as pool:
        backup = pgstow.backup(pool.url(shop), "--jobs", "2")
    try:
        pgstow.restore(backup, shop, "--to-db", copy)
        compare.assert_same(cluster, shop, copy)
    finally:
        cluster.drop(copy)


@pytest.mark.parametrize("round_robin", [False, True])
def test_row_security_through_a_pooler(cluster, pgstow, database, round_robin):
    """A pool lends another server session, without the settings of the last one, to the next transaction:
    rows that this user may not see are refused there too, never left out."""
    cluster.sql("""DROP ROLE IF EXISTS pooled; CREATE ROLE pooled LOGIN IN ROLE pg_read_all_data""")
    name = database(sql="""
        CREATE TABLE big AS SELECT g AS id, repeat('x', 200) AS t FROM generate_series(1, 30000) g;
        CREATE TABLE filtered AS SELECT g AS id FROM generate_series(1, 100) g;
        ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON filtered USING (id < 10)""")
    try:
        for jobs in (1, 2, 4):
            with Pgbouncer(cluster, pgstow.folder, "transaction", 20, "pooled", round_robin) as pool:
                result = pgstow.run("backup", "--jobs", jobs, db=pool.url(name), expect=None, timeout=60)
            assert result.status in (status_of("PREFLIGHT"), status_of("DB_PERMISSION")), str(result)
            assert_nothing_visible(pgstow)
    finally:
        cluster.drop(name)
        cluster.sql("DROP ROLE pooled")
