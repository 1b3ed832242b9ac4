#!/usr/bin/python3
"""The model checker over docs/model: `./dev model`. Every scene must hold, exhaustively; then every
mutant, which leaves out one rule, must be caught. The last line is `N passed, N failed`."""

import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY = 1800  # MiB, for one search

# name, model, definitions, what runs beside each other
SCENES = [
    ("beside", "keeping", "WRITERS=1 PRUNES=2 DELETES=1", "a writer (fresh or with parent), two prunes, delete"),
    ("given-up", "keeping", "WRITERS=1 PRUNES=2 ROLES=1 DELETES=1 SWEEPS=1", "a writer, a prune that purges and one that deletes packs, delete, anybody taken for dead"),
    ("writers", "keeping", "WRITERS=2 PRUNES=1 DELETES=1", "two writers, of which one may build on the other, a prune, delete"),
    ("dead", "keeping", "WRITERS=1 DEAD=1 PRUNES=2 SWEEPS=1", "a session that died before, the writer that resumes it, two prunes"),
    ("restore", "keeping", "WRITERS=0 PRUNES=2 DELETES=1 READERS=1 SWEEPS=1", "a restore, two prunes, delete"),
    ("undelete", "keeping", "WRITERS=0 PRUNES=2 DELETES=1 UNDELETES=1 SWEEPS=1", "an undelete, two prunes, of which one was taken for dead"),
    ("again", "keeping", "WRITERS=0 PRUNES=1 DELETES=2 UNDELETES=1 READERS=1 SWEEPS=1", "deleted, undeleted, deleted; a restore, a prune"),
    ("undeletes", "keeping", "WRITERS=0 PRUNES=2 DELETES=2 UNDELETES=2", "two undeletes, two deletes, two prunes"),
    ("slow", "keeping", "WRITERS=0 PRUNES=1 DELETES=2 UNDELETES=2 SWEEPS=1", "the same with one prune and somebody taken for dead (without the limit in README.md)"),
    ("damage", "keeping", "DAMAGE=1 WRITERS=1 PRUNES=1 DELETES=1 READERS=1", "a pack of the parent is lost: a writer, a prune, delete, a restore"),
    ("power", "keeping", "POWER WRITERS=1 PRUNES=1 DELETES=1", "the power fails at any time: a writer, a prune, delete"),
    ("power-dead", "keeping", "POWER WRITERS=1 DEAD=1 PRUNES=0 SWEEPS=1", "the power fails while a dead session is resumed"),
    ("power-purge", "keeping", "POWER WRITERS=0 PRUNES=2 DELETES=1 UNDELETES=1", "the power fails: two prunes, delete, undelete"),
    ("power-after", "keeping", "POWER WRITERS=1 PRUNES=0 AFTER=1", "the power fails under a writer; then a writer that resumes, and a prune"),
    ("numbers", "numbers", "", "which are marked and which numbers are given: a writer, two cleanups, two prunes, delete"),
]
ONE = "WRITERS=1 PRUNES=1 DELETES=1"
DIES = "WRITERS=1 PRUNES=1 SWEEPS=1"
READ = "WRITERS=0 PRUNES=1 DELETES=1 READERS=1"
TWO_PRUNES = "WRITERS=1 PRUNES=2 ROLES=1 DELETES=1 SWEEPS=1"
TWO_UNDELETES = "WRITERS=0 PRUNES=1 DELETES=2 UNDELETES=2"
# name, model, definitions, the rule that is left out
MUTANTS = [
    ("M_CONTENT_NAMES", "keeping", ONE, "packs are named by session and number, never by content"),
    ("M_REUSE_ANYTHING", "keeping", "WRITERS=1 PRUNES=1 DELETES=1 SWEEPS=1", "a pack is reused only through a live manifest or a session taken as parent"),
    ("M_WRITER_WITHOUT_SESSION", "keeping", ONE, "a writer is visible by a session"),
    ("M_SESSION_WITHOUT_NAMES", "keeping", "WRITERS=1 DEAD=1 PRUNES=1 SWEEPS=1", "a session names every pack that it may reuse"),
    ("M_CHECK_BEFORE_SESSION", "keeping", ONE, "parents are checked only when the session is visible"),
    ("M_NO_CHECK", "keeping", ONE, "it is checked that parents still stand"),
    ("M_PARENT_MAY_BE_MARKED", "keeping", TWO_PRUNES, "... unmarked"),
    ("M_PACKS_NOT_LOOKED_AT", "keeping", "DAMAGE=1 " + ONE, "a parent's chunk counts only if its pack is there"),
    ("M_MANIFEST_FIRST", "keeping", ONE, "packs before the manifest"),
    ("M_NO_BARRIER", "keeping", "POWER WRITERS=1 PRUNES=0", "a barrier before the manifest"),
    ("M_NO_SECOND_BARRIER", "keeping", "POWER WRITERS=1 PRUNES=0", "... after the recipes"),
    ("M_NOT_ADOPTED", "keeping", "POWER WRITERS=1 DEAD=1 PRUNES=0 SWEEPS=1", "a dead session's packs are part of our barrier"),
    ("M_COMMIT_OVERWRITES", "keeping", DIES, "the manifest is put if absent"),
    ("M_TRUST_EXISTS", "keeping", DIES, "on \"exists already\": read back and compare"),
    ("M_FENCE_OVERWRITES", "keeping", DIES, "the tombstone is put if absent"),
    ("M_SWEEP_WITHOUT_FENCE", "keeping", DIES, "a dead session is fenced before its packs are anybody's"),
    ("M_TAKE_WITHOUT_FENCE", "keeping", "WRITERS=2 PRUNES=1 SWEEPS=1", "... and before a writer goes on from it"),
    ("M_TOMBSTONE_REMOVED", "keeping", DIES, "the tombstone is kept for ever"),
    ("M_READER_WITHOUT_SESSION", "keeping", READ, "readers open sessions"),
    ("M_READER_LATE", "keeping", READ, "... before they look at the backup"),
    ("M_DELETE_AT_ONCE", "keeping", READ, "delete only marks"),
    ("M_PURGE_IGNORES_READERS", "keeping", READ, "a live reader keeps its backup"),
    ("M_PURGE_SESSIONS_FIRST", "keeping", READ, "sessions are listed after the marker was seen"),
    ("M_MARKER_FIRST", "keeping", READ, "purge removes the marker last"),
    ("M_PURGE_IGNORES_WRITERS", "keeping", TWO_PRUNES, "a live writer keeps its parent from being purged"),
    ("M_SESSIONS_ONCE", "keeping", "WRITERS=1 DEAD=1 PRUNES=2 SWEEPS=1", "sessions are listed twice"),
    ("M_PACKS_LAST", "keeping", ONE, "packs are listed first"),
    ("M_BACKUPS_FIRST", "keeping", ONE, "sessions, then backups"),
    ("M_IGNORE_UNREADABLE", "keeping", ONE, "an unreadable root ends prune"),
    ("M_UNDELETE_BY_LOOKING", "keeping", "WRITERS=0 PRUNES=2 DELETES=1 UNDELETES=1 SWEEPS=1", "purge or undelete: decided by put if absent"),
    ("M_UNDELETE_WITHOUT_SESSION", "keeping", TWO_UNDELETES, "undelete opens a session"),
    ("M_MARKER_NOT_LOOKED_AT_AGAIN", "keeping", TWO_UNDELETES, "purge looks at the marker again"),
    ("M_UNDELETE_OWN_SESSION_NOT_LOOKED_AT", "keeping", TWO_UNDELETES + " SWEEPS=1", "an undelete that was taken for dead reports no success"),
    ("M_UNDELETE_WITHOUT_BARRIER", "keeping", "POWER WRITERS=0 PRUNES=0 DELETES=1 UNDELETES=1", "a barrier before undelete's success"),
    ("M_PURGE_WITHOUT_BARRIER", "keeping", "POWER WRITERS=0 PRUNES=1 DELETES=1", "a barrier between manifest and marker"),
    ("M_NOT_ADOPTED_GONE", "keeping", "POWER WRITERS=0 PRUNES=2 DELETES=1", "... also where another had deleted the manifest"),
    ("M_LAST_GOOD_GOES", "numbers", "", "the last good one never goes by age or count"),
    ("M_FILTERED_COUNTS", "numbers", "", "good means complete and unfiltered"),
    ("M_PROVEN_GOES", "numbers", "", "the last proven one never goes by age or count"),
    ("M_NUMBER_FORGOTTEN", "numbers", "", "purge remembers the highest number"),
    ("M_NUMBER_AFTER", "numbers", "", "... before it deletes the manifest"),
    ("M_LINEAGES_READ_FIRST", "numbers", "", "a writer reads lineages/ after the backups"),
]
# Rules that the checker finds nothing without: README.md says why each stands.
NOT_NEEDED = [
    ("M_NO_FIRST_BARRIER", "keeping", "POWER WRITERS=1 DEAD=1 PRUNES=0 SWEEPS=1", "a barrier before the recipes"),
    ("M_UNDELETE_DOES_NOT_LOOK", "keeping", "WRITERS=0 PRUNES=2 DELETES=1 UNDELETES=1 SWEEPS=1", "undelete looks at the manifest"),
    ("M_PACKS_BEFORE_PURGE", "keeping", ONE, "packs after all purging"),
    ("M_OWN_SESSION_NOT_LOOKED_AT", "keeping", TWO_PRUNES, "a prune that was taken for dead deletes no pack"),
]
# Too many states to visit all: an addition, which may only ever find more.
EVERYTHING = "WRITERS=2 PRUNES=2 DELETES=2 UNDELETES=1 READERS=1 SWEEPS=2"


