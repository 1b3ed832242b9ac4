"""cleanup, delete and undelete, pins: what is kept, what goes, and that the space comes back."""

import os
import time
from datetime import datetime, timedelta

import pytest

CHANGE = "UPDATE item SET t = md5(t) || md5(price::text || '{0}') WHERE id % 3 = {0} % 3"


def packs(pgstow):
    return {n: s for n, s in pgstow.files().items() if n.startswith("packs/")}


def leftovers(pgstow):
    return [n for n in pgstow.files() if n.split("/")[0] in ("sessions", "trash", "tmp")]


@pytest.fixture
def aged(cluster, pgstow, shop):
    """Three backups of a changing shop, the first two deleted by a policy of one."""
    ids = []
    for n in range(3):
        cluster.sql(CHANGE.format(n), shop)
        ids.append(pgstow.backup(shop))
    pgstow.shop = shop
    return ids


def test_a_backup_cleans_up_after_itself(cluster, pgstow, shop):
    config = pgstow.folder / "keep.yaml"
    config.write_text("backup:\n  keepLast: 2\n  trashDays: 0\n")
    ids = []
    for n in range(4):
        cluster.sql(CHANGE.format(n), shop)
        ids.append(pgstow.backup(shop, "--config", config))
        assert pgstow.ids() == ids[-2:]
    assert leftovers(pgstow) == []
    assert pgstow.manifests() == sorted(ids[-2:])  # a clock that is set back changes names only
    pgstow.run("verify", "--level", "rebuild")
    # Without it nothing goes; and what it did is told.
    last = pgstow.backup(shop, "--config", config, "--no-cleanup")
    assert pgstow.ids() == [*ids[-2:], last]
    result = pgstow.run("backup", "--config", config, "--json", db=shop)
    # The last of them is the last that was proven.
    assert result.json["cleanup"]["deleted"] == result.json["cleanup"]["purged"] == [ids[-2]]
    assert pgstow.ids() == [ids[-1], last, result.json["id"]]


def test_the_default_keeps_a_month(pgstow, aged):
    assert pgstow.ids() == aged
    doc = pgstow.run("cleanup", "--json").json
    assert [b["keep"] for b in doc["backups"]] == [True] * 3
    assert "within 30 days" in doc["backups"][0]["why"]
    assert doc["deleted"] == [] and doc["freed"]["packs"] == 0


def test_dry_run_says_why(pgstow, aged):
    before = pgstow.files()
    result = pgstow.run("cleanup", "--keep-last", "1", "--dry-run")
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.startswith(tuple(aged))}
    assert "goes" in lines[aged[0]] and "no rule keeps it" in lines[aged[0]]
    assert "stays" in lines[aged[2]] and "the last good one" in lines[aged[2]]
    doc = pgstow.run("cleanup", "--keep-last", "1", "--dry-run", "--json").json
    assert doc["dryRun"] and doc["deleted"] == aged[:2]
    # Without a trash, what goes is purged at once: the dry run says so, and how much that frees.
    now = ["cleanup", "--keep-last", "1", "--trash-days", "0", "--json"]
    would = pgstow.run(*now, "--dry-run").json
    assert pgstow.files() == before
    did = pgstow.run(*now).json
    assert would.pop("dryRun") and not did.pop("dryRun")
    assert would == did and did["purged"] == aged[:2] and did["freed"]["packs"] > 0


def test_a_name_that_no_backup_has(pgstow, aged):
    pgstow.run("cleanup", "no such", "--keep-last", "1").error_says('there is no backup of database "no such"')
    assert pgstow.ids() == aged
    assert "no backup of" not in pgstow.run("cleanup", pgstow.shop).stderr
    pgstow.run("list", "no such", "--deleted").says("nothing of no such in the trash")


def test_only_parts_of_a_database(pgstow, shop):
    """They are not called good; and of those younger than a whole one no age is made up."""
    parts = [pgstow.backup(shop, "--exclude-table-data", "item") for _ in range(2)]
    why = {b["id"]: b["why"] for b in pgstow.run("cleanup", "--keep-last", "1", "--dry-run", "--json").json["backups"]}
    assert why[parts[1]] == ["the last one, as there is none of the whole database", "last"]
    pgstow.backup(shop, "--no-cleanup")
    later = [pgstow.backup(shop, "--exclude-table-data", "item", "--no-cleanup") for _ in range(2)]
    why = {b["id"]: b["why"] for b in pgstow.run("cleanup", "--keep-last", "1", "--dry-run", "--json").json["backups"]}
    assert why[later[0]] == ["no rule keeps it"] and why[later[1]] == ["last"]


