"""verify --level drill: a real restore into a scratch database, compared with the backup, the user's own
assertions, a report; nothing is left behind, and only what the backup is at fault for is held against it."""

import json
import signal
import time

import pytest

from harness.cluster import E2E

SQL = """
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, upper text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customer, t text);
CREATE TABLE event (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE event_2 (at date, id int);
ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
CREATE TABLE twice (a int, b text);
CREATE TABLE no_columns ();
CREATE TABLE empty_one (a int);
CREATE SEQUENCE untouched;
INSERT INTO customer (id, name) SELECT g, E'name\\t\\\\' || g FROM generate_series(1, 300) g;
INSERT INTO item (customer, t) SELECT 1 + g % 300, NULLIF(md5(g::text), md5('7')) FROM generate_series(1, 3000) g;
INSERT INTO event SELECT g, date '2024-01-01' + g FROM generate_series(0, 300) g;
INSERT INTO twice SELECT g % 2, 'x' FROM generate_series(1, 10) g;
INSERT INTO no_columns SELECT FROM generate_series(1, 3);
SELECT lo_from_bytea(4711, 'a large object'), lo_create(4712);
CREATE VIEW rich AS SELECT name FROM customer;
"""


@pytest.fixture
def shop_db(database):
    return database(sql=SQL)


def drill(pgstow, *args, db=None, **kwargs):
    return pgstow.run("verify", "--level", "drill", *args, db=db, **kwargs)


def scratch_databases(cluster):
    return {d for d in cluster.databases() if "pgstow" in d or "scratch" in d}


@pytest.fixture(autouse=True)
def nothing_stays(cluster):
    before = cluster.databases()
    yield
    made = cluster.databases() - before
    left = [d for d in made if "~" in d or "pgstow" in d]
    assert not left


def last_proof(pgstow, backup):
    return {b["id"]: b.get("lastProof") for b in pgstow.list()}[backup]


def test_good(cluster, pgstow, shop_db, folder):
    first = pgstow.backup(shop_db)
    cluster.sql("INSERT INTO twice VALUES (5, 'new')", shop_db)
    second = pgstow.backup(shop_db)
    before = cluster.databases()
    checks = folder / "checks.sql"
    checks.write_text("""
        -- a comment; with a semicolon
        SET work_mem = '8MB';
        SELECT count(*) = 300, count(*) FROM customer;
        SELECT total IS NOT NULL, id FROM (SELECT id, 1 AS total FROM item) x;
        SELECT false FROM item WHERE customer NOT IN (SELECT id FROM customer);
        DO $$ BEGIN IF (SELECT count(*) FROM event) <> 301 THEN RAISE EXCEPTION 'events; gone'; END IF; END $$;
        SELECT upper = upper(name) FROM customer
    """)
    result = drill(pgstow, "--assert", checks, "--report", folder / "r.json", "--report", folder / "drill.json",
                   db=shop_db).says("good", "6 assertions hold")  # fmt: skip
    assert cluster.databases() == before
    report = json.loads((folder / "drill.json").read_text())["drills"][0]
    assert report["id"] == second and report["result"] == "good" and report["proofLeft"]
    tables = {t["name"]: t for t in report["tables"]}
    assert {n: t["rows"] for n, t in tables.items()} == {
        "public.customer": 300, "public.item": 3000, "public.event_1": 182, "public.event_2": 119,
        "public.twice": 11, "public.no_columns": 3, "public.empty_one": 0}  # fmt: skip
    assert all(t["same"] and t["sum"] == t["restoredSum"] and t["restoredRows"] == t["rows"] for t in tables.values())
    assert tables["public.twice"]["sum"] != tables["public.empty_one"]["sum"] == "0" * 32
    assert report["largeObjects"] == report["restoredLargeObjects"] == 2 and report["largeObjectsSame"]
    assert report["sequences"] == 2 and report["sequencesDifferent"] == []
    assert report["validated"] and report["findings"] == []
    assert [a["holds"] for a in report["assertions"]] == [True] * 6
    assert report["duration"]["restore"] > 0 and report["serverVersion"] == report["databaseVersion"]
    proof = last_proof(pgstow, second)
    assert (proof["level"], proof["good"]) == ("drill", True)
    assert last_proof(pgstow, first) is None
    one = next(b for b in pgstow.list() if b["id"] == second)
    assert one["lastDrill"]["restoreTime"] == report["duration"]["restore"]
    pgstow.run("list").says("RESTORE", r"drill \d{4}")
    # A named one; the report as text; also from elsewhere than the server of --db.
    drill(pgstow, first, "--drill-db", cluster.url("postgres"), "--report", folder / "drill.txt")
    text = (folder / "drill.txt").read_text()
    for word in (first, "good", "PostgreSQL", "restore took", "public.customer", "300 rows", "large objects: 2"):
        assert word in text, text
    assert str(result.stdout).splitlines()[-1] == f"drill of {second}: good"


