"""Sync sessions: what the command line and the API show of them and do to them, whoever runs them; and advisory locks
whose holders nobody works behind any more. Syncs themselves are test_sync.py's."""

import json
import os
import re
import sqlite3
import subprocess
import time

import pytest
from harness import trials
from harness.api import Api
from harness.cluster import A_MINUTE, wait_until
from harness.exposition import Scrape

MERGE_KEY = "1885828980, 1835364967"


def boot():
    with open("/proc/sys/kernel/random/boot_id") as f:
        return f"{f.read().strip()} {os.readlink('/proc/self/ns/pid')}"


def start_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rpartition(")")[2].split()[19])


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def put(state, name, pid=0, silent=0, **columns):
    """A session as another process has it in the state: `silent`, for so many seconds."""
    now = int(time.time() * 1000)
    row = dict(id=name, role="initiator", direction="pull", status="TRANSFERRING", peer="berlin", entry="", database="shop",
               method="backup", actor="anna", created=now - 1000, started=now - 1000, heartbeat=now - silent * 1000,
               beat_mono=int((time.monotonic() - silent) * 1000), boot=boot(), pid=pid or None,
               pid_start=start_of(pid) if pid and os.path.exists(f"/proc/{pid}") else 1 if pid else None)  # fmt: skip
    row.update(columns)
    with sqlite3.connect(state, timeout=20) as db:
        names = ", ".join(row)
        db.execute(f"INSERT INTO full_sync_sessions ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def read(state, name, column, role="initiator"):
    with sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=20) as db:
        return db.execute(f"SELECT {column} FROM full_sync_sessions WHERE id = ? AND role = ?", (name, role)).fetchone()[0]


@pytest.fixture
def sync(pgstow, folder):
    """Runs `pgstow sync ...` with a state of the test's own, which is there."""
    env = {"PGSTOW_STATE_DIR": str(folder / "state")}

    def run(*args, **kwargs):
        return pgstow.run("sync", *args, repo=False, env=env, **kwargs)

    run.state = folder / "state/state.db"
    pgstow.run("token", "add", "x", "--role", "viewer", repo=False, env=env)
    return run


# ---------------------------------------------------------------- sessions, at the command line


def test_without_a_state_there_is_none(pgstow, folder):
    pgstow.run("sync", "status", repo=False, env={"PGSTOW_STATE_DIR": str(folder / "none")}, expect="NOT_FOUND").error_says("no state")
    assert not (folder / "none").exists()


def test_status_and_history(sync):
    sync("status").says("no sync is under way")
    sync("history").says("no sync yet")
    now = int(time.time() * 1000)
    put(sync.state, "one", pid=os.getpid(), phase="copying packs", bytes_done=1_500_000, bytes_total=3_000_000, wire_bytes=700_000,
        speed=250_000, completion=now + 60_000)  # fmt: skip
    put(sync.state, "two", status="COMPLETED", ended=now, role="remote", direction="push", backup="shop-20240115T103000Z")
    sync("status").says(r"one\s+pull\s+berlin\s+shop\s+TRANSFERRING\s+backup", r"copying packs, 1.50 MB of 3.00 MB, \d+.*s left")
    assert "two" not in sync("status").stdout
    sync("history").says(r"two\s+push \(asked by peer\)\s+berlin\s+shop\s+COMPLETED.*shop-20240115T103000Z", r"one\s+pull")
    sync("status", "one").says("status +TRANSFERRING", "phase +copying packs", r"done +1.50 MB of 3.00 MB", "on the wire +700 kB",
                               r"speed +250 kB/s", "heartbeat", "by +anna")  # fmt: skip
    listed = sync("history", "--json").json
    assert [s["sessionId"] for s in listed["sessions"]] == ["two", "one"] and listed["more"] is False
    one = sync("status", "one", "--json").json["sessions"][0]
    assert (one["direction"], one["role"], one["method"], one["phase"]) == ("pull", "initiator", "backup", "copying packs")
    assert (one["bytesDone"], one["bytesTotal"], one["wireBytes"], one["transferSpeed"]) == (1_500_000, 3_000_000, 700_000, 250_000)
    assert one["estimatedCompletion"].endswith("Z") and one["heartbeat"].endswith("Z") and one["error"] is None and one["log"] == []
    assert [s["sessionId"] for s in sync("history", "--limit", "1", "--json").json["sessions"]] == ["two"]
    sync("status", "three", expect="NOT_FOUND").error_says("three", "sync history")
    sync("statsu", expect="USAGE").error_says("did you mean status")


