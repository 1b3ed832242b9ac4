"""sync pull: the peer's database into the one here; and what a peer asks for by plain HTTP."""

import hashlib
import json
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.cluster import A_MINUTE, wait_until
from harness.sites import ENTRY, REGISTRATION, WRITTEN, Sites

SQL = """
CREATE SCHEMA shop;
CREATE TABLE shop.customer (id int PRIMARY KEY, name text NOT NULL, demo bool NOT NULL DEFAULT false);
CREATE TABLE shop.item (id int PRIMARY KEY, customer int NOT NULL REFERENCES shop.customer, price numeric(10,2), data jsonb);
CREATE SEQUENCE shop.numbers;
"""
ROWS = """
INSERT INTO shop.customer SELECT g, 'name ' || g, g % 10 = 0 FROM generate_series(1, 200) g;
INSERT INTO shop.item SELECT g, 1 + g % 200, g * 0.25, jsonb_build_object('n', g) FROM generate_series(1, 800) g;
SELECT setval('shop.numbers', 4711);
"""

@pytest.fixture(scope="module")
def pair(cluster, other_cluster, scratch):
    """Two sites for all tests of a file; each begins with reset()."""
    made = Sites((cluster, other_cluster), tempfile.mkdtemp(dir=scratch), "", faults=True)
    yield made
    made.close()


def reset(two, of_a, of_b):
    """Both databases anew, with this in them."""
    for site, sql in ((two.a, of_a), (two.b, of_b)):
        site.sql("DROP SCHEMA IF EXISTS shop, pgstow CASCADE;" + sql)
    return two


def peer_headers(key=REGISTRATION, node="testnode"):
    return {"X-Node-ID": node, "X-Registration-Hash": hashlib.sha256(key.encode()).hexdigest(),
            "Content-Type": "application/json"}  # fmt: skip


def ask(site, path, body=None, key=REGISTRATION, node="testnode"):
    """As curl would: status, and the JSON of the answer."""
    status, _, answer = site.call("POST" if body is not None else "GET", f"/api/sync/{path}", token=None,
                                  body=json.dumps(body) if body is not None else None, headers=peer_headers(key, node))  # fmt: skip
    return status, answer


def test_initiate_backup_by_curl(sites):
    """The issue's plain request: it answers when the backup exists, and the same when it is asked again."""
    two = sites(SQL + ROWS, SQL, signed=False)
    status, answer = ask(two.a, "initiate-backup", {"sessionId": "test123"})
    assert status == 200, answer
    assert answer["success"] is True and answer["sessionId"] == "test123" and answer["rows"] == 1000
    assert answer["backupId"] in two.a.ids()
    status, again = ask(two.a, "initiate-backup", {"sessionId": "test123"})
    assert (status, again["backupId"]) == (200, answer["backupId"])
    status, progress = ask(two.a, "backup-progress?sessionId=test123")
    assert (status, progress["status"], progress["backupId"]) == (200, "TRANSFERRING", answer["backupId"])
    status, later = ask(two.a, "initiate-backup", {"sessionId": "later", "wait": False})
    assert (status, later["sessionId"]) in ((202, "later"), (200, "later"))
    # Somebody else's session is not there for others.
    status, other = ask(two.a, "backup-progress?sessionId=test123", node="somebody")
    assert (status, other["success"]) == (404, False)
    status, wrong = ask(two.a, "initiate-backup", {"sessionId": "wrong"}, key="another")
    assert (status, wrong["success"]) == (401, False)
    status, empty = ask(two.a, "initiate-backup", {"sessionId": "empty"}, key="")
    assert (status, empty["success"]) == (401, False)
    assert two.a.session("wrong") is None and two.a.session("empty") is None


def test_progress_that_is_waited_for(sites):
    """The answer comes when the backup is made; with little patience, as it is by then."""
    two = sites(SQL + ROWS, SQL, signed=False)
    follow = "backup-progress?sessionId=waited"
    with two.a.cluster.session(two.a.database) as holder:
        holder.run("BEGIN; LOCK TABLE shop.item IN ACCESS EXCLUSIVE MODE")
        assert ask(two.a, "initiate-backup", {"sessionId": "waited", "wait": False})[0] == 202
        for wait in ("", "&wait=0", "&wait=1"):
            status, progress = ask(two.a, follow + wait)
            assert (status, progress["success"]) == (200, True) and progress["status"] in ("PREPARING", "BACKING_UP")
        with ThreadPoolExecutor() as threads:
            waiting = [threads.submit(ask, two.a, follow + "&wait=10000") for _ in range(3)]
            holder.run("ROLLBACK")
            for each in waiting:
                status, progress = each.result(60)
                assert (status, progress["status"]) == (200, "TRANSFERRING"), progress
    assert progress["backupId"] in two.a.ids()
    assert ask(two.a, follow + "&wait=10001")[0] == ask(two.a, follow + "&wait=-1")[0] == 400


