"""verify a part at a time: the ledger lies in the repository, so that hosts go on where others stopped; a backup
is called good only when all its packs were read."""

import shutil

import pytest

from harness.cluster import wait_until
from harness.program import Pgstow

SQL = """
CREATE TABLE big (id int, t text);
ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
"""


def verify(pgstow, *args, **kwargs):
    return pgstow.run("verify", "--json", *args, **kwargs).json


@pytest.fixture(scope="module")
def pristine(cluster, module_folder):
    """Eight backups of rows that no other has: as many packs and more."""
    program = Pgstow(cluster, module_folder)
    program.db = cluster.create("ledger_source", sql=SQL)
    program.made = []
    for day in range(8):
        cluster.sql(f"TRUNCATE big; INSERT INTO big SELECT g, md5((g * {day + 2})::text) || md5((g + {day})::text) "
                    f"FROM generate_series(1, 2000) g", program.db)  # fmt: skip
        program.made.append(program.backup(program.db, "--parent", "none"))
    yield program
    cluster.drop(program.db)


@pytest.fixture
def many(pristine, pgstow):
    """A copy of it."""
    shutil.copytree(pristine.repo, pgstow.repo)
    return pristine.db, list(pristine.made)


def test_sample(cluster, pgstow, many):
    """Runs of 12.5 %, each by a process of its own: after eight of them every pack was read, none twice."""
    db, ids = many
    packs = sum(n.startswith("packs/") for n in pgstow.files())
    good, read = set(), 0
    for _ in range(8):
        report = verify(pgstow, "--sample", "12.5%", "--older-than", "30d")
        assert report["packs"] == packs and 0 < report["packsRead"] <= packs // 8 + 2
        read += report["packsRead"]
        assert {one["id"] for one in report["partly"]} == set(ids) - set(report["good"]) and report["whole"]
        # Nothing is said that was not read: a proof only where all was.
        proven = {b["id"] for b in pgstow.list() if b["lastProof"]}
        assert proven == set(report["good"]) and proven >= good
        good = proven
        if len(good) == len(ids):
            break
    assert good == set(ids) and read == packs
    # Nothing is left to do, for whatever host; and a new backup is.
    report = verify(pgstow, "--sample", "50%", "--older-than", "30d")
    assert report["packsRead"] == 0 and set(report["good"]) == set(ids) and report["partly"] == []
    new = pgstow.backup(db, "--parent", "none")
    report = verify(pgstow, "--older-than", "30d")
    assert report["good"][-1] == new and 0 < report["packsRead"] <= 2
    pgstow.run("verify", "--sample", "10%").says("not read by this run", "no damage in what was read")
    for args in (("--sample", "0%"), ("--sample", "101%"), ("--sample", "5"), ("--sample", "nan%"),
                 ("--sample", "5%", "--level", "quick"), ("--sample", "5%", "--level", "rebuild"),
                 ("--older-than", "1d", "--level", "quick")):  # fmt: skip
        pgstow.run("verify", *args, expect="USAGE")


def test_older_than(cluster, pgstow, many):
    """A full run counts for later ones; a proof of a lower level does not."""
    db, ids = many
    report = verify(pgstow, ids[0])
    assert report["packsRead"] == report["packs"] > 0
    assert verify(pgstow, ids[0], "--older-than", "1h")["packsRead"] == 0
    rest = verify(pgstow, "--older-than", "1h")
    assert rest["packsRead"] == rest["packs"] - report["packs"]
    rebuilt = verify(pgstow, "--older-than", "1h", "--level", "rebuild")
    assert rebuilt["packsRead"] == 0 and len(rebuilt["good"]) == len(ids)
    assert {b["lastProof"]["level"] for b in pgstow.list()} == {"rebuild"}
    # What has been found damaged is read again, however young.
    name = max((n for n in pgstow.files() if n.startswith("packs/")), key=lambda n: pgstow.files()[n])
    path = pgstow.repo / name
    whole = path.read_bytes()
    data = bytearray(whole)
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(pgstow, "--older-than", "1h")["bad"] == []  # read within the hour, so not looked at
    bad = verify(pgstow, expect="DAMAGED")["bad"]
    for args in (("--older-than", "1h"), ("--sample", "1%", "--older-than", "1h")):
        report = verify(pgstow, *args, expect="DAMAGED")
        assert report["bad"] == bad and report["packsRead"] == 1
    path.write_bytes(whole)
    # Of two proofs in one second the bad one counts.
    wait_until(lambda: verify(pgstow, "--older-than", "1h")["bad"] == []
               and all(b["lastProof"]["good"] for b in pgstow.list()), "it stays bad")  # fmt: skip


def test_spoiled_ledger(cluster, pgstow, many):
    """A note of it that cannot be read makes for more work, and is told."""
    db, ids = many
    verify(pgstow)
    notes = [n for n in pgstow.files() if n.startswith("ledger/")]
    assert len(notes) == 1
    path = pgstow.repo / notes[0]
    path.write_bytes(path.read_bytes()[:-9])
    report = verify(pgstow, "--older-than", "30d", expect="DAMAGED")
    assert [p["object"] for p in report["problems"]] == notes
    assert report["packsRead"] == report["packs"] and len(report["good"]) == len(ids)
