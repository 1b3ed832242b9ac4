"""validate: each rule broken for real is found, with its keys; what keeps the rules is not touched."""

import pytest

SOUND = """
CREATE SCHEMA "odd "" schema";
CREATE TABLE parent (id int PRIMARY KEY, code text COLLATE "C" UNIQUE, pair1 int, pair2 int, UNIQUE (pair1, pair2));
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, code text COLLATE "POSIX" REFERENCES parent (code),
    a int, b int, c int, d int, up int REFERENCES child,
    FOREIGN KEY (a, b) REFERENCES parent (pair1, pair2),
    FOREIGN KEY (c, d) REFERENCES parent (pair1, pair2) MATCH FULL);
INSERT INTO parent SELECT g, 'c' || g, g, g FROM generate_series(1, 100) g;
INSERT INTO child (parent, code, a, b, c, d)
    SELECT g, 'c' || g, g, CASE WHEN g % 2 = 0 THEN g END, g, g FROM generate_series(1, 100) g;
UPDATE child SET up = 1 + id % 50;
CREATE TABLE "odd "" schema"."we;ird' ""t" ("the "" key" int PRIMARY KEY, "value" int REFERENCES child CHECK ("value" > 0));
INSERT INTO "odd "" schema"."we;ird' ""t" SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE parted (k int, v int NOT NULL, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT g, g FROM generate_series(1, 200) g;
CREATE TABLE parted_child (id int PRIMARY KEY, k int REFERENCES parted) PARTITION BY HASH (id);
CREATE TABLE parted_child_0 PARTITION OF parted_child FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_child_1 PARTITION OF parted_child FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted_child SELECT g, g FROM generate_series(1, 150) g;
CREATE DOMAIN short AS varchar(20) CHECK (length(VALUE) < 10);
CREATE DOMAIN shorter AS short NOT NULL CHECK (VALUE <> 'x');
CREATE TABLE typed (id int GENERATED ALWAYS AS IDENTITY, "value" shorter, n numeric CHECK (n >= 0));
INSERT INTO typed ("value", n) SELECT 'v' || g, g FROM generate_series(1, 30) g;
CREATE TABLE uniques (a int, b text, c int);
CREATE UNIQUE INDEX uniques_a ON uniques (a);
CREATE UNIQUE INDEX uniques_lower ON uniques (lower(b)) WHERE c IS NULL;
CREATE UNIQUE INDEX uniques_distinct ON uniques (c) NULLS NOT DISTINCT WHERE c <> 0 OR c IS NULL AND a = 1;
CREATE INDEX uniques_b ON uniques (b);
INSERT INTO uniques SELECT g, 'b' || g, CASE WHEN g > 40 THEN g END FROM generate_series(1, 60) g;
INSERT INTO uniques VALUES (NULL, NULL, 0), (NULL, NULL, 0);
CREATE SEQUENCE down INCREMENT -1;
CREATE TABLE falling (n bigint DEFAULT nextval('down'));
INSERT INTO falling SELECT nextval('down') FROM generate_series(1, 10);
"""


@pytest.fixture(scope="module")
def sound_template(cluster):
    return cluster.create("validate_template", sql=SOUND)


@pytest.fixture
def sound(database, sound_template):
    return database(template=sound_template, name=None)


def found(doc, what="errors"):
    """{(check, table, object): finding}"""
    return {(f["check"], f["table"], f["object"]): f for f in doc[what]}


def run(pgstow, db, *args, expect="OK", **kwargs):
    return pgstow.run("validate", "--json", *args, db=db, repo=False, expect=expect, **kwargs).json


def test_sound(cluster, pgstow, sound):
    """Nothing is found where nothing is; every rule was looked at, and nothing was written."""
    doc = run(pgstow, sound)
    assert doc["isValid"] is True and doc["complete"] is True
    assert doc["errors"] == [] and doc["warnings"] == [] and doc["leftOut"] == []
    checks = {c["check"]: c for c in doc["checks"]}
    assert set(checks) == {"catalog", "foreignKey", "check", "notNull", "unique", "sequence", "amcheck"}
    for name, check in checks.items():
        assert check["done"] == check["rules"] and check["duration"] >= 0, check
        assert check["rules"] > 0 or name in ("catalog", "amcheck"), check
    assert checks["foreignKey"]["rules"] == 7  # that of the partitioned table is one
    assert not checks["amcheck"]["available"]
    assert doc["counts"]["tables"] == 10
    cluster.assert_no_connections(sound)
    pgstow.run("validate", db=sound, repo=False).says("0 errors, 0 warnings", "amcheck is not installed")


