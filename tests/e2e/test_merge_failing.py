"""restore --merge that fails, is stopped or killed: nothing changed, and the next one works."""

import pytest

from harness import compare
from harness.cluster import wait_until
from harness.merging import SWAP


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
            wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", "the merge does not wait")
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
