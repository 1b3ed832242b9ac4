"""A backup is one state of the database, whatever others do meanwhile."""

import json
import subprocess
import threading
import time

import pytest

from harness import compare
from harness.cluster import SLOWER, Cluster, wait_until
from harness.errors import status_of
from harness.program import Pgstow, program

BALANCES = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches),
       (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT coalesce(sum(delta), 0) FROM pgbench_history),
       (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pgbench_history)
"""


class Pgbench:
    """pgbench at work until it is stopped."""

    def __init__(self, cluster, database, *args):
        self.command = [cluster.bin / "pgbench", "-n", "-T", "600", *args, database]
        self.env = cluster.environment(database)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        assert self.process.poll() is None, self.process.stdout.read()
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def bank(cluster, database):
    name = database()
    cluster.tool("pgbench", "-i", "-q", "-s", "1", database=name)
    return name


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_balances_add_up_each_time(cluster, pgstow, bank, times):
    """Each transaction moves one sum in four tables: any backup between two of them has four equal sums."""
    with Pgbench(cluster, bank, "-c", "4", "-j", "2", "-R", "300"):
        time.sleep(0.5)
        backups = [pgstow.backup(bank, "--jobs", "4") for _ in range(times)]
    histories = []
    for backup in backups:
        cluster.drop("bank_copy")
        pgstow.restore(backup, bank, "--to-db", "bank_copy")
        a, b, t, h, accounts, history = map(int, cluster.sql(BALANCES, "bank_copy").split("|"))
        assert a == b == t == h, (backup, a, b, t, h)
        assert accounts == 100000
        histories.append(history)
    cluster.drop("bank_copy")
    assert histories == sorted(histories) and histories[-1] > histories[0], "pgbench was not at work"


# ---------------------------------------------------------------- between the steps of its start

ROWS = 2000
START = f"""
CREATE TABLE full_one (id int, t text);
INSERT INTO full_one SELECT g, 'old ' || g FROM generate_series(1, {ROWS}) g;
CREATE TABLE full_two (id int, t text);
INSERT INTO full_two SELECT g, 'old ' || g FROM generate_series(1, {ROWS}) g;
CREATE TABLE parted (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO ({ROWS // 2});
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM ({ROWS // 2}) TO (100000);
INSERT INTO parted SELECT g, 'old ' || g FROM generate_series(1, {ROWS}) g;
"""
REFILL = "INSERT INTO {0} SELECT g, 'new ' || g FROM generate_series(1, " + str(ROWS) + ") g;"
ACTIONS = {
    "TRUNCATE and INSERT": "BEGIN; TRUNCATE full_one;" + REFILL.format("full_one") + "COMMIT;",
    "TRUNCATE and INSERT of partitions": "BEGIN; TRUNCATE parted;" + REFILL.format("parted") + "COMMIT;",
    "ALTER TYPE": "ALTER TABLE full_one ALTER COLUMN id TYPE bigint;",
    "CREATE TABLE": "BEGIN; CREATE TABLE fresh (id int, t text);" + REFILL.format("fresh") + "COMMIT;",
    "CREATE and rewrite": "BEGIN; CREATE TABLE fresh (id int, t text);" + REFILL.format("fresh") +
                          "COMMIT; ALTER TABLE fresh ALTER COLUMN id TYPE bigint;",
    "VACUUM FULL": "VACUUM FULL full_two;",
    "DROP and CREATE": "BEGIN; DROP TABLE full_one; CREATE TABLE full_one (id int, t text);" +
                       REFILL.format("full_one") + "COMMIT;",
    "RENAME of two": "BEGIN; ALTER TABLE full_one RENAME TO x; ALTER TABLE full_two RENAME TO full_one;"
                     "ALTER TABLE x RENAME TO full_two; COMMIT;",
    "ADD and DROP COLUMN": "ALTER TABLE full_one ADD COLUMN extra int DEFAULT 5, DROP COLUMN t;"
                           "ALTER TABLE full_one ADD COLUMN t text DEFAULT 'x';",
    "ATTACH a partition": "CREATE TABLE late PARTITION OF parted FOR VALUES FROM (100000) TO (200000);"
                          "INSERT INTO parted VALUES (150000, 'new');",
}  # fmt: skip
MOST_TELLING = {"TRUNCATE and INSERT", "RENAME of two", "ATTACH a partition"}  # the others: ./dev fault


@pytest.fixture(scope="module")
def start_points(cluster, module_folder):
    """The names of the fault points of a backup's beginning, as it passes them."""
    faults = Pgstow(cluster, module_folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    name = cluster.create(sql=START)
    listing = module_folder / "points"
    faults.backup(name, env={"PGSTOW_FAULT_LIST": str(listing)})
    cluster.drop(name)
    points = [p for p in dict.fromkeys(listing.read_text().split()) if p.startswith("backup.start.")]
    assert len(points) >= 4, points
    return points


@pytest.fixture(scope="module")
def start_template(cluster):
    return cluster.create(sql=START)


def ids_and_states(pgstow, backup):
    """Of each table with rows of those that START makes: how many, how many ids, how many states (old, new)."""
    seen, table = {}, None
    for line in pgstow.run("export", backup, "--format", "json", "-o", "-").stdout.splitlines():
        item = json.loads(line)
        if "table" in item:
            table = seen.setdefault((item["table"].get("partitionOf") or item["table"])["name"], [])
        elif "row" in item and item["row"]["id"] < 100000:
            table.append((item["row"]["id"], item["row"]["t"][:3]))
    return {name: tuple(map(len, (rows, {i for i, _ in rows}, {t for _, t in rows}))) for name, rows in seen.items()}


def ids_and_states_restored(cluster, pgstow, backup, database, copy):
    pgstow.restore(backup, database, "--to-db", copy)
    tables = cluster.rows("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND "
                          "relnamespace = 'public'::regnamespace", copy)  # fmt: skip
    ask = "SELECT count(*), count(DISTINCT id), count(DISTINCT left(t, 3)) FROM {} WHERE id < 100000"
    seen = {t: tuple(map(int, cluster.rows(ask.format(t), copy)[0])) for (t,) in tables}
    cluster.drop(copy)
    return seen


@pytest.mark.parametrize("restored", ["once", pytest.param("each", marks=pytest.mark.slow)])
@pytest.mark.parametrize("action", [a if a in MOST_TELLING else pytest.param(a, marks=pytest.mark.slow) for a in sorted(ACTIONS)])
def test_between_every_two_steps_of_the_start(cluster, pgstow_faults, start_points, start_template, action, restored):
    """Others change tables while the backup begins. It takes the old or the new state, starts over or
    gives up; but it never calls a backup good in which a full table has no rows."""
    good = 0
    for point in start_points:
        name = cluster.create(template=start_template)
        copy = f"{name}_copy"
        with pgstow_faults.start("backup", "--lock-wait", "300ms", db=name, env={"PGSTOW_FAULT": f"{point}:stop"}) as run, \
                cluster.session(name) as other:  # fmt: skip
            assert run.wait_stopped(), f"{point} was not reached: {run.wait()}"
            mark = other.send(ACTIONS[action])
            # It may have to wait for the backup's locks; then it is queued when the backup goes on.
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                if cluster.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND "
                               "application_name = 'psql' AND (wait_event_type = 'Lock' OR state = 'idle' "
                               "AND state_change > query_start AND query <> '')") != "0":  # fmt: skip
                    break
                time.sleep(0.02)
            run.resume()
            result = run.wait(120)
            answer = other.wait(mark)
            assert "ERROR" not in answer, answer
        if result.status != 0:
            assert result.status == status_of("DB_CHANGED"), f"{point}: {result}"
            assert pgstow_faults.manifests() == [], point
        else:
            good += 1
            seen = ids_and_states(pgstow_faults, result.id)
            if good == 1 or restored == "each":
                assert ids_and_states_restored(cluster, pgstow_faults, result.id, name, copy) == seen
            assert seen.keys() >= {"full_one", "full_two", "parted"}, (point, seen)
            for table, counts in seen.items():
                assert counts == (ROWS, ROWS, 1), f"{action} at {point}: {table} has {counts}"
            pgstow_faults.run("delete", result.id)
        cluster.drop(name)
    assert good >= len(start_points) // 2, f"only {good} of {len(start_points)} went well"


def test_a_queued_exclusive_lock_does_not_hang_it(cluster, pgstow_faults, database):
    """Someone asks for an exclusive lock after ours: workers would wait for ever behind it."""
    name = database(sql=START)
    with pgstow_faults.start("backup", "--jobs", "4", db=name, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run, \
            cluster.session(name) as other:  # fmt: skip
        assert run.wait_stopped()
        mark = other.send("ALTER TABLE full_one ADD COLUMN extra int; ALTER TABLE parted ADD COLUMN extra int;")
        wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", "nobody asks for it")
        run.resume()
        backup = run.wait(60).expect("OK").id
        other.wait(mark)
    pgstow_faults.run("verify", backup, "--level", "rebuild")
    tables = {t["name"]: t["rows"] for t in tables_of(pgstow_faults, backup)}
    assert tables["full_one"] == tables["full_two"] == ROWS


def tables_of(pgstow, backup):
    return pgstow.run("show", backup, "--tables", "--json").json["tableList"]


@pytest.mark.slow
def test_ddl_all_the_time(cluster, pgstow, database):
    """Tables are truncated, filled, made and dropped without pause: ten backups, none with a gap."""
    name = database(sql=START)
    stop = threading.Event()
    failures = []

    def work():
        with cluster.session(name) as other:
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    other.run(ACTIONS["TRUNCATE and INSERT"])
                    other.run(ACTIONS["TRUNCATE and INSERT of partitions"])
                    other.run(f"CREATE TABLE churn_{n} AS SELECT 1 AS a; DROP TABLE IF EXISTS churn_{max(n - 2, 0)};")
                except AssertionError as problem:
                    if "deadlock" not in str(problem):
                        failures.append(problem)
                        return
                time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    good = 0
    try:
        for _ in range(10):
            result = pgstow.run("backup", "--lock-wait", "300ms", db=name, expect=None, timeout=120 * SLOWER)
            if result.status == 0:
                good += 1
                tables = {t["name"]: t["rows"] for t in tables_of(pgstow, result.id)}
                assert tables["full_one"] == ROWS, tables
                assert tables["parted_low"] + tables["parted_high"] == ROWS, tables
            else:
                assert result.status == status_of("DB_CHANGED"), str(result)
    finally:
        stop.set()
        thread.join()
    assert not failures, failures[0]
    assert good >= 1, "not one of ten backups found a moment"


def test_sequences_and_large_objects_of_the_same_moment(cluster, pgstow_faults, database):
    """A large object changed while rows are read is backed up as the snapshot sees it."""
    name = database(sql="SELECT lo_from_bytea(4711, 'before'); CREATE TABLE t AS SELECT 1 AS a")
    with pgstow_faults.start("backup", db=name, env={"PGSTOW_FAULT": "backup.opened:stop"}) as run:
        assert run.wait_stopped()
        cluster.sql("SELECT lo_unlink(4711); SELECT lo_from_bytea(4712, 'after')", name)
        run.resume()
        backup = run.wait().expect("OK").id
    database.later(f"{name}_copy")
    pgstow_faults.restore(backup, name, "--to-db", f"{name}_copy")
    assert cluster.sql("SELECT string_agg(oid::text || encode(lo_get(oid), 'escape'), ',') "
                       "FROM pg_largeobject_metadata", f"{name}_copy") == "4711before"  # fmt: skip


@pytest.mark.slow
def test_a_standby(pgstow):
    """Backups from a standby work, and restore into its primary."""
    primary = Cluster()
    standby = None
    try:
        name = primary.create("on_both", sql=START)
        standby = Cluster({"hot_standby": "on"}, standby_of=primary)
        there = Pgstow(standby, pgstow.folder)
        backup = there.backup(name)
        Pgstow(primary, pgstow.folder).restore(backup, name, "--to-db", "from_standby")
        compare.assert_same(primary, name, "from_standby")
        assert "standby" in there.run("doctor", db=name, expect=None).said
    finally:
        if standby:
            standby.destroy()
        primary.destroy()
