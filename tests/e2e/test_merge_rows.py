"""restore --merge: how rows are compared, and what columns and tables can be like."""

import pytest

from harness.merging import Merged


# ------------------------------------------------------------------------ comparing

def test_rows_are_compared_as_they_are(pair):
    """Equal by = is not the same: intervals, numbers, json, another case."""
    sql = """CREATE EXTENSION citext; CREATE TYPE pair AS (a int, b text);
        CREATE TABLE t (id citext PRIMARY KEY, i interval, n numeric, j json, f float8, p pair, a int[], x xml, q point)"""
    row = "INSERT INTO t VALUES ('{0}', '{1}', {2}, '{3}', '{4}', '{5}', '{6}', '{7}', '(1,2)')"
    p = pair(sql)
    p.change(row.format("Key", "1 mon", "1.00", '{"a": 1}', "-0", "(1,x)", "{1,2}", "<a/>"),
             row.format("key", "30 days", "1.0", '{"a":1}', "0", "(1,y)", "{1,3}", "<a></a>"))  # fmt: skip
    assert p.merge("upsert").counts("t") == {"updated": 1, "conflicts": 1}
    p.assert_same_rows()
    assert p.rows("SELECT id, i, n, j, f FROM t") == ['Key|1 mon|1.00|{"a": 1}|-0']
    assert p.again("upsert").counts("t") == {"unchanged": 1}


def test_keys_compare_as_their_index_does(pair):
    """citext in a schema that is in no search_path; a key of several columns in another order."""
    p = pair("""CREATE SCHEMA e; CREATE EXTENSION citext SCHEMA e; CREATE SCHEMA s;
        CREATE TABLE s.t (b e.citext, v int, a int, PRIMARY KEY (a, b));
        INSERT INTO s.t VALUES ('x', 1, 1), ('y', 2, 1)""")
    p.change("UPDATE s.t SET b = 'X', v = 7 WHERE b = 'x'")
    assert p.merge("mirror").counts("s.t") == {"updated": 1, "unchanged": 1, "conflicts": 1}
    p.assert_same_rows()
    p.again("mirror")


# ------------------------------------------------------------------------ columns

def test_columns_of_all_kinds(pair):
    p = pair("""CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
        CREATE TABLE other (k text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY (START 100), v text);
        CREATE TABLE made (id serial PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
        INSERT INTO always (v) SELECT 'v' || g FROM generate_series(1, 5) g;
        INSERT INTO other (k, v) SELECT 'k' || g, 'v' FROM generate_series(1, 5) g;
        INSERT INTO made (a) SELECT g FROM generate_series(1, 5) g""")
    p.change("""DELETE FROM always WHERE id = 2; UPDATE always SET v = 'new' WHERE id = 3; INSERT INTO always (v) VALUES ('six');
        DELETE FROM other WHERE k IN ('k1', 'k2'); INSERT INTO other (k, v) VALUES ('k1', 'again'), ('k9', 'nine');
        UPDATE made SET a = 50 WHERE id = 5; INSERT INTO made (a) VALUES (60), (70)""")
    merged = p.merge("mirror")
    assert merged.counts("always") == {"inserted": 1, "updated": 1, "deleted": 1, "unchanged": 3, "conflicts": 1}
    assert merged.counts("other") == {"inserted": 1, "updated": 1, "deleted": 1, "unchanged": 3, "conflicts": 1}
    assert merged.counts("made") == {"inserted": 2, "updated": 1, "unchanged": 4, "conflicts": 1}
    p.assert_same()
    p.again("mirror")
    p.change(target="INSERT INTO always (v) VALUES ('next'); INSERT INTO made (a) VALUES (1)")
    assert p.rows("SELECT max(id) FROM always") == ["7"] and p.rows("SELECT twice FROM made WHERE id = 8") == ["2"]


def test_what_the_target_has_beyond_the_backup_stays(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text, u int UNIQUE); INSERT INTO t SELECT g, 'v', g FROM generate_series(1, 4) g")
    p.change("UPDATE t SET v = 'new' WHERE id = 1; INSERT INTO t VALUES (9, 'nine', 9); UPDATE t SET u = -u WHERE id IN (2, 3);"
             "UPDATE t SET u = 5 - id WHERE id IN (2, 3)",
             "ALTER TABLE t ADD note text DEFAULT 'default'; UPDATE t SET note = 'kept ' || id")  # fmt: skip
    p.merge("upsert")
    assert p.rows("SELECT * FROM t ORDER BY id") == [
        "1|new|1|kept 1", "2|v|3|kept 2", "3|v|2|kept 3", "4|v|4|kept 4", "9|nine|9|default"]  # fmt: skip


