"""What a parent of 1 TB costs a backup: a repository without rows, and the writer's own work over it.

Run by ./dev bench parent. For each size: parent_make writes manifest, recipes and footers of a database of so
many GB; parent_backup looks all of its chunks up, all the same, one in 1000 new, all moved by VACUUM FULL, and commits
the first two; then list, show, verify at quick, and cleanup over what there is. Each is a process of its own, whose
processor time and peak memory count.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from goals import size

PLANS = {"same": "all the same", "changed": "1 chunk in 1000 new", "moved": "all moved, as by VACUUM FULL"}
COMMANDS = {
    "list": ["list"],
    "show": ["show", "latest"],
    "verify": ["verify", "--level", "quick"],
    "cleanup": ["cleanup", "--prune-only"],
}


def run(*args, env=None):
    """Seconds of processor, peak memory in bytes, standard output."""
    with tempfile.TemporaryFile() as out:
        pid = subprocess.Popen([*map(str, args)], stdout=out, env=env).pid
        _, status, usage = os.wait4(pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"failed: {' '.join(map(str, args))}")
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read()


def measure(pgstow, gigabytes, base):
    folder = Path(tempfile.mkdtemp(prefix="pgstow-parent-", dir=base))
    programs, env = pgstow.parent / "bench", {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    try:
        repo = folder / "repo"
        made = json.loads(run(programs / "parent_make", repo, gigabytes)[2])
        found = {"gigabytes": gigabytes, "made": made}
        for plan in ("moved", "same", "changed"):  # the first leaves no trace, the last a parent of its own
            _, _, out = run(programs / "parent_backup", repo, gigabytes, plan)
            found[plan] = json.loads(out)
        for name, words in COMMANDS.items():
            seconds, peak, _ = run(pgstow, "--repo", repo, *words, env=env)
            found[name] = {"seconds": seconds, "peak": peak}
        return found
    finally:
        shutil.rmtree(folder)


def rows(results):
    """The lines of the table: a title, and how each result shows it."""
    yield "chunks; pieces", lambda r: f"{r['made']['chunks']:,}; {r['made']['pieces']:,}"
    yield "packs; bytes in them", lambda r: f"{r['made']['packs']:,}; {size(r['made']['stored'])}"
    yield "recipes; footers of packs of rows", lambda r: f"{size(r['made']['recipes'])}; {size(r['made']['footers'])}"
    yield "manifest", lambda r: size(r["made"]["manifest"])
    yield "opening it: processor; read; peak memory", lambda r: (
        f"{r['same']['open_ms']:.0f} ms; {size(r['same']['open_read'])}; {size(r['same']['open_peak'])}"
    )
    for plan, title in PLANS.items():
        yield f"{title}: processor a piece; in all", lambda r, p=plan: (
            f"{r[p]['piece_ms']:.1f} ms; {r[p]['pieces_ms'] / 1000:.1f} s"
        )
        yield f"{title}: recipes and footers read a piece", lambda r, p=plan: size(r[p]["piece_read"])
        yield f"{title}: peak memory", lambda r, p=plan: size(r[p]["peak"])
    yield f"{PLANS['changed']}: recipes written", lambda r: size(r["changed"]["recipes"])
    yield f"{PLANS['moved']}: not found", lambda r: f"{100 * r['moved']['fresh'] / r['moved']['chunks']:.2f} %"
    yield "commit: processor", lambda r: f"{r['changed']['commit_ms']:.0f} ms"
    yield "at most in memory: samples; loaded pieces of 2 threads; footers", lambda r: "; ".join(
        size(max(r[plan][what] for plan in PLANS)) for what in ("samples", "hands", "footers")
    )
    for name in COMMANDS:
        words = " ".join(COMMANDS[name])
        yield f"`{words}`: processor; peak memory", lambda r, n=name: f"{r[n]['seconds']:.2f} s; {size(r[n]['peak'])}"


def show(results):
    head = ["", *(f"{r['gigabytes']:,} GB" for r in results)]
    print("| " + " | ".join(head) + " |\n" + "|" + " --- |" * len(head))
    for title, cell in rows(results):
        print(f"| {title} | " + " | ".join(cell(r) for r in results) + " |")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench parent", description=__doc__.split("\n")[0])
    parser.add_argument("--pgstow", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--gigabytes", type=int, action="append", metavar="N",
                        help="of the database, several times for several (10, 100, 1000)")  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where 4 GB are free (/var/tmp)")
    args = parser.parse_args()
    results = [measure(args.pgstow.resolve(), size, args.folder) for size in args.gigabytes or (10, 100, 1000)]
    show(results)


if __name__ == "__main__":
    main()
