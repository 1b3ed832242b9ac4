"""Syncs that something befalls, and what must be true afterwards: the target holds all of it or nothing, both sessions
end within a minute and say so, the next sync succeeds."""

import contextlib
import itertools
import os
import random
import signal

from .cluster import A_MINUTE, wait_until
from .program import process_state
from .service import children
from .sites import ENDED, WRITTEN, Synced

# Two tables that refer to each other's rows, and enough that does not compress to be cut anywhere.
SQL = """
CREATE TABLE account (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL, data jsonb);
CREATE TABLE move (id bigint PRIMARY KEY, account int NOT NULL REFERENCES account, amount int NOT NULL, note text);
CREATE TABLE bulk (id int PRIMARY KEY, v bytea);
INSERT INTO account SELECT g, 'owner ' || g, 1000, jsonb_build_object('n', g) FROM generate_series(1, 300) g;
INSERT INTO move SELECT g, 1 + g % 300, g % 7, md5(g::text) FROM generate_series(1, 2000) g;
INSERT INTO bulk SELECT g, sha512(g::text::bytea) || sha512((-g)::text::bytea) FROM generate_series(1, 3000) g;
"""
# What both sites do to their rows before each trial, so that there is something to sync: never the same twice.
CHANGES = """
UPDATE account SET balance = balance + {n}, owner = md5('{n}' || id) WHERE id % 7 = {n} % 7;
INSERT INTO move SELECT {base} + {n} * 100 + g, 1 + g, g, 'by {n}' FROM generate_series(1, 60) g;
DELETE FROM move WHERE id % 23 = {n} % 23;
UPDATE bulk SET v = sha512(('{n}' || id)::bytea) || v WHERE id % 13 = {n} % 13;
DELETE FROM bulk WHERE id = {n};
"""


class Trial:
    """One sync in one direction by `two` (sites that were made of SQL, by the twin)."""

    numbers = itertools.count(1)

    def __init__(self, two, direction):
        self.two, self.direction = two, direction
        self.number = next(self.numbers)
        self.name = f"trial-{self.number}"
        self.source, self.target = two.source(direction), two.target(direction)
        self.source.sql(CHANGES.format(n=self.number, base=1_000_000))
        self.target.sql(CHANGES.format(n=self.number + 3, base=2_000_000))
        self.before, self.wanted = self.target.hashes(), self.source.hashes()
        assert self.before != self.wanted

    def start(self, *args, **kwargs):
        return self.two.start(self.direction, "--merge", "mirror", "--session", self.name, *args, **kwargs)

    def run(self, *args, timeout=120, **kwargs):
        """To its end, whatever that is; None where it was killed."""
        with self.start(*args, **kwargs) as running:
            result = running.wait(timeout)
        return self.ended(result)

    def ended(self, result):
        assert "Sanitizer" not in result.stderr, str(result)
        return result if result.status >= 0 else None

    def until(self, *statuses, running):
        """The sync is so far, or has ended."""
        wait_until(lambda: running.process.poll() is not None or (self.two.a.session(self.name) or {}).get("status") in statuses,
                   f"{self.name} never was {statuses}", A_MINUTE)  # fmt: skip

    def judge(self, result, must=None):
        """result: of run(). must: True: it has to have succeeded; False: failed, and nothing is changed."""
        where = f"{self.name} {self.direction}: {result}"
        two = self.two
        two.net.heal()
        for site in two.made:
            site.back()
        statuses = self.ends(where)  # first: a job whose asker was killed may go on to a good end
        holds = self.target.hashes()
        everything, nothing = holds == self.wanted, holds == self.before
        assert everything or nothing, f"half of it: {where}\n{holds}"
        if "COMPLETED" in statuses:
            assert everything, f"{statuses}, and nothing is there: {where}"
        if result is not None and result.status == 0:
            untold = any("could not be told that it is done" in text for text in result.json["warnings"])
            assert everything and statuses == ("COMPLETED", "FAILED" if untold else "COMPLETED"), f"{statuses}: {where}"
        elif result is not None:
            assert statuses[0] in ("FAILED", "CANCELLED"), f"{statuses}: {where}"
            assert result.json["error"]["message"], where
        if must is not None:
            assert result is not None and (result.status == 0) == must and everything == must, where
        self.nothing_stays(where)
        return everything

    def ends(self, where):
        """How both sides' sessions ended, after a minute without a word of them."""
        for site in self.two.made:
            site.age()
        self.two.a.run("sync", "status", "--json")
        self.two.wait_ended(self.name)
        statuses = self.two.statuses(self.name)
        for site in self.two.made:
            session = site.session(self.name)
            if session and session["status"] == "FAILED":
                assert session["error_message"] and session["error_kind"], f"{session}: {where}"
        assert all(s is None or s in ENDED for s in statuses)
        return statuses

    def nothing_stays(self, where):
        for site in self.two.made:
            left = [name for name in site.cluster.databases() if "_pgstow_" in name]
            assert not left, f"{left}: {where}"

    def again(self, twice=False):
        """The next sync succeeds, and leaves nothing of what a killed one left; twice: one more writes nothing."""
        two, args = self.two, ("--merge", "mirror")
        Synced(two.run(self.direction, *args, safety=False))
        two.assert_same()
        left = self.target.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgstow\\_%'")
        assert not left, left
        if twice:
            once_more = Synced(two.run(self.direction, *args, safety=False)).counts()
            assert not WRITTEN & set(once_more), once_more
            two.assert_same()


