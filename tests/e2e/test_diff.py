"""diff: two backups, or a backup and the live database; what differs is found, what does not is not read."""

import json

import pytest

SHOP = """
CREATE SCHEMA s;
CREATE TABLE s.big (id int PRIMARY KEY, a text, b int);
INSERT INTO s.big SELECT g, md5(g::text) || md5((g * 7)::text), g % 100 FROM generate_series(1, 200000) g;
CREATE TABLE "odd ""one" ("the key" text, "v	1" text, UNIQUE ("the key"));
ALTER TABLE "odd ""one" ALTER "the key" SET NOT NULL;
INSERT INTO "odd ""one" VALUES (E'a\\tb', NULL), (E'back\\\\slash', E'two\\nlines'), ('', 'empty'), ('ü', 'ß');
CREATE TABLE keyless (x int, y text);
INSERT INTO keyless SELECT g % 10, 'v' || g % 5 FROM generate_series(1, 1000) g;
CREATE TABLE gone (i int PRIMARY KEY);
INSERT INTO gone VALUES (1), (2);
CREATE TABLE untouched AS SELECT g FROM generate_series(1, 1000) g;
CREATE TABLE altered (id int PRIMARY KEY, drop_me text, keep text, n int);
INSERT INTO altered SELECT g, 'd' || g, 'k' || g, g FROM generate_series(1, 50) g;
CREATE TABLE swapped (id int PRIMARY KEY, a text, b text);
INSERT INTO swapped SELECT g, 'a' || g, 'b' || g FROM generate_series(1, 20) g;
CREATE TABLE parted (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_high PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT g, 'p' || g FROM generate_series(1, 200) g;
CREATE SEQUENCE counter;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$
SELECT 1
+ 2
+ 3
$$;
CREATE VIEW v AS SELECT 1 AS one;
SELECT lo_from_bytea(100, 'abc'), lo_from_bytea(101, 'def'), lo_from_bytea(102, 'ghi');
"""

CHANGES = """
UPDATE s.big SET b = b + 1 WHERE id IN (5, 100000, 199999);
DELETE FROM s.big WHERE id = 77;
INSERT INTO s.big VALUES (2000000, E'tab\\there', NULL);
UPDATE "odd ""one" SET "v	1" = 'now' WHERE "the key" = E'a\\tb';
INSERT INTO keyless VALUES (3, 'v3'), (11, 'z');
DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE x = 1 LIMIT 2);
DROP TABLE gone;
CREATE TABLE fresh (i int);
INSERT INTO fresh VALUES (1), (2), (3);
ALTER TABLE altered DROP drop_me, ADD extra int DEFAULT 5, ALTER n TYPE bigint;
UPDATE altered SET keep = 'changed' WHERE id = 9;
ALTER TABLE swapped RENAME a TO c; ALTER TABLE swapped RENAME b TO a; ALTER TABLE swapped RENAME c TO b;
UPDATE parted SET v = 'new' WHERE id = 150;
SELECT setval('counter', 42);
CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$
SELECT 1
+ 2
+ 4
$$;
DROP VIEW v;
CREATE INDEX big_b ON s.big (b);
SELECT lo_put(100, 0, 'x'), lo_unlink(101), lo_from_bytea(200, 'new');
"""


def tables(doc):
    return {t["name"]: (t["added"], t["removed"], t["changed"]) for t in doc["tables"]}


EXPECTED = {
    "big": (1, 1, 3),
    'odd "one': (0, 0, 1),
    "keyless": (2, 2, 0),
    "gone": (0, 2, 0),
    "fresh": (3, 0, 0),
    "altered": (0, 0, 1),
    "swapped": (0, 0, 20),
    "parted_high": (0, 0, 1),
}


