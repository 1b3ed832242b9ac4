"""The network fails between the program and the server: cut, reset, or silent. Always a clear error in bounded
time, nothing half, the old database as it was; and the next run works."""

import shutil
import time

import pytest

from harness import compare
from harness.cluster import SLOWER
from harness.errors import kind_of, status_of
from harness.program import assert_nothing_visible
from harness.proxy import CUT, PASS, RESET, STALL, Proxy

CHANGE = "DELETE FROM item WHERE id % 3 = 0; UPDATE customer SET name = 'changed' WHERE id < 100"
# When it fails: parts of what comes from the server in a run that goes well.
HOW = [
    pytest.param(CUT, (0.02, 0.7), id="cut"),
    pytest.param(RESET, (0.3, 0.97), id="reset"),
    pytest.param(CUT, tuple(n / 24 for n in range(24)), id="cut-anywhere", marks=pytest.mark.slow),
    pytest.param(RESET, tuple(n / 24 for n in range(24)), id="reset-anywhere", marks=pytest.mark.slow),
]
LEFTOVERS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgstow%'"
# How a lost connection shows: at ours, at pg_dump's, or at once after it.
LOST = ("CONNECT", "TOOL_FAILED", "DB_CHANGED")


@pytest.fixture
def proxy(cluster):
    with Proxy(cluster) as proxy:
        yield proxy


def wait_until_quiet(cluster):
    """The server has seen that its clients are gone."""
    ask = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'pgstow'"
    deadline = time.monotonic() + 30 * SLOWER
    while cluster.sql(ask) != "0":
        assert time.monotonic() < deadline, "connections stay open"
        time.sleep(0.02)


def volume(proxy, run):
    """How much comes from the server in a good run."""
    proxy.heal()
    run()
    assert proxy.bytes > 1000
    return proxy.bytes


def failed_clearly(result):
    assert result.status in [status_of(k) for k in LOST], f"{kind_of(result.status)}: {result}"
    assert "\n\n" not in result.stderr and result.stderr.strip(), str(result)


@pytest.mark.parametrize("how, parts", HOW)
def test_a_backup(cluster, pgstow, proxy, shop, how, parts):
    size = volume(proxy, lambda: pgstow.run("backup", "--repo", pgstow.folder / "other", db=proxy.url(shop), repo=False))
    for part in parts:
        while True:
            proxy.heal()
            proxy.fail(how, size * part)
            result = pgstow.run("backup", db=proxy.url(shop), expect=None, timeout=60)
            if proxy.failed.is_set():
                break
            # So much did not come this time: pg_dump goes on with the rows until it is ended, which nobody needs.
            result.expect("OK")
            size = proxy.bytes
            shutil.rmtree(pgstow.repo)
        failed_clearly(result)
        assert_nothing_visible(pgstow)
        wait_until_quiet(cluster)
    proxy.heal()
    backup = pgstow.backup(proxy.url(shop))
    pgstow.run("verify", backup, "--level", "rebuild")
    assert pgstow.ids() == [backup]


def restored(cluster, pgstow, proxy, database, shop, how, parts, args):
    """A database that changed since its backup, and restores of it through a failing network."""
    backup = pgstow.backup(shop)
    then = compare.row_hashes(cluster, shop)
    copy = database(template=shop)
    size = volume(proxy, lambda: pgstow.run("restore", backup, *args, db=proxy.url(copy)))
    cluster.sql(CHANGE, shop)
    before = compare.snapshot(cluster, shop)
    databases = cluster.databases()
    # A merge whose connection is lost leaves its own schema to be swept by the next one.
    merges = "--merge" in args
    for part in parts:
        proxy.heal()
        proxy.fail(how, size * part)
        result = pgstow.run("restore", backup, *args, db=proxy.url(shop), expect=None, timeout=60)
        wait_until_quiet(cluster)
        for left in cluster.sql(LEFTOVERS, shop).split() if merges else []:
            cluster.sql(f"DROP SCHEMA {left} CASCADE", shop)
        if compare.row_hashes(cluster, shop) == then:
            assert part > 0.5, f"restored although the network failed after {part}: {result}"
            return
        failed_clearly(result)
        compare.assert_as_before(cluster, shop, before)
    proxy.heal()
    pgstow.run("restore", backup, *args, db=proxy.url(shop))
    assert compare.row_hashes(cluster, shop) == then
    assert cluster.databases() == databases
    assert cluster.sql(LEFTOVERS, shop) == ""


