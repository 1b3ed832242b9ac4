"""pgstow serve: the service, its schedules and its jobs, with the real program and a real server."""

import contextlib
import json
import os
import signal
import urllib.error
import urllib.request

import pytest
from harness.cluster import free_port, wait_until
from harness.service import MINUTE, DONE, SQL, children, database, entry, nightly, service  # noqa: F401


# ---------------------------------------------------------------- schedules


def test_every_minute(cluster, service, database):
    service.config(nightly(cluster, database))
    service.start()
    for number in (1, 2):
        service.shift(MINUTE)
        job = service.job(number, "succeeded")
        assert (job["kind"], job["database"], job["actor"]) == ("backup", database, "schedule")
        assert job["backup"] in service.pgstow.ids() and job["result"]["id"] == job["backup"]
        assert job["exitStatus"] == 0 and job["started"] and job["ended"]

    def known():
        return [(s["name"], s["lastJob"], s["lastResult"]) for s in service.run("schedule", "list", "--json").json["schedules"]]

    wait_until(lambda: known() == [("backup", 2, "succeeded")], "what the schedule knows is not what became of its job")
    assert "stopped" in service.stop().stderr


def test_a_database_that_is_not_there_is_a_failure_and_tried_again(cluster, service, database):
    """The server cannot be reached: that may pass."""
    service.config('database: {url: "postgresql://nobody@127.0.0.1:1/gone"}\n'
                   'backup: {enabled: true, schedule: "0 0 * * *", retries: 2, retryAfter: 1}\n')  # fmt: skip
    service.start()
    service.shift(24 * 60 * MINUTE)
    jobs = [service.job(n, "failed") for n in (1, 2, 3)]
    assert {j["error"]["kind"] for j in jobs} == {"CONNECT"} and {j["exitStatus"] for j in jobs} == {7}
    assert [j.get("retryOf") for j in jobs] == [None, 1, 2] and [j["attempt"] for j in jobs] == [1, 2, 3]
    assert [j["trigger"] for j in jobs[1:]] == ["retry", "retry"]
    assert any(line["level"] == "error" and "connect" in line["line"] for line in jobs[0]["log"])
    assert len(service.jobs()) == 3
    service.run("jobs", 3, repo=False).says("repeats +job 2, attempt 3", "error +CONNECT", "cannot connect|could not connect")
    service.stop()


def test_what_people_read(cluster, service, database):
    """Jobs and schedules as tables and lines."""
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    service.start()
    service.shift(24 * 60 * MINUTE)
    backup = service.job(1, "succeeded")["backup"]
    head, row = service.run("jobs", repo=False).stdout.splitlines()
    assert head.split() == ["ID", "KIND", "OF", "STATUS", "BY", "CREATED", "TOOK", "WHAT"]
    assert row.split()[:4] == ["1", "backup", database, "succeeded"] and row.split()[-1] == backup
    service.run("jobs", 1, repo=False).says("job +1\n", "status +succeeded", "ended +20", f"backup +{backup}", "took +[0-9]")
    service.run("jobs", "one", repo=False, expect="USAGE").error_says("pgstow jobs")
    wait_until(lambda: "succeeded" in service.run("schedule", "list").stdout, "the schedule does not know of it")
    head, row = service.run("schedule", "list").stdout.splitlines()
    assert row.split()[0] == "backup" and "0 0 * * *" in row and " 1 " in row
    times = service.run("schedule", "next").stdout.splitlines()
    assert len(times) > 1 and times == sorted(times) and all(line.endswith("  backup") for line in times)
    service.run("schedule", "lst", expect="USAGE").error_says("did you mean list")
    service.stop()
    service.config("")
    service.run("schedule", "list").says("nothing is scheduled")


def test_what_is_no_passing_failure_is_not_tried_again(cluster, service):
    service.config(nightly(cluster, "no_such_database").replace("* * * * *", "0 0 * * *"))
    service.start()
    service.shift(24 * 60 * MINUTE)
    assert service.job(1, "failed")["error"]["kind"] == "DB_NOT_FOUND"
    wait_until(lambda: service.run("schedule", "list", "--json").json["schedules"][0]["lastResult"] == "failed", "its end")
    assert len(service.jobs()) == 1
    service.stop()


def test_what_was_missed_is_made_up_for_once(cluster, service, database):
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    service.start()
    service.stop()
    service.shift(5 * 24 * 60 * MINUTE + 5 * MINUTE)
    service.start()
    assert service.job(1, "succeeded")["trigger"] in ("catch-up", "schedule")
    service.stop()
    service.start()  # and not once more
    service.shift(24 * 60 * MINUTE)
    service.job(2, "succeeded")
    assert len(service.jobs()) == 2
    service.stop()


