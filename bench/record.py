"""What one part of the benchmark has measured, and the file in which all parts are kept: see bench.py."""

import json
import statistics
import time

from measure import CommandFailed, Timed, folder_bytes


class Record:
    """The raw figures of one part. Its commands were measured interleaved, so only they may be compared."""

    def __init__(self, subject, arguments):
        self.subject, self.arguments = subject, arguments
        self.times, self.processor, self.server = {}, {}, {}  # name: seconds of each run
        self.bytes = {}  # name: bytes, the last seen
        self.facts = {}  # what else there is to know
        self.problems = {}  # name: what failed
        self.subject.peaks = {}
        self.started = time.monotonic()

    def measure(self, name, action):
        """One timed command; a failure is noted and the others go on. Returns what the action did."""
        if name in self.problems:
            return None
        print(f"  {name:<44}", end="", flush=True)
        try:
            done = action()
        except (CommandFailed, RuntimeError, ValueError, KeyError, OSError) as problem:
            print(f"FAILED: {problem}", flush=True)
            self.problems[name] = str(problem)
            return None
        timed = done if isinstance(done, Timed) else done[0]
        self.times.setdefault(name, []).append(timed.seconds)
        self.processor.setdefault(name, []).append(timed.processor)
        if timed.server is not None:
            self.server.setdefault(name, []).append(timed.server)
        print(f"{timed.seconds:8.2f} s", flush=True)
        return done

    def backup(self, name, repo, database, action=None):
        """As measure; the bytes by which the repository grew are noted under the same name."""
        done = self.measure(name, lambda: (action or self.subject.backup)(repo, database))
        if done:
            self.bytes[name] = done[2]
        return done

    def dump(self, name, file, database, *options, then=None, keep=False):
        self.subject.remove(file)
        if not then:
            options = (*options, "-f", self.subject.path(file))
        self.measure(name, lambda: self.subject.pg_dump(database, *options, then=then))
        path = self.subject.path(file)
        if path.exists():
            self.bytes[name] = folder_bytes(path) if path.is_dir() else path.stat().st_size
        if not keep:
            self.subject.remove(file)

    def median(self, name):
        return statistics.median(self.times[name]) if name in self.times else None

    def problem(self, name, text):
        print(f"  {name}: {text}", flush=True)
        self.problems[name] = text

    def result(self):
        return {
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "took": time.monotonic() - self.started,
            "runs": self.arguments.runs,
            "times": self.times,
            "processor": self.processor,
            "server": self.server,
            "bytes": self.bytes,
            "peaks": self.subject.peaks,
            "facts": self.facts,
            "problems": self.problems,
        }


class Results:
    """All parts that were measured at one scale, each when it was measured last, in one file."""

    def __init__(self, file, scale, jobs, machine):
        self.file = file
        same = {"machine": machine, "scale": scale, "jobs": jobs}  # otherwise nothing may stand beside the new figures
        known = json.loads(file.read_text()) if file.exists() else {}
        kept = known.get("parts", {}) if all(known.get(key) == value for key, value in same.items()) else {}
        self.value = {**same, "parts": kept}

    def add(self, part, result):
        """At once, so that what was measured survives whatever comes next."""
        self.value["parts"][part] = result
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(self.value, indent=2) + "\n")
        beside.replace(self.file)
