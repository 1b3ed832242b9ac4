"""A service of the tests, and calls to its API."""

import http.client
import json
import signal
import socket
import sqlite3
from pathlib import Path

from harness.cluster import wait_until
from harness.program import Pgstow

SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50)"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Api:
    """A service of its own, databases (e0, e1, ...), and a token of each role."""

    def __init__(self, cluster, folder, sql=SQL, databases=2, more=""):
        """`more`: further lines of the settings."""
        self.pgstow, self.folder = Pgstow(cluster, folder), Path(folder)
        self.names = [cluster.create(sql=sql) for _ in range(databases)]
        self.port = free_port()
        entries = "".join(f'- {{name: e{i}, url: "{cluster.url(n)}"}}\n' for i, n in enumerate(self.names))
        self.settings = f"""
backup: {{backupDir: {folder}/repo, enabled: true, schedule: "0 0 1 1 *"}}
server: {{stateDir: {folder}/state, port: {self.port}, drain: 0s}}
{more}
databases:
{entries}"""
        (self.folder / "pgstow.yaml").write_text(self.settings)
        self.tokens = {r: self.run("token", "add", r, "--role", r, "--quiet").stdout.strip()
                       for r in ("viewer", "operator", "admin")}
        self.running = self.pgstow.start("serve", repo=False)
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
        """Status, headers, and the body, which must be JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            given = {"Authorization": f"Bearer {self.tokens.get(token, token)}"} if token else {}
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
        finally:
            connection.close()

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

        wait_until(ended, f"job {number} never ended")
        return found

    def stop(self):
        self.running.process.send_signal(signal.SIGTERM)
        self.running.wait().expect("OK")

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()
