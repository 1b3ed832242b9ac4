"""restore --merge: rows into tables that exist. Each cell of docs/merge.md, and what tables can be like."""

import threading
import time

import pytest

from harness import compare

COUNTS = ("inserted", "updated", "deleted", "unchanged", "conflicts", "kept", "replaced", "skipped", "cascaded")


class Merged:
    """What one merge said."""

    def __init__(self, result):
        self.result, self.doc = result, result.json
        self.tables = {f"{t['schema']}.{t['name']}": t for t in self.doc["tables"]}

    def counts(self, table=None):
        """The counts that are not 0, of one table or of all."""
        of = self.tables[table if "." in table else f"public.{table}"] if table else self.doc
        return {key: of[key] for key in COUNTS if of[key]}

    def base(self, table):
        return self.tables[table if "." in table else f"public.{table}"]["base"]


class Pair:
    """A source and a target that began as copies of each other."""

    def __init__(self, cluster, pgstow, database, sql, target_sql=None):
        self.cluster, self.pgstow = cluster, pgstow
        self.source = database(sql=sql)
        self.target = database(template=self.source) if target_sql is None else database(sql=target_sql)

    def change(self, source=None, target=None):
        if source:
            self.cluster.sql(source, self.source)
        if target:
            self.cluster.sql(target, self.target)

    def backup(self):
        return self.pgstow.backup(self.source, "--quiet")

    def run(self, mode, *args, backup=None, expect="OK", **kwargs):
        return self.pgstow.run("restore", backup or self.backup(), "--merge", mode, "--json", *args, db=self.target,
                               expect=expect, **kwargs)  # fmt: skip

    def merge(self, mode="upsert", *args, **kwargs):
        merged = Merged(self.run(mode, *args, **kwargs))
        assert self.leftovers() == ""
        return merged

    def again(self, mode, *args, **kwargs):
        """Merging the same once more writes nothing."""
        merged = self.merge(mode, *args, **kwargs)
        assert not {"inserted", "updated", "deleted", "replaced", "cascaded"} & set(merged.counts()), merged.counts()
        return merged

    def refused(self, kind, mode="upsert", *args, **kwargs):
        """It fails, and nothing is changed."""
        before = compare.snapshot(self.cluster, self.target)
        result = self.run(mode, *args, expect=kind, **kwargs)
        compare.assert_as_before(self.cluster, self.target, before)
        assert self.leftovers() == ""
        return result

    def leftovers(self):
        return self.cluster.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgstow%'", self.target)

    def rows(self, sql):
        return self.cluster.sql(sql, self.target).splitlines()

    def assert_same(self):
        compare.assert_same(self.cluster, self.source, self.target)

    def assert_same_rows(self):
        compare.assert_same_rows(self.cluster, self.source, self.target)


@pytest.fixture
def pair(cluster, pgstow, database):
    return lambda sql, target_sql=None: Pair(cluster, pgstow, database, sql, target_sql)


# ------------------------------------------------------------------------ what becomes of each row

SAME, CHANGED, NEW, GONE, NONE = "same", "changed", "new", "gone", "none"
# (source, target) since the base; the last two: both did the very same
CELLS = [
    (SAME, SAME), (SAME, CHANGED), (SAME, GONE),
    (CHANGED, SAME), (CHANGED, CHANGED), (CHANGED, GONE),
    (GONE, SAME), (GONE, CHANGED), (GONE, GONE),
    (NEW, NONE), (NONE, NEW), (NEW, NEW),
    ("alike", "alike"), ("alike new", "alike new"),
]  # fmt: skip
BASE, OLD, YOUNG = "base", "2024-01-01 00:00:00", "2024-06-01 00:00:00"


def state(side, what, source_is_younger):
    """The row (v, at) that one side has, or None."""
    at = YOUNG if (side == "source") == source_is_younger else OLD
    return {
        SAME: (BASE, "2023-01-01 00:00:00"),
        CHANGED: (f"{side} changed", at),
        NEW: (f"{side} new", at),
        GONE: None,
        NONE: None,
        "alike": ("both changed", YOUNG),
        "alike new": ("both new", YOUNG),
    }[what]


def cells():
    """(id, source's row, target's row, base's row)"""
    found = []
    for younger in (True, False):
        for s, t in CELLS:
            base = None if {s, t} & {NEW, NONE, "alike new"} else (BASE, "2023-01-01 00:00:00")
            found.append((len(found) + 1, state("source", s, younger), state("target", t, younger), base))
    return found


def expected(mode, policy, source, target, base, has_base):
    """The rule of docs/merge.md: (the row afterwards, what is counted)."""
    if source == target:
        return target, ["unchanged"] if source else []
    would = {
        "upsert": source is not None,
        "mirror": True,
        "insert": source is not None and target is None,
    }[mode]
    if not would:
        return target, ["unchanged"] if source else []
    conflict = target != base if has_base else source is not None and target is not None
    action = "inserted" if target is None else "deleted" if source is None else "updated"
    if not conflict:
        return source, [action]
    keeps = policy == "target"
    if policy == "newest":
        keeps = source is None or (target is not None and target[1] > source[1])
    return (target, ["conflicts", "kept"]) if keeps else (source, ["conflicts", action])


