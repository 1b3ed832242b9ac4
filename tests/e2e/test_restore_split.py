"""restore: a table that all others would wait for comes in by several connections, whole or not at all."""

import collections
import signal

import pytest

from harness import compare
from harness.cluster import wait_until
from harness.program import Pgstow, program

ROWS = 20_000
SPLIT = {"PGSTOW_SPLIT_BYTES": "1000000"}  # src/op/restore_split.c: otherwise 32 MB
DATA = f"""
CREATE TABLE kind (id int PRIMARY KEY, name text);
INSERT INTO kind SELECT g, 'kind ' || g FROM generate_series(1, 50) g;
CREATE TABLE big (id int PRIMARY KEY, kind int NOT NULL REFERENCES kind, t text, v text DEFAULT 'v' CHECK (length(v) > 0));
-- One in the middle is longer than many turns, and than what a lane may be behind.
INSERT INTO big SELECT g, 1 + g % 50, CASE WHEN g = {ROWS // 2} THEN repeat('long', 750000) || E'\\n'
    WHEN g % 1000 > 0 THEN md5(g::text) || E'\\t\\n\\\\' || repeat(md5((g + 1)::text), 4) END FROM generate_series(1, {ROWS}) g;
CREATE INDEX ON big (kind);
CREATE TABLE small (a int);
INSERT INTO small SELECT generate_series(1, 1000);
"""


@pytest.fixture(scope="module")
def source(cluster):
    name = cluster.create(sql=DATA)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def saved(cluster, source, module_folder):
    """The program with fault points, and a backup of the source."""
    here = Pgstow(cluster, module_folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env=SPLIT)
    here.id = here.backup(source)
    return here


@pytest.fixture
def copy(cluster, database):
    name = cluster.fresh_name("copy")
    database.later(name)
    return name


def points(here, *args, **kwargs):
    """How often each of our fault points was passed by a restore."""
    listing = here.folder / "points"
    listing.unlink(missing_ok=True)
    here.run("restore", here.id, *args, env={"PGSTOW_FAULT_LIST": str(listing)}, **kwargs)
    passed = collections.Counter(listing.read_text().split())
    return {name.removeprefix("restore.split."): n for name, n in passed.items() if name.startswith("restore.split.")}


def lanes(cluster, state):
    """The sessions that fill the table."""
    return cluster.rows(f"SELECT pid, datname FROM pg_stat_activity WHERE query LIKE 'COPY public.big %' AND state = '{state}'")


def all_visible(cluster, database):
    return int(cluster.sql("SELECT relallvisible FROM pg_class WHERE oid = 'big'::regclass", database))


def stopped(here, point, source, copy, turn=1):
    run = here.start("restore", here.id, "--to-db", copy, "-j", "3", db=source, env={"PGSTOW_FAULT": f"{point}:stop:{turn}"})
    assert run.wait_stopped()
    return run


def test_by_several_connections(cluster, saved, source, copy):
    with stopped(saved, "restore.split.commit", source, copy) as run:
        found = lanes(cluster, "idle in transaction")
        assert len(found) == 3, found
        # None before all have theirs.
        assert cluster.sql("SELECT count(*) FROM big", found[0][1]) == "0"
        run.resume()
        run.wait().expect("OK")
    compare.assert_same(cluster, source, copy)
    assert int(cluster.sql(f"SELECT count(*) FROM big WHERE length(t) = 3000001 AND id = {ROWS // 2}", copy)) == 1
    # Each has rows from all over the table, in turns, and not a third of it.
    spans = cluster.rows("SELECT max(id) - min(id) FROM big GROUP BY xmin::text", copy)
    assert len(spans) == 3 and all(int(span) > ROWS / 2 for (span,) in spans), spans


@pytest.mark.parametrize("args", [("-j", "1"), ("-j", "2", "--keep-order"), ("-j", "3", "--salvage")], ids=" ".join)
def test_by_one(cluster, saved, source, copy, args):
    assert points(saved, "--to-db", copy, *args, db=source) == {}
    compare.assert_same(cluster, source, copy)
    assert all_visible(cluster, copy) > 0  # frozen


