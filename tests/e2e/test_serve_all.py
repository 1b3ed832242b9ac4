"""A service that backs up all databases of a server: each has its own history, failures and successes."""

import json

import pytest
from harness.cluster import A_MINUTE, Cluster, free_port, wait_until
from harness.program import Pgstow, program
from harness.service import DONE, MINUTE, SQL, Service

DAY = 24 * 60 * MINUTE


@pytest.fixture(scope="module")
def server():
    server = Cluster()
    yield server
    server.destroy()


@pytest.fixture
def service(server, folder):
    made = Service(Pgstow(server, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN")))
    yield made
    made.close()
    server.drop(*(name for name in server.databases() if name not in ("postgres", "template0", "template1")))


def settings(server, web_url="http://127.0.0.1:9", more="", list_more=""):
    return (f'notify: {{minFree: 1, webhook: {{url: "{web_url}/hook"}}}}\n'
            f'backup: {{enabled: true, schedule: "0 0 * * *", allDatabases: true, excludeDatabase: [postgres]{more}}}\n'
            f'databases:\n- {{name: all, url: "{server.url("postgres")}"{list_more}}}\n')  # fmt: skip


def wholes(service):
    """The runs of all, the oldest first, once all jobs have ended."""
    wait_until(lambda: all(j["status"] in DONE for j in service.jobs()), "jobs never end", A_MINUTE)
    return [j for j in service.jobs() if not j["database"]]


def told(receiver):
    """Documents of what was told. That the clock was set forward over runs is not of interest here."""
    return [d for d in (json.loads(body) for _, _, _, body in receiver.seen) if d["event"] != "missed"]


def parts(service, whole):
    return {j["database"]: j for j in service.jobs() if j["arguments"].get("partOf") == whole["id"]}


def test_each_database_by_itself(server, service, web):
    receiver = web()
    names = ["one", "two", "o'\"dd"]
    for name in names:
        server.create(name, sql=SQL)

    def news():
        return [(d["event"], d.get("database")) for d in told(receiver)]

    service.config(settings(server, receiver.url, ", backupTimeout: 3, retries: 1, retryAfter: 1"), port=free_port())
    service.start()

    def next_day(count):
        """So many runs of all are done then."""
        service.shift(DAY)
        wait_until(lambda: len(wholes(service)) == count, f"no {count} runs", A_MINUTE)
        return wholes(service)

    first = next_day(1)[0]
    assert first["status"] == "succeeded" and first["entry"] == "all"
    found = parts(service, first)
    assert set(found) == set(names)
    for part in found.values():
        assert (part["kind"], part["entry"], part["trigger"], part["actor"]) == ("backup", "all", first["trigger"], "schedule")
        assert part["status"] == "succeeded" and part["backup"] in service.pgstow.ids() and part["exitStatus"] == 0

    # One fails among good ones, a new one has come; only what failed is tried again, and one notification names it.
    server.create("three", sql=SQL)
    with server.session("two") as session:
        session.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        second, third = next_day(3)[1:]
        session.run("ROLLBACK")
    assert second["status"] == "failed" and second["error"]["kind"] == "PARTIAL" and "two" in second["error"]["message"]
    found = parts(service, second)
    assert {n: j["status"] for n, j in found.items()} == {n: "failed" if n == "two" else "succeeded" for n in [*names, "three"]}
    assert found["two"]["error"]["kind"] == "TIMEOUT"
    assert third["trigger"] == "retry" and third["arguments"]["words"] == ["backup", '--include-database="two"']
    assert set(parts(service, third)) == {"two"}
    wait_until(lambda: news() == [("failure", "two")], "the failure is not told of")

    # It works again; another one is gone, which is told once, and is no failure.
    server.drop("three")
    assert next_day(4)[3]["status"] == "succeeded"
    wait_until(lambda: len(news()) == 3, "its end is not told of")
    assert sorted(news()[1:]) == [("anomaly", "three"), ("recovered", "two")]
    assert "no longer among the databases" in [d["title"] for d in told(receiver) if d["event"] == "anomaly"][0]
    assert next_day(5)[4]["status"] == "succeeded" and len(news()) == 3
    databases = service.get("/api/v1/databases")["databases"]
    service.stop()
    assert {s["lastStatus"] for s in databases} == {"succeeded"} and len(databases) == 4
    assert [d["database"] for d in databases] == ["", *sorted(names)]
    assert all(d["lastSuccess"]["backup"] for d in databases[1:])


def test_the_command_line_beside_it(server, service):
    """It leaves the same rows."""
    for name in ("one", "two"):
        server.create(name, sql=SQL)
    service.config(settings(server))
    service.start()
    service.run("backup", "--entry", "all")
    whole = wholes(service)[0]
    assert whole["trigger"] == "cli" and set(parts(service, whole)) == {"one", "two"}
    service.run("backup", "--entry", "all", "--include-database", "one", "--include-database", "nothing", expect="PARTIAL")
    whole = wholes(service)[1]
    assert whole["status"] == "failed" and set(parts(service, whole)) == {"one"}
    service.stop()


def test_a_server_that_is_down_is_one_failure(server, service, web):
    receiver = web()
    text = settings(server, receiver.url, ", retries: 0")
    service.config(text.replace(server.url("postgres"), "postgresql://nobody@127.0.0.1:1/postgres"))
    service.start()
    service.shift(DAY)
    assert service.job(1, "failed")["error"]["kind"] == "CONNECT"
    wait_until(lambda: told(receiver), "it is not told of")
    body = told(receiver)[0]
    assert body["event"] == "failure" and body["entry"] == "all" and "database" not in body
    service.stop()


def test_killed_between_two_databases(server, service):
    """What was done is known; the run is repeated."""
    for name in ("one", "two"):
        server.create(name, sql=SQL)
    service.config(settings(server))
    service.start()
    with server.session("two") as session:
        session.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        service.shift(DAY)
        wait_until(lambda: [j["database"] for j in service.jobs()] == ["", "one"], "the first one's part is not there")
        service.kill()
        session.run("ROLLBACK")
    service.start()
    runs = wholes(service)
    wait_until(lambda: len(wholes(service)) == 2, "it is not repeated", A_MINUTE)
    runs = wholes(service)
    assert [j["status"] for j in runs] == ["interrupted", "succeeded"] and runs[1]["retryOf"] == runs[0]["id"]
    assert set(parts(service, runs[0])) == {"one"} and set(parts(service, runs[1])) == {"one", "two"}
    service.stop()