def write(rows):
    values = ", ".join(f"({i}, '{v}', '{at}')" for i, (v, at) in rows)
    return f"DELETE FROM t; INSERT INTO t VALUES {values}"


CELL_TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamp)"


def cell_pair(pair, has_base):
    """The target has merged the base, then both have changed."""
    p = pair(f"{CELL_TABLE}; {write([(i, b) for i, _, _, b in cells() if b])}")
    if has_base:
        p.base = p.backup()
        assert p.merge("mirror", backup=p.base).counts() == {"unchanged": sum(1 for c in cells() if c[3])}
    p.change(write([(i, s) for i, s, _, _ in cells() if s]), write([(i, t) for i, _, t, _ in cells() if t]))
    p.new = p.backup()
    return p


@pytest.mark.parametrize("has_base", [True, False], ids=["base", "no-base"])
def test_every_cell(cluster, pair, database, has_base):
    p = cell_pair(pair, has_base)
    seen = set()
    before = cluster.sql("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t", p.target)
    for mode in ("upsert", "mirror", "insert"):
        for policy in ("source", "target", "newest"):
            # One and the same database again: what it has merged is known by its OID.
            p.change(target=write([(i, t) for i, _, t, _ in cells() if t]))
            assert cluster.sql("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t", p.target) == before
            flag = "newest:at" if policy == "newest" else policy
            base = p.base if has_base else "none"
            dry = p.merge(mode, "--on-conflict", flag, "--base", base, "--dry-run", backup=p.new)
            assert cluster.sql("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t", p.target) == before
            merged = p.merge(mode, "--on-conflict", flag, "--base", base, backup=p.new)
            want, counts = [], dict.fromkeys(COUNTS, 0)
            for i, source, target, b in cells():
                row, counted = expected(mode, policy, source, target, b, has_base)
                seen.add((mode, policy, i, tuple(counted)))
                if row:
                    want.append(f"{i}|{row[0]}|{row[1]}")
                for c in counted:
                    counts[c] += 1
            assert p.rows("SELECT id, v, at FROM t ORDER BY id") == want, (mode, policy)
            assert merged.counts("t") == dry.counts("t") == {k: n for k, n in counts.items() if n}, (mode, policy)
            assert merged.base("t") == (p.base if has_base else None)
    assert len(seen) == 9 * len(cells())


def test_fail_names_the_rows_and_changes_nothing(pair):
    p = cell_pair(pair, True)
    result = p.refused("CONFLICT", "mirror", "--on-conflict", "fail", backup=p.new)
    result.says("public.t", "id=2 changed", "id=3 deleted", "nothing was changed")
    # Where the target changed nothing that the merge would write there is nothing to fail for.
    p.change(target=write([(i, b) for i, _, _, b in cells() if b]))
    assert "conflicts" not in p.merge("mirror", "--on-conflict", "fail", backup=p.new).counts("t")


def test_the_base_is_the_backup_merged_last(pair, pgstow):
    p = pair(f"{CELL_TABLE}; INSERT INTO t VALUES (1, 'a', now()), (2, 'b', now())")
    first = p.backup()
    assert p.merge("upsert", backup=first).base("t") is None
    p.change("UPDATE t SET v = 'source' WHERE id = 1")
    second = p.backup()
    merged = p.merge("upsert", backup=second)
    assert merged.base("t") == first
    assert merged.counts("t") == {"updated": 1, "unchanged": 1}
    # Both change the same row; a dry run is no merge.
    p.change("UPDATE t SET v = 'source again' WHERE id = 1", "UPDATE t SET v = 'target' WHERE id = 1")
    third = p.backup()
    for _ in range(2):
        dry = p.merge("upsert", "--dry-run", backup=third)
        assert dry.base("t") == second and dry.counts("t") == {"updated": 1, "unchanged": 1, "conflicts": 1}
        assert dry.tables["public.t"]["samples"] == ["id=1 changed"]
    assert p.merge("upsert", "--base", "none", backup=third).base("t") is None
    # A base that was deleted is told, and counts for nothing.
    pgstow.run("delete", third)
    p.change("UPDATE t SET v = 'once more' WHERE id = 2")
    merged = p.merge("upsert")
    assert merged.base("t") is None and third in merged.doc["warnings"][0]


def test_a_base_with_other_columns(pair):
    """A column that came or went since: what both have is compared."""
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text, gone int); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)")
    p.merge("upsert")
    for side in ("source", "target"):
        p.change(**{side: "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t ADD came text DEFAULT 'x'"})
    p.change("UPDATE t SET came = 'source'", "UPDATE t SET v = 'target' WHERE id = 2")
    assert p.merge("upsert").counts("t") == {"updated": 2, "conflicts": 1}
    p.assert_same_rows()


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


# ------------------------------------------------------------------------ keys