def test_another_schedule_is_for_later_times_only(cluster, service, database):
    """What its times would have been before is not made up for, neither at once nor after a restart."""
    service.config(nightly(cluster, database))
    service.start()
    service.shift(2 * MINUTE)
    service.job(1, "succeeded")
    hour = service.run("schedule", "next", "--json").json["schedules"][0]["times"][0][11:13]
    service.config(nightly(cluster, database).replace("* * * * *", f"0 {(int(hour) - 1) % 24} * * *"))
    service.shift(10)
    service.signal(signal.SIGHUP)
    service.told("READY=1")
    service.stop()
    service.start()
    service.shift(25 * 60 * MINUTE)
    service.job(2, "succeeded")
    assert len(service.jobs()) == 2
    service.stop()


def test_an_encrypted_repository(cluster, service, database):
    """Jobs get the passphrase that the service was started with."""
    service.env["PGSTOW_PASSPHRASE"] = "correct horse battery"
    service.config(nightly(cluster, database, ", encryption: true"))
    service.start()
    service.shift(MINUTE)
    assert "horse" not in json.dumps(service.job(1, "succeeded"))
    service.stop()


def test_verify_and_drill(cluster, service, database):
    """One verify for all that share a repository."""
    more = ", enabled: true, schedule: 0 0 * * *, drill: {schedule: 0 6 * * *}"
    service.config(f"verify: {{schedule: 0 3 * * *, level: quick}}\ndatabases: "
                   f"[{entry(cluster, database, more)}, {entry(cluster, 'not_there')}]\n")  # fmt: skip
    names = [s["name"] for s in service.run("schedule", "list", "--json").json["schedules"]]
    assert names == [f"backup/{database}", f"verify/{database}", f"drill/{database}"]
    service.run("schedule", "run", f"backup/{database}")
    service.start()
    service.shift(24 * 60 * MINUTE)
    jobs = [service.job(n, "succeeded") for n in (1, 2, 3)]
    assert sorted(j["kind"] for j in jobs) == ["backup", "drill", "verify"]
    assert [j["result"]["level"] for j in jobs if j["kind"] == "verify"] == ["quick"]
    service.stop()


def test_schedule_run_is_the_command_itself(cluster, service, database):
    service.config(f'databases: [{entry(cluster, database, ", enabled: true, schedule: 0 0 * * *")}]\n')
    service.start()
    assert service.run("schedule", "run", f"backup/{database}", "--json").json["id"] in service.pgstow.ids()
    job = service.job(1, "succeeded")
    assert (job["trigger"], job["entry"], job["database"]) == ("cli", database, database)
    service.run("schedule", "run", f"backup/{database}x", expect="USAGE").error_says(f"did you mean backup/{database}")
    service.stop()


# ---------------------------------------------------------------- jobs that don't end by themselves


@pytest.fixture
def locked(cluster, database):
    """Backups of the database wait for ever for this lock."""
    with cluster.session(database) as session:
        session.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        yield session


def test_a_run_that_is_not_done_is_not_run_twice(cluster, service, database, locked):
    service.config(nightly(cluster, database))
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")
    service.shift(MINUTE)
    last = lambda: service.run("schedule", "list", "--json").json["schedules"][0]["lastResult"]  # noqa: E731
    wait_until(lambda: last() == "overlap", "the overlap to be passed over")
    assert len(service.jobs()) == 1
    locked.run("ROLLBACK")
    service.job(1, "succeeded")
    service.stop()


def test_a_time_limit(cluster, service, database, locked):
    service.config(nightly(cluster, database, ", backupTimeout: 1, retries: 0"))
    service.start()
    service.shift(MINUTE)
    job = service.job(1)
    assert job["status"] == "failed" and job["error"]["kind"] == "TIMEOUT"
    assert service.pgstow.manifests() == []
    service.stop()


def test_cancel(cluster, service, database, locked):
    service.config(nightly(cluster, database))
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")
    service.run("jobs", 1, "--cancel", repo=False)
    assert service.job(1)["status"] == "cancelled"
    service.run("jobs", 1, "--cancel", repo=False, expect="EXISTS")
    service.run("jobs", 7, "--cancel", repo=False, expect="NOT_FOUND")
    assert len(service.jobs()) == 1  # and not tried again
    service.stop()


