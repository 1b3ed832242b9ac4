"""Servers as they are met outside of a laboratory: a standby, TLS and passwords, old encodings, others
who wait for locks, connections that are cut."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import compare
from harness.cluster import Cluster, server_user, wait_until
from harness.errors import status_of
from harness.program import Pgstow, assert_nothing_visible, program


def with_faults(pgstow):
    return Pgstow(pgstow.cluster, pgstow.folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env=pgstow.env)


# ---------------------------------------------------------------- a standby

BOTH = """
CREATE TABLE wide (id int PRIMARY KEY, t text);
INSERT INTO wide SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 20000) g;
CREATE TABLE narrow (a int, b numeric);
INSERT INTO narrow SELECT g, g / 7.0 FROM generate_series(1, 5000) g;
CREATE SEQUENCE counter;
SELECT setval('counter', 4711);
SELECT lo_from_bytea(5001, 'large');
"""


class Pair:
    """A primary and its hot standby, which gives way to replay at once."""

    def __init__(self):
        self.primary = Cluster({"autovacuum": "off"})  # a worker that looks at a table keeps its dead rows
        self.standby = Cluster(
            {"hot_standby": "on", "max_standby_streaming_delay": "0", "hot_standby_feedback": "off"},
            standby_of=self.primary,
        )

    def caught_up(self):
        at = self.primary.sql("SELECT pg_current_wal_lsn()")
        wait_until(lambda: self.standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{at}'") == "t",
                   "the standby does not follow")  # fmt: skip


@pytest.fixture(scope="module")
def pair():
    both = Pair()
    yield both
    both.standby.destroy()
    both.primary.destroy()


@pytest.fixture
def replicated(pair):
    """A database that the standby has too."""
    name = pair.primary.create(sql=BOTH)
    pair.caught_up()
    yield name
    pair.primary.drop(name, f"{name}_copy")


@pytest.fixture
def on_standby(pair, folder):
    return Pgstow(pair.standby, folder)


def test_a_backup_from_a_standby_is_the_primarys(pair, replicated, on_standby):
    """Restored into the primary it equals the original; it can also be the primary's parent."""
    backup = on_standby.backup(replicated)
    on_primary = Pgstow(pair.primary, on_standby.folder)
    on_primary.restore(backup, replicated, "--to-db", f"{replicated}_copy")
    compare.assert_same(pair.primary, replicated, f"{replicated}_copy")
    on_standby.run("verify", backup, "--level", "rebuild")
    again = on_primary.backup(replicated)
    first, second = on_standby.metadata(backup), on_standby.metadata(again)
    assert first["logicalSize"] == second["logicalSize"]
    assert second["newBytes"] < first["newBytes"] / 5, "the standby's rows are not found again on the primary"


def test_a_restore_into_a_standby_is_refused(pair, replicated, on_standby):
    backup = on_standby.backup(replicated)
    result = on_standby.run("restore", backup, "--to-db", "never_made", db=replicated, expect=None)
    assert result.status in (status_of("PREFLIGHT"), status_of("DB")), str(result)
    result.error_says("standby|read.only|recovery")


def test_doctor_knows_a_standby(pair, replicated, on_standby):
    result = on_standby.run("doctor", db=replicated, expect="OK")
    result.says("a standby", "max_standby_streaming_delay", "hot_standby_feedback")
    assert "standby" not in Pgstow(pair.primary, on_standby.folder).run("doctor", db=replicated).said


CONFLICTS = {
    "VACUUM of rows it reads": "DELETE FROM wide; VACUUM wide; DELETE FROM narrow; VACUUM narrow;",
    "a rewrite": "ALTER TABLE wide ALTER COLUMN id TYPE bigint; ALTER TABLE narrow ALTER COLUMN a TYPE bigint;",
}


