"""kill -9 at every named point: whatever the moment, what was good stays good, and the next run works.

The points are not listed here: the program says which ones it passes (PGSTOW_FAULT_LIST). Points that
are passed often are tried at their first, a middle and their last passing.
"""

import shutil
import time
from collections import Counter

import pytest

from harness import compare
from harness.cluster import SLOWER
from harness.program import Pgstow, program

pytestmark = pytest.mark.slow

CHANGE = "UPDATE item SET price = price + 1 WHERE id % 5 = 0; DELETE FROM item WHERE id % 11 = 0; CREATE TABLE later AS SELECT 1 AS a"


def passings(listing):
    """(point, which passing) to be tried, in the order of their first passing."""
    counts = Counter(listing)
    assert counts
    return [(name, n) for name in dict.fromkeys(listing) for n in sorted({1, (counts[name] + 1) // 2, counts[name]})]


@pytest.fixture(scope="module")
def world(cluster, shop_template, module_folder):
    """A repository with one backup of a shop that changed since, and the points of both verbs."""
    here = Pgstow(cluster, module_folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    here.shop = cluster.create("kill_shop", template=shop_template)
    here.first = here.backup(here.shop)
    here.then = compare.snapshot(cluster, here.shop)
    cluster.sql(CHANGE, here.shop)
    here.now = compare.snapshot(cluster, here.shop)
    saved = module_folder / "saved"
    shutil.copytree(here.repo, saved)
    here.saved = saved

    def fresh():
        shutil.rmtree(here.repo)
        shutil.copytree(saved, here.repo)

    here.fresh = fresh

    def points(*args):
        fresh()
        listing = module_folder / f"points of {args[0]}"
        here.run(*args, db=here.shop, env={"PGSTOW_FAULT_LIST": str(listing)})
        fresh()
        return listing.read_text().split()

    # On a copy, since the restore replaces it.
    here.backup_points = points("backup")
    here.restore_points = points("restore", here.first, "--replace", "--yes")
    reset(cluster, here)
    yield here
    cluster.drop(here.shop)


def reset(cluster, here):
    """The shop as it was changed since its backup; and no other database of the test's."""
    cluster.drop(here.shop, "kill_copy")
    cluster.create(here.shop, template="shop_template")
    cluster.sql(CHANGE, here.shop)


def wait_until_gone(cluster, database):
    """The server notices the death of its clients when it next writes to them."""
    deadline = time.monotonic() + 30 * SLOWER
    while time.monotonic() < deadline:
        if cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'pgstow|pg_dump|pg_restore'") == "0":
            return
        time.sleep(0.05)
    raise AssertionError(cluster.sql("SELECT pid, datname, application_name, state, query FROM pg_stat_activity"))


def killed(here, args, point, n, **kwargs):
    with here.start(*args, db=here.shop, env={"PGSTOW_FAULT": f"{point}:kill:{n}"}, **kwargs) as run:
        return run.wait(120).status == -9


def test_there_are_thirty_points(world):
    names = set(world.backup_points) | set(world.restore_points)
    print(sorted(names))
    assert len(names) >= 30, sorted(names)


def test_kill_a_backup_everywhere(cluster, world):
    died = 0
    for point, n in passings(world.backup_points):
        world.fresh()
        was_killed = killed(world, ["backup"], point, n)
        died += was_killed
        wait_until_gone(cluster, world.shop)
        where = f"killed at {point}, passing {n}"
        # No half backup is seen: the old one, and the new one only if it was committed.
        seen = world.ids()
        assert world.first in seen and len(seen) in (1, 2), where
        for backup in seen:
            world.run("verify", backup, "--level", "rebuild")
        world.run("verify", "--level", "data")
        # The next run succeeds, and what it makes is what the database holds.
        again = world.backup(world.shop)
        assert again in world.ids() and again not in seen, where
        world.run("verify", "--level", "data")
        world.run("check", "--max-age", "1h", db=world.shop)
    assert died >= len(set(world.backup_points)), "points were not reached again"
    # The last survivor's successor restores exactly.
    world.restore(again, world.shop, "--to-db", "kill_copy")
    compare.assert_same(cluster, world.shop, "kill_copy")
    cluster.drop("kill_copy")


def test_kill_a_backup_again_and_again(cluster, world):
    """Killed at one point after another on one and the same repository: it is never worn down."""
    world.fresh()
    for point in dict.fromkeys(world.backup_points):
        killed(world, ["backup"], point, 1)
    wait_until_gone(cluster, world.shop)
    backup = world.backup(world.shop)
    world.run("verify", "--level", "rebuild")
    world.restore(backup, world.shop, "--to-db", "kill_copy")
    compare.assert_same(cluster, world.shop, "kill_copy")
    cluster.drop("kill_copy")


def test_kill_a_replace_everywhere(cluster, world):
    """The database is whole: all old or all new. The next restore succeeds and leaves nothing over."""
    world.fresh()
    databases = cluster.databases()
    died = 0
    for point, n in passings(world.restore_points):
        where = f"killed at {point}, passing {n}"
        died += killed(world, ["restore", world.first, "--replace", "--yes"], point, n)
        wait_until_gone(cluster, world.shop)
        assert cluster.exists(world.shop), where
        lines, hashes = compare.snapshot(cluster, world.shop)
        if hashes == world.now[1]:
            assert not compare.differences(world.now[0], lines), where
        else:
            assert hashes == world.then[1], where
            assert not compare.differences(world.then[0], lines), where
        world.run("verify", "--level", "data")
        assert world.ids() == [world.first], where
        world.restore(world.first, world.shop, "--replace", "--yes")
        compare.assert_as_before(cluster, world.shop, world.then)
        assert cluster.databases() == databases, where
        assert [f for f in world.files() if f.startswith("sessions/")] == [], where
        reset(cluster, world)
    assert died >= len(set(world.restore_points)), "points were not reached again"


def test_an_error_at_every_point_of_a_backup(cluster, world):
    """Not killed but failing: told by the exit status, nothing visible, the next run succeeds."""
    for point in dict.fromkeys(world.backup_points):
        world.fresh()
        result = world.run("backup", db=world.shop, env={"PGSTOW_FAULT": f"{point}:error"}, expect=None)
        seen = world.ids()
        if result.status == 0:
            # A failure that may be lived with (of something never trusted), but then it is whole.
            assert result.id in seen, point
        else:
            assert point in result.stderr or "error" in result.stderr.lower(), str(result)
        assert world.first in seen and len(seen) <= 2, point
        world.run("verify", "--level", "data")
        world.backup(world.shop)


def test_an_error_at_every_point_of_a_replace(cluster, world):
    databases = cluster.databases()
    world.fresh()
    for point in dict.fromkeys(world.restore_points):
        result = world.run("restore", world.first, "--replace", "--yes", db=world.shop,
                           env={"PGSTOW_FAULT": f"{point}:error"}, expect=None)  # fmt: skip
        hashes = compare.row_hashes(cluster, world.shop)
        assert hashes in (world.now[1], world.then[1]), point
        assert cluster.databases() == databases, f"error at {point} left a database behind: {result}"
        if hashes == world.then[1]:
            reset(cluster, world)
        else:
            assert result.status != 0, str(result)


# ---------------------------------------------------------------- cleanup, delete, undelete


@pytest.fixture(scope="module")
def kept(cluster, shop_template, module_folder):
    """A repository with three backups, the second of them deleted; fresh() puts it back."""
    folder = module_folder / "kept"
    folder.mkdir()
    here = Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    here.shop = cluster.create("kept_shop", template=shop_template)
    here.made = []
    for n in range(3):
        cluster.sql(f"UPDATE item SET t = md5(t || '{n}') WHERE id % 3 = {n}", here.shop)
        here.made.append(here.backup(here.shop))
    here.run("delete", here.made[1])
    saved = folder / "saved"
    shutil.copytree(here.repo, saved)

    def fresh():
        shutil.rmtree(here.repo)
        shutil.copytree(saved, here.repo)

    def points(*args):
        fresh()
        listing = folder / f"points of {args[0]}"
        here.run(*args, env={"PGSTOW_FAULT_LIST": str(listing)})
        fresh()
        return passings(listing.read_text().split())

    here.fresh, here.points = fresh, points
    yield here
    cluster.drop(here.shop)


def stopped_everywhere(kept, args, look, action):
    """The command, killed or failing at each of its points; then look(where)."""
    points = kept.points(*args)
    for point, n in points:
        kept.fresh()
        result = kept.start(*args, env={"PGSTOW_FAULT": f"{point}:{action}:{n}"})
        with result as run:
            status = run.wait(60).status
        assert status == -9 if action == "kill" else status >= 0, (point, n)
        kept.run("verify", "--level", "rebuild")
        look(f"{action} at {point}, passing {n}")
        kept.run("verify", "--level", "data")
    return points


@pytest.mark.parametrize("action", ["kill", "error"])
def test_stop_a_cleanup_everywhere(kept, action):
    args = ("cleanup", "--keep-last", "1", "--trash-days", "0")

    def look(where):
        seen = kept.ids()
        assert kept.made[2] in seen and kept.made[1] not in seen, where
        kept.run(*args)
        assert kept.manifests()[-1] == kept.made[2], where
        # Twice, since verify has proven the first one where it was still there.
        assert not [f for f in kept.files() if f.split("/")[0] in ("sessions", "trash")], where

    points = stopped_everywhere(kept, args, look, action)
    assert len({name for name, _ in points}) >= 12, points


@pytest.mark.parametrize("action", ["kill", "error"])
def test_stop_a_delete_everywhere(kept, action):
    def look(where):
        kept.run("delete", kept.made[0], "--ignore-missing")
        assert kept.ids() == [kept.made[2]], where
        kept.run("undelete", kept.made[0])
        assert kept.ids() == [kept.made[0], kept.made[2]], where

    assert stopped_everywhere(kept, ("delete", kept.made[0]), look, action)


@pytest.mark.parametrize("action", ["kill", "error"])
def test_stop_an_undelete_everywhere(kept, action):
    def look(where):
        kept.run("undelete", kept.made[1], expect=None)
        assert kept.ids() == kept.made, where
        kept.run("cleanup", "--trash-days", "0")
        assert kept.ids() == kept.made, where
        assert not [f for f in kept.files() if f.split("/")[0] in ("sessions", "trash")], where

    assert stopped_everywhere(kept, ("undelete", kept.made[1]), look, action)
