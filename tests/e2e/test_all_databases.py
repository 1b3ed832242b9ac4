"""backup --all-databases: every database, whatever becomes of one of them."""

import pytest

from harness.cluster import Cluster
from harness.program import Pgstow

MINE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50)"


@pytest.fixture(scope="module")
def server():
    """Databases: postgres, shop_a, shop_b, "Odd one", and two that are never backed up."""
    server = Cluster()
    for name in ("shop_a", "shop_b", 'Odd "one" ü'):
        server.create(name, sql=MINE)
    server.create("closed")
    server.sql("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    server.create("pattern")
    server.sql("ALTER DATABASE pattern IS_TEMPLATE true")
    yield server
    server.destroy()


@pytest.fixture
def all_of(server, folder):
    return Pgstow(server, folder)


def databases(program):
    return sorted(b["database"] for b in program.list())


def test_all(server, all_of):
    result = all_of.run("backup", "--all-databases", "--globals", db="shop_a")
    assert databases(all_of) == ['Odd "one" ü', "postgres", "shop_a", "shop_b"]
    assert len(result.stdout.splitlines()) == 4
    for line, name in zip(result.stdout.splitlines(), ['Odd "one" ü', "postgres", "shop_a", "shop_b"]):
        assert line.startswith(f"{name}: ") and line.split()[-1] in all_of.ids(), result
    # Each is whole by itself, the roles among it.
    assert all(b["globals"] for b in all_of.list())
    all_of.run("verify", "--level", "rebuild")


def test_scratch_databases_are_nobodys(server, all_of):
    """Those of an import or a filtered export that goes on meanwhile, or was killed."""
    server.create("shop_pgstow_0123abcd")
    server.sql("COMMENT ON DATABASE shop_pgstow_0123abcd IS 'pgstow scratch held from postgres since now'")
    server.sql("COMMENT ON DATABASE shop_b IS 'not a pgstow scratch held from here'")
    try:
        all_of.run("backup", "--all-databases", db="shop_a")
    finally:
        server.drop("shop_pgstow_0123abcd")
    assert databases(all_of) == ['Odd "one" ü', "postgres", "shop_a", "shop_b"]


def test_new_ones_are_picked_up(server, all_of):
    first = all_of.run("backup", "--all-databases", "--quiet", db="postgres").stdout.split()
    assert sorted(first) == sorted(all_of.ids())
    server.create("shop_new", sql=MINE)
    try:
        second = all_of.run("backup", "--all-databases", "--quiet", db="postgres").stdout.split()
    finally:
        server.drop("shop_new")
    assert len(first) == 4 and len(second) == 5
    assert databases(all_of).count("shop_new") == 1 and databases(all_of).count("shop_a") == 2
    # The second of each has the first as its parent, and writes hardly anything.
    again = [b for b in all_of.list() if b["database"] == "shop_a"][1]
    assert again["parent"] in first and again["newBytes"] < 3000


def test_patterns(server, all_of):
    all_of.run("backup", "--all-databases", "--include-database", "shop_*", "--include-database", '"Odd*"',
               "--include-database", '"Odd ""one"" ü"', "--exclude-database", "*_b", db="postgres",
               expect="PARTIAL").error_says('"Odd\\*" matches no database')  # fmt: skip
    assert databases(all_of) == ['Odd "one" ü', "shop_a"]
    all_of.run("backup", "--all-databases", "--exclude-database", "*", db="postgres", expect="DB_NOT_FOUND")
    all_of.run("backup", "--include-database", "shop_*", db="postgres", expect="USAGE").error_says("--all-databases")
    all_of.run("backup", "--all-databases", "--include-database", "pattern", db="postgres", expect="PARTIAL")
    all_of.run("backup", "--all-databases", "--where", "t: id > 1", db="postgres", expect="USAGE").error_says("--where")
    assert len(all_of.ids()) == 2


@pytest.mark.parametrize("json", [False, True])
def test_one_fails_and_the_rest_go_on(server, all_of, json):
    server.sql("CREATE ROLE clerk LOGIN; GRANT pg_read_all_data TO clerk; REVOKE CONNECT ON DATABASE shop_a FROM PUBLIC")
    try:
        flags = ["--json"] if json else []
        result = all_of.run("backup", "--all-databases", *flags, db=server.url("postgres", user="clerk"), expect="PARTIAL")
    finally:
        server.sql("GRANT CONNECT ON DATABASE shop_a TO PUBLIC; DROP OWNED BY clerk; DROP ROLE clerk")
    result.error_says("1 of 4 databases could not be backed up: shop_a", "permission denied")
    assert databases(all_of) == ['Odd "one" ü', "postgres", "shop_b"]
    if json:
        doc = result.json
        assert [b["id"] for b in doc["backups"]] and sorted(b["id"] for b in doc["backups"]) == sorted(all_of.ids())
        assert [f["database"] for f in doc["failed"]] == ["shop_a"]
        assert doc["failed"][0]["error"]["kind"] in ("DB_PERMISSION", "AUTH") and doc["error"]["kind"] == "PARTIAL"
    else:
        assert [line for line in result.stdout.splitlines() if line.startswith("shop_a: failed")]
        assert len(result.stdout.splitlines()) == 4


def test_without_a_name_postgres_is_asked(server, all_of):
    env = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "nobody_of_that_name"}
    all_of.run("backup", "--all-databases", env=env, expect=None).error_says("nobody_of_that_name")
    env["PGUSER"] = "postgres"
    env.pop("PGDATABASE", None)
    all_of.run("backup", "--all-databases", "--include-database", "shop_a", env=env)
    assert databases(all_of) == ["shop_a"]


def test_stopped_between(server, folder):
    """Ctrl-C ends all of it, not only the database that is being read."""
    from harness.program import program

    faulty = Pgstow(server, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    with faulty.start("backup", "--all-databases", db="postgres", env={"PGSTOW_FAULT": "backup.opened:stop:2"}) as running:
        assert running.wait_stopped()
        running.process.terminate()
        running.resume()
        result = running.wait(60)
    assert result.expect("CANCELLED")
    assert len(faulty.ids()) == 1
