"""Everything at once on one repository, for minutes, and any of it killed at any moment: two databases backed up,
cleanup and prune, deletes and undeletes, restores and verifies. Whatever was said to be good is good at the end.

PGSTOW_TEST_MINUTES sets for how long each (2), PGSTOW_TEST_SEED repeats the same choices.
"""

import os
import random
import signal
import threading
import time
from collections import Counter

import pytest

from harness import compare
from harness.errors import kind_of, status_of
from harness.program import backups_of

pytestmark = pytest.mark.slow

MINUTES = float(os.environ.get("PGSTOW_TEST_MINUTES", "2"))
SEED = int(os.environ.get("PGSTOW_TEST_SEED", time.time_ns() % 1000000))
KILLED_OF = 4  # one run of so many
TABLE = """
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, x text NOT NULL);
INSERT INTO t SELECT g, 0, md5(g::text) || md5((-g)::text) FROM generate_series(1, {rows}) g;
CREATE TABLE log (id bigserial PRIMARY KEY, what text);
"""
# Changes of all kinds, small ones more often.
CHANGES = [
    "UPDATE t SET n = n + 1 WHERE id % 997 = {r}",
    "UPDATE t SET n = n + 1 WHERE id % 97 = {r}",
    "INSERT INTO log (what) SELECT md5(g::text || {r}) FROM generate_series(1, 500) g",
    "DELETE FROM log WHERE id % 7 = {r} % 7",
    "UPDATE t SET x = md5(x) || md5(n::text || x) WHERE id BETWEEN {r} * 20 AND {r} * 20 + 300",
    "VACUUM FULL t",
]