class Broken(Exception):
    """The search itself went wrong."""


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0 and "./pan" not in command[0]:
        raise Broken(f"{command[0]}: {done.stdout.strip()[-600:]}")
    return done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def search(model, definitions, *, bits=False):
    """Compiles and searches. Returns a dict."""
    words = [f"-D{word}" for word in definitions.split()]
    with tempfile.TemporaryDirectory(prefix="pgstow-model-") as folder:
        run(["spin", *words, "-a", str(HERE / f"{model}.pml")], folder)
        kind = ["-DBITSTATE"] if bits else ["-DCOLLAPSE", f"-DMEMLIM={MEMORY}"]
        run(["gcc", "-O2", "-w", "-DSAFETY", *kind, "-o", "pan", "pan.c"], folder)
        started = time.monotonic()
        text = run(["./pan", "-m100000", *(["-w30", "-Q0.7"] if bits else [])], folder)
        seconds = time.monotonic() - started
    if "errors:" not in text or "max search depth too small" in text:
        raise Broken(text.strip()[-600:])
    return {
        "errors": int(number(r"errors: (\d+)", text)),
        "states": int(number(r"([\d.]+(?:e\+\d+)?) states, stored", text)),
        "depth": int(number(r"depth reached (\d+)", text)),
        "memory": number(r"([\d.]+)\s+total actual memory usage", text),
        "seconds": seconds,
        "whole": "Search not completed" not in text,
        "why": (re.search(r"pan:\d+: (.*?) \(at depth", text) or [None, ""])[1],
    }