def test_definitions_that_do_not_fit_are_all_named(pair):
    p = pair("""CREATE TABLE a (id int PRIMARY KEY, v text, w numeric); CREATE TABLE b (id int PRIMARY KEY);
        CREATE TABLE c (id int PRIMARY KEY, small int, t timestamp, e int, wide varchar(5)); CREATE TABLE fits (id int PRIMARY KEY)""",
        """CREATE TABLE a (id int PRIMARY KEY, w numeric(5,2)); CREATE TABLE fits (id int PRIMARY KEY);
        CREATE TABLE c (id bigint PRIMARY KEY, small smallint, t timestamp(0), e int GENERATED ALWAYS AS (1) STORED, wide text)""")
    p.change("INSERT INTO fits VALUES (1)")
    result = p.refused("PREFLIGHT", "upsert")
    result.says("public.a has no column v", "public.a.w is numeric.5,2. there, and numeric", "public.b is not there",
                "public.c.small is smallint there, and integer", r"public.c.t is timestamp\(0\)", "public.c.e is generated")  # fmt: skip
    assert "wide" not in result.said and "c.id" not in result.said
    p.merge("upsert", "--table", "fits")
    assert p.rows("SELECT * FROM fits") == ["1"]


def test_a_value_that_does_not_fit(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))", "CREATE TABLE t (id int PRIMARY KEY, v varchar(3))")
    p.change("INSERT INTO t VALUES (1, 'abc'), (2, 'too long')", "INSERT INTO t VALUES (7, 'x')")
    p.refused("DB", "upsert").says("public.t", "too long")


def test_odd_names_and_many_columns(pair):
    many = ", ".join(f"c{i} int" for i in range(1500))
    p = pair(f"""CREATE SCHEMA "S ""q"" é";
        CREATE TABLE "S ""q"" é"."T '$%"" x" ("id "" k" int PRIMARY KEY, "select" text, "ctid x" int, s text, t text, d text, b text);
        CREATE TABLE many (id int PRIMARY KEY, {many}); INSERT INTO many (id, c7, c1499) VALUES (1, 1, 2), (2, 3, 4);
        INSERT INTO "S ""q"" é"."T '$%"" x" VALUES (1, 'a', 1, 's', 't', 'd', 'b'), (2, '\\N', 2, E'\\t', E'\\n', 'd', 'b')""")
    p.change("""UPDATE many SET c1499 = 0 WHERE id = 1; INSERT INTO "S ""q"" é"."T '$%"" x" VALUES (3, '\\', 3);
        DELETE FROM "S ""q"" é"."T '$%"" x" WHERE s = 's'""")
    p.merge("mirror")
    p.assert_same()
    p.again("mirror")


# ------------------------------------------------------------------------ kinds of tables

PARTED = "CREATE TABLE m (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
QUARTERS = """CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
    CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2024-04-01') TO ('2025-01-01') PARTITION BY RANGE (id);
    CREATE TABLE m2a PARTITION OF m2 FOR VALUES FROM (0) TO (240); CREATE TABLE m2z PARTITION OF m2 DEFAULT;"""
HALVES = "CREATE TABLE h1 PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2024-06-01'); CREATE TABLE h2 PARTITION OF m DEFAULT;"
PARTED_ROWS = "INSERT INTO m SELECT g, '2024-01-01'::date + g, 'a' FROM generate_series(1, 300) g"
PARTED_CHANGE = """UPDATE m SET v = 'z' WHERE id = 200; UPDATE m SET v = 'y' WHERE id = 5; DELETE FROM m WHERE id IN (7, 250);
    INSERT INTO m VALUES (900, '2024-02-02', 'n'), (901, '2024-12-31', 'n')"""


def all_rows(p, sql):
    ours, theirs = (p.cluster.sql(sql, db) for db in (p.source, p.target))
    assert ours == theirs


@pytest.mark.parametrize("target", [QUARTERS, HALVES, None], ids=["alike", "otherwise", "plain"])
def test_partitioned_tables_go_by_their_root(pair, target):
    """Also where the target's partitions are others, or it has none."""
    plain = "CREATE TABLE m (id int, day date, v text, PRIMARY KEY (id, day));"
    p = pair(f"{PARTED}{QUARTERS}{PARTED_ROWS}", (PARTED + target if target else plain) + PARTED_ROWS)
    p.change(PARTED_CHANGE)
    merged = p.merge("mirror")
    assert merged.counts() == {"inserted": 2, "updated": 2, "deleted": 2, "unchanged": 296, "conflicts": 2}
    assert set(merged.tables) == {"public.m"}
    all_rows(p, "SELECT * FROM m ORDER BY id")
    first = p.again("mirror").base("m")
    p.change("UPDATE m SET v = 'q' WHERE id IN (60, 260)", "UPDATE m SET v = 'mine' WHERE id IN (61, 260)")
    merged = p.merge("mirror")
    assert merged.base("m") and merged.base("m") != first
    assert merged.counts("m") == {"updated": 3, "unchanged": 297, "conflicts": 2}
    assert merged.tables["public.m"]["samples"] == ["id=61, day=2024-03-02 changed", "id=260, day=2024-09-17 changed"]
    p.change(target="TRUNCATE m")  # loaded directly, but for the base
    assert p.merge("mirror", "--base", "none").counts() == {"inserted": 300}
    all_rows(p, "SELECT * FROM m ORDER BY id")