def test_orphans(cluster, pgstow, sound):
    cluster.sql("""
        SET session_replication_role = replica;
        DELETE FROM parent WHERE id IN (3, 4);
        INSERT INTO child (id, a, b, c) VALUES (1001, 77, 78, NULL), (1002, NULL, NULL, 5);
        UPDATE child SET up = 5000 WHERE id = 7;
        UPDATE child SET code = 'c9999999' WHERE id BETWEEN 11 AND 20;
        DELETE FROM parted WHERE k IN (5, 150);
        UPDATE "odd "" schema"."we;ird' ""t" SET value = 4242 WHERE value = 9;
        SET session_replication_role = origin;
        CREATE TABLE loose (id int PRIMARY KEY, p int, q int);
        INSERT INTO loose VALUES (1, 1, NULL), (2, 999999, 1);
        ALTER TABLE loose ADD FOREIGN KEY (p) REFERENCES parent NOT VALID;
    """, sound)  # fmt: skip
    doc = run(pgstow, sound, expect="INVALID")
    errors = found(doc)
    assert doc["isValid"] is False and doc["complete"] is True
    assert {key: f["count"] for key, f in errors.items()} == {
        ("foreignKey", "child", "child_parent_fkey"): 2,
        ("foreignKey", "child", "child_code_fkey"): 12,
        ("foreignKey", "child", "child_a_b_fkey"): 2,  # 77, 78 and 4, 4; with a NULL (3) it is none
        ("foreignKey", "child", "child_c_d_fkey"): 3,  # 3, 3 and 4, 4; and one with a single NULL
        ("foreignKey", "child", "child_up_fkey"): 1,
        ("foreignKey", "parted_child", "parted_child_k_fkey"): 2,
        ("foreignKey", "we;ird' \"t", "we;ird' \"t_value_fkey"): 1,
        ("foreignKey", "loose", "loose_p_fkey"): 1,
    }
    assert errors["foreignKey", "child", "child_up_fkey"]["samples"] == [{"id": "7", "up": "5000"}]
    assert errors["foreignKey", "loose", "loose_p_fkey"]["samples"] == [{"id": "2", "p": "999999"}]
    assert len(errors["foreignKey", "child", "child_code_fkey"]["samples"]) == 5
    assert errors["foreignKey", "we;ird' \"t", "we;ird' \"t_value_fkey"]["samples"] == [
        {'the " key': "9", "value": "4242"}
    ]
    text = pgstow.run("validate", db=sound, repo=False, expect="INVALID")
    text.says(r"error +public.loose: 1 row refers to nothing: loose_p_fkey.*id = 2, p = 999999", "NOT VALID")
    text.error_says("is not consistent: 8 errors")


def test_rows(cluster, pgstow, sound):
    """CHECK, of tables and domains, NOT NULL, and rows in the wrong partition."""
    cluster.sql("""
        ALTER TABLE typed ADD CONSTRAINT late CHECK (n <> 5) NOT VALID;
        ALTER DOMAIN short ADD CONSTRAINT no_seven CHECK (VALUE <> 'v7') NOT VALID;
        CREATE FUNCTION fits(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
        CREATE TABLE judged (id int PRIMARY KEY, v int CHECK (fits(v)), w int CHECK (w > 0));
        INSERT INTO judged SELECT g, g, g FROM generate_series(1, 10) g;
        CREATE OR REPLACE FUNCTION fits(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i < 9; END';
        CREATE FUNCTION fails(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i > 0; END';
        CREATE TABLE failing (id int PRIMARY KEY, v int CHECK (fails(v)), w int CHECK (w > 0));
        INSERT INTO failing VALUES (1, 1, 1);
        CREATE OR REPLACE FUNCTION fails(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN RETURN EXISTS (SELECT FROM judged); END';
        CREATE TABLE spoilt (id int PRIMARY KEY, v int);
        INSERT INTO spoilt VALUES (55, NULL), (56, 1);
        UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'spoilt'::regclass AND attname = 'v';
        CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (1000) TO (1100);
        INSERT INTO parted VALUES (1001, 1), (1002, 2);
        UPDATE pg_class a SET relpartbound = b.relpartbound FROM pg_class b
            WHERE a.relname IN ('parted_1', 'parted_3') AND b.relname IN ('parted_1', 'parted_3') AND a.oid <> b.oid;
    """, sound)  # fmt: skip
    doc = run(pgstow, sound, expect="INVALID")
    errors, warnings = found(doc), found(doc, "warnings")
    assert {key: f["count"] for key, f in errors.items()} == {
        ("check", "typed", "late"): 1,
        ("check", "typed", "no_seven of value"): 1,
        ("check", "judged", "judged_v_check"): 2,
        ("notNull", "spoilt", "v"): 1,
        ("check", "parted_1", "parted_1"): 99,
        ("check", "parted_3", "parted_3"): 2,
    }
    assert errors["notNull", "spoilt", "v"]["samples"] == [{"id": "55", "v": None}]
    assert errors["check", "parted_3", "parted_3"]["samples"] == [{"k": "1001"}, {"k": "1002"}]
    assert errors["check", "judged", "judged_v_check"]["samples"] == [{"id": "9", "v": "9"}, {"id": "10", "v": "10"}]
    assert list(warnings) == [("check", "failing", "failing_v_check")]
    assert "judged" in warnings["check", "failing", "failing_v_check"]["message"]


