"""What a peer that is let in, and means no good, cannot do; and what strangers leave behind."""

import hashlib
import sqlite3
import tempfile

import pytest
from harness.cluster import wait_until
from harness.sites import ENTRY, Sites
from test_sync_pull import ROWS, SQL, ask, peer_headers, reset


@pytest.fixture(scope="module")
def pair(cluster, other_cluster, scratch):
    made = Sites((cluster, other_cluster), tempfile.mkdtemp(dir=scratch), "", signed=False)
    yield made
    made.close()


def ended(site, name):
    wait_until(lambda: ask(site, f"session?sessionId={name}")[1]["status"] == "FAILED", "the session goes on")
    return ask(site, f"session?sessionId={name}")[1]


def test_no_backup_goes_as_a_trial(pair):
    """The backup of a trial is deleted when the trial ends: which one that is the peer does not choose."""
    two = reset(pair, SQL + ROWS, SQL)
    two.a.run("backup", "--entry", ENTRY)
    victim, name = two.a.ids()[-1], "evil"
    opened = {"sessionId": name, "options": {"direction": "push", "test": True}}
    assert ask(two.a, "session", opened)[0] == 200
    assert ask(two.a, "restore-backup", {"sessionId": name, "backupId": victim})[0] == 202
    assert "was not made for" in ended(two.a, name)["error"]
    assert ask(two.a, "session", opened | {"resume": True})[0] == 200
    assert ask(two.a, "report", {"sessionId": name, "status": "FAILED", "error": "no"})[1]["status"] == "FAILED"
    assert ask(two.a, "session", opened | {"sessionId": "evil-2"})[0] == 200
    for other in (name, "evil-2"):  # behind the end, and with it
        assert ask(two.a, "report", {"sessionId": other, "status": "COMPLETED", "backupId": victim})[0] == 200
    with sqlite3.connect(two.a.folder / "state/state.db") as db:
        assert not list(db.execute("SELECT id FROM job WHERE kind = 'delete'"))
    assert victim in two.a.ids()
    assert two.a.session(name)["error_message"] == "peer testnode: no"  # whose words these are


def test_a_condition_stays_one(pair):
    """One that reads otherwise here than at the server does not end ours: sync.exclude stands behind it."""
    two = reset(pair, SQL + ROWS, SQL)
    for trick in ("true --\r) OR (true", "E'a'\n'\\'' <> '' ) OR (E'\\'' <> ''"):
        name = f"t{len(trick)}"
        body = {"sessionId": name, "options": {"direction": "pull", "where": [f"shop.customer: {trick}"]}}
        assert ask(two.a, "session", body)[0] == 200
        status, answer = ask(two.a, "initiate-backup", {"sessionId": name})
        assert (status, answer["kind"]) == (400, "USAGE") and "parenthesis" in answer["error"], answer


def test_no_conditions_of_a_peer(sites):
    """sync.peerFilters: SQL of a peer's does not come in with a pull; one's own goes out with a push."""
    two = sites(SQL + ROWS, SQL)
    two.b.set_sync("peerFilters: false")
    for way in (), ("--method", "http"):
        for sql in ("--where", "shop.customer: id < 5"), ("--mask", "shop.customer.name: 'x'", "--yes"):
            two.run("pull", *sql, *way, expect="PREFLIGHT").error_says("peer b", "sync.peerFilters")
    assert not two.b.sessions()
    two.push("--where", "shop.customer: id < 5", "--cascade")
    assert two.b.sql("SELECT count(*) FROM shop.customer") == "4"
    two.pull()