def test_delete_undelete_purge(cluster, pgstow, aged):
    before = packs(pgstow)
    pgstow.run("delete", aged[0])
    assert pgstow.ids() == aged[1:]
    trash = pgstow.run("list", "--deleted", "--json").json["deleted"]
    assert [t["id"] for t in trash] == [aged[0]]
    deleted, until = (datetime.fromisoformat(trash[0][k].replace("Z", "+00:00")) for k in ("deleted", "until"))
    assert until - deleted == timedelta(days=7)
    assert aged[0] in pgstow.run("list", "--deleted").stdout
    # Its days are not over: cleanup leaves it, and it comes back whole.
    pgstow.run("cleanup")
    assert packs(pgstow) == before
    pgstow.run("undelete", aged[0])
    assert pgstow.ids() == aged
    pgstow.run("verify", aged[0], "--level", "rebuild")
    pgstow.run("undelete", aged[0], expect="NOT_FOUND")
    # Without days it goes, and its space with it.
    pgstow.run("delete", aged[0])
    doc = pgstow.run("cleanup", "--trash-days", "0", "--json").json
    assert doc["purged"] == [aged[0]]
    assert doc["freed"]["packs"] > 0
    gone = {n: s for n, s in before.items() if n not in packs(pgstow)}
    assert doc["freed"]["bytes"] == sum(gone.values())
    pgstow.run("undelete", aged[0], expect="NOT_FOUND")
    assert not any(aged[0] in n for n in pgstow.files())
    pgstow.run("verify", "--level", "rebuild")
    assert leftovers(pgstow) == []


def test_undelete_by_a_beginning(pgstow, aged):
    pgstow.run("delete", *aged[:2])
    beginning = os.path.commonprefix(aged[:2])
    pgstow.run("undelete", beginning, expect="USAGE").error_says("several")
    pgstow.run("undelete", "nothing", expect="NOT_FOUND").error_says("list --deleted")
    assert pgstow.run("undelete", aged[0], "--json").json["undeleted"] == [aged[0]]


def test_pins(pgstow, aged):
    pgstow.run("pin", aged[0])
    pgstow.run("pin", aged[0])
    assert [b["pinned"] for b in pgstow.list()] == [True, False, False]
    assert "(pinned)" in pgstow.run("list").stdout
    pgstow.run("delete", aged[0], expect="PINNED").error_says("unpin")
    pgstow.run("cleanup", "--keep-last", "1", "--trash-days", "0")
    assert pgstow.ids() == [aged[0], aged[2]]
    pgstow.run("verify", "--level", "rebuild")
    pgstow.run("unpin", aged[0])
    pgstow.run("unpin", aged[0]).says("was not pinned")
    pgstow.run("cleanup", "--keep-last", "1", "--trash-days", "0")
    assert pgstow.ids() == [aged[2]]


def test_the_last_good_and_the_last_proven_stay(pgstow, aged, shop):
    part = pgstow.backup(shop, "--exclude-table", "empty_one", "--no-cleanup")
    pgstow.run("verify", aged[1])
    doc = pgstow.run("cleanup", "--keep-last", "1", "--json").json
    why = {b["id"]: b["why"] for b in doc["backups"]}
    assert "the last proven one" in why[aged[1]]
    assert "the last good one" in why[aged[2]]
    assert doc["deleted"] == [aged[0]] and part in pgstow.ids()


def test_only_one_database(cluster, pgstow, aged, database):
    other = database("CREATE TABLE t AS SELECT generate_series(1, 10) AS a")
    theirs = [pgstow.backup(other) for _ in range(2)]
    pgstow.run("cleanup", other, "--keep-last", "1")
    assert sorted(pgstow.ids()) == sorted([*aged, theirs[1]])
    pgstow.run("delete", aged[0])
    doc = pgstow.run("cleanup", "--prune-only", "--trash-days", "0", "--json").json
    assert doc["backups"] == [] and doc["purged"] == sorted([aged[0], theirs[0]])