def test_a_plain_table_into_a_partitioned_one(pair):
    p = pair("CREATE TABLE m (id int, day date, v text, PRIMARY KEY (id, day));" + PARTED_ROWS, PARTED + HALVES + PARTED_ROWS)
    p.change(PARTED_CHANGE)
    assert p.merge("mirror").counts("m")["inserted"] == 2
    all_rows(p, "SELECT * FROM m ORDER BY id")


def test_a_partition_without_rows_in_the_backup_is_not_emptied(pair, pgstow):
    p = pair(f"{PARTED}{QUARTERS}{PARTED_ROWS}")
    part = pgstow.backup(p.source, "--exclude-table-data", "m1")
    p.refused("PREFLIGHT", "mirror", backup=part).says("public.m1", "would delete them")
    assert p.merge("upsert", backup=part).counts("m") == {"unchanged": 300 - len([g for g in range(1, 91)])}


def test_inheritance_is_table_by_table(pair):
    p = pair("""CREATE TABLE p (id int PRIMARY KEY, v text); CREATE TABLE c (x int, PRIMARY KEY (id)) INHERITS (p);
        INSERT INTO p VALUES (1, 'p'), (2, 'p'); INSERT INTO c VALUES (1, 'c', 1), (3, 'c', 3)""")
    p.change("UPDATE ONLY p SET v = 'new' WHERE id = 1; DELETE FROM ONLY p WHERE id = 2; DELETE FROM c WHERE id = 3; INSERT INTO c VALUES (2, 'c', 2)")
    merged = p.merge("mirror")
    assert merged.counts("p") == {"updated": 1, "deleted": 1, "conflicts": 1}
    assert merged.counts("c") == {"inserted": 1, "deleted": 1, "unchanged": 1}
    p.assert_same()


def test_rules_and_foreign_tables_are_refused(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    p.change(target="CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING")
    p.refused("PREFLIGHT", "upsert").says("public.t has rules")


def test_empty_tables_are_loaded_directly(pair):
    sql = """CREATE TABLE p (id serial PRIMARY KEY, v text); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, up int REFERENCES c);
        CREATE TABLE keyless (a int); """
    p = pair(sql + """INSERT INTO p (v) SELECT 'v' FROM generate_series(1, 100); INSERT INTO c SELECT g, g, NULLIF(g + 1, 101) FROM generate_series(1, 100) g;
        INSERT INTO keyless VALUES (1), (1)""", sql)  # fmt: skip
    saved = p.backup()
    assert p.merge("insert", "--dry-run", "--keyless", "replace", backup=saved).counts() == {"inserted": 202}
    assert p.rows("SELECT (SELECT count(*) FROM p) + (SELECT count(*) FROM c), last_value FROM p_id_seq") == ["0|1"]
    assert p.merge("insert", "--keyless", "replace", backup=saved).counts() == {"inserted": 202}
    p.assert_same()


def test_a_table_that_is_empty_no_more(pair, pgstow_faults):
    """Empty when it was looked at, and written into before it was locked."""
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text)")
    p.change("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    saved = p.backup()
    with pgstow_faults.start("restore", saved, "--merge", "upsert", "--json", db=p.target,
                             env={"PGSTOW_FAULT": "merge.staged:stop"}) as run:  # fmt: skip
        assert run.wait_stopped()
        p.change(target="INSERT INTO t VALUES (2, 'x'), (3, 'y')")
        run.resume()
        assert Merged(run.wait().expect("OK")).counts("t") == {"inserted": 1, "updated": 1, "conflicts": 1}
    assert p.rows("SELECT * FROM t ORDER BY id") == ["1|a", "2|b", "3|y"]


def test_very_many_rows_with_a_foreign_key(pair):
    """Their key is checked by one join at the end, and is then as it was; what dangles is found."""
    made = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);"
    p = pair(f"{made} INSERT INTO p SELECT generate_series(1, 10); INSERT INTO c SELECT g, 1 + g % 10 FROM generate_series(1, 120000) g",
             f"{made} ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE")  # fmt: skip
    ask = "SELECT convalidated, condeferrable, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'c_p'"
    before = p.rows(ask)
    p.change("DELETE FROM p WHERE id = 3")
    p.refused("DB", "upsert").says("c_p")
    p.change("INSERT INTO p VALUES (3)")
    assert p.merge("upsert").counts() == {"inserted": 120010}
    assert p.rows(ask) == before
    p.assert_same_rows()


def test_extension_tables(pair):
    """Only the user's rows take part: those that the extension made stay."""
    p = pair("CREATE EXTENSION pgstow_fixture")
    before = p.rows("SELECT * FROM fixture_settings ORDER BY 1")
    assert "public.fixture_settings" in p.merge("upsert", "--keyless", "replace").tables
    p.again("mirror", "--keyless", "replace")
    assert p.rows("SELECT * FROM fixture_settings ORDER BY 1") == before and before
    p.assert_same()
