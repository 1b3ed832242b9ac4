"""A service of the tests, and calls to its API."""

import http.client
import json
import signal
import socket
import sqlite3
from pathlib import Path

from harness.cluster import A_MINUTE, free_port, wait_until
from harness.program import Pgstow

SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50)"


class Api:
    """A service of its own, databases (e0, e1, ...), and a token of each role."""

    host = "127.0.0.1"

    def __init__(self, cluster, folder, sql=(SQL, SQL), backup="", more="", env=None, binary=None, port=None,
                 names=None):  # fmt: skip
        """`sql`: what is in each database; `backup`: more settings of that, `more`: further lines of the settings."""
        self.pgstow, self.folder = Pgstow(cluster, folder, binary, env), Path(folder)
        self.names = [cluster.create(name, sql=s) for name, s in zip(names or [None] * len(sql), sql)]
        self.port = port or free_port()
        entries = "".join(f'- {{name: e{i}, url: "{cluster.url(n)}"}}\n' for i, n in enumerate(self.names))
        self.settings = f"""
backup: {{backupDir: {folder}/repo, enabled: true, schedule: "0 0 1 1 *"{backup and ", " + backup}}}
server: {{stateDir: {folder}/state, port: {self.port}, drain: 0s}}
{more}
databases:
{entries}"""
        (self.folder / "pgstow.yaml").write_text(self.settings)
        self.tokens = {r: self.run("token", "add", r, "--role", r, "--quiet").stdout.strip()
                       for r in ("viewer", "operator", "admin")}
        self.start()

    def start(self, env=None):
        self.running = self.pgstow.start("serve", repo=False, env=env)
        wait_until(self.is_up, "the API does not listen")

    def run(self, *args, **kwargs):
        return self.pgstow.run(*args, repo=False, **kwargs)

    def is_up(self):
        assert self.running.process.poll() is None, self.running.wait()
        try:
            return self.call("GET", "/healthz", token=None)[0] == 200
        except OSError:
            return False

    def call(self, method, path, token="admin", body=None, headers=None):
        """Status, headers, and the body: what JSON says, a text that says to be one, or bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            given = {"Authorization": f"Bearer {self.tokens.get(token, token)}"} if token else {}
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers["Content-Type"] or ""
            if text and kind == "application/json":
                text = json.loads(text)
            elif kind.startswith("text/plain"):
                text = text.decode()
            return answer.status, answer.headers, text or None
        finally:
            connection.close()

    def fetch(self, path, token="admin", headers=None, method="GET"):
        """Status, headers, and the body as bytes."""
        connection = self.begin(path, token, headers, method)
        try:
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def begin(self, path, token="admin", headers=None, method="GET", timeout=60):
        """A connection on which this was asked; its answer is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, path, headers={"Authorization": f"Bearer {self.tokens[token]}", **(headers or {})})
        return connection

    def backup(self, entry):
        """The id of a new backup."""
        status, _, body = self.call("POST", "/api/v1/backups", body=json.dumps({"entry": entry}))
        assert status == 202, body
        job = self.job(body["job"])
        assert job["status"] == "succeeded", job
        return job["backup"]

    def children(self):
        """The processes that the service has started: pid and command line."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == self.running.process.pid:
                    found[int(process.name)] = (process / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def get(self, path):
        status, _, body = self.call("GET", path)
        assert status == 200, body
        return body

    def raw(self, data, half_close=False):
        """What comes back for these bytes until the other side ends it; b"" also where it just hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=40) as s:
            got = b""
            try:
                s.sendall(data)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
                while more := s.recv(65536):
                    got += more
            except (ConnectionResetError, BrokenPipeError):
                pass
            return got

    def job(self, number):
        """The job, once it has ended."""
        found = {}

        def ended():
            found.update(self.get(f"/api/v1/jobs/{number}"))
            return found["ended"]

        wait_until(ended, f"job {number} never ended", A_MINUTE)
        return found

    def stop(self):
        self.running.process.send_signal(signal.SIGTERM)
        self.running.wait().expect("OK")

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()