def test_what_would_be_passed_over(pgstow, aged):
    """Rules beside --prune-only, and a tag's value where only its key counts: refused, not ignored."""
    for rule in (["--keep-last", "1"], ["--retention-days", "7"], ["--keep-within", "3d"], ["--keep-tag", "a=b"],
                 ["--group-by-tag", "a"]):  # fmt: skip
        pgstow.run("cleanup", "--prune-only", *rule, expect="USAGE").error_says(rule[0], "--prune-only deletes nothing")
    pgstow.run("cleanup", "--keep-last", "1", "--group-by-tag", "a=b", expect="USAGE").error_says("--group-by-tag", "key of a tag")
    config = pgstow.folder / "pgstow.yaml"
    config.write_text("backup:\n  keepLast: 1\n  groupByTag: a=b\n")
    pgstow.run("cleanup", "--config", config, expect="CONFIG").error_says("groupByTag", "key of a tag")
    # Rules of the configuration are meant for other runs.
    config.write_text("backup:\n  keepLast: 1\n  groupByTag: a\n")
    assert pgstow.run("cleanup", "--config", config, "--prune-only", "--json").json["deleted"] == []
    assert pgstow.ids() == list(aged)


def test_a_reader_keeps_its_backup(cluster, pgstow, pgstow_faults, aged, database):
    """A restore that was there first is not disturbed: what it reads is purged later."""
    later = "kept_copy"
    database.later(later)
    args = ("restore", aged[0], "--to-db", later)
    listing = pgstow.folder / "points"
    pgstow_faults.repo = pgstow.repo
    pgstow_faults.run(*args, db=pgstow.shop, env={"PGSTOW_FAULT_LIST": str(listing)})
    cluster.drop(later)
    middle = listing.read_text().split()
    point = middle[len(middle) // 2]
    with pgstow_faults.start(*args, db=pgstow.shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped()
        pgstow.run("delete", aged[0])
        pgstow.run("cleanup", "--trash-days", "0").error_says("in use: restore")
        assert aged[0] in pgstow.manifests()
        run.resume()
        assert run.wait(120).status == 0
    pgstow.run("cleanup", "--trash-days", "0")
    assert aged[0] not in pgstow.manifests()


def test_a_killed_run(cluster, pgstow, pgstow_faults, aged):
    """What it stored waits for the next run, then goes; its unfinished files, too."""
    pgstow_faults.repo = pgstow.repo
    cluster.sql(CHANGE.format(7), pgstow.shop)
    before = packs(pgstow)
    with pgstow_faults.start("backup", db=pgstow.shop, env={"PGSTOW_FAULT": "writer.commit.manifest:kill"}) as run:
        assert run.wait(60).status == -9
    assert set(packs(pgstow)) > set(before)
    doc = pgstow.run("cleanup", "--json").json
    assert doc["freed"]["sessionsFenced"] == 1 and doc["freed"]["packs"] == 0
    half = pgstow.repo / "tmp" / ("0123456789abcdef" * 2)
    half.write_bytes(b"half")
    os.utime(half, (time.time() - 8 * 86400,) * 2)
    doc = pgstow.run("cleanup", "--trash-days", "0", "--json").json
    assert doc["freed"]["sessionsEnded"] == 1 and doc["freed"]["unfinishedFiles"] == 1
    assert packs(pgstow) == before and leftovers(pgstow) == []
    pgstow.run("verify", "--level", "data")
    pgstow.backup(pgstow.shop)


def test_cleanup_that_fails_fails_no_backup(pgstow_faults, shop):
    result = pgstow_faults.run("backup", db=shop, env={"PGSTOW_FAULT": "prune.packs.sessions:error"})
    result.error_says("the backup is made, but the cleanup after it failed")
    assert pgstow_faults.ids() == [result.id]
    assert leftovers(pgstow_faults) == []


def test_settings(pgstow, shop):
    pgstow.backup(shop)
    for args in (["--time-zone", "Mars/Olympus"], ["--keep-last", "-1"], ["--keep-tag", "novalue"],
                 ["--trash-days", "x"], ["--keep-within", "14"], ["--dead-after", "0"], ["--keep-within", "soon"]):  # fmt: skip
        pgstow.run("cleanup", *args, expect=None).error_says(args[0])
    pgstow.run("cleanup", "--time-zone", "America/New_York", "--keep-daily", "3")
