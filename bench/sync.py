#!/usr/bin/python3
"""Two sites and `pgstow sync pull` between them: `./dev bench sync [--scale S] [--runs N] [--only WORD]...`.

Each site has a PostgreSQL server and a repository of its own; the source runs `pgstow serve`. The data are those of
data/tpch.sql (scale 1: about 1.2 GB as COPY text). What goes over the wire is counted by a TCP proxy between the two,
both ways, headers included; parts that are not about the wire go without it.

  first      into empty tables, against pg_dump --data-only --column-inserts, made upserts, through psql
  clone      into an empty database, against pgcopydb clone (where it is installed)
  unchanged  the same again
  changed    0.05 % of the rows of each large table are other ones
  delta      the same with --delta, against a backup alone of as many changes
  records    1,000 records, at first and changed

Exit status: 0 all goals met (at scale 1; smaller only shows), 1 a goal missed, 2 something failed.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "e2e"), str(HERE)]
sys.dont_write_bytecode = True
from cluster import SETTINGS, machine, place_for, prepare  # noqa: E402
from harness.cluster import free_port  # noqa: E402
from harness.proxy import Proxy  # noqa: E402
from measure import CommandFailed, ServerClock, run_timed  # noqa: E402
from private_server import PrivateServer  # noqa: E402
from subject import Subject  # noqa: E402

KEY = "the registration key of the benchmark"
RECORDS = """CREATE TABLE record (id int PRIMARY KEY, name text NOT NULL, data jsonb, at timestamptz);
INSERT INTO record SELECT g, 'record ' || g, jsonb_build_object('n', g, 'text', md5(g::text)), '2024-01-01'::timestamptz + g * interval '1 min'
FROM generate_series(1, 1000) g"""
CHANGES = {  # of each large table: what picks its rows, and what becomes of them
    "lineitem": ("l_orderkey * 8 + l_linenumber", "l_quantity = l_quantity + 1, l_comment = 'changed ' || {n}"),
    "orders": ("o_orderkey", "o_totalprice = o_totalprice + 1, o_comment = 'changed ' || {n}"),
    "partsupp": ("ps_partkey * 4 + ps_suppkey", "ps_availqty = ps_availqty + 1"),
    "customer": ("c_custkey", "c_acctbal = c_acctbal + 1"),
}
UPSERTS_MOST = 6  # times what the sync takes: then they are stopped
SHARE = 2000  # one row in so many is changed: 0.05 %
SUMS = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 1"


class Place:
    host = "127.0.0.1"

    def __init__(self, port):
        self.port = port


class Bench:
    def __init__(self, source, target, work, pgstow, jobs, proxy, port):
        self.source, self.target, self.work, self.pgstow, self.jobs = source, target, work, pgstow, jobs
        self.proxy, self.port, self.service = proxy, port, None
        self.subject = Subject(source, work, pgstow, jobs)
        self.env = {**self.subject.env, "SYNC_REGISTRATION_KEY": KEY}
        self.clocks = [ServerClock(server.process.pid) for server in (source, target)]
        self.figures = {}

    # ------------------------------------------------------------------ the two sites

    def settings(self, side, entries, more=""):
        folder = self.work / side
        folder.mkdir(exist_ok=True)
        server = self.source if side == "source" else self.target
        text = "".join(f'- {{name: {name}, url: "{server.url(database)}"}}\n' for name, database in entries.items())
        (folder / "pgstow.yaml").write_text(f"""
