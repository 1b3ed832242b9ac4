"""Syncs that something befalls: the network, either service, either PostgreSQL, either disk, keys, clocks, versions,
schemas. Afterwards the target holds all of it or nothing (harness/trials.py)."""

import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import shutil
import signal
import threading
import time

import pytest

from harness import proxy
from harness.cluster import wait_until
from harness.mounts import SmallDisk
from harness.sites import ENTRY, KEY, REGISTRATION, Sites
from harness.trials import SQL, Trial, faulty, go_on, held

from test_faults_clock import preload

slow = pytest.mark.slow
PULL = pytest.mark.parametrize("direction", ["pull", pytest.param("push", marks=slow)])
PUSH = pytest.mark.parametrize("direction", [pytest.param("pull", marks=slow), "push"])


@pytest.fixture(scope="module")
def two(cluster, other_cluster, module_folder):
    made = Sites((cluster, other_cluster), module_folder, SQL, faults=True)
    Trial(made, "pull").again()  # from here on only what differs is sent
    yield made
    made.close()


# ---------------------------------------------------------------- the network


@PUSH
def test_a_cut_that_heals(two, direction):
    """Every connection dies in the middle of the transfer, then the network is as before: nothing is to be seen of it."""
    trial = Trial(two, direction)
    two.net.heal()
    two.net.fail(proxy.RESET, 60_000, later=proxy.PASS, of=proxy.BOTH)
    result = trial.run()
    assert two.net.failed.is_set()
    trial.judge(result, must=True)


@slow
def test_a_cut_that_stays(two):
    """Of a push, while it sends: it is ended by hand, and gone on with when the network is back."""
    trial = Trial(two, "push")
    two.net.heal()
    two.net.fail(proxy.STALL, 60_000, of=proxy.TO)
    with trial.start() as running:
        wait_until(two.net.failed.is_set, "the network was not used")
        running.process.send_signal(signal.SIGTERM)
        result = running.wait()
    assert result.status != 0 and trial.target.hashes() == trial.before
    assert two.statuses(trial.name)[0] == "CANCELLED"
    two.net.heal()
    two.b.age()
    two.a.run("sync", "resume", trial.name, "--entry", ENTRY, "--json")
    two.assert_same()
    assert two.statuses(trial.name) == ("COMPLETED", "COMPLETED")
    trial.again()


# ---------------------------------------------------------------- processes and servers


@pytest.mark.parametrize("direction, point", [
    ("pull", "merge.written"), pytest.param("push", "copy.pack", marks=slow), pytest.param("pull", "sync.pull.transferred", marks=slow),
    pytest.param("pull", "merge.committed", marks=slow), pytest.param("push", "sync.push.transferred", marks=slow),
])  # fmt: skip
def test_the_one_who_asks_is_killed(two, direction, point):
    trial = Trial(two, direction)
    assert trial.run(env={"PGSTOW_FAULT": f"{point}:kill"}) is None
    everything = trial.judge(None)
    assert everything == (point == "merge.committed")
    assert two.statuses(trial.name)[0] == "FAILED"
    trial.again()


@pytest.mark.parametrize("direction, point", [
    ("push", "merge.committed"), ("push", "merge.written"), ("pull", "backup.copied"),
])  # fmt: skip
@slow
def test_the_peers_job_is_killed(two, direction, point):
    trial = Trial(two, direction)
    with faulty(two.b, point):
        result = trial.run()
    assert trial.judge(result) == (point == "merge.committed")
    assert result.status != 0
    trial.again()


@pytest.mark.parametrize("direction, which, point", [
    ("pull", "a", "merge.written"), pytest.param("pull", "b", "backup.copied", marks=slow),
    pytest.param("push", "b", "merge.written", marks=slow),
])  # fmt: skip
def test_a_server_is_killed(two, direction, which, point):
    """PostgreSQL, kill -9, while it is being read from or written to."""
    trial, site = Trial(two, direction), getattr(two, which)
    with held(two, trial, site, point):
        site.lose_server()
    assert trial.result.status != 0
    trial.judge(trial.result, must=False)
    trial.again()


