"""The tests' own tools, proven without pgstow: a comparison that sees nothing proves nothing."""

import re
import subprocess

import pytest

from harness import compare
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
