"""restore --merge --delta: only what differs since the last merge; the base in the target; --verify-merge; --ignore-extra-columns."""

import random

import pytest

from harness import compare

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text, w int); INSERT INTO t SELECT g, 'row ' || g, g FROM generate_series(1, 4000) g"
BASE = "SELECT backup || ' ' || mode || ' ' || kept FROM pgstow.sync_base"


def first(pair, sql=TABLE, mode="upsert"):
    """Source and target are copies, and the target knows of which backup."""
    p = pair(sql)
    saved = p.backup()
    merged = p.merge(mode, "--delta", backup=saved)
    assert merged.doc["baseKept"] and not merged.doc["delta"] and "names no backup" in merged.doc["fullFor"]
    assert p.rows(BASE) == [f"{saved} {mode} 0"]
    return p


# ------------------------------------------------------------------------ what is looked at

def test_only_what_differs_is_staged(pair):
    p = first(pair)
    p.change("UPDATE t SET v = 'new' WHERE id IN (7, 3000); INSERT INTO t VALUES (9000, 'x', 1); DELETE FROM t WHERE id = 9")
    saved = p.backup()
    merged = p.merge("upsert", "--delta", backup=saved)
    assert merged.counts("t") == {"inserted": 1, "updated": 2, "unchanged": 3997}
    assert merged.tables["public.t"]["delta"] and merged.tables["public.t"]["compared"] == 3
    assert p.rows("SELECT count(*), sum(w) FROM t WHERE v = 'new' OR id = 9 OR id = 9000") == ["4|3017"]
    assert p.rows(BASE) == [f"{saved} upsert 0"]
    again = p.again("upsert", "--delta", backup=saved)
    assert again.tables["public.t"]["delta"] and again.doc["compared"] == 0
    # The rows of a table that was written anew lie elsewhere, and are the same.
    p.change("UPDATE t SET w = w; VACUUM FULL t; UPDATE t SET v = 'last' WHERE id = 1")
    merged = p.merge("upsert", "--delta")
    assert merged.counts("t") == {"updated": 1, "unchanged": 3999} and merged.doc["compared"] == 1