def test_as_many_at_once_as_are_allowed(cluster, service, database, locked):
    """The second of two databases waits for the first, and can be cancelled meanwhile."""
    other = cluster.create(sql=SQL)
    more = ", enabled: true, schedule: '* * * * *'"
    service.config(f"databases: [{entry(cluster, database, more)}, {entry(cluster, other, more)}]\n")
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")
    assert service.job(2, "queued")["entry"] == other
    service.run("jobs", 2, "--cancel", repo=False)
    locked.run("ROLLBACK")
    service.job(1, "succeeded")
    assert service.job(2)["status"] == "cancelled" and not service.job(2)["started"]
    service.shift(MINUTE)
    assert [service.job(n, "succeeded")["entry"] for n in (3, 4)] == [database, other]
    service.stop()
    cluster.drop(other)


def test_a_killed_service_leaves_nothing_running(cluster, service, database, locked):
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    service.start()
    service.shift(24 * 60 * MINUTE)
    service.job(1, "running")
    assert len(children(service.clock)) > 1
    service.kill()
    wait_until(lambda: not children(service.clock), "children of the killed service live on")
    assert service.job(1, "running")  # nobody could say otherwise
    locked.run("ROLLBACK")
    service.start()
    assert service.job(1)["status"] == "interrupted"
    again = service.job(2, "succeeded")
    assert again["trigger"] == "retry" and again["retryOf"] == 1 and again["backup"] in service.pgstow.ids()
    service.stop()


@pytest.mark.parametrize("point", ["schedule.submitted", "job.forked", "job.running", "job.ended", "job.finished"])
def test_killed_at_any_moment_the_backup_is_made_once_more_at_most(cluster, service, database, point):
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    service.env["PGSTOW_FAULT"] = f"serve.{point}:kill"
    service.start()
    service.shift(24 * 60 * MINUTE)
    assert service.running.process.wait(20) == -signal.SIGKILL
    wait_until(lambda: not children(service.clock), "children of the killed service live on")
    del service.env["PGSTOW_FAULT"]
    service.running.process.communicate()
    service.start()
    wait_until(lambda: all(j["status"] in DONE for j in service.jobs()), "jobs never end")
    jobs = service.jobs()
    assert 1 <= len(jobs) <= 2 and jobs[-1]["status"] == "succeeded" and jobs[-1]["backup"] in service.pgstow.ids()
    assert [j["status"] for j in jobs[:-1]] in ([], ["interrupted"])
    service.stop()


def test_a_job_that_is_killed_is_a_failure(cluster, service, database, locked):
    service.config(nightly(cluster, database))
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")
    for pid in children(service.clock):
        if pid != service.running.process.pid:
            with contextlib.suppress(ProcessLookupError):  # gone along with the one before
                os.kill(pid, signal.SIGKILL)
    job = service.job(1, "failed")
    assert "signal 9" in job["error"]["message"] and job["exitStatus"] == 137
    assert service.job(2, "queued")["retryOf"] == 1  # it may have been for want of memory
    service.stop()


def test_a_second_service_is_refused(cluster, service, database):
    service.config(nightly(cluster, database))
    service.start()
    service.run("serve", expect="BUSY").error_says("runs already")
    service.run("serve", "--db", "postgresql:///x", expect="USAGE").error_says("DATABASE_URL")
    service.stop()


# ---------------------------------------------------------------- settings, and the end


def test_a_damaged_state_is_set_aside(service):
    """The service begins with a new one, and says what is no longer in it."""
    service.config("")
    service.start().stop()
    state = service.folder / "state" / "state.db"
    damaged = b"no database, but as long as one " * 200
    for path in state.parent.glob("state.db*"):
        path.unlink()
    state.write_bytes(damaged)
    state.chmod(0o600)
    service.start()
    assert service.jobs() == []
    service.stop().error_says("damaged", "history, tokens and audit log")
    aside = [path for path in state.parent.iterdir() if path.name.startswith("state.db.damaged-")]
    assert len(aside) == 1 and aside[0].read_bytes() == damaged


def test_settings_are_read_anew_beside_a_running_job(cluster, service, database, locked):
    service.config(nightly(cluster, database))
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")
    service.config("backup: {enabled: ture}\n")
    service.signal(signal.SIGHUP)
    service.told("RELOADING=1")
    service.told("READY=1")
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 1 1 *"))
    service.signal(signal.SIGHUP)
    service.told("READY=1")
    assert service.job(1, "running")
    service.shift(10 * MINUTE)
    locked.run("ROLLBACK")
    service.job(1, "succeeded")
    said = service.stop().stderr
    assert "the settings stay as they were" in said and "enabled" in said and "read anew" in said
    assert len(service.jobs()) == 1


