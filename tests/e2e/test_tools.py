"""pg_dump, pg_restore and psql that are missing, too old or misbehave."""

import re
import subprocess

import pytest

from harness import compare
from harness.cluster import SLOWER
from harness.errors import status_of
from harness.mounts import needs_root
from harness.program import assert_nothing_visible
from harness.tools import TOOL, script


def test_forced_missing(cluster, pgstow, shop):
    """FORCE_PG_DUMP_MISSING=1: what was looked for and where, the server, the remedy."""
    result = pgstow.run("backup", db=shop, env={"FORCE_PG_DUMP_MISSING": "1"}, expect="TOOL_MISSING")
    version = cluster.sql("SHOW server_version").split(".")[0]
    result.error_says("pg_dump", "PATH", "/usr/lib/postgresql", version, rf"postgresql-client-{version}|install")
    assert_nothing_visible(pgstow)


@pytest.mark.parametrize("tool", ["pg_dump", "pg_restore", "psql"])
def test_tools_really_gone(pgstow, shop, tool):
    """Run where the folders of PostgreSQL's programs are empty, in a mount namespace of its own."""
    needs_root()
    saved = pgstow.backup(shop) if tool != "pg_dump" else None
    if tool == "pg_dump":
        args = ["backup"]
    elif tool == "pg_restore":
        args = ["restore", saved, "--to-db", "never_made"]
    else:
        args = ["doctor"]
    command = pgstow.command(args, shop)
    hide = "mount -t tmpfs none /usr/lib/postgresql && for f in /usr/bin/pg_dump /usr/bin/pg_restore /usr/bin/psql; do " \
           "[ ! -e $f ] || mount --bind /usr/share/common-licenses/BSD $f 2>/dev/null || " \
           "mount --bind /etc/hostname $f; done; exec \"$@\""  # fmt: skip
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide, "sh", *command], capture_output=True, text=True,
        env=pgstow.environment(), timeout=60 * SLOWER,
    )  # fmt: skip
    assert re.search(rf"{tool}\b.*(not found|missing|was not)", done.stdout + done.stderr), done
    assert "install" in done.stdout + done.stderr, done
    if tool != "psql":
        assert done.returncode == status_of("TOOL_MISSING"), done
    else:
        assert done.returncode != 0, done


@pytest.mark.parametrize("tool, args", [
    ("pg_dump", ["backup"]), ("pg_restore", ["restore", "latest", "--to-db", "never_made"]),
])  # fmt: skip
def test_a_setting_that_leads_nowhere(cluster, pgstow, shop, tool, args):
    pgstow.backup(shop)
    result = pgstow.run(*args, db=shop, env={TOOL[tool]: "/nowhere/bin/" + tool}, expect="TOOL_MISSING")
    result.error_says(re.escape("/nowhere/bin/" + tool))
    assert not cluster.exists("never_made")


@pytest.mark.parametrize("tool, args", [
    ("pg_dump", ["backup"]), ("pg_restore", ["restore", "latest", "--to-db", "never_made"]),
])  # fmt: skip
def test_too_old(cluster, pgstow, shop, tool, args):
    pgstow.backup(shop)
    old = script(pgstow.folder, tool, f'[ "$1" = --version ] || [ "$1" = -V ] && echo "{tool} (PostgreSQL) 9.6.24" && exit\nexit 3\n')
    result = pgstow.run(*args, db=shop, env={TOOL[tool]: str(old)}, expect="TOOL_VERSION")
    version = cluster.sql("SHOW server_version").split(".")[0]
    result.error_says(r"9\.6", version, "install|postgresql-client")
    assert not cluster.exists("never_made")


VERSION = 'case "$1" in --version|-V) echo "pg_dump (PostgreSQL) 15.99"; exit;; esac\n'
BROKEN = {
    "fails at once": ("echo 'pg_dump: error: out of luck' >&2; exit 1", "TOOL_FAILED", "out of luck"),
    "says nothing": ("exit 0", ("TOOL_FAILED", "ARCHIVE"), "pg_dump"),
    "says nonsense": ("echo this is no archive; sleep 0.2", ("ARCHIVE", "TOOL_FAILED"), "archive|pg_dump"),
    "ends in the middle": ("{real} \"$@\" | head -c 300; exit 0", ("ARCHIVE", "TOOL_FAILED"), "archive|pg_dump"),
    "is killed": ("kill -9 $$", "TOOL_FAILED", "pg_dump.*(signal|kill|9)"),
    "fails at the end": ("{real} \"$@\"; echo 'pg_dump: error: late trouble' >&2; exit 1", None, "late trouble"),
    "asks a question": ("read answer < /dev/tty && exit 0; echo 'no terminal' >&2; exit 1", "TOOL_FAILED", "no terminal"),
}


@pytest.mark.parametrize("how", sorted(BROKEN))
def test_a_pg_dump_that(cluster, pgstow, shop, how):
    text, wanted, says = BROKEN[how]
    tool = script(pgstow.folder, "broken", VERSION + text.replace("{real}", str(cluster.bin / "pg_dump")) + "\n")
    result = pgstow.run("backup", db=shop, env={TOOL["pg_dump"]: str(tool)}, expect=None, timeout=60)
    if how == "fails at the end" and result.status == 0:
        # Ended by us as soon as its contents are read, its late trouble may never happen: then the
        # backup must be whole.
        pgstow.run("verify", "--level", "rebuild")
        return
    kinds = [wanted] if isinstance(wanted, str) else wanted or ["TOOL_FAILED"]
    assert result.status in [status_of(k) for k in kinds], str(result)
    result.error_says(says)
    assert_nothing_visible(pgstow)


@pytest.mark.parametrize("how, text", [
    ("fails", "echo 'pg_restore: error: cannot do this' >&2; exit 1"),
    ("is killed", "kill -9 $$"),
    ("warns of ignored errors", "echo 'pg_restore: warning: errors ignored on restore: 1' >&2; exit 1"),
])
def test_a_pg_restore_that(cluster, pgstow, shop, how, text):
    pgstow.backup(shop)
    before = compare.snapshot(cluster, shop)
    tool = script(pgstow.folder, "broken", VERSION.replace("pg_dump", "pg_restore") + text + "\n")
    result = pgstow.run("restore", "latest", "--replace", "--yes", db=shop, env={TOOL["pg_restore"]: str(tool)},
                        expect="TOOL_FAILED")  # fmt: skip
    result.error_says("pg_restore")
    compare.assert_as_before(cluster, shop, before)


def test_a_tool_may_be_a_command(cluster, pgstow, shop):
    """As `docker exec db pg_dump` would be: more than one word, found on PATH."""
    command = f"env SOMETHING=x {cluster.bin}/pg_dump"
    assert pgstow.run("backup", db=shop, env={TOOL["pg_dump"]: command}).id in pgstow.ids()