@pytest.mark.parametrize("how", ["killed", "silent", "restarted"])
def test_a_dead_one_is_seen_whoever_looks(sync, how):
    """Its process is gone; it says nothing; the host was restarted."""
    facts = {"killed": {"pid": dead_pid()}, "silent": {"silent": 61}, "restarted": {"pid": os.getpid(), "boot": "before pid:[1]"}}[how]
    why = {"killed": r"its process \(pid \d+\) is gone", "silent": r"nothing was heard of it for 1 min (\d+) s",
           "restarted": "its host was restarted"}[how]  # fmt: skip
    began = time.monotonic()
    put(sync.state, "one", **facts)
    put(sync.state, "two", silent=50)
    sync("status").says("two")
    took = time.monotonic() - began
    assert "one" not in sync("status").stdout
    shown = sync("status", "one").says("status +FAILED", "error +FENCED", f"{why} while it was TRANSFERRING", "sync resume")
    told = re.search(f"error: FAILED: {why}", shown.stdout)  # its log
    assert told and (how != "silent" or 1 <= int(told[1]) <= 2 + took), shown


def test_clear_stuck(sync):
    sync("clear-stuck").says("no session is stuck")
    put(sync.state, "dead", pid=dead_pid())
    put(sync.state, "lives", pid=os.getpid())
    cleared = sync("clear-stuck").says("dead", "is FAILED: its process")
    assert "lives" not in cleared.stdout
    assert read(sync.state, "dead", "status") == "FAILED" and read(sync.state, "lives", "status") == "TRANSFERRING"
    sync("clear-stuck").says("no session is stuck")
    # One that lives: only where it is named, and meant.
    sync("clear-stuck", "lives", expect="CONFIRM").error_says("lives", "--yes")
    assert read(sync.state, "lives", "status") == "TRANSFERRING"
    sync("clear-stuck", "lives", "--yes").says("cleared by hand")
    assert read(sync.state, "lives", "status") == "FAILED"
    sync("clear-stuck", "lives", "--yes", expect="EXISTS")
    sync("clear-stuck", "none", "--yes", expect="NOT_FOUND")
    put(sync.state, "dead2", silent=100)
    done = sync("clear-stuck", "dead2", "--json").json["sessions"]
    assert [(s["sessionId"], s["status"], s["error"]["kind"]) for s in done] == [("dead2", "FAILED", "FENCED")]


def test_cancel(sync):
    put(sync.state, "lives", pid=os.getpid())
    put(sync.state, "requests", role="remote")
    sync("cancel", "lives").says("asked to stop")
    assert read(sync.state, "lives", "cancel_requested") == 1 and read(sync.state, "lives", "status") == "TRANSFERRING"
    sync("status").says("is being cancelled")
    sync("cancel", "requests").says("requests.*CANCELLED")
    sync("cancel", "requests", expect="EXISTS").error_says("CANCELLED")
    sync("cancel", "none", expect="NOT_FOUND")
    sync("cancel", expect="USAGE")


# ---------------------------------------------------------------- advisory locks


def locks(result):
    return {lock["key"]: lock for lock in result.json["locks"]}


