#!/usr/bin/python3
"""promtool, Prometheus' checker of metrics and rules, where it is not installed.

    private_promtool.py        brings it, prints where it is

Debian has it in the package prometheus only, which is a server that starts by itself and 96 MB of it. So apt
fetches and verifies that package into a cache folder ($PGSTOW_TEST_PROMTOOL or /var/tmp/pgstow-promtool), and the
one program is taken out of it: nothing is installed.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path


class Missing(Exception):
    """It could not be brought; the text says why."""


def run(command, **kwargs):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}")


def cache_folder():
    """Ours alone, since what lies in it is run."""
    folder = Path(os.environ.get("PGSTOW_TEST_PROMTOOL") or "/var/tmp/pgstow-promtool")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Missing(f"{folder} must be a folder of the user {os.geteuid()} in which nobody else may write")
    return folder


def download(into):
    try:
        run(["apt-get", "-q", "download", "prometheus"], cwd=into)
    except Missing:  # the lists may be missing, or older than the mirror
        run(["apt-get", "-q", "update"])
        run(["apt-get", "-q", "download", "prometheus"], cwd=into)
    (package,) = into.glob("prometheus_*.deb")
    return package


def bring():
    """Where promtool is."""
    installed = shutil.which("promtool")
    if installed:
        return installed
    cache = cache_folder()
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = cache / "promtool"
        if program.exists():
            return str(program)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            # apt fetches as a user of its own where it can.
            os.chmod(scratch, 0o755)
            run(["dpkg-deb", "-x", str(download(Path(scratch))), scratch + "/root"])
            os.replace(Path(scratch) / "root/usr/bin/promtool", program)
        return str(program)


if __name__ == "__main__":
    try:
        print(bring())
    except Missing as problem:
        sys.exit(f"private_promtool: {problem}")
