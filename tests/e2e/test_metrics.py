"""What Prometheus reads, and what packaging/ makes of it."""

import datetime
import json
import re
import signal
import subprocess
import sys

import pytest
from harness.cluster import A_MINUTE, E2E, wait_until
from harness.exposition import Scrape
from harness.program import ROOT

sys.path.insert(0, str(E2E.parent))

import private_promtool  # noqa: E402

PACKAGING = ROOT / "packaging"
NAME = re.compile(r"\b((?:pgstow|process)_\w+)\b(?:\{([^}]*)\})?")


@pytest.fixture(scope="module")
def promtool():
    """Brought where it is not there yet."""
    return private_promtool.bring()


def get(api, token="viewer", path="/metrics"):
    return api.call("GET", path, token)


def scrape(api):
    status, headers, text = get(api)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(text)


@pytest.fixture(scope="module")
def first(api):
    """A scrape before there is any backup, then one behind a backup, a failure and a drill."""
    empty = scrape(api)
    job = api.call("POST", "/api/v1/backups", body='{"entry": "e0"}')[2]["job"]
    assert api.job(job)["status"] == "succeeded"
    api.run("verify", "--entry", "e0", "--level", "drill").expect("OK")
    return empty


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def settled(api, done):
    """A scrape for which this holds: what is known of repositories is up to 15 s old."""
    found = []

    def look():
        found.append(scrape(api))
        return done(found[-1])

    wait_until(look, "the metrics never say so", A_MINUTE)
    return found[-1]


def test_nothing_is_made_up(api, first):
    names = {"entry": "e0", "database": api.names[0]}
    assert first.get("pgstow_backups", **names) == 0
    assert first.get("pgstow_backup_last_success_timestamp_seconds", **names) is None
    assert first.get("pgstow_job_failing", kind="backup", **names) == 0
    assert first.get("pgstow_jobs_total", kind="backup", entry="e0", status="failed") == 0
    assert first.get("pgstow_repository_up", repository=f"{api.folder}/repo") == 1


def test_what_is_told_of_backups(api, first):
    e0, e1 = ({"entry": f"e{i}", "database": api.names[i]} for i in range(2))
    now = settled(api, lambda s: s.get("pgstow_drill_last_success_timestamp_seconds", **e0))
    info = api.get("/api/v1/backups")["backups"][0]
    when = instant(info["timestamp"])

    def of(name):
        return now.get(f"pgstow_{name}", **e0)

    assert of("backup_last_success_timestamp_seconds") == when
    assert abs(of("backup_age_seconds") - (datetime.datetime.now().timestamp() - when)) < 60
    assert of("backup_last_logical_bytes") == info["logicalSize"] and of("backup_last_stored_bytes") == info["size"]
    assert of("backup_last_new_bytes") == info["newBytes"] and of("backup_last_rows") == 50 and of("backup_last_tables") == 1
    assert of("backup_last_duration_seconds") == info["duration"] / 1000
    assert of("backup_last_dedup_ratio") == pytest.approx(max(0, 1 - info["newBytes"] / info["size"]))
    assert of("backups") == 1 and of("backups_damaged") == 0
    assert of("drill_last_success_timestamp_seconds") == of("verify_last_success_timestamp_seconds")
    assert of("drill_last_success_timestamp_seconds") >= int(when)  # proofs tell whole seconds
    assert of("drill_last_restore_seconds") > 0 and 0 <= of("drill_age_seconds") < 600
    assert now.get("pgstow_backups", **e1) == 0 and now.get("pgstow_backup_age_seconds", **e1) is None
    assert now.get("pgstow_repository_free_bytes", repository=f"{api.folder}/repo") > 0


def test_what_is_told_of_jobs(api, first):
    def count(status, kind="backup"):
        return lambda s: s.get("pgstow_jobs_total", kind=kind, entry="e0", status=status)

    before = scrape(api)
    assert count("succeeded")(before) == 1 and count("succeeded", "drill")(before) == 1
    # What the command line does is counted too, and a failure shows until something succeeds.
    api.run("backup", "--entry", "e0", "--parent", "none-such", expect="NOT_FOUND")
    after = scrape(api)
    e0 = {"entry": "e0", "database": api.names[0]}
    assert count("failed")(after) == 1
    assert after.get("pgstow_job_failing", kind="backup", **e0) == 1
    api.run("backup", "--entry", "e0").expect("OK")
    last = settled(api, lambda s: s.get("pgstow_backups", **e0) == 2)
    assert count("succeeded")(last) == 2 and last.get("pgstow_job_failing", kind="backup", **e0) == 0
    ended = {s: last.get("pgstow_job_last_end_timestamp_seconds", kind="backup", status=s, **e0) for s in ("failed", "succeeded")}
    assert ended["failed"] < ended["succeeded"]
    assert last.get("pgstow_jobs_running") == last.get("pgstow_jobs_waiting") == 0
    for one in api.get("/api/v1/schedules")["schedules"]:
        labels = {"schedule": one["name"], "kind": "backup", "entry": one["entry"]}
        assert last.get("pgstow_schedule_next_run_timestamp_seconds", **labels) == instant(one["next"])


