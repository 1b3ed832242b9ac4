"""A private PostgreSQL cluster: own folder, own port, own user; gone when the tests end.

Environment: PGSTOW_TEST_PGBIN (folder of initdb, postgres, psql, pg_dump), PGSTOW_TEST_FSYNC=on,
PGSTOW_TEST_TMP (where temporary folders are made), PGSTOW_TEST_SLOWER (factor for all time limits),
PGSTOW_TEST_NEW_CLUSTER (a folder in which initdb's work is kept for other processes of one test run).
"""

import atexit
import contextlib
import ctypes
import fcntl
import os
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

E2E = Path(__file__).resolve().parents[1]
SLOWER = float(os.environ.get("PGSTOW_TEST_SLOWER", "1"))
SUPERUSER = "postgres"
A_MINUTE = 60  # for whole jobs and syncs, which take seconds: on a machine that is slow, and has others to do
MEMORY = Path("/dev/shm")
PLENTY = 6 << 30  # bytes: several servers at a time, each with its log of what was written
PR_SET_PDEATHSIG = 1


def pg_bin():
    """The folder of PostgreSQL's programs: the setting, else the newest of the distribution's."""
    chosen = os.environ.get("PGSTOW_TEST_PGBIN")
    if chosen:
        folder = Path(chosen)
    else:
        found = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
        assert found, "no /usr/lib/postgresql/*/bin: install postgresql, or set PGSTOW_TEST_PGBIN"
        folder = max(found, key=lambda p: int(p.parent.name))
    for tool in ("initdb", "postgres", "psql", "pg_dump", "pg_restore", "pgbench", "pg_config"):
        assert os.access(folder / tool, os.X_OK), f"{folder}/{tool} is missing"
    return folder


def server_layout(programs):
    """Where a server's programs, shared files and modules are."""
    if programs.match("lib/postgresql/*/bin"):  # Debian's; also where it was put into another root
        share = programs.parents[3] / "share/postgresql" / programs.parent.name
        return {"bindir": programs, "sharedir": share, "pkglibdir": programs.parent / "lib"}
    return {
        key: Path(
            subprocess.run(
                [programs / "pg_config", f"--{key}"], check=True, capture_output=True, text=True
            ).stdout.strip()
        )
        for key in ("bindir", "sharedir", "pkglibdir")
    }


def server_user():
    """Who the server runs as: PostgreSQL refuses root. None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("running as root, and there is neither a user postgres nor nobody")


def as_user(user):
    """Arguments for subprocess that make the child run as this user (a passwd entry or None)."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def clean_environment(**extra):
    """The caller's environment without what would steer pgstow or libpq."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PG", "XDG_STATE_HOME", "BACKUP_", "SYNC_", "FORCE_PG_DUMP", "DATABASE_URL"))
    }
    env["LC_ALL"] = "C.UTF-8"
    env.update(extra)
    return env


def free_port():
    """None of those that whoever connects is given: it stays free while a server is not there yet, or is away."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def die_with_parent():
    """In a child before exec: shut down fast when the tests are killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds * SLOWER
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def scratch_folder(prefix="pgstow-e2e-", where=None):
    """A folder that other users may enter and that goes when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where or os.environ.get("PGSTOW_TEST_TMP")))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def server_folder():
    """A folder for a server: in memory where there is plenty of it, since making and dropping databases and a thousand
    small files each costs a file system more than all that is asked of the server."""
    free = 0
    if "PGSTOW_TEST_TMP" not in os.environ and os.access(MEMORY, os.W_OK):
        with open("/proc/meminfo") as facts:
            free = next(int(line.split()[1]) << 10 for line in facts if line.startswith("MemAvailable:"))
        free = min(free, shutil.disk_usage(MEMORY).free)
    return scratch_folder(where=MEMORY if free >= PLENTY else None)


class SqlError(AssertionError):
    """psql failed; the text is what it said."""