def test_slips_are_found_first(cluster, pgstow, shop_db, folder):
    """A wrong one of several ids, or a report that cannot be written: nothing is drilled before it is said."""
    backup = pgstow.backup(shop_db)
    for wrong, kind in (([backup, "nothing"], "NOT_FOUND"), ([backup, "--report", folder / "none" / "drill.json"], "IO"),
                        ([backup, "--report", folder], "IO"), ([backup, "--report", "/dev/null"], "IO")):  # fmt: skip
        refused = drill(pgstow, *wrong, "--json", db=shop_db, expect=kind)
        assert list(refused.json) == ["error"], refused
        assert last_proof(pgstow, backup) is None
    assert not list(folder.glob("*.??????"))
    both = drill(pgstow, backup, "latest", "--json", "--report", folder / "drill.json", db=shop_db).json["drills"]
    assert [one["id"] for one in both] == [backup, backup]


def test_fidelity(cluster, pgstow, database):
    """All kinds of objects; and a backup that is filtered and masked."""
    source = database()
    cluster.load(E2E / "fidelity.sql", source)
    pgstow.backup(source)
    cluster.sql("ALTER SUBSCRIPTION fid_subscription DISABLE; DROP SUBSCRIPTION fid_subscription", source)
    doc = drill(pgstow, "--json", "--validate", "off", db=source).json["drills"][0]
    assert doc["result"] == "good" and doc["tablesDifferent"] == 0 and len(doc["tables"]) > 20


def test_filtered_and_masked(cluster, pgstow, shop_db):
    part = pgstow.backup(shop_db, "--where", "public.item: id <= 100", "--mask",
                         "public.customer.name: 'customer ' || id", "--exclude-table", "twice")  # fmt: skip
    # It is no good backup of the whole, so it must be named.
    drill(pgstow, db=shop_db, expect="NOT_FOUND")
    doc = drill(pgstow, part, "--json", db=shop_db).json["drills"][0]
    tables = {t["name"]: t["rows"] for t in doc["tables"]}
    assert doc["result"] == "good" and tables["public.item"] == 100 and "public.twice" not in tables
    assert doc["masked"] == ["public.customer.name"] and doc["filter"]


def test_assertions_fail(cluster, pgstow, shop_db, folder):
    backup = pgstow.backup(shop_db)
    checks = folder / "checks.sql"
    checks.write_text("""SELECT true;
        SELECT id < 2, id, name FROM customer ORDER BY id;
        SELECT NULL::boolean;
        SELECT true FROM not_there;
        SELECT 1 / (id - id) = 1 FROM item;
        SELECT count(*) = 3000 FROM item""")
    result = drill(pgstow, "--assert", checks, "--json", db=shop_db, expect="ASSERTION").json
    doc = result["drills"][0]
    assert [a["holds"] for a in doc["assertions"]] == [True, False, False, False, False, True]
    assert doc["assertionsFailed"] == 4 and doc["result"] == "bad"
    assert "row 2" in doc["assertions"][1]["detail"] and "id = 2" in doc["assertions"][1]["detail"]
    assert "not_there" in doc["assertions"][3]["detail"]
    assert "statement 2" in result["error"]["message"] and "checks.sql" in result["error"]["message"]
    proof = last_proof(pgstow, backup)
    assert (proof["level"], proof["good"]) == ("drill", False)
    pgstow.run("list").says(r"FAILED \(drill")
    dry = pgstow.run("restore", backup, "--to-db", "not_made", "--dry-run", db=shop_db).stdout
    assert "its last drill failed" in dry and "damaged" not in dry
    # What the person got wrong says nothing of the backup. (Of two proofs in one second the bad one counts.)
    time.sleep(1)
    drill(pgstow, backup, db=shop_db)
    for text in ("SELECT true; SELEC true", "SELECT 17", "-- nothing", "\\i other.sql", "SELECT 'open"):
        checks.write_text(text)
        drill(pgstow, backup, "--assert", checks, db=shop_db, expect="USAGE")
        assert last_proof(pgstow, backup)["good"], text
    checks.write_text("SELECT true;\nSELECT 17\n")
    mistake = drill(pgstow, backup, "--assert", checks, "--json", db=shop_db, expect="USAGE").json
    assert "statement 2 (SELECT 17): its first column" in mistake["error"]["message"]
    assert [a["holds"] for a in mistake["drills"][0]["assertions"]] == [True]
    drill(pgstow, backup, "--assert", folder / "none.sql", db=shop_db, expect="USAGE")
    pgstow.run("verify", "--assert", checks, expect="USAGE")
    # From the configuration too.
    checks.write_text("SELECT count(*) = 0 FROM item")
    config = folder / "pgstow.yaml"
    config.write_text(f"drill:\n  assertions:\n    - {checks}\n")
    drill(pgstow, backup, "--config", config, db=shop_db, expect="ASSERTION")