def test_tables_without_a_key(pair):
    sql = "CREATE TABLE log (a int, j json, i interval); CREATE TABLE nothing (); CREATE TABLE keyed (id int PRIMARY KEY);"
    p = pair(sql + "INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES; INSERT INTO keyed VALUES (1)")
    p.change("""INSERT INTO log VALUES (1, '{"a":1}', '1 mon'), (1, '{"a":1}', '1 mon'), (2, NULL, '30 days'), (NULL, NULL, NULL);
                INSERT INTO nothing DEFAULT VALUES""",
             """INSERT INTO log VALUES (1, '{"a":1}', '1 mon'), (2, NULL, '1 mon'), (3, NULL, NULL), (NULL, NULL, NULL)""")  # fmt: skip
    p.refused("PREFLIGHT", "upsert").says("public.log", "public.nothing", "--key", "--keyless")
    skipped = p.merge("upsert", "--keyless", "skip")
    assert skipped.doc["leftOut"] == ["public.log", "public.nothing"] and set(skipped.tables) == {"public.keyed"}
    merged = p.merge("upsert", "--keyless", "replace")
    assert merged.counts("log") == {"inserted": 2, "deleted": 2, "unchanged": 2}
    assert merged.counts("nothing") == {"inserted": 1, "unchanged": 2}
    p.change("CREATE TABLE f (f float8); INSERT INTO f VALUES (0.1), (0.30000000000000004)", "CREATE TABLE f (f float8); INSERT INTO f VALUES (0.1), (0.3);"
             f"ALTER DATABASE {p.target} SET extra_float_digits = 0")  # fmt: skip
    assert p.merge("upsert", "--keyless", "replace").counts("f") == {"inserted": 1, "deleted": 1, "unchanged": 1}
    p.assert_same_rows()
    p.again("insert", "--keyless", "replace")


def test_a_chosen_key(pair):
    p = pair("""CREATE TABLE t (id serial PRIMARY KEY, code text NOT NULL, v text); CREATE UNIQUE INDEX "Code x" ON t (code);
        CREATE UNIQUE INDEX partial ON t (v) WHERE v <> ''; INSERT INTO t (code, v) VALUES ('a', '1'), ('b', '2')""")
    p.change("DELETE FROM t WHERE code = 'a'; INSERT INTO t (code, v) VALUES ('a', '3')")
    assert p.merge("upsert", "--key", 'public.t: "Code x"').counts("t") == {"updated": 1, "unchanged": 1, "conflicts": 1}
    p.assert_same_rows()
    p.refused("USAGE", "upsert", "--key", "public.t: partial").says("it could be: Code x, t_pkey")
    p.refused("USAGE", "upsert", "--key", "public.u: x").says("no such table")
    p.refused("USAGE", "upsert", "--key", "t").says("chooses no key")


def test_a_chosen_key_moves_the_primary_one(pair):
    """Rows are matched by their code; their ids, swapped and new, are written, and what refers to them follows."""
    p = pair("""CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text NOT NULL UNIQUE);
        CREATE TABLE c (id int PRIMARY KEY, t int NOT NULL REFERENCES t); CREATE TABLE d (id int PRIMARY KEY, t int REFERENCES t ON UPDATE CASCADE);
        INSERT INTO t (code) VALUES ('a'), ('b'), ('c'); INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO d VALUES (1, 1), (2, 2)""")
    p.change("""BEGIN; DELETE FROM c; DELETE FROM d; DELETE FROM t; INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (2, 'a'), (1, 'b'), (9, 'c');
        INSERT INTO c VALUES (1, 2), (2, 9); INSERT INTO d VALUES (1, 2); COMMIT""",
        "INSERT INTO d VALUES (3, 3)")
    assert p.merge("upsert", "--key", "t: t_code_key").counts("t") == {"updated": 3, "conflicts": 3}
    assert p.rows("SELECT id, code FROM t ORDER BY 2") == ["2|a", "1|b", "9|c"]
    # d's row 2 is the target's alone: it stays with what its value now names; row 3 went along with c.
    assert p.rows("SELECT * FROM d ORDER BY id") == ["1|2", "2|2", "3|9"]
    assert p.rows("SELECT attidentity FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'id'") == ["a"]


