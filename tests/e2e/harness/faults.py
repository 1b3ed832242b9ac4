"""One fault at every call that a command makes of its store: what is tried, and what must be true afterwards.

The commands are run once to count the calls (PGSTOW_STORE_LIST), then once for every call and every way in
which such a call can go wrong (PGSTOW_STORE_FAULT, see src/store/faulty.h)."""

import collections
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from .cluster import wait_until
from .program import Pgstow, program

WAYS = {
    "begin": ["io", "denied", "full", "late", "gone", "lost", "kill", "killed"],
    "write": ["io", "full", "short", "late", "gone", "lost", "kill", "killed"],
    "finish": ["io", "denied", "full", "late", "exists", "gone", "lost", "kill", "killed"],
    "put": ["io", "denied", "full", "late", "exists", "gone", "lost", "kill", "killed"],
    "adopt": ["gone", "lost", "kill", "killed"],
    "barrier": ["io", "full", "late", "gone", "lost", "kill", "killed"],
    "get": ["io", "denied", "short", "gone", "kill"],
    "get_all": ["io", "denied", "short", "gone", "kill"],
    "size": ["io", "denied", "gone", "kill"],
    "delete": ["io", "denied", "full", "late", "gone", "lost", "kill", "killed"],
    "list": ["io", "denied", "short", "gone", "kill"],
    "space": ["io", "gone", "kill"],
}
TOMBSTONE = b"PGSTOWTS"
MOST_FAILURES = 10  # then it is enough


class Call:
    def __init__(self, line):
        number, self.what, self.name = line.split(" ", 2)
        self.number = int(number)

    def __str__(self):
        return f"{self.number} ({self.what} {self.name})"

    def fault(self, kind):
        return {"PGSTOW_STORE_FAULT": f"{self.number}:{kind}"}


class Point:
    """A passing of a fault point (src/base/fault.h)."""

    def __init__(self, name, number):
        self.name, self.number = name, number

    def __str__(self):
        return f"{self.name}, passing {self.number}"

    def fault(self, kind):
        return {"PGSTOW_FAULT": f"{self.name}:{kind}:{self.number}"}


def calls_of(listing):
    return [Call(line) for line in listing.read_text().splitlines()]