def test_what_is_told_of_the_service(api, first):
    now = scrape(api)
    with open(f"/proc/{api.running.process.pid}/statm") as f:
        pages = int(f.read().split()[1])
    assert now.get("process_resident_memory_bytes") == pytest.approx(pages * 4096, rel=0.5)
    assert 0 < now.get("process_open_fds") < now.get("process_max_fds")
    assert now.get("process_start_time_seconds") <= datetime.datetime.now().timestamp()
    assert [set(labels) for labels in now.labels("pgstow_build_info")] == [{"version"}]
    wrong = get(api, path="/metrics?x=1")
    assert wrong[0] == 400
    assert scrape(api).get("pgstow_http_requests_total", code="400") == (now.get("pgstow_http_requests_total", code="400") or 0) + 1
    counters = {name for name, kind in now.types.items() if kind == "counter"}
    assert counters == {name for name in now.types if name.endswith("_total")} != set()


def test_promtool_has_nothing_to_say(api, first, promtool):
    done = subprocess.run([promtool, "check", "metrics"], input=scrape(api).text, text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_who_may_read(api, first):
    assert get(api, None)[0] == 401
    assert [get(api, role)[0] for role in ("viewer", "operator", "admin")] == [200, 200, 200]
    opened = api.settings.replace("drain: 0s", "drain: 0s, metricsPublic: true")
    (api.folder / "pgstow.yaml").write_text(opened)
    api.running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: get(api, None)[0] == 200, "it was never opened")
    assert api.call("GET", "/api/v1/backups", token=None)[0] == 401
    (api.folder / "pgstow.yaml").write_text(api.settings)
    api.running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: get(api, None)[0] == 401, "it was never closed")


def board_expressions():
    """Each with where it stands."""
    board = json.loads((PACKAGING / "grafana.json").read_text())
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["targets"], panel["title"]
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])[1]


def expressions():
    """Those of the alerts too."""
    yield from board_expressions()
    for line in (PACKAGING / "prometheus-alerts.yml").read_text().splitlines():
        if line.strip().startswith(("expr:", "pgstow_", "and ")):
            yield "alert", line.split("expr:")[-1]


def test_dashboard_and_alerts_are_of_what_there_is(api, first):
    now = settled(api, lambda s: s.labels("pgstow_drill_last_success_timestamp_seconds"))
    seen = set()
    for where, text in expressions():
        for name, labels in NAME.findall(text):
            assert name in now.types, f"{where}: {name}"
            seen.add(name)
            known = set().union({"job"}, *now.labels(name))
            for label in re.findall(r"(\w+)\s*=~?", labels):
                assert label in known, f"{where}: {name} has no label {label}"
    # And nothing is told that nobody looks at.
    assert seen == set(now.types)


def test_the_documentation_has_all_of_them(api, first):
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"`((?:pgstow|process)_\w+)`", text)) == set(scrape(api).types)


def test_promtool_takes_alerts_and_the_dashboard_s_expressions(promtool, folder):
    alerts = PACKAGING / "prometheus-alerts.yml"
    subprocess.run([promtool, "check", "rules", str(alerts)], check=True, capture_output=True)
    rules = [{"record": f"board:{i}", "expr": text.replace("$job", ".*").replace("$entry", ".*")}
             for i, (_, text) in enumerate(board_expressions())]
    assert len(rules) > 40
    (folder / "board.yml").write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(folder / "board.yml")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should(promtool, folder):
    tests = (E2E / "prometheus_alerts.yml").read_text().replace("RULES_HERE", str(PACKAGING / "prometheus-alerts.yml"))
    (folder / "tests.yml").write_text(tests)
    done = subprocess.run([promtool, "test", "rules", str(folder / "tests.yml")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
