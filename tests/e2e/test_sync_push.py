"""sync push: the database here into the peer's, which alone says that it is done; cancel, resume, and what is kept apart."""

import pytest
from harness.cluster import A_MINUTE, wait_until
from harness.sites import ENTRY, WRITTEN
from test_sync_pull import ROWS, SQL, ask, pair, reset  # noqa: F401


def test_push(pair):
    """All rows go, once; the peer's own word is the result."""
    two = reset(pair, SQL + ROWS, SQL)
    first = two.push("--session", "first", safety=True)
    assert first.doc["rows"] == 1000 == first.doc["applied"]["rows"] and first.counts() == {"inserted": 1000}
    two.assert_same()
    assert two.statuses("first") == ("COMPLETED", "COMPLETED")
    assert first.doc["applied"]["safetyBackup"] in two.b.ids()
    second = two.push("--delta")
    assert not WRITTEN & set(second.counts()) and second.doc["applied"]["safetyBackup"] is None
    two.a.sql("UPDATE shop.item SET price = 0 WHERE id = 5; DELETE FROM shop.item WHERE id = 6")
    assert {k: v for k, v in two.push("--merge", "mirror", "--delta").counts().items() if k in WRITTEN} == {"updated": 1, "deleted": 1}
    two.assert_same()


def test_push_into_nothing(pair):
    two = reset(pair, SQL + ROWS, "")
    assert two.push().doc["applied"]["restored"] is True
    two.assert_same()
    assert not WRITTEN & set(two.push().counts())


def test_cancelled_from_the_other_side(pair):
    """The peer's `sync cancel` ends both sides, and the target is as it was."""
    two = reset(pair, SQL + ROWS, SQL)
    with two.start("push", "--session", "long", env={"PGSTOW_FAULT": "sync.push.transferred:stop"}) as running:
        running.wait_stopped()
        two.b.run("sync", "cancel", "long")
        running.resume()
        running.wait(60)
    assert two.statuses("long")[1] == "CANCELLED" and two.statuses("long")[0] in ("CANCELLED", "FAILED")
    assert two.b.sql("SELECT count(*) FROM shop.customer") == "0"
    two.again("push")


def test_resume_after_a_kill(pair):
    """Killed when all was sent, it goes on: no second backup, nothing sent again, and the counts are the target's."""
    two = reset(pair, SQL + ROWS, SQL)
    two.run("push", "--session", "killed", env={"PGSTOW_FAULT": "sync.push.transferred:kill"}, expect=None)
    backups = two.a.ids()
    assert two.b.sql("SELECT count(*) FROM shop.customer") == "0"
    done = two.a.run("sync", "resume", "killed", "--entry", ENTRY, "--json").json
    assert done["packs"] == 0 and done["applied"]["outcome"]["inserted"] == 1000
    assert two.a.ids() == backups and done["sourceBackup"] in backups
    two.assert_same()
    assert two.statuses("killed") == ("COMPLETED", "COMPLETED")
    assert two.a.run("sync", "resume", "killed", "--entry", ENTRY, expect=None).status != 0


def test_the_end_is_heard_though_the_answer_was_lost(pair):
    """The target had committed when the asking side died: resumed, that one hears so, and nothing is written again."""
    two = reset(pair, SQL + ROWS, SQL)
    two.run("push", "--session", "deaf", env={"PGSTOW_FAULT": "sync.push.applied:kill"}, expect=None)
    assert two.statuses("deaf")[1] == "COMPLETED"
    before = two.b.sql("SELECT sum(xmin::text::bigint) FROM shop.item")
    done = two.a.run("sync", "resume", "deaf", "--entry", ENTRY, "--json").json
    assert done["applied"]["outcome"]["inserted"] == 1000
    assert two.b.sql("SELECT sum(xmin::text::bigint) FROM shop.item") == before
    assert two.statuses("deaf") == ("COMPLETED", "COMPLETED")


def test_two_into_one_database(pair):
    """The second is refused with the first's id, and does no harm to it."""
    two = reset(pair, SQL + ROWS, SQL)
    with two.start("push", "--session", "one", env={"PGSTOW_FAULT": "sync.push.backed-up:stop"}) as first:
        first.wait_stopped()
        refused = two.run("push", "--session", "two", expect="BUSY").json["error"]
        assert "one" in refused["message"] and "one" in refused["hint"]
        first.resume()
        first.wait(60).expect("OK")
    two.assert_same()


def test_what_the_peer_refuses_is_said(pair):
    """A failure of the merge there is the failure here: kind, message and hint; and both sessions FAILED."""
    two = reset(pair, SQL + ROWS, SQL + "ALTER TABLE shop.customer ADD CONSTRAINT few CHECK (id < 50);")
    refused = two.run("push", "--session", "bad", expect=None)
    assert refused.status != 0 and "few" in refused.json["error"]["message"], refused
    assert two.statuses("bad") == ("FAILED", "FAILED")
    assert two.b.sql("SELECT count(*) FROM shop.customer") == "0"
    two.b.sql("ALTER TABLE shop.customer DROP CONSTRAINT few")
    done = two.a.run("sync", "resume", "bad", "--entry", ENTRY, "--json").json
    assert done["packs"] == 0 and done["applied"]["outcome"]["inserted"] == 1000
    two.assert_same()


