"""Golden repositories, plain and encrypted, restored into a real server: every row as it was when they were made.

tests/golden/test_golden.py reads them without one."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from harness.program import Pgstow

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("format-*.json"))
OBJECTS = {4242: bytes.fromhex("00112233") * 30000, 4243: b""}  # of the database shop, see golden/make.py


def opened(cluster, folder, name):
    """The program with a copy of the repository; its backups; the keys that read all; one that may only write."""
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    pgstow = Pgstow(cluster, folder)
    shutil.copytree(GOLDEN / name, pgstow.repo)
    keys = expected.get("keys")
    if not keys:
        return pgstow, expected["backups"], [{}], None
    files = {way: shutil.copy(GOLDEN / keys[way], folder) for way in ("file", "writeOnly")}
    for file in files.values():
        Path(file).chmod(0o600)
    ways = [{"PGSTOW_PASSPHRASE": keys["passphrase"]}, {"PGSTOW_KEY_FILE": files["file"]}]
    return pgstow, expected["backups"], ways, {"PGSTOW_KEY_FILE": files["writeOnly"]}


def copied_out(cluster, database, name):
    schema, _, table = name.partition(".")
    quoted = '"{}"."{}"'.format(schema, table.replace('"', '""'))
    return cluster.tool("psql", "-X", "-q", "-d", cluster.url(database), "-c", f"COPY {quoted} TO STDOUT").stdout


def test_there_are_both():
    assert {name.endswith("-encrypted") for name in NAMES} == {False, True}


@pytest.mark.parametrize("name", NAMES)
def test_restored(cluster, folder, database, name):
    pgstow, backups, ways, write_only = opened(cluster, folder, name)
    assert len(backups) >= 2
    for number, (backup, tables) in enumerate(backups.items()):
        target = database()
        pgstow.env = ways[number % len(ways)]  # by each key in turn
        pgstow.restore(backup, target)
        for table, wanted in tables.items():
            rows = copied_out(cluster, target, table)
            assert len(rows) == wanted["bytes"], table
            assert hashlib.sha256(rows).hexdigest() == wanted["sha256"], table
        for oid, data in OBJECTS.items():
            found = cluster.sql(f"SELECT encode(sha256(lo_get({oid})), 'hex')", target).strip()
            assert found == hashlib.sha256(data).hexdigest()
    if write_only:
        target = database()
        pgstow.env = write_only
        pgstow.restore(max(backups), target, expect="KEY")
        assert cluster.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", target).strip() == "0"


@pytest.mark.parametrize("name", NAMES)
def test_goes_on(cluster, folder, database, name):
    """Today's program adds a backup to it, and what was there stays whole."""
    pgstow, backups, ways, _ = opened(cluster, folder, name)
    pgstow.env = ways[0]
    target = database(name="shop")
    pgstow.restore(max(backups), target)
    pgstow.run("backup", db=target)
    pgstow.run("verify", "--level", "rebuild")
    assert len(pgstow.ids()) == len(backups) + 1