def test_keys(cluster, pgstow, sound):
    """Duplicates that a corrupt index hides, invalid indexes, disabled triggers, sequences behind."""
    cluster.sql("""
        CREATE TABLE loose (a int, b text);
        CREATE UNIQUE INDEX loose_a ON loose (a);
        CREATE UNIQUE INDEX loose_b ON loose (b) NULLS NOT DISTINCT;
        -- While the catalog says that it is not ready no INSERT keeps the index up.
        UPDATE pg_index SET indisready = false WHERE indexrelid IN ('loose_a'::regclass, 'uniques_lower'::regclass, 'loose_b'::regclass);
    """, sound)  # fmt: skip
    cluster.sql("""
        INSERT INTO loose VALUES (1, 'x'), (1, 'y'), (2, NULL), (3, NULL), (NULL, 'p'), (NULL, 'q');
        INSERT INTO uniques VALUES (1000, 'B7', NULL), (1001, 'B8', 70);
        UPDATE pg_index SET indisready = true WHERE indexrelid IN ('loose_a'::regclass, 'uniques_lower'::regclass, 'loose_b'::regclass);
        CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2);
    """, sound)  # fmt: skip
    with pytest.raises(AssertionError):
        cluster.sql("CREATE UNIQUE INDEX CONCURRENTLY twice_a ON twice (a)", sound)
    cluster.sql("""
        ALTER TABLE child DISABLE TRIGGER ALL;
        SELECT setval('child_id_seq', 50);
        ALTER TABLE typed ALTER id SET INCREMENT 10;
        SELECT setval('typed_id_seq', 12);
        SELECT setval('down', -9);
        CREATE TABLE apart (id int DEFAULT 0); CREATE SEQUENCE apart_seq INCREMENT 2 START 1;
        ALTER TABLE apart ALTER id SET DEFAULT nextval('apart_seq');
        INSERT INTO apart VALUES (1), (2), (4), (6); SELECT setval('apart_seq', 1, true);
    """, sound)  # fmt: skip
    doc = run(pgstow, sound, expect="INVALID")
    errors, warnings = found(doc), found(doc, "warnings")
    assert {key: (f["count"], f["samples"]) for key, f in errors.items()} == {
        ("unique", "loose", "loose_a"): (1, [{"a": "1", "times": "2"}]),
        ("unique", "loose", "loose_b"): (1, [{"b": None, "times": "2"}]),
        ("unique", "uniques", "uniques_lower"): (1, [{"lower": "b7", "times": "2"}]),
    }
    assert set(warnings) == {
        ("catalog", "twice", "twice_a"),
        *(("catalog", "child", f"child_{name}_fkey") for name in ("parent", "code", "up", "a_b", "c_d")),
        ("catalog", "we;ird' \"t", "we;ird' \"t_value_fkey"),  # of its triggers two are on the table referred to
        ("sequence", "child", "public.child_id_seq"),
        ("sequence", "typed", "public.typed_id_seq"),  # 22 is next, and 22 is there
        ("sequence", "falling", "public.down"),
    }
    assert warnings["sequence", "child", "public.child_id_seq"]["samples"] == [{"next": "51", "used": "100"}]
    assert warnings["sequence", "falling", "public.down"]["samples"] == [{"next": "-10", "used": "-10"}]
    assert "invalid" in warnings["catalog", "twice", "twice_a"]["message"]


def damage_index(cluster, db, index):
    """Zeroes the second half of an index's leaf page on disk."""
    path = cluster.data / cluster.sql(f"SELECT pg_relation_filepath('{index}')", db)
    cluster.restart()
    return path