def idle(cluster, database, count=1):
    """Until so many sessions have said what they had to."""
    wait_until(lambda: len(cluster.rows(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND state LIKE 'idle%'")) >= count,
               "nobody is idle")  # fmt: skip


def test_clear_locks(sync, cluster, database):
    name = database("CREATE TABLE t (id int PRIMARY KEY)")
    sync("clear-locks", db=name).says("nobody holds an advisory lock in")
    with cluster.session(name) as stale, cluster.session(name) as within, cluster.session(name) as busy, cluster.session(name) as waits:
        stale.run("SET application_name = 'migrate'; SELECT pg_advisory_lock(72707369); SELECT pg_advisory_lock_shared(7, -8)")
        within.run("BEGIN; SELECT pg_advisory_xact_lock(5)")
        busy.send("SELECT pg_advisory_lock(-6), pg_sleep(100)")
        wait_until(lambda: cluster.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 4294967290"), "no lock")
        migration = waits.send("SELECT pg_advisory_lock(72707369)")
        wait_until(lambda: cluster.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), "nobody waits")
        idle(cluster, name, 2)
        # Idle for a moment is not stale.
        sync("clear-locks", db=name).says(r"72707369 \(Prisma's migrations\)\s+1\s+recent", "none is stale", "PID --yes")
        seen = locks(sync("clear-locks", "--json", "--yes", db=name))
        assert {key: lock["verdict"] for key, lock in seen.items()} == {"72707369": "recent", "7, -8": "recent", "5": "recent",
                                                                        "-6": "active"}  # fmt: skip
        assert not any(lock["ended"] for lock in seen.values())
        # It is shown whose they are.
        first = seen["72707369"]
        assert (first["application"], first["state"], first["waiting"], first["mode"]) == ("migrate", "idle", 1, "ExclusiveLock")
        assert seen["7, -8"]["pid"] == first["pid"] and seen["7, -8"]["mode"] == "ShareLock" and first["connected"].endswith("Z")
        assert seen["5"]["state"] == "idle in transaction" and seen["-6"]["state"] == "active"
        # Stale ones, looked at.
        listed = sync("clear-locks", "--idle-for", "0s", db=name).says("stale: 3; --yes ends them", r"active: it is at work")
        assert "ended" not in listed.stdout
        # And ended: all but who works. The migration that waited has its lock.
        done = sync("clear-locks", "--idle-for", "0s", "--yes", db=name).says("2 sessions ended, 0 could not be")
        assert done.stdout.count("ended\n") >= 3, done
        waits.wait(migration)
        left = lambda: cluster.rows("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        wait_until(lambda: len(left()) == 2, "who was ended holds a lock")  # it ends a moment after it was told to
        assert [str(first["pid"])] not in [list(map(str, row)) for row in left()]
        sync("clear-locks", str(seen["-6"]["pid"]), "--yes", "--json", db=name)  # named, and still not ended
        assert cluster.rows(f"SELECT state FROM pg_stat_activity WHERE pid = {seen['-6']['pid']}")[0][0] == "active"
        sync("clear-locks", "999999", db=name, expect="NOT_FOUND")
        sync("clear-locks", "x", db=name, expect="USAGE")
        cluster.sql(f"SELECT pg_terminate_backend({seen['-6']['pid']})")


def test_locks_of_other_databases_are_left_alone(sync, cluster, database):
    one, other = database(), database()
    with cluster.session(other) as holder:
        holder.run("SELECT pg_advisory_lock(1)")
        idle(cluster, other)
        assert sync("clear-locks", "--idle-for", "0s", "--yes", "--json", db=one).json["locks"] == []
        assert holder.run("SELECT 1") == "1"


def test_locks_of_pgstow(sync, cluster, database):
    """Of a sync that lives here they are never ended; of one that nobody here knows where its process is named."""
    name = database()
    with cluster.session(name) as holder:
        holder.run(f"SET application_name = 'pgstow'; SELECT pg_advisory_lock({MERGE_KEY})")
        idle(cluster, name)
        pid = holder.run("SELECT pg_backend_pid()")
        seen = locks(sync("clear-locks", "--idle-for", "0s", "--yes", "--json", db=name))[MERGE_KEY]
        assert (seen["verdict"], seen["ended"]) == ("elsewhere", False) and "merge" in seen["known"]
        target = "/".join(cluster.rows("SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = "
                                       f"'{name}') FROM pg_control_system()")[0])  # fmt: skip
        put(sync.state, "lives", pid=os.getpid(), target=target)
        refused = locks(sync("clear-locks", pid, "--idle-for", "0s", "--yes", "--json", db=name))[MERGE_KEY]
        assert (refused["verdict"], refused["ended"]) == ("live", False) and "lives" in refused["why"]
        sync("clear-stuck", "lives", "--yes")
        sync("clear-locks", pid, "--yes", db=name).says("1 session ended")
    wait_until(lambda: not cluster.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"), "it is held")


def test_what_may_not_be_seen_or_ended(sync, cluster, database):
    """A user without rights sees that there is somebody, ends nobody, and is told so."""
    name = database()
    role = cluster.fresh_name("role")
    cluster.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        with cluster.session(name) as holder:
            holder.run("SELECT pg_advisory_lock(1)")
            idle(cluster, name)
            url = cluster.url(name, user=role, password="x")
            hidden = locks(sync("clear-locks", "--idle-for", "0s", "--yes", "--json", db=url))["1"]
            assert (hidden["verdict"], hidden["ended"], hidden["state"]) == ("hidden", False, None)
            sync("clear-locks", db=url).says("hidden: what it does is hidden from this user: pg_read_all_stats")
            cluster.sql(f"GRANT pg_read_all_stats TO {role}")
            failed = sync("clear-locks", "--idle-for", "0s", "--yes", db=url, expect="PARTIAL").says("not ended: ")
            assert holder.run("SELECT 1") == "1", failed
    finally:
        cluster.sql(f"DROP ROLE {role}")


def test_a_prepared_transaction_holds_it(sync, cluster, database):
    if cluster.rows("SHOW max_prepared_transactions")[0][0] == "0":
        pytest.fail("the tests' servers have prepared transactions")
    name = database()
    cluster.sql("BEGIN; SELECT pg_advisory_xact_lock(1); PREPARE TRANSACTION 'mine'", name)
    try:
        seen = locks(sync("clear-locks", "--idle-for", "0s", "--yes", "--json", db=name))["1"]
        assert (seen["pid"], seen["verdict"], seen["prepared"]) == (None, "prepared", "mine")
        sync("clear-locks", db=name).says("prepared transaction mine")
    finally:
        cluster.sql("ROLLBACK PREPARED 'mine'", name)


def test_a_merge_says_who_is_in_its_way(pgstow, cluster, database):
    name = database("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    backup = pgstow.backup(name)
    with cluster.session(name) as holder:
        holder.run(f"SET application_name = 'pgstow sync'; SELECT pg_advisory_lock({MERGE_KEY})")
        pid = holder.run("SELECT pg_backend_pid()")
        pgstow.restore(backup, name, "--merge", "upsert", "--lock-wait", "0s", "--yes", expect="DB_IN_USE").error_says(
            f"another merge is running into it: process {pid} of user .*\\(pgstow sync\\)", "sync clear-locks")  # fmt: skip


# ---------------------------------------------------------------- the API


PEER = 'sync: {nodeId: here}\npeers:\n- {name: berlin, url: "http://192.0.2.1:1", nodeId: berlin, entry: e0}\n'


@pytest.fixture(scope="module")
def api(cluster, module_folder):
    made = Api(cluster, module_folder, more=PEER, env={"SYNC_REGISTRATION_KEY": "of the tests, long enough"})
    made.state = module_folder / "state/state.db"
    yield made
    made.stop()
    cluster.drop(*made.names)


@pytest.fixture(params=["/api/admin/sync/full-sync", "/api/admin/sync/initial-load"])
def path(request):
    return request.param


def ask(api, method, path, body=None, token="admin"):
    status, _, answer = api.call(method, path, token, json.dumps(body) if body is not None else None)
    return status, answer


def test_start_over_the_api(api, path):
    """A job is begun for it; whatever becomes of that, the session says so, and what it was."""
    status, begun = ask(api, "POST", path, {"direction": "pull", "peer": "berlin", "entry": "e0", "dryRun": True, "where": ["t:id > 1"]})
    assert status == 202, begun
    name = begun["sessionId"]
    job = api.job(begun["job"])
    assert (job["kind"], job["entry"], job["status"]) == ("sync-dry-run", "e0", "failed"), job
    assert job["arguments"]["words"] == ["sync", "pull", f"--session={name}", "--where=t:id > 1", "--dry-run", "--", "berlin"]

    def session():
        return ask(api, "GET", f"{path}/{name}")[1]["sessions"][0]

    wait_until(lambda: session()["ended"], "the session never ended")
    ended = session()
    assert (ended["status"], ended["role"], ended["direction"], ended["peer"]) == ("FAILED", "initiator", "pull", "berlin")
    assert ended["error"]["kind"] == job["error"]["kind"] and ended["error"]["message"] == job["error"]["message"], (ended, job)
    assert ended["jobId"] == begun["job"] and ended["log"][0]["line"].startswith("PREPARING: pull, peer berlin")
    assert ended["log"][-1]["line"].startswith("FAILED: ") and ended["moreLog"] is False
    # The same once more is another one; this one goes on only where that is asked for.
    assert ask(api, "POST", path, {"direction": "pull", "peer": "berlin", "entry": "e0", "sessionId": name})[0] == 409
    status, begun = ask(api, "POST", path, {"resume": True, "sessionId": name})
    assert status == 202 and begun["sessionId"] == name, begun
    api.job(begun["job"])
    assert session()["attempt"] == 2


def test_a_second_one_is_refused_with_the_first_ones_id(api, path):
    name = f"first-{path[-4:]}"
    put(api.state, name, pid=os.getpid(), place="entry e1", entry="e1", status="RESTORING")
    status, refused = ask(api, "POST", path, {"direction": "pull", "peer": "berlin", "entry": "e1"})
    assert status == 409 and refused["error"]["kind"] == "BUSY", refused
    assert f"session {name} (pull, peer berlin, RESTORING" in refused["error"]["message"]
    assert f"pgstow sync cancel {name}" in refused["error"]["hint"]
    # Into another database, or out of this one, there is nothing against it.
    status, begun = ask(api, "POST", path, {"direction": "push", "peer": "berlin", "entry": "e1"})
    assert status == 202, begun
    ask(api, "DELETE", f"{path}?sessionId={begun['sessionId']}")  # or the next push would be refused
    wait_until(lambda: read(api.state, begun["sessionId"], "ended"), "the push goes on")
    # It is stopped from here, too: whoever works for it hears so.
    status, told = ask(api, "DELETE", f"{path}?sessionId={name}")
    assert status == 202 and told["sessions"][0]["cancelRequested"] is True, told
    assert read(api.state, name, "cancel_requested") == 1
    with sqlite3.connect(api.state, timeout=20) as db:
        db.execute("UPDATE full_sync_sessions SET pid = 1, pid_start = 1 WHERE id = ?", (name,))
    listed = ask(api, "GET", f"{path}?sessionId={name}")[1]["sessions"]
    assert listed[0]["status"] == "FAILED"  # and nobody waits for it
    assert ask(api, "DELETE", f"{path}/{name}")[0] == 409
    assert ask(api, "DELETE", f"{path}/none")[0] == 404


def test_lists_over_the_api(api):
    path = "/api/admin/sync/full-sync"
    put(api.state, "both", pid=os.getpid())
    put(api.state, "both", role="remote", status="COMPLETED", ended=int(time.time() * 1000))
    found = ask(api, "GET", f"{path}/both")[1]["sessions"]
    assert [(s["role"], s["status"]) for s in found] == [("remote", "COMPLETED"), ("initiator", "TRANSFERRING")]
    live = ask(api, "GET", f"{path}?live=true&role=initiator")[1]["sessions"]
    assert "both" in [s["sessionId"] for s in live] and all(s["ended"] is None for s in live)
    page = ask(api, "GET", f"{path}?limit=1")[1]
    assert len(page["sessions"]) == 1 and page["more"] is True
    rest = ask(api, "GET", f"{path}?before={page['sessions'][0]['number']}")[1]["sessions"]
    assert rest and page["sessions"][0]["number"] not in [s["number"] for s in rest]
    assert ask(api, "GET", f"{path}?status=COMPLETED&live=true")[0] == 400
    assert ask(api, "GET", f"{path}/none")[0] == 404
    ask(api, "DELETE", f"{path}/both")


def test_what_is_wrong_and_who_may(api, path):
    good = {"direction": "pull", "peer": "berlin", "entry": "e0"}
    assert ask(api, "POST", path, {**good, "peer": "paris"})[0] == 404
    assert "berlin" in ask(api, "POST", path, {**good, "peer": "paris"})[1]["error"]["hint"]
    for wrong in ({"peer": "berlin", "entry": "e0"}, {**good, "direction": "both"}, {**good, "sessionId": "../x"}, {"resume": True},
                  {**good, "merge": "no"}, {**good, "unknown": 1}):  # fmt: skip
        assert ask(api, "POST", path, wrong)[0] == 400, wrong
    assert ask(api, "POST", path, {**good, "entry": "none"})[0] == 404
    assert ask(api, "POST", path, {"resume": True, "sessionId": "none"})[0] == 404
    for token, method, allowed in (("operator", "POST", False), ("viewer", "DELETE", False), ("viewer", "GET", True)):
        status = ask(api, method, path, good if method == "POST" else None, token)[0]
        assert (status == 403) != allowed, (token, method, status)
    assert api.call("GET", path, None)[0] == 401


def test_the_service_sees_dead_ones_by_itself(api):
    put(api.state, "unseen", pid=dead_pid(), database="other")
    wait_until(lambda: read(api.state, "unseen", "status") == "FAILED", "the service never looked")


def test_metrics(api):
    now = int(time.time() * 1000)
    put(api.state, "good", peer="rome", status="COMPLETED", ended=now, wire_bytes=70)
    put(api.state, "bad", peer="rome", status="FAILED", ended=now, wire_bytes=7)
    of = {"peer": "rome", "database": "shop", "direction": "pull", "role": "initiator"}
    told = Scrape(api.call("GET", "/metrics", "viewer")[2])
    assert told.get("pgstow_sync_sessions", status="FAILED", **of) == told.get("pgstow_sync_sessions", status="COMPLETED", **of) == 1
    assert told.get("pgstow_sync_sessions", status="RESTORING", **of) == 0
    assert told.get("pgstow_sync_last_success_timestamp_seconds", **of) == now / 1000
    assert told.get("pgstow_sync_wire_bytes", **of) == 77


# ---------------------------------------------------------------- with a peer


SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE item (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer);
"""
ROWS = "INSERT INTO customer SELECT g, 'n ' || g FROM generate_series(1, 50) g; INSERT INTO item SELECT g, g FROM generate_series(1, 50) g"


def test_both_sides_know_it(sites):
    """Begun over the API, seen on both sides; a second one into the database is refused while it is under way; stopped
    over the API, it leaves nothing behind."""
    path = "/api/admin/sync/full-sync"
    two = sites(SHOP, SHOP + ROWS)
    pull = {"direction": "pull", "peer": "b", "entry": "e0"}
    before = two.a.hashes()
    with two.a.cluster.session(two.a.database) as lock:
        lock.run("BEGIN; LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        status, begun = ask(two.a, "POST", path, pull)
        assert status == 202, begun
        name = begun["sessionId"]

        def here():
            return ask(two.a, "GET", f"{path}/{name}")[1]["sessions"][0]

        wait_until(lambda: here()["status"] == "RESTORING", "it never came to the target", A_MINUTE)
        there = ask(two.b, "GET", f"{path}?live=true")[1]["sessions"][0]
        assert (there["sessionId"], there["role"], there["direction"], there["peer"]) == (name, "remote", "pull", "a")
        status, refused = ask(two.a, "POST", path, pull)
        assert status == 409 and f"session {name} (pull, peer b, " in refused["error"]["message"], refused
        by_hand = two.run("pull", expect="BUSY", env={"PGSTOW_STATE_DIR": str(two.a.folder / "state")})
        assert name in by_hand.said
        status, told = ask(two.a, "DELETE", f"{path}/{name}")
        assert status == 202, told
        ends = two.wait_ended(name)
        assert [e["status"] for e in ends] == ["CANCELLED", "CANCELLED"], ends
        assert two.a.job(begun["job"])["status"] == "cancelled"
    assert two.a.hashes() == before
    # It can go on, and its end is on both sides, with what it took.
    status, again = ask(two.a, "POST", path, {"resume": True, "sessionId": name})
    assert status == 202 and again["sessionId"] == name, again
    job = two.a.job(again["job"])
    assert job["status"] == "succeeded", job
    ends = two.wait_ended(name)
    assert [e["status"] for e in ends] == ["COMPLETED", "COMPLETED"]
    two.assert_same()
    done = here()
    assert done["attempt"] == 2 and done["wireBytes"] > 0 and done["rowsDone"] == 100 and done["method"] == "backup" and done["backupId"] and done["result"] and done["error"] is None
    lines = [line["line"] for line in done["log"]]
    assert lines[0].startswith("PREPARING: pull, peer b") and lines[-1] == "COMPLETED" and any("CANCELLED" in x for x in lines)


@pytest.mark.parametrize("direction", ["pull", pytest.param("push", marks=pytest.mark.slow)])
def test_the_other_side_sees_how_far_it_is(sites, direction):
    """Longer than from one sign of life to the next: what one side does is seen at the other."""
    two, name = sites(trials.SQL), "long"
    there = lambda: two.b.session(name) or {}
    with two.start(direction, "--session", name, "--max-rate", "60KB") as running:
        wait_until(lambda: there().get("status") == "TRANSFERRING" and there()["bytes_done"], "nothing is seen of it", A_MINUTE)
        seen = there()
        done = running.wait().expect("OK")
    assert 0 < seen["bytes_done"] <= seen["bytes_total"] and seen["phase"] and seen["ended"] is None
    assert two.statuses(name) == ("COMPLETED", "COMPLETED"), done


def test_one_that_asks_and_dies_is_told_of(sites, web):
    """No job of this host failed, so nobody else would tell; the next good one is told as its end."""
    server = web()
    told = f"notify: {{webhook: {{url: {server.url}/hook}}}}\n"
    two = sites(SHOP, SHOP + ROWS, faults=True, more="", more_b=told)
    notes = lambda: [json.loads(body) for _, path, _, body in list(server.seen) if path == "/hook"]
    result = two.run("pull", "--session", "dies", env={"PGSTOW_FAULT": "sync.pull.transferred:kill"}, expect=None)
    assert result.status < 0 and two.statuses("dies")[1] == "TRANSFERRING" and not notes()
    two.b.age()
    wait_until(notes, "nobody was told")
    note = notes()[0]
    assert (note["event"], note["bad"], note["database"], note["entry"]) == ("failure", True, two.b.database, "e0"), note
    assert "peer a" in note["title"] and "session dies, a pull: nothing was heard of it" in note["more"][0], note
    assert two.statuses("dies")[1] == "FAILED"
    two.pull()
    two.b.kill()
    two.b.start()  # a service looks when it begins, and each minute
    wait_until(lambda: len(notes()) > 1, "that it is over was not told")
    assert [n["event"] for n in notes()] == ["failure", "recovered"]
