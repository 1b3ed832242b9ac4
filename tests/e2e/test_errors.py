"""The errors that a person meets, each provoked for real: its exit status, what it says, what it
leaves behind."""

import fcntl
import os
import pty
import pwd
import re
import signal
import socket
import stat
import subprocess
import termios
import time
from pathlib import Path

import pytest

from harness import compare
from harness.cluster import SLOWER, free_port
from harness.errors import status_of

# The settings that name the tools, as environment variables.
TOOL = {"pg_dump": "PGSTOW_PG_DUMP", "pg_restore": "PGSTOW_PG_RESTORE", "psql": "PGSTOW_PSQL"}


def assert_nothing_visible(pgstow):
    """No half backup, nothing waiting: as if the run had never been."""
    if not pgstow.repo.exists():
        return
    assert pgstow.manifests() == []
    assert pgstow.ids() == []
    leftover = [n for n in pgstow.files() if ".metadata.json" in n or n.endswith((".tmp", ".part"))]
    assert leftover == []


def needs_root():
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small file system: run it as root")


class SmallDisk:
    """A tmpfs of so many bytes."""

    def __init__(self, path, size):
        needs_root()
        self.path = Path(path)
        self.path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", self.path], check=True)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


# ---------------------------------------------------------------- the tools


def script(folder, name, text):
    path = Path(folder) / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_forced_missing(cluster, pgstow, shop):
    """FORCE_PG_DUMP_MISSING=1: what was looked for and where, the server, the remedy."""
    result = pgstow.run("backup", db=shop, env={"FORCE_PG_DUMP_MISSING": "1"}, expect="TOOL_MISSING")
    version = cluster.sql("SHOW server_version").split(".")[0]
    result.error_says("pg_dump", "PATH", "/usr/lib/postgresql", version, rf"postgresql-client-{version}|install")
    assert_nothing_visible(pgstow)


@pytest.mark.parametrize("tool", ["pg_dump", "pg_restore", "psql"])
def test_tools_really_gone(pgstow, shop, tool):
    """Run where the folders of PostgreSQL's programs are empty, in a mount namespace of its own."""
    needs_root()
    saved = pgstow.backup(shop) if tool != "pg_dump" else None
    if tool == "pg_dump":
        args = ["backup"]
    elif tool == "pg_restore":
        args = ["restore", saved, "--to-db", "never_made"]
    else:
        args = ["doctor"]
    command = pgstow.command(args, shop)
    hide = "mount -t tmpfs none /usr/lib/postgresql && for f in /usr/bin/pg_dump /usr/bin/pg_restore /usr/bin/psql; do " \
           "[ ! -e $f ] || mount --bind /usr/share/common-licenses/BSD $f 2>/dev/null || " \
           "mount --bind /etc/hostname $f; done; exec \"$@\""  # fmt: skip
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide, "sh", *command], capture_output=True, text=True,
        env=pgstow.environment(), timeout=60 * SLOWER,
    )  # fmt: skip
    assert re.search(rf"{tool}\b.*(not found|missing|was not)", done.stdout + done.stderr), done
    assert "install" in done.stdout + done.stderr, done
    if tool != "psql":
        assert done.returncode == status_of("TOOL_MISSING"), done
    else:
        assert done.returncode != 0, done


@pytest.mark.parametrize("tool, args", [
    ("pg_dump", ["backup"]), ("pg_restore", ["restore", "latest", "--to-db", "never_made"]),
])  # fmt: skip
def test_a_setting_that_leads_nowhere(cluster, pgstow, shop, tool, args):
    pgstow.backup(shop)
    result = pgstow.run(*args, db=shop, env={TOOL[tool]: "/nowhere/bin/" + tool}, expect="TOOL_MISSING")
    result.error_says(re.escape("/nowhere/bin/" + tool))
    assert not cluster.exists("never_made")


@pytest.mark.parametrize("tool, args", [
    ("pg_dump", ["backup"]), ("pg_restore", ["restore", "latest", "--to-db", "never_made"]),
])  # fmt: skip
def test_too_old(cluster, pgstow, shop, tool, args):
    pgstow.backup(shop)
    old = script(pgstow.folder, tool, f'[ "$1" = --version ] || [ "$1" = -V ] && echo "{tool} (PostgreSQL) 9.6.24" && exit\nexit 3\n')
    result = pgstow.run(*args, db=shop, env={TOOL[tool]: str(old)}, expect="TOOL_VERSION")
    version = cluster.sql("SHOW server_version").split(".")[0]
    result.error_says(r"9\.6", version, "install|postgresql-client")
    assert not cluster.exists("never_made")