def check(doc):
    assert doc["different"] is True
    assert tables(doc) == EXPECTED
    assert doc["sameTables"] == 2  # untouched, parted_low
    assert doc["largeObjects"] == {"added": 1, "removed": 1, "changed": 1}
    schema = {(o["change"], o["kind"], o["name"]): o for o in doc["schema"]}
    assert set(schema) == {
        ("added", "TABLE", "fresh"),
        ("added", "INDEX", "big_b"),
        ("removed", "TABLE", "gone"),
        ("removed", "CONSTRAINT", "gone gone_pkey"),
        ("removed", "VIEW", "v"),
        ("changed", "TABLE", "altered"),
        ("changed", "TABLE", "swapped"),
        ("changed", "FUNCTION", "f()"),
    }
    lines = schema["changed", "FUNCTION", "f()"]["diff"].splitlines()
    assert "-+ 3" in lines and "++ 4" in lines and not any("SELECT 1" in line for line in lines)
    assert [(s["change"], s["name"]) for s in doc["sequences"]] == [("changed", "counter")]
    found = {t["name"]: t for t in doc["tables"]}
    assert found["big"]["key"] == ["id"] and found["keyless"]["key"] == []
    assert found['odd "one']["key"] == ["the key"]
    assert found["altered"]["columnsOnlyA"] == ["drop_me"] and found["altered"]["columnsOnlyB"] == ["extra"]
    assert found["gone"]["rowsIn"] == {"a": True, "b": False}
    assert found["fresh"]["rowsIn"] == {"a": False, "b": True}


def check_rows(doc):
    rows = {t["name"]: t["rows"] for t in doc["tables"]}
    by_id = {r["key"]["id"]: r for r in rows["big"]}
    assert by_id["5"] == {"change": "changed", "key": {"id": "5"}, "before": {"b": "5"}, "after": {"b": "6"}}
    assert by_id["77"]["change"] == "removed" and by_id["77"]["before"]["b"] == "77" and "after" not in by_id["77"]
    assert by_id["2000000"] == {
        "change": "added", "key": {"id": "2000000"}, "after": {"id": "2000000", "a": "tab\there", "b": None},
    }  # fmt: skip
    assert rows['odd "one'] == [
        {"change": "changed", "key": {"the key": "a\tb"}, "before": {"v\t1": None}, "after": {"v\t1": "now"}}
    ]
    assert sorted(json.dumps(r.get("after") or r["before"]) for r in rows["keyless"]) == [
        '{"x": "1", "y": "v1"}', '{"x": "1", "y": "v1"}', '{"x": "11", "y": "z"}', '{"x": "3", "y": "v3"}',
    ]  # fmt: skip
    assert rows["altered"] == [
        {"change": "changed", "key": {"id": "9"}, "before": {"keep": "k9"}, "after": {"keep": "changed"}}
    ]
    first = next(r for r in rows["swapped"] if r["key"]["id"] == "1")
    assert first["before"] == {"a": "a1", "b": "b1"} and first["after"] == {"a": "b1", "b": "a1"}


@pytest.fixture(scope="module")
def shop_diff(cluster, module_folder):
    """Two backups, and a database that is as the second."""
    from harness.program import Pgstow

    program = Pgstow(cluster, module_folder)
    program.db = cluster.create("diff_shop", sql=SHOP)
    program.a = program.backup(program.db)
    program.again = program.backup(program.db)
    cluster.sql(CHANGES, program.db)
    program.b = program.backup(program.db)
    yield program
    cluster.drop(program.db)


def test_backups(shop_diff):
    doc = shop_diff.run("diff", shop_diff.a, shop_diff.b, "--json", "--rows").json
    check(doc)
    check_rows(doc)
    # The other way round.
    back = shop_diff.run("diff", shop_diff.b, shop_diff.a, "--json").json
    assert tables(back) == {name: (r, a, c) for name, (a, r, c) in EXPECTED.items()}
    assert "rows" not in back["tables"][0]


def test_live(shop_diff):
    doc = shop_diff.run("diff", shop_diff.a, "live", "--json", "--rows", db=shop_diff.db).json
    check(doc)
    check_rows(doc)
    assert tables(shop_diff.run("diff", shop_diff.a, "--json", "--jobs", "1", db=shop_diff.db).json) == EXPECTED
    doc = shop_diff.run("diff", shop_diff.b, "live", "--json", "--exit-code", db=shop_diff.db).json
    assert doc["different"] is False and doc["tables"] == [] and doc["schema"] == [] and doc["notes"] == []
    assert doc["sameTables"] == 9


