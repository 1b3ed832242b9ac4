"""What the service takes: its memory, and how fast it answers and sends. Run by ./dev bench serve.

Each part is a function of a running service (tests/e2e/harness/api.py) with one database, or of a cluster. Memory is as
/proc has it: the service's own (RSS) and the sum over its children of what is theirs alone or shared in
proportion (PSS). Processor time is user and system time together.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True

ROWS = """CREATE TABLE rows (id int PRIMARY KEY, placed timestamptz, name text, words text);
INSERT INTO rows SELECT i, timestamptz '2024-01-01' + i * interval '1 minute', 'customer ' || i % 1000,
 md5(i::text) || ' some words that come again ' || md5((i % 5000)::text) FROM generate_series(1, {}) i"""
PORTION = 1 << 20


def show(what, *figures):
    print(f"{what:<44} " + "  ".join(figures), flush=True)


def status_of(pid, name):
    """A figure of /proc/PID/status in MB; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.partition(name + ":")[2].split()[0]) / 1024
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def share_of(pid):
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0]) / 1024
    except (FileNotFoundError, ProcessLookupError, IndexError, PermissionError):
        return 0


def processor(pid, ended=False):
    """Seconds of a process; ended: of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15] if ended else fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Memory(threading.Thread):
    """Looks at the service and its children until it is told to stop."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.over = api, threading.Event()
        self.service = self.children = self.most = 0

    def run(self):
        while not self.over.wait(0.05):
            children = self.api.children()
            self.service = max(self.service, status_of(self.api.running.process.pid, "VmRSS"))
            self.children = max(self.children, sum(map(share_of, children)))
            self.most = max(self.most, len(children))

    def stop(self):
        self.over.set()
        self.join()


