#!/usr/bin/python3
"""Compare pgstow with stock tools on generated tables: `./dev bench`.

All on one private server, with the commands interleaved, so that what a machine does at some minute
falls on all of them; the median of the runs counts. The generated cluster stays in BENCH_DIR (or
build/bench) for the next time. Result: a table of goals, and result.json with every raw figure, in which
each part (parts.py) stays until it is measured again.
Exit status: 0 all goals met (at scale 1; smaller ones only show), 1 a goal missed, 2 something failed.
"""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]
sys.dont_write_bytecode = True
from cluster import SETTINGS, clean, machine, place_for, prepare  # noqa: E402
from parts import DEFAULT, LARGE, PARTS, database_of, run_part  # noqa: E402
from private_server import PrivateServer  # noqa: E402
from record import Record, Results  # noqa: E402
from report import print_report  # noqa: E402
from subject import Subject  # noqa: E402
from write_docs import write_docs  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 1.25 GB of TPC-H-like text (1)")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--slow-runs", type=int, default=1, help="the same for those at gzip -6 (1)")
    parser.add_argument("--jobs", type=int, default=2, help="connections of pgstow and pg_restore (2)")
    parser.add_argument("--quick", action="store_true", help="scale 0.1, one run: a try, not a proof")
    parser.add_argument("--only", metavar="WORD", action="append", choices=PARTS,
                        help=f"only this part, may be given several times: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--report", action="store_true", help="measure nothing: show what was measured last")
    parser.add_argument("--write-docs", metavar="FOLDER", nargs="?", type=Path, const=DOCS,
                        help="write the tables and plots of performance.md (in docs)")  # fmt: skip
    parser.add_argument("--pgstow", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scale, arguments.runs = 0.1, 1
    if arguments.scale <= 0 or arguments.runs < 1 or arguments.slow_runs < 1 or arguments.jobs < 1:
        parser.error("scale, runs and jobs must be above 0")
    if arguments.write_docs and arguments.write_docs.resolve() == DOCS and arguments.scale != 1:
        parser.error("docs tell of scale 1: give --write-docs another folder with a copy of performance.md")
    if arguments.report:
        arguments.parts = []
    else:
        arguments.parts = [part for part in PARTS if part in (arguments.only or DEFAULT)]
    return arguments


def measure(arguments, scale, parts, results):
    """These parts, on a server whose data has this scale."""
    folder = place_for(f"cluster-{scale:g}", arguments.out)
    work = folder.parent / "work"
    needed = int(7e9 * scale + 4e9)
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise SystemExit(f"{folder.parent} has {free / 1e9:.1f} GB free, this needs {needed / 1e9:.1f}; set BENCH_DIR")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with PrivateServer(folder, SETTINGS) as server:
            clean(server, {database_of(part) for part in PARTS})
            subject = Subject(server, work, arguments.pgstow.resolve(), arguments.jobs)
            for part in parts:
                database = database_of(part)
                text_bytes = prepare(server, folder, database, scale, subject) if database else None
                print(part, flush=True)
                record = Record(subject, arguments)
                run_part(part, record)
                results.add(part, {"scale": scale, "text_bytes": text_bytes, **record.result()})
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(arguments, results):
    small = [part for part in arguments.parts if part != "large"]
    started = time.monotonic()
    if small:
        measure(arguments, arguments.scale, small, results)
    if "large" in arguments.parts:
        measure(arguments, arguments.scale * LARGE, ["large"], results)
    if arguments.parts:
        print(f"took {time.monotonic() - started:.0f} s")


def main():
    arguments = parse_arguments()

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = "result.json" if arguments.scale == 1 else f"result-{arguments.scale:g}.json"
    results = Results(arguments.out / name, arguments.scale, arguments.jobs, machine())
    try:
        run(arguments, results)
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    if not results.value["parts"]:
        raise SystemExit(f"nothing was measured yet: {results.file}")
    missed = print_report(results.value, arguments.parts)
    print(f"raw figures: {results.file}")
    if arguments.write_docs:
        write_docs(results.value, arguments.write_docs)
        print(f"written: {arguments.write_docs}/performance.md and its plots")
    if any(results.value["parts"][part]["problems"] for part in arguments.parts):
        return 2
    return 1 if missed and arguments.scale >= 1 else 0


if __name__ == "__main__":
    sys.exit(main())