def test_nothing(shop_diff):
    doc = shop_diff.run("diff", shop_diff.a, shop_diff.again, "--json", "--exit-code").json
    assert doc["different"] is False and doc["sameTables"] == 9 and not doc["schema"] + doc["sequences"]
    assert doc["fetchedBytes"] < 40_000  # manifests and tables of contents
    shop_diff.run("diff", shop_diff.a, shop_diff.again).says("no differences")


def test_exit_code(shop_diff):
    shop_diff.run("diff", shop_diff.a, shop_diff.b)
    shop_diff.run("diff", shop_diff.a, shop_diff.b, "--exit-code", expect="DIFFERENT")
    shop_diff.run("diff", shop_diff.a, "nonsense", expect="NOT_FOUND")
    shop_diff.run("diff", expect="USAGE")


def test_text(shop_diff):
    text = shop_diff.run("diff", shop_diff.a, shop_diff.b, "--rows", "--limit", "2")
    text.says(r"\+ INDEX s\.big_b", r"- VIEW public\.v", r"~ FUNCTION public\.f\(\)", r"s\.big: 1 added, 1 removed, 3 changed",
              r"and 3 more", "only in A: drop_me", "no key: whole rows", "Large objects: 1 added, 1 removed, 1 changed")  # fmt: skip
    assert "\t" not in text.stdout


def test_selection(shop_diff):
    doc = shop_diff.run("diff", shop_diff.a, shop_diff.b, "--table", "altered", "--json").json
    assert set(tables(doc)) == {"altered"}
    assert {(o["kind"], o["name"]) for o in doc["schema"]} == {("TABLE", "altered")}
    assert set(tables(shop_diff.run("diff", shop_diff.a, shop_diff.b, "--schema", "s", "--json").json)) == {"big"}
    doc = shop_diff.run("diff", shop_diff.a, shop_diff.b, "--table", "fresh", "--json").json
    assert tables(doc) == {"fresh": (3, 0, 0)}
    shop_diff.run("diff", shop_diff.a, shop_diff.b, "--table", "neither", expect="NOT_FOUND")


def test_bytes_read(cluster, pgstow, database):
    """Ten changed rows of a large table: a small part of it is read."""
    db = database(sql="""
        CREATE TABLE big (id int PRIMARY KEY, v text);
        INSERT INTO big SELECT g, md5(g::text) || md5((g + 1)::text) || md5((g + 2)::text)
            FROM generate_series(1, 400000) g;
    """)
    a = pgstow.backup(db)
    stored = sum(size for name, size in pgstow.files().items() if name.startswith("packs/"))
    cluster.sql("UPDATE big SET v = 'x' WHERE id % 40000 = 0", db)
    b = pgstow.backup(db)
    doc = pgstow.run("diff", a, b, "--json").json
    assert tables(doc) == {"big": (0, 0, 10)}
    # Ten places of the first, the new chunks of the second, recipes and manifests.
    assert doc["fetchedBytes"] < stored * 0.2, (doc["fetchedBytes"], stored)
    assert doc["tables"][0]["comparedBytes"] < 800_000
    live = pgstow.run("diff", a, "live", "--json", db=db).json
    assert tables(live) == {"big": (0, 0, 10)}
    assert live["tables"][0]["comparedBytes"] < 800_000 and live["fetchedBytes"] < stored * 0.2


def test_long_rows(cluster, pgstow, database):
    """Rows larger than a chunk: parts of them that moved to other rows are still seen."""
    db = database(sql="""
        CREATE TABLE long (id int PRIMARY KEY, v text);
        ALTER TABLE long ALTER v SET STORAGE EXTERNAL;
        CREATE FUNCTION noise(seed int, n int) RETURNS text LANGUAGE sql AS
            $$SELECT string_agg(md5(seed::text || '-' || i::text), '') FROM generate_series(1, n) i$$;
        -- The same beginning, and ends of their own.
        INSERT INTO long SELECT g, noise(0, 4000) || noise(g, 6000) FROM generate_series(1, 6) g;
        INSERT INTO long SELECT g, 'short ' || g FROM generate_series(7, 500) g;
    """)
    a = pgstow.backup(db)
    cluster.sql("""
        UPDATE long x SET v = y.v FROM long y WHERE (x.id, y.id) IN ((1, 2), (2, 1));
        UPDATE long SET v = left(v, 200000) || 'X' || substr(v, 200002) WHERE id = 4;
        UPDATE long SET v = noise(0, 4000) WHERE id = 300;
        DELETE FROM long WHERE id = 6;
        INSERT INTO long VALUES (1000, noise(0, 4000) || noise(6, 6000));
    """, db)  # fmt: skip
    b = pgstow.backup(db)
    for doc in (
        pgstow.run("diff", a, b, "--json", "--rows").json,
        pgstow.run("diff", a, "--json", "--rows", db=db).json,
    ):
        assert tables(doc) == {"long": (1, 1, 4)}
        rows = {(r["change"], r["key"]["id"]): r for r in doc["tables"][0]["rows"]}
        assert set(rows) == {("changed", "1"), ("changed", "2"), ("changed", "4"), ("changed", "300"),
                             ("removed", "6"), ("added", "1000")}  # fmt: skip
        # A long value is cut to where it differs.
        assert "X" in rows["changed", "4"]["after"]["v"] and len(rows["changed", "4"]["after"]["v"]) < 1100


