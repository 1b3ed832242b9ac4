"""A PostgreSQL server of our own for demo and bench: own folder, own user, no TCP port.

It listens on a Unix socket in a folder of its own only, so nothing can collide with other servers. It
ends with this process, however that ends (pdeathsig), and never touches the system's clusters.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SUPERUSER = "postgres"


def find_bin():
    """The newest installed server's folder of programs."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise SystemExit("no PostgreSQL server in /usr/lib/postgresql: ./dev installs one")
    return max(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p.parent.name)])


def server_account():
    """Who runs the server: nobody may as root. None: we ourselves."""
    if os.geteuid() != 0:
        return None
    for name in (SUPERUSER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SystemExit("there is neither a user postgres nor nobody to run a server as")


class PrivateServer:
    def __init__(self, folder, settings=()):
        """folder: made if missing; a cluster that is in it already is used again."""
        self.folder = Path(folder)
        self.bin = find_bin()
        self.data = self.folder / "data"
        self.sockets = None  # a folder with a short name while the server runs
        self.log = self.folder / "server.log"
        self.settings = dict(settings)
        self.account = server_account()
        self.process = None

    def can_reach(self, folder):
        """Whether the account that runs the server may pass through this folder."""
        return subprocess.run(self._as_server(["test", "-x", folder])).returncode == 0

    def _as_server(self, command):
        prefix = ["setpriv", "--pdeathsig", "INT"]
        if self.account:
            prefix += [f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}"]
            prefix += ["--clear-groups"]
        return prefix + [str(word) for word in command]

    def _make_folders(self):
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        # A socket's whole path must be shorter than 108 bytes, wherever the folder is.
        self.sockets = Path(tempfile.mkdtemp(prefix="pgstow-socket-", dir="/tmp"))
        for path in (self.data, self.sockets):
            path.mkdir(mode=0o700, exist_ok=True)
            if self.account:
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self):
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        self._make_folders()
        if not (self.data / "PG_VERSION").exists():
            command = [self.bin / "initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust"]
            command += ["-E", "UTF8", "--locale=C.UTF-8"]
            subprocess.run(
                self._as_server(command), cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=300
            )
        command = [self.bin / "postgres", "-D", self.data, "-k", self.sockets, "-h", ""]
        for key, value in self.settings.items():
            command += ["-c", f"{key}={value}"]
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C is for us first, we end the server when nobody needs it.
            self.process = subprocess.Popen(
                self._as_server(command),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ready = [self.bin / "pg_isready", "-q", "-h", self.sockets, "-U", SUPERUSER]
        for _ in range(1200):
            if self.process.poll() is not None:
                break
            if subprocess.run(ready, timeout=30).returncode == 0:
                return self
            time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"the private PostgreSQL server did not start:\n{tail}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(60)
        self.process = None
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def conninfo(self, database):
        return f"host={self.sockets} user={SUPERUSER} dbname={database}"

    def url(self, database):
        return f"postgresql://{SUPERUSER}@/{database}?host={self.sockets}"

    def psql(self, database, sql, echo_errors=True):
        """Run SQL, stopping at the first error; returns its rows as lines of text."""
        command = [self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-d", self.conninfo(database)]
        done = subprocess.run(command, input=sql, text=True, capture_output=True)
        if done.returncode != 0:
            if echo_errors:
                print(done.stderr)
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout.splitlines()