def test_a_chosen_key_with_null(pair):
    p = pair("CREATE TABLE t (id int, v text); CREATE UNIQUE INDEX k ON t (id); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    assert p.merge("upsert", "--key", "t: k").counts("t") == {"unchanged": 2}
    p.change("INSERT INTO t VALUES (NULL, 'c')")
    p.refused("CONFLICT", "upsert", "--key", "t: k").says("1 rows have NULL in the key k")


def test_a_key_that_the_backup_has_twice(pair):
    p = pair("CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'a'), (1, 'b')",
             "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')")  # fmt: skip
    p.refused("CONFLICT", "upsert").says("more than once")


# ------------------------------------------------------------------------ unique values

SWAP = """CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, w text);
    CREATE TABLE child (id int PRIMARY KEY, t int NOT NULL REFERENCES t ON DELETE CASCADE);
    CREATE TABLE byvalue (id int PRIMARY KEY, u text REFERENCES t (u) ON UPDATE CASCADE);
    CREATE UNIQUE INDEX ON t (lower(w)) WHERE w IS NOT NULL;
    INSERT INTO t SELECT g, 'u' || g, 'W' || g FROM generate_series(1, 9) g;
    INSERT INTO child SELECT g, g FROM generate_series(1, 9) g;
    INSERT INTO byvalue SELECT g, 'u' || g FROM generate_series(1, 9) g"""


def test_values_that_change_places(pair):
    """Swapped, in a ring, handed down to a new row, by columns and by expression; children stay."""
    p = pair(SWAP)
    p.change("""BEGIN; ALTER TABLE t DROP CONSTRAINT t_u_key CASCADE; DROP INDEX t_lower_idx;
        UPDATE t SET u = CASE id WHEN 1 THEN 'u2' WHEN 2 THEN 'u1' WHEN 3 THEN 'u4' WHEN 4 THEN 'u5' WHEN 5 THEN 'u3' ELSE u END;
        UPDATE t SET w = CASE id WHEN 6 THEN 'w7' WHEN 7 THEN 'w6' ELSE w END;
        UPDATE t SET u = 'free' WHERE id = 8; INSERT INTO t VALUES (10, 'u8', NULL); INSERT INTO child VALUES (10, 10);
        ALTER TABLE t ADD UNIQUE (u); CREATE UNIQUE INDEX ON t (lower(w)) WHERE w IS NOT NULL; UPDATE byvalue SET u = 'free' WHERE id = 8;
        ALTER TABLE byvalue ADD CONSTRAINT byvalue_u_fkey FOREIGN KEY (u) REFERENCES t (u) ON UPDATE CASCADE; COMMIT""")
    merged = p.merge("mirror")
    assert merged.counts("t") == {"inserted": 1, "updated": 8, "unchanged": 1, "conflicts": 8}
    assert merged.counts("child") == {"inserted": 1, "unchanged": 9}
    assert merged.counts("byvalue") == {"updated": 1, "unchanged": 8, "conflicts": 1}
    p.assert_same()
    p.again("mirror")


def test_values_that_change_places_where_others_refer(pair):
    """A table that is not of the merge, with a key that would delete, loses no row."""
    p = pair("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    p.change("UPDATE t SET u = -u; UPDATE t SET u = CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 3 END; DELETE FROM t WHERE id = 3",
             """CREATE TABLE mine (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);
             COMMENT ON CONSTRAINT mine_t_fkey ON mine IS 'it''s'; INSERT INTO mine VALUES (1, 1), (2, 2), (3, 3)""")  # fmt: skip
    merged = p.merge("mirror")
    assert merged.counts("t") == {"updated": 2, "deleted": 1, "conflicts": 2}
    assert p.rows("SELECT * FROM mine ORDER BY id") == ["1|1", "2|2"]
    assert p.rows("SELECT convalidated, confdeltype, obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'mine_t_fkey'") == ["t|c|it's"]


def test_an_exclusion_constraint(pair):
    p = pair("""CREATE TABLE t (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));
        INSERT INTO t VALUES (1, '[1,5)'), (2, '[5,9)'), (3, '[20,30)')""")
    p.change("BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, '[4,9)'), (2, '[1,4)'), (3, '[20,30)'); COMMIT")
    assert p.merge("upsert").counts("t") == {"updated": 2, "unchanged": 1, "conflicts": 2}
    p.assert_same()


RETURNED = """CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, v text); INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two')"""


def test_a_natural_key_under_a_new_id(pair):
    p = pair(RETURNED)
    p.change("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 'a', 'three'); UPDATE t SET v = 'new' WHERE id = 2")
    saved = p.backup()
    p.refused("CONFLICT", "upsert", backup=saved).says("t_code_key", "code=a", "row id=3", "row id=1", "--on-unique-conflict")
    skipped = p.merge("upsert", "--on-unique-conflict", "skip", "--dry-run", backup=saved)
    assert skipped.counts("t") == {"updated": 1, "skipped": 1, "conflicts": 1}
    replaced = p.merge("upsert", "--on-unique-conflict", "replace", backup=saved)
    assert replaced.counts("t") == {"inserted": 1, "updated": 1, "replaced": 1, "conflicts": 1}
    p.assert_same_rows()
    p.again("upsert", "--on-unique-conflict", "replace", backup=saved)
    # A mirror deletes the old one first.
    p.change("DELETE FROM t WHERE code = 'a'; INSERT INTO t VALUES (4, 'a', 'four')")
    assert p.merge("mirror").counts("t") == {"inserted": 1, "deleted": 1, "unchanged": 1}


def test_skip_leaves_both_rows(pair):
    p = pair(RETURNED)
    p.change("UPDATE t SET code = 'z' WHERE id = 1", "INSERT INTO t VALUES (9, 'z', 'mine')")
    assert p.merge("upsert", "--on-unique-conflict", "skip").counts("t") == {"unchanged": 1, "skipped": 1, "conflicts": 1}
    assert p.rows("SELECT * FROM t ORDER BY id") == ["1|a|one", "2|b|two", "9|z|mine"]


def test_a_row_that_stays_is_not_replaced(pair):
    """The target's row is in the backup too, and is kept: to delete it would lose it."""
    p = pair(RETURNED)
    p.change("UPDATE t SET code = 'x' WHERE id = 1; INSERT INTO t VALUES (3, 'a', 'three')")
    p.refused("CONFLICT", "insert", "--on-unique-conflict", "replace").says("stay as the target has them")


def test_deferrable_unique_constraints(pair):
    p = pair("""CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)""")
    p.change("BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE t SET u = 4 - u; COMMIT", "INSERT INTO t VALUES (7, 30)")
    assert p.merge("upsert").counts("t") == {"updated": 2, "unchanged": 1, "conflicts": 2}
    p.change("UPDATE t SET u = 30 WHERE id = 3")
    p.refused("CONFLICT", "upsert").says("t_u_key")
    assert p.merge("upsert", "--on-unique-conflict", "replace").counts("t")["replaced"] == 1
    p.assert_same()


# ------------------------------------------------------------------------ foreign keys

def test_cycles_self_references_and_order(pair):
    """Rows that refer to each other, in tables whose names are in the wrong order, all not deferrable."""
    p = pair("""CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
        ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b;
        CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, v int);
        CREATE TABLE z_parent (id int PRIMARY KEY); CREATE TABLE y_child (id int PRIMARY KEY, p int REFERENCES z_parent ON DELETE RESTRICT);
        INSERT INTO a VALUES (1, NULL), (2, NULL); INSERT INTO b VALUES (1, 1), (2, 2); UPDATE a SET b = 3 - id;
        INSERT INTO tree VALUES (1, NULL, 0), (2, 1, 0), (3, 2, 0); INSERT INTO z_parent VALUES (1), (2); INSERT INTO y_child VALUES (1, 1), (2, 2)""")
    p.change("""UPDATE a SET b = NULL; DELETE FROM b; DELETE FROM a WHERE id = 1; INSERT INTO a VALUES (3, NULL); INSERT INTO b VALUES (3, 2), (4, 3);
        UPDATE a SET b = 7 - id - 0 WHERE id = 3; UPDATE a SET b = 3 WHERE id = 2;
        UPDATE tree SET up = NULL WHERE id = 3; DELETE FROM tree WHERE id < 3; INSERT INTO tree VALUES (0, 3, 0), (9, 0, 0); UPDATE tree SET up = 9 WHERE id = 3;
        INSERT INTO z_parent VALUES (3); UPDATE y_child SET p = 3; DELETE FROM z_parent WHERE id < 3""")
    p.merge("mirror")
    p.assert_same()  # also that the constraints are as they were
    p.again("mirror")


def test_cascades_lose_no_row(pair):
    """A parent goes, its children have another one meanwhile: they stay."""
    p = pair("""CREATE TABLE p (id int PRIMARY KEY, v text);
        CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE n (id int PRIMARY KEY, p int DEFAULT 9 REFERENCES p ON DELETE SET NULL);
        CREATE TABLE d (id int PRIMARY KEY, p int DEFAULT 9 REFERENCES p ON DELETE SET DEFAULT);
        CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
        INSERT INTO p VALUES (1), (2), (9); INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO n VALUES (1, 1); INSERT INTO d VALUES (1, 1);
        INSERT INTO g VALUES (1, 1), (2, 2)""")
    p.change("INSERT INTO p VALUES (3); UPDATE c SET p = 3 WHERE p = 1; UPDATE n SET p = 3; UPDATE d SET p = 3; DELETE FROM p WHERE id = 1",
             "ALTER TABLE c ADD mine text; UPDATE c SET mine = 'm' || id")  # fmt: skip
    p.merge("mirror")
    assert p.rows("SELECT * FROM c ORDER BY id") == ["1|3|m1", "2|2|m2"]
    assert p.rows("SELECT * FROM g ORDER BY id") == ["1|1", "2|2"] and p.rows("SELECT * FROM n, d") == ["1|3|1|3"]
    assert p.rows("SELECT string_agg(confdeltype, '' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'") == ["cdcn"]


def test_what_only_the_target_has_goes_along(pair):
    """Rows of the target's own follow what their key says: deleted, emptied, renamed."""
    p = pair("""CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
        CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
        CREATE TABLE n (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
        CREATE TABLE r (id int PRIMARY KEY, code text REFERENCES p (code) ON UPDATE CASCADE);
        INSERT INTO p VALUES (1, 'a'), (2, 'b')""")
    p.merge("mirror")
    p.change("DELETE FROM p WHERE id = 1; UPDATE p SET code = 'B' WHERE id = 2",
             """INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO g VALUES (1, 1), (2, 2); INSERT INTO n VALUES (1, 1), (2, 2);
             INSERT INTO r VALUES (2, 'b')""")  # fmt: skip
    merged = p.merge("mirror", "--on-conflict", "target")
    assert merged.counts("p") == {"updated": 1, "deleted": 1}
    assert [merged.counts(t).get("cascaded") for t in "cnr"] == [1, 1, 1]
    assert p.rows("SELECT * FROM c") == ["2|2"] and p.rows("SELECT * FROM g") == ["2|2"]
    assert p.rows("SELECT * FROM n ORDER BY id") == ["1|", "2|2"] and p.rows("SELECT * FROM r") == ["2|B"]


def test_what_would_dangle_is_refused(pair):
    p = pair("""CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); INSERT INTO p VALUES (1), (2)""")
    p.merge("mirror")
    p.change("DELETE FROM p WHERE id = 1", "INSERT INTO c VALUES (1, 1)")
    p.refused("DB", "mirror", "--on-conflict", "target").says("c_p_fkey")
    assert p.merge("mirror").counts() == {"deleted": 2, "unchanged": 1, "conflicts": 1}
    p.assert_same()


def test_deferred_and_unvalid_constraints(pair):
    p = pair("""CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
        CREATE TABLE c (id int PRIMARY KEY, p int); INSERT INTO c VALUES (1, 1), (2, 2), (3, 77);
        ALTER TABLE c ADD CONSTRAINT late FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE NOT VALID;
        CREATE TABLE d (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY IMMEDIATE); INSERT INTO d VALUES (1, 1)""")
    p.change("INSERT INTO p VALUES (3); UPDATE c SET p = 3 WHERE p = 1; UPDATE d SET p = 3; DELETE FROM p WHERE id = 1")
    p.merge("mirror")
    p.assert_same()
    assert p.rows("SELECT * FROM c WHERE id = 3") == ["3|77"]


# ------------------------------------------------------------------------ triggers

TRIGGERS = """CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id serial PRIMARY KEY, what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.log (what) VALUES (TG_NAME || ' ' || TG_OP); RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER a_on AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER b_off BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t DISABLE TRIGGER b_off;
    CREATE TRIGGER c_replica BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE REPLICA TRIGGER c_replica;
    CREATE TRIGGER d_always AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER d_always;
    CREATE CONSTRAINT TRIGGER e_late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
    INSERT INTO t VALUES (1, 'a'); DELETE FROM log"""


def test_triggers_are_off_and_then_as_they_were(pair):
    p = pair(TRIGGERS)
    ask = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    before = p.rows(ask)
    assert before == ["a_on|O", "b_off|D", "c_replica|R", "d_always|A", "e_late|O"]
    p.change("UPDATE t SET v = 'new'; INSERT INTO t VALUES (2, 'two')")
    p.merge("upsert", "--table", "t")
    assert p.rows("SELECT * FROM log") == [] and p.rows(ask) == before
    p.change("UPDATE t SET v = 'newer' WHERE id = 1")
    p.merge("upsert", "--table", "t", "--triggers")
    assert p.rows("SELECT what FROM log ORDER BY what") == ["a_on UPDATE", "d_always UPDATE", "e_late UPDATE"]
    assert p.rows(ask) == before


def test_triggers_of_partitions(pair):
    p = pair("""CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); CREATE TABLE log (what text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
        CREATE TRIGGER every AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER own BEFORE UPDATE ON t2 FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE ONLY t1 ENABLE ALWAYS TRIGGER every;
        INSERT INTO t VALUES (1, 'a'), (11, 'b')""")
    ask = "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname IN ('every', 'own') ORDER BY 1, 2"
    before = p.rows(ask)
    p.change("ALTER TABLE t DISABLE TRIGGER every; ALTER TABLE t2 DISABLE TRIGGER own; UPDATE t SET v = 'new'")
    p.merge("upsert", "--table", "t")
    assert p.rows("SELECT * FROM log") == [] and p.rows("SELECT v FROM t") == ["new", "new"] and p.rows(ask) == before


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


# ------------------------------------------------------------------------ sequences

def test_sequences_only_go_forward(pair):
    p = pair("""CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE SEQUENCE free; CREATE SEQUENCE down INCREMENT -1;
        CREATE TABLE u (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)""")
    p.change("INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 10); SELECT setval('free', 70); SELECT setval('down', -30); INSERT INTO u VALUES (500)",
             "SELECT setval('free', 99); SELECT setval('down', -5); SELECT setval('t_id_seq', 4)")  # fmt: skip
    merged = p.merge("upsert")
    assert merged.doc["sequences"] == 3
    assert p.rows("SELECT nextval('t_id_seq'), nextval('free'), nextval('down'), nextval('u_id_seq')") == ["11|100|-31|501"]
    assert p.again("upsert").doc["sequences"] == 0


# ------------------------------------------------------------------------ parts, rights, others

def test_a_part_and_another_name(pair):
    p = pair("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); INSERT INTO s.t VALUES (1), (2); INSERT INTO other VALUES (1)")
    p.change("DELETE FROM s.t WHERE id = 1; DELETE FROM other", "CREATE TABLE copy (id int PRIMARY KEY); INSERT INTO copy VALUES (7)")
    assert set(p.merge("mirror", "--schema", "s").tables) == {"s.t"}
    assert p.rows("SELECT * FROM s.t") == ["2"] and p.rows("SELECT * FROM other") == ["1"]
    assert set(p.merge("mirror", "--table", "s.t=public.copy").tables) == {"public.copy"}
    assert p.rows("SELECT * FROM copy") == ["2"]


def test_rights(cluster, pair, pgstow):
    cluster.sql("DROP ROLE IF EXISTS merger; CREATE ROLE merger LOGIN")
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
    p.change("UPDATE t SET v = 'new'")
    saved = p.backup()
    url = cluster.url(p.target, user="merger")
    try:
        pgstow.run("restore", saved, "--merge", "upsert", db=url, expect="DB_PERMISSION").error_says("public.t")
        p.change(target="GRANT SELECT ON t TO merger")
        pgstow.run("restore", saved, "--merge", "upsert", db=url, expect="DB_PERMISSION").error_says("GRANT CREATE ON DATABASE")
        p.change(target=f"GRANT CREATE ON DATABASE {p.target} TO merger")
        pgstow.run("restore", saved, "--merge", "upsert", db=url, expect="DB_PERMISSION").error_says("t")
        p.change(target="GRANT ALL ON t TO merger; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        pgstow.run("restore", saved, "--merge", "upsert", db=url, expect="DB_PERMISSION").error_says("row-level security")
        assert p.rows("SELECT * FROM t") == ["1|a"]
        p.change(target="ALTER TABLE t DISABLE ROW LEVEL SECURITY")
        pgstow.run("restore", saved, "--merge", "upsert", db=url)
        assert p.rows("SELECT * FROM t") == ["1|new"] and p.leftovers() == ""
    finally:
        cluster.drop(p.target)
        cluster.sql("DROP ROLE merger")


def test_a_locked_table_says_who(cluster, pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    p.change("INSERT INTO t VALUES (2)")
    saved = p.backup()
    with cluster.session(p.target) as other:
        other.run("SET application_name = 'the blocker'; BEGIN; UPDATE t SET id = 5")
        pid = other.run("SELECT pg_backend_pid()")
        result = p.run("upsert", "--lock-wait", "1", backup=saved, expect="DB_IN_USE")
        result.says("public.t", "the blocker", pid, "--lock-wait")
        other.run("ROLLBACK")
    assert p.merge("upsert", backup=saved).counts("t") == {"inserted": 1, "unchanged": 1}


def test_writers_go_on_around_it(cluster, pair, pgstow_faults):
    """Whoever writes meanwhile waits and then sees the merged rows; nothing of it is lost."""
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g")
    p.change("UPDATE t SET v = 5; INSERT INTO t SELECT g, 5 FROM generate_series(2000, 2100) g")
    saved = p.backup()
    stop, done = threading.Event(), []

    def write(n):
        with cluster.session(p.target) as s:
            i = 10000 * n
            while not stop.is_set():
                i += 1
                s.run(f"INSERT INTO t VALUES ({i}, -1); UPDATE t SET v = v + 100 WHERE id = {1 + i % 1000}")
                done.append(i)

    threads = [threading.Thread(target=write, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        while len(done) < 20:
            time.sleep(0.01)
        p.merge("upsert", backup=saved)
        after = len(done)
        while len(done) < after + 20:
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert p.rows("SELECT count(*) FROM t WHERE v = -1") == [str(len(done))]
    assert p.rows("SELECT count(*) FROM t WHERE id <= 2100 AND v % 100 <> 5") == ["0"]


def test_one_merge_at_a_time(cluster, pair, pgstow_faults):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    p.change("INSERT INTO t VALUES (2)")
    saved = p.backup()
    with pgstow_faults.start("restore", saved, "--merge", "upsert", db=p.target, env={"PGSTOW_FAULT": "merge.staged:stop"}) as first:
        assert first.wait_stopped()
        result = p.run("upsert", "--lock-wait", "1", backup=saved, expect="DB_IN_USE")
        result.says("another merge is running")
        first.resume()
        assert first.wait().status == 0
    assert p.leftovers() == "" and p.rows("SELECT count(*) FROM t") == ["2"]


# ------------------------------------------------------------------------ failing

EVENTFUL = SWAP + """; CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
    CREATE TABLE always (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v int); INSERT INTO always (id, v) SELECT g, g FROM generate_series(1, 9) g"""


def eventful(p):
    """Something of everything that is switched off and on, or done along."""
    p.change("""BEGIN; ALTER TABLE t DROP CONSTRAINT t_u_key CASCADE; UPDATE t SET u = CASE id WHEN 1 THEN 'u2' WHEN 2 THEN 'u1' ELSE u END;
        ALTER TABLE t ADD UNIQUE (u); ALTER TABLE byvalue ADD CONSTRAINT byvalue_u_fkey FOREIGN KEY (u) REFERENCES t (u) ON UPDATE CASCADE; COMMIT;
        DELETE FROM byvalue WHERE id = 9; DELETE FROM child WHERE id = 9; DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (20, 'u20', 'w20');
        UPDATE always SET v = -v WHERE id < 4""")
    return p.backup()


@pytest.mark.parametrize("point", ["merge.stage.table", "merge.deleted", "merge.checked"])
def test_killed(cluster, pair, pgstow_faults, point):
    p = pair(EVENTFUL)
    saved = eventful(p)
    before = compare.row_hashes(cluster, p.target)
    with pgstow_faults.start("restore", saved, "--merge", "mirror", db=p.target, env={"PGSTOW_FAULT": f"{point}:kill"}) as run:
        assert run.wait().status == -9
    p.change(target="".join(f"DROP SCHEMA {left} CASCADE;" for left in p.leftovers().split()))
    assert compare.row_hashes(cluster, p.target) == before
    p.merge("mirror", backup=saved)
    p.assert_same()


@pytest.mark.slow
def test_killed_or_failing_anywhere(cluster, pair, pgstow_faults):
    """At every point: the target is as it was, or as the backup; the next merge leaves nothing over."""
    p = pair(EVENTFUL)
    saved = eventful(p)
    points = pgstow_faults.folder / "points"
    args = ("restore", saved, "--merge", "mirror")
    pgstow_faults.run(*args, "--dry-run", db=p.target, env={"PGSTOW_FAULT_LIST": points})
    names = [n for n in dict.fromkeys(points.read_text().split()) if n.startswith("merge.")] + ["merge.committed"]
    assert len(names) >= 8, names
    before = compare.snapshot(cluster, p.target)
    for name in names:
        for action in ("kill", "error"):
            with pgstow_faults.start(*args, db=p.target, env={"PGSTOW_FAULT": f"{name}:{action}"}) as run:
                result = run.wait()
            assert result.status == -9 if action == "kill" else result.status > 0, (name, action, str(result))
            if name == "merge.committed":
                break
            assert action == "kill" or p.leftovers() == "", name
            # What a killed run leaves is its own schema alone, until the next merge.
            p.change(target="".join(f"DROP SCHEMA {left} CASCADE;" for left in p.leftovers().split()) if action == "kill" else None)
            compare.assert_as_before(cluster, p.target, before)
    p.again("mirror", backup=saved)
    p.assert_same()


def test_the_next_merge_sweeps(pair, pgstow_faults):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    saved = p.backup()
    with pgstow_faults.start("restore", saved, "--merge", "upsert", db=p.target, env={"PGSTOW_FAULT": "merge.staged:kill"}) as run:
        assert run.wait().status == -9
    assert p.leftovers().startswith("pgstow_merge_")
    p.change(target="CREATE SCHEMA pgstow_mine")
    p.run("upsert", backup=saved)
    assert p.leftovers() == "pgstow_mine"


def test_stopped_by_a_signal_or_by_time(cluster, pair, pgstow_faults):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    p.change("INSERT INTO t SELECT generate_series(2, 50)")
    saved = p.backup()
    with cluster.session(p.target) as other:
        other.run("BEGIN; LOCK TABLE t IN SHARE MODE")
        with p.pgstow.start("restore", saved, "--merge", "upsert", db=p.target) as run:
            time.sleep(0.5)
            run.process.send_signal(2)
            result = run.wait()
        assert result.status != 0
        p.run("upsert", "--timeout", "1", backup=saved, expect="TIMEOUT")
        other.run("ROLLBACK")
    assert p.rows("SELECT count(*) FROM t") == ["1"] and p.leftovers() == ""


def test_flags_that_do_not_go_together(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY)")
    saved = p.backup()
    p.run("upsert", "--replace", backup=saved, expect="USAGE")
    p.run("upsert", "--on-conflict", "whatever", backup=saved, expect="USAGE").says("newest:COLUMN")
    p.run("upsert", "--on-conflict", "newest:", backup=saved, expect="USAGE")
    p.pgstow.run("restore", "--merge", "upsert", db=p.target, expect="USAGE")


def test_newest_needs_its_column(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    p.change("UPDATE t SET v = 'source' WHERE id = 1")
    p.refused("CONFLICT", "upsert", "--on-conflict", "newest:at").says("public.t", "no column at", "id=1")


def test_as_text(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    p.change("UPDATE t SET v = 'x' WHERE id = 1")
    saved = p.backup()
    run = lambda *args: p.pgstow.run("restore", saved, "--merge", "upsert", *args, db=p.target)
    run("--dry-run").says(r"TABLE +INSERTED +UPDATED", r"public.t +0 +1 +0 +1 +1", "id=1 differs", "nothing was changed in")
    assert run("--quiet").stdout == f"merged {saved} into {p.target} (upsert)\n"


# ------------------------------------------------------------------------ encodings


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_other_encodings(cluster, pgstow, database, encoding):
    """From a database in another encoding into one in UTF-8: names and values."""
    name, target = cluster.fresh_name(), database()
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    database.later(name)
    made = 'CREATE TABLE "Größe" ("Schlüssel" text PRIMARY KEY, "Maß" text);'
    cluster.sql(made + "INSERT INTO \"Größe\" VALUES ('ä', 'weiß'), ('b', 'é')", name)
    cluster.sql(made + "INSERT INTO \"Größe\" VALUES ('ä', 'rot'), ('c', 'ü')", target)
    pgstow.restore(pgstow.backup(name), target, "--merge", "mirror")
    assert cluster.sql('SELECT * FROM "Größe" ORDER BY 1', target) == "b|é\nä|weiß"
