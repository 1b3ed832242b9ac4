"""Hooks: what is run before and after a run, by the command line and the service alike."""

import os
import signal
import time

import pytest
from harness.cluster import wait_until
from harness.service import MINUTE, database, nightly, service  # noqa: F401

SECRET = "s3cr3t-of-the-test"
WRITE = "env | sort > {folder}/$PGSTOW_KIND-$PGSTOW_EVENT"


def settings(pgstow, hooks, more=""):
    (pgstow.folder / "pgstow.yaml").write_text(f"hooks:\n{hooks}\n{more}")


def told(pgstow, name):
    """What a hook has had in its environment."""
    lines = (pgstow.folder / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith(("PG", "DATABASE", "BACKUP")))


def running(word):
    """Processes that have this word among their arguments."""
    found = []
    for path in os.listdir("/proc"):
        if path.isdigit():
            try:
                with open(f"/proc/{path}/cmdline", "rb") as line:
                    found += [int(path)] if word.encode() in line.read().split(b"\0") else []
            except OSError:
                continue
    return found


def wait_until_gone(word):
    """What is killed is gone a moment later; of what a hook has begun nobody hears when."""
    wait_until(lambda: not running(word), f"sleep {word} goes on")


def test_what_they_are_told(cluster, pgstow, database):
    write = WRITE.format(folder=pgstow.folder)
    settings(pgstow, f"  before: '{write}'\n  after: '{write}'\n")
    env = {"PGPASSWORD": SECRET, "PGSTOW_SMTP_PASSWORD": SECRET, "PGSTOW_JOB": "77", "DATABASE_URL": f"postgresql://u:{SECRET}@nowhere/x"}
    result = pgstow.run("backup", "--json", db=database, env=env).json
    before, after = told(pgstow, "backup-before"), told(pgstow, "backup-after")
    common = {"PGSTOW_KIND": "backup", "PGSTOW_DATABASE": database, "PGSTOW_ENTRY": "", "PGSTOW_REPO": str(pgstow.repo)}
    assert common.items() <= before.items() and before["PGSTOW_EVENT"] == "before" and "PGSTOW_STATUS" not in before
    assert common.items() <= after.items() and after["PGSTOW_EVENT"] == "after" and after["PGSTOW_STATUS"] == "succeeded"
    assert after["PGSTOW_BACKUP_ID"] == result["id"] and int(after["PGSTOW_NEW_BYTES"]) == result["newBytes"] > 0
    assert after["PGSTOW_ROWS"] == "50" and int(after["PGSTOW_DURATION"]) > 0 and after["PGSTOW_ERROR_KIND"] == ""
    for name in ("backup-before", "backup-after"):
        assert SECRET not in (pgstow.folder / name).read_text()
        assert not {"PGPASSWORD", "PGSTOW_SMTP_PASSWORD", "DATABASE_URL", "PGSTOW_JOB"} & told(pgstow, name).keys()
    # a run that fails, another kind, and what a restore is about
    pgstow.run("backup", db="not_there", expect="DB_NOT_FOUND")
    failed = told(pgstow, "backup-after")
    assert (failed["PGSTOW_STATUS"], failed["PGSTOW_ERROR_KIND"]) == ("failed", "DB_NOT_FOUND")
    assert "not_there" in failed["PGSTOW_ERROR_MESSAGE"] and failed["PGSTOW_BACKUP_ID"] == ""
    pgstow.run("restore", "latest", "--to-db", database + "_new", db=database)
    assert told(pgstow, "restore-before")["PGSTOW_BACKUP_ID"] == "latest"
    after = told(pgstow, "restore-after")
    assert (after["PGSTOW_BACKUP_ID"], after["PGSTOW_DATABASE"]) == (result["id"], database + "_new")
    cluster.drop(database + "_new")
    pgstow.run("verify")
    pgstow.run("cleanup")
    assert told(pgstow, "verify-after")["PGSTOW_STATUS"] == told(pgstow, "cleanup-after")["PGSTOW_STATUS"] == "succeeded"
    # what changes nothing has none
    for name in ("list", "restore"):
        for path in pgstow.folder.glob("*-after"):
            path.unlink()
        pgstow.run(name)
        assert not list(pgstow.folder.glob("*-after"))