def test_its_end_waits_for_jobs(cluster, service, database, locked):
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    port = free_port()
    text = (service.folder / "pgstow.yaml").read_text()
    (service.folder / "pgstow.yaml").write_text(text.replace("drain: 0s, port: 0", f"drain: 1h, port: {port}"))
    ready = lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=20).status
    service.start()
    service.shift(24 * 60 * MINUTE)
    service.job(1, "running")
    assert ready() == 200
    service.signal(signal.SIGTERM)
    service.told("STOPPING=1")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        ready()
    assert service.running.process.poll() is None
    locked.run("ROLLBACK")
    service.running.wait().expect("OK")
    assert service.job(1)["status"] == "succeeded"


def test_its_end_does_not_wait_longer_than_drain(cluster, service, database, locked):
    service.config(nightly(cluster, database).replace("* * * * *", "0 0 * * *"))
    service.start()
    service.shift(24 * 60 * MINUTE)
    service.job(1, "running")
    service.stop()
    assert service.job(1)["status"] == "interrupted" and service.job(1)["error"]["message"] == "the service was stopped"
    locked.run("ROLLBACK")
    service.start()
    assert service.job(2, "succeeded")["retryOf"] == 1
    service.stop()


def test_the_watchdog_is_told(cluster, service, database):
    service.config(nightly(cluster, database))
    service.env["WATCHDOG_USEC"] = "200000"
    service.start()
    for _ in range(3):
        service.told("WATCHDOG=1")
    service.stop()


# ---------------------------------------------------------------- the command line beside it


def test_what_the_command_line_does_is_in_the_same_history(cluster, service, database):
    service.config(f'database: {{url: "{cluster.url(database)}"}}\n')
    service.run("backup")  # before there is a state: no trace, and no state for it
    assert not (service.folder / "state").exists()
    service.start()
    made = service.run("backup", "--tag", "secret=hush").id
    service.run("restore", "no-such", expect="NOT_FOUND", db=database)
    service.run("list")
    service.run("cleanup", "--dry-run")
    service.run("guard", "--", "true", "hush")
    first, second, third = service.jobs()
    assert (first["kind"], first["backup"], first["status"], first["trigger"]) == ("backup", made, "succeeded", "cli")
    assert (second["kind"], second["status"], second["error"]["kind"]) == ("restore", "failed", "NOT_FOUND")
    assert second["arguments"] == {"words": ["restore", "no-such"]}
    assert third["kind"] == "guard" and "hush" not in json.dumps([first, third])
    service.stop()


# ---------------------------------------------------------------- who is told


def test_failures_and_their_end_are_told_once(cluster, service, database, web):
    server = web()
    tell = f'notify: {{webhook: {{url: "{server.url}/hook"}}, ping: {{url: "{server.url}/ping"}}}}\n'
    service.config(nightly(cluster, database + "_later") + tell)
    service.start()

    def told(path):
        return [json.loads(body)["event"] for _, seen, _, body in server.seen if seen == path]

    def pings():
        return [seen for _, seen, _, _ in server.seen if seen.startswith("/ping")]

    for number in (1, 2):
        service.shift(MINUTE)
        assert service.job(number, "failed")["error"]["kind"] == "DB_NOT_FOUND"
        wait_until(lambda: pings().count("/ping/fail") == number, "no ping of the failure")
    cluster.create(database + "_later", sql=SQL)
    service.shift(MINUTE)
    service.job(3, "succeeded")
    wait_until(lambda: "/ping" in pings() and "recovered" in told("/hook"), "its end is not told")
    assert told("/hook") == ["failure", "recovered"]
    service.stop()
    service.shift(60 * MINUTE)
    service.start()
    service.job(4, "succeeded")
    wait_until(lambda: "missed" in told("/hook"), "what was missed is not told")
    service.stop()
    cluster.drop(database + "_later")


def test_a_failure_that_a_killed_service_could_not_tell_is_told_by_the_next(cluster, service, web):
    """And repeated, where it may pass."""
    server = web()
    service.config('database: {url: "postgresql://nobody@127.0.0.1:1/gone"}\n'
                   'backup: {enabled: true, schedule: "0 0 1 1 *", retries: 1, retryAfter: 1}\n'
                   f'notify: {{minFree: 1, webhook: {{url: "{server.url}/hook"}}}}\n')  # fmt: skip
    told = lambda: [h["X-Pgstow-Event"] for _, _, h, _ in server.seen if h["X-Pgstow-Event"] != "missed"]  # noqa: E731
    service.start()
    service.stop()
    service.env["PGSTOW_FAULT"] = "serve.job.finished:kill"
    service.shift(366 * 24 * 60 * MINUTE)
    for number in (1, 2):  # both of its attempts
        running = service.pgstow.start("serve", env=service.env)
        assert running.wait().status == -signal.SIGKILL
        assert service.job(number, "failed")["attempt"] == number
        assert told() == []
    del service.env["PGSTOW_FAULT"]
    service.start()
    wait_until(lambda: told() == ["failure"], "it is not told")
    assert [j["status"] for j in service.jobs()] == ["failed", "failed"]
    service.stop()
    service.start().stop()
    assert told() == ["failure"] and len(service.jobs()) == 2


