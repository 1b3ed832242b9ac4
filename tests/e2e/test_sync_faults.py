"""Syncs that something befalls: the network, either service, either PostgreSQL, either disk, keys, clocks, versions,
schemas. Afterwards the target holds all of it or nothing (harness/trials.py)."""

import collections
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from harness import proxy
from harness.cluster import SLOWER, wait_until
from harness.mounts import SmallDisk
from harness.program import process_state
from harness.service import children
from harness.sites import ENTRY, KEY, REGISTRATION, Sites
from harness.trials import SQL, Trial, faulty, points

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


@contextlib.contextmanager
def held(two, trial, site, point):
    """The sync, with whoever works for this site stopped at a fault point; goes on at the end."""
    setting = {"PGSTOW_FAULT": f"{point}:stop"}
    with contextlib.ExitStack() as stack:
        if site is two.b:
            stack.enter_context(faulty(two.b, point, "stop"))
        with trial.start(env=setting if site is two.a else None) as running:
            stopped = []
            wait_until(lambda: stopped.extend(p for p in children(site.clock) if process_state(p) == "T") or stopped or
                       running.process.poll() is not None, f"{point} was not reached")  # fmt: skip
            assert stopped, running.wait()
            yield stopped
            go_on(stopped)
            trial.result = trial.ended(running.wait())


def go_on(stopped):
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


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


# ---------------------------------------------------------------- disks


@PULL
def test_the_targets_disk_is_full(cluster, other_cluster, folder, direction):
    """What lacks room is said; with room the next sync succeeds."""
    two = Sites((cluster, other_cluster), folder, SQL, faults=True)
    target = two.target(direction)
    try:
        disk = SmallDisk(target.folder / "repo", "64m")
        with disk:
            two.run(direction, "--no-safety-backup")
            trial = Trial(two, direction)
            disk.fill()
            result = trial.run()
            assert result.json["error"]["kind"] == "REPO_FULL", result
            result.error_says("space|full")
            trial.judge(result, must=False)
            disk.empty()
            trial.again()
            target.kill_all()
    finally:
        two.close()


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


def test_the_clock_is_an_hour_off(two):
    """Of the side that asks: refused, and the reason is the clock."""
    from test_faults_clock import preload

    trial = Trial(two, "pull")
    result = trial.run(env={"LD_PRELOAD": preload(), "FAKETIME": "+1h", "DONT_FAKE_MONOTONIC": "1"})
    result.error_says("clock|time")
    trial.judge(result, must=False)
    trial.again()


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
        body = ask(protocol)
        head = {**signed("POST", "/api/sync/session", body), "Content-Type": "application/json"}
        status, _, answer = two.b.call("POST", "/api/sync/session", None, body, head)
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
def test_both_sites_write_meanwhile(two, direction):
    """The source moves amounts between accounts: of whatever moment they come, their sum is right. What the target's own
    users add stays, and all that was committed."""
    trial = Trial(two, direction)
    two.run(direction, "--merge", "mirror", "--no-safety-backup")
    total = "SELECT sum(balance) FROM account"
    sums = trial.source.sql(total)
    writers = [
        Writer(trial.source, "UPDATE account SET balance = balance + CASE WHEN id % 2 = 0 THEN {n} ELSE -{n} END"),
        Writer(trial.target, "INSERT INTO move VALUES (9000000 + {n}, 1, 1, 'own')"),
    ]
    wait_until(lambda: all(writer.done for writer in writers), "nobody writes")
    two.run(direction, "--merge", "upsert", "--no-safety-backup")
    for writer in writers:
        writer.stop()
    assert trial.target.sql(total) == sums
    assert int(trial.target.sql("SELECT count(*) FROM move WHERE note = 'own'")) == writers[1].done
    trial.again()


# ---------------------------------------------------------------- everywhere, and by chance


def everywhere(two, folder):
    """(direction, whose, point, passing): each point that a sync passes, at its first and its last passing."""
    for direction in ("pull", "push"):
        for site, counted in zip(two.made, points(two, direction, folder)):
            assert counted
            for point, most in sorted(counted.items()):
                for passing in sorted({1, most}):
                    yield direction, site, point, passing