@pytest.mark.parametrize("how, parts", HOW)
def test_a_replace(cluster, pgstow, proxy, database, shop, how, parts):
    restored(cluster, pgstow, proxy, database, shop, how, parts, ["--replace", "--yes"])


@pytest.mark.parametrize("how, parts", HOW)
def test_a_merge(cluster, pgstow, proxy, database, shop, how, parts):
    cluster.sql("DROP TABLE empty_one", shop)
    restored(cluster, pgstow, proxy, database, shop, how, parts, ["--merge", "mirror"])


# ---------------------------------------------------------------- silence

SHORT = {"PGSTOW_SILENCE": "300ms", "PGCONNECT_TIMEOUT": "2"}


@pytest.mark.parametrize("part", [pytest.param(0.02, marks=pytest.mark.slow), 0.6])
def test_silence_during_a_backup(cluster, pgstow, proxy, shop, part):
    """Nothing passes any more, and nobody says so: neither is an answer waited for for ever."""
    size = volume(proxy, lambda: pgstow.run("backup", "--repo", pgstow.folder / "other", db=proxy.url(shop), repo=False))
    proxy.heal()
    proxy.fail(STALL, size * part)
    result = pgstow.run("backup", db=proxy.url(shop), env=SHORT, expect="CONNECT", timeout=60)
    result.error_says(shop, "silent|lost", "PGSTOW_SILENCE")
    assert_nothing_visible(pgstow)
    proxy.heal()
    wait_until_quiet(cluster)
    pgstow.backup(proxy.url(shop))


@pytest.mark.parametrize("args", [["--replace", "--yes"], pytest.param(["--merge", "mirror"], marks=pytest.mark.slow)],
                         ids=["replace", "merge"])
def test_silence_during_a_restore(cluster, pgstow, proxy, database, shop, args):
    if "--merge" in args:
        cluster.sql("DROP TABLE empty_one", shop)
    backup = pgstow.backup(shop)
    copy = database(template=shop)
    cluster.sql(CHANGE, shop)
    cluster.sql(CHANGE, copy)
    size = volume(proxy, lambda: pgstow.run("restore", backup, *args, db=proxy.url(copy)))
    before, databases = compare.row_hashes(cluster, shop), cluster.databases()
    proxy.heal()
    proxy.fail(STALL, size / 2)
    result = pgstow.run("restore", backup, *args, db=proxy.url(shop), env=SHORT, expect="CONNECT", timeout=60)
    result.error_says("silent|lost|no answer within")
    assert proxy.failed.is_set()
    proxy.heal()
    wait_until_quiet(cluster)
    assert compare.row_hashes(cluster, shop) == before
    pgstow.run("restore", backup, *args, db=proxy.url(shop))
    assert cluster.databases() == databases and cluster.sql(LEFTOVERS, shop) == ""


def test_silence_of_the_old_connections_only(cluster, pgstow, proxy, shop):
    """The server answers others, so that alone says nothing: its sessions wait for us, as we for them."""
    cluster.sql("INSERT INTO item SELECT g, 1, 0, repeat(md5(g::text), 20) FROM generate_series(10000, 30000) g", shop)
    proxy.fail(STALL, 5000000, later=PASS)
    result = pgstow.run("backup", db=proxy.url(shop), env=SHORT, expect="CONNECT", timeout=60)
    assert proxy.failed.is_set()
    result.error_says(shop, "nothing passes on it", "waits as well")
    assert_nothing_visible(pgstow)


def test_a_server_at_work_may_be_silent(cluster, pgstow, database):
    """Long after the limit: an index whose expression takes its time."""
    name = database(sql="""CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 5) g;
        CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
        CREATE INDEX ON t (slow(a));
        CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(0.5); RETURN $1; END $$""")
    backup = pgstow.backup(name)
    database.later(f"{name}_back")
    log = cluster.log.stat().st_size
    cluster.sql("ALTER SYSTEM SET log_connections = on; SELECT pg_reload_conf()")
    try:
        # Five seconds for the index and its statistics, and a look after every 0.4, which is answered within that too.
        pgstow.run("restore", backup, "--to-db", f"{name}_back", db=name, env={"PGSTOW_SILENCE": "400ms"})
    finally:
        cluster.sql("ALTER SYSTEM RESET log_connections; SELECT pg_reload_conf()")
    looks = cluster.log.read_bytes()[log:].count(f"connection authorized: user=postgres database={name}_back".encode())
    assert looks >= 5, "nobody looked"
    compare.assert_same(cluster, name, f"{name}_back")