def test_no_conditions_by_way_of_another_entry(sites):
    """A session of an entry that takes none is told of some by naming another, which does."""
    two = sites(SQL + ROWS, SQL, signed=False)
    settings, name = two.a.folder / "pgstow.yaml", "roundabout"
    line = next(line for line in settings.read_text().splitlines() if line.startswith(f"- {{name: {ENTRY},"))
    other = line.replace(ENTRY, "open")
    settings.write_text(settings.read_text().replace(line, line[:-1] + ", sync: {peerFilters: false}}\n" + other))
    two.a.stop()
    two.a.start()
    body = {"sessionId": name, "options": {"direction": "pull", "where": ["shop.customer: pg_sleep(0) IS NOT NULL"]}}
    assert ask(two.a, "session", body | {"entry": ENTRY})[0] == 412
    assert ask(two.a, "session", {"sessionId": name, "entry": ENTRY, "options": {"direction": "pull"}})[0] == 200
    assert ask(two.a, "session", body | {"entry": "open"})[0] == 200  # still that of the first entry
    status, answer = ask(two.a, "initiate-backup", {"sessionId": name})
    assert (status, answer["kind"]) == (412, "PREFLIGHT") and "sync.peerFilters" in answer["error"], answer
    assert not two.a.ids()


def test_no_definitions_of_a_peer(sites):
    """sync.definitions: a target that has nothing stays so, also where it had tables when the sync began."""
    two = sites(SQL + ROWS, "", faults=True)
    two.b.set_sync("definitions: false")
    refused = two.run("push", expect="PREFLIGHT")
    refused.error_says("sync.definitions", "pg_dump --schema-only")
    assert not two.b.ids() and two.b.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'") == "0"
    two.b.sql(SQL)
    trial = two.start("push", env={"PGSTOW_FAULT": "sync.push.transferred:stop"})
    with trial as running:
        assert running.wait_stopped()
        two.b.sql("DROP SCHEMA shop CASCADE")
        running.resume()
        running.wait().expect("PREFLIGHT").error_says("sync.definitions")
    assert two.b.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'") == "0"
    two.b.sql(SQL)
    two.push()
    two.assert_same()
    two.a.set_sync("definitions: false")
    two.a.sql("DROP SCHEMA shop CASCADE")
    two.run("pull", expect="PREFLIGHT").error_says("sync.definitions")


def test_options_are_bounded(pair):
    two = reset(pair, SQL, SQL)
    many = {"sessionId": "large", "options": {"direction": "pull", "where": ["x" * 1000] * 300}}
    assert ask(two.a, "session", many)[0] == 413
    assert two.a.session("large") is None


def put(site, session, name, content):
    """An object of a push in one piece."""
    digest = hashlib.sha256(content).hexdigest()
    path = f"/api/sync/receive-backup?sessionId={session}&name={name}&sha256={digest}&whole={digest}"
    return site.call("POST", path, token=None, body=content, headers=peer_headers())


def test_only_the_manifest_of_this_sync(pair):
    """What is no manifest, or another backup's, is refused before it is there: one that cannot be read stops prune."""
    two = reset(pair, SQL + ROWS, SQL)
    two.a.run("backup", "--entry", ENTRY)
    backup = two.a.ids()[-1]
    manifest = (two.a.folder / f"repo/backups/{backup}.manifest").read_bytes()
    two.b.run("backup", "--entry", ENTRY)
    there = two.b.ids()
    assert ask(two.b, "session", {"sessionId": "m1", "options": {"direction": "push"}})[0] == 200
    for name, content, kind in ((f"{backup}x", b"junk", "DAMAGED"), (f"{backup}x", manifest, "DAMAGED"),
                                (f"{backup}x", manifest[:-1], "DAMAGED"), (backup, manifest, "REFUSED")):  # fmt: skip
        if name in there:
            continue
        status, _, answer = put(two.b, "m1", f"backups/{name}.manifest", content)
        assert answer["success"] is False and answer["error"]["kind"] == kind, answer
    assert two.b.ids() == there
    two.b.run("verify", "--level", "quick")
    assert ask(two.b, "report", {"sessionId": "m1", "status": "FAILED"})[0] == 200