@pytest.mark.parametrize("action, point", [
    pytest.param(action, point, marks=[] if quick else [pytest.mark.slow], id=f"{action} at {point}")
    for action in sorted(CONFLICTS)
    for point, quick in (("backup.start.snapshot", action.startswith("VACUUM")), ("backup.opened", False),
                         ("backup.copied", True), ("backup.read", action.startswith("VACUUM")))
])  # fmt: skip
def test_a_recovery_conflict_is_loud(pair, replicated, on_standby, action, point):
    """Replay ends what stands in its way: the backup fails with the settings that prevent it."""
    faults = with_faults(on_standby)
    with faults.start("backup", "--jobs", "1", db=replicated, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped(), str(run.wait())
        pair.primary.sql(CONFLICTS[action], replicated)
        pair.caught_up()
        run.resume()
        result = run.wait(60)
    assert result.status in (status_of("DB"), status_of("CONNECT")), str(result)
    result.error_says("max_standby_streaming_delay", "hot_standby_feedback")
    assert_nothing_visible(on_standby)
    on_standby.backup(replicated)


def test_unlogged_tables_of_a_standby(pair, replicated, on_standby):
    """They have no rows there, and pg_dump leaves them out without a word: we do not."""
    pair.primary.sql("CREATE UNLOGGED TABLE scratchpad AS SELECT 1 AS a", replicated)
    pair.caught_up()
    on_standby.run("doctor", db=replicated).says("1 unlogged")
    result = on_standby.run("backup", db=replicated).error_says("1 unlogged", "standby")
    assert any("unlogged" in w for w in on_standby.metadata(result.id)["warnings"])
    Pgstow(pair.primary, on_standby.folder).restore(result.id, replicated, "--to-db", f"{replicated}_copy")
    assert pair.primary.sql("SELECT count(*) FROM scratchpad", f"{replicated}_copy") == "0"
    assert "unlogged" not in Pgstow(pair.primary, on_standby.folder).run("backup", db=replicated).said


# ---------------------------------------------------------------- TLS

PASSWORD = "s3cr3t-of-tls"
HOST = "db.example"  # the name in the certificate; no name server is asked, hostaddr says where


@pytest.fixture(scope="module")
def tls(module_folder):
    """A server that talks only TLS, with a certificate it made itself."""
    own = module_folder / "tls"
    own.mkdir(mode=0o755)
    cert, key = own / "server.crt", own / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
         "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    if server_user():
        os.chown(key, server_user().pw_uid, server_user().pw_gid)
    server = Cluster({"ssl": "on", "ssl_cert_file": f"'{cert}'", "ssl_key_file": f"'{key}'"})
    server.certificate = cert
    (server.data / "pg_hba.conf").write_text(
        "local all all trust\n"
        "hostnossl all all 127.0.0.1/32 reject\n"
        "hostssl all +needs_password 127.0.0.1/32 scram-sha-256\n"
        "hostssl all all 127.0.0.1/32 trust\n"
    )
    server.sql(f"""CREATE ROLE pw LOGIN SUPERUSER IN ROLE needs_password PASSWORD '{PASSWORD}';
                   SELECT pg_reload_conf()""")
    server.shop = server.create("tls_shop", sql=BOTH)
    yield server
    server.destroy()


@pytest.fixture
def secure(tls, folder):
    return Pgstow(tls, folder)


def url(tls, user="pw", password=PASSWORD, host=HOST, database=None, **parameters):
    who = f"{user}:{password}" if password else user
    more = "".join(f"&{key}={value}" for key, value in parameters.items())
    return f"postgresql://{who}@{host}:{tls.port}/{database or tls.shop}?hostaddr=127.0.0.1{more}"


def test_without_tls_the_server_refuses(secure, tls):
    result = secure.run("backup", db=url(tls, sslmode="disable"), expect="AUTH")
    result.error_says("no encryption|pg_hba")
    assert_nothing_visible(secure)


@pytest.mark.parametrize("mode", ["require", "verify-full", "channel binding"])
def test_tls(secure, tls, mode):
    """Backup and restore, and every tool that they start: the server takes nothing else than TLS."""
    parameters = {
        "require": {"sslmode": "require"},
        "verify-full": {"sslmode": "verify-full", "sslrootcert": str(tls.certificate)},
        "channel binding": {"sslmode": "require", "channel_binding": "require"},
    }[mode]
    copy = "tls_copy"
    db = url(tls, **parameters)
    backup = secure.backup(db)
    if mode == "require":
        return  # less than the others ask for
    try:
        secure.restore(backup, db, "--to-db", copy)
        compare.assert_same(tls, tls.shop, copy)
    finally:
        tls.drop(copy)


@pytest.mark.parametrize("what", ["wrong name", "unknown certificate", "no root file"])
def test_a_server_that_cannot_be_trusted(secure, tls, module_folder, what):
    """Not connected to, whatever it would have answered."""
    other = module_folder / "other.crt"
    if not other.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
             "-keyout", "/dev/null", "-out", other],
            check=True, capture_output=True,
        )  # fmt: skip
    db = {
        "wrong name": url(tls, host="other.example", sslmode="verify-full", sslrootcert=tls.certificate),
        "unknown certificate": url(tls, sslmode="verify-ca", sslrootcert=other),
        "no root file": url(tls, sslmode="verify-full", sslrootcert=module_folder / "not-there.crt"),
    }[what]
    result = secure.run("backup", db=db, expect="CONNECT")
    result.error_says("certificate", "sslmode|sslrootcert")
    assert PASSWORD not in result.said
    assert_nothing_visible(secure)


