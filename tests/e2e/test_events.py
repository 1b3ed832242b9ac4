"""--events: what a run tells the program that started it; --entry: databases with settings of their own."""

import json
import os

import pytest

SQL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50); CREATE TABLE log (x int)"


@pytest.fixture
def database(cluster):
    name = cluster.create(sql=SQL)
    yield name
    cluster.drop(name)


def run_with_events(pgstow, *args, **kwargs):
    """The result, and the events."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines:
        try:
            with pgstow.start(args[0], "--events", writing, *args[1:], pass_fds=(writing,), **kwargs) as running:
                os.close(writing)
                writing = None
                told = [json.loads(line) for line in lines]
                return running.wait(), told
        finally:
            if writing is not None:
                os.close(writing)


def test_a_backup_tells_what_it_does(cluster, pgstow, database):
    result, told = run_with_events(pgstow, "backup", "--json", db=database)
    result.expect("OK")
    assert [told[0]["event"], told[-1]["event"]] == ["start", "end"]
    assert told[0]["command"] == "backup" and told[0]["pid"] > 1 and told[0]["version"]
    assert told[-1]["exitStatus"] == 0 and told[-1]["result"] == result.json and "error" not in told[-1]
    phases = [t["phase"] for t in told if t["event"] == "phase"]
    assert "copying" in phases and len(phases) > 2
    assert [t["at"] for t in told] == sorted(t["at"] for t in told)


def test_a_failure_is_the_last_event(cluster, pgstow, database):
    result, told = run_with_events(pgstow, "restore", "no-such-backup", db=database)
    assert told[-1]["event"] == "end" and told[-1]["exitStatus"] == result.status != 0
    assert told[-1]["error"]["kind"] == "REPO_NOT_FOUND" and told[-1]["error"]["message"] in result.stderr


def test_a_warning_is_told(cluster, pgstow, database):
    cluster.sql("ALTER TABLE t ADD CHECK (id > 25) NOT VALID", database)
    result, told = run_with_events(pgstow, "backup", "--validate-seconds", "10", db=database)
    warnings = [t["message"] for t in told if t["event"] == "warning"]
    assert warnings and all(w in result.stderr for w in warnings)


def test_a_reader_that_goes_ends_nothing(cluster, pgstow, database):
    reading, writing = os.pipe()
    os.close(reading)
    with pgstow.start("backup", "--events", writing, pass_fds=(writing,), db=database) as running:
        os.close(writing)
        assert running.wait().expect("OK").id in pgstow.ids()


def test_a_descriptor_that_is_none(pgstow, database, folder):
    pgstow.run("backup", "--events", "77", db=database, expect="USAGE").error_says("descriptor 77", "3>file")
    pgstow.run("backup", "--events", "2", db=database, expect="USAGE").error_says("3 to 1023")
    assert not pgstow.repo.exists()


def test_children_do_not_get_the_descriptor(cluster, pgstow, database):
    """A program that pgstow starts, and that lives on, does not hold the events open."""
    told = run_with_events(pgstow, "guard", "--", "sh", "-c", "sleep 600 </dev/null >/dev/null 2>&1 & echo $! >sleeper",
                           db=database)[1]  # fmt: skip
    os.kill(int((pgstow.folder / "sleeper").read_text()), 9)
    assert told[-1]["event"] == "end" and told[-1]["exitStatus"] == 0


# ---------------------------------------------------------------- entries


def config(pgstow, text):
    (pgstow.folder / "pgstow.yaml").write_text(text)


def rows(pgstow, backup):
    return {t["name"]: t["rows"] for t in pgstow.run("show", backup, "--tables", "--json").json["tableList"]}


def test_an_entry_is_backed_up_with_its_settings(cluster, pgstow, database):
    other = cluster.create(sql=SQL)
    config(pgstow, f"""
databases:
  - name: first
    url: {cluster.url(database)}
    excludeTable: [log]
    where: ["public.t: id > 40"]
  - name: second
    url: {cluster.url(other)}
""")
    first = pgstow.backup(None, "--entry", "first", env={"DATABASE_URL": cluster.url("postgres")})
    second = pgstow.backup(None, "--entry", "second")
    assert first.startswith(database) and second.startswith(other)
    assert list(rows(pgstow, first).values()) == [10]
    assert sorted(rows(pgstow, second).values()) == [0, 50]
    pgstow.run("backup", "--entry", "frist", expect="USAGE").error_says("did you mean first")
    cluster.drop(other)


def test_filters_of_the_file_are_not_for_restores_nor_for_guard(cluster, pgstow, database):
    """What a guard's backup leaves out its restore would lose."""
    config(pgstow, 'backup: {excludeTable: [log], schema: [public], where: ["public.t: id > 40"]}\n')
    pgstow.run("guard", "--yes", "--", "sh", "-c", "exit 7", db=database, expect="GUARD_COMMAND")
    assert cluster.sql("SELECT count(*) FROM t", database) == "50"
    assert cluster.sql("SELECT to_regclass('log') IS NOT NULL", database) == "t"
    config(pgstow, "{}\n")
    whole = pgstow.backup(database)
    config(pgstow, 'backup: {excludeTable: [t], schema: [nothing]}\n')
    pgstow.run("restore", whole, "--to-db", database + "_new", db=database)
    assert cluster.sql("SELECT count(*) FROM t", database + "_new") == "50"
    cluster.drop(database + "_new")