VERSION = 'case "$1" in --version|-V) echo "pg_dump (PostgreSQL) 15.99"; exit;; esac\n'
BROKEN = {
    "fails at once": ("echo 'pg_dump: error: out of luck' >&2; exit 1", "TOOL_FAILED", "out of luck"),
    "says nothing": ("exit 0", ("TOOL_FAILED", "ARCHIVE"), "pg_dump"),
    "says nonsense": ("echo this is no archive; sleep 0.2", ("ARCHIVE", "TOOL_FAILED"), "archive|pg_dump"),
    "ends in the middle": ("{real} \"$@\" | head -c 300; exit 0", ("ARCHIVE", "TOOL_FAILED"), "archive|pg_dump"),
    "is killed": ("kill -9 $$", "TOOL_FAILED", "pg_dump.*(signal|kill|9)"),
    "fails at the end": ("{real} \"$@\"; echo 'pg_dump: error: late trouble' >&2; exit 1", None, "late trouble"),
    "asks a question": ("read answer < /dev/tty && exit 0; echo 'no terminal' >&2; exit 1", "TOOL_FAILED", "no terminal"),
}


@pytest.mark.parametrize("how", sorted(BROKEN))
def test_a_pg_dump_that(cluster, pgstow, shop, how):
    text, wanted, says = BROKEN[how]
    tool = script(pgstow.folder, "broken", VERSION + text.replace("{real}", str(cluster.bin / "pg_dump")) + "\n")
    result = pgstow.run("backup", db=shop, env={TOOL["pg_dump"]: str(tool)}, expect=None, timeout=60)
    if how == "fails at the end" and result.status == 0:
        # Ended by us as soon as its contents are read, its late trouble may never happen: then the
        # backup must be whole.
        pgstow.run("verify", "--level", "rebuild")
        return
    kinds = [wanted] if isinstance(wanted, str) else wanted or ["TOOL_FAILED"]
    assert result.status in [status_of(k) for k in kinds], str(result)
    result.error_says(says)
    assert_nothing_visible(pgstow)


@pytest.mark.parametrize("how, text", [
    ("fails", "echo 'pg_restore: error: cannot do this' >&2; exit 1"),
    ("is killed", "kill -9 $$"),
    ("warns of ignored errors", "echo 'pg_restore: warning: errors ignored on restore: 1' >&2; exit 1"),
])
def test_a_pg_restore_that(cluster, pgstow, shop, how, text):
    pgstow.backup(shop)
    before = compare.snapshot(cluster, shop)
    tool = script(pgstow.folder, "broken", VERSION.replace("pg_dump", "pg_restore") + text + "\n")
    result = pgstow.run("restore", "latest", "--replace", "--yes", db=shop, env={TOOL["pg_restore"]: str(tool)},
                        expect="TOOL_FAILED")  # fmt: skip
    result.error_says("pg_restore")
    compare.assert_as_before(cluster, shop, before)


def test_a_tool_may_be_a_command(cluster, pgstow, shop):
    """As `docker exec db pg_dump` would be: more than one word, found on PATH."""
    command = f"env SOMETHING=x {cluster.bin}/pg_dump"
    assert pgstow.run("backup", db=shop, env={TOOL["pg_dump"]: command}).id in pgstow.ids()


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


# ---------------------------------------------------------------- full disks


@pytest.fixture(scope="module")
def bulky(cluster):
    """12 MB that do not compress well."""
    name = cluster.create("bulky", sql="""CREATE TABLE b AS SELECT g AS id, sha512(g::text::bytea) ||
        sha512((-g)::text::bytea) AS x FROM generate_series(1, 60000) g""")
    yield name
    cluster.drop(name)


def test_the_repositorys_disk_is_full(pgstow, bulky, shop):
    with SmallDisk(pgstow.repo, "3m"):
        small = pgstow.backup(shop)
        result = pgstow.run("backup", db=bulky, expect="REPO_FULL")
        result.error_says(re.escape(str(pgstow.repo)), "space|full")
        assert pgstow.manifests() == [small] and pgstow.ids() == [small]
        pgstow.run("verify", small, "--level", "rebuild")


def test_the_servers_disk_is_full(cluster, pgstow, bulky):
    """A database in a tablespace on a small disk."""
    backup = pgstow.backup(bulky)
    with SmallDisk(cluster.folder / "small_disk", "11m") as disk:
        if cluster.user:
            os.chown(disk, cluster.user.pw_uid, cluster.user.pw_gid)
        cluster.sql(f"CREATE TABLESPACE small_disk LOCATION '{disk}'")
        cluster.sql("CREATE DATABASE on_small_disk TEMPLATE template0 TABLESPACE small_disk")
        try:
            result = pgstow.run("restore", backup, "--to-db", "on_small_disk", db=bulky, expect="DB_FULL")
            result.error_says("space|full")
        finally:
            cluster.drop("on_small_disk")
            cluster.sql("DROP TABLESPACE small_disk")
    (cluster.folder / "small_disk").rmdir()


def test_export_to_a_full_disk(pgstow, bulky):
    backup = pgstow.backup(bulky)
    with SmallDisk(pgstow.folder / "out", "2m") as disk:
        result = pgstow.run("export", backup, "--format", "custom", "-o", disk / "x.dump", expect=None)
        assert result.status not in (0, 1), str(result)
        result.error_says("space|full")
        assert not (disk / "x.dump").exists()


