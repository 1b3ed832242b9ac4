"""Every call that a command makes of its store goes wrong once, in every way: whatever the moment, what was
committed verifies, nothing half is to be seen, success is never told of what did not happen, and the next run
succeeds. Here a few of each command; all of them in ./dev fault, which prints how many were tried."""

import json
import shutil

import pytest

from harness import compare
from harness.cluster import wait_until
from harness.errors import status_of
from harness.faults import Sweep, all_faults, thinned
from harness.program import Pgstow, program

TINY = """
CREATE TABLE a (id int PRIMARY KEY, t text);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, n numeric);
INSERT INTO a SELECT g, md5(g::text) FROM generate_series(1, 40) g;
INSERT INTO b SELECT g, g, g * 0.5 FROM generate_series(1, 30) g;
SELECT lo_from_bytea(4711, 'a large object');
"""
CHANGE = "UPDATE a SET t = 'changed ' || id WHERE id % 7 = 0; INSERT INTO b SELECT g, 1, g FROM generate_series(100, 130) g"
HANDS = 2
THIN = 8  # of each command in ./dev test


class World:
    pass


@pytest.fixture(scope="module")
def world(cluster, module_folder):
    """Two small databases of the same kind, so that two faults can be tried at a time, and repositories in the
    states from which the commands begin."""
    w = World()
    w.cluster, w.folder, w.ids = cluster, module_folder, {}
    w.databases = [cluster.create(f"sweep_{i}", sql=TINY) for i in range(HANDS)]
    here = Pgstow(cluster, module_folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    w.saved = {"none": module_folder / "none"}

    def save(name):
        w.saved[name] = module_folder / f"saved {name}"
        shutil.copytree(here.repo, w.saved[name])

    w.first = [here.backup(db) for db in w.databases]
    w.ids = dict(zip(w.databases, w.first))
    save("unchanged")
    w.then = compare.row_hashes(cluster, w.databases[0])
    for db in w.databases:
        cluster.sql(CHANGE, db)
        cluster.create(f"{db}_copy", template=db)
    w.now = compare.row_hashes(cluster, w.databases[0])
    assert w.now != w.then
    save("changed")
    for db in w.databases:
        with here.start("backup", db=db, env={"PGSTOW_FAULT": "writer.commit.manifest:kill"}) as run:
            assert run.wait().status == -9
    wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE datname ~ 'sweep'") == "0",
               "a killed client is still connected")  # fmt: skip
    save("died")
    shutil.rmtree(here.repo)
    shutil.copytree(w.saved["changed"], here.repo)
    second = [here.backup(db) for db in w.databases]
    w.all = w.first + second
    w.newest = dict(zip(w.databases, second))
    save("two")
    yield w
    cluster.drop(*w.databases, *(f"{db}_copy" for db in w.databases))


def backed_up(hand, result):
    """There is a new one of this database, and where success is told it is the one that was named."""
    new = {b["id"] for b in hand.list() if b["database"] == hand.db} - {hand.sweep.ids.get(hand.db)}
    return result.id in new if result.status == 0 else bool(new)


def nobody_left(hand):
    """No session of this database: another's may have died before."""
    sessions = [json.loads(file.read_text().splitlines()[0]) for file in (hand.repo / "sessions").iterdir()]
    assert [s for s in sessions if s["database"] == hand.db] == []


def sweep(world, name):
    """The sweep over one command."""
    backup = ["backup", "--jobs", "1", "--quiet"]
    if name == "first":
        world.ids = {}
        return Sweep(world, world.folder / name, world.saved["none"], backup, backed_up, settled=nobody_left)
    if name in ("unchanged", "changed", "died"):
        world.ids = dict(zip(world.databases, world.first))
        return Sweep(world, world.folder / name, world.saved[name], backup, backed_up, settled=nobody_left,
                     standing=world.first)  # fmt: skip
    world.ids = world.newest
    two = world.saved["two"]
    if name == "verify":
        return Sweep(world, world.folder / name, two, ["verify", "--level", "rebuild", "--json"],
                     lambda hand, result: result.status != 0 or set(result.json["good"]) == set(world.all),
                     needs_db=False, standing=world.all)  # fmt: skip
    if name == "list":
        return Sweep(world, world.folder / name, two, ["list", "--json"],
                     lambda hand, result: result.status != 0 or {b["id"] for b in hand.list()} == set(world.all),
                     needs_db=False, standing=world.all)  # fmt: skip
    if name == "delete":
        return Sweep(world, world.folder / name, two, ["delete", "ID", "--yes"],
                     lambda hand, result: world.newest[hand.db] not in [b["id"] for b in hand.list()],
                     needs_db=False, standing=world.first, already=[status_of("NOT_FOUND")])  # fmt: skip
    if name == "export":
        return export(world, two)
    if name == "restore":
        return restore(world, two)
    raise AssertionError(name)


def export(world, saved):
    """What comes out is all of it, or nothing."""
    written = {}

    def done(hand, result):
        out = hand.folder / "out.dump"
        if not out.exists():
            return False
        data = out.read_bytes()
        assert written.setdefault(hand.db, data) == data or hand.cluster.run("pg_restore", "-l", out), str(result)
        return True

    def reset(hand):
        for file in hand.folder.glob("out.dump*"):  # a killed run leaves an unfinished one under another name
            file.unlink()

    return Sweep(world, world.folder / "export", saved,
                 ["export", "ID", "--format", "custom", "-o", "FOLDER/out.dump", "--overwrite"], done, reset=reset,
                 needs_db=False, standing=world.all)  # fmt: skip


def restore(world, saved):
    """The database is as it was, or as the backup has it. The backup is the first one."""
    world.ids = dict(zip(world.databases, world.first))

    def done(hand, result):
        hashes = compare.row_hashes(hand.cluster, hand.copy)
        assert hashes in (world.then, world.now), str(result)
        return hashes == world.then

    def reset(hand):
        hand.cluster.drop(hand.copy)
        hand.cluster.create(hand.copy, template=hand.db)

    return Sweep(world, world.folder / "restore", saved,
                 ["restore", "ID", "--to-db", "COPY", "--replace", "--yes", "--jobs", "1", "--quiet"], done,
                 reset=reset, standing=world.all)  # fmt: skip


EVERY = ["first", "unchanged", "changed", "died", "verify", "list", "delete", "export", "restore"]


@pytest.mark.parametrize("name", EVERY)
def test_some_faults(world, name):
    s = sweep(world, name)
    s.run(thinned(all_faults(s.calls()), THIN))
    shutil.rmtree(s.folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_fault(world, name):
    s = sweep(world, name)
    s.run(all_faults(s.calls()))
    shutil.rmtree(s.folder)