def figures(r):
    return f"{r['states']:>10,} states  depth {r['depth']:>3}  {r['memory']:>5.0f} MB  {r['seconds']:>5.1f} s"


def scene(row):
    name, model, definitions, what = row
    r = search(model, definitions)
    good = r["errors"] == 0 and r["whole"]
    verdict = "holds" if good else f"FAILS: {r['why'] or 'the search was not completed'}"
    return good, f"{name:12} {figures(r)}  {verdict}: {what}", r


def mutant(row):
    name, model, definitions, rule = row
    r = search(model, f"{definitions} {name}")
    caught = r["errors"] > 0
    return caught, f"{name:38} {r['states']:>9,} states  {'caught' if caught else 'NOT CAUGHT'}: without \"{rule}\"", r


def not_needed(row):
    name, model, definitions, rule = row
    r = search(model, f"{definitions} {name}")
    good = r["errors"] == 0 and r["whole"]
    return good, f"{name:38} {r['states']:>9,} states  {'nothing found' if good else 'IS NEEDED'}: without \"{rule}\"", r


def main():
    if len(sys.argv) > 1:
        sys.exit("model takes no arguments")
    passed = failed = states = 0
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for title, check, rows in (
            ("Scenes: all states, with partial order reduction", scene, SCENES),
            ("Mutants", mutant, MUTANTS),
            ("Rules that nothing was found without (README.md says why they stand)", not_needed, NOT_NEEDED),
        ):
            print(f"{title}:", flush=True)
            for task in [pool.submit(check, row) for row in rows]:
                try:
                    good, line, r = task.result()
                except Broken as e:
                    good, line, r = False, f"BROKEN: {e}", {"states": 0}
                passed, failed = passed + good, failed + (not good)
                states += r["states"] if check is scene else 0
                print(f"  {line}", flush=True)
    print("Everything at once, hashed bits instead of states, for most of a minute (an addition, not exhaustive):", flush=True)
    r = search("keeping", EVERYTHING, bits=True)
    good = r["errors"] == 0
    passed, failed = passed + good, failed + (not good)
    print(f"  everything   {figures(r)}  {'nothing found' if good else 'FAILS: ' + r['why']}")
    print(f"{states:,} states in {len(SCENES)} scenes, {len(MUTANTS)} mutants, {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