def test_the_file_can_say_so(saved, cluster, source, copy):
    (saved.folder / "pgstow.yaml").write_text("restore:\n  keepOrder: true\n")
    try:
        assert points(saved, "--to-db", copy, "-j", "2", db=source) == {}
    finally:
        (saved.folder / "pgstow.yaml").unlink()


def test_one_among_many_is_not_split(pgstow_faults, database, copy):
    """While others have as much to do, each comes in by one COPY."""
    db = database(sql="".join(f"CREATE TABLE t{i} AS SELECT g, repeat('x', 200) t FROM generate_series(1, 8000) g;" for i in range(4)))
    pgstow_faults.env = SPLIT
    pgstow_faults.id = pgstow_faults.backup(db)
    assert points(pgstow_faults, "--to-db", copy, "-j", "2", db=db) == {}


@pytest.mark.parametrize("check", [
    "CREATE TABLE big (id int, t text CHECK (fine(t)))",
    "CREATE DOMAIN nice AS text CHECK (fine(VALUE)); CREATE DOMAIN same AS nice; CREATE TYPE two AS (a int, b same[]);"
    "CREATE TABLE big (id int, t text, c two)",
    "CREATE FUNCTION eq(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN true; END';"
    "CREATE OPERATOR === (FUNCTION = eq, LEFTARG = text, RIGHTARG = text);"
    "CREATE TABLE big (id int, t text, CHECK (t OPERATOR(public.===) 'a'))",
], ids=["check", "domain", "operator"])  # fmt: skip
def test_code_of_the_user_is_run_by_one(cluster, pgstow_faults, database, copy, check):
    """It may write: two that wait for each other's rows would wait for ever."""
    db = database(sql="CREATE FUNCTION fine(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN true; END';"
                      f"{check}; INSERT INTO big SELECT g, repeat('x', 200) FROM generate_series(1, 8000) g;")  # fmt: skip
    pgstow_faults.env = SPLIT
    pgstow_faults.id = pgstow_faults.backup(db)
    assert points(pgstow_faults, "--to-db", copy, "-j", "2", db=db) == {}
    compare.assert_same_rows(cluster, db, copy)


def test_refused_rows_are_tried_again(cluster, pgstow_faults, database, copy):
    """A CHECK that asks another table, whose rows are there only later."""
    db = database(sql="""
        CREATE TABLE small (id int); INSERT INTO small VALUES (1);
        CREATE TABLE big (id int, t text, CHECK (id % 4000 > 0 OR
            query_to_xml('SELECT id FROM public.small', true, false, '')::text LIKE '%<id>1</id>%'));
        INSERT INTO big SELECT g, repeat('x', 200) FROM generate_series(1, 10000) g;""")
    pgstow_faults.env = SPLIT
    pgstow_faults.id = pgstow_faults.backup(db)
    passed = points(pgstow_faults, "--to-db", copy, "-j", "2", db=db)
    assert passed["turn"] and "commit" not in passed
    compare.assert_same(cluster, db, copy)
    assert all_visible(cluster, copy) > 0  # by one COPY in the end


def test_rows_that_stay_refused(cluster, pgstow_faults, database, copy):
    """The restore fails, and says what the server said."""
    db = database(sql="""
        CREATE TABLE big (id int, t text, CHECK (id < 9000 OR current_setting('application_name') = 'psql'));
        INSERT INTO big SELECT g, repeat('x', 200) FROM generate_series(1, 10000) g;""")
    pgstow_faults.env = SPLIT
    backup = pgstow_faults.backup(db)
    before = cluster.databases()
    pgstow_faults.restore(backup, db, "--to-db", copy, "-j", "2", expect="DB").error_says("public.big", "big_id_check")
    assert cluster.databases() == before


