"""A service of the tests: schedules that go by a clock that a test shifts (PGSTOW_CLOCK: a file with milliseconds, in the
twin with fault points), its jobs, and what systemd would be told."""

import json
import os
import select
import signal
import socket
import time
import urllib.request

import pytest

from harness.cluster import wait_until
from harness.program import process_state

SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50)"
MINUTE = 60_000
DONE = ("succeeded", "failed", "cancelled", "interrupted")


@pytest.fixture
def database(cluster):
    name = cluster.create(sql=SQL)
    yield name
    cluster.drop(name)


class Service:
    """A service with its own state, clock and notify socket."""

    def __init__(self, pgstow):
        self.pgstow, self.folder = pgstow, pgstow.folder
        self.clock = self.folder / "clock"
        self.ahead = 0
        self.shift(0)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.folder / "notify"))
        self.socket.settimeout(20)
        self.running = None
        self.repo = True  # named on the command line; False: the settings name it
        self.log = self.folder / "log"
        self.env = {"PGSTOW_CLOCK": self.clock, "NOTIFY_SOCKET": self.folder / "notify", "JOURNAL_STREAM": None}

    def shift(self, milliseconds):
        """Whole minutes lead to the first second of a minute: the schedules that are due by then are the only ones for nearly
        a minute, at whatever second of the true one a test runs."""
        if milliseconds % MINUTE == 0:
            milliseconds -= (int(time.time() * 1000) + self.ahead) % MINUTE - 1000
        self.ahead += milliseconds
        temporary = self.folder / "clock.new"
        temporary.write_text(str(self.ahead))
        temporary.replace(self.clock)

    def config(self, text, port=0):
        """port: of the API; 0: there is none."""
        self.port = port
        (self.folder / "pgstow.yaml").write_text(
            f"server: {{stateDir: {self.folder}/state, drain: 0s, port: {port}}}\n{text}")  # fmt: skip

    def get(self, path):
        """What the API answers."""
        token = self.run("token", "add", f"t{time.time_ns()}", "--role", "viewer", "--quiet", repo=False).stdout.strip()
        ask = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(ask, timeout=20) as answer:
            return json.load(answer)

    def told(self, word):
        """Waits until systemd would have been told so."""
        while word not in self.socket.recv(4096).decode().splitlines():
            pass

    def start(self):
        while select.select([self.socket], [], [], 0)[0]:  # what an earlier one has said is no word of this one
            self.socket.recv(4096)
        self.running = self.pgstow.start("serve", repo=self.repo, env=self.env)
        self.told("READY=1")
        return self

    def signal(self, number):
        self.running.process.send_signal(number)

    def stop(self):
        """SIGTERM; what it logged."""
        self.signal(signal.SIGTERM)
        result = self.running.wait().expect("OK")
        self.running = None
        return result

    def kill(self):
        self.running.process.kill()
        self.running.process.communicate()
        self.running = None

    def run(self, *args, **kwargs):
        kwargs.setdefault("repo", self.repo)
        return self.pgstow.run(*args, env=self.env, **kwargs)

    def jobs(self):
        """The oldest first."""
        return self.run("jobs", "--limit", 1000, "--json", repo=False).json["jobs"][::-1]

    def job(self, number, *statuses):
        """The job of this number, once it has one of these statuses."""
        found = {}

        def there():
            found.update({j["id"]: j for j in self.jobs()})
            return number in found and found[number]["status"] in (statuses or DONE)

        wait_until(there, f"job {number} never was {' or '.join(statuses or DONE)}")
        return self.run("jobs", number, "--json", repo=False).json

    def close(self):
        if self.running:
            self.kill()
        self.socket.close()


@pytest.fixture
def service(pgstow_faults):
    made = Service(pgstow_faults)
    yield made
    made.close()


def children(clock):
    """Processes that go by this clock: the service's and what they start."""
    found = []
    for path in os.listdir("/proc"):
        if path.isdigit() and process_state(path):
            try:
                with open(f"/proc/{path}/environ", "rb") as env:
                    mine = b"PGSTOW_CLOCK=" + os.fsencode(clock) in env.read()
            except OSError:
                continue
            found += [int(path)] if mine else []
    return found


def entry(cluster, database, more=""):
    return f'{{name: {database}, url: "{cluster.url(database)}"{more}}}'


def nightly(cluster, database, more=""):
    return f'database: {{url: "{cluster.url(database)}"}}\nbackup: {{enabled: true, schedule: "* * * * *"{more}}}\n'