@pytest.mark.parametrize("gone, kind", [("server", "CONNECT"), ("pg_dump", "TOOL_MISSING"), ("repository", "CONFIRM"), ("folder", "IO")])
def test_what_cannot_even_begin_is_a_failure_and_told(cluster, service, database, web, gone, kind):
    """And so is its end."""
    server = web()
    settings = nightly(cluster, database, ", retries: 0") + f'notify: {{webhook: {{url: "{server.url}/hook"}}}}\n'
    service.config(settings)
    service.start()
    service.shift(MINUTE)
    service.job(1, "succeeded")
    if gone == "server":
        service.config(settings.replace(cluster.url(database), f"postgresql://nobody@127.0.0.1:1/{database}"))
    elif gone == "pg_dump":
        service.config(settings + "tools: {pgDump: /no/such/pg_dump}\n")
    else:
        service.pgstow.repo.rename(service.folder / "away")
    if gone == "folder":
        service.pgstow.repo.write_text("no folder")
    service.signal(signal.SIGHUP)
    service.told("READY=1")
    service.shift(MINUTE)
    job = service.job(2, "failed")
    assert job["error"]["kind"] == kind and job["error"]["message"], job
    wait_until(lambda: len(server.seen) == 1, "it is not told of")
    told = json.loads(server.seen[0][3])
    assert told["event"] == "failure" and told["error"]["kind"] == kind and told["database"] == database
    if gone == "folder":
        service.pgstow.repo.unlink()
    if (service.folder / "away").exists():
        (service.folder / "away").rename(service.pgstow.repo)
    service.config(settings)
    service.signal(signal.SIGHUP)
    service.told("READY=1")
    service.shift(MINUTE)
    service.job(3, "succeeded")
    wait_until(lambda: [h["X-Pgstow-Event"] for _, _, h, _ in server.seen] == ["failure", "recovered"], "its end is not told")
    service.stop()


def test_runs_that_are_passed_over_again_and_again_are_told(cluster, service, database, locked, web):
    server = web()
    service.config(nightly(cluster, database) + f'notify: {{webhook: {{url: "{server.url}/hook"}}}}\n')
    service.start()
    service.shift(MINUTE)
    service.job(1, "running")

    def result(expected):
        last = lambda: service.run("schedule", "list", "--json").json["schedules"][0]["lastResult"]  # noqa: E731
        wait_until(lambda: last() == expected, f"never {expected}")

    for said in ("overlap", "overlap (2 in a row)", "overlap (3 in a row)", "overlap (4 in a row)"):
        assert not server.seen or said == "overlap (4 in a row)"
        service.shift(MINUTE)
        result(said)
    wait_until(lambda: server.seen, "it is not told")
    told = json.loads(server.seen[0][3])
    assert told["event"] == "missed" and "job 1, begun before, is not done" in told["more"] and "3 runs in all" in told["more"][0]
    locked.run("ROLLBACK")
    service.job(1, "succeeded")
    service.shift(MINUTE)
    service.job(2, "succeeded")
    result("succeeded")
    assert len(server.seen) == 1
    service.stop()


def test_a_receiver_that_is_down_harms_no_backup(cluster, service, database, web):
    """What could not be told waits, also over a restart and with other settings."""
    server = web()

    def told(path):
        return [json.loads(body)["event"] for _, seen, _, body in server.seen if seen == path]

    notify = "\nnotify: {webhook: {url: %s}, minFree: 1}\n"
    settings = nightly(cluster, database, ", notifyOnSuccess: true").replace("* * * * *", "0 0 * * *")
    service.config(settings + notify % (server.url + "/status/500"))
    service.start()
    service.shift(24 * 60 * MINUTE)
    service.job(1, "succeeded")
    wait_until(lambda: told("/status/500") .count("success") == 1, "an attempt")
    service.config(settings + notify % (server.url + "/hook"))
    service.signal(signal.SIGHUP)
    service.told("READY=1")
    service.shift(24 * 60 * MINUTE)
    service.job(2, "succeeded")
    wait_until(lambda: "success" in told("/hook"), "the second one")
    service.stop()
