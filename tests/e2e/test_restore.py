"""restore: into a new database, over an old one, and never half."""

import os
import pty
import pwd
import re
import select
import subprocess
import time

import pytest

from harness import compare
from harness.cluster import Cluster
from harness.errors import status_of
from harness.program import Pgstow

REFUSED = ("PREFLIGHT", "DB_EXISTS")  # before anything is touched


def kinds(names):
    return [status_of(name) for name in names]


PROPERTIES = """
SELECT pg_get_userbyid(datdba), datacl::text, datconnlimit, datistemplate, datallowconn,
       shobj_description(d.oid, 'pg_database'), t.spcname, pg_encoding_to_char(encoding), datcollate,
       (SELECT string_agg(coalesce(setrole::regrole::text, '-') || ':' || setconfig::text, ' ' ORDER BY 1)
        FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = '{}'
"""


@pytest.fixture
def saved(pgstow, shop):
    """A backup of the shop, which then lives on: restoring brings back what is gone."""
    return pgstow.backup(shop)


@pytest.fixture
def changed(cluster, pgstow, shop, saved):
    """The shop, backed up and changed since: (name, id, rows at the backup, state now)."""
    then = compare.snapshot(cluster, shop)
    cluster.sql("DELETE FROM item WHERE id > 100; CREATE TABLE later AS SELECT 1 AS a", shop)
    now = compare.snapshot(cluster, shop)
    return shop, saved, then, now


def test_without_an_id_it_lists(cluster, pgstow, shop, saved):
    result = pgstow.run("restore", db=shop)
    result.says(re.escape(saved), r"\d{4}-\d\d-\d\d", r"\d(\.\d+)? ?([kKMG]i?)?B|bytes")
    assert pgstow.run("restore", "--json", db=shop).json
    assert saved in pgstow.run("restore", "--json", db=shop).stdout


def test_to_a_new_database(cluster, pgstow, shop, saved, database):
    database.later(f"{shop}_new")
    result = pgstow.restore(saved, shop, "--to-db", f"{shop}_new")
    assert f"{shop}_new" in result.said
    compare.assert_same(cluster, shop, f"{shop}_new")