@pytest.mark.parametrize("point", ["turn:error:7", "lane:error:2", "commit:error:1", "commit:error:2", "commit:kill:2"])
def test_never_half(cluster, saved, source, copy, database, point):
    """What fails between two lanes' commits fails the restore; the old database stays as it was."""
    old = database(sql="CREATE TABLE old AS SELECT 1 AS a")
    before, databases = compare.snapshot(cluster, old), cluster.databases()
    with saved.start("restore", saved.id, "--replace", "--yes", "-j", "2", db=old,
                     env={"PGSTOW_FAULT": f"restore.split.{point}"}) as run:  # fmt: skip
        result = run.wait()
    assert result.status == (-signal.SIGKILL if "kill" in point else 33), str(result)
    compare.assert_as_before(cluster, old, before)
    if "kill" not in point:
        assert cluster.databases() == databases
    else:  # what it left behind goes with the next one
        wait_until(lambda: not lanes(cluster, "idle in transaction"), "a killed client is still connected")
        saved.restore(saved.id, old, "--replace", "--yes")
        assert cluster.databases() == databases
        compare.assert_same(cluster, source, old)


@pytest.mark.parametrize("point", ["restore.split.turn", "restore.split.commit"])
@pytest.mark.parametrize("empty", [False, True], ids=["new", "empty"])
def test_a_lane_is_killed(cluster, saved, source, copy, empty, point):
    if empty:
        cluster.create(copy)
    before = cluster.databases()
    # At this turn each of them has taken rows.
    with stopped(saved, point, source, copy, 12 if point.endswith("turn") else 1) as run:
        state = "active" if point.endswith("turn") else "idle in transaction"
        wait_until(lambda: len(lanes(cluster, state)) == 3, "not all lanes are there")
        victim = max(lanes(cluster, state), key=lambda row: int(row[0]))
        cluster.sql(f"SELECT pg_terminate_backend({victim[0]})")
        run.resume()
        result = run.wait()
    result.expect("CONNECT").error_says("public.big", *(["filled in part"] if empty else []))
    assert cluster.databases() == before
    cluster.assert_no_connections(copy)


def test_ctrl_c(cluster, saved, source, copy):
    before = cluster.databases()
    with stopped(saved, "restore.split.turn", source, copy) as run:
        run.process.send_signal(signal.SIGINT)
        run.resume()
        run.wait(30).expect("CANCELLED")
    assert cluster.databases() == before
    assert lanes(cluster, "active") == []



def test_statistics(cluster, pgstow, database, copy):
    """Tables are analyzed while others come in, once; where more of them is made later, when that is there."""
    rows = "SELECT g AS id, g % 7 AS b, g % 7 AS c, repeat('x', 100) AS t FROM generate_series(1, 12000) g"
    db = database(sql=f"""
        CREATE TABLE plain AS {rows}; ALTER TABLE plain ADD PRIMARY KEY (id);
        CREATE TABLE computed AS {rows}; CREATE INDEX computed_index ON computed ((b + c));
        CREATE TABLE together AS {rows}; CREATE STATISTICS pair (ndistinct) ON b, c FROM together;
        CREATE TABLE parent (LIKE plain); CREATE TABLE child (EXTRA int) INHERITS (parent);
        INSERT INTO parent {rows}; INSERT INTO child {rows};""" + "".join(
            f"ALTER TABLE {t} SET (autovacuum_enabled = false);" for t in ("plain", "computed", "together", "parent", "child")))  # fmt: skip
    backup = pgstow.backup(db)
    pgstow.restore(backup, db, "--to-db", copy, "-j", "2")
    counts = dict(cluster.rows("SELECT relname, analyze_count FROM pg_stat_user_tables", copy))
    assert counts == dict.fromkeys(("plain", "computed", "together", "parent", "child"), "1")
    found = {tuple(r) for r in cluster.rows("SELECT DISTINCT tablename, inherited FROM pg_stats WHERE schemaname = 'public'", copy)}
    assert found == {("plain", "f"), ("computed", "f"), ("computed_index", "f"), ("together", "f"), ("parent", "f"),
                     ("parent", "t"), ("child", "f")}  # fmt: skip
    assert cluster.sql("SELECT count(*) FROM pg_statistic_ext_data", copy) == "1"
    cluster.drop(copy)
    pgstow.restore(backup, db, "--to-db", copy, "-j", "2", "--no-analyze")
    assert cluster.sql("SELECT count(*) FROM pg_stats WHERE schemaname = 'public'", copy) == "0"