def test_names_are_no_commands(cluster, pgstow):
    name = "x$(touch pwned);'\"`touch pwned`"
    cluster.create(name, sql="CREATE TABLE t (i int)")
    settings(pgstow, "  after: 'echo \"$PGSTOW_DATABASE\" > name'")
    pgstow.run("backup", "--all-databases", "--include-database", '"' + name.replace('"', '""') + '"', db="postgres")
    settings(pgstow, "  after: 'printf %s \"$PGSTOW_DATABASE\" > name'")
    pgstow.run("cleanup", name)
    assert (pgstow.folder / "name").read_text() == name
    assert not (pgstow.folder / "pwned").exists()
    cluster.drop(name)


def test_one_that_fails_before_ends_the_run(pgstow, database):
    settings(pgstow, "  before: 'echo one; echo two >&2; exit 3'\n  after: 'echo $PGSTOW_STATUS $PGSTOW_ERROR_KIND > after'")
    result = pgstow.run("backup", db=database, expect="HOOK")
    result.error_says("hooks.before failed with status 3", "it said: one; two", "hooks.before: one")
    assert not pgstow.repo.exists()
    assert (pgstow.folder / "after").read_text() == "failed HOOK\n"
    error = pgstow.run("backup", "--json", db=database, expect="HOOK").json["error"]
    assert error["kind"] == "HOOK" and "one; two" in error["hint"]
    pgstow.run("restore", "x", db=database, expect="HOOK")


def test_one_that_fails_afterwards_is_a_warning(pgstow, database):
    settings(pgstow, "  after: 'echo the reason; exit 9'")
    result = pgstow.run("backup", db=database)
    assert result.id in pgstow.ids()
    result.error_says("warning: hooks.after failed with status 9.*the reason")
    result = pgstow.run("backup", "--json", db=database).json
    assert any("hooks.after failed" in w for w in result["warnings"]) and result["hookError"]["kind"] == "HOOK"
    assert result["id"] in pgstow.ids()
    failed = pgstow.run("backup", "--json", db="not_there", expect="DB_NOT_FOUND").json
    assert failed["error"]["kind"] == "DB_NOT_FOUND" and failed["hookError"]["kind"] == "HOOK"


def test_which_one_counts(cluster, pgstow, database):
    """The kind's own before the one for all; an entry's before the file's; none is none."""
    word = "echo {} >> said"
    url = cluster.url(database)
    settings(pgstow, f"""
  before: {word.format("all")}
  backup: {{before: {word.format("backup")}}}
""", f"""databases:
- {{name: plain, url: "{url}"}}
- {{name: own, url: "{url}", hooks: {{before: {word.format("own")}}}}}
- {{name: off, url: "{url}", hooks: {{before: none}}}}
- {{name: kind, url: "{url}", hooks: {{cleanup: {{before: {word.format("kind")}}}}}}}
""")  # fmt: skip
    said = pgstow.folder / "said"

    def run(command, name):
        said.write_text("")
        pgstow.run(command, "--entry", name)
        return said.read_text().split()

    assert run("backup", "plain") == ["backup"] and run("cleanup", "plain") == ["all"]
    assert run("backup", "own") == run("cleanup", "own") == ["own"]
    assert run("backup", "off") == run("cleanup", "off") == []
    assert run("backup", "kind") == ["backup"] and run("cleanup", "kind") == ["kind"]
    assert "hooks.before" in pgstow.run("config", "show").stdout
    settings(pgstow, "  befor: x")
    pgstow.run("config", "check", expect="CONFIG").error_says('did you mean "before"')


def test_what_a_hook_runs_has_none(pgstow, database):
    settings(pgstow, f"  after: 'echo x >> said; {pgstow.binary} verify --repo {pgstow.repo} > verified'")
    pgstow.run("backup", db=database)
    assert (pgstow.folder / "said").read_text() == "x\n" and "no damage" in (pgstow.folder / "verified").read_text()


def test_a_time_limit(pgstow, database):
    settings(pgstow, "  timeout: 2s\n  before: 'echo begun; sleep 4321'")
    pgstow.run("backup", db=database, expect="HOOK").error_says(r"not done after 2\.0 s", "it said: begun")
    wait_until_gone("4321")
    assert not pgstow.repo.exists()