def test_to_an_empty_database(cluster, pgstow, shop, saved, database):
    """One that is there and empty is filled; that it has its own owner stays."""
    empty = database()
    cluster.sql(f"ALTER DATABASE {empty} OWNER TO fid_owner")
    pgstow.restore(saved, shop, "--to-db", empty)
    compare.assert_same(cluster, shop, empty)
    assert cluster.sql(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{empty}'") == "fid_owner"


def test_a_dropped_database_comes_back_by_db(cluster, pgstow, shop, saved):
    """--db names a database that is no longer there: it is made again."""
    before = compare.snapshot(cluster, shop)
    cluster.drop(shop)
    pgstow.restore(saved, shop)
    compare.assert_as_before(cluster, shop, before)


def test_json_result(cluster, pgstow, shop, saved, database):
    database.later(f"{shop}_json")
    doc = pgstow.restore(saved, shop, "--to-db", f"{shop}_json", "--json").json
    assert doc["id"] == saved and doc["database"] == f"{shop}_json"
    assert doc["rows"] == 8500


@pytest.mark.parametrize("name", ["id", "key", "latest", "latest:DB", "beginning"])
def test_names_of_a_backup(cluster, pgstow, shop, saved, name):
    word = {"id": saved, "key": pgstow.metadata(saved)["key"], "latest": "latest",
            "latest:DB": f"latest:{shop}", "beginning": saved[:-3]}[name]  # fmt: skip
    plan = pgstow.run("restore", word, "--to-db", "somewhere_else", "--dry-run", "--json", db=shop)
    assert saved in plan.stdout


def test_refuses_a_database_with_contents(cluster, pgstow, changed):
    shop, saved, _, now = changed
    result = pgstow.run("restore", saved, db=shop, expect=None)
    assert result.status in kinds(REFUSED), str(result)
    result.error_says(re.escape(shop), "--replace")
    compare.assert_as_before(cluster, shop, now)


def test_dry_run_touches_nothing(cluster, pgstow, changed):
    shop, saved, _, now = changed
    databases = cluster.databases()
    result = pgstow.run("restore", saved, "--dry-run", "--to-db", "not_made", db=shop)
    result.says("not_made", re.escape(saved))
    pgstow.run("restore", saved, "--dry-run", "--replace", db=shop)
    pgstow.run("restore", saved, "--dry-run", "--in-place", db=shop)
    doc = pgstow.run("restore", saved, "--dry-run", "--replace", "--json", db=shop).json
    assert doc["possible"] is True, doc
    assert cluster.databases() == databases
    compare.assert_as_before(cluster, shop, now)
    # What would be refused is said, by the exit status too.
    result = pgstow.run("restore", saved, "--dry-run", db=shop, expect=None)
    assert result.status in kinds(REFUSED), str(result)


# ---------------------------------------------------------------- --replace


def dress(cluster, name):
    """Give a database everything that belongs to the database itself."""
    cluster.sql(f"""
        ALTER DATABASE {name} OWNER TO fid_owner;
        REVOKE CONNECT, TEMP ON DATABASE {name} FROM PUBLIC;
        GRANT CONNECT ON DATABASE {name} TO fid_reader WITH GRANT OPTION;
        GRANT CREATE ON DATABASE {name} TO "Fid ""quoted"" rôle";
        ALTER DATABASE {name} SET work_mem = '7MB';
        ALTER DATABASE {name} SET search_path = public, "odd x";
        ALTER ROLE fid_reader IN DATABASE {name} SET statement_timeout = '3min';
        ALTER DATABASE {name} CONNECTION LIMIT 17;
        COMMENT ON DATABASE {name} IS E'it''s a \\\\ comment';
    """)
    return cluster.rows(PROPERTIES.format(name))


def test_replace(cluster, pgstow, changed):
    shop, saved, then, _ = changed
    properties = dress(cluster, shop)
    databases = cluster.databases()
    pgstow.restore(saved, shop, "--replace", "--yes")
    compare.assert_as_before(cluster, shop, then)
    assert cluster.rows(PROPERTIES.format(shop)) == properties
    assert cluster.databases() == databases


def test_replace_keep_old(cluster, pgstow, changed, database):
    shop, saved, then, now = changed
    database.later(f"{shop}_old")
    result = pgstow.restore(saved, shop, "--replace", "--keep-old", f"{shop}_old", "--yes")
    assert f"{shop}_old" in result.said
    compare.assert_as_before(cluster, shop, then)
    compare.assert_as_before(cluster, f"{shop}_old", now)


def test_replace_keep_old_name_is_taken(cluster, pgstow, changed, database):
    shop, saved, _, now = changed
    taken = database()
    result = pgstow.run("restore", saved, "--replace", "--keep-old", taken, "--yes", db=shop, expect=None)
    assert result.status in kinds(REFUSED + ("EXISTS",)), str(result)
    result.error_says(taken)
    compare.assert_as_before(cluster, shop, now)


def test_replace_with_others_connected(cluster, pgstow, changed):
    """Connections to the old one are ended; the swap still happens."""
    shop, saved, then, _ = changed
    with cluster.session(shop) as other:
        other.run("BEGIN; SELECT count(*) FROM item")
        pgstow.restore(saved, shop, "--replace", "--yes")
    compare.assert_as_before(cluster, shop, then)


def test_replace_of_a_missing_database_makes_it(cluster, pgstow, shop, saved):
    before = compare.snapshot(cluster, shop)
    cluster.drop(shop)
    pgstow.restore(saved, shop, "--replace", "--yes")
    compare.assert_as_before(cluster, shop, before)


@pytest.fixture
def unrestorable(cluster, database, pgstow):
    """A backup whose restore fails late: a check constraint that its own row breaks by now."""
    name = database(sql="""
        CREATE TABLE dial (n int);
        INSERT INTO dial VALUES (1);
        CREATE FUNCTION allowed(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 10';
        CREATE TABLE t (a int);
        INSERT INTO t VALUES (1), (2), (3);
        ALTER TABLE t ADD CONSTRAINT sometimes CHECK (allowed(a));
        CREATE TABLE u (a int);
        INSERT INTO u SELECT generate_series(1, 1000);
    """)  # fmt: skip
    cluster.sql("CREATE OR REPLACE FUNCTION allowed(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 3'", name)
    return name, pgstow.backup(name)


def test_a_failing_row_fails_the_restore(cluster, pgstow, unrestorable, database):
    """An error of any part: non-zero exit, the object named, nothing called successful."""
    name, saved = unrestorable
    database.later("half_restored")
    result = pgstow.run("restore", saved, "--to-db", "half_restored", db=name, expect=None)
    assert result.status not in (0, 1), str(result)
    result.error_says(r"\bt\b", "sometimes")
    assert not re.search("restored .* successfully|done", result.stdout, re.IGNORECASE)


def test_a_failing_replace_leaves_the_old_one(cluster, pgstow, unrestorable):
    name, saved = unrestorable
    cluster.sql("INSERT INTO u VALUES (-1)", name)
    properties = dress(cluster, name)
    now, databases = compare.snapshot(cluster, name), cluster.databases()
    result = pgstow.run("restore", saved, "--replace", "--yes", db=name, expect=None)
    assert result.status not in (0, 1), str(result)
    result.error_says(r"\bt\b", "sometimes")
    compare.assert_as_before(cluster, name, now)
    assert cluster.rows(PROPERTIES.format(name)) == properties
    assert cluster.databases() == databases, "the shadow database was left behind"


@pytest.mark.parametrize("what", ["unique", "foreign key", "materialized view"])
def test_a_failing_post_data_part_fails_the_restore(cluster, pgstow, database, what):
    """Rows load, then an index, a constraint or a view cannot be made."""
    name = database(sql="CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    if what == "unique":
        # Two equal rows under a unique index, as a corrupted index allows.
        cluster.sql("""CREATE UNIQUE INDEX one ON t (a);
            SET allow_system_table_mods = on;
            UPDATE pg_index SET indisready = false WHERE indexrelid = 'one'::regclass;""", name)
        cluster.sql("INSERT INTO t VALUES (1)", name)
        cluster.sql("""SET allow_system_table_mods = on;
            UPDATE pg_index SET indisready = true WHERE indexrelid = 'one'::regclass;""", name)
    elif what == "foreign key":
        cluster.sql("""CREATE TABLE p (a int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
            ALTER TABLE t ADD CONSTRAINT one FOREIGN KEY (a) REFERENCES p;
            SET session_replication_role = replica; DELETE FROM p WHERE a = 2;""", name)
    else:
        cluster.sql("CREATE MATERIALIZED VIEW one AS SELECT 10 / a AS x FROM t; UPDATE t SET a = 0 WHERE a = 2", name)
    backup = pgstow.backup(name)
    copy = f"{name}_copy"
    database.later(copy)
    result = pgstow.run("restore", backup, "--to-db", copy, db=name, expect=None)
    assert result.status not in (0, 1), str(result)
    result.error_says("one")
    now = compare.snapshot(cluster, name)
    result = pgstow.run("restore", backup, "--replace", "--yes", db=name, expect=None)
    assert result.status not in (0, 1), str(result)
    compare.assert_as_before(cluster, name, now)


# ---------------------------------------------------------------- --in-place


def test_in_place(cluster, pgstow, changed):
    shop, saved, then, _ = changed
    properties = dress(cluster, shop)
    databases = cluster.databases()
    with cluster.session(shop) as other:
        other.run("BEGIN; SELECT count(*) FROM item")
        pgstow.restore(saved, shop, "--in-place", "--yes")
    compare.assert_as_before(cluster, shop, then)
    assert cluster.rows(PROPERTIES.format(shop)) == properties
    assert cluster.databases() == databases


def test_in_place_proves_the_backup_first(cluster, pgstow, changed):
    """Damage that only reading every byte finds: the old database must still be there."""
    shop, saved, _, now = changed
    packs = sorted((pgstow.repo / "packs").rglob("*-*"), key=lambda p: p.stat().st_size)
    data = bytearray(packs[-1].read_bytes())
    data[len(data) // 2] ^= 0x10
    packs[-1].chmod(0o600)
    packs[-1].write_bytes(data)
    pgstow.run("restore", saved, "--in-place", "--yes", db=shop, expect="DAMAGED")
    compare.assert_as_before(cluster, shop, now)


# ---------------------------------------------------------------- confirmation


@pytest.mark.parametrize("way", ["--replace", "--in-place"])
def test_needs_yes_elsewhere_than_on_a_terminal(cluster, pgstow, changed, way):
    shop, saved, _, now = changed
    result = pgstow.run("restore", saved, way, db=shop, expect="CONFIRM")
    result.error_says("--yes")
    compare.assert_as_before(cluster, shop, now)


@pytest.mark.parametrize("answer, happens", [("no", False), ("", False), ("yes", True)])
def test_asks_on_a_terminal(cluster, pgstow, changed, answer, happens):
    shop, saved, then, now = changed
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        pgstow.command(["restore", saved, "--replace"], shop), stdin=follower, stdout=follower, stderr=follower,
        env=pgstow.environment({"TERM": "dumb"}), start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    seen, asked, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                seen += os.read(leader, 65536)
            except OSError:
                break
        if not asked and seen.rstrip().endswith((b"?", b":", b"]", b")", b">")):
            # The database's own name is a careful answer where it is asked for.
            wanted = shop if answer == "yes" and re.search(rb"type the .*name|name of the database", seen) else answer
            os.write(leader, wanted.encode() + b"\n")
            asked = True
    status = process.wait(60)
    os.close(leader)
    assert asked, seen.decode()
    assert shop in seen.decode()
    assert (status == 0) is happens, seen.decode()
    compare.assert_as_before(cluster, shop, then if happens else now)


# ---------------------------------------------------------------- choices


def test_at(cluster, pgstow, shop, database):
    """The newest good backup that is not after the time."""
    first = pgstow.backup(shop)
    time.sleep(1.1)
    cluster.sql("DELETE FROM item WHERE id = 1", shop)
    second = pgstow.backup(shop)
    stamps = [pgstow.metadata(b)["timestamp"] for b in (first, second)]
    for at, wanted in ((stamps[0], first), (stamps[1], second), ("2999-01-01T00:00:00Z", second)):
        plan = pgstow.run("restore", "--at", at, "--to-db", "somewhere_else", "--dry-run", db=shop)
        assert wanted in plan.said, (at, str(plan))
    result = pgstow.run("restore", "--at", "2001-01-01T00:00:00Z", "--to-db", "x", db=shop, expect="NOT_FOUND")
    result.error_says(re.escape(shop))
    pgstow.run("restore", "--at", "yesterday-ish", "--to-db", "x", db=shop, expect="USAGE")


@pytest.fixture
def owned(database):
    return database(sql="""
        CREATE TABLE t (a int); INSERT INTO t VALUES (1);
        ALTER TABLE t OWNER TO fid_owner;
        GRANT SELECT ON t TO fid_reader;
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO fid_reader;
    """)  # fmt: skip


OWNER_AND_ACL = "SELECT pg_get_userbyid(relowner), relacl IS NOT NULL FROM pg_class WHERE relname = 't'"


@pytest.mark.parametrize("flags, owner, acl", [
    ([], "fid_owner", "t"),
    (["--no-owner"], "postgres", "t"),
    (["--no-privileges"], "fid_owner", "f"),
    (["--no-owner", "--no-privileges"], "postgres", "f"),
    (["--no-owner", "--no-privileges", "--role", "fid_creator"], "fid_creator", "f"),
])  # fmt: skip
def test_owner_and_privileges(cluster, pgstow, owned, database, flags, owner, acl):
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_creator CREATEDB; EXCEPTION WHEN duplicate_object THEN END $$")
    copy = f"{owned}_copy"
    database.later(copy)
    if "--role" in flags:
        cluster.create(copy)
        cluster.sql(f"ALTER DATABASE {copy} OWNER TO fid_creator; ", copy)
        cluster.sql("GRANT CREATE ON SCHEMA public TO fid_creator", copy)
    pgstow.restore(pgstow.backup(owned), owned, "--to-db", copy, *flags)
    assert cluster.sql(OWNER_AND_ACL, copy) == f"{owner}|{acl}"
    assert cluster.sql("SELECT a FROM t", copy) == "1"
    assert cluster.sql("SELECT count(*) FROM pg_default_acl", copy) == ("1" if acl == "t" else "0")


def test_missing_roles_are_found_before_anything_is_touched(cluster, pgstow, database):
    cluster.sql('CREATE ROLE "goes away"; CREATE ROLE goes_too')
    name = database(sql='CREATE TABLE t (a int); ALTER TABLE t OWNER TO "goes away"; GRANT SELECT ON t TO goes_too')
    saved = pgstow.backup(name)
    cluster.drop(name)
    cluster.sql('DROP ROLE "goes away"; DROP ROLE goes_too')
    result = pgstow.run("restore", saved, "--to-db", f"{name}_new", db="postgres", expect="PREFLIGHT")
    result.error_says("goes away", "goes_too", "--no-owner|CREATE ROLE")
    assert not cluster.exists(f"{name}_new")
    database.later(f"{name}_new")
    pgstow.restore(saved, "postgres", "--to-db", f"{name}_new", "--no-owner", "--no-privileges")
    assert cluster.sql("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 't'", f"{name}_new") == "postgres"


def test_a_missing_tablespace(cluster, pgstow, database):
    cluster.sql("SET allow_in_place_tablespaces = on;\nCREATE TABLESPACE soon_gone LOCATION ''")
    name = database(sql="CREATE TABLE t TABLESPACE soon_gone AS SELECT 1 AS a")
    saved = pgstow.backup(name)
    cluster.drop(name)
    cluster.sql("DROP TABLESPACE soon_gone")
    result = pgstow.run("restore", saved, "--to-db", f"{name}_new", db="postgres", expect="PREFLIGHT")
    result.error_says("soon_gone", "--no-tablespaces")
    assert not cluster.exists(f"{name}_new")
    database.later(f"{name}_new")
    pgstow.restore(saved, "postgres", "--to-db", f"{name}_new", "--no-tablespaces")
    assert cluster.sql("SELECT a FROM t", f"{name}_new") == "1"


def test_a_missing_extension(cluster, pgstow, database):
    """Extensions that the server does not have are found before anything is touched."""
    share = next(cluster.folder.glob("pg/**/extension/pgstow_fixture.control"))
    name = database(sql="CREATE EXTENSION pgstow_fixture")
    saved = pgstow.backup(name)
    hidden = share.with_suffix(".hidden")
    share.rename(hidden)
    try:
        result = pgstow.run("restore", saved, "--to-db", f"{name}_new", db=name, expect="PREFLIGHT")
    finally:
        hidden.rename(share)
    result.error_says("pgstow_fixture")
    assert not cluster.exists(f"{name}_new")


# ---------------------------------------------------------------- what would be lost


def test_replication_slots_are_named(cluster, pgstow, changed):
    shop, saved, then, now = changed
    cluster.sql("SELECT pg_create_logical_replication_slot('my_slot', 'pgoutput')", shop)
    try:
        for way in ("--replace", "--in-place"):
            result = pgstow.run("restore", saved, way, "--yes", db=shop, expect="PREFLIGHT")
            result.error_says("my_slot")
            compare.assert_as_before(cluster, shop, now)
        pgstow.restore(saved, shop, "--replace", "--yes", "--detach")
        compare.assert_as_before(cluster, shop, then)
    finally:
        cluster.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def test_subscriptions_are_named(cluster, pgstow, changed):
    shop, saved, _, now = changed
    cluster.sql("CREATE SUBSCRIPTION my_sub CONNECTION 'host=192.0.2.1' PUBLICATION p WITH (connect = false, slot_name = NONE)", shop)
    try:
        for way in ("--replace", "--in-place"):
            result = pgstow.run("restore", saved, way, "--yes", db=shop, expect="PREFLIGHT")
            result.error_says("my_sub")
    finally:
        cluster.sql("ALTER SUBSCRIPTION my_sub DISABLE; DROP SUBSCRIPTION my_sub", shop)
    compare.assert_as_before(cluster, shop, now)


# ---------------------------------------------------------------- less than a superuser


def test_an_ordinary_owner_can_back_up_and_restore(cluster, pgstow, database):
    """Managed servers give no superuser: a role with CREATEDB that owns its database does it all."""
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_plain LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN END $$")
    name = cluster.fresh_name("plain")
    database.later(name)
    database.later(f"{name}_copy")
    cluster.sql(f"CREATE DATABASE {name}", user="fid_plain")
    cluster.sql("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT g AS a, md5(g::text) AS b FROM generate_series(1, 1000) g; "
                "ALTER TABLE s.t ADD PRIMARY KEY (a); SELECT lo_from_bytea(0, 'x')", name, user="fid_plain")  # fmt: skip
    url = cluster.url(name, "fid_plain")
    backup = pgstow.backup(url)
    pgstow.restore(backup, url, "--to-db", f"{name}_copy")
    compare.assert_same(cluster, name, f"{name}_copy")
    before = compare.snapshot(cluster, name)
    cluster.sql("DROP TABLE s.t", name)
    pgstow.restore(backup, url, "--replace", "--yes")
    compare.assert_as_before(cluster, name, before)


def test_twice_at_once_into_one_name(cluster, pgstow, shop, saved, database):
    """Two restores into one new database: one makes it, the other is told."""
    database.later(f"{shop}_new")
    runs = [pgstow.start("restore", saved, "--to-db", f"{shop}_new", db=shop) for _ in range(2)]
    results = [run.wait() for run in runs]
    assert sorted(r.status == 0 for r in results) == [False, True], "\n".join(map(str, results))
    compare.assert_same(cluster, shop, f"{shop}_new")


def test_a_quoted_target(cluster, pgstow, shop, saved, database):
    odd = "tar\"get 'x' %s"
    database.later(odd)
    pgstow.restore(saved, shop, "--to-db", odd)
    compare.assert_same(cluster, shop, odd)
    cluster.sql("DELETE FROM item", odd)
    pgstow.restore(saved, odd, "--replace", "--yes")
    compare.assert_same(cluster, shop, odd)
    assert cluster.sql("SELECT 1 FROM pg_database WHERE datname LIKE 'tar%'") == "1"


def test_a_repository_that_may_only_be_read(cluster, pgstow, shop, saved, database):
    """Restoring needs no right to write (run as an unprivileged user where the tests run as root)."""
    database.later(f"{shop}_ro")
    for path in [pgstow.repo, *pgstow.repo.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    try:
        pgstow.run("restore", saved, "--to-db", f"{shop}_ro", db=shop, user=user, env={"HOME": "/nonexistent"})
    finally:
        for path in [pgstow.repo, *pgstow.repo.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    compare.assert_same(cluster, shop, f"{shop}_ro")


def test_two_servers(cluster, pgstow, shop, saved):
    """--db names another server: the backup goes there."""
    other = Cluster()
    try:
        there = Pgstow(other, pgstow.folder)
        there.restore(saved, "postgres", "--to-db", "arrived")
        assert other.sql("SELECT count(*) FROM item", "arrived") == "8000"
    finally:
        other.destroy()


def test_a_replaced_database_with_a_subscription_goes(cluster, pgstow, database):
    """Its subscription is dropped by a connection into it, which must not be ended along with everybody else's."""
    db = database(sql="CREATE TABLE t (id int PRIMARY KEY)")
    saved = pgstow.backup(db)
    before = cluster.databases()
    for _ in range(3):
        cluster.sql("CREATE SUBSCRIPTION held CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", db)
        done = pgstow.restore(saved, db, "--replace", "--yes", "--detach").says("replication slot on the publisher")
        assert "stays behind" not in done.said, done
        assert cluster.databases() == before
