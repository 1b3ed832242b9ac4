"""The errors that a person meets, each provoked for real: its exit status, what it says, what it
leaves behind."""

import pwd
import re
import socket
from pathlib import Path

import pytest

from harness import compare
from harness.cluster import free_port
from harness.errors import status_of
from harness.mounts import needs_root
from harness.program import assert_nothing_visible
from harness.tools import TOOL, script


# ---------------------------------------------------------------- the connection


def test_connection_refused(pgstow):
    port = free_port()
    result = pgstow.run("backup", "--db", f"postgresql://postgres@127.0.0.1:{port}/x", expect="CONNECT")
    result.error_says("127.0.0.1", str(port), "refused")
    assert_nothing_visible(pgstow)


def test_unknown_host(pgstow):
    result = pgstow.run("backup", "--db", "postgresql://postgres@no-such-host.invalid/x", expect="CONNECT")
    result.error_says("no-such-host.invalid")


def test_no_answer(pgstow):
    """A port that accepts and is silent: the connect timeout ends it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        url = f"postgresql://postgres@127.0.0.1:{s.getsockname()[1]}/x?connect_timeout=2"
        result = pgstow.run("backup", "--db", url, expect=None, timeout=30)
    assert result.status in (status_of("CONNECT"), status_of("TIMEOUT")), str(result)


@pytest.fixture
def with_password(cluster, shop):
    cluster.sql("""DO $$ BEGIN CREATE ROLE pw_user LOGIN SUPERUSER IN ROLE needs_password;
                   EXCEPTION WHEN duplicate_object THEN END $$;
                   ALTER ROLE pw_user PASSWORD 'r1ght p@ss:w/rd%'""")
    return shop


@pytest.mark.parametrize("password", ["wr0ng-secret", None])
def test_wrong_password(cluster, pgstow, with_password, password):
    """By scram. Nothing prompts, and the password is not repeated."""
    result = pgstow.run("backup", db=cluster.url(with_password, "pw_user", password), expect="AUTH", timeout=30)
    result.error_says("password", *(["pw_user"] if password else [with_password]))
    assert "wr0ng-secret" not in result.said
    assert_nothing_visible(pgstow)


@pytest.mark.parametrize("how", ["url", "PGPASSWORD", "passfile"])
def test_right_password(cluster, pgstow, with_password, how):
    """Backup and restore, and the tools that they start, all log in."""
    url, env = cluster.url(with_password, "pw_user"), {}
    if how == "url":
        url = cluster.url(with_password, "pw_user", "r1ght p@ss:w/rd%")
    elif how == "PGPASSWORD":
        env = {"PGPASSWORD": "r1ght p@ss:w/rd%"}
    else:
        path = pgstow.folder / "passfile"
        path.write_text(f"127.0.0.1:{cluster.port}:*:pw_user:r1ght p@ss\\:w/rd%\n")
        path.chmod(0o600)
        env = {"PGPASSFILE": str(path)}
    backup = pgstow.run("backup", db=url, env=env)
    result = pgstow.run("restore", backup.id, "--replace", "--yes", db=url, env=env)
    for run in (backup, result):
        assert "r1ght" not in run.said
    assert not any(b"r1ght" in p.read_bytes() for p in pgstow.repo.rglob("*") if p.is_file())


def test_the_password_is_in_no_argument_list(cluster, pgstow_faults, with_password):
    """Not of pgstow's own children, and gone from its own, where it was given in --db."""
    tool = script(pgstow_faults.folder, "spy",
                  f'echo "$0 $*" >> {pgstow_faults.folder}/seen\nexec {cluster.bin}/pg_dump "$@"\n')  # fmt: skip
    url = cluster.url(with_password, "pw_user", "r1ght p@ss:w/rd%")
    env = {TOOL["pg_dump"]: str(tool), "DATABASE_URL": url, "PGSTOW_FAULT": "backup.start.toc:stop"}
    with pgstow_faults.start("backup", env=env) as run:
        assert run.wait_stopped()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            assert b"r1ght" not in line and b"r1ght%20" not in line, (path, line)
        run.resume()
        run.wait()
    seen = (pgstow_faults.folder / "seen").read_text()
    assert "--snapshot" in seen and "r1ght" not in seen


def test_no_such_role(cluster, pgstow, shop):
    result = pgstow.run("backup", db=cluster.url(shop, "nobody_known"), expect="AUTH")
    result.error_says("nobody_known")


def test_no_such_database(cluster, pgstow):
    result = pgstow.run("backup", db="not_a_database", expect="DB_NOT_FOUND")
    result.error_says("not_a_database")
    assert_nothing_visible(pgstow)