@slow
@pytest.mark.parametrize("direction, point", [("pull", "sync.pull.backed-up"), ("push", "sync.push.transferred")])
def test_the_service_is_killed_and_comes_back(two, direction, point):
    """Between two requests: what it must know is in its state, and nothing is to be seen of it."""
    trial = Trial(two, direction)
    with held(two, trial, two.a, point):
        two.b.kill()
        two.b.start()
    trial.judge(trial.result, must=True)


@slow
def test_the_next_service_ends_the_jobs_of_a_killed_one(two):
    trial = Trial(two, "push")
    with held(two, trial, two.b, "merge.written") as stopped:
        two.b.kill()
        restart = threading.Thread(target=two.b.start)
        restart.start()
        wait_until(lambda: any("00004000" in line for pid in stopped for line in pending(pid)), "no job is ended")
        go_on(stopped)
        restart.join()
    assert trial.result.status != 0
    trial.judge(trial.result, must=False)
    trial.again()


def pending(pid):
    """Lines of signals that wait for a stopped process: SIGTERM is bit 14."""
    with contextlib.suppress(OSError):
        return [line for line in open(f"/proc/{pid}/status") if line.startswith("ShdPnd")]
    return []


@slow
@pytest.mark.parametrize("point", ["merge.compared", "merge.written", "merge.committed", "sync.done"])
def test_given_up_by_the_peer_meanwhile(two, point):
    """A pull that nothing was heard of for a minute, and that goes on: where it hears so before the commit it stops; behind
    it both sides know that it is done."""
    trial = Trial(two, "pull")
    with held(two, trial, two.a, point):
        two.b.age()
        wait_until(lambda: two.statuses(trial.name)[1] == "FAILED", "the peer waits for ever")
    everything = trial.judge(trial.result)
    assert everything or point in ("merge.compared", "merge.written")
    assert two.statuses(trial.name) == (("COMPLETED",) if everything else ("FAILED",)) * 2, trial.result
    trial.again()


def test_stopped_at_the_peer_too_late(two):
    """What is committed is, and it is said that the peer has it otherwise."""
    trial = Trial(two, "pull")
    with held(two, trial, two.a, "sync.done"):
        two.b.run("sync", "cancel", trial.name)
    assert trial.result.status == 0 and trial.target.hashes() == trial.wanted
    assert any("at peer b the session is CANCELLED all the same" in text for text in trial.result.json["warnings"]), trial.result
    assert two.statuses(trial.name) == ("COMPLETED", "CANCELLED")
    trial.again()


# ---------------------------------------------------------------- disks


@pytest.fixture
def fresh(cluster, other_cluster, folder):
    """Two sites of the test's own."""
    made = Sites((cluster, other_cluster), folder, SQL, faults=True)
    yield made
    made.close()


def both_say(two, trial, kind):
    """Either side's session is FAILED for this reason."""
    for site in two.made:
        session = site.session(trial.name)
        assert session is None or (session["status"], session["error_kind"]) == ("FAILED", kind), session


@pytest.mark.parametrize("direction, method, whose, place", [
    ("pull", "backup", "target", "repo"), pytest.param("push", "backup", "target", "repo", marks=slow),
    pytest.param("pull", "backup", "source", "repo", marks=slow), pytest.param("push", "backup", "source", "repo", marks=slow),
    pytest.param("pull", "http", "target", "repo", marks=slow), pytest.param("push", "http", "target", "repo", marks=slow),
    pytest.param("pull", "http", "target", "state/rows", marks=slow), pytest.param("push", "http", "target", "state/rows", marks=slow),
])  # fmt: skip
def test_a_disk_is_full(fresh, direction, method, whose, place):
    """A repository's, or that of rows which have arrived: what lacks room is said by both; with room the next sync
    succeeds."""
    two, way = fresh, ("--method", method)
    site = getattr(two, whose)(direction)
    with (disk := SmallDisk(site.folder / place, "64m")):
        two.run(direction, *way)
        trial = Trial(two, direction)
        disk.fill()
        result = trial.run(*way)
        assert result.json["error"]["kind"] == "REPO_FULL", result
        result.error_says("space|full|room")
        trial.judge(result, must=False)
        both_say(two, trial, "REPO_FULL")
        disk.empty()
        trial.again()
        site.kill_all()