def test_export_to_a_full_pipe_end(pgstow, shop):
    backup = pgstow.backup(shop)
    with open("/dev/full", "wb") as full:
        result = pgstow.run("export", backup, "--format", "custom", "-o", "-", stdout=full, expect=None)
    assert result.status not in (0, 1), str(result)


def test_the_id_cannot_be_printed(pgstow, shop):
    """Standard output is full: the caller never sees the id, so it is not called a success."""
    with open("/dev/full", "wb") as full:
        result = pgstow.run("backup", db=shop, stdout=full, expect=None)
    assert result.status != 0, str(result)


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


# ---------------------------------------------------------------- being stopped


def children_of(pid):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.split()


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds * SLOWER
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def assert_no_connections(cluster, database):
    ask = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    wait_for(lambda: cluster.sql(ask) == "0", f"connections to {database} stay open")


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("point", ["backup.start.locked", "backup.start.toc", "backup.opened", "backup.read"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_a_signal_during_backup(cluster, pgstow_faults, shop, number, point):
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped()
        children = children_of(run.process.pid)
        run.process.send_signal(number)
        run.resume()
        result = run.wait(30)
    result.expect("CANCELLED")
    assert result.stdout == ""
    assert_nothing_visible(pgstow_faults)
    assert_no_connections(cluster, shop)
    assert [c for c in children if Path(f"/proc/{c}").exists()] == []
    pgstow_faults.backup(shop)


def test_a_signal_while_waiting_for_a_lock(cluster, pgstow, shop):
    with cluster.session(shop) as other:
        other.run("BEGIN; LOCK TABLE item")
        with pgstow.start("backup", db=shop) as run:
            wait_for(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", "no lock is waited for")
            run.process.send_signal(signal.SIGTERM)
            result = run.wait(15)
        result.expect("CANCELLED")
    assert_nothing_visible(pgstow)
    assert_no_connections(cluster, shop)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_a_signal_during_restore(cluster, pgstow_faults, shop, number):
    backup = pgstow_faults.backup(shop)
    cluster.sql("DELETE FROM item WHERE id > 10", shop)
    before, databases = compare.snapshot(cluster, shop), cluster.databases()
    names = pgstow_faults.folder / "points"
    copy = cluster.create(template=shop)
    pgstow_faults.run("restore", backup, "--replace", "--yes", db=copy, env={"PGSTOW_FAULT_LIST": str(names)})
    cluster.drop(copy)
    points = [p for p in dict.fromkeys(names.read_text().split()) if p.startswith("restore.")]
    assert len(points) >= 3, points
    for point in points[: len(points) // 2 + 1]:
        with pgstow_faults.start("restore", backup, "--replace", "--yes", db=shop,
                                 env={"PGSTOW_FAULT": f"{point}:stop"}) as run:  # fmt: skip
            assert run.wait_stopped(), point
            run.process.send_signal(number)
            run.resume()
            result = run.wait(30)
        result.expect("CANCELLED")
        compare.assert_as_before(cluster, shop, before)
        assert cluster.databases() == databases, f"{point} left a database behind"


def test_the_terminal_is_closed(cluster, pgstow_faults, shop):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        pgstow_faults.command(["backup"], shop), stdin=follower, stdout=follower, stderr=follower,
        env=pgstow_faults.environment({"PGSTOW_FAULT": "backup.opened:stop", "TERM": "xterm"}),
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )  # fmt: skip
    os.close(follower)
    wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZ", "not reached")
    os.close(leader)
    process.send_signal(signal.SIGCONT)
    assert process.wait(30 * SLOWER) == status_of("CANCELLED")
    assert_nothing_visible(pgstow_faults)
    assert_no_connections(cluster, shop)


def test_a_reader_that_goes_away(pgstow, shop):
    """`export | head -c 10`: ends, and not as a success."""
    backup = pgstow.backup(shop)
    with pgstow.start("export", backup, "--format", "custom", "-o", "-") as run:
        run.process.stdout.read(10)
        run.process.stdout.close()
        assert run.process.wait(30 * SLOWER) != 0
        run.process.stderr.close()


def test_sessions_are_closed(pgstow, shop):
    """After every verb, however it ended, no session object is left that claims to be alive."""
    backup = pgstow.backup(shop)
    pgstow.run("verify", "--level", "rebuild")
    pgstow.run("export", backup, "--format", "custom", "-o", pgstow.folder / "x.dump")
    assert [n for n in pgstow.files() if n.startswith("sessions/")] == []


def test_repository_modes_after_errors(pgstow, bulky):
    """What a failed run leaves is as private as what a good one makes."""
    with SmallDisk(pgstow.repo, "1m"):
        pgstow.run("backup", db=bulky, expect="REPO_FULL")
        for path in pgstow.repo.rglob("*"):
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