def test_too_many_connections(cluster, pgstow, shop):
    """The server has no place left: said as what it is, and it may be tried again."""
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_few LOGIN; EXCEPTION WHEN duplicate_object THEN END $$; "
                "GRANT pg_read_all_data TO fid_few; ALTER ROLE fid_few CONNECTION LIMIT 1")  # fmt: skip
    result = pgstow.run("backup", db=cluster.url(shop, "fid_few"), expect=None)
    assert result.status in (status_of("CONNECT"), status_of("AUTH"), status_of("DB")), str(result)
    result.error_says("too many connections")
    assert_nothing_visible(pgstow)


def test_the_server_dies(cluster, pgstow_faults, shop):
    """Its connections are cut while rows are read: loud, and nothing visible."""
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run:
        assert run.wait_stopped()
        cut = cluster.sql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{shop}'")
        assert int(cut) >= 1
        run.resume()
        result = run.wait(60)
    assert result.status in [status_of(k) for k in ("CONNECT", "DB", "DB_CHANGED", "TOOL_FAILED")], str(result)
    assert_nothing_visible(pgstow_faults)
    pgstow_faults.backup(shop)


def test_one_worker_dies(cluster, pgstow_faults, shop):
    """Any worker's death ends all, loudly: here the connection that holds the locks."""
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.read:stop"}) as run:
        assert run.wait_stopped()
        cluster.sql(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{shop}'
                        AND state LIKE 'idle in transaction%'""")
        run.resume()
        result = run.wait(60)
    assert result.status != 0, str(result)
    assert_nothing_visible(pgstow_faults)


# ---------------------------------------------------------------- permissions


def test_permission_denied_on_a_table(cluster, pgstow, shop):
    cluster.sql("""DO $$ BEGIN CREATE ROLE fid_poor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
                   CREATE TABLE "Se cret" AS SELECT 1 AS a; GRANT SELECT ON customer, item, empty_one TO fid_poor;
                   GRANT SELECT ON SEQUENCE counter TO fid_poor; GRANT SELECT ON LARGE OBJECT 77001 TO fid_poor""", shop)
    result = pgstow.run("backup", db=cluster.url(shop, "fid_poor"), expect="DB_PERMISSION")
    result.error_says("Se cret", "GRANT|pg_read_all_data|doctor")
    assert_nothing_visible(pgstow)


def test_row_security_is_no_silent_filter(cluster, pgstow, shop):
    """Rows that the backup's role may not see: refused, never left out."""
    cluster.sql("""DO $$ BEGIN CREATE ROLE fid_filtered LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
                   GRANT SELECT ON ALL TABLES IN SCHEMA public TO fid_filtered;
                   GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO fid_filtered;
                   GRANT SELECT ON LARGE OBJECT 77001 TO fid_filtered;
                   ALTER TABLE item ENABLE ROW LEVEL SECURITY;
                   CREATE POLICY some_rows ON item FOR SELECT USING (id < 10)""", shop)
    result = pgstow.run("backup", db=cluster.url(shop, "fid_filtered"), expect="DB_PERMISSION")
    result.error_says("item", "row.level security|row security|policy|BYPASSRLS")
    assert_nothing_visible(pgstow)


def test_may_not_create_databases(cluster, pgstow, shop):
    backup = pgstow.backup(shop)
    cluster.sql("""DO $$ BEGIN CREATE ROLE fid_nocreate LOGIN; EXCEPTION WHEN duplicate_object THEN END $$""")
    result = pgstow.run("restore", backup, "--to-db", "never_made", db=cluster.url(shop, "fid_nocreate"), expect=None)
    assert result.status in (status_of("PREFLIGHT"), status_of("DB_PERMISSION")), str(result)
    result.error_says("fid_nocreate|CREATEDB|create")
    assert not cluster.exists("never_made")


@pytest.fixture
def nobody():
    needs_root()
    return pwd.getpwnam("nobody")


def test_repository_folder_not_writable(pgstow, shop, nobody):
    """Run as nobody: the folder is another's."""
    (pgstow.folder / "repo").mkdir(mode=0o755)
    result = pgstow.run("backup", db=shop, user=nobody, env={"HOME": "/nonexistent"}, expect="REPO_PERMISSION")
    result.error_says(re.escape(str(pgstow.repo)))
    assert list(pgstow.repo.iterdir()) == []


def test_repository_of_another_user(pgstow, shop, nobody):
    pgstow.backup(shop)
    files = pgstow.files()
    for args in (("backup",), ("list",), ("verify",)):
        result = pgstow.run(*args, db=shop, user=nobody, env={"HOME": "/nonexistent"}, expect="REPO_PERMISSION")
        result.error_says(re.escape(str(pgstow.repo)))
    assert pgstow.files() == files


def test_a_parent_folder_that_is_not_there(pgstow, shop):
    result = pgstow.run("backup", "--repo", pgstow.folder / "a" / "file", db=shop, repo=False, expect=None)
    if result.status == 0:
        assert (pgstow.folder / "a" / "file" / "config").exists()
    else:
        assert result.status in [status_of(k) for k in ("IO", "REPO_PERMISSION")], str(result)


def test_the_repository_is_a_file(pgstow, shop):
    pgstow.repo.write_text("not a folder")
    result = pgstow.run("backup", db=shop, expect=None)
    assert result.status not in (0, 1), str(result)
    result.error_says(re.escape(str(pgstow.repo)))
    assert pgstow.repo.read_text() == "not a folder"


def test_a_folder_of_other_things_is_left_as_it_is(pgstow, shop):
    """--repo points at a folder that holds something else, such as old dumps: it stays untouched."""
    pgstow.repo.mkdir()
    (pgstow.repo / "old.dump").write_text("x")
    backup = pgstow.backup(shop)
    pgstow.run("verify", "--level", "rebuild")
    assert pgstow.ids() == [backup]
    assert (pgstow.repo / "old.dump").read_text() == "x"


# ---------------------------------------------------------------- in use, at once


def test_a_second_backup_of_the_same_database(pgstow_faults, shop, database):
    """Refused at once, naming the first; another database's is not."""
    other = database(sql="CREATE TABLE t AS SELECT 1 AS a")
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run:
        assert run.wait_stopped()
        result = pgstow_faults.run("backup", db=shop, expect="BUSY", timeout=30)
        result.error_says(shop, str(run.process.pid))
        side = pgstow_faults.backup(other)
        run.resume()
        first = run.wait().expect("OK").id
    assert sorted(pgstow_faults.ids()) == sorted([first, side])
    pgstow_faults.run("verify", "--level", "rebuild")


def test_two_backups_into_two_repositories(cluster, pgstow_faults, shop):
    """The second has another repository: whatever the answer, it is a clear one."""
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run:
        assert run.wait_stopped()
        result = pgstow_faults.run("backup", db=shop, repo=pgstow_faults.folder / "second", expect=None, timeout=30)
        assert result.status in (0, status_of("BUSY")), str(result)
        run.resume()
        run.wait().expect("OK")


def test_database_in_use(cluster, pgstow, database):
    """A superuser's session that an ordinary owner may not end: told, and the old one stays."""
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_plain LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN END $$")
    name = cluster.fresh_name("used")
    database.later(name)
    cluster.sql(f"CREATE DATABASE {name}", user="fid_plain")
    cluster.sql("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a", name, user="fid_plain")
    url = cluster.url(name, "fid_plain")
    backup = pgstow.backup(url)
    databases = cluster.databases()
    before = compare.snapshot(cluster, name)
    with cluster.session(name) as other:
        other.run("SELECT 1")
        for way in ("--replace", "--in-place"):
            result = pgstow.run("restore", backup, way, "--yes", db=url, expect=None, timeout=60)
            assert result.status in (status_of("DB_IN_USE"), status_of("PREFLIGHT")), str(result)
            result.error_says(name, "in use|sessions?")
    compare.assert_as_before(cluster, name, before)
    assert cluster.databases() == databases


def test_a_prepared_transaction(cluster, pgstow, shop):
    """Nobody can end it but by its name: named before anything is touched."""
    backup = pgstow.backup(shop)
    cluster.sql("BEGIN; INSERT INTO empty_one VALUES (1); PREPARE TRANSACTION 'left over'", shop)
    before = compare.snapshot(cluster, shop)
    try:
        for way in ("--replace", "--in-place"):
            result = pgstow.run("restore", backup, way, "--yes", db=shop, expect=None, timeout=60)
            assert result.status in (status_of("DB_IN_USE"), status_of("PREFLIGHT")), str(result)
            result.error_says("left over|prepared")
        compare.assert_as_before(cluster, shop, before)
    finally:
        cluster.sql("ROLLBACK PREPARED 'left over'", shop)


# ---------------------------------------------------------------- names


def test_near_names(pgstow, shop):
    backup = pgstow.backup(shop)
    wrong = backup[:-2] + ("0Z" if backup[-2] != "0" else "1Z")
    for args in (("show", wrong), ("restore", wrong, "--to-db", "x"), ("delete", wrong), ("verify", wrong),
                 ("export", wrong, "--format", "custom", "-o", "-")):  # fmt: skip
        result = pgstow.run(*args, db=shop, expect="NOT_FOUND")
        result.error_says(re.escape(wrong), re.escape(backup))
        assert result.stdout == "", str(result)


def test_names_that_are_paths(pgstow, shop):
    pgstow.backup(shop)
    for name in ("../config", "/etc/passwd", "", ".", "..", "a/../../b", "x\ny", "%s%n", "latest:", "latest:nope"):
        result = pgstow.run("show", name, expect=None)
        assert result.status in (status_of("NOT_FOUND"), status_of("USAGE")), str(result)
