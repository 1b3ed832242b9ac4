"""The command line: help, mistakes, settings from everywhere, exit statuses, JSON."""

import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest

from harness import compare
from harness.cluster import SLOWER, Cluster
from harness.errors import status_of
from harness.program import Pgstow

COMMANDS = ["doctor", "backup", "list", "show", "verify", "restore", "delete", "export", "guard", "check", "stats",
            "config", "serve", "schedule", "jobs"]  # fmt: skip
SUBCOMMANDS = [["config", "check"], ["config", "show"], ["config", "sample"]]


@pytest.fixture
def alone(folder):
    """The program without any server."""

    class NoCluster:
        def url(self, *_):
            raise AssertionError("no database here")

    return Pgstow(NoCluster(), folder)


# ---------------------------------------------------------------- help and mistakes


@pytest.mark.parametrize("args", [["--help"], ["help"], ["-h"]], ids=lambda a: a[0])
def test_help(alone, args):
    text = alone.run(*args, repo=False).stdout
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", text, re.MULTILINE), command


@pytest.mark.parametrize("command", [[c] for c in COMMANDS] + SUBCOMMANDS + [["create"]], ids=" ".join)
def test_help_of_a_command(alone, command):
    result = alone.run(*command, "--help", repo=False)
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) >= 4
    assert command[0] in result.stdout or command == ["create"]
    if command not in SUBCOMMANDS and command != ["config"]:
        assert "--repo" in result.stdout or "--json" in result.stdout


def test_version(alone):
    assert re.search(r"pgstow \d+\.\d+", alone.run("--version", repo=False).stdout)


def test_alone(alone):
    """Without a command: what it is, and what to do next."""
    result = alone.run(repo=False, expect=None)
    assert result.status in (0, status_of("USAGE"))
    result.says("usage", "backup", "--help|help")


@pytest.mark.parametrize("args, near", [
    (["bakcup"], "backup"), (["restor", "x"], "restore"), (["list", "--jsn"], "--json"),
    (["backup", "--exclude-tabel", "x"], "--exclude-table"), (["restore", "x", "--replce"], "--replace"),
    (["verify", "--levle=quick"], "--level"), (["config", "shw"], "show"),
], ids=" ".join)  # fmt: skip
def test_unknown_words_with_near_names(alone, args, near):
    alone.run(*args, repo=False, expect="USAGE").error_says(re.escape(near))


@pytest.mark.parametrize("args", [
    ["backup", "extra"], ["show"], ["delete"], ["backup", "--tag"], ["backup", "--jobs", "many"],
    ["backup", "--jobs", "-1"], ["backup", "--timeout", "soon"], ["guard"], ["check", "--max-age", "old"],
    ["restore", "x", "--replace", "--in-place"], ["list", "--json=maybe"], ["export", "x", "--format", "custom"],
    ["backup", "--max-rate", "fast"], ["show", "a", "b"],
], ids=" ".join)  # fmt: skip
def test_mistakes(alone, args):
    result = alone.run(*args, expect=None)
    assert result.status in (status_of("USAGE"), status_of("CONFIG")), str(result)
    assert result.stderr.strip() and result.stdout == ""
    assert not alone.repo.exists()


def test_errors_as_json(pgstow):
    """With --json an error is a document with its kind, message and hint."""
    result = pgstow.run("backup", "--json", db="not_a_database", expect="DB_NOT_FOUND")
    text = result.stdout.strip() or result.stderr.strip()
    doc = json.loads(text.splitlines()[-1]) if "\n{" in text else json.loads(text)
    error = doc.get("error", doc)
    assert error["kind"] == "DB_NOT_FOUND"
    assert "not_a_database" in error["message"]


# ---------------------------------------------------------------- settings


