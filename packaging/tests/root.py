"""A Debian 12 of the tests' own: a folder in which commands run as in a container (systemd-nspawn), also with systemd as its
first process. Nothing of the host is touched, and what runs there ends with the test."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

MIRROR = os.environ.get("PGSTOW_TEST_DEBIAN", "http://deb.debian.org")
SOURCES = [f"deb {MIRROR}/debian bookworm main", f"deb {MIRROR}/debian bookworm-updates main",
           f"deb {MIRROR}/debian-security bookworm-security main"]  # fmt: skip
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}  # fmt: skip

HOMES = {"root": "/root", "pgstow": "/var/lib/pgstow", "postgres": "/var/lib/postgresql"}


class Result:
    def __init__(self, command, done):
        self.command, self.status = command, done.returncode
        self.stdout, self.stderr = done.stdout, done.stderr

    def __str__(self):
        return f"{self.command} -> {self.status}\n{self.stdout[-4000:]}\n{self.stderr[-4000:]}"

    @property
    def last(self):
        return self.stdout.splitlines()[-1]


def execute(prefix, command, user, env, cwd, input, status):
    """A shell command or a list of words; status None: any."""
    words = ["sh", "-euc", command] if isinstance(command, str) else [str(word) for word in command]
    if user != "root":
        words = ["runuser", "-u", user, "--", *words]
    env = {**ENVIRONMENT, "HOME": HOMES[user], **env}
    words = ["env", "-i", f"--chdir={cwd}", *(f"{k}={v}" for k, v in env.items()), *words]
    done = subprocess.run([*prefix, *words], input=input or "", capture_output=True, text=True, timeout=1200)
    result = Result(command, done)
    assert status is None or result.status == status, result
    return result


def nspawn(folder):
    return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={folder}"]


class Root:
    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def make(cls, folder, *packages):
        include = [f"--include={','.join(packages)}"] if packages else []
        command = ["mmdebstrap", "--quiet", "--variant=minbase", *include, "bookworm", folder, *SOURCES]
        subprocess.run(command, check=True)
        return cls(folder)

    def copy(self, folder):
        subprocess.run(["cp", "-a", "--reflink=auto", self.folder, folder], check=True)
        return Root(folder)

    def run(self, command, user="root", env={}, cwd="/", input=None, status=0):
        prefix = [*nspawn(self.folder), "--pipe", "--resolv-conf=copy-host"]
        return execute(prefix, command, user, env, cwd, input, status)

    @contextlib.contextmanager
    def boot(self, *command):
        """With systemd as the first process, or this command; in a network of its own."""
        with open(self.folder.parent / f"{self.folder.name}.log", "wb") as log:
            started = subprocess.Popen([*nspawn(self.folder), "--private-network", *(command or ["--boot"])],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # fmt: skip
        booted = Booted(self, started)
        try:
            wait_until(booted.find_leader, "the container has not begun")
            yield booted
        finally:
            if booted.leader:
                os.kill(booted.leader, signal.SIGKILL)  # the kernel ends all others with it
            else:
                started.kill()
            started.wait()


def wait_until(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.1)


class Booted:
    def __init__(self, root, started):
        self.root, self.started, self.leader = root, started, None

    def find_leader(self):
        """The first process in the container is the child of systemd-nspawn's."""
        assert self.started.poll() is None, "systemd-nspawn has ended"
        children = Path(f"/proc/{self.started.pid}/task/{self.started.pid}/children").read_text().split()
        self.leader = int(children[0]) if children else None
        return self.leader

    def run(self, command, user="root", env={}, cwd="/", input=None, status=0):
        prefix = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root"]
        return execute(prefix, command, user, env, cwd, input, status)
