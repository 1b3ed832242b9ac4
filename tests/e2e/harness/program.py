"""Running pgstow as a person or a script does, and looking into a repository from outside."""

import itertools
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .cluster import SLOWER, as_user, clean_environment
from .errors import kind_of, status_of

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("PGSTOW_BUILD", ROOT / "build"))
ID = re.compile(r"^[^\s/]+-\d{8}T\d{6}Z\S*$", re.IGNORECASE)


def program(name="pgstow", setting="PGSTOW_BIN"):
    path = Path(os.environ.get(setting, BUILD / name)).resolve()
    assert os.access(path, os.X_OK), f"{path} is missing: build it, or set {setting}"
    return path


class Result:
    """A finished run."""

    def __init__(self, args, status, stdout, stderr, seconds):
        self.args, self.status, self.seconds = args, status, seconds
        self.stdout_bytes = stdout or b""  # None: it went elsewhere
        self.stdout = self.stdout_bytes.decode(errors="replace")
        self.stderr = stderr.decode(errors="replace")

    def __str__(self):
        return (
            f"{' '.join(map(str, self.args))}\n-> {self.status} ({kind_of(self.status)})\n"
            f"stdout: {self.stdout[-3000:]}\nstderr: {self.stderr[-3000:]}"
        )

    @property
    def said(self):
        """Everything that a person would see."""
        return self.stdout + self.stderr

    @property
    def json(self):
        """Standard output, which must be one JSON document and nothing else."""
        try:
            return json.loads(self.stdout)
        except ValueError as problem:
            raise AssertionError(f"not JSON ({problem}): {self}") from None

    @property
    def id(self):
        """The id of a backup: the last line of standard output."""
        lines = self.stdout.splitlines()
        assert lines and ID.match(lines[-1]), f"the last line is no id: {self}"
        return lines[-1]

    def expect(self, kind):
        assert self.status == status_of(kind), f"expected {kind} ({status_of(kind)}): {self}"
        assert "Sanitizer" not in self.stderr, str(self)
        return self

    def says(self, *words):
        """Each word (a regular expression, case ignored) is somewhere in what was printed."""
        for word in words:
            assert re.search(word, self.said, re.IGNORECASE), f"{word!r} is not said: {self}"
        return self

    def error_says(self, *words):
        """The same, on standard error."""
        for word in words:
            assert re.search(word, self.stderr, re.IGNORECASE), f"{word!r} is not in stderr: {self}"
        return self


class Running:
    """A run that has not ended. Use as a context manager: it is killed at the end if need be."""

    def __init__(self, args, process, started):
        self.args, self.process, self.started = args, process, started

    def wait(self, timeout=120):
        try:
            out, err = self.process.communicate(timeout=timeout * SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(
                f"still running after {timeout * SLOWER} s: {Result(self.args, -9, out, err, timeout)}"
            ) from None
        return Result(self.args, self.process.returncode, out, err, time.monotonic() - self.started)

    def wait_stopped(self, timeout=60):
        """Until a fault point stopped it. False: it ended instead."""
        deadline = time.monotonic() + timeout * SLOWER
        while time.monotonic() < deadline:
            state = process_state(self.process.pid)
            if state == "T":
                return True
            if state in ("Z", None):
                return False
            time.sleep(0.005)
        raise AssertionError(f"neither stopped nor ended: {self.args}")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def process_state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Pgstow:
    """The program with a repository and a cluster."""

    hosts = itertools.count()

    def __init__(self, cluster, folder, binary=None, env=None):
        self.cluster = cluster
        self.folder = Path(folder)
        self.repo = self.folder / "repo"
        self.home = self.folder / "home"
        self.home.mkdir(exist_ok=True)
        self.binary = binary or program()
        self.env = env or {}

    def environment(self, env=None):
        # Tests put older states of a repository in its place: each run is another host's, unless one says so.
        state = self.home / "state" / str(next(self.hosts))
        here = {"HOME": str(self.home), "XDG_STATE_HOME": str(state)}
        full = clean_environment(**{**here, "PATH": "/usr/local/bin:/usr/bin:/bin", **self.env})
        for key, value in (env or {}).items():
            if value is None:
                full.pop(key, None)
            else:
                full[key] = str(value)
        return full

    def command(self, args, db=None, repo=True):
        full = [str(self.binary), *map(str, args)]
        extra = []
        if repo:
            extra += ["--repo", str(self.repo if repo is True else repo)]
        if db:
            extra += ["--db", db if "://" in db else self.cluster.url(db)]
        # `guard -- COMMAND`: what follows the dashes is not ours.
        at = full.index("--") if "--" in full else len(full)
        return full[:at] + extra + full[at:]

    def start(self, *args, db=None, repo=True, env=None, cwd=None, user=None, stdin=None, **kwargs):
        command = self.command(args, db, repo)
        kwargs.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(
            command, stdin=stdin or subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=self.environment(env), cwd=cwd or self.folder, **as_user(user), **kwargs,
        )  # fmt: skip
        return Running(command, process, time.monotonic())

    def run(self, *args, expect="OK", timeout=180, **kwargs):
        """Run to the end. expect: the kind of the exit status, "OK", or None for any."""
        with self.start(*args, **kwargs) as running:
            result = running.wait(timeout)
        if expect:
            result.expect(expect)
        assert result.status >= 0, f"ended by a signal: {result}"
        return result

    # ---------------------------------------------------------------- the verbs, as tests use them

    def backup(self, db, *args, **kwargs):
        """A backup that must succeed. Returns its id."""
        return self.run("backup", *args, db=db, **kwargs).id

    def restore(self, backup_id, db, *args, **kwargs):
        """db: the database named by --db, of the server to act on."""
        return self.run("restore", backup_id, *args, db=db, **kwargs)

    def list(self, **kwargs):
        """The backups, as list --json has them."""
        return backups_of(self.run("list", "--json", **kwargs).json)

    def ids(self):
        return [b["id"] for b in self.list()]

    def metadata(self, backup_id):
        return json.loads((self.repo / "backups" / f"{backup_id}.metadata.json").read_text())

    # ---------------------------------------------------------------- the repository's files

    def files(self):
        """Size of every file of the repository by its name, without the room kept back for a full disk."""
        return {
            str(path.relative_to(self.repo)): path.stat().st_size
            for path in sorted(self.repo.rglob("*"))
            if path.is_file() and path != self.repo / "tmp" / "reserve"
        }

    def manifests(self):
        return sorted(p.name[: -len(".manifest")] for p in (self.repo / "backups").glob("*.manifest"))


def backups_of(doc):
    """list --json: an array, or an object with "backups"."""
    found = doc["backups"] if isinstance(doc, dict) else doc
    assert isinstance(found, list), doc
    return found


def assert_nothing_visible(pgstow):
    """No half backup, nothing waiting: as if the run had never been."""
    if not pgstow.repo.exists():
        return
    assert pgstow.manifests() == []
    assert pgstow.ids() == []
    leftover = [n for n in pgstow.files() if ".metadata.json" in n or n.endswith((".tmp", ".part"))]
    assert leftover == []