backup: {{backupDir: {folder}/repo, enabled: true, schedule: "0 0 1 1 *"}}
server: {{stateDir: {folder}/state, port: {self.port if side == "source" else free_port()}, drain: 0s}}
sync: {{nodeId: {side}}}
{more}databases:
{text}""")
        return folder / "pgstow.yaml"

    def start(self, databases):
        """The source's service, and what the target knows of it: peer `wire` is behind the proxy."""
        self.databases = databases
        file = self.settings("source", {name: name for name in databases})
        peers = "".join(f'- {{name: {name}, url: "http://127.0.0.1:{port}", nodeId: source}}\n'
                        for name, port in (("source", self.port), ("wire", self.proxy.port)))  # fmt: skip
        self.settings("target", {name: name for name in databases}, f"peers:\n{peers}")
        self.service = subprocess.Popen([self.pgstow, "serve", "--config", file], env=self.env, cwd=self.work,
                                        stdout=subprocess.DEVNULL, stderr=open(self.work / "service.log", "ab"))  # fmt: skip
        for _ in range(300):
            if self.service.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise CommandFailed(f"the service does not listen: {(self.work / 'service.log').read_text()[-1500:]}")

    def stop(self):
        if self.service and self.service.poll() is None:
            self.service.send_signal(signal.SIGTERM)
            try:
                self.service.wait(30)
            except subprocess.TimeoutExpired:
                self.service.kill()

    def pull(self, database, *flags, wire=False):
        """Seconds, what it said, and how many bytes went over the wire (None: not counted)."""
        self.target.psql("postgres", "CHECKPOINT")
        before = self.proxy.bytes + self.proxy.sent
        done = run_timed([self.pgstow, "--config", self.work / "target/pgstow.yaml", "sync", "pull", "wire" if wire else "source", "--entry",
                          database, "--peer-entry", database, "--json", "--jobs", str(self.jobs), *flags],
                         env=self.env, cwd=self.work, capture=True)  # fmt: skip
        return done.seconds, self.subject.said(done), self.proxy.bytes + self.proxy.sent - before if wire else None

    def backup(self, database):
        """A backup alone, into the source's repository."""
        self.source.psql("postgres", "CHECKPOINT")
        done = run_timed([self.pgstow, "--config", self.work / "source/pgstow.yaml", "backup", "--entry", database, "--json", "--jobs",
                          str(self.jobs)], env=self.env, cwd=self.work, capture=True)  # fmt: skip
        return done.seconds

    def forget(self):
        """As before the first sync: no repositories, and nobody remembers any."""
        self.stop()
        for name in ("source/repo", "source/state", "target/repo", "target/state", "state"):
            shutil.rmtree(self.work / name, ignore_errors=True)
        self.start(self.databases)

    # ------------------------------------------------------------------ data

    def sums(self, server, database):
        tables = server.psql(database, SUMS)
        one = " UNION ALL ".join(f"SELECT '{t}', count(*), sum(hashtextextended(x::text, 0)) FROM public.{t} x" for t in tables)
        return sorted(server.psql(database, one))

    def assert_same(self, database):
        assert self.sums(self.source, database) == self.sums(self.target, database), f"{database}: the sites differ"

    def change(self, database, number):
        rows = 0
        for table, (place, what) in CHANGES.items():
            rows += int(self.source.psql(database, f"WITH u AS (UPDATE {table} SET {what.format(n=number)} WHERE hashint8(({place})::bigint + {number}) % {SHARE} = 0 "
                                         "RETURNING 1) SELECT count(*) FROM u")[0])  # fmt: skip
        self.source.psql(database, "CHECKPOINT")
        return rows

    def empty_tables(self, database):
        """The source's definitions in the target."""
        self.target.psql("postgres", f"DROP DATABASE IF EXISTS {database}")
        self.target.psql("postgres", f"CREATE DATABASE {database}")
        dump = subprocess.run([self.source.bin / "pg_dump", "-s", "-d", self.source.conninfo(database)], env=self.env, capture_output=True, text=True)
        assert dump.returncode == 0, dump.stderr
        self.target.psql(database, "\n".join(line for line in dump.stdout.splitlines() if not line.startswith("\\")))

    # ------------------------------------------------------------------ competitors

    def write_upserts(self, database, file):
        """What pg_dump --data-only --column-inserts writes, with an ON CONFLICT DO UPDATE of each table's key."""
        done, endings = " ON CONFLICT DO NOTHING;", {}
        rows = self.source.psql(database, "SELECT c.relname, string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY (i.indkey)), "
                                "string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum) FILTER (WHERE a.attnum <> ALL (i.indkey)) FROM pg_class c "
                                "JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
                                "AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace GROUP BY 1")  # fmt: skip
        for table, key, others in (row.split("|") for row in rows):
            update = ", ".join(f"{c} = EXCLUDED.{c}" for c in others.split(",") if c)
            endings[f"INSERT INTO public.{table} "] = f" ON CONFLICT ({key}) DO UPDATE SET {update};\n" if update else None
        raw = self.work / "raw.sql"
        run_timed([self.source.bin / "pg_dump", "-d", self.source.conninfo(database), "--data-only", "--column-inserts",
                   "--on-conflict-do-nothing", "-f", raw], env=self.env)  # fmt: skip
        count = 0
        with open(raw) as lines, open(file, "w") as out:
            for line in lines:
                if line.endswith(done + "\n") and line.startswith("INSERT INTO "):
                    ending = endings.get(line[: line.index(" (") + 1])
                    line = line[: -len(done) - 1] + ending if ending else line
                    count += 1
                out.write(line)
        raw.unlink()
        return count

    def upserts(self, database, file, most):
        """Seconds, and whether they came to their end: after `most` seconds they are stopped."""
        self.target.psql("postgres", "CHECKPOINT")
        command = ["timeout", str(round(most)), self.target.bin / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d",
                   self.target.conninfo(database), "-f", file]  # fmt: skip
        start = time.monotonic()
        try:
            return run_timed(command, env=self.env).seconds, True
        except CommandFailed:
            if time.monotonic() - start < round(most):
                raise
            return most, False

    def pgcopydb(self, database):
        self.target.psql("postgres", f"DROP DATABASE IF EXISTS {database}")
        self.target.psql("postgres", f"CREATE DATABASE {database}")
        self.target.psql("postgres", "CHECKPOINT")
        work = self.work / "pgcopydb"
        shutil.rmtree(work, ignore_errors=True)
        command = [shutil.which("pgcopydb"), "clone", "--source", self.source.url(database), "--target", self.target.url(database),
                   "--table-jobs", str(self.jobs), "--index-jobs", str(self.jobs), "--dir", work]  # fmt: skip
        return run_timed(command, env=self.env, cwd=self.work).seconds

    # ------------------------------------------------------------------ the parts

    def note(self, name, value):
        self.figures.setdefault(name, []).append(value)
        print(f"  {name}: {value:,.2f}" if isinstance(value, float) else f"  {name}: {value:,}", flush=True)

    def part_first(self, database):
        """Both into tables that are there and empty; the upserts no longer than says whether the goal is met."""
        file = self.work / "upserts.sql"
        rows = self.write_upserts(database, file)
        self.empty_tables(database)
        self.forget()
        seconds, said, _ = self.pull(database, "--no-safety-backup")
        assert said["rows"] == rows, said
        self.note("first, s", seconds)
        self.assert_same(database)
        self.empty_tables(database)
        took, whole = self.upserts(database, file, UPSERTS_MOST * seconds)
        self.note("upserts, s" if whole else "upserts, s, and not done", took)
        file.unlink()
        if whole:
            self.assert_same(database)
        else:
            self.figures["upserts, s"] = [took]

    def part_clone(self, database):
        if shutil.which("pgcopydb"):
            self.note("pgcopydb clone, s", self.pgcopydb(database))
        else:
            print("  pgcopydb is not installed (apt-get install pgcopydb): no comparison with it")
        self.target.psql("postgres", f"DROP DATABASE IF EXISTS {database}")
        self.forget()
        self.note("clone, s", self.pull(database)[0])
        self.assert_same(database)

    def part_unchanged(self, database):
        self.pull(database, "--no-safety-backup")
        seconds, said, wire = self.pull(database, "--no-safety-backup", wire=True)
        self.note("unchanged, s", seconds)
        self.note("unchanged, bytes on the wire", wire)

    def part_changed(self, database):
        self.pull(database, "--no-safety-backup")
        rows = self.change(database, len(self.figures.get("changed, s", ())) + 1)
        seconds, said, wire = self.pull(database, "--no-safety-backup", wire=True)
        self.note("changed, rows", rows)
        self.note("changed, s", seconds)
        self.note("changed, bytes on the wire", wire)
        self.assert_same(database)

    def part_delta(self, database):
        self.pull(database, "--no-safety-backup")
        number = 100 * (1 + len(self.figures.get("delta, s", ())))
        self.change(database, number)
        self.note("backup alone, s", self.backup(database))
        self.pull(database, "--no-safety-backup", "--delta")
        self.change(database, number)
        seconds, said, wire = self.pull(database, "--no-safety-backup", "--delta", wire=True)
        assert said["applied"]["outcome"]["delta"], said
        self.note("delta, s", seconds)
        self.note("delta, bytes on the wire", wire)
        self.assert_same(database)

    def part_records(self, database):
        for server in (self.source, self.target):
            server.psql("postgres", "DROP DATABASE IF EXISTS records")
            server.psql("postgres", "CREATE DATABASE records")
        self.source.psql("records", RECORDS)
        self.target.psql("records", RECORDS.split(";")[0])
        self.note("1,000 records, s", self.pull("records")[0])
        self.source.psql("records", "UPDATE record SET data = data || '{\"changed\": true}'")
        self.note("1,000 records changed, s", self.pull("records")[0])
        self.assert_same("records")