def points_of(listing):
    """Each point at its first, a middle and its last passing."""
    counts = collections.Counter(listing.read_text().split())
    return [Point(name, n) for name, most in counts.items() for n in sorted({1, (most + 1) // 2, most})]


def all_faults(calls):
    assert calls
    return [(call, kind) for call in calls for kind in WAYS[call.what]]


def all_point_faults(points):
    assert points
    return [(point, kind) for point in points for kind in ("error", "kill")]


def thinned(faults, count):
    """So many of them, spread over all calls and all kinds (by the golden ratio, so that no rhythm of theirs is
    met)."""
    return [faults[int((0.31 + i * 0.6180339887) % 1 * len(faults))] for i in range(count)]


class Hand:
    """One of those who try faults at the same time: a copy of the repository and a database of its own."""

    def __init__(self, sweep, number):
        self.sweep, self.cluster = sweep, sweep.cluster
        self.folder = sweep.folder / f"hand {number}"
        self.folder.mkdir()
        self.twin = Pgstow(self.cluster, self.folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env=sweep.env)
        self.db = sweep.databases[number]
        self.copy = f"{self.db}_copy"
        self.repo = self.twin.repo

    def fresh(self):
        shutil.rmtree(self.repo, ignore_errors=True)
        if self.sweep.saved.exists():
            shutil.copytree(self.sweep.saved, self.repo)

    def run(self, args, env=None):
        for word, meant in (("COPY", self.copy), ("FOLDER", str(self.folder)), ("ID", self.sweep.ids.get(self.db, ""))):
            args = [a.replace(word, meant) for a in args]
        with self.twin.start(*args, db=self.db if self.sweep.needs_db else None, env=env) as running:
            result = running.wait(60)
        assert "Sanitizer" not in result.stderr, str(result)
        assert result.status >= 0 or result.status == -signal.SIGKILL, f"crashed: {result}"
        return result

    def verified(self, where):
        """All that was committed is whole; returns the ids. Nothing half is to be seen."""
        folder = self.repo / "backups"
        found = sorted(folder.iterdir()) if folder.exists() else []
        if not (self.repo / "config").exists():
            assert not found, f"{where}: {found}"
            return []
        result = self.run(["verify", "--level", "rebuild", "--quiet"])
        assert result.status == 0, f"{where}: {result}"
        ids = [b["id"] for b in self.list()]
        for file in found:
            name, _, ending = file.name.partition(".")
            if ending == "manifest" and file.read_bytes()[:8] == TOMBSTONE:
                assert name not in ids, f"{where}: {name} is dead and listed"
            elif ending == "manifest":
                assert name in ids or (self.repo / "trash" / name).exists(), f"{where}: {name} is not listed"
            else:
                assert ending == "metadata.json", f"{where}: {file.name}"
                # A purge takes the marker away last.
                assert (folder / f"{name}.manifest").exists() or (self.repo / "trash" / name).exists(), (
                    f"{where}: {name} has no manifest")  # fmt: skip
        return ids

    def list(self):
        if not (self.repo / "config").exists():
            return []
        result = self.run(["list", "--json"])
        assert result.status == 0, str(result)
        return result.json["backups"] if isinstance(result.json, dict) else result.json

    def sessions(self):
        folder = self.repo / "sessions"
        return [f.name for f in folder.iterdir()] if folder.exists() else []

    def alone(self):
        """The server has noticed that a killed client is gone."""
        wait_until(lambda: self.cluster.sql(
            f"SELECT count(*) FROM pg_stat_activity WHERE datname IN ('{self.db}', '{self.copy}')") == "0",
            "a killed client is still connected")  # fmt: skip


class Sweep:
    """One command, its repository before, and what must be true afterwards.

    world: cluster, databases (as many faults are tried at a time), ids (the newest backup of each database).
    saved: the repository to begin with, which need not exist. args: of the command; in them COPY stands for a
    second database, FOLDER for a folder to write into, ID for the newest backup.
    done(hand, result): whether the work was done, looked up where it should be.
    reset(hand): what the repository does not hold is as it was. settled(hand): looked at in the end.
    between(hand): what a person does before trying again.
    env: for the program. standing: backups that must be there whatever happens. already: exit statuses of a run that finds its work
    done."""

    def __init__(self, world, folder, saved, args, done, reset=None, settled=None, needs_db=True, standing=(), already=(), env=None,
                 between=None):
        self.cluster, self.databases, self.ids = world.cluster, world.databases, world.ids
        self.folder, self.saved, self.args, self.done, self.needs_db = folder, saved, args, done, needs_db
        self.reset = reset or (lambda hand: None)
        self.settled = settled or (lambda hand: None)
        self.between = between or (lambda hand: None)
        self.standing, self.already, self.env = standing, already, env
        folder.mkdir()
        self.hands = [Hand(self, i) for i in range(len(self.databases))]
        self.tally = collections.Counter()
        self.lock = threading.Lock()

    def listed(self, variable):
        """What a run without a fault puts into the file that this variable names."""
        hand = self.hands[0]
        hand.fresh()
        listing = self.folder / variable
        result = hand.run(self.args, {variable: listing})
        assert result.status == 0, str(result)
        assert self.done(hand, result), str(result)
        self.settled(hand)
        self.reset(hand)
        return listing

    def calls(self):
        return calls_of(self.listed("PGSTOW_STORE_LIST"))

    def points(self):
        return points_of(self.listed("PGSTOW_FAULT_LIST"))

    def try_one(self, hand, call, kind):
        where = f"{' '.join(self.args)}: {call} {kind}"
        hand.fresh()
        result = hand.run(self.args, call.fault(kind))
        killed = result.status == -signal.SIGKILL
        if killed:
            hand.alone()
        elif kind in ("kill", "killed"):
            self.count("not reached")
        standing = hand.verified(f"{where}\n{result}")
        assert set(self.standing) <= set(standing), f"{where}: a backup is gone\n{result}"
        done = self.done(hand, result)
        assert result.status != 0 or done, f"{where}: success is told, and it is not so: {result}"
        if result.status > 0:
            assert result.said.strip(), f"{where}: nothing is said"
        self.count("killed" if killed else "done" if result.status == 0 else "failed")
        # The next run succeeds, and leaves nothing over.
        self.next_run(hand, where, done)
        self.reset(hand)

    def next_run(self, hand, where, done):
        self.between(hand)
        again = hand.run(self.args)
        if again.status != 0 and done:
            # What is done already may be told as such.
            assert again.status in self.already, f"{where}; then {again}"
        else:
            assert again.status == 0, f"{where}; then {again}"
            assert self.done(hand, again), f"{where}; then {again}"
        ids = hand.verified(f"{where}; after another run {again}")
        assert set(self.standing) <= set(ids), f"{where}; after another run {again}"
        self.settled(hand)

    def count(self, what):
        with self.lock:
            self.tally[what] += 1

    def run(self, faults):
        """Tries them, some at a time. Returns how many; fails with what is wrong of the first few that are."""
        waiting = collections.deque(faults)
        failed = []

        def work(hand):
            while len(failed) < MOST_FAILURES:
                with self.lock:
                    if not waiting:
                        return
                    call, kind = waiting.popleft()
                try:
                    self.try_one(hand, call, kind)
                except AssertionError as problem:
                    failed.append(f"{call} {kind}: {problem}")
                    hand.alone()
                    self.reset(hand)

        with ThreadPoolExecutor(len(self.hands)) as pool:
            list(pool.map(work, self.hands))
        tried = len(faults) - len(waiting)
        result = ", ".join(f"{n} {what}" for what, n in sorted(self.tally.items()))
        print(f"{self.args[0]}: {tried} faults tried, {tried - len(failed)} survived: {result}")
        assert not failed, "\n\n".join(failed)
        return tried