@slow
def test_killed_everywhere(two, module_folder):
    """Either side, at every point that it passes: the one who asks, the service and its jobs."""
    tried = 0
    for direction, site, point, passing in list(everywhere(two, module_folder)):
        trial = Trial(two, direction)
        print(f"{direction}, site {site.name}, {point}, passing {passing}", flush=True)
        setting = {"PGSTOW_FAULT": f"{point}:kill:{passing}"} if site is two.a else None
        with faulty(site, point, f"kill:{passing}") if site is two.b else contextlib.nullcontext():
            with trial.start(env=setting) as running:
                while running.process.poll() is None:
                    if not two.b.is_running():
                        two.b.start()  # as systemd would; without that the other side asks for a minute
                    time.sleep(0.02)
                result = trial.ended(running.wait())
        trial.judge(result)
        tried += 1
    assert tried > 40
    Trial(two, "pull").again(twice=True)
    Trial(two, "push").again(twice=True)


class Chance:
    """What befalls one trial, by chance."""

    def __init__(self, two, seed):
        self.two, self.dice = two, random.Random(seed)
        self.direction = self.dice.choice(["pull", "push"])
        self.what = self.dice.choice([self.cut, self.cut, self.stall, self.slow_line, self.refused, self.killed, self.killed,
                                      self.service_gone, self.site_gone, self.server_gone, self.disk_full, self.two_things])  # fmt: skip
        self.delay = self.dice.uniform(0, 1.5) * SLOWER

    def __str__(self):
        return f"{self.direction} {self.what.__name__} after {self.delay:.2f} s"

    def site(self):
        return self.dice.choice(self.two.made)

    def befall(self, running):
        """While it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.delay)
        self.what(running)

    def cut(self, running):
        self.two.net.fail(self.dice.choice([proxy.CUT, proxy.RESET]), self.dice.randint(0, 300_000), proxy.PASS,
                          self.dice.choice([proxy.FROM, proxy.TO, proxy.BOTH]))  # fmt: skip

    def stall(self, running):
        self.two.net.fail(proxy.STALL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 3))
        self.two.net.heal()

    def refused(self, running):
        self.two.net.refuse()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 3))
        self.two.net.heal()

    def slow_line(self, running):
        self.two.net.slow(200_000)

    def killed(self, running):
        running.process.kill()

    def service_gone(self, running):
        site = self.site()
        site.kill()
        site.start()

    def site_gone(self, running):
        site = self.site()
        site.kill_all()
        site.start()

    def server_gone(self, running):
        site = self.site()
        site.lose_server()
        site.back()

    def disk_full(self, running):
        disk = self.two.disks[self.dice.randint(0, 1)]
        disk.fill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 2))
        disk.empty()

    def two_things(self, running):
        for what in self.dice.sample([self.cut, self.service_gone, self.server_gone, self.refused], 2):
            what(running)


@slow
def test_a_hundred_times_by_chance(cluster, other_cluster, module_folder):
    """Anything, at any time, one after the other on the same two sites; after each the target is compared row by row.
    PGSTOW_TEST_SEED repeats the choices."""
    seed = int(os.environ.get("PGSTOW_TEST_SEED", random.SystemRandom().randint(1, 10**6)))
    where = module_folder / "chance"
    where.mkdir()
    where.chmod(0o755)
    two = Sites((cluster, other_cluster), where, SQL)
    two.disks = [SmallDisk(site.folder / "repo", "200m") for site in two.made]
    counts = collections.Counter()
    try:
        for disk in two.disks:
            disk.__enter__()
        Trial(two, "pull").again()
        for n in range(int(os.environ.get("PGSTOW_TEST_RUNS", 100))):
            chance = Chance(two, f"{seed}/{n}")
            trial = Trial(two, chance.direction)
            print(f"seed {seed}, {n}: {chance}", flush=True)
            with trial.start(*chance.dice.choice([(), ("--no-safety-backup",)])) as running:
                chance.befall(running)
                result = trial.ended(running.wait(200))
            counts[trial.judge(result), result is not None and result.status == 0] += 1
            if n % 10 == 9:
                trial.again(twice=True)
        print(f"seed {seed}: {counts}")
    finally:
        two.close()
        for disk in two.disks:
            disk.__exit__()
    assert counts[True, True] > 10 and counts[False, False] > 10, counts
