"""Timed commands: what each took of the clock, of the processors and of memory."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


class CommandFailed(Exception):
    pass


class Timed:
    def __init__(self, seconds, processor=0.0, peak_bytes=0, read_bytes=None, output=""):
        self.seconds = seconds
        self.processor = processor  # seconds, user and system, of all its processes
        self.peak_bytes = peak_bytes  # of the largest process in it
        self.read_bytes = read_bytes  # by read() and the like, of all its processes; None: not known
        self.output = output
        self.server = None  # seconds of processor that the server took for it meanwhile


def read_by(pid):
    """What a process that has ended and its own children have read. It must not be waited for yet."""
    try:
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def reap(child):
    """Its rusage, and how many bytes it has read."""
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    read_bytes = read_by(child.pid)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage, read_bytes


class Running:
    """Commands that were started together; finish() says what they took, from start() on."""

    def __init__(self):
        os.sync()  # what others have left to be written must not fall into our time
        self.children, self.started = [], time.monotonic()

    def start(self, command, stdin, stdout, **more):
        error = tempfile.TemporaryFile()
        child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=stdout, stderr=error, **more)
        self.children.append((child, error, Path(str(command[0])).name))
        return child

    def finish(self, output=""):
        timed, failed = Timed(0, output=output, read_bytes=0), None
        for child, error, name in self.children:
            usage, read_bytes = reap(child)
            timed.processor += usage.ru_utime + usage.ru_stime
            timed.peak_bytes = max(timed.peak_bytes, usage.ru_maxrss * 1024)
            known = timed.read_bytes is not None and read_bytes is not None
            timed.read_bytes = timed.read_bytes + read_bytes if known else None
            if child.returncode != 0 and not failed:
                error.seek(0)
                tail = error.read().decode(errors="replace").strip()[-1500:]
                failed = f"{name} ended with {child.returncode}: {tail}"
        timed.seconds = time.monotonic() - self.started
        if failed:
            raise CommandFailed(failed)
        return timed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child, error, _ in self.children:
            if child.returncode is None:
                child.terminate()
                child.wait()
            error.close()


def run_timed(*pipeline, stdin=None, env=None, cwd=None, capture=False):
    """Run commands as a pipeline, from the first one's start to the last one's end.

    stdin: text for the first. What the last one prints is dropped unless it is to be captured.
    """
    source = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    with Running() as running:
        before, first = None, None
        for number, command in enumerate(pipeline):
            last = number == len(pipeline) - 1
            sink = subprocess.PIPE if capture or not last else subprocess.DEVNULL
            child = running.start(command, source, sink, env=env, cwd=cwd)
            if before:
                before.stdout.close()  # ours; a reader that ends early must be noticed
            before, first, source = child, first or child, child.stdout
        if stdin is not None:
            first.stdin.write(stdin.encode())
            first.stdin.close()
        return running.finish(before.stdout.read().decode() if capture else "")


def run_beside(command, scripts, env=None):
    """The command once for each script, which it gets as its input, all at the same time."""
    with Running() as running:
        for script in scripts:
            child = running.start(command, subprocess.PIPE, subprocess.DEVNULL, env=env)
            child.stdin.write(script.encode())
            child.stdin.close()
        return running.finish()


class ServerClock:
    """The processor time of a server's connections. The postmaster has that of its children once they have ended
    and were waited for, so one reads it when no connection is left."""

    def __init__(self, pid):
        self.pid = pid

    def _connections(self):
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        if not listed.exists():  # a kernel without it
            time.sleep(0.3)
            return 0
        children = listed.read_text().split()
        count = 0
        for child in children:
            try:
                title = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            # One that has ended and was not waited for yet has an empty title.
            count += not title or b"[local]" in title or b"parallel worker" in title
        return count

    def read(self):
        """Seconds, of all connections until now."""
        for _ in range(500):
            if not self._connections():
                break
            time.sleep(0.01)
        else:
            raise CommandFailed("a connection to the server does not end")
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / TICK  # cutime, cstime


def folder_bytes(folder):
    """Of all files in it: what is really there, whatever a program says it wrote."""
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
