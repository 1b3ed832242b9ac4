#!/usr/bin/python3
"""Compare pgstow with stock tools on generated tables: `./dev bench [--quick] [--scale S] [--runs N]`.

All on one private server, with the commands interleaved, so that what a machine does at some minute
falls on all of them; the median of the runs counts. The generated cluster stays in BENCH_DIR (or
build/bench) for the next time. Result: a table, and result.json with every raw figure.
Exit status: 0 all goals met (at scale 1; smaller ones only show), 1 a goal missed, 2 something failed.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]
sys.dont_write_bytecode = True
from measure import CommandFailed, Subject, folder_bytes  # noqa: E402
from private_server import PrivateServer, find_bin  # noqa: E402
from report import print_report  # noqa: E402

DATABASE = "tpch"
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "256MB",
    "autovacuum": "off",  # it would wake up in the middle of whichever command comes then
    "max_connections": "50",
}


class Bench:
    def __init__(self, subject, arguments):
        self.subject, self.arguments = subject, arguments
        self.times = {}  # name: seconds of each run
        self.bytes = {}  # name: bytes, the last seen
        self.problems = {}  # name: what failed

    def measure(self, name, action):
        """One timed command; a failure is noted and the others go on. Returns what the action did."""
        if name in self.problems:
            return None
        print(f"  {name:<44}", end="", flush=True)
        try:
            done = action()
        except (CommandFailed, RuntimeError, ValueError, KeyError) as problem:
            print(f"FAILED: {problem}", flush=True)
            self.problems[name] = str(problem)
            return None
        timed = done[0] if isinstance(done, tuple) else done
        self.times.setdefault(name, []).append(timed.seconds)
        print(f"{timed.seconds:8.2f} s", flush=True)
        return done

    def file_bytes(self, name, file):
        path = self.subject.path(file)
        if path.exists():
            self.bytes[name] = folder_bytes(path) if path.is_dir() else path.stat().st_size

    def dump(self, name, file, *options, then=None):
        self.subject.remove(file)
        self.measure(name, lambda: self.subject.pg_dump(DATABASE, *options, then=then))
        self.file_bytes(name, file)

    def one_run(self, slow):
        s = self.subject
        self.measure("floor", lambda: s.floor(DATABASE))

        s.remove("repo")
        first = self.measure("pgstow first", lambda: s.backup("repo", DATABASE))
        if first:
            self.bytes["pgstow first"] = first[2]

        self.dump("pg_dump -Fc -Z1", "z1.dump", "-Fc", "-Z1", "-f", s.path("z1.dump"))
        if slow:
            self.dump("pg_dump -Fc", "fc.dump", "-Fc", "-f", s.path("fc.dump"))
            s.remove("fc.dump")
            self.dump("pg_dump -Fd -j2", "fd", "-Fd", "-j2", "-f", s.path("fd"))
        self.dump("pg_dump -Fd -j2 -Z1", "fd", "-Fd", "-j2", "-Z1", "-f", s.path("fd"))
        s.remove("fd")
        zstd = ["zstd", "-q", "-1", "-f", "-o", s.path("z0.zst")]
        self.dump("pg_dump -Fc -Z0 | zstd -1", "z0.zst", "-Fc", "-Z0", then=zstd)
        s.remove("z0.zst")

        s.restic_init()
        self.measure("pg_dump -Fc -Z0 | restic first", lambda: s.restic(DATABASE))
        self.file_bytes("pg_dump -Fc -Z0 | restic first", "restic")
        if first:
            again = self.measure("pgstow again, unchanged", lambda: s.backup("repo", DATABASE))
            if again:
                self.bytes["pgstow again, unchanged"] = again[2]
        self.measure("pg_dump -Fc -Z0 | restic again", lambda: s.restic(DATABASE))
        s.remove("restic")

        if first:
            self.measure("pgstow verify --level data", lambda: s.verify("repo", DATABASE, first[1]))
        self.measure("pg_restore -j2", lambda: s.pg_restore("z1.dump", "restored_stock"))
        self.measure("vacuumdb --analyze-only -j2 after it", lambda: s.analyze("restored_stock"))
        s.drop("restored_stock")
        if first:
            self.measure("pgstow restore", lambda: s.restore("repo", DATABASE, first[1], "restored_ours"))
            s.drop("restored_ours")
        s.remove("z1.dump")

    def changed_copy(self, name, change, *more):
        """New bytes of a backup after SQL has changed a copy whose backup is the parent."""
        s = self.subject
        s.remove("repo")
        s.drop("changed")
        s.server.psql("postgres", f"CREATE DATABASE changed TEMPLATE {DATABASE} STRATEGY file_copy")
        try:
            first = self.measure(f"pgstow first, before: {name}", lambda: s.backup("repo", "changed"))
            for label, sql in ((name, change), *more):
                s.server.psql("changed", sql)
                done = first and self.measure(f"pgstow after: {label}", lambda: s.backup("repo", "changed"))
                if done:
                    self.bytes[f"new bytes after: {label}"] = done[2]
                    self.bytes["stored before changes"] = first[2]
        finally:
            s.drop("changed")
            s.remove("repo")

    def run(self):
        runs = self.arguments.runs
        self.subject.floor(DATABASE)  # warms the caches, not counted
        for number in range(runs):
            print(f"run {number + 1} of {runs}", flush=True)
            self.one_run(slow=number < self.arguments.slow_runs)
        print("changes", flush=True)
        update = "UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE " \
                 "hashint8extended(l_orderkey::bigint * 8 + l_linenumber, {seed}) % {one_in} = 0"
        self.changed_copy("0.05 % of rows updated", update.format(seed=7, one_in=2000))
        self.changed_copy(
            "0.5 % of rows updated",
            update.format(seed=8, one_in=200),
            ("VACUUM FULL, after these 0.5 %", "VACUUM FULL"),
        )

    def result(self):
        return {
            "times": self.times,
            "medians": {name: statistics.median(values) for name, values in self.times.items()},
            "bytes": self.bytes,
            "peak_bytes": self.subject.peaks,
            "problems": self.problems,
        }


def machine():
    cpu = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "system": platform.platform(),
        "postgresql": find_bin().parent.name,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def place_for(server_folder, out):
    """Where the cluster lies: its account must be able to get there, which a home folder may forbid."""
    given = os.environ.get("BENCH_DIR")
    base = Path(given) if given else out
    base.mkdir(parents=True, exist_ok=True)
    if not PrivateServer(base).can_reach(base):
        if given:
            raise SystemExit(f"the account that runs the server may not enter {base} (BENCH_DIR)")
        base = Path("/var/tmp/pgstow-bench")
        base.mkdir(exist_ok=True)
        base.chmod(0o755)
        print(f"the server's account may not enter {out}: its data goes to {base}")
    return base / server_folder


def prepare(server, folder, scale, subject):
    """Generate the tables once. Returns how many bytes they are as text."""
    sql = (HERE / "generate.sql").read_text()
    wanted = hashlib.sha256(f"{scale} {sql}".encode()).hexdigest()
    note = folder / "generated.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    for leftover in ("restored_stock", "restored_ours", "changed"):
        server.psql("postgres", f"DROP DATABASE IF EXISTS {leftover}")
    if known.get("sha256") == wanted:
        return known["text_bytes"]
    print(f"generating the tables at scale {scale}: some minutes, once", flush=True)
    note.unlink(missing_ok=True)
    server.psql("postgres", f"DROP DATABASE IF EXISTS {DATABASE}")
    server.psql("postgres", f"CREATE DATABASE {DATABASE}")
    started = time.monotonic()
    server.psql(DATABASE, f"SET bench.scale = '{scale}';\n{sql}")
    text_bytes = subject.text_bytes(DATABASE)
    note.write_text(json.dumps({"sha256": wanted, "text_bytes": text_bytes}))
    print(f"  {time.monotonic() - started:.0f} s, {text_bytes / 1e6:.0f} MB as text", flush=True)
    return text_bytes


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 1.2 GB as text (1)")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--slow-runs", type=int, default=1, help="the same for those at gzip -6 (1)")
    parser.add_argument("--jobs", type=int, default=2, help="connections of pgstow and pg_restore (2)")
    parser.add_argument("--quick", action="store_true", help="scale 0.1, one run: a try, not a proof")
    parser.add_argument("--pgstow", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scale, arguments.runs = 0.1, 1
    if arguments.scale <= 0 or arguments.runs < 1:
        parser.error("scale and runs must be above 0")
    return arguments


def main():
    arguments = parse_arguments()

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = place_for(f"cluster-{arguments.scale:g}", arguments.out)
    work = folder.parent / "work"
    needed = int(9e9 * arguments.scale + 2e9)
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise SystemExit(f"{folder.parent} has {free / 1e9:.1f} GB free, this needs {needed / 1e9:.1f}; set BENCH_DIR")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with PrivateServer(folder, SETTINGS) as server:
            subject = Subject(server, work, arguments.pgstow.resolve(), arguments.jobs)
            text_bytes = prepare(server, folder, arguments.scale, subject)
            bench = Bench(subject, arguments)
            bench.run()
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    result = {
        "machine": machine(),
        "scale": arguments.scale,
        "runs": arguments.runs,
        "text_bytes": text_bytes,
        **bench.result(),
    }
    missed = print_report(result)
    target = arguments.out / "result.json"
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nraw figures: {target}")
    if result["problems"]:
        return 2
    return 1 if missed and arguments.scale >= 1 else 0


if __name__ == "__main__":
    sys.exit(main())
