"""Signals, closed terminals, readers that go away: what is left is as if nothing had been."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from harness import compare
from harness.cluster import SLOWER, wait_until
from harness.errors import status_of
from harness.program import assert_nothing_visible


def children_of(pid):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.split()


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("point", ["backup.start.locked", "backup.start.toc", "backup.opened", "backup.read"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_a_signal_during_backup(cluster, pgstow_faults, shop, number, point):
    with pgstow_faults.start("backup", db=shop, env={"PGSTOW_FAULT": f"{point}:stop"}) as run:
        assert run.wait_stopped()
        children = children_of(run.process.pid)
        run.process.send_signal(number)
        run.resume()
        result = run.wait(30)
    result.expect("CANCELLED")
    assert result.stdout == ""
    assert_nothing_visible(pgstow_faults)
    cluster.assert_no_connections(shop)
    assert [c for c in children if Path(f"/proc/{c}").exists()] == []
    pgstow_faults.backup(shop)


def test_a_signal_while_waiting_for_a_lock(cluster, pgstow, shop):
    with cluster.session(shop) as other:
        other.run("BEGIN; LOCK TABLE item")
        with pgstow.start("backup", db=shop) as run:
            wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", "no lock is waited for")
            run.process.send_signal(signal.SIGTERM)
            result = run.wait(15)
        result.expect("CANCELLED")
    assert_nothing_visible(pgstow)
    cluster.assert_no_connections(shop)


@pytest.mark.parametrize("number", [SIGNALS[0], *(pytest.param(s, marks=pytest.mark.slow) for s in SIGNALS[1:])], ids=lambda s: s.name)
def test_a_signal_during_restore(cluster, pgstow_faults, shop, number):
    backup = pgstow_faults.backup(shop)
    cluster.sql("DELETE FROM item WHERE id > 10", shop)
    before, databases = compare.snapshot(cluster, shop), cluster.databases()
    names = pgstow_faults.folder / "points"
    copy = cluster.create(template=shop)
    pgstow_faults.run("restore", backup, "--replace", "--yes", db=copy, env={"PGSTOW_FAULT_LIST": str(names)})
    cluster.drop(copy)
    points = [p for p in dict.fromkeys(names.read_text().split()) if p.startswith("restore.")]
    assert len(points) >= 3, points
    for point in points[: len(points) // 2 + 1]:
        with pgstow_faults.start("restore", backup, "--replace", "--yes", db=shop,
                                 env={"PGSTOW_FAULT": f"{point}:stop"}) as run:  # fmt: skip
            assert run.wait_stopped(), point
            run.process.send_signal(number)
            run.resume()
            result = run.wait(30)
        result.expect("CANCELLED")
        compare.assert_as_before(cluster, shop, before)
        assert cluster.databases() == databases, f"{point} left a database behind"


def test_the_terminal_is_closed(cluster, pgstow_faults, shop):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        pgstow_faults.command(["backup"], shop), stdin=follower, stdout=follower, stderr=follower,
        env=pgstow_faults.environment({"PGSTOW_FAULT": "backup.opened:stop", "TERM": "xterm"}),
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )  # fmt: skip
    os.close(follower)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZ", "not reached")
    os.close(leader)
    process.send_signal(signal.SIGCONT)
    assert process.wait(30 * SLOWER) == status_of("CANCELLED")
    assert_nothing_visible(pgstow_faults)
    cluster.assert_no_connections(shop)


def test_a_reader_that_goes_away(pgstow, shop):
    """`export | head -c 10`: ends, and not as a success."""
    backup = pgstow.backup(shop)
    with pgstow.start("export", backup, "--format", "custom", "-o", "-") as run:
        run.process.stdout.read(10)
        run.process.stdout.close()
        assert run.process.wait(30 * SLOWER) != 0
        run.process.stderr.close()


def test_sessions_are_closed(pgstow, shop):
    """After every verb, however it ended, no session object is left that claims to be alive."""
    backup = pgstow.backup(shop)
    pgstow.run("verify", "--level", "rebuild")
    pgstow.run("export", backup, "--format", "custom", "-o", pgstow.folder / "x.dump")
    assert [n for n in pgstow.files() if n.startswith("sessions/")] == []
