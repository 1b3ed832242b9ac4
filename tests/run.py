#!/usr/bin/python3
"""Run the tests of a build folder and count their cases; the last line is `N passed, N failed`.

`meson test` runs the unit tests and the checks of the source; pytest runs tests/e2e against private
PostgreSQL servers. Both are asked for what they did through files, never by reading their screens:
a runner that crashes, hangs or leaves no result is a failed case, not a shorter list.
Exit status: 0 only if something ran and nothing failed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-pytest belongs to
DETAIL_LINES = 60
TAP_CASE = re.compile(r"^(ok|not ok)\b\s*\d*\s*(?:-\s*)?([^#]*)(?:#\s*(skip)\b(.*))?", re.IGNORECASE)
GOOD = {"OK", "EXPECTEDFAIL"}
LONGEST_FIRST = ["test_consistency", "test_fidelity"]  # else one of them ends alone
NO_TESTS = 5  # pytest's exit status where the selection leaves none


class Tally:
    """What was seen: cases by name, with what is known about those that failed."""

    def __init__(self):
        self.passed = 0
        self.skipped = []
        self.failed = []

    def ok(self):
        self.passed += 1

    def skip(self, name, why=""):
        self.skipped.append((name, " ".join(why.split())))

    def fail(self, name, detail=""):
        self.failed.append((name, detail))

    def report(self, seconds):
        for name, detail in self.failed:
            print(f"\n---- failed: {name}")
            lines = detail.strip().splitlines()
            if len(lines) > DETAIL_LINES:
                print(f"(the last {DETAIL_LINES} of {len(lines)} lines)")
            print("\n".join("    " + line for line in lines[-DETAIL_LINES:]))
        if self.skipped:
            print("\nskipped:")
            for name, why in self.skipped:
                print(f"    {name}" + (f": {why}" if why else ""))
        if self.failed:
            print("\nfailed:")
            for name, _ in self.failed:
                print(f"    {name}")
        if not self.passed and not self.failed:
            self.failed.append(("nothing ran", ""))
            print("\nno test ran, which counts as a failure")
        print(f"\n{seconds:.0f} s")
        print(f"{self.passed} passed, {len(self.failed)} failed", flush=True)


def clean_environment(build, slower):
    """The caller's, without what would steer pgstow or libpq, and with the programs under test."""
    env = {
        key: value
        for key, value in os.environ.items()
        if key.startswith("PGSTOW_TEST_")
        or not key.startswith(("PG", "BACKUP_", "SYNC_", "DATABASE_URL", "FORCE_PG_DUMP"))
    }
    env["PGSTOW_TEST_SLOWER"] = str(slower)
    env["PGSTOW_BIN"] = str(build / "pgstow")
    env["PGSTOW_BUILD"] = str(build)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    return env


def run_bounded(command, env, seconds):
    """Run it in a process group of its own. Returns its exit status, or None if it ran too long."""
    sys.stdout.flush()
    child = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)

    try:
        return child.wait(max(seconds, 1))
    except subprocess.TimeoutExpired:
        end_group(child)
        return None
    except BaseException:
        end_group(child)
        raise


def end_group(child):
    """Interrupt a child and its group, so that it can stop its servers; a minute later kill it."""
    for sig, patience in ((signal.SIGINT, 60), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, sig)
        except ProcessLookupError:
            pass
        try:
            child.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def count_meson_test(tally, record):
    """One program of `meson test`: its TAP cases, or itself where it prints none."""
    name = record["name"]
    output = record.get("stdout") or ""
    everything = output + ("\n" + record["stderr"] if record.get("stderr") else "")
    cases = bad_cases = skipped_cases = 0
    for line in output.splitlines():
        match = TAP_CASE.match(line)
        if not match:
            continue
        cases += 1
        case = f"{name}: {match.group(2).strip()}"
        if match.group(3):  # cmocka writes these as "not ok", with the name behind the word
            skipped_cases += 1
            tally.skip(name, match.group(4))
        elif match.group(1).lower() == "ok":
            tally.ok()
        else:
            bad_cases += 1
            tally.fail(case, everything)
    result = record["result"]
    if result == "SKIP":
        if not cases:
            tally.skip(name)
    elif skipped_cases and not bad_cases and record["returncode"] == 0:
        pass  # which meson, reading the same "not ok", calls an error
    elif result not in GOOD and not bad_cases:
        tally.fail(f"{name} ({result}, exit status {record['returncode']})", everything)
    elif not cases and result in GOOD:
        tally.ok()


def names_of_rooms(build, rooms):
    """The unit tests of these folders of src: they are named ROOM-FILE."""
    listed = subprocess.run(
        ["meson", "introspect", "--tests", str(build)], check=True, text=True, capture_output=True
    )
    names = [test["name"] for test in json.loads(listed.stdout)]
    return [name for name in names if name.split("-")[0] in rooms]


def run_meson(tally, build, env, seconds, slower, rooms):
    """The unit tests, and the checks of layers and of generated documents."""
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--no-suite", "slow"]
    command += ["--timeout-multiplier", str(slower)]
    command += ["--num-processes", str(os.cpu_count() + 1)]  # some wait
    if rooms:
        command += names_of_rooms(build, rooms)
    started = time.monotonic()
    status = run_bounded(command, env, seconds)
    if status is None:
        tally.fail("meson test", f"stopped after {time.monotonic() - started:.0f} s")
    failed_before = len(tally.failed)
    records = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in records:
        count_meson_test(tally, json.loads(line))
    if status and len(tally.failed) == failed_before:
        tally.fail("meson test", f"exit status {status}, and none of its {len(records)} tests says why")