class Cluster:
    """One running server. Databases are made by create(), named after what they are for."""

    def __init__(self, settings=None, folder=None, standby_of=None, programs=None, copied="third"):
        """settings: of postgresql.conf. standby_of: a running cluster to be a hot standby of. programs: the
        folder of another version's. copied: a name; initdb may have run under it for another server of this test run,
        which then has the same system identifier."""
        self.bin = programs or pg_bin()
        self.folder = folder or server_folder()
        self.data = self.folder / "data"
        self.port = free_port()
        self.host = "127.0.0.1"
        self.user = server_user()
        self.log = self.folder / "server.log"
        self.settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.folder}/run'",
            "fsync": os.environ.get("PGSTOW_TEST_FSYNC", "off"),
            "full_page_writes": "off",
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "wal_level": "logical",
            "max_connections": 60,
            "max_locks_per_transaction": 128,
            "max_prepared_transactions": 5,
            "max_replication_slots": 5,
            "max_logical_replication_workers": 0,
            "log_min_messages": "warning",
            "log_line_prefix": "'%m %d %a '",
            "timezone": "'UTC'",
            **(settings or {}),
        }
        self.process = None
        self.names = 0
        self._install()
        self._make_folders()
        if standby_of:
            self._copy(standby_of)
        elif not programs and "PGSTOW_TEST_NEW_CLUSTER" in os.environ:
            self._copy_new(Path(os.environ["PGSTOW_TEST_NEW_CLUSTER"]) / copied)
        else:
            self._init()
        with open(self.data / "postgresql.conf", "a") as f:
            f.writelines(f"{key} = {value}\n" for key, value in self.settings.items())
        self.start()

    # ---------------------------------------------------------------- life

    def _install(self):
        """A copy of the server's programs beside our own extension, so that nothing is installed.

        PostgreSQL finds its files relative to where its executable lies, if the tail of the path is
        as it was built.
        """
        config = server_layout(self.bin)
        prefix = Path(os.path.commonpath(list(config.values())))
        home = self.folder / "pg"
        self.server_bin = home / config["bindir"].relative_to(prefix)
        share = home / config["sharedir"].relative_to(prefix)
        lib = home / config["pkglibdir"].relative_to(prefix)
        self.server_bin.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            shutil.copy2(config["bindir"] / name, self.server_bin / name)
        if lib != self.server_bin.parent:
            lib.parent.mkdir(parents=True, exist_ok=True)
            lib.symlink_to(config["pkglibdir"])
        (share / "extension").mkdir(parents=True)
        for source in (config["sharedir"], config["sharedir"] / "extension"):
            for entry in source.iterdir():
                target = share / entry.relative_to(config["sharedir"])
                if not target.exists():
                    target.symlink_to(entry)
        for entry in (E2E / "extension").iterdir():
            shutil.copy2(entry, share / "extension" / entry.name)

    def _make_folders(self):
        for name in ("data", "run"):
            (self.folder / name).mkdir(mode=0o700 if name == "data" else 0o755)
            if self.user:
                os.chown(self.folder / name, self.user.pw_uid, self.user.pw_gid)

    def _copy(self, primary):
        subprocess.run(
            [self.bin / "pg_basebackup", "-D", self.data, "-X", "stream", "-c", "fast", "-R", "--no-sync"],
            check=True, capture_output=True, env=primary.environment(), cwd="/", **as_user(self.user),
        )  # fmt: skip

    def _copy_new(self, kept):
        """Whoever comes first runs initdb for all."""
        kept.mkdir(exist_ok=True)
        with open(kept / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (kept / "data").exists():
                self._init()
                subprocess.run(["cp", "-a", self.data, kept / "data.new"], check=True)
                (kept / "data.new").rename(kept / "data")
                return
        subprocess.run(["cp", "-a", f"{kept}/data/.", self.data], check=True)

    def _init(self):
        subprocess.run(
            [self.server_bin / "initdb", "-D", self.data, "-U", SUPERUSER, "-E", "UTF8",
             "--locale=C.UTF-8", "--auth=trust", "--no-sync"],
            check=True, capture_output=True, env=clean_environment(), cwd="/", **as_user(self.user),
        )  # fmt: skip
        hba = self.data / "pg_hba.conf"
        # Members of needs_password must give a password; everyone else is trusted.
        hba.write_text(
            "local all all trust\n"
            "host all +needs_password 127.0.0.1/32 scram-sha-256\n"
            "host all all 127.0.0.1/32 trust\n"
            "host replication all 127.0.0.1/32 trust\n"
        )

    def start(self):
        assert self.process is None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.server_bin / "postgres", "-D", self.data], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=clean_environment(), cwd="/", start_new_session=True,
                preexec_fn=die_with_parent, **as_user(self.user),
            )  # fmt: skip
        atexit.register(self.stop)
        deadline = time.monotonic() + 60 * SLOWER
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(SqlError):
                self.sql("DO $$ BEGIN IF NOT pg_is_in_recovery() AND NOT EXISTS (SELECT FROM pg_roles WHERE "
                         "rolname = 'needs_password') THEN CREATE ROLE needs_password; END IF; END $$")  # fmt: skip
                return self
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT: at once; SIGINT: fast, with a checkpoint. What remains is killed."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop(signal.SIGINT)
        return self.start()

    def destroy(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---------------------------------------------------------------- connections

    def url(self, database, user=SUPERUSER, password=None, **parameters):
        """A URL for --db: the names escaped as URLs want it."""
        quote = lambda text: urllib.parse.quote(text, safe="")
        who = quote(user) + (":" + quote(password) if password else "")
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        return f"postgresql://{who}@{self.host}:{self.port}/{quote(database)}{query}"

    def environment(self, database="postgres", user=SUPERUSER, encoding="UTF8"):
        """libpq's variables. encoding None: the database's own, as pg_dump takes it by itself."""
        extra = {"PGCLIENTENCODING": encoding} if encoding else {}
        return clean_environment(
            PGHOST=self.host, PGPORT=str(self.port), PGUSER=user, PGDATABASE=database,
            PGOPTIONS="", PGCONNECT_TIMEOUT="20", **extra,
        )  # fmt: skip

    def tool(self, name, *args, database="postgres", user=SUPERUSER, check=True, timeout=300, **kwargs):
        """One of PostgreSQL's own programs, connected to a database. Output as bytes."""
        if "input" not in kwargs:
            kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run(
            [self.bin / name, *map(str, args)], stderr=subprocess.PIPE,
            env=self.environment(database, user), timeout=timeout * SLOWER, **kwargs,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise SqlError(f"{name} {args}: {done.stderr.decode(errors='replace')[-3000:]}")
        return done

    def sql(self, text, database="postgres", user=SUPERUSER, timeout=300):
        """Run statements, each in its own transaction; gives the rows as text, columns by `|`."""
        done = self.tool(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-",
            database=database, user=user, timeout=timeout, input=text.encode(),
        )  # fmt: skip
        return done.stdout.decode().rstrip("\n")

    def rows(self, text, database="postgres", user=SUPERUSER):
        """The rows as lists of texts, for values without line breaks."""
        out = self.tool(
            "psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-f", "-",
            database=database, user=user, input=text.encode(),
        ).stdout.decode()  # fmt: skip
        return [line.split("\x1f") for line in out.splitlines()]

    def load(self, path, database):
        """Run a file of SQL."""
        self.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, database=database,
                  stdout=subprocess.DEVNULL)  # fmt: skip

    def session(self, database="postgres", user=SUPERUSER):
        return Session(self, database, user)

    # ---------------------------------------------------------------- databases

    def fresh_name(self, what="db"):
        self.names += 1
        return f"{what}_{self.names}"

    def create(self, name=None, template="template0", sql=None):
        """A new database. Returns its name."""
        name = name or self.fresh_name()
        self.sql(f"CREATE DATABASE {quote_ident(name)} TEMPLATE {quote_ident(template)}")
        if sql:
            self.sql(sql, name)
        return name

    def exists(self, name):
        return self.sql(f"SELECT 1 FROM pg_database WHERE datname = {quote_text(name)}") == "1"

    def databases(self):
        return {row[0] for row in self.rows("SELECT datname FROM pg_database")}

    def assert_no_connections(self, database):
        ask = f"SELECT count(*) FROM pg_stat_activity WHERE datname = {quote_text(database)}"
        wait_until(lambda: self.sql(ask) == "0", f"connections to {database} stay open")

    def assert_no_clients(self):
        """Of the program's. The server hears a moment later that one was killed; until then its locks are held."""
        ask = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'pgstow|pg_dump|pg_restore'"
        wait_until(lambda: self.sql(ask) == "0", "a killed client is still connected")

    def drop(self, *names):
        for name in names:
            self.sql(f"DROP DATABASE IF EXISTS {quote_ident(name)} WITH (FORCE)")


class Session:
    """A connection that stays: psql fed through a pipe. For locks and open transactions."""

    def __init__(self, cluster, database, user=SUPERUSER):
        self.process = subprocess.Popen(
            [cluster.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=0", "-f", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=cluster.environment(database, user),
        )  # fmt: skip
        self.marks = 0
        self.pending = b""

    def send(self, text):
        """Give a statement without waiting for it. Returns the mark to wait for."""
        self.marks += 1
        mark = f"-- done {self.marks} --"
        self.process.stdin.write(f"{text}\n;\\echo '{mark}'\n".encode())
        self.process.stdin.flush()
        return mark

    def wait(self, mark, timeout=60):
        """Everything that was printed up to a mark."""
        end = mark.encode() + b"\n"
        deadline = time.monotonic() + timeout * SLOWER
        while end not in self.pending:
            left = deadline - time.monotonic()
            assert left > 0, f"no answer from psql: {self.pending!r}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"psql ended: {self.pending!r}"
                self.pending += data
        answer, _, self.pending = self.pending.partition(end)
        return answer.decode().strip()

    def run(self, text, timeout=60):
        answer = self.wait(self.send(text), timeout)
        assert not re.search(r"^(psql:.*)?(ERROR|FATAL):", answer, re.MULTILINE), f"{text}: {answer}"
        return answer

    def close(self):
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def quote_ident(name):
    return '"' + name.replace('"', '""') + '"'


def quote_text(text):
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