@slow
@pytest.mark.parametrize("direction", ["pull", "push"])
def test_the_disk_of_the_targets_server_is_full(fresh, direction):
    two, target = fresh, fresh.target(direction)
    with (disk := SmallDisk(target.folder / "space", "64m")):
        name, place = target.cluster.fresh_name("space"), disk.path / "of-server"
        place.mkdir()
        shutil.chown(place, target.cluster.user.pw_uid, target.cluster.user.pw_gid)
        target.cluster.sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
        target.cluster.sql(f"ALTER DATABASE {target.database} SET TABLESPACE {name}")
        try:
            two.run(direction)
            trial = Trial(two, direction)
            disk.fill()
            result = trial.run()
            assert result.json["error"]["kind"] == "DB_FULL", result
            trial.judge(result, must=False)
            both_say(two, trial, "DB_FULL")
            disk.empty()
            trial.again()
        finally:
            target.kill_all()
            target.cluster.sql(f"ALTER DATABASE {target.database} SET TABLESPACE pg_default")
            target.cluster.sql(f"DROP TABLESPACE {name}")


@contextlib.contextmanager
def small_state(site):
    """Its state lies on a small disk of its own."""
    site.kill_all()
    kept, state = site.folder / "state.kept", site.folder / "state"
    state.rename(kept)
    with (disk := SmallDisk(state, "16m")):
        shutil.copytree(kept, state, dirs_exist_ok=True)
        state.chmod(0o700)
        site.start()
        yield disk
        site.kill_all()


@pytest.mark.parametrize("direction, whose, point", [
    ("push", "b", "merge.committed"),
    *(pytest.param(*which, marks=slow) for which in [
        ("pull", "a", "merge.committed"), ("pull", "a", None), ("pull", "b", None), ("push", "a", None), ("push", "b", None),
        ("pull", "a", "sync.pull.backed-up"), ("pull", "b", "backup.copied"), ("push", "a", "sync.push.transferred"),
    ])])  # fmt: skip
def test_the_disk_of_the_state_is_full(fresh, direction, whose, point):
    """From the beginning, or from this point on, so that nothing can be written down. What is said is true all the same."""
    two = fresh
    two.run(direction)
    site = getattr(two, whose)
    with small_state(site) as disk:
        trial = Trial(two, direction)
        if point:
            with held(two, trial, site, point) as stopped:
                disk.fill()
                go_on(stopped)
                result = trial.ended(trial.running.wait())
                disk.empty()
        else:
            disk.fill()
            result = trial.run()
            disk.empty()
        holds, committed = trial.target.hashes(), point == "merge.committed"
        assert holds == (trial.wanted if committed else trial.before)
        assert (result.status == 0) == (committed and whose == "a"), result
        assert "the disk is full" in result.stderr
        if whose == "b" and direction == "push" and point:
            result.error_says("what the peer has written is not known yet")
        if two.statuses(trial.name)[0]:
            trial.ends(result)
        trial.again()


@pytest.mark.parametrize("place", ["repo", pytest.param("state/rows", marks=slow)])
def test_a_full_disk_and_nobody_comes_back(fresh, place):
    """The one who asks hears of it, and dies without a word: why it came to nothing is known all the same."""
    two, name = fresh, "full"
    kind = {"Content-Type": "application/json"}

    def ask(target, body, **head):
        return two.b.call("POST", target, None, body, {**signed("POST", target, body), **head})

    with (disk := SmallDisk(two.b.folder / place, "64m")):
        two.run("push", "--method", "http")
        body = json.dumps({"sessionId": name, "options": {"direction": "push"}}).encode()
        assert ask("/api/sync/session", body, **kind)[0] == 200
        disk.fill()
        if place == "repo":
            piece = os.urandom(1 << 20)
            digest = hashlib.sha256(piece).hexdigest()
            target = f"/api/sync/receive-backup?sessionId={name}&name=backups/x.manifest&upload=1&offset=0&sha256={digest}"
            status = ask(f"{target}&whole={digest}", piece)[0]
        else:
            body = json.dumps({"sessionId": name, "seq": 1, "table": {"schema": "public", "name": "bulk", "columns": ["id"]}, "rows": [["1"]]})
            status = ask("/api/sync/receive", body.encode(), **kind)[0]
        assert status == 507
        assert two.b.session(name)["ended"] is None
        two.b.age()
        wait_until(lambda: two.b.session(name)["ended"], "nobody saw that it is dead")
        session = two.b.session(name)
        assert (session["status"], session["error_kind"]) == ("FAILED", "REPO_FULL"), session
        assert "then nothing was heard of it" in session["error_message"]
        two.b.kill_all()


