"""Two sites, as a sync joins them: each with its own PostgreSQL server, database, repository, state and service
(`pgstow serve`), each the other's peer. What site `a` says to `b` passes through a network that fails (`net`).

Site `a` asks: sites.pull() brings b's rows to a, sites.push() a's to b. The fixture `sites` of conftest.py makes them:
sites(SQL), sites(SQL, of_b=OTHER_SQL, faults=True, signed=False).
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

from harness import compare
from harness.api import Api
from harness.cluster import A_MINUTE, free_port, wait_until
from harness.merging import COUNTS
from harness.program import process_state, program
from harness.proxy import Proxy
from harness.service import children

KEY, REGISTRATION = "0123456789abcdef" * 2, "the old key of all"
ENDED = ("COMPLETED", "FAILED", "CANCELLED")
WRITTEN = {"inserted", "updated", "deleted", "replaced", "cascaded"}
ENTRY = "e0"  # as Api names the first of `databases:`


class Site(Api):
    """One side. `peer`: (its name, where it is reached). See Api for calls to its service."""

    def __init__(self, name, cluster, folder, sql, port, peer, signed, faults, more, database, path):
        self.name, self.cluster, folder = name, cluster, Path(folder)
        self.clock = folder / "clock"  # by which the twin's service is ahead, in milliseconds
        self.clock.write_text("0")
        key = folder / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        keys = f"keyFile: {key}, " if signed else ""
        super().__init__(
            cluster, folder, (sql,), binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN") if faults else None, port=port,
            env={"PGSTOW_CLOCK": str(self.clock), "SYNC_REGISTRATION_KEY": REGISTRATION, **({"PATH": path} if path else {})},
            names=(database,),
            more=f'sync: {{nodeId: {name}}}\npeers:\n- {{name: {peer[0]}, url: "{peer[1]}", nodeId: {peer[0]}, {keys}entry: {ENTRY}}}\n{more}',
        )  # fmt: skip

    @property
    def database(self):
        return self.names[0]

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def sql(self, text):
        return self.cluster.sql(text, self.database)

    def hashes(self):
        """A line of name, rows and hash for each table."""
        return compare.row_hashes(self.cluster, self.database, besides=("pgstow.", "pgstow_merge_"))

    def ids(self):
        """Of the backups in its repository; the first one makes that."""
        if not (self.folder / "repo").exists():
            return []
        return [b["id"] for b in self.run("list", "--json").json["backups"]]

    def sessions(self):
        """The rows of full_sync_sessions, the oldest first."""
        if not (self.folder / "state/state.db").exists():
            return []
        with sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True, timeout=20) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("SELECT * FROM full_sync_sessions ORDER BY n")]

    def session(self, name):
        """The last one of this id; None where there is none."""
        return next((s for s in reversed(self.sessions()) if s["id"] == name), None)

    def shift(self, milliseconds):
        """The twin's service goes by a clock that is so much ahead."""
        (self.folder / "clock.new").write_text(str(int(self.clock.read_text()) + milliseconds))
        (self.folder / "clock.new").replace(self.clock)

    def age(self, milliseconds=61_000):
        """As if nothing had been heard of its sessions under way for so much longer."""
        with sqlite3.connect(self.folder / "state/state.db", timeout=20) as db:
            db.execute("UPDATE full_sync_sessions SET heartbeat = heartbeat - ?1, beat_mono = beat_mono - ?1 "
                       "WHERE ended IS NULL", (milliseconds,))  # fmt: skip

    def set_sync(self, text):
        """More under `sync:` of its settings, for its commands and for a service that knows of them."""
        settings = self.folder / "pgstow.yaml"
        settings.write_text(settings.read_text().replace(f"sync: {{nodeId: {self.name}", f"sync: {{nodeId: {self.name}, {text}"))
        self.stop()
        self.start()

    # ---------------------------------------------------------------- what befalls it

    def is_running(self):
        return self.running.process.poll() is None

    def kill(self):
        """kill -9 of the service alone; its jobs live on."""
        self.running.process.kill()
        self.running.process.communicate()

    def kill_all(self):
        """kill -9 of whatever works for this site: service, jobs, commands."""
        for pid in children(self.clock):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.running:
            self.running.process.wait(20)

    def lose_server(self):
        """kill -9 of the whole PostgreSQL server, as when the host loses power: nobody in it has a last word."""
        server = self.cluster.process
        server.send_signal(signal.SIGSTOP)
        backends = [int(p) for p in os.listdir("/proc") if p.isdigit() and parent_of(p) == server.pid]
        for pid in (*backends, server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait()
        wait_until(lambda: not any(process_state(pid) for pid in backends), "the server's processes stay")
        self.cluster.process = None

    def back(self, env=None):
        """Service and server are there, again where need be. env: of the service."""
        if self.cluster.process is None:
            self.cluster.start()
        if not self.is_running():
            self.start(env)
        return self

    def end(self):
        """The service ends as it would by itself (also so that ./dev coverage has its counts); whatever else is there is killed."""
        if self.running and self.is_running():
            for pid in children(self.clock):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM if pid == self.running.process.pid else signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running.process.communicate(timeout=20)
        self.kill_all()

    def close(self):
        self.end()
        if self.cluster.process is None:
            self.cluster.start()
        self.cluster.drop(*self.names)
        shutil.rmtree(self.folder, ignore_errors=True)


def parent_of(pid):
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Synced:
    """What a sync said."""

    def __init__(self, result):
        self.result, self.doc = result, result.json
        self.id = self.doc["sessionId"]

    def counts(self):
        """The counts of the merge that are not 0; {} where the whole was restored."""
        outcome = self.doc["applied"].get("outcome") or {}
        return {key: outcome[key] for key in COUNTS if outcome.get(key)}


class Sites:
    """a, b, and `net` between them."""

    def __init__(self, clusters, folder, of_a, of_b=None, signed=True, faults=False, more="", more_b=None, path=None,
                 safety=False):  # fmt: skip
        """of_a, of_b: SQL that makes the databases; signed: by a key of the two, else by the old header; faults: both
        run the twin with fault points; more, more_b: further lines of the settings; path: where both find PostgreSQL's
        tools, else the system's; safety: of syncs of which start() is told nothing else."""
        self.safety = safety
        ports = free_port(), free_port()
        self.net = Proxy(Place(ports[1]))
        self.net.__enter__()
        peers = ("b", f"http://127.0.0.1:{self.net.port}"), ("a", f"http://127.0.0.1:{ports[0]}")
        database, self.made = clusters[0].fresh_name("shop"), []
        mores = more, more if more_b is None else more_b
        for i, sql in enumerate((of_a, of_a if of_b is None else of_b)):
            where = Path(folder) / "ab"[i]
            where.mkdir()
            where.chmod(0o755)
            self.made.append(Site("ab"[i], clusters[i], where, sql, ports[i], peers[i], signed, faults, mores[i], database, path))
        self.a, self.b = self.made

    # ---------------------------------------------------------------- syncs, asked for by a

    def start(self, direction, *args, safety=None, **kwargs):
        """As Pgstow.start, of `pgstow sync pull|push b`. safety: the target is backed up before it is changed, as by
        default; few tests look at that, and it takes as long as all the rest."""
        more = () if (self.safety if safety is None else safety) else ("--no-safety-backup",)
        return self.a.pgstow.start("sync", direction, "b", "--entry", ENTRY, "--json", *more, *args, repo=False, **kwargs)

    def run(self, direction, *args, expect="OK", timeout=120, **kwargs):
        with self.start(direction, *args, **kwargs) as running:
            result = running.wait(timeout)
        return result.expect(expect) if expect else result

    def pull(self, *args, **kwargs):
        return Synced(self.run("pull", *args, **kwargs))

    def push(self, *args, **kwargs):
        return Synced(self.run("push", *args, **kwargs))

    def again(self, direction):
        """Another sync succeeds, and one more after it writes nothing."""
        Synced(self.run(direction))
        once_more = Synced(self.run(direction)).counts()
        assert not WRITTEN & set(once_more), once_more
        self.assert_same()

    # ---------------------------------------------------------------- what they hold

    def target(self, direction):
        return self.a if direction == "pull" else self.b

    def source(self, direction):
        return self.b if direction == "pull" else self.a

    def assert_same(self):
        """Both databases hold the same rows."""
        one, other = self.a.hashes(), self.b.hashes()
        assert one == other, f"rows differ:\n{one}\n\n{other}"

    def statuses(self, name):
        """Of the session of this id: at a, at b; None where there is none."""
        return tuple(s and s["status"] for s in (site.session(name) for site in self.made))

    def wait_ended(self, name):
        """Both sides' sessions, once none of them is under way any more."""
        wait_until(lambda: all(s is None or s in ENDED for s in self.statuses(name)), f"session {name} goes on", A_MINUTE)
        return [site.session(name) for site in self.made]

    def close(self):
        for site in self.made:
            site.close()
        self.net.__exit__()


class Place:
    """A port of this machine."""

    host = "127.0.0.1"

    def __init__(self, port):
        self.port = port