def test_what_it_leaves_behind_holds_nobody_up(pgstow, database):
    """In its process group it is ended; what has made itself a session of its own may stay, and hold the pipe."""
    there = 'setsid sh -c "touch there; exec sleep 6543" & while [ ! -e there ]; do sleep 0.01; done'
    settings(pgstow, f"  before: 'sleep 5432 & {there}'")
    began = time.monotonic()
    pgstow.run("backup", db=database)
    left = running("6543")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert time.monotonic() - began < 60 and left
    wait_until_gone("5432")


def test_much_output_is_cut(pgstow, database):
    settings(pgstow, "  before: 'yes abc | head -n 100000; head -c 100000 /dev/zero | tr \"\\\\0\" x; printf \"\\\\001\\\\377end\"'")
    result = pgstow.run("backup", db=database)
    result.error_says("prints more than is shown")
    lines = result.stderr.splitlines()
    assert len(lines) < 600 and max(map(len, lines)) < 3000
    settings(pgstow, "  before: 'printf \"\\\\001\\\\377end\"; false'")
    error = pgstow.run("backup", "--json", db=database, expect="HOOK").json["error"]
    assert error["hint"].endswith("end") and "\x01" not in error["hint"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_one_runs(pgstow, database, number):
    settings(pgstow, "  before: 'touch begun; sleep 7654'\n  after: 'echo $PGSTOW_STATUS > after'")
    with pgstow.start("backup", db=database) as run:
        wait_until((pgstow.folder / "begun").exists, "the hook never began")
        run.process.send_signal(number)
        run.wait().expect("CANCELLED").error_says("while hooks.before ran")
    wait_until_gone("7654")
    assert (pgstow.folder / "after").read_text() == "cancelled\n"


def test_stopped_after_the_backup_it_is_still_good(pgstow, database):
    settings(pgstow, "  after: 'touch begun; sleep 8765'")
    with pgstow.start("backup", db=database) as run:
        wait_until((pgstow.folder / "begun").exists, "the hook never began")
        run.process.send_signal(signal.SIGTERM)
        result = run.wait().expect("OK").error_says("while hooks.after ran")
    assert result.id in pgstow.ids()
    wait_until_gone("8765")


def test_another_users_file_runs_nothing(pgstow, database):
    if os.getuid() != 0:
        pytest.fail("this needs root, to make a file of another user")
    settings(pgstow, "  before: touch pwned")
    os.chown(pgstow.folder / "pgstow.yaml", 65534, 65534)
    pgstow.run("backup", db=database, expect="CONFIG").error_says("belongs to another user")
    assert not (pgstow.folder / "pwned").exists()


# ---------------------------------------------------------------- the service


def test_of_the_services_jobs(cluster, service, database, web):
    """They are the run's own, so that its jobs have them; what failed after a good backup is told, and its end."""
    server = web()
    hook = service.folder / "hook"
    hook.write_text("echo said by the hook $PGSTOW_EVENT\n")
    hooks = f"hooks: {{before: 'sh {hook}', after: 'sh {hook}'}}\nnotify: {{webhook: {{url: {server.url}/hook}}}}\n"
    service.config(nightly(cluster, database, ", retries: 0") + hooks)

    def told():
        return [headers["X-Pgstow-Event"] for _, _, headers, _ in server.seen]

    service.start()
    service.shift(MINUTE)
    job = service.job(1, "succeeded")
    lines = [line["line"] for line in job["log"]]
    assert "hooks.before: said by the hook before" in lines and "hooks.after: said by the hook after" in lines
    hook.write_text("echo it is bad; test $PGSTOW_EVENT = before\n")
    service.shift(MINUTE)
    job = service.job(2, "succeeded")
    assert job["backup"] in service.pgstow.ids() and job["result"]["hookError"]["kind"] == "HOOK"
    wait_until(lambda: told() == ["hook-failed"], "the hook is not told of")
    hook.write_text("exit 1\n")
    service.shift(MINUTE)
    assert service.job(3, "failed")["error"]["kind"] == "HOOK"
    wait_until(lambda: told() == ["hook-failed", "failure"], "the failure is not told of")
    hook.write_text("exit 0\n")
    service.shift(MINUTE)
    service.job(4, "succeeded")
    wait_until(lambda: told() == ["hook-failed", "failure", "recovered", "recovered"], "its end is not told")
    service.stop()
