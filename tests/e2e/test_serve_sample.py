"""The sample of settings that was promised, word for word: each of its lines takes effect."""

import re
import sqlite3

import pytest
from harness.cluster import wait_until
from harness.receivers import parsed
from harness.service import MINUTE, database, service  # noqa: F401
from test_faults_clock import clock

SAMPLE = """
backup:
  enabled: true
  backupDir: "./backups"
  retentionDays: 30
  schedule: "0 0 * * *"
  compression: 6
  maxConcurrentBackups: 1
  backupTimeout: 1800   # seconds
  notifyOnFailure: true
  notifyOnSuccess: false
  notificationEmail: "admin@example.com"
"""
DAY = 24 * 60 * MINUTE


@pytest.fixture
def sample(cluster, service, database):
    """The service with nothing but the sample and a DATABASE_URL."""
    service.repo = False
    service.env["DATABASE_URL"] = cluster.url(database)
    service.config(SAMPLE)
    return service


def backups(sample):
    return sample.run("list", "--json").json["backups"]


def test_all_of_it_is_understood(sample):
    sample.run("config", "check")
    shown = {s["name"]: s for s in sample.run("config", "show", "--json").json["settings"]}
    for line in SAMPLE.splitlines()[2:]:
        name, value = re.match(r'  (\w+): "?([^"#]*[^"# ])', line).groups()
        assert shown[f"backup.{name}"]["value"] == value, name
        assert shown[f"backup.{name}"]["origin"].startswith("pgstow.yaml:"), name


def test_enabled_schedule_folder_timeout_compression(sample, cluster, database):
    cluster.sql("CREATE TABLE big AS SELECT g, repeat('abc', 50) t FROM generate_series(1, 20000) g", database)
    sample.config(SAMPLE.replace("enabled: true", "enabled: false"))
    assert sample.run("schedule", "list", "--json").json["schedules"] == []
    sample.config(SAMPLE)
    assert len({t[11:19] for t in sample.run("schedule", "next", "--json").json["schedules"][0]["times"]}) <= 2  # midnights
    assert len(sample.run("schedule", "next").stdout.splitlines()) == 5
    sample.start()
    sample.shift(DAY)
    job = sample.job(1, "succeeded")
    assert job["arguments"]["timeoutMs"] == 1800 * 1000
    assert (sample.folder / "backups" / "backups" / f"{job['backup']}.manifest").exists()
    assert [b["id"] for b in backups(sample)] == [job["backup"]]
    stored = sample.run("backup", "--repo", sample.folder / "stored", "--compression", "false", "--json").json
    assert job["result"]["newBytes"] * 5 < stored["newBytes"]
    sample.stop()


def test_retention_of_30_days(sample):
    for days in (50, 40, 20):
        sample.env.update(clock(-days))
        sample.run("backup", "--no-cleanup")
    for name in clock(0):
        del sample.env[name]
    kept = [b["id"] for b in backups(sample)]
    assert len(kept) == 3
    sample.start()
    sample.shift(DAY)
    job = sample.job(1, "succeeded")
    assert sorted(job["result"]["cleanup"]["deleted"]) == sorted(kept)[:2]  # those of 50 and 40 days ago
    assert {b["id"] for b in backups(sample)} == {sorted(kept)[2], job["backup"]}
    sample.stop()


@pytest.mark.parametrize("at_once", [1, 2])
def test_as_many_at_once(sample, cluster, database, at_once):
    other = cluster.create(sql="CREATE TABLE t (i int)")
    entries = f'databases: [{{name: a, url: "{cluster.url(database)}"}}, {{name: b, url: "{cluster.url(other)}"}}]\n'
    sample.config(SAMPLE.replace("maxConcurrentBackups: 1", f"maxConcurrentBackups: {at_once}") + entries)
    with cluster.session(database) as session:
        session.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        sample.start()
        sample.shift(DAY)
        sample.job(1, "running")
        sample.job(2, "queued" if at_once == 1 else "succeeded")
        session.run("ROLLBACK")
    assert sample.job(1, "succeeded") and sample.job(2, "succeeded")
    sample.stop()
    cluster.drop(other)


def test_whom_it_tells(sample, cluster, database, smtp):
    box = smtp()
    mail = f"notify: {{minFree: 1, smtp: {{host: 127.0.0.1, port: {box.port}}}}}\n"
    sample.config(SAMPLE + mail)
    sample.start()
    sample.shift(DAY)
    sample.job(1, "succeeded")
    cluster.drop(database)
    sample.shift(DAY)
    sample.job(2, "failed")

    def subjects():
        assert all(envelope.rcpt_tos == ["admin@example.com"] for _, envelope, _ in box.mails)
        found = [parsed(envelope)["Subject"] for _, envelope, _ in box.mails]
        return [s for s in found if "missed" not in s]  # the clock was set forward over runs

    wait_until(subjects, "nobody is told of the failure")
    assert len(subjects()) == 1 and f"backup of {database} failed" in subjects()[0]  # and nobody of the success
    sample.stop()
    # switched the other way round: of a failure nobody hears, of each success
    sample.config(SAMPLE.replace("notifyOnFailure: true", "notifyOnFailure: false")
                  .replace("notifyOnSuccess: false", "notifyOnSuccess: true") + mail)  # fmt: skip
    sample.start()
    sample.shift(DAY)
    sample.job(3, "failed")
    cluster.create(database, sql="CREATE TABLE t (i int)")
    sample.shift(DAY)
    sample.job(4, "succeeded")
    wait_until(lambda: len(subjects()) == 2, "nobody is told of the success")
    assert "was made" in subjects()[1]
    sample.stop()
    with sqlite3.connect(sample.folder / "state" / "state.db") as state:
        events = state.execute("SELECT event FROM outbox WHERE event <> 'missed' ORDER BY id").fetchall()
    assert events == [("failure",), ("success",)]


def test_an_entry_has_its_own_hours_until_it_is_stale(pgstow):
    (pgstow.folder / "pgstow.yaml").write_text(
        "notify: {staleHours: 26}\ndatabases: [{name: a}, {name: b, notify: {staleHours: 200}}]\n")  # fmt: skip
    for name, hours in (("a", "26"), ("b", "200")):
        shown = pgstow.run("config", "show", "--entry", name, "--json", repo=False).json["settings"]
        assert [s["value"] for s in shown if s["name"] == "notify.staleHours"] == [hours]