class Storm:
    def __init__(self, cluster, pgstow):
        self.cluster, self.pgstow = cluster, pgstow
        self.hashes = {}  # of every backup that was ever seen, by id
        self.gone = set()  # ids that somebody may have deleted
        self.counts, self.failures = Counter(), []
        self.until = time.monotonic() + MINUTES * 60
        self.lock = threading.Lock()

    def over(self):
        return self.failures or time.monotonic() > self.until

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def run(self, rng, what, *args, typical=1.0, allowed=(), **kwargs):
        """One run, perhaps killed. Gives its result, or None where it was killed or failed as it may."""
        with self.pgstow.start(*args, **kwargs) as running:
            if rng.randrange(KILLED_OF) == 0:
                time.sleep(rng.random() * typical)
                running.process.send_signal(signal.SIGKILL)
            result = running.wait(600)
        if result.status == -signal.SIGKILL:
            self.count(f"{what}: killed")
            return None
        if result.status == 0:
            self.count(f"{what}: done")
            return result
        assert result.status in [status_of(kind) for kind in allowed], f"{what}: {result}"
        self.count(f"{what}: {kind_of(result.status)}")
        return None

    def ids(self, database):
        return [b["id"] for b in backups_of(self.pgstow.run("list", database, "--json", expect=None).json)]

    def thread(self, work, *args):
        def guarded():
            rng = random.Random(f"{SEED} {work.__name__} {args}")
            try:
                while not self.over():
                    work(rng, *args)
            except BaseException as problem:  # noqa: BLE001: told at the end, by the test itself
                self.failures.append(f"{work.__name__}: {problem}")

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    # ---------------------------------------------------------------- what goes on

    def write(self, rng, database):
        """Changes, then a backup. One that was killed may have been committed all the same: then it holds this."""
        for _ in range(rng.randint(1, 3)):
            self.cluster.sql(rng.choice(CHANGES).format(r=rng.randrange(97)), database)
        rows = compare.row_hashes(self.cluster, database)
        self.run(rng, "backup", "backup", "--no-cleanup", db=database, typical=1.5)
        with self.lock:
            for backup in self.ids(database):
                self.hashes.setdefault(backup, rows)

    def clean(self, rng, database):
        kept = rng.randint(2, 6)
        args = ["--prune-only"] if rng.random() < 0.3 else ["--keep-last", str(kept)]
        self.run(rng, "cleanup", "cleanup", database, "--trash-days", "0", "--yes", *args, allowed=("BUSY", "FENCED"))
        if "--keep-last" in args:
            # Whatever it saw when it looked, so many newer ones it has left.
            seen = self.ids(database)
            with self.lock:
                known = sorted({b for b in self.hashes if b.startswith(f"{database}-")} | set(seen))
                self.gone.update(known[:-kept])
        time.sleep(rng.random())

    def delete(self, rng, database):
        seen = self.ids(database)
        if len(seen) > 3:
            backup = rng.choice(seen[:-2])
            with self.lock:
                self.gone.add(backup)
            self.run(rng, "delete", "delete", backup, "--yes", typical=0.1, allowed=("NOT_FOUND",))
            if rng.random() < 0.5:
                self.run(rng, "undelete", "undelete", backup, typical=0.2, allowed=("NOT_FOUND", "BUSY"))
        time.sleep(rng.random() * 2)

    def restore(self, rng, database, name):
        backup = rng.choice(self.ids(database))
        with self.lock:
            rows = self.hashes.get(backup)
        if not rows:
            return  # not known yet what it holds
        self.cluster.drop(name)
        # One that goes away before the restore has it is not there; one that it has is read to its end.
        if self.run(rng, "restore", "restore", backup, "--to-db", name, db=database, allowed=("NOT_FOUND",)):
            assert compare.row_hashes(self.cluster, name) == rows, f"{backup} is not what it was"

    def verify(self, rng):
        level = rng.choice(["quick", "data", "rebuild"])
        self.run(rng, "verify", "verify", "--level", level)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_everything_at_once(cluster, pgstow, database, capsys, encrypted):
    if encrypted:
        pgstow.env = {**pgstow.env, "PGSTOW_KEY_FILE": str(pgstow.folder / "key"), "BACKUP_ENCRYPTION": "true"}
    storm = Storm(cluster, pgstow)
    one, two = database(sql=TABLE.format(rows=40000)), database(sql=TABLE.format(rows=8000))
    for name in (one, two):
        storm.hashes[pgstow.backup(name)] = compare.row_hashes(cluster, name)
    threads = [storm.thread(storm.write, one), storm.thread(storm.write, two), storm.thread(storm.clean, one),
               storm.thread(storm.clean, two), storm.thread(storm.delete, one), storm.thread(storm.verify),
               storm.thread(storm.restore, one, "storm_one"), storm.thread(storm.restore, two, "storm_two")]  # fmt: skip
    database.later("storm_one")
    database.later("storm_two")
    for thread in threads:
        thread.join()
    with capsys.disabled():
        print(f"\n{'encrypted' if encrypted else 'plain'}, {MINUTES:g} minutes, seed {SEED}")
        for what, n in sorted(storm.counts.items()):
            print(f"{n:6} {what}")
    assert not storm.failures, f"seed {SEED}: {storm.failures[0]}"
    for what in ("backup", "cleanup", "delete", "restore", "verify"):
        assert storm.counts[f"{what}: done"] > 0, f"no {what} came to its end"
    # What was not deleted is there; and all that is there is whole, and what it was.
    for name in (one, two):
        assert storm.ids(name)[-1] in storm.hashes
        left = set(storm.ids(name))
        missing = {b for b in storm.hashes if b.startswith(f"{name}-")} - left - storm.gone
        assert not missing, f"seed {SEED}: nobody deleted {missing}"
        storm.run(random.Random(0), "backup", "backup", db=name)
    pgstow.run("cleanup", "--prune-only", "--trash-days", "0", "--yes")
    pgstow.run("verify", "--level", "rebuild")
    compared = 0
    for name in (one, two):
        for backup in storm.ids(name):
            if backup in storm.hashes:
                cluster.drop("storm_one")
                pgstow.restore(backup, name, "--to-db", "storm_one")
                assert compare.row_hashes(cluster, "storm_one") == storm.hashes[backup], f"seed {SEED}: {backup}"
                compared += 1
    with capsys.disabled():
        print(f"{compared:6} backups restored and compared at the end")
    assert compared >= 2