def test_initiate_backup_without_pg_dump(sites):
    """500 with the install hint, and a session that FAILED with that text."""
    two = sites(SQL + ROWS, SQL, signed=False)
    two.a.stop()
    two.a.start(env={"FORCE_PG_DUMP_MISSING": "1"})
    status, answer = ask(two.a, "initiate-backup", {"sessionId": "test123"})
    assert status == 500, answer
    assert answer["success"] is False and "pg_dump" in answer["error"] and "install" in answer["hint"]
    session = two.a.session("test123")
    assert (session["status"], session["error_message"]) == ("FAILED", answer["error"])
    assert session["error_hint"] == answer["hint"]
    assert two.a.ids() == []


def test_pull(pair):
    """All rows come, once; then only what is new."""
    two = reset(pair, SQL, SQL + ROWS)
    first = two.pull("--session", "first", safety=True)
    assert first.id == "first" and first.doc["rows"] == 1000 and first.doc["method"] == "backup"
    assert first.counts() == {"inserted": 1000}
    two.assert_same()
    assert int(two.a.sql("SELECT last_value FROM shop.numbers")) >= 4711
    assert two.statuses("first") == ("COMPLETED", "COMPLETED")
    assert first.doc["applied"]["safetyBackup"] in two.a.ids()
    second = two.pull()
    assert not WRITTEN & set(second.counts()) and second.doc["applied"]["safetyBackup"] is None
    two.b.sql("UPDATE shop.customer SET name = 'other' WHERE id = 7; DELETE FROM shop.item WHERE id = 9;"
              "INSERT INTO shop.item VALUES (9000, 7, 1, '{}')")  # fmt: skip
    assert {k: v for k, v in two.pull().counts().items() if k in WRITTEN} == {"inserted": 1, "updated": 1}
    assert two.pull("--merge", "mirror").counts()["deleted"] == 1
    two.assert_same()


def test_pull_into_nothing(pair):
    """A target without any tables gets the whole, by a restore."""
    two = reset(pair, "", SQL + ROWS)
    done = two.pull()
    assert done.doc["applied"]["restored"] is True and done.doc["rows"] == 1000
    two.assert_same()
    assert not WRITTEN & set(two.pull("--delta").counts())


def test_pull_into_no_database(pair):
    """One that does not exist is made; tried before, it is only said what would come."""
    two = reset(pair, "", SQL + ROWS)
    two.a.cluster.drop(two.a.database)
    tried = two.pull("--dry-run")
    assert tried.doc["applied"]["restored"] is True and tried.doc["applied"]["outcome"]["rows"] == 1000
    assert two.a.cluster.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{two.a.database}'") == "0"
    assert two.pull().doc["applied"]["restored"] is True
    two.assert_same()


def test_another_backup_is_waited_for(pair):
    """Of one database one backup is made at a time: the sync's comes behind the other, and says so."""
    two = reset(pair, SQL, SQL + ROWS)
    with two.b.pgstow.start("backup", "--entry", ENTRY, repo=False, env={"PGSTOW_FAULT": "backup.copied:stop"}) as other:
        other.wait_stopped()
        with two.start("pull", "--session", "waits") as running:
            wait_until(lambda: "it waits" in two.b.run("sync", "status", "waits", expect=None).stdout, "it does not wait", A_MINUTE)
            other.resume()
            other.wait().expect("OK")
            running.wait().expect("OK")
    two.assert_same()


def test_dry_run_changes_nothing(pair):
    two = reset(pair, SQL + "INSERT INTO shop.customer VALUES (1, 'mine');", SQL + ROWS)
    before = two.a.hashes()
    done = two.pull("--dry-run", safety=True)
    assert done.counts()["inserted"] == 999 and done.counts()["updated"] == 1
    assert done.doc["dryRun"] is True and done.doc["applied"]["safetyBackup"] is None
    assert two.a.hashes() == before
    # What it has sent is a backup as any sync's, and the sync sends it no second time: so it says.
    there, here = done.doc["sourceBackup"], done.doc["applied"]["backupId"]
    assert there in two.b.ids() and here in two.a.ids()
    with two.a.pgstow.start("sync", "pull", "b", "--entry", ENTRY, "--dry-run", repo=False) as running:
        text = running.wait(60).expect("OK").stdout
    assert "nothing was changed" in text and "stays in both repositories" in text
    assert two.a.hashes() == before and two.pull().doc["packs"] <= 1


