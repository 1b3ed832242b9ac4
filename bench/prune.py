"""What prune takes: a synthetic repository of many packs and manifests, and cleanup over it.

Run by ./dev bench prune. Prints wall time, processor time and peak memory of a prune that deletes
every tenth pack, of one that finds nothing to do, and of list for comparison.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


def run(*args):
    """Seconds, seconds of processor, peak memory in MB, standard output."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        pid = subprocess.Popen([*map(str, args)], stdout=out).pid
        _, status, usage = os.wait4(pid, 0)
        took = time.monotonic() - began
        assert os.waitstatus_to_exitcode(status) == 0, args
        out.seek(0)
        return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def show(what, measured):
    print(f"{what:<34} {measured[0]:7.2f} s  {measured[1]:7.2f} s processor  {measured[2]:6.1f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgstow", required=True, type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--packs", type=int, default=100_000)
    parser.add_argument("--manifests", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=300, help="packs a manifest names")
    args = parser.parse_args()
    repo = Path(tempfile.mkdtemp(prefix="pgstow-prune-")) / "repo"
    try:
        maker = args.pgstow.parent / "bench" / "prune_repo"
        show("making the repository", run(maker, repo, args.packs, args.manifests, args.each))
        print(f"{args.packs:,} packs, {args.manifests:,} manifests of {args.each} packs each")
        prune = [args.pgstow, "cleanup", "--prune-only", "--json", "--repo", repo]
        measured = run(*prune)
        show("prune, every tenth pack goes", measured)
        assert json.loads(measured[3])["freed"]["packs"] == args.packs // 10, measured[3]
        measured = run(*prune)
        show("prune, nothing to do", measured)
        assert json.loads(measured[3])["freed"]["packs"] == 0
        show("list", run(args.pgstow, "list", "--quiet", "--repo", repo))
    finally:
        shutil.rmtree(repo.parent)


if __name__ == "__main__":
    main()