def test_rewritten(cluster, pgstow, database):
    """The same rows in quite another order, and without fixed pieces: no difference, whatever is read."""
    db = database(sql="""
        CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 60000) g;
        CREATE TABLE m (x int, y text);
        INSERT INTO m SELECT g % 100, 'same' FROM generate_series(1, 20000) g;
    """)
    a = pgstow.backup(db)
    cluster.sql("""
        CREATE INDEX by_v ON t (v); CLUSTER t USING by_v; DROP INDEX by_v;
        CREATE TABLE m2 AS SELECT * FROM m ORDER BY x; TRUNCATE m; INSERT INTO m SELECT * FROM m2; DROP TABLE m2;
    """, db)  # fmt: skip
    b = pgstow.backup(db)
    doc = pgstow.run("diff", a, b, "--json").json
    assert doc["different"] is False and doc["sameTables"] == 2
    assert pgstow.run("diff", a, "--json", db=db).json["different"] is False


def test_partial(cluster, pgstow, database):
    """Rows that a backup left out are no difference, and are told."""
    db = database(sql="""
        CREATE TABLE kept (i int PRIMARY KEY); CREATE TABLE left_out (i int PRIMARY KEY);
        INSERT INTO kept VALUES (1); INSERT INTO left_out VALUES (1), (2);
    """)
    whole = pgstow.backup(db)
    part = pgstow.backup(db, "--exclude-table-data", "left_out")
    doc = pgstow.run("diff", whole, part, "--json", "--exit-code").json
    assert doc["tables"] == [] and any("left_out" in n and "rows are not in" in n for n in doc["notes"])
    assert any("not whole" in n for n in doc["notes"])


def test_damage(cluster, pgstow, shop):
    """What is read is verified: damage is told, never a difference."""
    a = pgstow.backup(shop)
    before = set(pgstow.files())
    cluster.sql("UPDATE item SET price = 1 WHERE id % 100 = 0", shop)
    b = pgstow.backup(shop)
    pack = max((n for n in set(pgstow.files()) - before if n.startswith("packs/")), key=lambda n: pgstow.files()[n])
    path = pgstow.repo / pack
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    pgstow.run("diff", a, b, "--json", expect="DAMAGED")


def test_latin1(cluster, pgstow, database):
    """A database in another encoding: compared with its own backup nothing differs."""
    db = cluster.fresh_name()
    cluster.sql(f"CREATE DATABASE {db} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    database.later(db)
    cluster.sql('CREATE TABLE "größe" ("schlüssel" int PRIMARY KEY, "wört" text); '
                "INSERT INTO \"größe\" VALUES (1, 'Ä'), (2, 'Ö')", db)  # fmt: skip
    a = pgstow.backup(db)
    assert pgstow.run("diff", a, "--json", db=db).json["different"] is False
    cluster.sql("UPDATE \"größe\" SET \"wört\" = 'Ü' WHERE \"schlüssel\" = 2", db)
    b = pgstow.backup(db)
    for doc in (pgstow.run("diff", a, "--json", db=db).json, pgstow.run("diff", a, b, "--json").json):
        assert tables(doc) == {"größe": (0, 0, 1)} and doc["tables"][0]["key"] == ["schlüssel"]