PARTS = ("first", "clone", "unchanged", "changed", "delta", "records")
GOALS = [  # what, figure of the medians m and the data's bytes, at most
    ("first sync / upserts through psql", lambda m, b: m["first, s"] / m["upserts, s"], 1 / 5),
    ("first sync of all / pgcopydb clone", lambda m, b: m["clone, s"] / m["pgcopydb clone, s"], 1.5),
    ("unchanged, bytes on the wire / data", lambda m, b: m["unchanged, bytes on the wire"] / b, 0.005),
    ("0.05 % changed, bytes on the wire / data", lambda m, b: m["changed, bytes on the wire"] / b, 0.05),
    ("0.05 % changed with --delta / backup alone", lambda m, b: m["delta, s"] / m["backup alone, s"], 1.5),
    ("1,000 records, seconds", lambda m, b: m["1,000 records, s"], 2.0),
    ("1,000 records changed, seconds", lambda m, b: m["1,000 records changed, s"], 2.0),
]


def report(figures, text_bytes):
    medians, missed = {name: statistics.median(values) for name, values in figures.items()}, 0
    print(f"\n{'goal':<46}{'figure':>10}{'at most':>10}")
    for what, figure, most in GOALS:
        try:
            value = figure(medians, text_bytes)
        except KeyError:
            print(f"{what:<46}{'-':>10}{most:>10.3g}   not measured")
            continue
        missed += value > most
        print(f"{what:<46}{value:>10.4g}{most:>10.3g}   {'met' if value <= most else 'MISSED'}")
    return medians, missed


