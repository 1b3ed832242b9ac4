"""The tests' own tools, proven without pgstow: a comparison that sees nothing proves nothing."""

import re
import socket
import subprocess
import threading

import pytest

from harness import compare, proxy
from harness.cluster import E2E
from harness.errors import statuses


@pytest.fixture(scope="module")
def fidelity(cluster):
    name = cluster.create("fidelity_stock")
    cluster.load(E2E / "fidelity.sql", name)
    yield name
    # Its subscription keeps it from being dropped as others are.
    cluster.sql("ALTER SUBSCRIPTION fid_subscription DISABLE; DROP SUBSCRIPTION fid_subscription", name)
    cluster.drop(name)


@pytest.fixture(scope="module")
def archive(cluster, fidelity, module_folder):
    path = module_folder / "stock.dump"
    cluster.tool("pg_dump", "-Fc", "-Z0", "-f", path, database=fidelity)
    return path


def test_fidelity_has_forty_kinds(cluster, archive):
    """At least 40 kinds of objects by pg_dump's own words."""
    listing = cluster.tool("pg_restore", "-l", archive).stdout.decode()
    kinds = set(re.findall(r"^\d+; \d+ \d+ ((?:[A-Z]+ )*[A-Z]+) ", listing, re.MULTILINE))
    assert len(kinds) >= 40, sorted(kinds)
    assert {"BLOBS", "SUBSCRIPTION", "TRANSFORM", "SHELL TYPE", "SEQUENCE SET"} <= kinds
    with open(archive, "rb") as f:
        assert b"-- load via partition root" in f.read()


def test_stock_tools_pass_the_comparison(cluster, fidelity, archive):
    copy = cluster.create("fidelity_stock_copy")
    cluster.tool("pg_restore", "-e", "-d", copy, archive)
    compare.assert_same(cluster, fidelity, copy)


CHANGES = {
    "a value": "UPDATE app.worn SET t = t || ' ' WHERE id = 1",
    "a row twice": "INSERT INTO app.all_dropped DEFAULT VALUES",
    "a zero-column row": "INSERT INTO app.zero_columns DEFAULT VALUES",
    "a NULL for an empty text": "UPDATE app.texts SET t = NULL WHERE what = 'empty'",
    "a comment": "COMMENT ON SCHEMA app IS 'x'",
    "a grant": "REVOKE SELECT ON app.tree FROM fid_reader",
    "a sequence": "SELECT setval('app.seq_set', 5)",
    "a large object": "SELECT lo_put(50001, 0, 'x')",
    "an owner": "ALTER TABLE app.tree OWNER TO fid_owner",
    "a partition's row": "UPDATE app.by_enum SET t = 'x' WHERE n = 1 AND m::text = 'sad'",
}


def test_the_comparison_sees_changes(cluster, fidelity, archive):
    copy = cluster.create("fidelity_stock_changed")
    cluster.tool("pg_restore", "-e", "-d", copy, archive)
    last = compare.dump_lines(cluster, copy)
    for what, sql in CHANGES.items():
        cluster.sql(sql, copy)
        now = compare.dump_lines(cluster, copy)
        assert compare.differences(last, now), f"{what} was not seen"
        last = now
    with pytest.raises(AssertionError, match="app.worn"):
        compare.assert_same_rows(cluster, fidelity, copy)


def test_the_row_hash_sees_a_swapped_value(cluster, fidelity):
    """Two rows that exchange a value: the same texts, but not the same rows."""
    before = compare.row_hashes(cluster, fidelity)
    swap = ("UPDATE app.with_objects SET object = "
            "CASE id WHEN 1 THEN 3000000000 ELSE 50002 END WHERE id IN (1, 2)")  # fmt: skip
    cluster.sql(swap, fidelity)
    assert compare.row_hashes(cluster, fidelity) != before
    cluster.sql("UPDATE app.with_objects SET object = "
                "CASE id WHEN 1 THEN 50002 ELSE 3000000000 END", fidelity)  # fmt: skip
    assert compare.row_hashes(cluster, fidelity) == before


def test_error_kinds_are_read():
    kinds = statuses()
    assert kinds["USAGE"] == 2 and kinds["CANCELLED"] == 130
    assert len(set(kinds.values())) == len(kinds)


def test_the_server_is_private(cluster):
    """Ours is not the machine's: own folder, own port."""
    assert cluster.sql("SHOW data_directory") == str(cluster.data)
    assert cluster.port != 5432
    assert subprocess.run(["pgrep", "-f", f"postgres -D {cluster.data}"], check=False).returncode == 0


class Echo:
    """A server that sends back twice what it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        with client:
            try:
                while data := client.recv(1000):
                    client.sendall(data * 2)
            except OSError:
                pass


def through(net, data, patience=20):
    """What comes back of the first answer; the kind of error where there is none."""
    try:
        with socket.create_connection((net.host, net.port), timeout=patience) as s:
            s.sendall(data)
            got = b""
            while len(got) < 2 * len(data):
                more = s.recv(65536)
                if not more:
                    return "cut"
                got += more
            return got
    except OSError as problem:
        return type(problem).__name__


def test_the_network_fails_as_it_is_told():
    with proxy.Proxy(Echo()) as net:
        assert through(net, b"ab") == b"abab" and (net.sent, net.bytes) == (2, 4)
        net.fail(proxy.CUT, after=6)
        assert through(net, b"c") == "cut"
        assert through(net, b"c") in ("cut", "ConnectionResetError")
        net.heal()
        net.fail(proxy.RESET, after=3, later=proxy.PASS, of=proxy.TO)
        assert through(net, b"ab") == b"abab"
        assert through(net, b"ab") == "ConnectionResetError"
        assert through(net, b"ab") == b"abab"
        net.heal()
        net.fail(proxy.STALL)
        assert through(net, b"a", 0.5) == "TimeoutError"
        net.refuse()
        assert through(net, b"a") == "ConnectionRefusedError"
        net.heal()
        assert through(net, b"a") == b"aa" and (net.sent, net.bytes) == (1, 2)
        net.slow(1)
        assert through(net, b"a", 0.5) == "TimeoutError"


def test_two_sites(sites):
    """Each with a server and a service of its own; both come back after they were killed."""
    both = sites("CREATE TABLE t AS SELECT generate_series(1, 9) AS a", "CREATE TABLE t AS SELECT 1 AS a", faults=True)
    ask = "SELECT system_identifier FROM pg_control_system()"
    assert both.a.sql(ask) != both.b.sql(ask)
    assert both.a.call("GET", "/healthz")[0] == both.b.call("GET", "/healthz")[0] == 200
    with pytest.raises(AssertionError, match="rows differ"):
        both.assert_same()
    both.a.sql("DELETE FROM t WHERE a > 1")
    both.assert_same()
    both.b.lose_server()
    with pytest.raises(AssertionError, match="refused|reset"):
        both.b.sql("SELECT 1")
    both.b.kill_all()
    assert not both.b.is_running() and both.a.is_running()
    both.b.back()
    both.assert_same()
    assert both.b.call("GET", "/healthz")[0] == 200 and both.statuses("none") == (None, None)