@pytest.mark.parametrize("point", ["backup.start.toc", "backup.copied"])
def test_every_connection_is_encrypted(secure, tls, point):
    """sslmode=prefer and a server that would let plain ones in too: ours and pg_dump's use TLS."""
    db = url(tls, sslmode="verify-full", sslrootcert=tls.certificate)
    env = {"PGSTOW_FAULT": f"{point}:stop"}
    with with_faults(secure).start("backup", "--jobs", "3", db=db, env=env) as run:
        assert run.wait_stopped(), str(run.wait())
        seen = tls.rows(f"""SELECT a.pid, s.ssl, a.query ~ '^(COPY|FETCH)', a.application_name FROM pg_stat_activity a
                            JOIN pg_stat_ssl s USING (pid) WHERE a.datname = '{tls.shop}'
                            AND a.usename = 'pw'""")  # fmt: skip
        run.resume()
        run.wait().expect("OK")
    # Asking, locking, and pg_dump; or asking, locking, and the readers.
    assert len(seen) >= 3 and all(row[1] == "t" for row in seen), seen


def arguments_with(text):
    """The processes in whose argument list the text stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(line)
    return found


WAYS = ["PGPASSWORD", "passfile", "passfile in the URL", "service file", "DATABASE_URL", "--db"]


def login(pgstow, tls, how):
    """The URL (None: by the environment alone) and environment that give the password this way."""
    folder = pgstow.folder
    passfile = folder / "passfile"
    passfile.write_text(f"*:{tls.port}:*:pw:{PASSWORD}\n")
    passfile.chmod(0o600)
    service = folder / "services"
    service.write_text(f"[mine]\nhost={HOST}\nhostaddr=127.0.0.1\nport={tls.port}\nuser=pw\npassword={PASSWORD}\n"
                       f"dbname={tls.shop}\nsslmode=require\n")  # fmt: skip
    bare = url(tls, password=None, sslmode="require")
    return {
        "PGPASSWORD": (bare, {"PGPASSWORD": PASSWORD}),
        "passfile": (bare, {"PGPASSFILE": passfile}),
        "passfile in the URL": (bare + f"&passfile={passfile}", {}),
        "service file": (None, {"PGSERVICEFILE": service, "PGSERVICE": "mine"}),
        "DATABASE_URL": (None, {"DATABASE_URL": url(tls, sslmode="require")}),
        "--db": (url(tls, sslmode="require"), {}),
    }[how]


@pytest.mark.parametrize("how", WAYS)
def test_a_password_is_shown_nowhere(secure, tls, how):
    """Not in an argument list while pg_dump runs, not by --verbose, not in the repository."""
    db, env = login(secure, tls, how)
    faults = with_faults(secure)
    with faults.start("backup", "--verbose", db=db, env={**env, "PGSTOW_FAULT": "backup.start.toc:stop"}) as run:
        assert run.wait_stopped(), str(run.wait())
        assert arguments_with("--snapshot="), "pg_dump does not run"
        assert arguments_with(PASSWORD) == []
        run.resume()
        result = run.wait().expect("OK")
    assert PASSWORD not in result.said
    stored = [p for p in secure.repo.rglob("*") if p.is_file()]
    assert stored and not any(PASSWORD.encode() in p.read_bytes() for p in stored)
    if how != "service file":
        return
    restored = secure.run("restore", result.id, "--verbose", "--to-db", "tls_pw_copy", db=db, env=env)
    try:
        assert PASSWORD not in restored.said
        compare.assert_same_rows(tls, tls.shop, "tls_pw_copy")
    finally:
        tls.drop("tls_pw_copy")


def test_a_passfile_that_others_may_read_is_refused(secure, tls):
    db, env = login(secure, tls, "passfile")
    (secure.folder / "passfile").chmod(0o644)
    result = secure.run("backup", db=db, env=env, expect="AUTH")
    result.error_says("password")
    assert PASSWORD not in result.said
    assert_nothing_visible(secure)


# ---------------------------------------------------------------- encodings


def encoded(cluster, database, encoding):
    name = cluster.fresh_name("enc")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    database.later(name)
    database.later(f"{name}_copy")
    return name


def table_list(pgstow, backup):
    listed = pgstow.run("list", "--json").json
    assert backup in json.dumps(listed)
    return {t["name"]: t["rows"] for t in pgstow.run("show", backup, "--tables", "--json").json["tableList"]}


def test_latin1(cluster, pgstow, database):
    """Names and values that are other bytes in UTF-8."""
    name = encoded(cluster, database, "LATIN1")
    cluster.sql("""
        CREATE SCHEMA "Straße";
        CREATE TABLE "Straße"."Gäste-Häuser" ("Größe" int PRIMARY KEY, "été" text DEFAULT 'à bientôt');
        COMMENT ON TABLE "Straße"."Gäste-Häuser" IS 'ÿ';
        INSERT INTO "Straße"."Gäste-Häuser" ("Größe") SELECT generate_series(1, 3000);
        INSERT INTO "Straße"."Gäste-Häuser" VALUES (0, (SELECT string_agg(chr(c), '') FROM generate_series(1, 255) c));
        CREATE TABLE "Ã¤" AS SELECT 'Ã¤' AS t;  -- its LATIN1 bytes are valid UTF-8 for another name
        CREATE TABLE "leer é" ();
    """, name)  # fmt: skip
    backup = pgstow.backup(name)
    assert table_list(pgstow, backup) == {"Gäste-Häuser": 3001, "Ã¤": 1, "leer é": 0}
    pgstow.run("show", backup, "--tables").says("Straße", "Gäste-Häuser")
    pgstow.run("verify", backup, "--level", "rebuild")
    pgstow.restore(backup, name, "--to-db", f"{name}_copy")
    compare.assert_same(cluster, name, f"{name}_copy")


def test_latin1_patterns(cluster, pgstow, database):
    """A pattern is what the terminal writes, in UTF-8."""
    name = encoded(cluster, database, "LATIN1")
    cluster.sql('CREATE TABLE "Gäste" AS SELECT 1 AS a; CREATE TABLE other AS SELECT 1 AS a', name)
    backup = pgstow.backup(name, "--exclude-table", '"Gäste"')
    assert table_list(pgstow, backup) == {"other": 1}


ASCII_HASH = """SELECT count(*), md5(string_agg(md5(decode(replace(t, E'\\\\', E'\\\\\\\\'), 'escape')), '' ORDER BY id))
                FROM {0}"""


def test_sql_ascii(cluster, pgstow, database):
    """Bytes that are no UTF-8 at all, in values and in names."""
    name = encoded(cluster, database, "SQL_ASCII")
    cluster.sql(r"""
        CREATE TABLE plain (id int, t text);
        INSERT INTO plain SELECT g, E'\xff\xfe\xc3 \\ \t' || g FROM generate_series(1, 2000) g;
        INSERT INTO plain VALUES (0, (SELECT string_agg(chr(c), '') FROM generate_series(1, 127) c));
        DO $$ BEGIN
            EXECUTE convert_from('\x435245415445205441424c45202262e464ff2220', 'SQL_ASCII')
                    || 'AS SELECT g AS id, E''\xe9\x80'' || g AS t FROM generate_series(1, 500) g';
        END $$;
    """, name)  # fmt: skip
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relname::bytea = '\\x62e464ff'", name) == "1"
    backup = pgstow.backup(name)
    assert table_list(pgstow, backup) == {"plain": 2001, r"b\xe4d\xff": 500}
    pgstow.run("show", backup, "--tables").says("plain")
    pgstow.run("verify", backup, "--level", "rebuild")
    pgstow.run("verify", "--json")
    pgstow.run("stats", "--json").json
    pgstow.restore(backup, name, "--to-db", f"{name}_copy")
    compare.assert_same_dump(cluster, name, f"{name}_copy")
    count = ASCII_HASH.format("plain")
    assert cluster.sql(count, name) == cluster.sql(count, f"{name}_copy")
    again = pgstow.metadata(pgstow.backup(name))
    assert again["newBytes"] < again["logicalSize"] / 5 + 20000


# ---------------------------------------------------------------- others who wait for a lock

WAITING = """SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE d.datname = '{0}' AND NOT l.granted AND l.mode = 'AccessExclusiveLock'"""


def wait_for_waiter(cluster, name):
    wait_until(lambda: cluster.sql(WAITING.format(name)) == "1", "nobody waits for the lock")


def columns(cluster, name, table):
    return cluster.sql(f"SELECT count(*) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0", name)


def test_a_waiter_during_copying(cluster, pgstow_faults, shop, database):
    """Its table is read on the connection that holds the lock; then it gets on."""
    copy = f"{shop}_copy"
    database.later(copy)
    before = compare.row_hashes(cluster, shop)
    with pgstow_faults.start("backup", "--verbose", "--jobs", "2", db=shop, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run, \
            cluster.session(shop) as other:  # fmt: skip
        assert run.wait_stopped()
        mark = other.send("ALTER TABLE item ADD COLUMN late int DEFAULT 5")
        wait_for_waiter(cluster, shop)
        run.resume()
        result = run.wait(30).expect("OK")
        assert "ERROR" not in other.wait(mark, 10)
    assert re.search(r"lock on public\.item: reading it on the locking connection", result.stderr), str(result)
    pgstow_faults.restore(result.id, shop, "--to-db", copy)
    assert compare.row_hashes(cluster, copy) == before
    assert (columns(cluster, copy, "item"), columns(cluster, shop, "item")) == ("4", "5")


@pytest.mark.parametrize("point", ["backup.start.listed", "backup.start.locked", "backup.start.snapshot",
                                   "backup.start.toc"])  # fmt: skip
def test_a_waiter_during_the_start(cluster, pgstow_faults, shop, database, point):
    """pg_dump would wait behind it, and it waits for us: the backup lets go, and begins anew."""
    copy = f"{shop}_copy"
    database.later(copy)
    with pgstow_faults.start("backup", "--lock-wait", "1s", db=shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run, \
            cluster.session(shop) as other:  # fmt: skip
        assert run.wait_stopped()
        mark = other.send("ALTER TABLE item ADD COLUMN late int DEFAULT 5")
        if point != "backup.start.listed":  # no lock stands in its way yet
            wait_for_waiter(cluster, shop)
        else:
            other.wait(mark)
        run.resume()
        result = run.wait(30).expect("OK")
        if point != "backup.start.listed":
            assert "ERROR" not in other.wait(mark, 10)
    pgstow_faults.restore(result.id, shop, "--to-db", copy)
    assert cluster.sql("SELECT count(*), sum(price) FROM item", copy) == cluster.sql(
        "SELECT count(*), sum(price) FROM item", shop)  # fmt: skip
    assert columns(cluster, copy, "item") in ("4", "5")


def test_a_waiter_behind_a_long_transaction(cluster, pgstow, shop):
    """Both were there before us. We wait for the time that we were given, start over, and give up."""
    with cluster.session(shop) as long_one, cluster.session(shop) as waiter:
        long_one.run("BEGIN; SELECT count(*) FROM item")
        mark = waiter.send("ALTER TABLE item ADD COLUMN late int DEFAULT 5")
        wait_for_waiter(cluster, shop)
        result = pgstow.run("backup", "--lock-wait", "100ms", db=shop, expect="DB_CHANGED", timeout=30)
        result.error_says("item|lock", "--lock-wait")
        assert_nothing_visible(pgstow)
        long_one.run("COMMIT")
        assert "ERROR" not in waiter.wait(mark, 10)
    pgstow.backup(shop)


def test_a_long_transaction_that_ends_in_time(cluster, pgstow, shop):
    with cluster.session(shop) as long_one, cluster.session(shop) as waiter:
        long_one.run("BEGIN; SELECT count(*) FROM item")
        mark = waiter.send("ALTER TABLE item ADD COLUMN late int DEFAULT 5")
        wait_for_waiter(cluster, shop)
        with pgstow.start("backup", db=shop) as run:
            wait_until(lambda: cluster.sql(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{shop}' AND application_name = 'pgstow' "
                "AND wait_event_type = 'Lock'") == "1", "the backup does not wait")  # fmt: skip
            long_one.run("COMMIT")
            run.wait(30).expect("OK")
        assert "ERROR" not in waiter.wait(mark, 10)


# ---------------------------------------------------------------- connections that are cut

HOLDS_LOCKS = """EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory')"""
VICTIMS = {
    "the locking one": HOLDS_LOCKS,
    "a reader": f"NOT {HOLDS_LOCKS} AND a.state <> 'idle'",
    "all": "true",
}