def test_not_the_same(cluster, pgstow, database):
    """A restore that ends well and yet gives other values: a materialized view that takes from a sequence when it
    is computed anew."""
    source = database(sql="""
        CREATE TABLE a (x int);
        INSERT INTO a VALUES (1);
        CREATE SEQUENCE s;
        SELECT setval('s', 41);
        CREATE MATERIALIZED VIEW eats AS SELECT nextval('s') AS n;""")  # fmt: skip
    backup = pgstow.backup(source)
    doc = drill(pgstow, backup, "--json", db=source, expect="MISMATCH").json["drills"][0]
    assert doc["result"] == "bad" and doc["sequencesDifferent"] and "public.s" in doc["why"]
    assert not last_proof(pgstow, backup)["good"]


def test_damaged(cluster, pgstow, shop_db):
    backup = pgstow.backup(shop_db)
    name = max((n for n in pgstow.files() if n.startswith("packs/")), key=lambda n: pgstow.files()[n])
    path = pgstow.repo / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    doc = drill(pgstow, backup, "--json", db=shop_db, expect="DAMAGED").json["drills"][0]
    assert doc["result"] == "bad"
    assert not last_proof(pgstow, backup)["good"]
    assert any(n.startswith("proofs/damage/") for n in pgstow.files())  # nothing builds on it
    drill(pgstow, db=shop_db, expect="NOT_FOUND")  # no good one is left


def test_not_the_backups_fault(cluster, pgstow, shop_db):
    backup = pgstow.backup(shop_db)
    drill(pgstow, "--drill-db", "postgresql://postgres@127.0.0.1:1/postgres", db=shop_db, expect="CONNECT").says(
        "not done")
    cluster.sql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'drill_nobody') THEN "
                "CREATE ROLE drill_nobody LOGIN; END IF; END $$")  # fmt: skip
    result = drill(pgstow, "--json", db=cluster.url(shop_db, user="drill_nobody"), expect="DB_PERMISSION").json
    assert result["drills"][0]["result"] == "not done"
    drill(pgstow, "--timeout", "1ms", backup, db=shop_db, expect="TIMEOUT")
    assert last_proof(pgstow, backup) is None
    drill(pgstow, "--sample", "5%", db=shop_db, expect="USAGE")


@pytest.mark.parametrize("point", ["drill.created", "drill.restored"])
def test_interrupted(cluster, pgstow_faults, shop_db, point):
    """Ctrl-C drops the scratch database; after kill -9 the next drill does."""
    backup = pgstow_faults.backup(shop_db)
    before = cluster.databases()
    with pgstow_faults.start("verify", "--level", "drill", db=shop_db, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped()
        assert len(cluster.databases() - before) == 1
        run.process.send_signal(signal.SIGINT)
        run.resume()
        said = run.wait().expect("CANCELLED").said
    # It is gone, and what was not compared to its end is not called different.
    assert cluster.databases() == before
    assert "filled in part" not in said and "DIFFERENT" not in said
    assert last_proof(pgstow_faults, backup) is None
    if point == "drill.restored":
        pgstow_faults.run("verify", "--level", "drill", db=shop_db, env={"PGSTOW_FAULT": f"{point}:error"}, expect=None)
        assert cluster.databases() == before
        with pgstow_faults.start("verify", "--level", "drill", db=shop_db,
                                 env={"PGSTOW_FAULT": f"{point}:kill"}) as run:  # fmt: skip
            run.wait(60)
        cluster.assert_no_clients()
        assert len(cluster.databases() - before) == 1
        drill(pgstow_faults, db=shop_db)
        assert cluster.databases() == before