def test_only_what_was_made_for_it_is_applied(pair):
    """A peer may name whatever backup it likes: only that of its own sync goes into the database."""
    two = reset(pair, SQL, SQL + ROWS)
    two.b.run("backup", "--entry", ENTRY)
    two.b.sql("DELETE FROM shop.item")
    status, said = ask(two.b, "session", {"sessionId": "thief", "options": {"direction": "push", "safetyBackup": False}})
    assert status == 200, said
    # Nor is anything but what the session is for.
    assert ask(two.b, "report", {"sessionId": "thief", "status": "COMPLETED"})[0] == 400
    assert ask(two.b, "initiate-backup", {"sessionId": "thief"})[0] == 400
    assert ask(two.b, "session", {"sessionId": "reader", "options": {"direction": "pull"}})[0] == 200
    assert ask(two.b, "restore-backup", {"sessionId": "reader", "backupId": two.b.ids()[0]})[0] == 400
    status, said = ask(two.b, "restore-backup", {"sessionId": "thief", "backupId": two.b.ids()[0]})
    assert status == 202, said
    wait_until(lambda: two.b.session("thief")["ended"], "it does not end", A_MINUTE)
    ended = two.b.session("thief")
    assert ended["status"] == "FAILED" and "was not made for" in ended["error_message"]
    assert two.b.sql("SELECT count(*) FROM shop.item") == "0"


@pytest.mark.parametrize("way", ["pull", "push"])
def test_tried_without_a_row(pair, way):
    """sync test: every phase, and nothing stays of it at either side."""
    two = reset(pair, SQL, SQL + ROWS)
    before, rows = (two.a.ids(), two.b.ids()), (two.a.hashes(), two.b.hashes())
    phases = ["connection", "schemas", "backup", "transfer", "restore"]

    def tried(*args, **kwargs):
        push = ("--push",) if way == "push" else ()
        return two.a.run("sync", "test", "b", "--entry", ENTRY, "--json", *push, *args, **kwargs).json

    for phase in ("restore", "transfer", "backup"):
        said = tried("--phase", phase)
        assert said["good"] is True and [f["title"] for f in said["findings"]] == phases[: phases.index(phase) + 1]
        session = two.a.sessions()[-1]
        assert two.b.session(session["id"])["rows_total"] in (0, None), "rows were backed up for a trial"
        assert session["direction"] == way and two.statuses(session["id"]) == ("COMPLETED", "COMPLETED")
        wait_until(lambda: (two.a.ids(), two.b.ids()) == before, "the trial's backups stay", A_MINUTE)
    assert (two.a.hashes(), two.b.hashes()) == rows
    if way == "pull":
        two.b.stop()
        said = tried("--phase", "backup", expect="NETWORK")
        assert said["good"] is False and said["findings"][-1]["level"] == "problem"
        two.b.start()


def test_after_a_death_the_next_one_goes_at_once(pair):
    """The peer may take the dead one's session for alive for a minute: it is told."""
    two = reset(pair, SQL + ROWS, SQL)
    two.run("push", "--session", "dead", env={"PGSTOW_FAULT": "sync.push.backed-up:kill"}, expect=None)
    assert two.push().counts()["inserted"] == 1000
    assert two.statuses("dead") == ("FAILED", "FAILED")


def test_both_ways(pair):
    """A site that was a target is a source as well: what it keeps of its own syncs is no row of anybody."""
    two = reset(pair, SQL + ROWS, SQL)
    two.push()
    two.b.sql("INSERT INTO shop.customer VALUES (500, 'of b')")
    assert two.pull().counts()["inserted"] == 1
    two.a.sql("INSERT INTO shop.customer VALUES (501, 'of a')")
    assert {k: v for k, v in two.push("--delta").counts().items() if k in WRITTEN} == {"inserted": 1}
    two.assert_same()
    assert not WRITTEN & set(two.pull("--merge", "mirror").counts())


def test_without_pg_dump(pair):
    """The method http is taken by itself, in either direction."""
    two = reset(pair, SQL + ROWS, SQL)
    done = two.push(env={"FORCE_PG_DUMP_MISSING": "1"})
    assert done.doc["method"] == "http" and done.counts()["inserted"] == 1000
    two.assert_same()
    two.b.stop()
    two.b.start(env={"FORCE_PG_DUMP_MISSING": "1"})
    two.b.sql("UPDATE shop.customer SET name = 'other' WHERE id = 7")
    done = two.pull("--session", "fallback")
    assert done.doc["method"] == "http" and done.counts()["updated"] == 1
    assert two.statuses("fallback") == ("COMPLETED", "COMPLETED")
    two.run("pull", "--method", "backup", expect="TOOL_MISSING")
    two.b.stop()
    two.b.start()
