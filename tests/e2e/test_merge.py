"""restore --merge: rows into tables that exist. What becomes of each row: each cell of docs/merge.md."""

import threading
import time

import pytest

from harness.merging import COUNTS


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


@pytest.mark.parametrize("how", [("--merge", "upsert"), ("--data-only",)])
def test_bytes_that_are_no_text_stay_outside(cluster, pgstow, database, how):
    """COPY lets them in under the name SQL_ASCII, into a database in UTF-8."""
    name, target = cluster.fresh_name(), database("CREATE TABLE t (id int PRIMARY KEY, v text)")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    database.later(name)
    cluster.sql(r"CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, E'\xe9')", name)
    pgstow.restore(pgstow.backup(name), target, *how, expect="DB").error_says("invalid byte sequence")
    assert cluster.sql("SELECT count(*) FROM t", target) == "0"