# ---------------------------------------------------------------- who asks, and when


def signed(method, target, body=b"", key=KEY, node="a", ahead=0, nonce=None):
    """The headers of a request that is signed as docs/sync.md says."""
    at, nonce = str(int(time.time() * 1000) + ahead), nonce or os.urandom(16).hex()
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join(["pgstow-sync-1", method, target, digest, at, nonce, node])
    return {"X-Node-ID": node, "X-Pgstow-Time": at, "X-Pgstow-Nonce": nonce, "X-Pgstow-Body": digest,
            "X-Pgstow-Signature": hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()}  # fmt: skip


def test_requests_that_prove_nothing(two):
    """Another key, the old header, another hour, another body, a request seen before (also by a service that was
    killed since): refused, and no session is opened."""
    target, before = "/api/sync/session", len(two.b.sessions())
    body = json.dumps({"sessionId": "stranger", "options": {"direction": "pull"}}).encode()
    kind = {"Content-Type": "application/json"}
    ask = lambda headers, sent=body: two.b.call("POST", target, None, sent, {**headers, **kind})[0]
    assert ask(signed("POST", target, body, key="another key")) == 401
    assert ask(signed("POST", target, body, node="c")) == 401
    assert ask({"X-Node-ID": "a", "X-Registration-Hash": hashlib.sha256(REGISTRATION.encode()).hexdigest()}) == 401
    assert ask({}) == 401
    for hour in (-3_600_000, 3_600_000):
        assert ask(signed("POST", target, body, ahead=hour)) == 401
    assert ask(signed("POST", target, body), body.replace(b"pull", b"push")) in (400, 401)
    assert ask(signed("GET", target, body)) == 401
    assert len(two.b.sessions()) == before
    peer = "/api/sync/peer"
    seen = signed("GET", peer)
    assert two.b.call("GET", peer, None, None, seen)[0] == 200
    assert two.b.call("GET", peer, None, None, seen)[0] == 401
    two.b.kill_all()
    two.b.start()
    assert two.b.call("GET", peer, None, None, seen)[0] in (401, 429)  # it cannot know what the one before it took


@slow
def test_another_key(two):
    """The key here was changed, and there not: the sync is refused, and says what to look at."""
    trial, key = Trial(two, "push"), two.a.folder / "key"
    key.write_text("another key of 32 characters ....")
    try:
        result = trial.run()
    finally:
        key.write_text(KEY)
    result.error_says("peer b", "key")
    trial.judge(result, must=False)
    trial.again()


def another_hour():
    """The environment of who is an hour ahead."""
    return {"LD_PRELOAD": preload(), "FAKETIME": "+1h", "DONT_FAKE_MONOTONIC": "1"}


@PULL
def test_faults_clock_is_an_hour_off(two, direction):
    """Of the side that asks: refused, and the reason is the clock."""
    trial = Trial(two, direction)
    result = trial.run(env=another_hour())
    result.error_says("clock|time")
    trial.judge(result, must=False)
    trial.again()


@slow
@pytest.mark.parametrize("direction", ["pull", "push"])
@pytest.mark.parametrize("method", ["backup", "http"])
def test_faults_clock_is_an_hour_off_and_nothing_is_signed(cluster, other_cluster, folder, direction, method):
    """What goes by the old header has no time in it: neither heartbeats nor backups mind the clock, whichever is off."""
    two = Sites((cluster, other_cluster), folder, SQL, signed=False, faults=True)
    try:
        for here, there in ((another_hour(), None), (None, another_hour()), (None, None)):
            two.b.kill_all()
            two.b.start(there)
            trial = Trial(two, direction)
            trial.judge(trial.run("--method", method, env=here), must=True)
    finally:
        two.close()