def take(api, path, headers=None):
    """The bytes that came; all of them, or it fails."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=600)
    connection.request("GET", path, headers={"Authorization": f"Bearer {api.tokens['operator']}", **(headers or {})})
    answer = connection.getresponse()
    assert answer.status in (200, 206), answer.read()
    n, room = 0, memoryview(bytearray(PORTION))
    while got := answer.readinto(room):
        n += got
    connection.close()
    return n


# ---------------------------------------------------------------- the parts


def downloads(api, args, backup):
    """Many at once: does memory grow with them?"""
    pid, path = api.running.process.pid, f"/api/v1/backups/{backup}.dump"
    take(api, path)
    before, memory, taken = status_of(pid, "VmRSS"), Memory(api), []
    memory.start()
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: taken.append(take(api, path))) for _ in range(args.parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    memory.stop()
    assert len(taken) == args.parallel and len(set(taken)) == 1, taken
    time.sleep(1)
    show(f"{args.parallel} downloads of {taken[0] / 1e6:.0f} MB at once", f"{took:.1f} s", f"{sum(taken) / 1e6 / took:.0f} MB/s")
    show("  memory of the service before, at most, after", f"{before:.1f} MB", f"{memory.service:.1f} MB",
         f"{status_of(pid, 'VmRSS'):.1f} MB")  # fmt: skip
    show("  of its children, at most", f"{memory.children:.1f} MB", f"({memory.most} at once)")


def throughput(api, args, backup):
    """One, beside the export alone and the same bytes read from the disk."""
    pid, folder = api.running.process.pid, api.folder
    for form, flags in ("dump", []), ("json", ["--format", "json"]), ("sql.gz", ["--format", "plain", "-Z", "6"]):
        path, file = f"/api/v1/backups/{backup}.{form}", folder / f"x.{form}"
        service, children, began = processor(pid), processor(pid, True), time.monotonic()
        n = take(api, path)
        took = time.monotonic() - began
        own = processor(pid) - service
        show(f"download of {n / 1e6:.0f} MB .{form}", f"{n / 1e6 / took:.0f} MB/s", f"{own:.2f} s of the service",
             f"{processor(pid, True) - children:.2f} s of the child")  # fmt: skip
        began = time.monotonic()
        api.run("export", backup, *flags, "-o", file)
        took = time.monotonic() - began
        show("  pgstow export to a file", f"{n / 1e6 / took:.0f} MB/s")
        assert file.stat().st_size == n
        with open(file, "rb", buffering=0) as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            room, began = memoryview(bytearray(PORTION)), time.monotonic()
            while f.readinto(room):
                pass
            took = time.monotonic() - began
        show("  the same bytes read from the disk", f"{n / 1e6 / took:.0f} MB/s")
        file.unlink()


def at_rest(cluster, args, folder):
    """A service with two databases that has just begun, and after its first answers."""
    api = make_api()(cluster, folder)
    pid = api.running.process.pid
    show("memory of a service with two databases", f"{status_of(pid, 'VmRSS'):.1f} MB",
         f"{status_of(pid, 'RssAnon'):.1f} MB of it its own")  # fmt: skip
    api.stop()


def listing(cluster, args, folder):
    """A repository of many backups: how often it is listed a second, one client after the other."""
    maker = args.pgstow.parent / "bench" / "prune_repo"
    subprocess.run([maker, folder / "repo", "20", str(args.backups), "1"], check=True)
    api = make_api()(cluster, folder)
    pid, all_of_them = api.running.process.pid, "/api/v1/backups?limit=1000"
    began, used = time.monotonic(), processor(pid)
    tag = api.call("GET", all_of_them)[1]["ETag"]
    show(f"list of {args.backups:,} backups, the first time", f"{1000 * (time.monotonic() - began):.0f} ms",
         f"{1000 * (processor(pid) - used):.0f} ms of processor")  # fmt: skip
    asked(api, "  again, all that fit on a page (1,000)", all_of_them, args.requests)
    asked(api, "  again, with If-None-Match", all_of_them, args.requests, {"If-None-Match": tag})
    asked(api, "  a page of 100", "/api/v1/backups", args.requests)
    asked(api, "  one backup", f"/api/v1/backups/{api.get('/api/v1/backups?limit=1')['backups'][0]['id']}", args.requests)
    asked(api, "  a scrape of /metrics", "/metrics", args.requests)
    asked(api, "  /healthz", "/healthz", args.requests)
    show("  memory of the service then", f"{status_of(pid, 'VmRSS'):.1f} MB")
    api.stop()


def asked(api, what, path, times, headers=None):
    """The same again and again down one connection; requests a second, and what each costs the service."""
    pid = api.running.process.pid
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    given = {"Authorization": f"Bearer {api.tokens['viewer']}", **(headers or {})}
    began, used, n = time.monotonic(), processor(pid), 0
    for _ in range(times):
        connection.request("GET", path, headers=given)
        answer = connection.getresponse()
        n = len(answer.read())
        assert answer.status == (304 if headers else 200), answer.status
    took, used = time.monotonic() - began, processor(pid) - used
    connection.close()
    show(what, f"{times / took:,.0f} a second", f"{1000 * used / times:.2f} ms of processor", f"{n:,} bytes")


def make_api():
    from harness.api import Api

    return Api


PARTS = {"downloads": downloads, "throughput": throughput}
OWN = {"rest": at_rest, "list": listing}  # with a service of their own


def main():
    parser = argparse.ArgumentParser(prog="./dev bench serve", description=__doc__.split("\n")[0])
    parser.add_argument("--pgstow", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the table that is downloaded, 130 bytes each")
    parser.add_argument("--parallel", type=int, default=50, help="downloads at once")
    parser.add_argument("--backups", type=int, default=1000, help="of the repository that is listed")
    parser.add_argument("--requests", type=int, default=200, help="of each kind, for the list")
    parser.add_argument("--only", action="append", choices=[*PARTS, *OWN], help="only this part; may be given several times")
    args = parser.parse_args()
    os.environ["PGSTOW_BIN"] = str(args.pgstow)
    from harness.cluster import Cluster, scratch_folder

    wanted = [name for name in (*OWN, *PARTS) if not args.only or name in args.only]
    with tempfile.TemporaryDirectory(prefix="pgstow-serve-") as folder:
        cluster = Cluster(folder=scratch_folder())  # on the disk
        try:
            Path(folder).chmod(0o755)
            for name in filter(OWN.get, wanted):
                own = Path(folder) / name
                own.mkdir(mode=0o755)
                OWN[name](cluster, args, own)
            if any(map(PARTS.get, wanted)):
                api = make_api()(cluster, folder, sql=(ROWS.format(args.rows),))
                backup = api.backup("e0")
                for name in filter(PARTS.get, wanted):
                    PARTS[name](api, args, backup)
                api.stop()
        finally:
            cluster.destroy()


if __name__ == "__main__":
    main()