class PytestFile:
    """One file of tests/e2e in a pytest of its own, with its own server: none can harm another's."""

    def __init__(self, file, build, env, marker, select):
        self.name = f"tests/e2e/{file.name}"
        logs = build / "meson-logs"
        self.result = logs / f"e2e-{file.stem}.junit.xml"
        self.log = logs / f"e2e-{file.stem}.log"
        self.result.unlink(missing_ok=True)
        command = [PYTHON, "-m", "pytest", str(file), "-m", marker, f"--junitxml={self.result}"]
        command += ["-p", "no:cacheprovider", "-q", "--tb=short", "--durations=5"]
        command += ["-o", "junit_family=xunit2", "-o", "faulthandler_timeout=300"]
        command += ["-o", "junit_logging=system-out"]
        if select:
            command += ["-k", select]
        self.started = time.monotonic()
        with open(self.log, "wb") as output:
            self.child = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
            )

    def finish(self, tally, too_long=False):
        """Count what it reported. To be called when the child has ended."""
        passed, failed = tally.passed, len(tally.failed)
        if too_long:
            tally.fail(self.name, f"stopped after {time.monotonic() - self.started:.0f} s")
        counted = len(tally.failed)
        tried = survived = 0
        if self.result.exists():
            for case in ElementTree.parse(self.result).getroot().iter("testcase"):
                count_pytest_case(tally, case)
                for some, good in re.findall(r"(\d+) faults tried, (\d+) survived", case.findtext("system-out") or ""):
                    tried += int(some)
                    survived += int(good)
        status = self.child.returncode
        if status not in (0, NO_TESTS) and not too_long and len(tally.failed) == counted:
            tail = self.log.read_text(errors="replace")
            tally.fail(f"{self.name} (pytest's exit status {status})", tail)
        passed, failed = tally.passed - passed, len(tally.failed) - failed
        if passed or failed:
            seconds = time.monotonic() - self.started
            print(f"{self.name:<34} {passed:4} passed {failed:4} failed {seconds:6.0f} s", flush=True)
        if tried:
            print(f"{'':<34} {tried} faults tried, {survived} survived", flush=True)


def run_pytest(tally, build, env, seconds, workers, marker, select):
    """The tests against real servers, some files at a time."""
    order = [*LONGEST_FIRST, ""]
    waiting = sorted(
        (ROOT / "tests" / "e2e").glob("test_*.py"),
        key=lambda file: (order.index(file.stem if file.stem in order else ""), -file.stat().st_size),
    )
    if not waiting:
        tally.fail("tests/e2e", "there are no tests")
    (build / "meson-logs").mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + max(seconds, 1)
    running = []
    kept = tempfile.mkdtemp(prefix="pgstow-e2e-new-", dir=env.get("PGSTOW_TEST_TMP"))
    env = {**env, "PGSTOW_TEST_NEW_CLUSTER": kept}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(PytestFile(waiting.pop(0), build, env, marker, select))
            time.sleep(0.1)
            for file in [file for file in running if file.child.poll() is not None]:
                running.remove(file)
                file.finish(tally)
            if time.monotonic() > deadline:
                for file in running:
                    end_group(file.child)
                    file.finish(tally, too_long=True)
                for file in waiting:
                    tally.fail(f"tests/e2e/{file.name}", "not begun: the time was over")
                return
    except BaseException:
        for file in running:
            end_group(file.child)
        raise
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def count_pytest_case(tally, case):
    name = f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
    for kind in ("failure", "error"):
        problem = case.find(kind)
        if problem is not None:
            tally.fail(name, problem.text or problem.get("message") or kind)
            return
    skipped = case.find("skipped")
    if skipped is not None:
        tally.skip(name, skipped.get("message") or "")
    else:
        tally.ok()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="build folder (build)")
    parser.add_argument("--suite", choices=["unit", "e2e"], help="only these")
    parser.add_argument("--only", default="", help="unit tests of these folders of src only: a,b")
    parser.add_argument("--marker", default="not slow", help="pytest -m for tests/e2e (not slow)")
    parser.add_argument("--select", default="", help="pytest -k for tests/e2e")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds until it is taken for hung (1500)")
    parser.add_argument("--workers", type=int, default=3, help="files of tests/e2e at a time (3): each waits much for its server")
    parser.add_argument("--slower", type=float, default=1, help="how much slower this build is (1)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    build = (ROOT / arguments.build).resolve()
    tally = Tally()
    started = time.monotonic()

    def left():
        return arguments.timeout - (time.monotonic() - started)

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)  # started by a shell's & it would be ignored, by the tested program too
    env = clean_environment(build, arguments.slower)
    try:
        if arguments.suite != "e2e":
            rooms = [name for name in arguments.only.split(",") if name]
            run_meson(tally, build, env, left(), arguments.slower, rooms)
        if arguments.suite != "unit":
            workers, marker = arguments.workers, arguments.marker
            run_pytest(tally, build, env, left(), workers, marker, arguments.select)
    except KeyboardInterrupt:
        tally.fail("interrupted")
    except Exception as problem:  # the count below must come, and say that something went wrong
        tally.fail("tests/run.py", repr(problem))
    tally.report(time.monotonic() - started)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