def measure(bench, args):
    for part in PARTS:
        if args.only and part not in args.only:
            continue
        for number in range(args.runs if part != "first" else 1):
            print(f"{part}, run {number + 1}", flush=True)
            getattr(bench, f"part_{part}")("tpch")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench sync", description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the data: 1 is about 1.2 GB (0.05 for a try)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--pgstow", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    folders = [place_for(f"cluster-sync-{side}", args.out) for side in ("source", "target")]
    work = folders[0].parent / "work-sync"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    port = free_port()
    try:
        with PrivateServer(folders[0], SETTINGS) as source, PrivateServer(folders[1], SETTINGS) as target, Proxy(Place(port)) as proxy:
            bench = Bench(source, target, work, args.pgstow.resolve(), args.jobs, proxy, port)
            text_bytes = prepare(source, folders[0], "tpch", args.scale, bench.subject)
            target.psql("postgres", "DROP DATABASE IF EXISTS tpch")  # an earlier run's, of another scale
            if not args.only or "records" in args.only:
                source.psql("postgres", "DROP DATABASE IF EXISTS records")
            bench.start(["tpch", "records"])
            try:
                measure(bench, args)
            finally:
                bench.stop()
    except (CommandFailed, AssertionError) as problem:
        print(f"FAILED: {problem}")
        return 2
    finally:
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(work, ignore_errors=True)
    medians, missed = report(bench.figures, text_bytes)
    file = args.out / "sync.json"
    file.write_text(json.dumps({"machine": machine(), "scale": args.scale, "text_bytes": text_bytes, "figures": bench.figures,
                                "medians": medians}, indent=2) + "\n")  # fmt: skip
    print(f"\nraw figures: {file}")
    return 1 if missed and args.scale >= 1 else 0


if __name__ == "__main__":
    sys.exit(main())
