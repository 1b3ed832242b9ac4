#!/usr/bin/python3
"""Compare a merge with INSERT ... ON CONFLICT: `./dev bench merge [--rows N] [--runs N]`.

A table of N rows, in each of which two columns differ between source and target. Stock: what pg_dump
--column-inserts writes of the source, with ON CONFLICT DO UPDATE instead of DO NOTHING, through psql
in one transaction. The file is written beforehand and is not counted; pgstow reads its repository.
Exit status: 0 both goals met (at 1,000,000 rows; fewer only show), 1 a goal missed, 2 something failed.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]
sys.dont_write_bytecode = True
from cluster import SETTINGS, machine, place_for  # noqa: E402
from measure import CommandFailed, run_timed  # noqa: E402
from private_server import PrivateServer  # noqa: E402
from subject import Subject  # noqa: E402

FASTER, UNCHANGED = 5.0, 2.0  # the goals, as factors
TABLES = """
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO customer SELECT g, 'customer ' || g FROM generate_series(1, {rows} / 20 + 1) g;
CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL REFERENCES customer, placed timestamptz NOT NULL,
    state text NOT NULL, total numeric(12,2) NOT NULL, clerk text, comment text);
INSERT INTO orders SELECT g, 1 + g % ({rows} / 20), '2024-01-01'::timestamptz + g * interval '17 s',
    (ARRAY['open', 'paid', 'sent'])[1 + g % 3], g % 100000 / 100.0, 'clerk ' || g % 1000, md5(g::text) || ' ' || md5((g + 1)::text)
    FROM generate_series(1, {rows}) g;
CREATE INDEX ON orders (customer);
VACUUM ANALYZE;
"""
CHANGE = "UPDATE orders SET total = total + 1, comment = md5(comment); VACUUM FULL ANALYZE orders"
COLUMNS = ["customer", "placed", "state", "total", "clerk", "comment"]


def write_inserts(subject, target):
    """The stock way's file. Returns its statements."""
    done = " ON CONFLICT DO NOTHING;"
    update = " ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{c} = EXCLUDED.{c}" for c in COLUMNS) + ";"
    raw = subject.path("raw.sql")
    subject.pg_dump("source", "--data-only", "--column-inserts", "--on-conflict-do-nothing", "-t", "orders", "-f", raw)
    count = 0
    with open(raw) as lines, open(target, "w") as out:
        for line in lines:
            if line.endswith(done + "\n"):
                line = line[: -len(done) - 1] + update + "\n"
                count += 1
            out.write(line)
    raw.unlink()
    return count


def digest(server, database):
    return server.psql(database, "SELECT count(*), sum(hashtextextended(o::text, 0)) FROM orders o")


def fresh_target(server):
    server.psql("postgres", "DROP DATABASE IF EXISTS target")
    server.psql("postgres", "CREATE DATABASE target TEMPLATE old")
    server.psql("postgres", "CHECKPOINT")


def stock(server, subject, file):
    fresh_target(server)
    command = [server.bin / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", server.conninfo("target"), "-f", file]
    done = run_timed(command, env=subject.env)
    assert digest(server, "target") == digest(server, "source"), "psql did not make the tables equal"
    return done.seconds


def merge(server, subject, backup, counts):
    """pgstow's, into the target as it is."""
    server.psql("postgres", "CHECKPOINT")
    done = subject.run_pgstow("repo", "target", "restore", backup, "--merge", "upsert", "--base", "none", "--jobs",
                              str(subject.jobs), "--json")  # fmt: skip
    said = json.loads(done.output)
    assert {key: said[key] for key in counts} == counts, said
    assert digest(server, "target") == digest(server, "source"), "the merge did not make the tables equal"
    return done.seconds


def run(server, subject, rows, runs):
    times = {"stock": [], "changed": [], "unchanged": []}
    for name in ("target", "old", "source"):
        server.psql("postgres", f"DROP DATABASE IF EXISTS {name}")
    server.psql("postgres", "CREATE DATABASE old")
    server.psql("old", TABLES.format(rows=rows))
    server.psql("postgres", "CREATE DATABASE source TEMPLATE old")
    server.psql("source", CHANGE)
    inserts = subject.path("upsert.sql")
    assert write_inserts(subject, inserts) == rows
    _, backup, _ = subject.backup("repo", "source")
    customers = rows // 20 + 1
    for number in range(runs):
        times["stock"].append(stock(server, subject, inserts))
        fresh_target(server)
        times["changed"].append(merge(server, subject, backup, {"updated": rows, "unchanged": customers}))
        times["unchanged"].append(merge(server, subject, backup, {"updated": 0, "unchanged": rows + customers}))
        print(f"run {number + 1}: " + ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in times.items()), flush=True)
    return times


def main():
    parser = argparse.ArgumentParser(prog="./dev bench merge", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="100,000 rows, one run: a try, not a proof")
    parser.add_argument("--pgstow", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows, arguments.runs = 100_000, 1
    if arguments.rows < 100 or arguments.runs < 1:
        parser.error("at least 100 rows and one run")
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = place_for("cluster-merge", arguments.out)
    work = folder.parent / "work-merge"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with PrivateServer(folder, SETTINGS) as server:
            subject = Subject(server, work, arguments.pgstow.resolve(), arguments.jobs)
            times = run(server, subject, arguments.rows, arguments.runs)
            for name in ("target", "old", "source"):
                subject.drop(name)
    except (CommandFailed, AssertionError) as problem:
        print(f"FAILED: {problem}")
        return 2
    finally:
        shutil.rmtree(work, ignore_errors=True)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    faster = medians["stock"] / medians["changed"]
    unchanged = medians["changed"] / medians["unchanged"]
    print(f"\nmerge of {arguments.rows:,} changed rows, median of {arguments.runs}")
    print(f"  INSERT ... ON CONFLICT through psql   {medians['stock']:8.2f} s")
    print(f"  pgstow restore --merge upsert         {medians['changed']:8.2f} s   {faster:.1f} times faster (goal {FASTER:g})")
    print(f"  the same again, nothing differs       {medians['unchanged']:8.2f} s   {unchanged:.1f} times faster than that (goal {UNCHANGED:g})")
    target = arguments.out / "merge.json"
    target.write_text(json.dumps({"machine": machine(), "rows": arguments.rows, "times": times, "medians": medians}, indent=2) + "\n")
    print(f"\nraw figures: {target}")
    missed = faster < FASTER or unchanged < UNCHANGED
    return 1 if missed and arguments.rows >= 1_000_000 else 0


if __name__ == "__main__":
    sys.exit(main())