def test_what_people_read(pair):
    """A failure says how to go on; a trial that nothing was changed."""
    two = reset(pair, SQL, SQL + ROWS)
    words = ("sync", "pull", "b", "--entry", ENTRY, "--no-safety-backup", "--session", "read")
    failed = two.a.pgstow.run(*words, repo=False, env={"PGSTOW_FAULT": "merge.written:error"}, expect=None)
    assert failed.status != 0
    failed.error_says(f"pgstow sync resume read --entry {ENTRY} goes on with it")
    two.a.pgstow.run("sync", "resume", "read", "--entry", ENTRY, repo=False).says("shop.customer", "rows in sync, session read")
    two.assert_same()
    two.a.pgstow.run("sync", "test", "b", "--entry", ENTRY, repo=False).says("nothing was changed")


def test_excluded_by_the_source(sites):
    """What the source's settings exclude never leaves it, whoever asks; and the result says so."""
    two = sites(SQL, SQL + ROWS)
    two.b.set_sync('exclude: [{name: demo, table: shop.customer, where: "demo"}]')
    refused = two.run("pull", expect="PREFLIGHT")
    assert "shop.item" in refused.json["error"]["message"]
    done = two.pull("--cascade")
    assert done.doc["leftOut"] == ["demo: shop.customer: demo"]
    assert two.a.sql("SELECT count(*), count(*) FILTER (WHERE demo) FROM shop.customer") == "180|0"
    assert two.a.sql("SELECT count(*) FROM shop.item JOIN shop.customer c ON c.id = customer") == "720"
    made = two.b.ids()
    assert "sync.exclude" in two.run("pull", "--merge", "mirror", "--cascade", expect="PREFLIGHT").json["error"]["message"]
    assert two.b.ids() == made
    two.a.set_sync("safetyBackup: false")
    part = two.pull("--where", "shop.customer: id <= 20", "--cascade", safety=True)
    assert part.doc["rows"] == 18 + 72 and len(part.doc["leftOut"]) == 2
    assert part.doc["applied"]["safetyBackup"] is None


def test_schemas_are_compared_first(pair):
    """Nothing moves where they do not fit: the list, and no backup."""
    two = reset(pair, SQL, SQL + ROWS + "ALTER TABLE shop.customer ADD COLUMN email text; CREATE TABLE shop.more (id int);")
    before = two.b.ids()
    refused = two.run("pull", expect="PREFLIGHT").json["error"]["message"]
    assert "email" in refused or "shop.more" in refused
    assert two.b.ids() == before and two.a.sql("SELECT count(*) FROM shop.customer") == "0"
    two.b.sql("DROP TABLE shop.more")
    assert "email" in two.run("pull", expect="PREFLIGHT").json["error"]["message"]
    done = two.pull("--ignore-extra-columns")
    assert done.counts()["inserted"] == 1000
    assert any("email" in d["text"] for d in done.doc["differences"])


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_a_mirror_of_some_rows(pair, direction):
    """It would delete the others: refused before anything moves, by whatever way the rows would come."""
    two = reset(pair, *([SQL, SQL + ROWS] if direction == "pull" else [SQL + ROWS, SQL]))
    before, where = (two.a.ids(), two.b.ids()), ("--merge", "mirror", "--where", "shop.item: id < 5")
    for more in (where, (*where, "--method", "http"), ("--merge", "mirror", "--exclude-table", "shop.customer", "--cascade")):
        refused = two.run(direction, *more, expect="PREFLIGHT").json
        assert "mirror" in refused["error"]["message"] and refused["sourceBackup"] is None
        assert two.statuses(refused["sessionId"]) == ("FAILED", "FAILED")
    assert (two.a.ids(), two.b.ids()) == before


def test_resume_uses_the_backup_that_is_there(pair):
    """A run that died when the peer had its backup goes on with that one."""
    two = reset(pair, SQL, SQL + ROWS)
    before = two.b.ids()
    two.run("pull", "--session", "cut", env={"PGSTOW_FAULT": "sync.pull.backed-up:kill"}, expect=None)
    backups = two.b.ids()
    assert len(backups) == len(before) + 1
    done = two.a.run("sync", "resume", "cut", "--entry", ENTRY, "--json").json
    assert done["sourceBackup"] in set(backups) - set(before) and two.b.ids() == backups
    assert two.statuses("cut") == ("COMPLETED", "COMPLETED")
    two.assert_same()


def test_the_peer_is_told_of_a_failure(pair):
    """What fails here ends the session there, with the same words; and the target is as it was."""
    two = reset(pair, SQL + "ALTER TABLE shop.customer ADD CONSTRAINT few CHECK (id < 50);", SQL + ROWS)
    two.run("pull", "--session", "bad", expect=None)
    here, there = two.wait_ended("bad")
    assert here["status"] == there["status"] == "FAILED" and "few" in there["error_message"]
    assert two.a.sql("SELECT count(*) FROM shop.customer") == "0"
    two.a.sql("ALTER TABLE shop.customer DROP CONSTRAINT few")
    two.again("pull")