def test_it_says_what_was_not_by_difference(pair):
    p = pair("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    run = lambda: p.pgstow.run("restore", p.backup(), "--merge", "upsert", "--delta", db=p.target)
    run().says("not by difference: the target names no backup", "1 rows compared")
    p.change("CREATE TABLE u (id int PRIMARY KEY)", "CREATE TABLE u (id int PRIMARY KEY)")
    run().says("public.u not by difference: the base has not its rows", "0 rows compared")


def test_the_target_is_not_read_as_a_whole(cluster, pair):
    p = first(pair)
    p.change("UPDATE t SET v = 'new' WHERE id = 7")
    p.change(target="ANALYZE t; SELECT pg_stat_reset()")
    p.merge("upsert", "--delta", "--verify-merge")
    for _ in range(50):
        reads = p.rows("SELECT pg_stat_clear_snapshot(), seq_scan, idx_scan > 0 FROM pg_stat_user_tables WHERE relname = 't'")
        if reads == ["|0|t"]:
            break
        p.rows("SELECT pg_sleep(0.1)")
    assert reads == ["|0|t"]


def test_conflicts_are_rows_that_are_not_as_in_the_base(pair):
    p = first(pair, mode="mirror")
    p.change("UPDATE t SET v = 'source' WHERE id IN (1, 2, 3); INSERT INTO t VALUES (5001, 's', 1), (5002, 's', 1); DELETE FROM t WHERE id IN (10, 11)",
             "UPDATE t SET v = 'target' WHERE id IN (2, 11, 20); DELETE FROM t WHERE id IN (3, 21); INSERT INTO t VALUES (5002, 't', 2), (7000, 't', 2)")  # fmt: skip
    saved = p.backup()
    p.refused("CONFLICT", "mirror", "--delta", "--on-conflict", "fail", backup=saved).says("id=2 changed", "id=3 deleted", "id=5002")
    kept = p.merge("mirror", "--delta", "--on-conflict", "target", "--dry-run", backup=saved)
    assert kept.counts("t") == {"inserted": 1, "updated": 1, "deleted": 1, "conflicts": 4, "kept": 4, "unchanged": 3995}
    merged = p.merge("mirror", "--delta", backup=saved)
    assert merged.counts("t") == {"inserted": 2, "updated": 3, "deleted": 2, "conflicts": 4, "unchanged": 3995}
    # Rows that only the target changed are not looked at.
    assert p.rows("SELECT id, v FROM t WHERE id IN (1, 2, 3, 10, 11, 20, 21, 5001, 5002, 7000) ORDER BY id") == \
        ["1|source", "2|source", "3|source", "20|target", "5001|s", "5002|s", "7000|t"]  # fmt: skip
    p.change("UPDATE t SET v = 'again' WHERE id = 1")
    p.merge("mirror")
    p.assert_same_rows_of("t")


# ------------------------------------------------------------------------ when it is everything

@pytest.mark.slow
def test_kept_rows_want_the_same_rules_again(pair):
    p = first(pair)
    p.change("UPDATE t SET v = 'source' WHERE id = 1", "UPDATE t SET v = 'target' WHERE id = 1")
    p.merge("upsert", "--delta", "--on-conflict", "target")
    assert p.rows("SELECT kept FROM pgstow.sync_base") == ["1"]
    p.change("UPDATE t SET v = 'source' WHERE id = 2")
    assert p.merge("upsert", "--delta", "--on-conflict", "target").doc["delta"]
    merged = p.merge("upsert", "--delta")
    assert not merged.doc["delta"] and "left rows as the target had them" in merged.doc["fullFor"]
    p.assert_same_rows_of("t")
    merged = p.merge("mirror", "--delta")
    assert "did less" in merged.doc["fullFor"]
    assert p.merge("mirror", "--delta").doc["delta"]


def test_a_target_that_was_put_back_is_noticed(cluster, pair, database):
    p = first(pair)
    earlier = database(template=p.target)
    p.change("UPDATE t SET v = 'second' WHERE id < 10")
    p.merge("upsert", "--delta")
    p.change("UPDATE t SET v = 'third' WHERE id = 100")
    p.target = earlier
    merged = p.merge("upsert", "--delta")
    assert merged.doc["delta"] and merged.counts("t")["updated"] == 10
    p.assert_same_rows_of("t")
    p.change(target="DROP SCHEMA pgstow CASCADE")
    assert "names no backup" in p.merge("upsert", "--delta").doc["fullFor"]


def test_a_base_that_is_gone_or_another(pair):
    p = first(pair)
    base = p.rows("SELECT backup FROM pgstow.sync_base")[0]
    p.change("UPDATE t SET v = 'second' WHERE id < 10")
    saved = p.backup()
    p.change(target="UPDATE pgstow.sync_base SET content = 'other'")
    assert "is not the one" in p.merge("upsert", "--delta", "--dry-run", backup=saved).doc["fullFor"]
    p.pgstow.run("delete", base, "--yes")
    merged = p.merge("upsert", "--delta", backup=saved)
    assert "is not in the repository" in merged.doc["fullFor"]
    p.assert_same_rows_of("t")
    p.run("upsert", "--delta", "--base", "none", backup=saved, expect="USAGE")
    assert p.merge("upsert", "--delta", "--base", saved, backup=saved).doc["delta"]


def test_plain_merges_keep_the_base_true(pair):
    p = first(pair)
    p.change("UPDATE t SET v = 'second' WHERE id < 10")
    second = p.backup()
    p.merge("upsert", backup=second)
    assert p.rows(BASE) == [f"{second} upsert 0"]
    # Back to what it was: no difference from the first one.
    p.change("UPDATE t SET v = 'row ' || id WHERE id < 10")
    assert p.merge("upsert", "--delta").counts("t")["updated"] == 9
    p.assert_same_rows_of("t")


def test_tables_that_need_all_of_it(pair):
    p = pair("""CREATE TABLE keyless (v int); CREATE TABLE keyless_same (v int); CREATE TABLE emptied (id int PRIMARY KEY); CREATE TABLE altered (id int PRIMARY KEY, v int);
        CREATE TABLE same (id int PRIMARY KEY, v int); CREATE TABLE part (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
        CREATE TABLE moved (id int PRIMARY KEY, v int); INSERT INTO moved VALUES (1, 1);
        INSERT INTO emptied VALUES (1), (2); INSERT INTO altered VALUES (1, 1), (2, 2); INSERT INTO same VALUES (1, 1); INSERT INTO part VALUES (1, 1), (11, 11);
        INSERT INTO keyless VALUES (1), (1), (2); INSERT INTO keyless_same VALUES (1)""")  # fmt: skip
    merge = lambda: p.merge("mirror", "--keyless", "replace", "--delta", "--verify-merge")
    merge()
    wider = """ALTER TABLE altered ALTER v TYPE bigint; CREATE TABLE later (id int PRIMARY KEY);
        CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (20) TO (30)"""
    p.change(f"TRUNCATE emptied; {wider}; UPDATE altered SET v = 9 WHERE id = 2;"
             "UPDATE part SET id = 12 WHERE id = 1; INSERT INTO part VALUES (21, 1); INSERT INTO keyless VALUES (3); UPDATE moved SET v = 2; INSERT INTO later VALUES (1)", wider)  # fmt: skip
    merged = merge()
    why = {name.split(".")[1]: t["fullFor"] for name, t in merged.tables.items()}
    expected = {"keyless": "no key", "emptied": "emptied", "altered": "columns", "part": "partition", "later": "has not its rows"}
    assert {name for name, text in why.items() if text} == set(expected)
    for name, text in expected.items():
        assert text in why[name], why
    assert {name for name, t in merged.tables.items() if t["delta"]} == {"public.same", "public.moved", "public.keyless_same"}
    for name in why:
        p.assert_same_rows_of(name)
    assert all(t["delta"] for t in merge().tables.values())


def test_rows_outside_of_it_stand_against_it(pair):
    """Then everything is merged."""
    p = first(pair, """CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); INSERT INTO t SELECT g, g FROM generate_series(1, 9) g;
        CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t); INSERT INTO c SELECT g, g FROM generate_series(1, 5) g""")  # fmt: skip
    p.change("UPDATE t SET u = 100 WHERE id = 1", "UPDATE t SET u = 100 WHERE id = 2")
    merged = p.merge("upsert", "--delta", "--verify-merge")
    assert not merged.doc["delta"] and "unique values" in merged.doc["fullFor"] and merged.counts("t")["updated"] == 2
    p.assert_same_rows_of("t")
    p.change("UPDATE c SET t = 9 WHERE id = 1", "DELETE FROM t WHERE id = 9")
    merged = p.merge("upsert", "--delta")
    assert not merged.doc["delta"] and "c_t_fkey" in merged.doc["fullFor"] and merged.counts("t") == {"inserted": 1, "unchanged": 8, "conflicts": 1}
    p.assert_same_rows_of("t")
    assert p.merge("upsert", "--delta").doc["delta"]


@pytest.mark.slow
def test_a_cascade_takes_no_row_of_the_backup(pair):
    p = first(pair, """CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9);
        CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE); INSERT INTO c SELECT g, g FROM generate_series(1, 5) g""",
              "mirror")  # fmt: skip
    p.change("DELETE FROM t WHERE id = 9", "UPDATE c SET t = 9 WHERE id = 1; INSERT INTO c VALUES (77, 9)")
    merged = p.merge("mirror", "--delta")
    assert "go along by a foreign key" in merged.doc["fullFor"]
    assert p.rows("SELECT * FROM c WHERE id IN (1, 77)") == ["1|1"]


# ------------------------------------------------------------------------ the base in the target

def test_the_base_is_part_of_the_transaction(pair, pgstow_faults):
    p = first(pair)
    before = p.rows(BASE)
    p.change("UPDATE t SET v = 'new' WHERE id = 7")
    saved = p.backup()
    p.merge("upsert", "--delta", "--dry-run", backup=saved)
    assert p.rows(BASE) == before
    for point in ("merge.based:error", "merge.based:kill", "merge.committed:kill"):
        with pgstow_faults.start("restore", saved, "--merge", "upsert", "--delta", db=p.target, env={"PGSTOW_FAULT": point}) as run:
            assert run.wait().status != 0
        done = point == "merge.committed:kill"
        assert p.rows("SELECT v FROM t WHERE id = 7") == ["new" if done else "row 7"]
        assert (p.rows(BASE) == [f"{saved} upsert 0"]) == done
    p.again("upsert", "--delta", backup=saved)


def test_a_base_is_no_data(pair, database, cluster):
    """A target that is a source in turn: its own base stays out of what others merge."""
    p = first(pair)
    third = database(sql="CREATE TABLE t (id int PRIMARY KEY, v text, w int)")
    chained = p.pgstow.backup(p.target, "--quiet")
    p.target, p.source = third, p.target
    merged = p.merge("mirror", "--delta", backup=chained)
    assert list(merged.tables) == ["public.t"]
    assert p.rows("SELECT source, backup FROM pgstow.sync_base") == [f"{p.source}|{chained}"]
    restored = database()
    p.pgstow.run("restore", chained, "--to-db", restored, db=p.source)
    assert cluster.sql("SELECT source FROM pgstow.sync_base", restored) != ""


@pytest.mark.slow
def test_a_user_who_may_not(cluster, pair):
    p = first(pair)
    p.change("UPDATE t SET v = 'new' WHERE id = 7", f"""CREATE ROLE merger LOGIN; GRANT CREATE ON DATABASE "{p.target}" TO merger;
        GRANT SELECT, INSERT, UPDATE, DELETE ON t TO merger""")  # fmt: skip
    try:
        saved = p.backup()
        p.refused("DB_PERMISSION", "upsert", "--delta", "--role", "merger", backup=saved).says("GRANT USAGE ON SCHEMA pgstow")
        merged = p.merge("upsert", "--role", "merger", backup=saved)
        assert any("still names" in text for text in merged.doc["warnings"])
        p.change(target="GRANT USAGE ON SCHEMA pgstow TO merger; GRANT SELECT, INSERT, DELETE ON pgstow.sync_base TO merger")
        assert p.merge("upsert", "--delta", "--role", "merger", backup=saved).doc["baseKept"]
    finally:
        p.change(target="DROP OWNED BY merger; DROP ROLE merger")


# ------------------------------------------------------------------------ verification

ALTERING = """CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id % 2 = 0 THEN new.v = 'other'; END IF; RETURN new; END $$;
    CREATE TRIGGER tr BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION alter_it()"""


@pytest.mark.parametrize("delta", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_rows_that_a_trigger_altered(pair, delta):
    p = first(pair)
    p.change("UPDATE t SET v = 'new' WHERE id < 5; INSERT INTO t VALUES (9001, 'x', 1)", ALTERING)
    saved, flags = p.backup(), ["--verify-merge"] + ["--delta"] * delta
    p.refused("MISMATCH", "upsert", "--triggers", *flags, backup=saved).says("public.t: 2 of ", "id=2", "--triggers")
    merged = p.merge("upsert", *flags, backup=saved)
    assert merged.tables["public.t"]["verified"] == 5
    p.assert_same_rows_of("t")


@pytest.mark.slow
def test_rows_that_a_trigger_does_not_let_go(pair):
    p = first(pair, mode="mirror")
    p.change("DELETE FROM t WHERE id IN (3, 4)", """CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER tr BEFORE DELETE ON t FOR EACH ROW WHEN (old.id = 3) EXECUTE FUNCTION stay()""")  # fmt: skip
    p.refused("MISMATCH", "mirror", "--delta", "--verify-merge", "--triggers").says("1 of 2 rows that were deleted")


def test_rows_of_other_tables_that_a_trigger_altered(pair):
    p = first(pair, TABLE + "; CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 1)")
    p.change("UPDATE a SET v = 2", """CREATE FUNCTION at_t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.t SET w = -1 WHERE id = 6; RETURN new; END $$;
        CREATE TRIGGER tr AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION at_t()""")  # fmt: skip
    p.refused("MISMATCH", "upsert", "--verify-merge", "--triggers").says("public.t: 1 of 4000", "id=6")


def test_loaded_tables_are_verified(pair):
    """Counts and sums of rows; where a type is another one, counts alone."""
    sql = """CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz, f float8, n numeric, j json, b bytea); CREATE TABLE wider (id int PRIMARY KEY, v char(3));
        CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20)"""
    p = pair(f"""{sql}; INSERT INTO t SELECT g, E'a\\tb\\\\' || g, now() + g * interval '1 s', g / 3.0, g / 7.0, '{{"a":  1}}', '\\x00ff' FROM generate_series(1, 500) g;
        INSERT INTO wider VALUES (1, 'a'); INSERT INTO part VALUES (1), (11)""", sql.replace("char(3)", "char(9)"))  # fmt: skip
    p.change(target=f"ALTER DATABASE \"{p.target}\" SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE \"{p.target}\" SET DateStyle = 'German'")
    saved = p.backup()
    altering = """CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.n = new.n + 1; RETURN new; END $$;
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW WHEN (new.id = 7) EXECUTE FUNCTION alter_it()"""
    p.change(target=altering)
    p.refused("MISMATCH", "upsert", "--verify-merge", "--triggers", backup=saved).says("public.t: 500 rows were loaded")
    merged = p.merge("upsert", "--verify-merge", backup=saved)
    assert merged.doc["verified"] == 503
    p.change(target=f"ALTER DATABASE \"{p.target}\" RESET ALL")
    p.assert_same_rows_of("t", "part")


@pytest.mark.slow
def test_keyless_rows_are_verified(pair):
    p = pair("CREATE TABLE t (id int, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 9) g")
    p.change("UPDATE t SET v = 'new' WHERE id < 5", ALTERING)
    saved = p.backup()
    p.refused("MISMATCH", "upsert", "--keyless", "replace", "--verify-merge", "--triggers", backup=saved).says("only in the backup")
    assert p.merge("upsert", "--keyless", "replace", "--verify-merge", backup=saved).doc["verified"] == 9


# ------------------------------------------------------------------------ extra columns

def test_columns_that_the_target_has_not(pair):
    p = pair(TABLE)
    p.change("ALTER TABLE t ADD extra text DEFAULT 'x'; UPDATE t SET v = 'new' WHERE id = 5", "ALTER TABLE t ADD own text DEFAULT 'own'")
    saved = p.backup()
    p.refused("PREFLIGHT", "upsert", "--delta", backup=saved).says("public.t has no column extra")
    merged = p.merge("upsert", "--ignore-extra-columns", "--delta", "--verify-merge", backup=saved)
    assert merged.counts("t") == {"updated": 1, "unchanged": 3999, "conflicts": 1}
    assert any("no column extra: it was left out" in text for text in merged.doc["warnings"])
    # What differs in such a column alone is no difference.
    p.change("UPDATE t SET extra = 'y' WHERE id < 50; UPDATE t SET v = 'newer' WHERE id = 6; INSERT INTO t VALUES (9000, 'x', 1, 'z')")
    merged = p.merge("upsert", "--ignore-extra-columns", "--delta", "--verify-merge")
    assert merged.doc["delta"] and merged.counts("t") == {"updated": 1, "inserted": 1, "unchanged": 3999}
    assert p.rows("SELECT id, v, w, own FROM t WHERE id IN (6, 9000) ORDER BY 1") == ["6|newer|6|own", "9000|x|1|own"]
    p.change(target="TRUNCATE t")
    p.merge("upsert", "--ignore-extra-columns", "--base", "none")
    assert p.rows("SELECT count(*), count(own) FROM t") == ["4001|4001"]


def test_a_column_of_the_key_is_not_left_out(pair):
    p = pair("CREATE TABLE t (id int, part int, v text, PRIMARY KEY (id, part)); INSERT INTO t VALUES (1, 1, 'a'), (1, 2, 'b')",
             "CREATE TABLE t (id int PRIMARY KEY, v text)")  # fmt: skip
    p.refused("PREFLIGHT", "upsert", "--ignore-extra-columns").says("public.t has no column part")


# ------------------------------------------------------------------------ against the full merge

def changes(rng, side, count):
    """Statements that change a table (id, v, u, w) and its child, at random."""
    sql = []
    for _ in range(count):
        i, j = rng.randrange(1, 400), rng.randrange(1000, 1040)
        sql.append(rng.choice((
            f"UPDATE t SET v = '{side}{rng.randrange(4)}' WHERE id = {i}",
            f"UPDATE t SET w = w + 1 WHERE id BETWEEN {i} AND {i + 9}",
            f"UPDATE t SET v = v WHERE id BETWEEN {i} AND {i + 50}",
            f"DELETE FROM c WHERE t = {i}; DELETE FROM t WHERE id = {i}",
            f"DELETE FROM c WHERE id = {i}",
            f"INSERT INTO t SELECT {j}, '{side}', {j}, {j} WHERE NOT EXISTS (SELECT FROM t WHERE id = {j})",
            f"INSERT INTO c SELECT {j}, id, '{side}', {j} FROM t WHERE id >= {i} AND NOT EXISTS (SELECT FROM c WHERE id = {j}) LIMIT 1",
            f"UPDATE c SET v = '{side}{rng.randrange(4)}', w = w + {rng.randrange(9)} WHERE id = {i}",
            f"UPDATE p SET k = (k + 150) % 400, v = '{side}' WHERE id = {i}",
            "VACUUM FULL t",
        )))  # fmt: skip
    return ";\n".join(sql)


RANDOM = """CREATE TABLE t (id int PRIMARY KEY, v text, u int UNIQUE DEFERRABLE, w int);
    CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t, v text, w int);
    CREATE TABLE p (id int, k int, v text, w int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
    CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (200); CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (200) TO (600);
    INSERT INTO t SELECT g, 'row ' || g, g, g FROM generate_series(1, 400) g;
    INSERT INTO c SELECT g, g, 'c', g FROM generate_series(1, 400) g;
    INSERT INTO p SELECT g, g % 400, 'p', g FROM generate_series(1, 400) g"""
ROWS = "SELECT 't', to_json(x) ->> 'id', x::text FROM t x UNION ALL SELECT 'c', id::text, x::text FROM c x UNION ALL SELECT 'p', id || '/' || k, x::text FROM p x"


def rows_of(cluster, database):
    lines = (line.split("|", 2) for line in cluster.sql(ROWS, database).splitlines())
    return {(table, key): row for table, key, row in lines}


def one(cluster, pgstow, seed):
    """The same merge, by the difference and in full: of rows in the difference both make the same, the
    others stay as the target has them."""
    rng = random.Random(seed)
    mode, policy = rng.choice(("upsert", "mirror", "insert")), rng.choice(("source", "target", "newest:w"))
    source = cluster.create(sql=RANDOM)
    pgstow.backup(source, "--quiet")
    base = rows_of(cluster, source)
    whole = cluster.create(template=source)
    restore = lambda target, *args: pgstow.run("restore", f"latest:{source}", "--merge", mode, "--on-conflict", policy, "--json", *args, db=target)
    restore(whole, "--delta")
    if rng.random() < 0.6:
        cluster.sql(changes(rng, "target", 12).replace("VACUUM FULL t", "SELECT 1"), whole)
    part = cluster.create(template=whole)
    before = rows_of(cluster, part)
    for statement in changes(rng, "source", 25).split(";\n"):
        cluster.sql(statement, source)
    pgstow.backup(source, "--quiet")
    new = rows_of(cluster, source)
    restore(whole)
    done = restore(part, "--delta", "--verify-merge").json
    full, delta = rows_of(cluster, whole), rows_of(cluster, part)
    if not done["delta"]:
        assert full == delta, f"seed {seed}: {done['fullFor']}"
    for key in set(full) | set(delta) | set(before):
        changed = base.get(key) != new.get(key)
        expected = full if changed or not done["delta"] else before
        assert delta.get(key) == expected.get(key), f"seed {seed}, {mode}, {policy}: {key}: {delta.get(key)} instead of {expected.get(key)}"
    again = restore(part, "--delta").json
    assert not any(again[name] for name in ("inserted", "updated", "deleted")), again
    cluster.drop(source, whole, part)


@pytest.mark.parametrize("seed", [1])
def test_random_changes(cluster, pgstow, seed):
    one(cluster, pgstow, seed)


@pytest.mark.slow
def test_many_random_changes(cluster, pgstow):
    for seed in range(2000, 2100):
        one(cluster, pgstow, seed)
