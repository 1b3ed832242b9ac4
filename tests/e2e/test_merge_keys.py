"""restore --merge: by which key rows are matched, and unique values that are in the way."""

from harness.merging import SWAP


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
