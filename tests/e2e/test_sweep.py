"""Every call that a command makes of its store goes wrong once, in every way: whatever the moment, what was
committed verifies, nothing half is to be seen, success is never told of what did not happen, and the next run
succeeds. Here a few of each command; all of them in ./dev fault, which prints how many were tried."""

import json
import re
import shutil
import subprocess

import pytest

from harness import compare
from harness.cluster import wait_until
from harness.errors import status_of
from harness.faults import Sweep, all_faults, all_point_faults, thinned
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
SEALED = {"PGSTOW_PASSPHRASE": "correct horse battery staple", "PGSTOW_CHEAP_PASSPHRASES": "1"}
THIN = 2  # of each command in ./dev test


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
    for backup in w.first:
        here.run("delete", backup)
    save("deleted")
    shutil.rmtree(here.repo)
    sealed = Pgstow(cluster, module_folder, binary=here.binary, env=SEALED)
    w.sealed = [sealed.run("backup", "--encrypt", db=db).id for db in w.databases]
    sealed.run("key", "add", "--new-key-file", module_folder / "spare.key", "--name", "spare")
    save("sealed")
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
    two, second = world.saved["two"], list(world.newest.values())
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
    if name == "undelete":
        world.ids = dict(zip(world.databases, world.first))
        return Sweep(world, world.folder / name, world.saved["deleted"], ["undelete", "ID"],
                     lambda hand, result: {world.ids[hand.db]} <= {b["id"] for b in hand.list()},
                     needs_db=False, standing=second, already=[status_of("NOT_FOUND")])  # fmt: skip
    if name == "cleanup":
        return cleanup(world, second)
    if name == "pin":
        return Sweep(world, world.folder / name, two, ["pin", "ID"],
                     lambda hand, result: next(b["pinned"] for b in hand.list() if b["id"] == world.newest[hand.db]),
                     needs_db=False, standing=world.all)  # fmt: skip
    if name == "copy":
        return copy(world, two)
    if name == "sealed":
        world.ids = dict(zip(world.databases, world.sealed))
        return Sweep(world, world.folder / name, world.saved["sealed"], backup, backed_up, settled=nobody_left,
                     standing=world.sealed, env=SEALED)  # fmt: skip
    if name.startswith("key "):
        return keys(world, name)
    if name == "export":
        return export(world, two)
    if name == "restore":
        return restore(world, two)
    raise AssertionError(name)


def cleanup(world, second):
    """Purges what was deleted and frees its packs."""
    mine = {db: {f"backups/{backup}.manifest" for backup in world.first} for db in world.databases}

    def done(hand, result):
        return not mine[hand.db] & set(hand.twin.files()) and not list((hand.repo / "trash").iterdir())

    return Sweep(world, world.folder / "cleanup", world.saved["deleted"], ["cleanup", "--trash-days", "0"], done,
                 needs_db=False, standing=second)  # fmt: skip


def copy(world, saved):
    """Into an empty repository; what arrives there is whole at any moment."""

    def other(hand, *args):
        command = [str(hand.twin.binary), *args, "--repo", str(hand.folder / "second")]
        return subprocess.run(command, env=hand.twin.environment(), capture_output=True, text=True)

    def done(hand, result):
        if not (hand.folder / "second" / "config").exists():
            return False
        verified = other(hand, "verify", "--level", "rebuild")
        assert verified.returncode == 0, f"{result}; {verified}"
        # An id that a run which died was to give is burnt: another one's is made of it.
        ids = [b["id"] for b in json.loads(other(hand, "list", "--json").stdout)["backups"]]
        return sorted(re.sub(r"Z-\d+$", "Z", backup) for backup in ids) == sorted(world.all)

    def reset(hand):
        shutil.rmtree(hand.folder / "second", ignore_errors=True)

    return Sweep(world, world.folder / "copy", saved, ["copy", "--all", "--to", "FOLDER/second"], done, reset=reset,
                 needs_db=False, standing=world.all)  # fmt: skip


def keys(world, name):
    """Whatever happens, the passphrase opens the repository, and its backups can be read."""

    def names(hand):
        result = hand.run(["key", "list", "--json"])
        assert result.status == 0, str(result)
        return [key["name"] for key in result.json["keys"]]

    def epoch(hand):
        return len(list((hand.repo / "keys").glob("epoch-*")))

    def reset(hand):
        (hand.folder / "new.key").unlink(missing_ok=True)

    before = len(list((world.saved["sealed"] / "keys").glob("epoch-*")))
    args, done, already = {
        "key add": (["key", "add", "--new-key-file", "FOLDER/new.key", "--name", "new"],
                    lambda hand, result: "new" in names(hand), ["EXISTS", "CONFLICT"]),
        "key remove": (["key", "remove", "spare"], lambda hand, result: "spare" not in names(hand), ["NOT_FOUND"]),
        "key rotate": (["key", "rotate"], lambda hand, result: epoch(hand) > before, []),
    }[name]  # fmt: skip
    # A key file is never replaced, nor is one that a failed run left behind.
    return Sweep(world, world.folder / name.replace(" ", "-"), world.saved["sealed"], args, done, reset=reset,
                 between=lambda hand: name == "key add" and "new" not in names(hand) and reset(hand),
                 needs_db=False, standing=world.sealed, already=[status_of(kind) for kind in already],
                 env=SEALED)  # fmt: skip


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


EVERY = ["first", "unchanged", "changed", "died", "sealed", "verify", "list", "delete", "undelete", "cleanup", "pin",
         "copy", "key add", "key remove", "key rotate", "export", "restore"]  # fmt: skip


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("list", "restore")])
def test_every_point(world, name):
    """The named points of the program; list passes none, those of a restore are in test_kill.py."""
    s = sweep(world, name)
    s.run(all_point_faults(s.points()))
    shutil.rmtree(s.folder)