def config(folder, text, name="pgstow.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_config_sample_is_good(alone):
    sample = alone.run("config", "sample", repo=False).stdout
    for word in ("backup:", "enabled", "backupDir", "retentionDays", "schedule", "compression",
                 "maxConcurrentBackups", "backupTimeout", "notifyOnFailure", "notifyOnSuccess", "notificationEmail"):
        assert word in sample, word
    path = config(alone.folder, sample, "sample.yaml")
    alone.run("config", "check", "--config", path, repo=False)


@pytest.mark.parametrize("text, line, words", [
    ("backup:\n  compresion: true\n", 2, ["compresion", "compression"]),
    ("backup:\n  enabled: true\n  retentionDays: many\n", 3, ["retentionDays", "many"]),
    ("backup:\n  compression: 11\n", 2, ["compression", "11", "9"]),
    ("backup:\n  backupDir: [a, b]\n", 2, ["backupDir"]),
    ("bakup:\n  enabled: true\n", 1, ["bakup", "backup"]),
    ("backup:\n  enabled: true\n  enabled: false\n", 3, ["enabled"]),
    ("backup:\n  enabled: [\n", None, []),
    ("just text\n", 1, []),
    ("backup:\n\tenabled: true\n", 2, []),
])  # fmt: skip
def test_yaml_errors_name_file_and_line(alone, text, line, words):
    path = config(alone.folder, text)
    result = alone.run("config", "check", "--config", path, repo=False, expect="CONFIG")
    result.error_says(re.escape("pgstow.yaml") + (rf":{line}\b" if line else r":\d+\b"), *map(re.escape, words))
    # Every command says the same, before it does anything.
    again = alone.run("list", "--config", path, expect="CONFIG")
    again.error_says(re.escape("pgstow.yaml"))


def test_config_file_that_is_not_there(alone):
    alone.run("config", "check", "--config", "/nowhere.yaml", repo=False, expect="CONFIG").error_says("/nowhere.yaml")


def folder_used(pgstow, shop, *args, env=None, cwd=None):
    """Where a backup went: the folders that are repositories afterwards."""
    pgstow.run("backup", *args, db=shop, repo=False, env=env, cwd=cwd or pgstow.folder)
    return sorted(str(p.parent.relative_to(pgstow.folder)) for p in pgstow.folder.rglob("config") if p.is_file())


def test_precedence(pgstow, shop):
    """Flags beat environment, environment beats .env, .env beats the file, the file beats the default."""
    (pgstow.folder / ".env").write_text("# a comment\nBACKUP_DIR='by env file'\n")
    config(pgstow.folder, "backup:\n  backupDir: by_yaml\n")
    used = folder_used(pgstow, shop, "--repo", "by_flag", env={"BACKUP_DIR": "by_env"})
    assert used == ["by_flag"]
    assert folder_used(pgstow, shop, env={"BACKUP_DIR": "by_env"}) == ["by_env", "by_flag"]
    assert folder_used(pgstow, shop) == ["by env file", "by_env", "by_flag"]
    (pgstow.folder / ".env").unlink()
    assert folder_used(pgstow, shop) == ["by env file", "by_env", "by_flag", "by_yaml"]
    (pgstow.folder / "pgstow.yaml").unlink()
    assert folder_used(pgstow, shop) == ["backups", "by env file", "by_env", "by_flag", "by_yaml"]


def test_env_file(cluster, pgstow, shop):
    """DATABASE_URL from a .env file, with quotes, export and comments."""
    (pgstow.folder / ".env").write_text(
        f'\n# comment\nexport DATABASE_URL="{cluster.url(shop)}"  \nOTHER=ignored\nBACKUP_COMPRESSION=3\n'
    )
    backup = pgstow.run("backup").id
    assert backup.startswith(shop + "-")


def test_config_show_tells_where_each_value_comes_from(cluster, pgstow):
    config(pgstow.folder, "backup:\n  retentionDays: 12\n")
    env = {"BACKUP_COMPRESSION": "4", "DATABASE_URL": "postgresql://u:hidden-secret@h/d"}
    result = pgstow.run("config", "show", repo=False, env=env)
    assert re.search(r"retentionDays.*12.*pgstow\.yaml", result.stdout), result.stdout
    assert re.search(r"compression.*4.*BACKUP_COMPRESSION", result.stdout), result.stdout
    assert "hidden-secret" not in result.said
    assert pgstow.run("config", "show", "--json", repo=False, env=env).json
    default = Pgstow(cluster, pgstow.home).run("config", "show", repo=False).stdout
    assert re.search(r"retentionDays.*\b30\b", default), default


def test_bad_environment_is_named(pgstow):
    result = pgstow.run("list", env={"BACKUP_RETENTION_DAYS": "soon"}, expect="CONFIG")
    result.error_says("BACKUP_RETENTION_DAYS", "soon")


# ---------------------------------------------------------------- list, show, delete, stats, check


@pytest.fixture
def two(pgstow, shop):
    return [pgstow.backup(shop), pgstow.backup(shop)]


def test_list_for_people(pgstow, shop, two):
    text = pgstow.run("list").stdout
    for backup in two:
        row = next(line for line in text.splitlines() if backup in line)
        assert re.search(r"\d(\.\d+)? ?[kKMG]?i?B", row), row


def test_list_empty(pgstow, shop):
    backup = pgstow.backup(shop)
    pgstow.run("delete", backup, "--yes")
    assert pgstow.list() == []
    pgstow.run("list")


@pytest.mark.parametrize("args", [
    ["list"], ["show", "latest"], ["show", "latest", "--tables"], ["verify"], ["stats"], ["doctor"],
    ["check", "--max-age", "1h"], ["config", "show"], ["restore"], ["restore", "latest", "--dry-run", "--to-db", "x"],
], ids=" ".join)  # fmt: skip
def test_json_everywhere(pgstow, shop, two, args):
    result = pgstow.run(*args, "--json", db=shop, repo=args[0] != "config", expect=None)
    assert result.json is not None
    if args[0] != "doctor":
        assert result.status == 0, str(result)


def test_show(pgstow, shop, two):
    text = pgstow.run("show", two[0]).stdout
    for word in (two[0], "8,?500|8 500", "PostgreSQL 1", "rows"):
        assert re.search(word, text), word
    text = pgstow.run("show", two[0], "--tables").stdout
    for word in ("customer", "item", "empty_one", "8,?000|8 000"):
        assert re.search(word, text), word


def test_delete(pgstow, shop, two, cluster, database):
    result = pgstow.run("delete", two[0], "--yes")
    assert two[0] in result.said
    assert pgstow.ids() == [two[1]]
    for args in (("show", two[0]), ("delete", two[0], "--yes"), ("restore", two[0], "--to-db", "x")):
        pgstow.run(*args, db=shop, expect="NOT_FOUND")
    pgstow.run("delete", two[0], "--ignore-missing", "--yes").error_says("warning.*" + re.escape(two[0]))
    # The other one, deduplicated against it, is as good as ever.
    pgstow.run("verify", "--level", "rebuild")
    database.later(f"{shop}_copy")
    pgstow.restore(two[1], shop, "--to-db", f"{shop}_copy")
    compare.assert_same(cluster, shop, f"{shop}_copy")


def test_completion_knows_the_ids(pgstow, shop, two):
    """Those that are there: a deleted one is not offered."""
    pgstow.run("delete", two[0], "--yes")
    script = Path(__file__).parents[2] / "completion" / "pgstow.bash"
    words = 'COMP_WORDS=(pgstow --repo "$2" show ""); COMP_CWORD=4; _pgstow; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f'. "$1"; {words}', "bash", script, pgstow.repo], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["latest", two[1]]


def test_delete_by_key(pgstow, shop, two):
    key = pgstow.metadata(two[0])["key"]
    pgstow.run("delete", key, "--yes", db=shop)
    assert pgstow.ids() == [two[1]]


def test_a_deleted_parent_is_not_used(pgstow, shop):
    """Its packs may go at any time: the next backup stands by itself."""
    first = pgstow.backup(shop)
    pgstow.run("delete", first, "--yes")
    second = pgstow.metadata(pgstow.backup(shop))
    assert second["newBytes"] > second["logicalSize"] * 0.1, second
    pgstow.run("verify", "--level", "rebuild")


def test_stats(pgstow, shop, two, database):
    other = database(sql="CREATE TABLE t AS SELECT 1 AS a")
    pgstow.backup(other)
    doc = pgstow.run("stats", "--json").json
    by_name = {d["database"]: d for d in doc["databases"]}
    assert by_name[shop]["backups"] == 2 and by_name[other]["backups"] == 1
    stored = sum(size for name, size in pgstow.files().items() if name.startswith(("packs/", "backups/")))
    assert 0 < by_name[shop]["storedSize"] <= stored
    assert by_name[shop]["logicalSize"] > 2 * 500_000
    assert by_name[shop]["sharedSize"] > 0
    text = pgstow.run("stats").stdout
    assert shop in text and other in text


def test_check(pgstow, shop, two):
    """One line and an exit status, for monitors."""
    result = pgstow.run("check", "--max-age", "26h", db=shop)
    assert len(result.stdout.strip().splitlines()) == 1 and shop in result.stdout
    time.sleep(3.2)  # the second id of one second bears the next one
    result = pgstow.run("check", "--max-age", "1s", db=shop, expect="STALE")
    assert len((result.stdout.strip() or result.stderr.strip()).splitlines()) == 1, str(result)
    pgstow.run("check", "--max-age", "1d", db="never_backed_up", expect=None).says("never_backed_up")
    assert pgstow.run("check", "--max-age", "1d", db="never_backed_up", expect=None).status in (
        status_of("STALE"), status_of("NOT_FOUND"))  # fmt: skip


def test_check_is_not_deceived_by_a_filtered_backup(pgstow, shop):
    pgstow.backup(shop, "--exclude-table", "item")
    result = pgstow.run("check", "--max-age", "1d", db=shop, expect=None)
    assert result.status in (status_of("STALE"), status_of("NOT_FOUND")), str(result)


# ---------------------------------------------------------------- guard


def sql_command(cluster, shop, sql):
    return [str(cluster.bin / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", cluster.url(shop), "-c", sql]


def test_guard_of_a_good_command(cluster, pgstow, shop):
    result = pgstow.run("guard", "--", *sql_command(cluster, shop, "CREATE TABLE made_by_migration AS SELECT 1"), db=shop)
    assert cluster.sql("SELECT count(*) FROM made_by_migration", shop) == "1"
    assert pgstow.ids()[0] in result.said


def test_guard_of_a_failing_command(cluster, pgstow, shop):
    """The database is put back; the exit status says that it was the command."""
    before = compare.snapshot(cluster, shop)
    command = ["sh", "-c", '"$@"; exit 7', "sh", *sql_command(cluster, shop, "DROP TABLE item CASCADE")]
    result = pgstow.run("guard", "--yes", "--", *command, db=shop, expect="GUARD_COMMAND")
    result.error_says("7", "restored")
    compare.assert_as_before(cluster, shop, before)


def test_guard_whose_backup_fails(cluster, pgstow, shop):
    marker = pgstow.folder / "was run"
    result = pgstow.run("guard", "--yes", "--", "touch", marker, db="not_a_database", expect="GUARD_BACKUP")
    result.error_says("not_a_database")
    assert not marker.exists()


def test_guard_whose_restore_fails(cluster, pgstow, shop):
    """The command fails and the repository with it: the third status, and where the backup is."""
    command = ["sh", "-c", f"rm -rf {pgstow.repo}/packs; exit 1"]
    before = compare.snapshot(cluster, shop)
    result = pgstow.run("guard", "--yes", "--", *command, db=shop, expect="GUARD_RESTORE")
    result.error_says(re.escape(shop + "-"))
    compare.assert_as_before(cluster, shop, before)


def test_guard_passes_the_streams_on(cluster, pgstow, shop):
    with pgstow.start("guard", "--yes", "--", "sh", "-c", "read x; echo got $x; echo err >&2", db=shop,
                      stdin=subprocess.PIPE) as run:  # fmt: skip
        out, err = run.process.communicate(b"this\n", timeout=60 * SLOWER)
    assert run.process.returncode == 0, err
    assert b"got this" in out and b"err" in err


def test_guard_of_a_missing_command(cluster, pgstow, shop):
    before = compare.snapshot(cluster, shop)
    result = pgstow.run("guard", "--yes", "--", "/no/such/command", db=shop, expect=None)
    assert result.status in [status_of(k) for k in ("GUARD_COMMAND", "USAGE")], str(result)
    result.error_says("/no/such/command")
    compare.assert_as_before(cluster, shop, before)


# ---------------------------------------------------------------- doctor


def test_doctor(cluster, pgstow, shop):
    result = pgstow.run("doctor", db=shop)
    result.says("pg_dump", "pg_restore", "psql", "PostgreSQL " + cluster.sql("SHOW server_version").split()[0],
                "GRANT", "repository|" + re.escape(str(pgstow.repo)))  # fmt: skip
    doc = pgstow.run("doctor", "--json", db=shop).json
    assert doc["findings"] and all({"level", "title", "detail"} <= set(f) for f in doc["findings"])


def test_doctors_grants_are_enough(cluster, pgstow, shop):
    """The statements that it prints for a backup user, run as they stand, make one that can back up."""
    text = pgstow.run("doctor", db=shop).stdout
    grants = [line.strip() for line in text.splitlines() if re.match(r"\s*(GRANT|CREATE ROLE|ALTER|DO) .*;", line)]
    assert len(grants) >= 3, text
    name = re.match(r"CREATE ROLE (\w+) LOGIN", grants[0]).group(1)
    try:
        cluster.sql("\n".join(grants), shop)
        pgstow.backup(cluster.url(shop, name))
    finally:
        cluster.sql(f"DROP OWNED BY {name}; DROP ROLE IF EXISTS {name}", shop)


def test_doctor_without_a_server(pgstow):
    """It never stops at the first problem."""
    result = pgstow.run("doctor", "--db", "postgresql://postgres@127.0.0.1:1/x", expect=None)
    assert result.status not in (0, 1), str(result)
    result.says("refused", "pg_dump", "pg_restore")


def test_doctor_missing_tools(pgstow, shop):
    result = pgstow.run("doctor", db=shop, env={"FORCE_PG_DUMP_MISSING": "1"}, expect=None)
    assert result.status != 0
    result.says("pg_dump", "install")


def test_doctor_warns_of_too_few_locks(pgstow):
    """More tables than the server's lock table surely holds."""
    small = Cluster({"max_locks_per_transaction": 10, "max_connections": 10, "max_wal_senders": 2,
                     "max_prepared_transactions": 0})  # fmt: skip
    try:
        name = small.create(sql="""
            DO $$ BEGIN FOR i IN 1 .. 400 LOOP
                EXECUTE format('CREATE TABLE t%s ()', i);
                IF i % 20 = 0 THEN COMMIT; END IF;
            END LOOP; END $$""")  # fmt: skip
        there = Pgstow(small, pgstow.folder)
        there.run("doctor", db=name, expect=None).says("max_locks_per_transaction")
        # What it warns of is what then happens, and the error says the same remedy.
        result = there.run("backup", db=name, expect=None)
        if result.status != 0:
            result.error_says("max_locks_per_transaction")
            assert there.manifests() == []
    finally:
        small.destroy()


def test_doctor_repository_of_root(pgstow, shop):
    """A store that cannot be written is reported, with a remedy."""
    pgstow.repo.write_text("a file")
    result = pgstow.run("doctor", db=shop, expect=None)
    assert result.status != 0
    result.says(re.escape(str(pgstow.repo)))


# ---------------------------------------------------------------- the terminal


def test_progress_on_a_terminal(pgstow, shop):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        pgstow.command(["backup"], shop), stdin=follower, stdout=follower, stderr=follower,
        env=pgstow.environment({"TERM": "xterm"}), start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(leader)
    assert process.wait(60) == 0, seen
    last = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).replace(b"\r\n", b"\n").strip().split(b"\n")[-1]
    assert last.split(b"\r")[-1].decode() == pgstow.manifests()[0]