def test_amcheck(cluster, pgstow, sound):
    """A row that was taken from the table behind the index's back is found only on demand; an order that
    changed always."""
    cluster.sql("""
        CREATE EXTENSION amcheck;
        CREATE TYPE pair AS (a int, b int);
        CREATE FUNCTION backward(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a - b';
        CREATE OPERATOR CLASS odd FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
            OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 backward(int, int);
        CREATE TABLE ordered AS SELECT g AS n FROM generate_series(1, 1000) g;
        CREATE INDEX ordered_n ON ordered (n odd);
        CREATE TABLE hidden (n int); CREATE INDEX hidden_n ON hidden (n);
        UPDATE pg_index SET indisready = false WHERE indexrelid = 'hidden_n'::regclass;
    """, sound)  # fmt: skip
    cluster.sql("""
        INSERT INTO hidden VALUES (1), (2);
        UPDATE pg_index SET indisready = true WHERE indexrelid = 'hidden_n'::regclass;
    """, sound)  # fmt: skip
    doc = run(pgstow, sound)
    amcheck = next(c for c in doc["checks"] if c["check"] == "amcheck")
    assert amcheck["available"] and amcheck["done"] == amcheck["rules"] > 10
    errors = found(run(pgstow, sound, "--heapallindexed", expect="INVALID"))
    assert list(errors) == [("amcheck", "hidden", "hidden_n")]
    cluster.sql("CREATE OR REPLACE FUNCTION backward(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT b - a'",
                sound)  # fmt: skip
    errors = found(run(pgstow, sound, expect="INVALID"))
    assert list(errors) == [("amcheck", "ordered", "ordered_n")]
    assert "item order" in errors["amcheck", "ordered", "ordered_n"]["message"]


def test_limits(cluster, pgstow, sound):
    """What the time, the privileges or a lock do not allow is left out, listed, and no error."""
    cluster.sql("""
        CREATE FUNCTION slow(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
        CREATE TABLE sleepy (id int PRIMARY KEY, v int CHECK (slow(v)));
        INSERT INTO sleepy SELECT g, g FROM generate_series(1, 100) g;
        CREATE OR REPLACE FUNCTION slow(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN PERFORM pg_sleep(0.1); RETURN true; END';
        DROP ROLE IF EXISTS validate_reader;
        CREATE ROLE validate_reader LOGIN;
        GRANT SELECT ON typed, uniques TO validate_reader;
    """, sound)  # fmt: skip
    doc = run(pgstow, sound, "--max-seconds", "1")
    assert doc["isValid"] and not doc["complete"]
    left = [(x["check"], x["table"], x["reason"]) for x in doc["leftOut"]]
    assert ("check", "sleepy", "time") in left and all(reason == "time" for _, _, reason in left)
    cluster.sql("DROP TABLE sleepy", sound)
    doc = run(pgstow, cluster.url(sound, user="validate_reader"))
    reasons = {(x["table"], x["reason"]) for x in doc["leftOut"]}
    assert ("parent", "privilege") in reasons and ("typed", "privilege") not in {
        (x["table"], x["reason"]) for x in doc["leftOut"] if x["check"] == "check"
    }
    with cluster.session(sound) as s:
        s.run("BEGIN; LOCK TABLE typed")
        doc = run(pgstow, sound)
    left = {(x["table"], x["object"]) for x in doc["leftOut"] if x["reason"] == "locked"}
    assert left == {("typed", "(all)")}, left
    assert not {"typed"} & {x["table"] for x in doc["errors"] + doc["warnings"]}
    assert sum(c["done"] for c in doc["checks"]) > 30


def test_functions_of_others(cluster, pgstow, database):
    """A function that somebody else can change is not run with our rights, unless we ask for it."""
    db = database(sql="""
        DROP ROLE IF EXISTS validate_mallory;
        CREATE ROLE validate_mallory LOGIN;
        CREATE SCHEMA m AUTHORIZATION validate_mallory;
        SET ROLE validate_mallory;
        CREATE FUNCTION m.f(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
        CREATE FUNCTION m.g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i; END';
        CREATE FUNCTION m.eq(a int, b text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
        CREATE OPERATOR m.=== (FUNCTION = m.eq, LEFTARG = int, RIGHTARG = text);
        CREATE DOMAIN m.d AS int CHECK (m.f(VALUE));
        CREATE TABLE m.t (a int CHECK (m.f(a)), b m.d, c int CHECK (c OPERATOR(m.===) 'x'::text), d int CHECK (d::m.d > 0));
        CREATE UNIQUE INDEX ON m.t ((m.g(a)));
        INSERT INTO m.t VALUES (1, 1, 1, 1);
        CREATE OR REPLACE FUNCTION m.f(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN PERFORM pg_advisory_lock(4711); RETURN false; END';
        CREATE OR REPLACE FUNCTION m.g(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN PERFORM pg_advisory_lock(4711); RETURN i; END';
        CREATE OR REPLACE FUNCTION m.eq(a int, b text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN PERFORM pg_advisory_lock(4711); RETURN false; END';
    """)
    # Whoever calls one of them waits here for ever.
    with cluster.session(db) as s:
        s.run("SELECT pg_advisory_lock(4711)")
        doc = run(pgstow, db)
        assert doc["isValid"]
        assert {(x["check"], x["object"], x["reason"]) for x in doc["leftOut"]} == {
            ("check", "t_a_check", "function"),
            ("check", "d_check of b", "function"),
            ("check", "t_c_check", "function"),
            ("check", "t_d_check", "function"),
            ("unique", "t_g_idx", "function"),
        }
    doc = run(pgstow, db, "--run-functions", expect="INVALID")
    assert {f["object"] for f in doc["errors"]} >= {"t_a_check", "d_check of b", "t_c_check"}
    # To their owner they are his own.
    doc = run(pgstow, cluster.url(db, user="validate_mallory"), expect="INVALID")
    assert doc["complete"]
    cluster.sql("DROP OWNED BY validate_mallory CASCADE; DROP ROLE validate_mallory", db)