@contextlib.contextmanager
def faulty(site, point, action="kill"):
    """The site's service and its jobs meet this fault point."""
    site.kill_all()
    site.start(env={"PGSTOW_FAULT": f"{point}:{action}"})
    try:
        yield
    finally:
        site.kill_all()
        site.start()


@contextlib.contextmanager
def held(two, trial, site, point, *args):
    """The sync (trial.running), with whoever works for this site stopped at a fault point; goes on at the end, or by
    go_on(). What it said is trial.result."""
    setting = {"PGSTOW_FAULT": f"{point}:stop"}
    with contextlib.ExitStack() as stack:
        if site is two.b:
            stack.enter_context(faulty(two.b, point, "stop"))
        with trial.start(*args, env=setting if site is two.a else None) as running:
            trial.running = running
            stopped = []
            wait_until(lambda: stopped.extend(p for p in children(site.clock) if process_state(p) == "T") or stopped or
                       running.process.poll() is not None, f"{point} was not reached", A_MINUTE)  # fmt: skip
            assert stopped, running.wait()
            yield stopped
            go_on(stopped)
            trial.result = trial.ended(running.wait())


def go_on(stopped):
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def points(two, direction, folder, *args):
    """The fault points that a sync with these arguments passes, and how often: of the one who asks, of the other side's
    jobs and service."""
    lists = [folder / f"points-{site.name}" for site in two.made]
    for path in lists:
        path.unlink(missing_ok=True)
    two.b.kill_all()
    two.b.start(env={"PGSTOW_FAULT_LIST": str(lists[1])})
    try:
        trial = Trial(two, direction)
        trial.judge(trial.run(*args, env={"PGSTOW_FAULT_LIST": str(lists[0])}), must=True)
    finally:
        two.b.kill_all()
        two.b.start()
    return [read_points(path) for path in lists]


def read_points(path):
    counted = {}
    for name in path.read_text().split() if path.exists() else []:
        counted[name] = counted.get(name, 0) + 1
    return counted


def some(counted, seed, count):
    """So many (point, passing), by chance, but the same for a seed."""
    chance = random.Random(seed)
    names = chance.sample(sorted(counted), min(count, len(counted)))
    return [(name, chance.randint(1, counted[name])) for name in names]