def test_tell_by_text(pair):
    """What a person reads."""
    two = reset(pair, SQL, SQL + ROWS)
    with two.a.pgstow.start("sync", "pull", "b", "--entry", ENTRY, repo=False) as running:
        text = running.wait(60).expect("OK").stdout
    assert "1,000 rows in sync" in text and "INSERTED" in text and "shop.customer" in text


def test_stopped_by_hand(pair):
    """Ctrl-C here, or `sync cancel` here, while the peer backs up or before the merge: both sides say CANCELLED."""
    two = reset(pair, SQL, SQL + ROWS)
    with two.start("pull", "--session", "stopped", env={"PGSTOW_FAULT": "sync.pull.transferred:stop"}) as running:
        running.wait_stopped()
        running.process.send_signal(signal.SIGINT)
        running.resume()
        running.wait(60).expect("CANCELLED")
    assert [s["status"] for s in two.wait_ended("stopped")] == ["CANCELLED"] * 2
    with two.start("pull", "--session", "cancelled", env={"PGSTOW_FAULT": "sync.pull.transferred:stop"}) as running:
        running.wait_stopped()
        two.a.run("sync", "cancel", "cancelled", expect=None)
        running.resume()
        running.wait(60).expect("CANCELLED")
    assert [s["status"] for s in two.wait_ended("cancelled")] == ["CANCELLED"] * 2
    assert two.a.sql("SELECT count(*) FROM shop.customer") == "0"


def test_by_the_api(pair):
    """POST /api/admin/sync/full-sync runs the very command as a job."""
    two = reset(pair, SQL, SQL + ROWS)
    status, _, begun = two.a.call("POST", "/api/admin/sync/full-sync", body=json.dumps(
        {"direction": "pull", "peer": "b", "entry": ENTRY, "sessionId": "asked"}), headers={"Content-Type": "application/json"})  # fmt: skip
    assert status == 202, begun
    assert [s["status"] for s in two.wait_ended("asked")] == ["COMPLETED"] * 2
    two.assert_same()


def test_encrypted_on_one_side(sites):
    """The peer's repository opens by the key that its settings here name; into a plain one only where that is confirmed."""
    two = sites(SQL, SQL + ROWS)
    key = two.b.folder / "sealed"
    settings = two.b.folder / "pgstow.yaml"
    settings.write_text(settings.read_text().replace("backup: {", "backup: {encryption: true, ") + f"\nencryption: {{keyFile: {key}}}\n")
    two.b.stop()
    two.b.start()
    two.run("pull", expect="KEY").error_says("the repository peer:b is encrypted", "repoKeyFile")
    mine = two.a.folder / "pgstow.yaml"
    mine.write_text(mine.read_text().replace(f"entry: {ENTRY}}}", f"entry: {ENTRY}, repoKeyFile: {key}}}"))
    two.run("pull", expect="CONFIRM")
    assert two.pull("--yes").counts()["inserted"] == 1000
    two.assert_same()
    two.a.sql("UPDATE shop.customer SET name = 'back' WHERE id = 3")
    assert two.push().counts()["updated"] == 1
    two.assert_same()


@pytest.mark.parametrize("by", ["Ctrl-C", "the peer"])
def test_stopped_while_the_peer_backs_up(pair, by):
    """The peer's job waits for a lock: it is stopped along, whoever of the two wants it; and leaves no backup."""
    two = reset(pair, SQL, SQL + ROWS)
    before, name = two.b.ids(), "waits-" + by.replace(" ", "-")
    with two.b.cluster.session(two.b.database) as other:
        other.run("BEGIN; LOCK TABLE shop.item IN ACCESS EXCLUSIVE MODE")
        with two.start("pull", "--session", name) as running:
            wait_until(lambda: two.statuses(name)[1] == "BACKING_UP" and two.b.session(name)["pid"], "no backup begins", A_MINUTE)
            if by == "Ctrl-C":
                running.process.send_signal(signal.SIGINT)
            else:
                two.b.run("sync", "cancel", name)
            running.wait(60).expect("CANCELLED")
    assert [s["status"] for s in two.wait_ended(name)] == ["CANCELLED"] * 2
    assert two.b.ids() == before
    assert two.pull().counts()["inserted"] == 1000


def test_which_database_is_said(pair):
    """Where the settings have a list, libpq's default database is none of it: a sync into that one is no slip."""
    for verb in ("pull", "push", "test"):
        pair.a.run("sync", verb, "b", expect="USAGE").error_says(ENTRY)
