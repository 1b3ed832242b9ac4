"""The service killed with kill -9 at any moment, with a schedule of every minute: no job stays "running", nothing of it
lives on, no run is lost and none is made twice, and what it stored is whole.

PGSTOW_TEST_SEED repeats the moments of a run, which are printed."""

import contextlib
import os
import random
import signal
import time

import pytest
from harness.cluster import wait_until
from harness.service import DONE, MINUTE, children, database, nightly, service  # noqa: F401

SEED = int(os.environ.get("PGSTOW_TEST_SEED", time.time_ns() % 1000000))
CHANGE = "UPDATE t SET id = -id; INSERT INTO t SELECT max(abs(id)) + 1 FROM t"


def settled(service, number):
    """The newest of these jobs has succeeded, and none is under way."""
    jobs = service.jobs()
    return len(jobs) > number and all(j["status"] in DONE for j in jobs) and jobs[-1]["status"] == "succeeded"


def kill_jobs(service):
    for pid in children(service.clock):
        if pid != service.running.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill(rng, service):
    """The service, or all of it at once, or its jobs first."""
    how = rng.choice(["service", "service", "all", "jobs"])
    if how == "all":
        service.signal(signal.SIGSTOP)  # so that it sees nothing of it
    if how != "service":
        kill_jobs(service)
    service.kill()
    wait_until(lambda: not children(service.clock), "children of the killed service live on")
    return how


def one_round(rng, service, cluster, database, longest):
    """A run is due; at some moment of it the service is killed. The next service makes up for it."""
    before = len(service.jobs()) if (service.folder / "state").exists() else 0
    service.start()
    service.shift(MINUTE)
    moment = longest * rng.random() ** 2  # rather early than late
    hup = rng.random() < 0.2
    if hup:
        service.signal(signal.SIGHUP)
    time.sleep(moment)
    how = kill(rng, service)
    left = [j["status"] for j in service.jobs()[before:]]
    print(f"{moment:.3f} s, {how}{', reloaded' if hup else ''}: {left}")
    service.start()
    wait_until(lambda: settled(service, before), f"the run of this minute is lost: {service.jobs()[before:]}", 60)
    done = service.jobs()[before:]
    good = [j for j in done if j["status"] == "succeeded"]
    # Where it was killed between a job and its schedule's row the job goes on as it is, and no other is made.
    assert len(good) == 1 and len(done) <= 3, done
    assert {j["status"] for j in done} <= {"succeeded", "interrupted", "failed"}, done
    assert good[0]["backup"] in service.pgstow.ids()
    last = service.run("schedule", "list", "--json").json["schedules"][0]
    service.stop()
    cluster.sql(CHANGE, database)
    return last


@pytest.mark.parametrize("rounds", [3, pytest.param(80, marks=pytest.mark.slow)])
def test_killed_at_any_moment(cluster, service, database, rounds):
    rng = random.Random(SEED)
    print(f"PGSTOW_TEST_SEED={SEED}")
    service.config(nightly(cluster, database, ", retries: 20, retryAfter: 1"))
    service.start()  # what is set up from now on is due in a minute
    service.shift(MINUTE)
    began = time.monotonic()
    service.job(1, "succeeded")
    longest = 1.5 * (time.monotonic() - began) + 0.3
    service.stop()
    for number in range(rounds):
        one_round(rng, service, cluster, database, longest)
    service.pgstow.run("verify", "--level", "rebuild")
    ids = {j["backup"] for j in service.jobs() if j["status"] == "succeeded" and j["kind"] == "backup"}
    assert len(ids) == rounds + 1 and ids <= set(service.pgstow.ids())
    cluster.assert_no_connections(database)
