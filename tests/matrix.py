#!/usr/bin/python3
"""Every server version into every one that is as new or newer, and what must be refused.

    matrix.py [WORD...]       only what has each of these words in its name: matrix.py 18 into

The last line is `N passed, N failed`. PGSTOW_BUILD names the build folder; see tests/e2e/harness/crossing.py.
"""

import re
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "e2e"))

from harness import crossing, mismatch, older  # noqa: E402
from harness.crossing import ARCHIVES, MAJORS, Crossing, Fleet  # noqa: E402

# Newer tools than the server: what one has who installs only the newest client.
BEYOND = [Crossing(*c) for c in (
    (13, 15, 13), (13, 16, 13), (13, 17, 13), (13, 17, 15), (13, 17, 18), (13, 18, 13), (13, 18, 16), (14, 18, 14),
    (15, 16, 15), (15, 17, 15), (15, 17, 16), (15, 17, 17), (15, 18, 15), (15, 18, 16), (15, 18, 18), (16, 17, 16),
    (16, 18, 16), (17, 18, 17),
)]  # fmt: skip


def checks():
    """Name, what is written beside it, and what is done."""
    for source in MAJORS:
        for target in MAJORS:
            if target >= source:
                yield entry(Crossing(source, source, target))
    for beyond in BEYOND:
        yield entry(beyond)
    for source in MAJORS:
        yield (f"export of {source} by {source}", f"archive {ARCHIVES[source]}, pg_restore {source}",
               lambda fleet, s=source: crossing.export(fleet, s, s))  # fmt: skip
    for source, dump in ((13, 18), (15, 17)):
        yield (f"export of {source} by {dump}", f"archive {ARCHIVES[dump]}, pg_restore {dump}",
               lambda fleet, s=source, d=dump: crossing.export(fleet, s, d))  # fmt: skip
    for name, check in [*older.CHECKS, *mismatch.CHECKS]:
        yield name, "", check


def entry(c):
    return str(c), f"archive {c.archive}, pg_restore {c.restore()}", lambda fleet: crossing.cross(fleet, c)


def main():
    words = sys.argv[1:]
    chosen = [c for c in checks() if all(word in re.findall(r"[\w.]+", c[0]) for word in words)]
    fleet = Fleet()
    passed, failed = 0, []
    try:
        for name, note, check in chosen:
            started = time.monotonic()
            try:
                check(fleet)
                verdict, passed = "ok", passed + 1
            except Exception as problem:
                verdict = "FAILED"
                failed.append((name, "".join(traceback.format_exception(problem, limit=-3))))
            print(f"{name:<58} {note:<28} {verdict:<6} {time.monotonic() - started:5.1f} s", flush=True)
    finally:
        fleet.destroy()
    for name, detail in failed:
        print(f"\n---- failed: {name}\n{detail[-4000:]}")
    if not chosen:
        print("nothing has such a name")
    print(f"\n{passed} passed, {len(failed)} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