@pytest.mark.parametrize("victim, point", [
    ("a reader", "backup.copied"),
    ("the locking one", "backup.start.snapshot"),
    ("the locking one", "backup.start.toc"),
    ("the locking one", "backup.copied"),
    ("the locking one", "backup.read"),
    ("all", "backup.start.snapshot"),
    pytest.param("all", "backup.start.toc", marks=pytest.mark.slow),
    pytest.param("all", "backup.opened", marks=pytest.mark.slow),
    pytest.param("all", "backup.read", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_connection_is_cut(cluster, pgstow_faults, shop, victim, point):
    """The run fails and says so, nothing of it is seen, and the next one goes on from there."""
    if point.startswith("backup.start"):
        # Only where there is a repository is the database locked before the snapshot, which tells the victim.
        with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.opened:kill"}) as run:
            run.wait()
        cluster.assert_no_clients()
    env = {"PGSTOW_FAULT": f"{point}:stop"}
    with pgstow_faults.start("backup", "--jobs", "1", db=shop, env=env) as run:
        assert run.wait_stopped(), str(run.wait())
        cut = cluster.sql(f"""SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
                              WHERE a.datname = '{shop}' AND a.application_name = 'pgstow'
                              AND a.backend_type = 'client backend' AND {VICTIMS[victim]}""")  # fmt: skip
        assert int(cut) >= 1
        run.resume()
        result = run.wait(30)
    assert result.status in (status_of("CONNECT"), status_of("DB")), str(result)
    result.error_says("terminat|connection|lost|the session that held the snapshot has ended")  # as a connection that comes later finds
    assert_nothing_visible(pgstow_faults)
    backup = pgstow_faults.backup(shop)
    pgstow_faults.run("verify", backup, "--level", "rebuild")