class OtherVersion(http.server.BaseHTTPRequestHandler):
    """Answers for site b, whose address is here, and calls its protocol another one."""

    port = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ask = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        ask.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.startswith(("X-", "Content-Type"))})
        answer = ask.getresponse()
        text = answer.read().replace(b'"protocol":1', b'"protocol":2').replace(b'"protocol": 1', b'"protocol": 2')
        ask.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def test_another_version(two):
    """Both sides look: the one who asks, and the one who is asked."""
    ask = lambda protocol: json.dumps({"sessionId": "newer", "protocol": protocol, "options": {"direction": "pull"}}).encode()
    for protocol, wanted in ((2, 412), (0, 412)):
        answers = []

        def is_taken():  # right after its start a service takes nothing that may have been signed before
            head = {**signed("POST", "/api/sync/session", ask(protocol)), "Content-Type": "application/json"}
            answers.append(two.b.call("POST", "/api/sync/session", None, ask(protocol), head))
            return answers[-1][0] != 429

        wait_until(is_taken, "a signed request is never taken")
        status, _, answer = answers[-1]
        assert status == wanted and "version" in json.dumps(answer), answer
    assert two.b.session("newer") is None
    trial = Trial(two, "push")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Other", (OtherVersion,), {"port": two.b.port}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    direct, two.net.server = two.net.server, type("There", (), {"host": "127.0.0.1", "port": server.server_port})
    try:
        result = trial.run()
    finally:
        two.net.server = direct
        server.shutdown()
        server.server_close()
    assert result.json["error"]["kind"] == "PREFLIGHT", result
    result.error_says("version 2", "version 1")
    trial.judge(result, must=False)
    trial.again()


# ---------------------------------------------------------------- schemas, and others who write


@PULL
def test_the_schema_was_changed(two, direction):
    """Found before anything moves: no backup is made, and each difference is named."""
    trial = Trial(two, direction)
    trial.source.sql("ALTER TABLE account ADD COLUMN extra int DEFAULT 1; CREATE TABLE newer (id int PRIMARY KEY)")
    try:
        made = [site.ids() for site in two.made]
        result = trial.run()
        assert result.json["error"]["kind"] == "PREFLIGHT", result
        result.says("account", "extra", "newer")
        assert [site.ids() for site in two.made] == made
        trial.judge(result, must=False)
    finally:
        trial.source.sql("ALTER TABLE account DROP COLUMN extra; DROP TABLE newer")
    trial.again()


@slow
@pytest.mark.parametrize("direction", ["pull", "push"])
@pytest.mark.parametrize("method", ["backup", "http"])
@pytest.mark.parametrize("whose", ["source", "target"])
def test_the_schema_is_changed_meanwhile(two, direction, method, whose):
    """Behind the comparison: what comes, or what it is to go into, is another table by then."""
    trial = Trial(two, direction)
    site = getattr(trial, whose)
    with held(two, trial, two.a, "sync.planned", "--method", method):
        site.sql("ALTER TABLE account RENAME COLUMN owner TO who")
    site.sql("ALTER TABLE account RENAME COLUMN who TO owner")
    trial.result.says("who|owner")
    trial.judge(trial.result, must=False)
    trial.again()


class Writer:
    """Does a statement again and again, with a number put in, until it is told to stop."""

    def __init__(self, site, sql):
        self.site, self.sql, self.over, self.done = site, sql, threading.Event(), 0
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        while not self.over.is_set():
            self.site.sql(self.sql.format(n=self.done))
            self.done += 1

    def stop(self):
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and self.done


@slow
@PULL
@pytest.mark.parametrize("method", ["backup", "http"])
def test_both_sites_write_meanwhile(two, direction, method):
    """The source moves amounts between accounts: of whatever moment they come, their sum is right. What the target's own
    users add stays, and all that was committed."""
    trial = Trial(two, direction)
    two.run(direction, "--merge", "mirror")
    total = "SELECT sum(balance) FROM account"
    sums = trial.source.sql(total)
    writers = [
        Writer(trial.source, "UPDATE account SET balance = balance + CASE WHEN id % 2 = 0 THEN {n} ELSE -{n} END"),
        Writer(trial.target, "INSERT INTO move VALUES (9000000 + {n}, 1, 1, 'own')"),
    ]
    wait_until(lambda: all(writer.done for writer in writers), "nobody writes")
    two.run(direction, "--merge", "upsert", "--method", method)
    for writer in writers:
        writer.stop()
    assert trial.target.sql(total) == sums
    assert int(trial.target.sql("SELECT count(*) FROM move WHERE note = 'own'")) == writers[1].done
    trial.again()