def test_manifests_take_no_memory(pair):
    """Those that are begun, and never ended, are held in memory up to a bound; what was held is given back."""
    two = reset(pair, SQL, SQL)
    piece = b"x" * (4 << 20)
    digest = hashlib.sha256(piece).hexdigest()

    def begin(number, offset):
        path = f"/api/sync/receive-backup?sessionId=m2&name=backups/m{number}.manifest&sha256={digest}&offset={offset}"
        return two.b.call("POST", path, token=None, body=piece, headers=peer_headers())[0]

    assert ask(two.b, "session", {"sessionId": "m2", "options": {"direction": "push"}})[0] == 200
    answers = [begin(number, offset << 20) for number in range(5) for offset in (0, 4, 8, 12)]
    assert answers == [200] * 16 + [429] * 1 + [409] * 3, answers
    assert ask(two.b, "report", {"sessionId": "m2", "status": "FAILED"})[0] == 200
    begun = two.b.folder / "repo/tmp"
    wait_until(lambda: {p.name for p in begun.iterdir()} <= {"reserve"}, "what was begun stays")
    assert ask(two.b, "session", {"sessionId": "m3", "options": {"direction": "push"}})[0] == 200
    path = f"/api/sync/receive-backup?sessionId=m3&name=backups/m.manifest&sha256={digest}"
    assert two.b.call("POST", path, token=None, body=piece, headers=peer_headers())[0] == 200
    assert ask(two.b, "report", {"sessionId": "m3", "status": "FAILED"})[0] == 200


def test_a_source_that_sends_something_else(pair):
    """What does not decode to what its manifest says is nowhere written; and the way out is said."""
    two = reset(pair, SQL, SQL + ROWS)
    two.b.run("backup", "--entry", ENTRY)
    for pack in (two.b.folder / "repo/packs").rglob("*-*"):
        content = bytearray(pack.read_bytes())
        content[len(content) // 4 :: 1000] = bytes(b ^ 255 for b in content[len(content) // 4 :: 1000])
        pack.chmod(0o600)
        pack.write_bytes(content)
    said = two.run("pull", expect="DAMAGED").json["error"]
    assert "pgstow verify" in said["hint"], said
    assert two.a.sql("SELECT count(*) FROM shop.customer") == "0"
    two.b.run("verify", "--entry", ENTRY, expect="DAMAGED")
    two.pull()
    two.assert_same()


def test_hostile_words(pair):
    """Names and columns of a peer's are names, and nothing else."""
    two = reset(pair, SQL + ROWS, SQL + "INSERT INTO shop.customer VALUES (1, 'here')")
    evil = "x\"; DROP TABLE shop.item; --"
    for n, more in enumerate(({"onConflict": f"newest:{evil}"}, {"keys": [f"shop.customer: {evil}"]}, {"keys": [evil]}, {})):
        name = f"w{n}"
        options = {"direction": "push", "method": "http", **more}
        status, answer = ask(two.b, "session", {"sessionId": name, "options": options})
        if status != 200:
            assert status == 400, answer
            continue
        table = {"schema": "shop", "name": "customer" if more else evil, "columns": ["id", evil]}
        total = {"schema": "shop", "name": table["name"], "rows": 1,
                 "sha256": hashlib.sha256(b"1\tb\n").hexdigest()}  # fmt: skip
        batch = {"sessionId": name, "seq": 1, "table": table, "rows": [["1", "b"]], "tables": [total], "last": True}
        assert ask(two.b, "receive", batch)[0] == 200
        assert ask(two.b, "restore-backup", {"sessionId": name})[0] == 202
        assert ended(two.b, name)["success"] is False
    assert two.b.sql("SELECT count(*), min(name) FROM shop.customer") == "1|here"
    assert two.b.sql("SELECT to_regclass('shop.item') IS NOT NULL") == "t"


def test_strangers_do_not_fill_the_audit_log(pair):
    """A flood of refusals leaves some lines, and not one each. (The last test: the address is locked out behind it.)"""
    two = reset(pair, SQL, SQL)
    for _ in range(150):
        assert ask(two.b, "initiate-backup", {"sessionId": "x"}, key="a guess")[0] in (401, 429)
        assert two.b.call("POST", "/api/sync/initiate-backup", token=None, body="{}")[0] == 401
        assert two.b.call("POST", "/api/v1/backups", token=None, body="{}")[0] == 401
    with sqlite3.connect(two.b.folder / "state/state.db") as db:
        lines = db.execute("SELECT count(*) FROM audit WHERE outcome = 'refused'").fetchone()[0]
    assert 20 <= lines <= 240, lines