def test_extension_tables(cluster, pgstow, database):
    """What belongs to an extension is its own affair."""
    db = database(sql="CREATE EXTENSION pgstow_fixture")
    rows = cluster.rows("""SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
        WHERE c.relkind = 'r'""", db)
    assert rows
    table = rows[0][0]
    column = cluster.sql(f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 LIMIT 1", db)
    cluster.sql(f"ALTER TABLE {table} ADD CONSTRAINT never CHECK ({column} IS NULL) NOT VALID", db)
    cluster.sql(f"SELECT 1/count(*) FROM {table}", db)
    assert run(pgstow, db)["counts"]["tables"] == 0


ORPHAN = """
    CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);
    INSERT INTO c VALUES (1, 77);
    ALTER TABLE c ADD CONSTRAINT lost FOREIGN KEY (p) REFERENCES p NOT VALID;
"""


def test_backup(cluster, pgstow, database):
    """By default a warning that stays with the backup; strict refuses; off does not look."""
    db = database(sql=ORPHAN)
    enough = ["backup", "--validate-seconds", "10"]
    result = pgstow.run(*enough, db=db).says(r"warning: consistency: public.c: 1 row refers to nothing: lost")
    shown = pgstow.run("show", result.id, "--json").json
    assert any("lost" in w for w in shown["warnings"]), shown
    count = len(pgstow.ids())
    # Beside the reading of the catalog; and with one job, or where it may take long, before the first lock.
    for seconds, jobs in ("10", "2"), ("10", "1"), ("11", "2"):
        strict = ["backup", "--validate", "strict", "--validate-seconds", seconds, "--jobs", jobs]
        pgstow.run(*strict, db=db, expect="INVALID").error_says("id = 1, p = 77", "not consistent")
    assert len(pgstow.ids()) == count
    assert "lost" not in pgstow.run("backup", "--validate", "off", db=db).said
    (pgstow.folder / "pgstow.yaml").write_text("backup:\n  validate: strict\n  validateSeconds: 5\n")
    pgstow.run("backup", db=db, expect="INVALID")
    pgstow.run("guard", "--", "true", db=db, expect="GUARD_BACKUP").error_says("lost")
    cluster.sql("DELETE FROM c", db)
    assert "consistency" not in pgstow.run("backup", db=db).said


def test_restore(cluster, pgstow, database):
    """Restored data that contradict a rule: a warning, or with strict nothing takes the old one's place."""
    enough = ["--validate-seconds", "10"]
    db = database(sql=ORPHAN)
    bad = pgstow.backup(db)
    cluster.sql("DELETE FROM c; CREATE TABLE new_one (); COMMENT ON TABLE new_one IS 'here'", db)
    pgstow.run("restore", bad, "--replace", "--yes", "--validate", "strict", *enough, db=db, expect="INVALID").error_says("lost")
    assert cluster.sql("SELECT count(*) FROM c", db) == "0"
    assert cluster.sql("SELECT to_regclass('new_one')", db) == "new_one"
    assert cluster.sql(f"SELECT count(*) FROM pg_database WHERE datname LIKE '{db}%'") == "1"
    result = pgstow.restore(bad, db, "--replace", "--yes", *enough, "--json").json
    assert any("lost" in w for w in result["warnings"])
    copy = cluster.fresh_name()
    database.later(copy)
    assert "lost" not in pgstow.restore(bad, db, "--to-db", copy, "--validate", "off").said
